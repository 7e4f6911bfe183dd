//! The gateway thread: owns the gateway's state machine and all connections of players.
//!
//! It sleeps until something comes in or the next reading is due. Sockets are read shortly before
//! the tick, so that what they hold makes it into the tick; that commands wait for the tick anyway
//! makes one reading a tick enough.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::admission::{Admitter, Request};
use super::clock::Clock;
use super::cluster::bans::{self, BanRecord};
use super::cluster::flags::Flags;
use super::cluster::mail::{
    self, GatewayAnswer, GatewayOrder, ToGatewayMail, ToZoneMail, UsageMail,
};
use super::cluster::senders::Senders;
use super::instance::Threads;
use super::lead::Lead;
use super::registrar::unix_now;
use crate::gateway::{
    Admission, Config, ConnectionId, Delivery, Ended, Gateway, Identity, Located, Output,
};
use crate::model::{CharacterId, GatewayId, ZoneId};
use crate::nats::Bus;
use crate::net::{NetEvent, SendOutcome, Transport, quic, websocket};
use crate::protocol::CloseReason;
use crate::protocol::bus::{Bundle, ToZone};
use crate::telemetry::Metrics;

/// What wakes the gateway thread.
#[derive(Debug)]
pub enum Event {
    Bundle(Bundle),
    Verified(ConnectionId, Result<Identity, CloseReason>),
    Admission(ConnectionId, Result<Admission, CloseReason>),
    Located(ConnectionId, CharacterId, Located),
    /// Another process says something.
    Mail(ToGatewayMail),
    /// These are banned, and nobody else.
    Bans(Vec<BanRecord>),
    Flags(Flags),
    /// Another gateway says what it has let through.
    Usage(UsageMail),
    /// An admin asks something.
    Order(GatewayOrder, Sender<GatewayAnswer>),
    /// Let nobody in any more, tell everybody to come back, then stop.
    Drain,
}

/// What the thread works with.
#[derive(Debug)]
pub struct Parts {
    pub config: Config,
    pub clock: Arc<Clock>,
    pub zones: ZoneWay,
    pub admitter: Admitter,
    pub websockets: websocket::Pool,
    pub quic: quic::Pool,
    /// What the asynchronous side says; read before each tick.
    pub net: Receiver<NetEvent>,
    pub metrics: Arc<Metrics>,
}

/// The way to the zones.
#[derive(Clone, Debug)]
pub enum ZoneWay {
    /// They are in this process.
    Local(Threads),
    /// They are where the bus finds them.
    Bus(Bus),
}

impl ZoneWay {
    /// How long before a tick sockets are read, to begin with.
    fn lead(&self) -> Lead {
        match self {
            Self::Local(_) => Lead::local(),
            Self::Bus(_) => Lead::over_bus(),
        }
    }

    /// Whether the zones can be heard.
    fn is_up(&self) -> bool {
        match self {
            Self::Local(_) => true,
            Self::Bus(bus) => bus.is_up(),
        }
    }

    fn send(&self, gateway: GatewayId, zone: ZoneId, messages: Vec<ToZone>, metrics: &Metrics) {
        match self {
            Self::Local(threads) => threads.send_batch(gateway, zone, messages),
            Self::Bus(bus) => {
                let mail = mail::encode(&ToZoneMail::Gateway { gateway, messages });
                bus.publish(&mail::zone(zone), mail);
                metrics.bus_sent.with_label_values(&["commands"]).inc();
            }
        }
    }
}

/// How often is looked who has waited too long.
const CHECK_PERIOD: Duration = Duration::from_millis(250);
/// How long the zones may not be heard before everybody is sent elsewhere.
const CUT_OFF_AFTER: Duration = Duration::from_secs(3);
/// Longest time that the last messages have to leave.
const DRAIN: Duration = Duration::from_secs(2);
/// How often is looked whether they have.
const LAST_WORDS_PERIOD: Duration = Duration::from_millis(10);

