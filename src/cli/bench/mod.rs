//! `undercroft bench`: measures what the product promises, beside bare servers as floors.
//!
//! Entry type: [`Args`]. Servers under measurement run as child processes, so that their CPU time
//! and memory are theirs alone. Figures of two runs compare only on the same machine.

mod clock;
mod cluster;
mod floor;
mod floor_load;
mod floor_quic;
mod floor_websocket;
mod floors;
mod measure;
mod network;
mod play;
mod process;
mod replay;
mod scrape;
mod served;
mod tick;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

/// Measure this build on this machine.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, clap::Subcommand)]
enum Benchmark {
    /// The server under bots, beside bare servers with the same traffic.
    Network(network::Args),
    /// A tick on one core, by kernel, and what players are sent.
    Tick(tick::Args),
    /// Running a journal again.
    Replay(replay::Args),
    /// A cluster: instances killed and zones moved under players, and what the bus costs.
    Cluster(cluster::Args),
    /// How late ticks begin.
    Clock(clock::Args),
    /// The bare WebSocket and QUIC servers alone.
    Floors(floors::Args),
    /// Serve the bare WebSocket server until standard input ends.
    #[command(hide = true)]
    FloorWebsocket(floor::Args),
    /// Serve the bare QUIC server until standard input ends.
    #[command(hide = true)]
    FloorQuic(floor::Args),
}

/// Carries a benchmark out.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.benchmark {
        Benchmark::Network(args) => network::run(&args)?,
        Benchmark::Tick(args) => tick::run(&args)?,
        Benchmark::Replay(args) => replay::run(&args)?,
        Benchmark::Cluster(args) => cluster::run(&args)?,
        Benchmark::Clock(args) => clock::run(&args)?,
        Benchmark::Floors(args) => floors::run(&args)?,
        Benchmark::FloorWebsocket(args) => floor::serve(measure::Transport::Websocket, args)?,
        Benchmark::FloorQuic(args) => floor::serve(measure::Transport::Quic, args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints and flushes: whoever reads it may be waiting at the end of a pipe.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing to standard output")
}
