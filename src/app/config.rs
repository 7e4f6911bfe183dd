//! Configuration: defaults, then a file, then the environment, then flags.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;

use super::simulation::Simulation;
use crate::disk::sqlite::Synchronous;
use crate::model::limits;

/// What a file may say; every key is optional, unknown keys are refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    data: Option<PathBuf>,
    web: Option<SocketAddr>,
    quic: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    ticks_per_second: Option<u32>,
    simulation_threads: Option<usize>,
    simulation: Option<Simulation>,
    synchronous: Option<String>,
    world_seed: Option<u64>,
    zone_width: Option<u16>,
    zone_height: Option<u16>,
    monsters_per_zone: Option<u32>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    snapshot_seconds: Option<u32>,
    history_hours: Option<u32>,
    connections_max: Option<usize>,
    connections_per_address_max: Option<usize>,
    requests_per_minute: Option<u32>,
    log: Option<String>,
}

/// The flags of the main command; each may also be set by the environment.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Folder that holds everything that lasts [default: ./data]
    #[arg(long, env = "UNDERCROFT_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Configuration file in TOML; the keys are the flags with underscores
    #[arg(long, env = "UNDERCROFT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address of the page, the API and WebSocket [default: 0.0.0.0:8080]
    #[arg(long, env = "UNDERCROFT_WEB", value_name = "ADDRESS")]
    pub web: Option<SocketAddr>,
    /// UDP address of QUIC and WebTransport [default: 0.0.0.0:7778]
    #[arg(long, env = "UNDERCROFT_QUIC", value_name = "ADDRESS")]
    pub quic: Option<SocketAddr>,
    /// Address of health and metrics [default: 127.0.0.1:9090]
    #[arg(long, env = "UNDERCROFT_ADMIN", value_name = "ADDRESS")]
    pub admin: Option<SocketAddr>,
    /// Ticks a second, 1 to 30 [default: 20]
    #[arg(long, env = "UNDERCROFT_TICKS_PER_SECOND", value_name = "NUMBER")]
    pub ticks_per_second: Option<u32>,
    /// Threads that simulate [default: one a core]
    #[arg(long, env = "UNDERCROFT_SIMULATION_THREADS", value_name = "NUMBER")]
    pub simulation_threads: Option<usize>,
    /// What simulates: cpu, gpu (a graphics device; without one the server does not start) or auto
    /// (the faster) [default: cpu]
    #[arg(
        long,
        env = "UNDERCROFT_SIMULATION",
        value_enum,
        value_name = "DEVICE",
        hide_possible_values = true
    )]
    pub simulation: Option<Simulation>,
    /// When a tick counts as written: full (survives power loss) or normal (survives kill -9)
    /// [default: full]
    #[arg(long, env = "UNDERCROFT_SYNCHRONOUS", value_name = "LEVEL")]
    pub synchronous: Option<String>,
    /// Seed of a new world [default: random]
    #[arg(long, env = "UNDERCROFT_WORLD_SEED", value_name = "NUMBER")]
    pub world_seed: Option<u64>,
    /// Width of the floors of a new world, in cells [default: 96]
    #[arg(long, env = "UNDERCROFT_ZONE_WIDTH", value_name = "CELLS")]
    pub zone_width: Option<u16>,
    /// Height of the floors of a new world, in cells [default: 64]
    #[arg(long, env = "UNDERCROFT_ZONE_HEIGHT", value_name = "CELLS")]
    pub zone_height: Option<u16>,
    /// Monsters of a new floor, for benchmarks [default: by depth and size]
    #[arg(long, env = "UNDERCROFT_MONSTERS_PER_ZONE", value_name = "NUMBER")]
    pub monsters_per_zone: Option<u32>,
    /// Make the floors of a new world open halls of moths, for benchmarks
    #[arg(long, hide = true)]
    pub hall: bool,
    /// TLS certificate chain in PEM [default: a development certificate made at first start]
    #[arg(long, env = "UNDERCROFT_CERTIFICATE", value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// TLS key in PEM
    #[arg(long, env = "UNDERCROFT_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Seconds between snapshots of a zone that is awake [default: 60]
    #[arg(long, env = "UNDERCROFT_SNAPSHOT_SECONDS", value_name = "SECONDS")]
    pub snapshot_seconds: Option<u32>,
    /// Hours of journal kept for replays [default: 24]
    #[arg(long, env = "UNDERCROFT_HISTORY_HOURS", value_name = "HOURS")]
    pub history_hours: Option<u32>,
    /// Most connections at once [default: 10000]
    #[arg(long, env = "UNDERCROFT_CONNECTIONS_MAX", value_name = "NUMBER")]
    pub connections_max: Option<usize>,
    /// Most connections at once from one address [default: 2000]
    #[arg(long, env = "UNDERCROFT_CONNECTIONS_PER_ADDRESS_MAX", value_name = "NUMBER")]
    pub connections_per_address_max: Option<usize>,
    /// Most API requests a minute from one address [default: 120]
    #[arg(long, env = "UNDERCROFT_REQUESTS_PER_MINUTE", value_name = "NUMBER")]
    pub requests_per_minute: Option<u32>,
    /// What to log: error, warn, info, debug or trace [default: info]
    #[arg(long, env = "UNDERCROFT_LOG", value_name = "LEVEL")]
    pub log: Option<String>,
    /// Check the configuration and stop
    #[arg(long)]
    pub check_config: bool,
}

