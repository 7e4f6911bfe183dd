//! `connection`: a gateway. Any number of these stand in front of the instances; a session goes on
//! over any of them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, bail, ensure};
use axum::Router;
use clap::Parser;

use super::admission::{self, Admitter};
use super::clock::Clock;
use super::cluster::audit::{self, Act};
use super::cluster::characters::Characters;
use super::cluster::gateways::SAY_EVERY;
use super::cluster::mail::{self, Alive, Figures, GatewayAnswer, ToGatewayMail};
use super::cluster::zones::Wanted;
use super::cluster::{bans, flags};
use super::dev::{allow_descriptors, share_memory};
use super::door::{self, QuicDoor};
use super::gateway::{self, Event, ZoneWay};
use super::keys::Keys;
use super::process::{Activated, Process};
use super::roll::Roll;
use super::settings::{self, Common, DrainFlags, Settings};
use super::world::{World, random};
use crate::disk::DataFolder;
use crate::model::GatewayId;
use crate::model::limits::{TICKS_PER_SECOND_DEFAULT, TICKS_PER_SECOND_MAX};
use crate::nats::{Bus, Nats, Subscription};
use crate::net::quic::QuicConfig;
use crate::net::{ConnectionIds, Transport, websocket};
use crate::telemetry::{Metrics, Obstacle};

/// WebSockets that may come between two ticks; those beyond are turned away.
const NET_EVENTS_MAX: usize = 4_096;

/// Ends players' connections: QUIC, WebTransport and WebSocket.
#[derive(Clone, Debug, Parser)]
#[command(name = "connection", version, args_override_self = true)]
struct Flags {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    drain: DrainFlags,
    /// Folder of the development certificate and of the key that resets connections
    #[arg(long, env = "UNDERCROFT_DATA", value_name = "FOLDER", default_value = "connection-data")]
    data: PathBuf,
    /// Address of WebSocket; from systemd, the socket named web
    #[arg(long, env = "UNDERCROFT_WEB", value_name = "ADDRESS", default_value = "0.0.0.0:8081")]
    web: SocketAddr,
    /// Address of WebSocket for a proxy, whose X-Forwarded-For is believed: nobody else may reach it
    /// [default: none]
    #[arg(long, env = "UNDERCROFT_PROXIED", value_name = "ADDRESS")]
    proxied: Option<SocketAddr>,
    /// UDP address of QUIC and WebTransport; from systemd, the socket named quic
    #[arg(long, env = "UNDERCROFT_QUIC", value_name = "ADDRESS", default_value = "0.0.0.0:7778")]
    quic: SocketAddr,
    /// Host by which players reach this gateway, where it is not the one they have the page from
    #[arg(long, env = "UNDERCROFT_PUBLIC_HOST", value_name = "HOST")]
    public_host: Option<String>,
    /// HOST:PORT or :PORT by which players reach WebSocket, where it is not that of --web
    #[arg(long, env = "UNDERCROFT_PUBLIC_WEBSOCKET", value_name = "ADDRESS")]
    public_websocket: Option<String>,
    /// TLS certificate chain in PEM [default: a development certificate made at first start]
    #[arg(long, env = "UNDERCROFT_CERTIFICATE", value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// TLS key in PEM
    #[arg(long, env = "UNDERCROFT_KEY", value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// File of the keys of tokens, which the services make
    #[arg(long, env = "UNDERCROFT_TOKEN_KEYS", value_name = "FILE", default_value = "token-key")]
    token_keys: PathBuf,
    /// Ticks a second; the same for all instances and gateways
    #[arg(long, env = "UNDERCROFT_TICKS_PER_SECOND", value_name = "NUMBER",
        default_value_t = TICKS_PER_SECOND_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(TICKS_PER_SECOND_MAX)))]
    ticks_per_second: u32,
    /// Most connections at once
    #[arg(
        long,
        env = "UNDERCROFT_CONNECTIONS_MAX",
        value_name = "NUMBER",
        default_value_t = 10_000
    )]
    connections_max: usize,
    /// Most connections at once from one address
    #[arg(
        long,
        env = "UNDERCROFT_CONNECTIONS_PER_ADDRESS_MAX",
        value_name = "NUMBER",
        default_value_t = 2_000
    )]
    connections_per_address_max: usize,
    /// Milliseconds that a zone may say nothing to a player before it is asked again
    #[arg(long, hide = true, default_value_t = 1_000)]
    zone_silence_ms: u64,
}

