//! One bot.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Shared;
use super::report::{BotOutcome, LedgerEntry};
use crate::cli::driver::Driver;
use crate::cli::http::Login;
use crate::cli::link::Connector;
use crate::client::{Brain, Client, Config, Credentials, Draws, Knowledge, Stats};

/// A player that plays by itself until the run ends.
pub(super) struct Bot {
    number: u32,
    draws: Draws,
    connector: Connector,
    shared: Arc<Shared>,
    outcome: BotOutcome,
    /// Frames so far.
    frames: u64,
    /// The counters when measuring began, and when that was.
    measured: Option<(Stats, Instant)>,
}

const LOGIN_ATTEMPTS: u32 = 5;

impl Bot {
    pub(super) fn new(number: u32, seed: u64, connector: Connector, shared: Arc<Shared>) -> Self {
        let draws = Draws::new(seed ^ u64::from(number) << 32);
        let outcome = BotOutcome::default();
        Self { number, draws, connector, shared, outcome, frames: 0, measured: None }
    }

    pub(super) async fn play(mut self) -> BotOutcome {
        let login = match self.log_in().await {
            Ok(login) => login,
            Err(error) => {
                self.outcome.failure = Some(format!("{error:#}"));
                return self.outcome;
            }
        };
        let credentials =
            Credentials { token: login.token, character: login.character, resume: String::new() };
        let datagrams = self.connector.has_datagrams();
        let client = Client::new(Config::new(credentials, datagrams, self.draws.bits()));
        let mut driver = Driver::new(client, self.connector.clone());
        self.drive(&mut driver).await;
        self.finish(&driver);
        driver.leave().await;
        self.outcome
    }

    async fn log_in(&mut self) -> anyhow::Result<Login> {
        let mut attempt = 1;
        loop {
            match self.shared.server.guest().await {
                Err(_) if attempt < LOGIN_ATTEMPTS && Instant::now() < self.shared.ends => {
                    let wait = attempt * 200 + self.draws.below(400);
                    sleep(Duration::from_millis(wait.into())).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn drive(&mut self, driver: &mut Driver) {
        let shared = Arc::clone(&self.shared);
        let mut brain = Brain::new(self.draws.bits(), shared.behaviour);
        let interval = shared.decision_interval;
        // Spread over the interval, so that not all decide at the same moment.
        let mut decide_at = Instant::now() + interval * self.draws.below(1_000) / 1_000;
        let is_wanted = || shared.pulse.as_ref().is_none_or(|pulse| !pulse.is_over());
        while driver.over().is_none() && Instant::now() < shared.ends && is_wanted() {
            driver.step(decide_at.min(shared.ends)).await;
            self.watch(driver);
            let now = Instant::now();
            if now < decide_at {
                continue;
            }
            decide_at = (decide_at + interval).max(now);
            self.take_samples(&mut driver.client, now);
            decide(&mut brain, &shared, driver);
        }
    }

    /// Notes Welcomes and the beginning of the measurement.
    fn watch(&mut self, driver: &Driver) {
        let client = &driver.client;
        let stats = client.stats();
        if let Some(session) = client.session().filter(|_| stats.welcomes > self.welcomes()) {
            self.outcome.joined = true;
            if self.welcomes() == 0 {
                let joined = self.shared.joined.fetch_add(1, Ordering::Relaxed) + 1;
                self.shared.progress.set_message(format!("{joined} joined"));
            }
            self.outcome.ledger.push(LedgerEntry {
                bot: self.number,
                acknowledged: session.acknowledged_before,
                welcomed: session.last_command,
            });
        }
        if let Some(pulse) = self.shared.pulse.as_ref().filter(|_| stats.frames > self.frames) {
            pulse.beat(self.number);
        }
        self.frames = stats.frames;
        let now = Instant::now();
        let begun = now >= self.shared.measured_from;
        if self.measured.is_none() && begun && self.outcome.joined {
            self.measured = Some((stats, now));
        }
    }

    fn welcomes(&self) -> u64 {
        self.outcome.ledger.len() as u64
    }

    fn take_samples(&mut self, client: &mut Client, now: Instant) {
        let samples = client.take_samples();
        // Those of the time before belong to joining.
        if self.measured.as_ref().is_some_and(|&(_, since)| now > since) {
            for interval in samples.frame_intervals {
                self.outcome.frame_intervals.add(interval);
            }
            for latency in samples.command_to_frame {
                self.outcome.command_to_frame.add(latency);
            }
        }
    }

    fn finish(&mut self, driver: &Driver) {
        let stats = driver.client.stats();
        let outcome = &mut self.outcome;
        outcome.failure = match driver.over() {
            Some(why) => Some(driver.client.farewell(why)),
            None if !outcome.joined => {
                Some(driver.trouble().unwrap_or("it was never welcomed").to_owned())
            }
            None if !driver.client.is_playing() => {
                Some(driver.trouble().unwrap_or("it was not connected at the end").to_owned())
            }
            None => None,
        };
        outcome.resumes = stats.resumes;
        outcome.ledger_violations = stats.rollbacks;
        outcome.hash_errors = stats.hash_errors;
        if let Some((before, since)) = self.measured {
            outcome.seconds = since.elapsed().as_secs_f64();
            outcome.frames = stats.frames - before.frames;
            outcome.keyframes = stats.keyframes - before.keyframes;
            outcome.actors = stats.actors - before.actors;
            outcome.actors_moved = stats.actors_moved - before.actors_moved;
            outcome.late_frames = stats.late_frames - before.late_frames;
            outcome.missing_baselines = stats.missing_baselines - before.missing_baselines;
            outcome.commands = stats.commands - before.commands;
            outcome.acknowledged = stats.acknowledged - before.acknowledged;
            outcome.bytes_in = stats.bytes_in - before.bytes_in;
            outcome.bytes_out = stats.bytes_out - before.bytes_out;
        }
        if !self.shared.ledger {
            outcome.ledger.clear();
        }
    }
}

fn decide(brain: &mut Brain, shared: &Shared, driver: &mut Driver) {
    let now = driver.now();
    let client = &mut driver.client;
    if !client.is_playing() {
        return;
    }
    let waiting = client.waiting();
    let (Some(view), Some(cells)) = (client.view(), client.cells()) else { return };
    let known = Knowledge { legend: &shared.legend, view, cells };
    if let Some(command) = brain.decide(now, &known, waiting) {
        // None is taken while as many wait as a zone queues; the next decision comes soon.
        let _ = client.command(now, command);
        driver.carry_out();
    }
}
