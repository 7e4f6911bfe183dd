//! Many bots that play until a test has seen enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use undercroft::cli::content::ContentTables;
use undercroft::cli::driver::Driver;
use undercroft::cli::link::{Connector, Transport};
use undercroft::client::{Behaviour, Brain, Client, Config, Credentials, Knowledge, Legend, Stats};

use super::server::Addresses;

/// What a bot shows while it plays.
#[derive(Debug, Default)]
struct Sign {
    welcomes: AtomicU64,
    /// Frames since the newest welcome.
    frames: AtomicU64,
}

/// Bots, every other over QUIC.
pub(crate) struct Bots {
    runtime: Runtime,
    signs: Vec<Arc<Sign>>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Outcome>>,
}

/// What a bot has to say in the end.
pub(crate) struct Outcome {
    pub(crate) stats: Stats,
    /// Whether it had given up.
    pub(crate) over: bool,
}

impl Bots {
    pub(crate) fn start(at: Addresses, count: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let http = at.http();
        let (legend, connectors) = runtime.block_on(async {
            let legend = ContentTables::fetch(&http).await.unwrap().legend();
            let websocket = Connector::new(&http, Transport::Websocket).await.unwrap();
            let quic = Connector::new(&http, Transport::Quic).await.unwrap();
            (Arc::new(legend), [websocket, quic])
        });
        let (stop, stopped) = watch::channel(false);
        let signs: Vec<Arc<Sign>> = (0..count).map(|_| Arc::default()).collect();
        let play = |(number, sign): (usize, &Arc<Sign>)| {
            let bot = Bot {
                number: number as u64,
                connector: connectors[number % 2].clone(),
                legend: legend.clone(),
                sign: sign.clone(),
                stopped: stopped.clone(),
            };
            let http = http.clone();
            runtime.spawn(async move {
                // Logged in once: whoever comes back, does so by its session.
                let login = http.guest().await.unwrap();
                let (token, character) = (login.token, login.character);
                bot.play(Credentials { token, character, resume: String::new() }).await
            })
        };
        let tasks = signs.iter().enumerate().map(play).collect();
        Self { runtime, signs, stop, tasks }
    }

    /// How many have been welcomed at least so often and had frames since.
    pub(crate) fn playing(&self, welcomes: u64) -> usize {
        let plays = |sign: &&Arc<Sign>| {
            sign.welcomes.load(Ordering::Acquire) >= welcomes
                && sign.frames.load(Ordering::Acquire) > 0
        };
        self.signs.iter().filter(plays).count()
    }

    /// Frames of each since its newest welcome, in a number that only rises.
    pub(crate) fn frames(&self) -> Vec<(u64, u64)> {
        let count = |sign: &Arc<Sign>| {
            (sign.welcomes.load(Ordering::Acquire), sign.frames.load(Ordering::Acquire))
        };
        self.signs.iter().map(count).collect()
    }

    /// Welcomes of each.
    pub(crate) fn welcomes(&self) -> Vec<u64> {
        self.signs.iter().map(|sign| sign.welcomes.load(Ordering::Acquire)).collect()
    }

    pub(crate) fn stop(self) -> Vec<Outcome> {
        self.stop.send_replace(true);
        let tasks = self.tasks;
        self.runtime.block_on(async move {
            let mut outcomes = Vec::new();
            for task in tasks {
                outcomes.push(task.await.unwrap());
            }
            outcomes
        })
    }
}

struct Bot {
    number: u64,
    connector: Connector,
    legend: Arc<Legend>,
    sign: Arc<Sign>,
    stopped: watch::Receiver<bool>,
}

impl Bot {
    async fn play(self, credentials: Credentials) -> Outcome {
        let datagrams = self.connector.has_datagrams();
        let client = Client::new(Config::new(credentials, datagrams, self.number));
        let mut driver = Driver::new(client, self.connector.clone());
        let mut brain = Brain::new(self.number, Behaviour::Play);
        let (mut welcomes, mut frames_before) = (0, 0);
        let mut decide_at = Instant::now();
        while driver.over().is_none() && !*self.stopped.borrow() {
            driver.step(decide_at).await;
            let stats = driver.client.stats();
            if stats.welcomes > welcomes {
                (welcomes, frames_before) = (stats.welcomes, stats.frames);
                self.sign.frames.store(0, Ordering::Release);
                self.sign.welcomes.store(welcomes, Ordering::Release);
            }
            self.sign.frames.store(stats.frames - frames_before, Ordering::Release);
            if Instant::now() < decide_at {
                continue;
            }
            decide_at = Instant::now() + Duration::from_millis(100);
            self.decide(&mut brain, &mut driver);
        }
        let outcome = Outcome { stats: driver.client.stats(), over: driver.over().is_some() };
        driver.leave().await;
        outcome
    }

    fn decide(&self, brain: &mut Brain, driver: &mut Driver) {
        let now = driver.now();
        if !driver.client.is_playing() {
            return;
        }
        let waiting = driver.client.waiting();
        let (Some(view), Some(cells)) = (driver.client.view(), driver.client.cells()) else {
            return;
        };
        let known = Knowledge { legend: &self.legend, view, cells };
        if let Some(command) = brain.decide(now, &known, waiting) {
            let _ = driver.client.command(now, command);
            driver.carry_out();
        }
    }
}
