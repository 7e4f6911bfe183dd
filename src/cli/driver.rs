//! Runs one [`Client`] over one connection at a time.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::link::{Connector, Link};
use crate::client::{Client, GiveUp, Output};

/// A client with its clock and its connection.
#[derive(Debug)]
pub struct Driver {
    pub client: Client,
    connector: Connector,
    started: Instant,
    connecting: Option<JoinHandle<anyhow::Result<Link>>>,
    link: Option<Link>,
    over: Option<GiveUp>,
    /// Why the newest attempt to connect failed.
    trouble: Option<String>,
}

/// Messages taken in one go before outputs are looked at.
const BATCH_MAX: usize = 32;
/// How long the server may take to end the connection after a goodbye.
const LEAVE_TIME_MAX: Duration = Duration::from_millis(500);

impl Driver {
    #[must_use]
    pub fn new(client: Client, connector: Connector) -> Self {
        Self {
            client,
            connector,
            started: Instant::now(),
            connecting: None,
            link: None,
            over: None,
            trouble: None,
        }
    }

    /// The time as the client counts it.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Why it is over, if it is.
    #[must_use]
    pub fn over(&self) -> Option<GiveUp> {
        self.over
    }

    /// Why the newest attempt to connect failed, if it did.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Waits for whatever comes next, `until` at the latest, and handles it. May be dropped and
    /// called again.
    pub async fn step(&mut self, until: Instant) {
        self.carry_out();
        let due = self.client.poll_timeout().map_or(until, |due| (self.started + due).min(until));
        tokio::select! {
            biased;
            message = receive(&mut self.link) => self.handle(message),
            link = connected(&mut self.connecting) => {
                self.connecting = None;
                self.handle_link(link);
            }
            () = sleep_until(due) => {}
        }
        let now = self.now();
        if self.client.poll_timeout().is_some_and(|due| due <= now) {
            self.client.handle_timeout(now);
        }
        self.carry_out();
    }

    /// Says goodbye and gives it a moment to leave.
    pub async fn leave(&mut self) {
        self.client.leave();
        let link = self.link.take();
        while let Some(output) = self.client.poll_output() {
            match (output, &link) {
                (Output::Send(bytes), Some(link)) => {
                    // A full queue means that the server is not reading; then nothing helps.
                    let _ = link.send(Bytes::from(bytes));
                }
                (Output::GiveUp(why), _) => self.over = Some(why),
                _ => {}
            }
        }
        if let Some(mut link) = link {
            let last = async { while link.receiver.recv().await.is_some() {} };
            let _ = tokio::time::timeout(LEAVE_TIME_MAX, last).await;
        }
    }

    fn handle(&mut self, first: Option<Bytes>) {
        let now = self.now();
        let mut message = first;
        for _ in 0..BATCH_MAX {
            let Some(bytes) = message else {
                let reason = self.link.take().and_then(|link| link.close_reason());
                self.client.handle_closed(now, reason);
                return;
            };
            self.client.handle_message(now, &bytes);
            self.carry_out();
            let Some(link) = &mut self.link else { return };
            message = match link.receiver.try_recv() {
                Ok(bytes) => Some(bytes),
                Err(tokio::sync::mpsc::error::TryRecvError::Empty) => return,
                Err(tokio::sync::mpsc::error::TryRecvError::Disconnected) => None,
            };
        }
        // Whatever was taken from the queue and not handled yet is handled now.
        if let Some(bytes) = message {
            self.client.handle_message(now, &bytes);
        }
    }

    fn handle_link(&mut self, link: anyhow::Result<Link>) {
        match link {
            Ok(link) => {
                self.link = Some(link);
                self.trouble = None;
                self.client.handle_open(self.now());
            }
            Err(error) => {
                self.trouble = Some(format!("{error:#}"));
                self.client.handle_closed(self.now(), None);
            }
        }
    }

    /// Does what the client wants done.
    pub fn carry_out(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Connect { .. } => {
                    self.connecting = Some(tokio::spawn(self.connector.connect()));
                }
                Output::Send(bytes) => {
                    let bytes = Bytes::from(bytes);
                    if let Some(link) = self.link.take_if(|link| !link.send(bytes)) {
                        // The server does not read, or is gone.
                        self.client.handle_closed(self.now(), link.close_reason());
                    }
                }
                Output::Disconnect => {
                    self.link = None;
                    self.stop_connecting();
                }
                Output::GiveUp(why) => self.over = Some(why),
            }
        }
    }

    fn stop_connecting(&mut self) {
        if let Some(task) = self.connecting.take() {
            task.abort();
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop_connecting();
    }
}

async fn receive(link: &mut Option<Link>) -> Option<Bytes> {
    match link {
        Some(link) => link.receiver.recv().await,
        None => std::future::pending().await,
    }
}

async fn connected(task: &mut Option<JoinHandle<anyhow::Result<Link>>>) -> anyhow::Result<Link> {
    match task {
        Some(task) => task.await.unwrap_or_else(|error| Err(error.into())),
        None => std::future::pending().await,
    }
}
