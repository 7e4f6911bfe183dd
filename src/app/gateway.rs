//! The gateway thread: owns the gateway's state machine and all WebSockets.
//!
//! It sleeps until something comes in or the next reading is due. Sockets are read shortly before
//! the tick, so that what they hold makes it into the tick; that commands wait for the tick anyway
//! makes one reading a tick enough.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::admission::{Admitter, Request};
use super::clock::Clock;
use super::instance::{Message, Threads};
use crate::gateway::{Admission, Config, ConnectionId, Delivery, Gateway, Located, Output};
use crate::model::{CharacterId, GatewayId};
use crate::net::websocket::{Pool, PoolRead, SendOutcome};
use crate::net::{Link, LinkError, NetEvent, Transport};
use crate::protocol::CloseReason;
use crate::protocol::bus::Bundle;
use crate::telemetry::Metrics;

/// What wakes the gateway thread.
#[derive(Debug)]
pub enum Event {
    Bundle(Bundle),
    Admission(ConnectionId, Result<Admission, CloseReason>),
    Located(ConnectionId, CharacterId, Located),
    /// Let nobody in any more, tell everybody to come back, then stop.
    Drain,
}

/// What the thread works with.
#[derive(Debug)]
pub struct Parts {
    pub config: Config,
    pub clock: Arc<Clock>,
    pub threads: Threads,
    pub admitter: Admitter,
    pub pool: Pool,
    /// What QUIC and HTTP say; read before each tick, so that a message wakes nobody.
    pub net: Receiver<NetEvent>,
    pub courier: Courier,
    pub metrics: Arc<Metrics>,
}

/// Takes batches of datagrams to the runtime: sent from one of its own threads, they wake nobody
/// either.
pub type Courier = tokio::sync::mpsc::Sender<Vec<(Link, Bytes)>>;

/// Batches that may wait for the runtime.
const BATCHES_MAX: usize = 64;

/// The courier and the task that sends what it brings.
pub fn courier() -> (Courier, impl Future<Output = ()> + Send + 'static) {
    let (sender, mut batches) = tokio::sync::mpsc::channel::<Vec<(Link, Bytes)>>(BATCHES_MAX);
    let task = async move {
        while let Some(batch) = batches.recv().await {
            for (link, message) in batch {
                if link.send_datagram(message) == Err(LinkError::Full) {
                    link.close(CloseReason::TooSlow);
                }
            }
        }
    };
    (sender, task)
}

/// Longest and shortest time before a tick at which sockets are read.
const LEAD_MAX: Duration = Duration::from_millis(15);
const LEAD_MIN: Duration = Duration::from_millis(1);
/// Longest time that the last messages have to leave.
const DRAIN: Duration = Duration::from_secs(2);

/// Starts the thread.
pub fn spawn(inbox: Receiver<Event>, parts: Parts) -> std::io::Result<JoinHandle<()>> {
    let thread = Thread {
        gateway: Gateway::new(parts.config.clone()),
        links: HashMap::new(),
        datagrams: Vec::new(),
        lead: LEAD_MIN,
        inbox,
        parts,
    };
    std::thread::Builder::new().name("gateway".to_owned()).spawn(move || thread.run())
}

/// A connection's transport, if it is not in the pool.
struct LinkEntry {
    link: Link,
    transport: Transport,
}

struct Thread {
    gateway: Gateway,
    links: HashMap<ConnectionId, LinkEntry>,
    datagrams: Vec<(Link, Bytes)>,
    /// How long before the tick reading begins: as long as it took of late.
    lead: Duration,
    inbox: Receiver<Event>,
    parts: Parts,
}

