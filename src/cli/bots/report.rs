//! What a run of bots found.

use std::fmt;

use serde::Serialize;

use super::histogram::{Histogram, Quantiles};

/// What one bot found.
#[derive(Debug, Default)]
pub struct BotOutcome {
    pub joined: bool,
    /// Why it counts as failed.
    pub failure: Option<String>,
    /// Seconds it was measured for.
    pub seconds: f64,
    pub frames: u64,
    pub keyframes: u64,
    /// Other actors in view and those of them that moved, summed over the frames.
    pub actors: u64,
    pub actors_moved: u64,
    pub resumes: u64,
    pub hash_errors: u64,
    pub missing_baselines: u64,
    pub late_frames: u64,
    pub ledger_violations: u64,
    pub commands: u64,
    pub acknowledged: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub frame_intervals: Histogram,
    pub command_to_frame: Histogram,
    pub ledger: Vec<LedgerEntry>,
}

/// One Welcome: what the bot knew to be acknowledged before it and what the zone had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    pub bot: u32,
    pub acknowledged: u32,
    pub welcomed: u32,
}

/// A run of bots. Rates are per bot and second.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub bots: u32,
    pub joined: u32,
    pub failed: u32,
    /// Seconds each bot was measured for, on average.
    pub seconds: f64,
    pub frames: u64,
    pub frames_per_second: f64,
    pub frame_interval_ms: Quantiles,
    /// Other actors in a frame, and those that had moved since the frame before.
    pub actors_in_view: f64,
    pub actors_moved: f64,
    pub commands: u64,
    pub commands_per_second: f64,
    pub commands_acknowledged: u64,
    pub command_to_frame_ms: Quantiles,
    pub bytes_in_per_second: f64,
    pub bytes_out_per_second: f64,
    pub keyframes: u64,
    pub late_frames: u64,
    pub missing_baselines: u64,
    pub resumes: u64,
    pub hash_errors: u64,
    pub ledger_violations: u64,
    /// Different reasons for failures, at most eight.
    pub failures: Vec<String>,
    /// Every Welcome, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ledger: Vec<LedgerEntry>,
}

const FAILURES_SHOWN_MAX: usize = 8;

impl Report {
    #[must_use]
    pub fn of(outcomes: Vec<BotOutcome>) -> Self {
        let mut report = Self { bots: outcomes.len() as u32, ..Self::default() };
        let mut intervals = Histogram::default();
        let mut latencies = Histogram::default();
        let (mut bytes_in, mut bytes_out) = (0, 0);
        let (mut actors, mut actors_moved) = (0, 0);
        for outcome in outcomes {
            report.joined += u32::from(outcome.joined);
            if let Some(failure) = outcome.failure {
                report.failed += 1;
                let full = report.failures.len() >= FAILURES_SHOWN_MAX;
                if !full && !report.failures.contains(&failure) {
                    report.failures.push(failure);
                }
            }
            report.seconds += outcome.seconds;
            report.frames += outcome.frames;
            report.keyframes += outcome.keyframes;
            report.late_frames += outcome.late_frames;
            report.missing_baselines += outcome.missing_baselines;
            report.resumes += outcome.resumes;
            report.hash_errors += outcome.hash_errors;
            report.ledger_violations += outcome.ledger_violations;
            report.commands += outcome.commands;
            report.commands_acknowledged += outcome.acknowledged;
            actors += outcome.actors;
            actors_moved += outcome.actors_moved;
            bytes_in += outcome.bytes_in;
            bytes_out += outcome.bytes_out;
            intervals.merge(&outcome.frame_intervals);
            latencies.merge(&outcome.command_to_frame);
            report.ledger.extend(outcome.ledger);
        }
        // Summed over bots, so that these are rates of one bot.
        let seconds = report.seconds.max(f64::MIN_POSITIVE);
        let rate = |count: u64| if report.seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        report.frames_per_second = rate(report.frames);
        report.commands_per_second = rate(report.commands);
        report.bytes_in_per_second = rate(bytes_in);
        report.bytes_out_per_second = rate(bytes_out);
        report.frame_interval_ms = intervals.quantiles();
        let frames = report.frames.max(1) as f64;
        report.actors_in_view = actors as f64 / frames;
        report.actors_moved = actors_moved as f64 / frames;
        report.command_to_frame_ms = latencies.quantiles();
        report.seconds /= f64::from(report.joined.max(1));
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantiles = |q: Quantiles| {
            let Quantiles { p50, p95, p99, max } = q;
            format!("p50 {p50:.1}  p95 {p95:.1}  p99 {p99:.1}  max {max:.1} ms")
        };
        let rows = [
            ("bots", format!("{} joined, {} failed of {}", self.joined, self.failed, self.bots)),
            ("measured", format!("{:.1} s", self.seconds)),
            ("frames", format!("{:.2} /s each", self.frames_per_second)),
            ("frame interval", quantiles(self.frame_interval_ms)),
            (
                "actors in view",
                format!("{:.1}, {:.1} moved", self.actors_in_view, self.actors_moved),
            ),
            ("commands", format!("{:.2} /s each", self.commands_per_second)),
            ("command to frame", quantiles(self.command_to_frame_ms)),
            (
                "bytes",
                format!(
                    "{:.0} /s in, {:.0} /s out each",
                    self.bytes_in_per_second, self.bytes_out_per_second
                ),
            ),
            ("keyframes", self.keyframes.to_string()),
            (
                "frames amiss",
                format!(
                    "{} late, {} without baseline, {} with a wrong hash",
                    self.late_frames, self.missing_baselines, self.hash_errors
                ),
            ),
            ("resumes", self.resumes.to_string()),
            ("ledger violations", self.ledger_violations.to_string()),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<18} {value}")?;
        }
        for failure in &self.failures {
            writeln!(f, "{:<18} {failure}", "failure")?;
        }
        Ok(())
    }
}
