//! `undercroft bench replay`: how fast a journal is run again.

use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;

use super::play::{Play, Stage};
use crate::model::limits::TICKS_PER_SECOND_DEFAULT;
use crate::sim;
use crate::zone::{Replayer, encode_snapshot};

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    stage: Stage,
    /// Ticks that are recorded and run again.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    ticks: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    ticks: u32,
    journal_bytes_per_tick: f64,
    snapshot_bytes: usize,
    hashes_compared: u64,
    ticks_per_second: f64,
    times_real_time: f64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let start = args.stage.state();
    let snapshot = encode_snapshot(&start);
    let mut play = Play::new(&args.stage, start.clone());
    let mut entries = Vec::new();
    for _ in 0..args.ticks {
        play.speak();
        let entry = play.zone.begin_tick();
        play.zone.finish_tick();
        play.deliver(&entry);
        entries.push(entry);
    }
    let begun = Instant::now();
    let mut replayer = Replayer::from_snapshot(start.zone, start.tick, sim::VERSION, &snapshot)
        .context("reading the snapshot just written")?;
    for entry in &entries {
        replayer.apply(entry).context("running the recorded ticks again")?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(
        sim::hash(replayer.state()) == sim::hash(play.zone.state()),
        "running the recorded ticks again came to another state"
    );
    let bytes: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
    let ticks_per_second = f64::from(args.ticks) / seconds;
    let figures = Figures {
        ticks: args.ticks,
        journal_bytes_per_tick: bytes as f64 / f64::from(args.ticks),
        snapshot_bytes: snapshot.len(),
        hashes_compared: replayer.hashes_compared(),
        ticks_per_second,
        times_real_time: ticks_per_second / f64::from(TICKS_PER_SECOND_DEFAULT),
    };
    if args.json {
        let text = serde_json::to_string(&figures).context("writing the figures as JSON")?;
        return super::print(&(text + "\n"));
    }
    let Stage { width, height, monsters, players, seed, .. } = args.stage;
    super::print(&format!(
        "{width}x{height} cells, {monsters} monsters, {players} players, seed {seed}\n\
         {} ticks in {seconds:.2} s: {ticks_per_second:.0} ticks a second, {:.0} times real time; \
         {} hashes equal, {:.0} bytes of journal a tick, {} bytes of snapshot\n",
        figures.ticks,
        figures.times_real_time,
        figures.hashes_compared,
        figures.journal_bytes_per_tick,
        figures.snapshot_bytes,
    ))
}
