//! The real server as a child process, and bots that play on it from this one.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};

use super::measure::{Scene, Transport};
use super::process::Process;
use super::scrape::{Buckets, Scrape};
use crate::cli::bots::{self, Carrier, Report};
use crate::cli::http::Server;
use crate::client::Behaviour;

/// A server with a world of its own, on loopback; gone when this is dropped.
#[derive(Debug)]
pub(super) struct Served {
    // Dropped first, so that nothing writes into the folder any more.
    process: Process,
    web: String,
    admin: String,
    _folder: Folder,
}

/// The world that a server makes.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct World {
    #[arg(long, value_enum, default_value_t = Scene::Hall)]
    scene: Scene,
    /// Sides of the floors, in cells; without them a hall gets sides at which about 43 others are
    /// in view, and a cave has 256.
    #[arg(long)]
    zone_width: Option<u16>,
    #[arg(long)]
    zone_height: Option<u16>,
    /// Monsters of each floor, all of them awake.
    #[arg(long, default_value_t = 1_000)]
    pub monsters: u32,
    /// Seeds the world and the bots.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Cells seen in a hall (1,885 far from its walls), and how many others are meant to stand there.
const CELLS_IN_VIEW: f64 = 1_710.0;
const OTHERS_IN_VIEW: f64 = 43.0;

impl World {
    /// A side of the floors for so many players.
    fn side(&self, players: u32) -> u16 {
        match self.scene {
            Scene::Cave => 256,
            Scene::Hall => {
                let actors = f64::from(self.monsters) + f64::from(players);
                (actors * CELLS_IN_VIEW / OTHERS_IN_VIEW).sqrt().round() as u16
            }
        }
    }
}

