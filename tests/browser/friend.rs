//! Somebody else in the dungeon: walks to and fro, now and then says something, and listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use undercroft::cli::content::ContentTables;
use undercroft::cli::driver::Driver;
use undercroft::cli::http::{Login, Server};
use undercroft::cli::link::{Connector, Transport};
use undercroft::client::{Client, Config, Credentials, Knowledge, Legend};
use undercroft::model::{Command, Direction};
use undercroft::protocol::Event;

pub(crate) const GREETING: &str = "well met";
const STEP_INTERVAL: Duration = Duration::from_millis(300);
const STEPS_BETWEEN_WORDS: u32 = 8;

/// A player of its own, on a thread of its own.
pub(crate) struct Friend {
    pub(crate) login: Login,
    heard: Receiver<String>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Friend {
    pub(crate) fn join(server: &str) -> Self {
        let server = Server::parse(server).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let login = runtime.block_on(server.guest()).unwrap();
        let own = login.clone();
        let (sender, heard) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            runtime.block_on(play(&server, own, &sender, &flag));
        });
        Self { login, heard, over, thread: Some(thread) }
    }

    /// Waits until somebody has said this.
    pub(crate) fn hears(&self, text: &str, time_max: Duration) -> bool {
        let end = Instant::now() + time_max;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(line) if line == text => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}

impl Drop for Friend {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn play(server: &Server, login: Login, heard: &Sender<String>, over: &AtomicBool) {
    let legend = ContentTables::fetch(server).await.unwrap().legend();
    let connector = Connector::new(server, Transport::Quic).await.unwrap();
    let credentials =
        Credentials { token: login.token, character: login.character, resume: String::new() };
    let client = Client::new(Config::new(credentials, connector.has_datagrams(), 1));
    let mut driver = Driver::new(client, connector);
    let mut steps = 0;
    let mut next = tokio::time::Instant::now();
    while !over.load(Ordering::Relaxed) {
        driver.step(next).await;
        for event in driver.client.take_events() {
            if let Event::Chat { text, .. } = event {
                // Nobody may be listening any more.
                let _ = heard.send(text);
            }
        }
        let now = tokio::time::Instant::now();
        if now < next {
            continue;
        }
        next = now + STEP_INTERVAL;
        if !driver.client.is_playing() {
            continue;
        }
        steps += 1;
        let command = match steps % STEPS_BETWEEN_WORDS {
            0 => Some(Command::Chat { text: GREETING.to_owned() }),
            step => to_and_fro(&driver.client, &legend, step % 2 == 0).map(Command::Move),
        };
        if let Some(command) = command {
            let now = driver.now();
            driver.client.command(now, command);
            driver.carry_out();
        }
    }
    driver.leave().await;
}

/// A direction in which a step leads, the first or the last of them: back and forth in the open.
fn to_and_fro(client: &Client, legend: &Legend, back: bool) -> Option<Direction> {
    let known = Knowledge { legend, view: client.view()?, cells: client.cells()? };
    let mut open = Direction::ALL.into_iter().filter(|&d| known.step(known.here(), d).is_some());
    if back { open.next_back() } else { open.next() }
}