impl Thread {
    fn run(mut self) {
        let mut tick = self.parts.clock.deadline_after(Instant::now());
        let mut next_second = tick;
        loop {
            match self.inbox.recv_deadline(tick - self.lead) {
                Ok(Event::Drain) => return self.drain(),
                Ok(event) => {
                    self.handle(event);
                    self.act();
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.read();
                    if Instant::now() >= next_second {
                        next_second += Duration::from_secs(1);
                        self.gateway.handle_timeout(self.now());
                        self.report();
                    }
                    self.gateway.flush();
                    self.act();
                    tick = self.parts.clock.deadline_after(tick.max(Instant::now()));
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn now(&self) -> Duration {
        self.parts.clock.elapsed()
    }

    fn handle(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Bundle(bundle) => self.gateway.handle_bundle(now, bundle),
            Event::Admission(id, answer) => self.gateway.handle_admission(id, answer),
            Event::Located(id, character, located) => {
                self.gateway.handle_located(id, character, located);
            }
            Event::Drain => {}
        }
    }

    fn handle_net(&mut self, event: NetEvent) {
        let now = self.now();
        match event {
            NetEvent::Opened { id, peer, transport, link } => {
                self.links.insert(id, LinkEntry { link, transport });
                self.gateway.handle_opened(now, id, peer.ip(), false);
            }
            NetEvent::Message { id, bytes } => {
                self.gateway.handle_message(now, id, &bytes);
            }
            NetEvent::Closed { id, reason } => {
                self.links.remove(&id);
                self.gateway.handle_ended(id, reason);
            }
            NetEvent::Upgraded(upgraded) => {
                let from = upgraded.peer.ip();
                match self.parts.pool.add(upgraded) {
                    Ok(id) => self.gateway.handle_opened(now, id, from, true),
                    Err(error) => log::debug!("a WebSocket was lost on the way in: {error}"),
                }
            }
        }
    }

    /// Takes what has come in on all transports since the last time.
    fn read(&mut self) {
        let begun = Instant::now();
        while let Ok(event) = self.parts.net.try_recv() {
            self.handle_net(event);
        }
        let now = self.now();
        let gateway = &mut self.gateway;
        self.parts.pool.read_all(|id, read| match read {
            PoolRead::Message(bytes) => gateway.handle_message(now, id, &bytes),
            PoolRead::Drained => gateway.handle_drained(id),
            PoolRead::Closed(reason) => gateway.handle_ended(id, reason),
        });
        let took = begun.elapsed() + LEAD_MIN;
        self.lead = ((self.lead * 7 + took) / 8).clamp(LEAD_MIN, LEAD_MAX);
    }
}

impl Thread {
    /// Does what the gateway wants done.
    fn act(&mut self) {
        self.carry_out();
        self.send_datagrams();
    }

    fn carry_out(&mut self) {
        let now = self.now();
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Send { connection, message, how } => {
                    self.send(now, connection, message, how);
                }
                Output::Close { connection, reason } => self.close(connection, reason),
                Output::Admit { connection, token, resume, character } => {
                    let request = Request::Admit { connection, token, resume, character };
                    self.parts.admitter.ask(request);
                }
                Output::End { connection, character, session } => {
                    self.parts.admitter.ask(Request::End { connection, character, session });
                }
                Output::Locate { connection, character } => {
                    self.parts.admitter.ask(Request::Locate { connection, character });
                }
                Output::ToZone { zone, messages } => {
                    let gateway: GatewayId = self.parts.config.id;
                    self.parts.threads.send(zone, Message::Gateway { gateway, zone, messages });
                }
            }
        }
    }

    fn send(&mut self, now: Duration, id: ConnectionId, message: Bytes, how: Delivery) {
        if how != Delivery::Reliable {
            self.parts.metrics.frame_size.observe(message.len() as f64);
        }
        let Some(entry) = self.links.get(&id) else {
            if self.parts.pool.send(id, &message) == SendOutcome::Slow {
                self.gateway.handle_slow(now, id);
            }
            return;
        };
        if how == Delivery::Datagram {
            self.datagrams.push((entry.link.clone(), message));
        } else if entry.link.send_reliable(message).is_err() {
            self.close(id, CloseReason::TooSlow);
            self.gateway.handle_ended(id, Some(CloseReason::TooSlow));
        }
    }

    /// Hands the datagrams that have gathered to the runtime, as one batch.
    fn send_datagrams(&mut self) {
        if self.datagrams.is_empty() {
            return;
        }
        // When the runtime is that far behind, these are lost like any other.
        let _ = self.parts.courier.try_send(std::mem::take(&mut self.datagrams));
    }

    fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        match self.links.remove(&id) {
            Some(entry) => entry.link.close(reason),
            None => self.parts.pool.close(id, reason),
        }
    }

    /// Tells everybody to come back, and gives the last messages a moment to leave.
    fn drain(&mut self) {
        self.gateway.handle_drain();
        self.act();
        let until = Instant::now() + DRAIN;
        while !self.parts.pool.is_empty() && Instant::now() < until {
            let mut open = 0;
            self.parts.pool.read_all(|_, _| open += 1);
            match self.inbox.recv_timeout(self.parts.clock.period()) {
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Brings the metrics up to what the gateway has counted. Called once a second.
    fn report(&mut self) {
        let metrics = &self.parts.metrics;
        let mut count = [0_i64; Transport::ALL.len()];
        for entry in self.links.values() {
            let at = Transport::ALL.iter().position(|&t| t == entry.transport);
            if let Some(n) = at.and_then(|at| count.get_mut(at)) {
                *n += 1;
            }
            let label = [entry.transport.label()];
            let rtt = entry.link.rtt().as_secs_f64();
            metrics.network_latency.with_label_values(&label).observe(rtt);
        }
        for (transport, mut count) in Transport::ALL.iter().zip(count) {
            if *transport == Transport::WebSocket {
                count = i64::try_from(self.parts.pool.len()).unwrap_or(i64::MAX);
            }
            metrics.connection_count.with_label_values(&[transport.label()]).set(count);
        }
        let (_, playing) = self.gateway.population();
        metrics.players_online.set(i64::try_from(playing).unwrap_or(i64::MAX));
        let counters = self.gateway.counters();
        for (&reason, &count) in &counters.closes {
            let metric = metrics.closes.with_label_values(&[reason.label()]);
            metric.inc_by(count - metric.get());
        }
        let limited = metrics.rate_limits_exceeded.with_label_values(&["connection"]);
        limited.inc_by(counters.rate_limited - limited.get());
        metrics.frames_dropped.inc_by(counters.frames_dropped - metrics.frames_dropped.get());
        metrics.resumes.inc_by(counters.resumes - metrics.resumes.get());
    }
}