/// Starts the thread.
pub fn spawn(inbox: Receiver<Event>, parts: Parts) -> std::io::Result<JoinHandle<()>> {
    let thread = Thread {
        gateway: Gateway::new(parts.config.clone()),
        lead: parts.zones.lead(),
        senders: Senders::default(),
        up_at: parts.clock.elapsed(),
        inbox,
        parts,
    };
    std::thread::Builder::new().name("gateway".to_owned()).spawn(move || thread.run())
}

struct Thread {
    gateway: Gateway,
    lead: Lead,
    /// The instances that were heard of.
    senders: Senders,
    /// When the zones could last be heard.
    up_at: Duration,
    inbox: Receiver<Event>,
    parts: Parts,
}

impl Thread {
    fn run(mut self) {
        let mut tick = self.parts.clock.deadline_after(Instant::now());
        let (mut next_check, mut next_second) = (tick, tick);
        loop {
            let reading = self.lead.before(tick);
            let restless = self.parts.quic.restless_until();
            match self.inbox.recv_deadline(restless.map_or(reading, |until| until.min(reading))) {
                Ok(Event::Drain) => return self.drain(),
                Ok(event) => {
                    self.handle(event);
                    self.act();
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < reading => {
                    self.read_quic();
                    self.act();
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.read();
                    if Instant::now() >= next_check {
                        next_check += CHECK_PERIOD;
                        self.gateway.handle_timeout(self.now());
                        self.note_cut();
                        self.tell_usage();
                    }
                    if Instant::now() >= next_second {
                        next_second += Duration::from_secs(1);
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

    /// A gateway that is cut off is of no use to anybody, but others may be.
    fn note_cut(&mut self) {
        let now = self.now();
        if self.parts.zones.is_up() {
            self.up_at = now;
        }
        let is_cut_off = now.saturating_sub(self.up_at) >= CUT_OFF_AFTER;
        self.gateway.handle_cut_off(is_cut_off);
    }

    fn now(&self) -> Duration {
        self.parts.clock.elapsed()
    }

    /// Tells the other gateways, if there can be any, what this one has let through.
    fn tell_usage(&mut self) {
        let used = self.gateway.tell_usage(self.now());
        if let ZoneWay::Bus(bus) = &self.parts.zones {
            let gateway = self.parts.config.id;
            bus.publish(mail::USAGE, mail::encode(&UsageMail { gateway, used }));
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Bundle(bundle) => self.gateway.handle_bundle(now, bundle),
            Event::Verified(id, answer) => self.gateway.handle_verified(now, id, answer),
            Event::Admission(id, answer) => self.gateway.handle_admission(now, id, answer),
            Event::Located(id, character, located) => {
                self.gateway.handle_located(now, id, character, located);
            }
            Event::Mail(mail) => self.handle_mail(now, mail),
            Event::Bans(records) => {
                let bans = bans::on_clock(&records, unix_now(), now);
                self.gateway.handle_bans(now, bans);
            }
            Event::Flags(flags) => {
                self.gateway.handle_admitting(flags.admit_new_players);
                self.gateway.handle_notice(&flags.message_of_the_day);
            }
            Event::Usage(UsageMail { gateway, used }) => {
                if gateway != self.parts.config.id {
                    self.gateway.handle_usage(now, gateway, used);
                }
            }
            Event::Order(order, answer) => {
                // An error: whoever has asked has given up.
                let _ = answer.send(self.carry_out_order(&order));
            }
            Event::Drain => {}
        }
    }

    fn carry_out_order(&mut self, order: &GatewayOrder) -> GatewayAnswer {
        match order {
            GatewayOrder::Players => GatewayAnswer::Players(self.gateway.present()),
            GatewayOrder::Kick { character, reason } => {
                GatewayAnswer::Kicked(self.gateway.handle_kick(*character, reason))
            }
        }
    }

    fn handle_mail(&mut self, now: Duration, mail: ToGatewayMail) {
        let metrics = &self.parts.metrics;
        match mail {
            ToGatewayMail::Bundles { sender, number, early_us, bundles } => {
                metrics.bus_received.with_label_values(&["frames"]).inc();
                if let Some(early) = early_us {
                    self.lead.note_early(early);
                    metrics.inputs_late.inc_by(u64::from(early < 0));
                }
                let zones = bundles.iter().map(|bundle| bundle.zone);
                let lost = self.senders.note(now, sender, number, zones);
                for bundle in bundles {
                    self.gateway.handle_bundle(now, bundle);
                }
                if let Some(zones) = lost {
                    metrics.bus_gaps.inc();
                    self.gateway.handle_gap(now, &zones);
                }
            }
            ToGatewayMail::ZoneDown(zone) => {
                log::debug!(zone = zone.0; "the zone goes elsewhere");
                self.gateway.handle_zone_down(now, zone);
            }
            ToGatewayMail::ZoneUp(zone) => {
                log::debug!(zone = zone.0; "the zone is up");
                self.gateway.handle_zone_up(now, zone);
                // Who plays there has waited long enough: the attaches make it into its next tick.
                self.gateway.flush();
            }
        }
    }

    fn handle_net(&mut self, event: NetEvent) {
        let now = self.now();
        match event {
            NetEvent::Upgraded(upgraded) => {
                let from = upgraded.peer.ip();
                match self.parts.websockets.add(upgraded) {
                    Ok(id) => self.gateway.handle_opened(now, id, from, true),
                    Err(error) => log::debug!("a WebSocket was lost on the way in: {error}"),
                }
            }
            NetEvent::Renewed(identity) => {
                if let Err(error) = self.parts.quic.set_identity(&identity) {
                    log::error!("the new certificate cannot be used: {error}");
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
        self.read_websockets();
        self.read_quic();
        self.lead.note_reading(begun.elapsed());
    }

    fn read_websockets(&mut self) {
        use websocket::PoolRead;
        let now = self.now();
        let gateway = &mut self.gateway;
        self.parts.websockets.read_all(|id, read| match read {
            PoolRead::Message(bytes) => gateway.handle_message(now, id, &bytes),
            PoolRead::Drained => gateway.handle_drained(id),
            PoolRead::Closed(reason) => gateway.handle_ended(id, reason),
        });
    }

    fn read_quic(&mut self) {
        use quic::PoolRead;
        let now = self.now();
        let gateway = &mut self.gateway;
        self.parts.quic.read_all(|id, read| match read {
            PoolRead::Opened { peer, .. } => gateway.handle_opened(now, id, peer.ip(), false),
            PoolRead::Message(bytes) => gateway.handle_message(now, id, &bytes),
            PoolRead::Closed(reason) => gateway.handle_ended(id, reason),
        });
    }
}

impl Thread {
    /// Does what the gateway wants done.
    fn act(&mut self) {
        self.carry_out();
        for Ended { present, join, reason } in self.gateway.take_ended() {
            log::info!(
                player_id = present.account.0,
                session_id = present.session.0,
                correlation_id:% = join,
                character = present.character.0,
                zone = present.zone.0,
                reason = reason.map_or("gone", CloseReason::label);
                "a connection has ended"
            );
        }
        self.parts.quic.flush();
    }

    fn carry_out(&mut self) {
        let now = self.now();
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Send { connection, message, how } => {
                    self.send(now, connection, message, how);
                }
                Output::Close { connection, reason } => self.close(connection, reason),
                Output::Verify { connection, token, resume } => {
                    self.ask(connection, Request::Verify { connection, token, resume });
                }
                Output::Admit { connection, identity, character } => {
                    self.ask(connection, Request::Admit { connection, identity, character });
                }
                Output::End { connection, character, session } => {
                    self.ask(connection, Request::End { connection, character, session });
                }
                Output::Locate { connection, character, take_over } => {
                    log::debug!(character = character.0; "where is it?");
                    let request = Request::Locate { connection, character, take_over };
                    self.ask(connection, request);
                }
                Output::ToZone { zone, messages } => {
                    let Parts { zones, config, metrics, .. } = &self.parts;
                    zones.send(config.id, zone, messages, metrics);
                }
            }
        }
    }

    /// Asks the admission thread; if as many ask as may, the connection has to come back later.
    fn ask(&mut self, id: ConnectionId, request: Request) {
        if !self.parts.admitter.ask(request) {
            self.gateway.handle_admission(self.now(), id, Err(CloseReason::Full));
        }
    }

    fn send(&mut self, now: Duration, id: ConnectionId, message: Bytes, how: Delivery) {
        if how != Delivery::Reliable {
            self.parts.metrics.frame_size.observe(message.len() as f64);
        }
        if self.parts.quic.has(id) {
            let outcome = match how {
                Delivery::Datagram => self.parts.quic.send_datagram(id, &message),
                Delivery::Reliable | Delivery::Frame => self.parts.quic.send_reliable(id, &message),
            };
            if outcome == SendOutcome::Slow {
                self.parts.quic.close(id, CloseReason::TooSlow);
                self.gateway.handle_ended(id, Some(CloseReason::TooSlow));
            }
        } else if self.parts.websockets.send(id, &message) == SendOutcome::Slow {
            self.gateway.handle_slow(now, id);
        }
    }

    fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        // One of the two has it.
        self.parts.quic.close(id, reason);
        self.parts.websockets.close(id, reason);
    }

    /// Tells everybody to come back, and gives the last messages a moment to leave.
    fn drain(&mut self) {
        self.gateway.handle_drain();
        self.parts.quic.drain();
        self.act();
        let until = Instant::now() + DRAIN;
        let is_done = |parts: &Parts| parts.websockets.is_empty() && parts.quic.is_empty();
        while !is_done(&self.parts) && Instant::now() < until {
            self.parts.websockets.read_all(|_, _| {});
            let mut late = Vec::new();
            self.parts.quic.read_all(|id, read| {
                late.extend(matches!(read, quic::PoolRead::Opened { .. }).then_some(id));
            });
            for id in late {
                self.parts.quic.close(id, CloseReason::Draining);
            }
            self.parts.quic.flush();
            match self.inbox.recv_timeout(LAST_WORDS_PERIOD) {
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Brings the metrics up to what the gateway has counted. Called once a second.
    fn report(&mut self) {
        let metrics = &self.parts.metrics;
        let mut count = [0_i64; Transport::ALL.len()];
        for (transport, round_trip) in self.parts.quic.round_trips() {
            let at = Transport::ALL.iter().position(|&t| t == transport);
            if let Some(n) = at.and_then(|at| count.get_mut(at)) {
                *n += 1;
            }
            let label = [transport.label()];
            metrics.network_latency.with_label_values(&label).observe(round_trip.as_secs_f64());
        }
        let label = [Transport::WebSocket.label()];
        let latency = metrics.network_latency.with_label_values(&label);
        for round_trip in self.parts.websockets.round_trips() {
            latency.observe(round_trip.as_secs_f64());
        }
        for (transport, mut count) in Transport::ALL.iter().zip(count) {
            if *transport == Transport::WebSocket {
                count = i64::try_from(self.parts.websockets.len()).unwrap_or(i64::MAX);
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
        let joins = metrics.rate_limits_exceeded.with_label_values(&["joins"]);
        joins.inc_by(counters.joins_refused - joins.get());
        metrics.frames_dropped.inc_by(counters.frames_dropped - metrics.frames_dropped.get());
        metrics.resumes.inc_by(counters.resumes - metrics.resumes.get());
    }
}