/// The resolved configuration of the embedded default.
#[derive(Clone, Debug)]
pub struct Config {
    pub data: PathBuf,
    pub web: SocketAddr,
    pub quic: SocketAddr,
    pub admin: SocketAddr,
    pub ticks_per_second: u32,
    pub simulation_threads: usize,
    pub simulation: Simulation,
    pub synchronous: Synchronous,
    pub world_seed: Option<u64>,
    pub zone_width: u16,
    pub zone_height: u16,
    pub monsters_per_zone: Option<u32>,
    pub hall: bool,
    pub tls_files: Option<(PathBuf, PathBuf)>,
    pub snapshot_ticks: u64,
    pub history_ticks: u64,
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    pub requests_per_minute: u32,
    pub log: log::LevelFilter,
}

impl Config {
    /// Reads the file named by the flags, if any, and resolves. Touches no port.
    pub fn load(flags: &Flags) -> anyhow::Result<Self> {
        let raw = match &flags.config {
            Some(path) => read_file(path)?,
            None => Raw::default(),
        };
        Self::resolve(flags.clone(), raw)
    }

    /// Reads the text of a configuration file and resolves it, without flags or environment.
    pub fn from_text(text: &str) -> anyhow::Result<Self> {
        Self::resolve(Flags::default(), toml::from_str(text)?)
    }