impl Settings for Flags {
    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> anyhow::Result<()> {
        self.drain.token()?;
        self.common.nats.config("connection")?;
        for (key, value) in
            [("public_host", &self.public_host), ("public_websocket", &self.public_websocket)]
        {
            let Some(value) = value else { continue };
            let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
            ensure!(!value.is_empty() && value.chars().all(is_plain), "{key} is \"{value}\"");
        }
        if let Some(address) = &self.public_websocket {
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            ensure!(port.is_some(), "public_websocket is \"{address}\", without a port");
        }
        Ok(())
    }
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    settings::main(run)
}

fn run(flags: &Flags) -> anyhow::Result<()> {
    let mut sockets = Activated::take()?;
    allow_descriptors();
    share_memory();
    let process = Process::start(&mut sockets, flags.common.admin, flags.drain.token()?)?;
    let web = sockets.tcp("web", flags.web)?;
    let web_address = web.local_addr().context("asking for the address of WebSocket")?;
    let quic = sockets.udp("quic", flags.quic)?;
    let nats = Nats::connect(process.runtime.handle(), &flags.common.nats.config("connection")?)?;
    let folder = DataFolder::open(&flags.data)?;
    let running = start(flags, &process, &nats, &folder, quic, web)?;
    let quic_address = running.door.address;
    let is_draining = Arc::new(AtomicBool::new(false));
    running.say_alive(flags, &process, web_address, is_draining.clone());
    let drain = audit::Ending::allow(&process, &nats, Act::DrainGateway { gateway: running.id });
    let metrics = process.metrics.clone();
    let line = format!(" web=http://{web_address} quic={quic_address}");
    let ended = process.run(&line, || status(&metrics))?;
    log::info!("{ended}: sending the players elsewhere");
    process.health.raise(Obstacle::Draining);
    is_draining.store(true, Ordering::Relaxed);
    running.stop()?;
    drain.note_done();
    process.stop();
    Ok(())
}

/// What systemd shows.
fn status(metrics: &Metrics) -> String {
    format!("{} connections, {} players", connections(metrics), metrics.players_online.get())
}

fn connections(metrics: &Metrics) -> i64 {
    let count = |transport: &Transport| {
        metrics.connection_count.with_label_values(&[transport.label()]).get()
    };
    Transport::ALL.iter().map(count).sum()
}

struct Running {
    id: GatewayId,
    bus: Bus,
    door: QuicDoor,
    events: crossbeam_channel::Sender<Event>,
    gateway: JoinHandle<()>,
    _subscriptions: Vec<Subscription>,
}

fn start(
    flags: &Flags,
    process: &Process,
    nats: &Nats,
    folder: &DataFolder,
    quic: std::net::UdpSocket,
    web: std::net::TcpListener,
) -> anyhow::Result<Running> {
    let metrics = process.metrics.clone();
    let bus = Bus::new(nats);
    let world = World::shared(nats, None)?;
    let tokens = Arc::new(Keys::load(&flags.token_keys)?);
    // 0 is nobody's, and one that was drawn before is as good as never.
    let id = GatewayId(u32::from_le_bytes(random()?).max(1));
    let (events, inbox) = crossbeam_channel::unbounded();
    let (admitter, admitter_inbox) = Admitter::new();
    let (characters, wanted) = (Characters::open(nats)?, Wanted::open(nats)?);
    let roll = Roll::Shared { characters, bus: bus.clone(), wanted };
    let parts = admission::Parts { tokens, roll, world_seed: world.seed() };
    admission::spawn(admitter_inbox, parts, events.clone())?;

    let ids = Arc::new(ConnectionIds::default());
    let (net_events, net) = crossbeam_channel::bounded(NET_EVENTS_MAX);
    let quic_config = QuicConfig {
        connections_max: flags.connections_max,
        per_address_max: flags.connections_per_address_max,
        ..QuicConfig::default()
    };
    let tls_files = flags.certificate.clone().zip(flags.key.clone());
    let (quic, door) = door::open_quic(tls_files.as_ref(), quic_config, folder, quic, ids.clone())?;
    {
        let _entered = process.runtime.enter();
        door.keep_fresh(folder, net_events.clone());
    }
    // Before anybody is let in: what is said to this gateway has to reach it.
    let subscriptions = [mail::gateway(id), mail::GATEWAYS.to_owned()].map(|subject| {
        let events = events.clone();
        bus.subscribe(&subject, move |bytes| {
            let Some(mail) = mail::decode::<ToGatewayMail>(&bytes) else {
                return log::warn!("a message of another version is lost");
            };
            // An error: the gateway has stopped.
            let _ = events.send(Event::Mail(mail));
        })
    });
    let subscriptions = subscriptions
        .into_iter()
        .chain([hear_of_usage(&bus, events.clone()), take_orders(&bus, id, events.clone())]);
    let subscriptions = subscriptions.collect();
    follow_rules(nats, &events)?;
    let parts = gateway::Parts {
        config: crate::gateway::Config {
            id,
            ticks_per_second: u8::try_from(flags.ticks_per_second).unwrap_or(u8::MAX),
            connections_max: flags.connections_max,
            connections_per_address_max: flags.connections_per_address_max,
            zone_silence: Some(std::time::Duration::from_millis(flags.zone_silence_ms)),
            ..Default::default()
        },
        clock: Arc::new(Clock::shared(flags.ticks_per_second)),
        zones: ZoneWay::Bus(bus.clone()),
        admitter,
        websockets: websocket::Pool::new(websocket::PoolConfig::default(), ids),
        quic,
        net,
        metrics,
    };
    let gateway = gateway::spawn(inbox, parts)?;
    process.serve(web, Router::new(), Some(net_events.clone()))?;
    process.serve_proxied(flags.proxied, Router::new(), Some(net_events))?;
    Ok(Running { id, bus, door, events, gateway, _subscriptions: subscriptions })
}

