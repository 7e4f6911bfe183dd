//! `undercroft bots`: many players that play by themselves, and what they were served.

mod bot;
mod histogram;
mod pulse;
mod report;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

pub use histogram::{Histogram, Quantiles};
pub use pulse::Pulse;
pub use report::{BotOutcome, LedgerEntry, Report};

use super::content::ContentTables;
use super::http::Server;
use super::link::{Connector, Transport};
use crate::client::{Behaviour, Legend};

/// What carries the bots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Carrier {
    Websocket,
    Quic,
    /// Every other bot uses QUIC.
    Both,
}

/// How the bots spend their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Pastime {
    /// They explore, fight, collect, flee, take stairs.
    Play,
    /// They keep moving, one step a decision.
    Walk,
}

/// Arguments of `undercroft bots`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How many bots play at once.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub count: u32,
    #[arg(long, value_enum, default_value_t = Carrier::Websocket)]
    pub transport: Carrier,
    /// How long to measure, once all have had time to join.
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// The server's HTTP address.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "UNDERCROFT_SERVER")]
    pub server: String,
    /// Decisions per second of each bot.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub commands_per_second: u32,
    /// Bots that join per second.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    pub joins_per_second: u32,
    #[arg(long, value_enum, default_value_t = Pastime::Play)]
    pub behaviour: Pastime,
    /// Seeds every decision.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads that carry the bots.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Note every Welcome: what was acknowledged before it and what the zone had.
    #[arg(long)]
    pub ledger: bool,
    /// Print the report as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// A run of bots, see [`Args`].
#[derive(Clone, Debug)]
pub struct Config {
    pub server: Server,
    pub count: u32,
    pub carrier: Carrier,
    pub seconds: u64,
    pub commands_per_second: u32,
    pub joins_per_second: u32,
    pub behaviour: Behaviour,
    pub seed: u64,
    pub threads: u32,
    pub ledger: bool,
    /// Shows a progress bar on standard error.
    pub progress: bool,
    /// Is told of each frame.
    pub pulse: Option<Arc<Pulse>>,
}

impl Config {
    /// What the command line says.
    pub fn of(args: &Args) -> anyhow::Result<Self> {
        Ok(Self {
            server: Server::parse(&args.server).context("reading --server")?,
            count: args.count,
            carrier: args.transport,
            seconds: args.seconds,
            commands_per_second: args.commands_per_second,
            joins_per_second: args.joins_per_second,
            behaviour: match args.behaviour {
                Pastime::Play => Behaviour::Play,
                Pastime::Walk => Behaviour::Walk,
            },
            seed: args.seed,
            threads: args.threads,
            ledger: args.ledger,
            progress: !args.json && std::io::stderr().is_terminal(),
            pulse: None,
        })
    }
}

/// The subcommand: exit code 1 if any bot failed.
pub fn run_command(args: &Args) -> anyhow::Result<ExitCode> {
    let report = run(&Config::of(args)?)?;
    let text = if args.json {
        serde_json::to_string(&report).context("writing the report as JSON")? + "\n"
    } else {
        report.to_string()
    };
    std::io::stdout().write_all(text.as_bytes()).context("printing the report")?;
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs bots on threads of their own and waits for them; not to be called from a runtime.
pub fn run(config: &Config) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.threads as usize)
        .thread_name("bots")
        .enable_all()
        .build()
        .context("starting the runtime of the bots")?;
    runtime.block_on(load(config))
}

/// What all bots share.
struct Shared {
    server: Server,
    legend: Legend,
    behaviour: Behaviour,
    decision_interval: Duration,
    ledger: bool,
    /// When all have had time to join: from here on it is measured.
    measured_from: Instant,
    ends: Instant,
    progress: ProgressBar,
    pulse: Option<Arc<Pulse>>,
    joined: AtomicU32,
}

/// Runs bots on the present runtime.
pub async fn load(config: &Config) -> anyhow::Result<Report> {
    let tables = ContentTables::fetch(&config.server).await?;
    let mut connectors = Vec::new();
    if config.carrier != Carrier::Quic {
        connectors.push(Connector::new(&config.server, Transport::Websocket).await?);
    }
    if config.carrier != Carrier::Websocket {
        connectors.push(Connector::new(&config.server, Transport::Quic).await?);
    }
    Ok(load_with(config, tables.legend(), &connectors).await)
}

async fn load_with(config: &Config, legend: Legend, connectors: &[Connector]) -> Report {
    let start = Instant::now();
    let joining = Duration::from_secs(config.count.into()) / config.joins_per_second.max(1);
    let measured_from = start + joining + SETTLING;
    let shared = Arc::new(Shared {
        server: config.server.clone(),
        legend,
        behaviour: config.behaviour,
        decision_interval: Duration::from_secs(1) / config.commands_per_second.max(1),
        ledger: config.ledger,
        measured_from,
        ends: measured_from + Duration::from_secs(config.seconds),
        progress: progress_bar(config),
        pulse: config.pulse.clone(),
        joined: AtomicU32::new(0),
    });
    let mut bots = JoinSet::new();
    for number in 0..config.count {
        let connector = connectors[number as usize % connectors.len()].clone();
        let at = start + joining * number / config.count.max(1);
        let bot = bot::Bot::new(number, config.seed, connector, Arc::clone(&shared));
        bots.spawn(async move {
            sleep_until(at).await;
            bot.play().await
        });
    }
    let ticking = tokio::spawn(show_time(Arc::clone(&shared), start));
    let mut outcomes = Vec::new();
    while let Some(outcome) = bots.join_next().await {
        outcomes.push(outcome.unwrap_or_else(|error| BotOutcome {
            failure: Some(format!("the bot panicked: {error}")),
            ..BotOutcome::default()
        }));
    }
    ticking.abort();
    shared.progress.finish_and_clear();
    Report::of(outcomes)
}

/// Between the last bot's join and the first measurement.
const SETTLING: Duration = Duration::from_secs(1);

fn progress_bar(config: &Config) -> ProgressBar {
    if !config.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(config.seconds.max(1));
    let style = ProgressStyle::with_template("{spinner} {wide_bar} {pos}/{len} s  {msg}");
    bar.set_style(style.expect("the template is well formed"));
    bar
}

async fn show_time(shared: Arc<Shared>, start: Instant) {
    let mut second = tokio::time::interval_at(start, Duration::from_millis(250));
    loop {
        let now = second.tick().await;
        let measured = now.saturating_duration_since(shared.measured_from);
        shared.progress.set_position(measured.as_secs());
    }
}
