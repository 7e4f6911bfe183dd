//! `undercroft bench floors`: the bare servers under a load of given counts and sizes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::floor_load::{Load, Progress, Seen, Target};
use super::measure::{Measured, Spread, Transport};
use super::process::Process;
use crate::cli::table::table;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// How many clients are connected at once; several make several runs.
    #[arg(long, value_delimiter = ',', default_values_t = [200, 400])]
    clients: Vec<u32>,
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["websocket", "quic"])]
    transport: Vec<Transport>,
    /// How long to measure each.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Bytes of a frame.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(4..=1_100))]
    frame_bytes: u32,
    #[arg(long, default_value_t = 20)]
    frames_per_second: u32,
    /// Bytes of a client's message.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(4..=2_048))]
    input_bytes: u32,
    /// Messages of each client in a second.
    #[arg(long, default_value_t = 10.0)]
    inputs_per_second: f64,
    /// Threads that carry the connections of a bare server.
    #[arg(long, default_value_t = 1)]
    workers: u32,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for &transport in &args.transport {
        for &clients in &args.clients {
            all.push(measure(&Floor {
                transport,
                clients,
                seconds: args.seconds,
                frame_bytes: args.frame_bytes,
                frames_per_second: args.frames_per_second,
                input_bytes: args.input_bytes,
                inputs_per_second: args.inputs_per_second,
                workers: args.workers,
            })?);
        }
    }
    if args.json {
        let text = serde_json::to_string(&all).context("writing the figures as JSON")?;
        return super::print(&(text + "\n"));
    }
    super::print(&rows(&all))
}

/// The clients' and the server's figures, one run a row.
pub(super) fn rows(all: &[Measured]) -> String {
    let head = [
        "server",
        "clients",
        "frames/s",
        "bytes",
        "inputs/s",
        "bytes",
        "CPU us/client-s",
        "core",
        "frame interval p50 / p99 / max ms",
        "command to frame p50 / p99 ms",
        "KB/client",
    ];
    let row = |m: &Measured| {
        let (interval, latency) = (m.frame_interval_ms, m.command_to_frame_ms);
        let transport = m.transport.map_or("", Transport::label);
        vec![
            format!("{} {transport}", m.server),
            m.clients.to_string(),
            format!("{:.2}", m.frames_per_second),
            format!("{:.1}", m.frame_bytes),
            format!("{:.2}", m.inputs_per_second),
            format!("{:.1}", m.input_bytes),
            format!("{:.0}", m.cpu_us),
            format!("{:.3}", m.cpu_us * f64::from(m.clients) / 1e6),
            format!("{:.1} / {:.1} / {:.1}", interval.p50, interval.p99, interval.max),
            format!("{:.1} / {:.1}", latency.p50, latency.p99),
            format!("{:.1}", m.memory_bytes_per_client / 1_000.0),
        ]
    };
    table(&head, &all.iter().map(row).collect::<Vec<_>>())
}

/// A bare server and its load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floor {
    pub transport: Transport,
    pub clients: u32,
    pub seconds: u64,
    pub frame_bytes: u32,
    pub frames_per_second: u32,
    pub input_bytes: u32,
    pub inputs_per_second: f64,
    pub workers: u32,
}

/// Threads of the clients.
const LOAD_THREADS: usize = 2;
/// Left out at both ends of the measured time, so that all clients are busy in between.
const MARGIN: Duration = Duration::from_secs(3);

/// Runs a bare server as a child and clients here, and measures both.
pub(super) fn measure(floor: &Floor) -> anyhow::Result<Measured> {
    let (command, server) = match floor.transport {
        Transport::Websocket => ("floor-websocket", "tokio-tungstenite"),
        Transport::Quic => ("floor-quic", "quinn"),
    };
    let process = Process::start(&[
        "bench".to_owned(),
        command.to_owned(),
        format!("--frame-bytes={}", floor.frame_bytes),
        format!("--frames-per-second={}", floor.frames_per_second),
        format!("--workers={}", floor.workers),
    ])?;
    let memory_before = process.memory_bytes()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(LOAD_THREADS)
        .enable_all()
        .build()
        .context("starting the runtime of the clients")?;
    let progress = Arc::new(Progress::default());
    let load = Load {
        target: target(floor.transport, &process)?,
        clients: floor.clients,
        inputs_per_second: floor.inputs_per_second,
        input_bytes: floor.input_bytes as usize,
        measure: Duration::from_secs(floor.seconds) + MARGIN,
    };
    let running = runtime.spawn(load.run(Arc::clone(&progress)));
    while progress.connected() < floor.clients {
        if running.is_finished() {
            return match runtime.block_on(running).context("waiting for the clients")? {
                Ok(_) => bail!("the clients ended before all were connected"),
                Err(error) => Err(error),
            };
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(MARGIN);
    let (cpu_before, begun) = (process.cpu_seconds()?, Instant::now());
    std::thread::sleep(Duration::from_secs(floor.seconds));
    let (cpu_after, seconds) = (process.cpu_seconds()?, begun.elapsed().as_secs_f64());
    let memory_after = process.memory_bytes()?;
    let mut seen = runtime.block_on(running).context("waiting for the clients")??;
    let clients = f64::from(floor.clients);
    Ok(Measured {
        server,
        transport: Some(floor.transport),
        clients: floor.clients,
        seconds,
        cpu_us: (cpu_after - cpu_before) * 1e6 / (clients * seconds),
        memory_bytes_per_client: (memory_after - memory_before) / clients,
        ..of_clients(&mut seen, floor)
    })
}

fn of_clients(seen: &mut Seen, floor: &Floor) -> Measured {
    let client_seconds = f64::from(floor.clients) * (floor.seconds as f64 + MARGIN.as_secs_f64());
    Measured {
        frames_per_second: seen.frames as f64 / client_seconds,
        frame_bytes: seen.frame_bytes as f64 / seen.frames.max(1) as f64,
        inputs_per_second: seen.inputs as f64 / client_seconds,
        input_bytes: floor.input_bytes.into(),
        frame_interval_ms: Spread::of(&mut seen.frame_intervals),
        command_to_frame_ms: Spread::of(&mut seen.command_to_frame),
        ..Measured::default()
    }
}

fn target(transport: Transport, process: &Process) -> anyhow::Result<Target> {
    Ok(match transport {
        Transport::Websocket => {
            let address = process.said("websocket")?.parse();
            Target::Websocket(address.context("reading the address of the bare server")?)
        }
        Transport::Quic => {
            let address = process.said("quic")?.parse();
            Target::Quic {
                address: address.context("reading the address of the bare server")?,
                certificate: bytes_of(process.said("certificate")?)?,
            }
        }
    })
}

fn bytes_of(digits: &str) -> anyhow::Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    bytes.context("reading the certificate of the bare server")
}