/// A folder for the data of one server.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn make() -> anyhow::Result<Self> {
        let now = std::time::SystemTime::now();
        let number = now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let name = format!("undercroft-bench-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Folder {
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies in the temporary folder of the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Served {
    /// Starts a server with a world for so many players.
    pub(super) fn start(world: &World, players: u32) -> anyhow::Result<Self> {
        let folder = Folder::make()?;
        let any = "127.0.0.1:0".to_owned();
        let side = world.side(players);
        let flags = [
            ("--data", folder.0.display().to_string()),
            ("--web", any.clone()),
            ("--quic", any.clone()),
            ("--admin", any),
            ("--zone-width", world.zone_width.unwrap_or(side).to_string()),
            ("--zone-height", world.zone_height.unwrap_or(side).to_string()),
            ("--monsters-per-zone", world.monsters.to_string()),
            ("--world-seed", world.seed.to_string()),
            // All bots come from one address.
            ("--requests-per-minute", "1000000".to_owned()),
            ("--connections-max", "20000".to_owned()),
            ("--connections-per-address-max", "20000".to_owned()),
            ("--log", "error".to_owned()),
        ];
        let mut args = vec!["dev".to_owned()];
        args.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
        args.extend((world.scene == Scene::Hall).then(|| "--hall".to_owned()));
        let process = Process::start(&args)?;
        let web = process.said("web")?.to_owned();
        let admin = process.said("admin")?.trim_start_matches("http://").to_owned();
        Ok(Self { process, web, admin, _folder: folder })
    }

    /// Starts a server with the world that everybody gets.
    pub(super) fn start_plain(seed: u64) -> anyhow::Result<Self> {
        let folder = Folder::make()?;
        let any = "127.0.0.1:0";
        let (data, seed) = (folder.0.display().to_string(), seed.to_string());
        let args = [
            "dev",
            "--data",
            &data,
            "--web",
            any,
            "--quic",
            any,
            "--admin",
            any,
            "--world-seed",
            &seed,
            "--requests-per-minute",
            "1000000",
            "--simulation-threads",
            "1",
            "--log",
            "error",
        ];
        let process = Process::start(&args.map(str::to_owned))?;
        let web = process.said("web")?.to_owned();
        let admin = process.said("admin")?.trim_start_matches("http://").to_owned();
        Ok(Self { process, web, admin, _folder: folder })
    }

    /// Where the page and the API are.
    pub(super) fn web(&self) -> &str {
        &self.web
    }

    pub(super) fn scrape(&self) -> anyhow::Result<Scrape> {
        Scrape::of(&self.admin)
    }

    /// Lets bots join, measures the server for `seconds` while all of them play, and waits for
    /// their report.
    pub(super) fn measure(&self, load: &BotLoad) -> anyhow::Result<(Report, Window)> {
        // The floor is made when the first player comes, and is no part of what a player costs.
        bots::run(&self.bots(&BotLoad { count: 1, ..*load }, 1)?)?;
        let memory_before = self.process.memory_bytes()?;
        let config = self.bots(load, load.seconds + SLACK.as_secs())?;
        let bots = std::thread::spawn(move || bots::run(&config));
        self.wait_for_players(load.count, &bots)?;
        std::thread::sleep(SETTLING);
        let (before, cpu_before) = (self.scrape()?, self.process.cpu_seconds()?);
        let begun = Instant::now();
        std::thread::sleep(Duration::from_secs(load.seconds));
        let (cpu_after, seconds) = (self.process.cpu_seconds()?, begun.elapsed().as_secs_f64());
        let after = self.scrape()?;
        let players = after.sum(PLAYERS);
        if players < f64::from(load.count) {
            bail!(
                "{} of {} bots were gone before the end",
                load.count - players as u32,
                load.count
            );
        }
        let memory_after = self.process.memory_bytes()?;
        let report = bots.join().map_err(|_| anyhow!("the bots panicked"))??;
        let window = Window {
            seconds,
            cpu_seconds: cpu_after - cpu_before,
            memory_bytes: memory_after - memory_before,
            before,
            after,
        };
        Ok((report, window))
    }

    fn bots(&self, load: &BotLoad, seconds: u64) -> anyhow::Result<bots::Config> {
        Ok(bots::Config {
            server: Server::parse(&self.web).context("reading the address of the server")?,
            count: load.count,
            carrier: match load.transport {
                Transport::Websocket => Carrier::Websocket,
                Transport::Quic => Carrier::Quic,
            },
            seconds,
            commands_per_second: 10,
            joins_per_second: JOINS_PER_SECOND,
            behaviour: Behaviour::Walk,
            seed: load.seed,
            threads: 2,
            ledger: false,
            progress: false,
            pulse: None,
        })
    }

    fn wait_for_players<T>(&self, count: u32, bots: &JoinHandle<T>) -> anyhow::Result<()> {
        let deadline = Instant::now() + JOIN_TIME_MAX;
        loop {
            let players = self.scrape()?.sum(PLAYERS);
            if players >= f64::from(count) {
                return Ok(());
            }
            if bots.is_finished() || Instant::now() > deadline {
                bail!("only {players} of {count} bots have joined");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

const PLAYERS: &str = "game_server_players_online";
const JOINS_PER_SECOND: u32 = 50;
const JOIN_TIME_MAX: Duration = Duration::from_secs(60);
/// Between the last bot's arrival and the measurement: the bots' first pictures are large.
const SETTLING: Duration = Duration::from_secs(3);
/// How much longer than the measurement the bots play.
const SLACK: Duration = Duration::from_secs(8);

/// Bots that walk, ten commands a second each.
#[derive(Clone, Copy, Debug)]
pub(super) struct BotLoad {
    pub count: u32,
    pub transport: Transport,
    pub seconds: u64,
    pub seed: u64,
}

/// The server between two moments.
#[derive(Debug)]
pub(super) struct Window {
    pub seconds: f64,
    pub cpu_seconds: f64,
    /// More than with a floor and no bots.
    pub memory_bytes: f64,
    before: Scrape,
    after: Scrape,
}

impl Window {
    /// By how much a counter has risen meanwhile.
    pub(super) fn risen(&self, name: &str) -> f64 {
        self.after.sum(name) - self.before.sum(name)
    }

    /// What a histogram has counted meanwhile.
    pub(super) fn histogram(&self, name: &str) -> Buckets {
        self.after.histogram(name).since(&self.before.histogram(name))
    }
}
