//! `undercroft bench network`: the server under bots, beside bare servers that send and read
//! messages of the same counts and sizes.

use anyhow::{Context, ensure};
use serde::Serialize;

use super::floors::{self, Floor};
use super::measure::{Measured, Spread, Transport};
use super::served::{BotLoad, Served, Window, World};
use crate::cli::bots::{Quantiles, Report};
use crate::cli::table::table;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// How many bots play at once; several make several runs.
    #[arg(long, value_delimiter = ',', default_values_t = [200, 400])]
    bots: Vec<u32>,
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["websocket", "quic"])]
    transport: Vec<Transport>,
    /// How long to measure each.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    #[command(flatten)]
    world: World,
    /// Threads that carry the connections of a bare server.
    #[arg(long, default_value_t = 1)]
    floor_workers: u32,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

/// The server, its floor, and what only the server says.
#[derive(Debug, Serialize)]
struct Pair {
    served: Measured,
    floor: Measured,
    /// CPU of the server over that of the floor.
    cpu_ratio: f64,
    /// What ticks took on the simulation threads, in microseconds per client and second: no floor
    /// has that work.
    simulation_us: f64,
    /// Other actors in a frame, and those that had moved since the frame before.
    actors_in_view: f64,
    actors_moved: f64,
    tick_interval_ms_p99: f64,
    tick_lateness_ms_p99: f64,
    tick_work_ms_p99: f64,
    bots_failed: u32,
    hash_errors: u64,
}

/// Pings (and so pongs) of a client in a second; the bots' report does not count them.
const PINGS_PER_SECOND: f64 = 0.5;

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut pairs = Vec::new();
    for &transport in &args.transport {
        for &count in &args.bots {
            pairs.push(pair(args, transport, count)?);
        }
    }
    if args.json {
        let text = serde_json::to_string(&pairs).context("writing the figures as JSON")?;
        return super::print(&(text + "\n"));
    }
    super::print(&text(&pairs))
}

fn pair(args: &Args, transport: Transport, count: u32) -> anyhow::Result<Pair> {
    let server = Served::start(&args.world, count)?;
    let load = BotLoad { count, transport, seconds: args.seconds, seed: args.world.seed };
    let (report, window) = server.measure(&load)?;
    drop(server);
    ensure!(report.joined == count, "only {} of {count} bots have joined", report.joined);
    let served = served(&report, &window, transport);
    let floor = floors::measure(&Floor {
        transport,
        clients: count,
        seconds: args.seconds,
        frame_bytes: whole(served.frame_bytes),
        frames_per_second: whole(report.frames_per_second),
        input_bytes: whole(served.input_bytes),
        inputs_per_second: served.inputs_per_second,
        workers: args.floor_workers,
    })?;
    let p99 = |name: &str| window.histogram(name).quantile(0.99) * 1e3;
    let simulation = window.risen("game_server_tick_duration_seconds_sum");
    Ok(Pair {
        simulation_us: simulation * 1e6 / (f64::from(count) * window.seconds),
        cpu_ratio: served.cpu_us / floor.cpu_us.max(f64::MIN_POSITIVE),
        actors_in_view: report.actors_in_view,
        actors_moved: report.actors_moved,
        tick_interval_ms_p99: p99("game_server_tick_interval_seconds"),
        tick_lateness_ms_p99: p99("game_server_tick_lateness_seconds"),
        tick_work_ms_p99: p99("game_server_tick_duration_seconds"),
        bots_failed: report.failed,
        hash_errors: report.hash_errors,
        served,
        floor,
    })
}

/// A size or rate as the bare servers take it.
fn whole(value: f64) -> u32 {
    value.round().clamp(4.0, 1_100.0) as u32
}

fn served(report: &Report, window: &Window, transport: Transport) -> Measured {
    let clients = f64::from(report.bots);
    let out = report.commands_per_second + PINGS_PER_SECOND;
    let back = report.frames_per_second + PINGS_PER_SECOND;
    let spread = |q: Quantiles| Spread { p50: q.p50, p99: q.p99, max: q.max };
    Measured {
        server: "undercroft",
        transport: Some(transport),
        clients: report.bots,
        seconds: window.seconds,
        frames_per_second: report.frames_per_second,
        frame_bytes: report.bytes_in_per_second / back,
        inputs_per_second: out,
        input_bytes: report.bytes_out_per_second / out,
        cpu_us: window.cpu_seconds * 1e6 / (clients * window.seconds),
        memory_bytes_per_client: window.memory_bytes / clients,
        frame_interval_ms: spread(report.frame_interval_ms),
        command_to_frame_ms: spread(report.command_to_frame_ms),
    }
}

fn text(pairs: &[Pair]) -> String {
    let all: Vec<Measured> =
        pairs.iter().flat_map(|pair| [pair.served.clone(), pair.floor.clone()]).collect();
    let head = [
        "run",
        "CPU to floor",
        "ticks us/client-s",
        "actors in view",
        "moved",
        "tick interval p99 ms",
        "lateness p99 ms",
        "work p99 ms",
        "bots failed",
        "wrong hashes",
    ];
    let row = |pair: &Pair| {
        let transport = pair.served.transport.map_or("", Transport::label);
        vec![
            format!("{transport} {}", pair.served.clients),
            format!("{:.2}", pair.cpu_ratio),
            format!("{:.0}", pair.simulation_us),
            format!("{:.1}", pair.actors_in_view),
            format!("{:.1}", pair.actors_moved),
            format!("{:.2}", pair.tick_interval_ms_p99),
            format!("{:.2}", pair.tick_lateness_ms_p99),
            format!("{:.2}", pair.tick_work_ms_p99),
            pair.bots_failed.to_string(),
            pair.hash_errors.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = pairs.iter().map(row).collect();
    format!("{}\n{}", floors::rows(&all), table(&head, &rows))
}
