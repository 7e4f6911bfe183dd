//! `undercroft bench clock`: how late ticks begin, with one player and with many.

use anyhow::Context;
use serde::Serialize;

use super::measure::Transport;
use super::served::{BotLoad, Served, Window, World};
use crate::cli::table::table;

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Args {
    /// How long to measure each of the two runs.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Bots of the second run. The first has one: a zone without players does not tick.
    #[arg(long, default_value_t = 400)]
    bots: u32,
    #[arg(long, value_enum, default_value = "websocket")]
    transport: Transport,
    #[command(flatten)]
    world: World,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

/// Milliseconds from the histograms of the server; a maximum is the bound of the last bucket that
/// is not empty.
#[derive(Debug, Serialize)]
struct Figures {
    players: u32,
    ticks: f64,
    lateness_ms: [f64; 3],
    interval_ms: [f64; 3],
    work_ms: [f64; 3],
    commit_ms: [f64; 3],
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let seconds = (args.minutes * 60.0).max(1.0) as u64;
    let mut all = Vec::new();
    for count in [1, args.bots] {
        let server = Served::start(&args.world, args.bots)?;
        let load = BotLoad { count, transport: args.transport, seconds, seed: args.world.seed };
        let (_, window) = server.measure(&load)?;
        all.push(figures(count, &window));
    }
    if args.json {
        let text = serde_json::to_string(&all).context("writing the figures as JSON")?;
        return super::print(&(text + "\n"));
    }
    super::print(&text(&all))
}

fn figures(players: u32, window: &Window) -> Figures {
    let spread = |name: &str| {
        let buckets = window.histogram(name);
        [buckets.quantile(0.5), buckets.quantile(0.99), buckets.ceiling()].map(|s| s * 1e3)
    };
    Figures {
        players,
        ticks: window.histogram("game_server_tick_duration_seconds").total(),
        lateness_ms: spread("game_server_tick_lateness_seconds"),
        interval_ms: spread("game_server_tick_interval_seconds"),
        work_ms: spread("game_server_tick_duration_seconds"),
        commit_ms: spread("game_server_journal_commit_seconds"),
    }
}

fn text(all: &[Figures]) -> String {
    let head = ["players, p50 / p99 / max ms", "ticks", "lateness", "interval", "work", "commit"];
    let row = |figures: &Figures| {
        let spread = |[p50, p99, max]: [f64; 3]| format!("{p50:.2} / {p99:.2} / <{max:.2}");
        vec![
            figures.players.to_string(),
            format!("{:.0}", figures.ticks),
            spread(figures.lateness_ms),
            spread(figures.interval_ms),
            spread(figures.work_ms),
            spread(figures.commit_ms),
        ]
    };
    table(&head, &all.iter().map(row).collect::<Vec<_>>())
}