    fn resolve(flags: Flags, raw: Raw) -> anyhow::Result<Self> {
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let ticks_per_second = flags
            .ticks_per_second
            .or(raw.ticks_per_second)
            .unwrap_or(limits::TICKS_PER_SECOND_DEFAULT);
        ensure!(
            (1..=limits::TICKS_PER_SECOND_MAX).contains(&ticks_per_second),
            "ticks_per_second is {ticks_per_second}; it must be 1 to {}",
            limits::TICKS_PER_SECOND_MAX
        );
        let side = |key: &str, value: u16| {
            ensure!(
                (limits::ZONE_SIDE_MIN..=limits::ZONE_SIDE_MAX).contains(&value),
                "{key} is {value}; it must be {} to {}",
                limits::ZONE_SIDE_MIN,
                limits::ZONE_SIDE_MAX
            );
            Ok(value)
        };
        let width = flags.zone_width.or(raw.zone_width).unwrap_or(limits::ZONE_WIDTH_DEFAULT);
        let height = flags.zone_height.or(raw.zone_height).unwrap_or(limits::ZONE_HEIGHT_DEFAULT);
        let synchronous = flags.synchronous.or(raw.synchronous);
        let synchronous = match synchronous.as_deref() {
            None | Some("full") => Synchronous::Full,
            Some("normal") => Synchronous::Normal,
            Some(other) => bail!("synchronous is \"{other}\"; it must be \"full\" or \"normal\""),
        };
        let tls_files = match (flags.certificate.or(raw.certificate), flags.key.or(raw.key)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => bail!("certificate is set but key is not"),
            (None, Some(_)) => bail!("key is set but certificate is not"),
        };
        let threads = flags.simulation_threads.or(raw.simulation_threads).unwrap_or(cores);
        ensure!(
            (1..=limits::SIMULATION_THREADS_MAX).contains(&threads),
            "simulation_threads is {threads}; it must be 1 to {}",
            limits::SIMULATION_THREADS_MAX
        );
        let log = flags.log.or(raw.log).unwrap_or_else(|| "info".to_owned());
        let per_tick = u64::from(ticks_per_second);
        let seconds = flags.snapshot_seconds.or(raw.snapshot_seconds).unwrap_or(60);
        ensure!(seconds > 0, "snapshot_seconds is 0; it must be at least 1");
        let hours = flags.history_hours.or(raw.history_hours).unwrap_or(24);
        Ok(Self {
            data: flags.data.or(raw.data).unwrap_or_else(|| PathBuf::from("data")),
            web: flags.web.or(raw.web).unwrap_or(SocketAddr::new(any, 8080)),
            quic: flags.quic.or(raw.quic).unwrap_or(SocketAddr::new(any, 7778)),
            admin: flags.admin.or(raw.admin).unwrap_or(SocketAddr::new(local, 9090)),
            ticks_per_second,
            simulation_threads: threads,
            simulation: flags.simulation.or(raw.simulation).unwrap_or_default(),
            synchronous,
            world_seed: flags.world_seed.or(raw.world_seed),
            zone_width: side("zone_width", width)?,
            zone_height: side("zone_height", height)?,
            monsters_per_zone: flags.monsters_per_zone.or(raw.monsters_per_zone),
            hall: flags.hall,
            tls_files,
            snapshot_ticks: u64::from(seconds) * per_tick,
            history_ticks: u64::from(hours) * 3_600 * per_tick,
            connections_max: flags.connections_max.or(raw.connections_max).unwrap_or(10_000),
            connections_per_address_max: flags
                .connections_per_address_max
                .or(raw.connections_per_address_max)
                .unwrap_or(2_000),
            requests_per_minute: flags
                .requests_per_minute
                .or(raw.requests_per_minute)
                .unwrap_or(120),
            log: log.parse().map_err(|_| {
                anyhow!("log is \"{log}\"; it must be error, warn, info, debug or trace")
            })?,
        })
    }
}

fn read_file(path: &Path) -> anyhow::Result<Raw> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the configuration file {}", path.display()))?;
    toml::from_str(&text)
        .map_err(|error| in_line(&text, &error))
        .with_context(|| format!("in the configuration file {}", path.display()))
}

/// A mistake in a TOML file on one line: where it is and what it is, without the picture of it.
pub(super) fn in_line(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let message = error.message();
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => anyhow!("line {}: {message}", before.matches('\n').count() + 1),
        None => anyhow!("{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Flags};

    fn resolve(text: &str) -> Result<Config, String> {
        Config::from_text(text).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn defaults_stand_and_flags_win() {
        let config = resolve("").unwrap();
        assert_eq!(
            (config.web.port(), config.quic.port(), config.admin.port()),
            (8080, 7778, 9090)
        );
        let flags = Flags { ticks_per_second: Some(30), ..Flags::default() };
        let raw = toml::from_str("ticks_per_second = 10").unwrap();
        assert_eq!(Config::resolve(flags, raw).unwrap().ticks_per_second, 30);
    }

    #[test]
    fn a_bad_value_is_named() {
        for (text, named) in [
            ("ticks_per_second = 31", "ticks_per_second"),
            ("zone_width = 5", "zone_width"),
            ("synchronous = \"off\"", "synchronous"),
            ("simulation = \"tpu\"", "`cpu`, `gpu`, `auto`"),
            ("tick_rate = 3", "tick_rate"),
            ("certificate = \"a.pem\"", "key"),
            ("log = \"loud\"", "log"),
            ("web = \"nowhere\"", "web"),
        ] {
            let error = resolve(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