/// Tells the gateway's thread who is banned and which flags are set, before it lets anybody in.
fn follow_rules(nats: &Nats, events: &crossbeam_channel::Sender<Event>) -> anyhow::Result<()> {
    // An error: the gateway has stopped.
    let told = events.clone();
    bans::follow(nats, move |bans| drop(told.send(Event::Bans(bans))))?;
    let told = events.clone();
    flags::follow(nats, move |flags| drop(told.send(Event::Flags(flags))))?;
    Ok(())
}

/// Tells it what the other gateways have let through.
fn hear_of_usage(bus: &Bus, events: crossbeam_channel::Sender<Event>) -> Subscription {
    bus.subscribe(mail::USAGE, move |bytes| {
        if let Some(mail) = mail::decode(&bytes) {
            // An error: the gateway has stopped.
            let _ = events.send(Event::Usage(mail));
        }
    })
}

/// Has it do what admins ask of this gateway.
fn take_orders(bus: &Bus, id: GatewayId, events: crossbeam_channel::Sender<Event>) -> Subscription {
    let subject = mail::gateway_orders(id);
    bus.serve(&subject, &subject.clone(), move |question| {
        let (tell, told) = crossbeam_channel::bounded(1);
        let answer = mail::decode(&question).and_then(|order| {
            events.send(Event::Order(order, tell)).ok()?;
            told.recv().ok()
        });
        mail::encode(&answer.unwrap_or(GatewayAnswer::Unknown))
    })
}

impl Running {
    /// Says every second that this gateway lives and where it is.
    fn say_alive(
        &self,
        flags: &Flags,
        process: &Process,
        web: SocketAddr,
        is_draining: Arc<AtomicBool>,
    ) {
        let host = flags.public_host.clone().unwrap_or_default();
        let quic = format!("{host}:{}", self.door.address.port());
        let websocket =
            flags.public_websocket.clone().unwrap_or_else(|| format!("{host}:{}", web.port()));
        let (id, bus, hashes) = (self.id, self.bus.clone(), self.door.hashes.clone());
        let metrics = process.metrics.clone();
        process.runtime.spawn(async move {
            let mut time = tokio::time::interval(SAY_EVERY);
            loop {
                time.tick().await;
                let players = u32::try_from(metrics.players_online.get()).unwrap_or(0);
                let figures = Figures::Gateway {
                    gateway: id,
                    websocket: websocket.clone(),
                    connections: u32::try_from(connections(&metrics)).unwrap_or(0),
                    players,
                };
                bus.publish(mail::FIGURES, mail::encode(&figures));
                let alive = Alive {
                    gateway: id,
                    websocket: websocket.clone(),
                    quic: quic.clone(),
                    certificate_hashes: hashes
                        .read()
                        .unwrap_or_else(PoisonError::into_inner)
                        .clone(),
                    players,
                    is_draining: is_draining.load(Ordering::Relaxed),
                };
                bus.publish(mail::GATEWAYS_ALIVE, mail::encode(&alive));
            }
        });
    }

    /// Tells everybody to come back, elsewhere.
    fn stop(self) -> anyhow::Result<()> {
        // An error: the thread is gone, which joining tells.
        let _ = self.events.send(Event::Drain);
        if self.gateway.join().is_err() {
            bail!("the gateway thread panicked");
        }
        Ok(())
    }
}
