//! The embedded default: everything in one process, on SQLite.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::admission::{self, Admitter};
use super::clock::Clock;
use super::config::Config;
use super::directory::Directory;
use super::gateway::{self, Event};
use super::http::{self, Asset, Hashes, Site};
use super::instance::{self, Threads};
use super::loader::{self, Loader};
use super::registrar::{self, Registrar};
use super::world::{World, random};
use crate::disk::{self, DataFolder};
use crate::game::catalog::content::content_json;
use crate::game::state::ZoneState;
use crate::journal::{Journal, Report, SqliteJournal, Worker, WorkerConfig};
use crate::net::certificate;
use crate::net::http::{HttpConfig, HttpCounters};
use crate::net::quic::{QuicConfig, QuicServer};
use crate::net::tls::Identity;
use crate::net::websocket::{Pool, PoolConfig};
use crate::net::{ConnectionIds, NetEvent};
use crate::services::Tokens;
use crate::store::Store;
use crate::telemetry::{Health, Metrics, Obstacle, admin};
use crate::zone::Zone;

const KEY_FILE: &str = "token-key";
const CERTIFICATE_FOLDER: &str = "certificate";
/// What the transports may have to say between two ticks; beyond it, connections are closed.
const NET_EVENTS_MAX: usize = 65_536;

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub web: SocketAddr,
    pub quic: SocketAddr,
    pub admin: SocketAddr,
    runtime: Runtime,
    shutdown: watch::Sender<bool>,
    gateway: crossbeam_channel::Sender<Event>,
    threads: Threads,
    health: Arc<Health>,
    stopping: Arc<AtomicBool>,
    gateway_thread: JoinHandle<()>,
    simulation: Vec<JoinHandle<()>>,
    /// The loader, the registrar and the admission: they end when nobody can ask them any more.
    helpers: Vec<JoinHandle<()>>,
    worker: Worker,
}

/// Sockets bound before anything is recovered, so that a port in use is noticed first.
struct Sockets {
    web: TcpListener,
    quic: UdpSocket,
    admin: TcpListener,
}

impl Sockets {
    fn bind(config: &Config) -> anyhow::Result<Self> {
        let tcp = |what: &str, address: SocketAddr| {
            let listener =
                TcpListener::bind(address).map_err(|error| in_use(what, address, &error))?;
            listener.set_nonblocking(true).with_context(|| format!("preparing {address}"))?;
            Ok::<_, anyhow::Error>(listener)
        };
        let quic =
            UdpSocket::bind(config.quic).map_err(|error| in_use("quic", config.quic, &error))?;
        Ok(Self { web: tcp("web", config.web)?, quic, admin: tcp("admin", config.admin)? })
    }
}

fn in_use(what: &str, address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        anyhow!(
            "{address} is in use by another program: stop that one, or choose another address \
             with --{what}"
        )
    } else {
        anyhow!("cannot listen on {address}: {error}; choose another address with --{what}")
    }
}

/// Starts everything: checks, binds, recovers, spawns.
#[expect(clippy::too_many_lines, reason = "the whole composition, in the order it is made")]
pub fn start(config: &Config) -> anyhow::Result<Running> {
    let folder = DataFolder::open(&config.data)?;
    let sockets = Sockets::bind(config)?;
    let world = Arc::new(World::load_or_make(&folder, config)?);
    let metrics = Arc::new(Metrics::new());
    let health = Arc::new(Health::new());
    health.raise(Obstacle::Recovering);
    let disk = disk::sqlite::Config { synchronous: config.synchronous, ..Default::default() };
    let journal = Journal::Sqlite(SqliteJournal::open(&folder, disk)?);
    let store = Arc::new(Store::open(&folder, disk)?);
    let tokens = Arc::new(load_tokens(&folder)?);
    let reader = journal.reader()?;

    let directory = Arc::new(Directory::default());
    let zones = recover(&reader, &world, &directory)?;

    let clock = Arc::new(Clock::new(config.ticks_per_second));
    let (threads, inboxes) = Threads::new(config.simulation_threads);
    let worker = spawn_worker(journal, &metrics, &health, &threads)?;
    let stopping = Arc::new(AtomicBool::new(false));
    let (registrar, registrar_inbox) = Registrar::new(threads.clone());
    let (loader, loader_inbox) = Loader::new();
    let (admitter, admitter_inbox) = Admitter::new();
    let (events, gateway_inbox) = crossbeam_channel::unbounded();
    let mut helpers = vec![
        loader::spawn(
            loader_inbox,
            reader,
            worker.requests(),
            threads.clone(),
            world.clone(),
            config.history_ticks,
        )?,
        registrar::spawn(
            registrar_inbox,
            threads.clone(),
            store.clone(),
            directory.clone(),
            metrics.clone(),
            stopping.clone(),
        )?,
    ];
    let parts = admission::Parts {
        tokens: tokens.clone(),
        store: store.clone(),
        directory: directory.clone(),
        world: world.clone(),
    };
    helpers.push(admission::spawn(admitter_inbox, parts, events.clone())?);

    let parts = instance::Parts {
        clock: clock.clone(),
        threads: threads.clone(),
        directory: directory.clone(),
        loader,
        registrar,
        journal: worker.requests(),
        gateway: events.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
        snapshot_ticks: config.snapshot_ticks,
    };
    let simulation = spawn_simulation(inboxes, zones, &parts)?;
    drop(parts);

    let ids = Arc::new(ConnectionIds::default());
    let (net_events, net) = crossbeam_channel::bounded(NET_EVENTS_MAX);
    let (courier, couriers_task) = gateway::courier();
    let gateway_parts = gateway::Parts {
        config: crate::gateway::Config {
            ticks_per_second: u8::try_from(config.ticks_per_second).unwrap_or(u8::MAX),
            connections_max: config.connections_max,
            connections_per_address_max: config.connections_per_address_max,
            ..Default::default()
        },
        clock,
        threads: threads.clone(),
        admitter,
        pool: Pool::new(PoolConfig::default(), ids.clone()),
        net,
        courier,
        metrics: metrics.clone(),
    };
    let gateway_thread = gateway::spawn(gateway_inbox, gateway_parts)?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("starting the input and output thread")?;
    runtime.spawn(couriers_task);
    let (shutdown, stopped) = watch::channel(false);
    let served = Served {
        config,
        folder: &folder,
        world: &world,
        store,
        tokens,
        directory: directory.clone(),
        metrics,
        health: health.clone(),
        net: net_events,
        ids,
        stopped,
    };
    let (web, quic, admin) = served.serve(&runtime, sockets)?;
    health.clear(Obstacle::Recovering);
    health.set_started();
    Ok(Running {
        web,
        quic,
        admin,
        runtime,
        shutdown,
        gateway: events,
        threads,
        health,
        stopping,
        gateway_thread,
        simulation,
        helpers,
        worker,
    })
}

/// Brings every zone of the journal to its end and notes who is where.
fn recover(
    reader: &crate::journal::Reader,
    world: &World,
    directory: &Directory,
) -> anyhow::Result<Vec<Zone>> {
    let mut zones = Vec::new();
    for id in reader.zones().context("reading the journal")? {
        let zone = loader::load(reader, world, id).with_context(|| format!("in zone {id}"))?;
        log::info!(zone = id.0, tick = zone.state().tick.0; "zone recovered");
        zones.push(zone);
    }
    let states: Vec<&ZoneState> = zones.iter().map(Zone::state).collect();
    for state in &states {
        for &character in state.players.keys() {
            directory.place(character, state.zone);
        }
    }
    for state in &states {
        for departure in &state.departures {
            directory.place_if_absent(departure.key.character, state.zone);
        }
    }
    Ok(zones)
}

fn spawn_worker(
    journal: Journal,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
    threads: &Threads,
) -> anyhow::Result<Worker> {
    let (health, threads) = (health.clone(), threads.clone());
    let report = move |report: Report| match report {
        Report::Durable { zone, tick, .. } => {
            threads.send(zone, instance::Message::Durable { zone, tick });
        }
        Report::Refused { zone, error, .. } => {
            health.raise(Obstacle::JournalFailing);
            log::error!(zone = zone.0; "{error}");
        }
        Report::Failing { error } => {
            health.raise(Obstacle::JournalFailing);
            log::error!("{error}");
        }
        Report::Recovered => {
            health.clear(Obstacle::JournalFailing);
            log::info!("the journal can be written again");
        }
        Report::SnapshotSaved { zone, tick } => {
            log::debug!(zone = zone.0, tick = tick.0; "snapshot saved");
        }
    };
    Worker::spawn(journal, WorkerConfig::default(), metrics.clone(), report)
        .context("starting the journal's thread")
}

fn spawn_simulation(
    inboxes: Vec<crossbeam_channel::Receiver<instance::Message>>,
    mut zones: Vec<Zone>,
    parts: &instance::Parts,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let count = inboxes.len();
    let mut handles = Vec::new();
    for (number, inbox) in inboxes.into_iter().enumerate() {
        let (own, rest) =
            zones.into_iter().partition(|z: &Zone| z.id().0 as usize % count == number);
        zones = rest;
        let handle = instance::spawn(number, inbox, own, parts.clone())
            .context("starting a simulation thread")?;
        handles.push(handle);
    }
    Ok(handles)
}

fn load_tokens(folder: &DataFolder) -> anyhow::Result<Tokens> {
    let path = folder.file(KEY_FILE);
    if !path.exists() {
        let line = Tokens::key_line(&random()?);
        folder
            .write_secret(KEY_FILE, line.as_bytes())
            .with_context(|| format!("writing {}", path.display()))?;
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("reading the key of the tokens from {}", path.display()))?;
    Tokens::from_text(&text).with_context(|| {
        format!("in {}: restore it, or delete it and everybody logs in anew", path.display())
    })
}

/// What the sockets' side is made from.
struct Served<'a> {
    config: &'a Config,
    folder: &'a DataFolder,
    world: &'a World,
    store: Arc<Store>,
    tokens: Arc<Tokens>,
    directory: Arc<Directory>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    net: crossbeam_channel::Sender<NetEvent>,
    ids: Arc<ConnectionIds>,
    stopped: watch::Receiver<bool>,
}

impl Served<'_> {
    fn serve(
        self,
        runtime: &Runtime,
        sockets: Sockets,
    ) -> anyhow::Result<(SocketAddr, SocketAddr, SocketAddr)> {
        let _guard = runtime.enter();
        let hashes: Hashes = Arc::new(RwLock::new(Vec::new()));
        let (identity, renew_at) = self.identity(&hashes)?;
        let quic_config = QuicConfig {
            connections_max: self.config.connections_max,
            per_address_max: self.config.connections_per_address_max,
            ..QuicConfig::default()
        };
        let quic = QuicServer::bind(
            sockets.quic,
            &identity,
            quic_config,
            self.net.clone(),
            self.ids.clone(),
        )
        .context("starting QUIC")?;
        let quic_address = quic.local_addr().context("asking for QUIC's address")?;
        if let Some(renew_at) = renew_at {
            let path = self.folder.file(CERTIFICATE_FOLDER);
            runtime.spawn(renew(quic.clone(), path, renew_at, hashes.clone()));
        }
        let stopped = |mut receiver: watch::Receiver<bool>| async move {
            // An error: the server is gone, which is a stop as well.
            let _ = receiver.wait_for(|&stop| stop).await;
        };
        let end = stopped(self.stopped.clone());
        let accepting = quic.clone();
        runtime.spawn(async move { accepting.serve(end).await });

        let web = tokio::net::TcpListener::from_std(sockets.web).context("taking the web port")?;
        let admin =
            tokio::net::TcpListener::from_std(sockets.admin).context("taking the admin port")?;
        let addresses = (web.local_addr()?, quic_address, admin.local_addr()?);
        let routes = http::router(
            http::Config {
                quic_port: quic_address.port(),
                certificate_hashes: hashes,
                ticks_per_second: self.config.ticks_per_second,
                requests_per_minute: self.config.requests_per_minute,
                ..Default::default()
            },
            self.store,
            self.tokens,
            self.metrics.clone(),
            site(self.world),
        );
        // A share for each address, well below all: one that opens connections and says nothing on
        // them must not keep the others out.
        let mut http_config = HttpConfig::default();
        http_config.per_address_max =
            http_config.per_address_max.min(self.config.connections_per_address_max);
        let door = Door {
            quic: quic.clone(),
            http: Arc::default(),
            directory: self.directory,
            metrics: self.metrics.clone(),
        };
        let service = http::upgrade::service(routes, Some(self.net));
        let end = stopped(self.stopped.clone());
        runtime.spawn(crate::net::http::serve(
            web,
            service,
            http_config.clone(),
            door.http.clone(),
            end,
        ));
        runtime.spawn(door.report());
        let service = http::upgrade::service(admin::router(self.health, self.metrics), None);
        let end = stopped(self.stopped);
        runtime.spawn(crate::net::http::serve(admin, service, http_config, Arc::default(), end));
        Ok(addresses)
    }

    /// The certificate to show, and when it has to be made anew.
    fn identity(&self, hashes: &Hashes) -> anyhow::Result<(Identity, Option<SystemTime>)> {
        if let Some((certificate, key)) = &self.config.tls_files {
            return Ok((Identity::load(certificate, key)?, None));
        }
        let path = self.folder.file(CERTIFICATE_FOLDER);
        let made = certificate::load_or_make(&path, &[], SystemTime::now())?;
        publish(hashes, &made.hashes);
        Ok((made.identity, Some(made.renew_at)))
    }
}

/// Who was turned away at the door, and who is in the world: counted elsewhere, shown once a second.
struct Door {
    quic: QuicServer,
    http: Arc<HttpCounters>,
    directory: Arc<Directory>,
    metrics: Arc<Metrics>,
}

impl Door {
    async fn report(self) {
        let Self { quic, http, directory, metrics } = self;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            let counters = quic.counters();
            let refused: u64 = [
                &counters.refused_unfinished,
                &counters.refused_address,
                &counters.refused_full,
                &counters.refused_draining,
                &counters.failed,
                &counters.timed_out,
                &http.refused_full,
                &http.refused_address,
                &http.failed,
            ]
            .into_iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .sum();
            let shown = &metrics.handshakes_refused;
            shown.inc_by(refused.saturating_sub(shown.get()));
            metrics.player_count.set(i64::try_from(directory.len()).unwrap_or(i64::MAX));
        }
    }
}

fn publish(hashes: &Hashes, made: &[[u8; 32]]) {
    let text = made.iter().map(|hash| STANDARD.encode(hash)).collect();
    *hashes.write().unwrap_or_else(std::sync::PoisonError::into_inner) = text;
}

/// Makes a new development certificate whenever the present one grows old.
async fn renew(
    quic: QuicServer,
    folder: std::path::PathBuf,
    mut renew_at: SystemTime,
    hashes: Hashes,
) {
    loop {
        let wait = renew_at.duration_since(SystemTime::now()).unwrap_or_default();
        tokio::time::sleep(wait.max(Duration::from_secs(60))).await;
        match certificate::load_or_make(&folder, &[], SystemTime::now()) {
            Ok(made) => {
                renew_at = made.renew_at;
                publish(&hashes, &made.hashes);
                if let Err(error) = quic.set_identity(&made.identity) {
                    log::error!("the new certificate cannot be used: {error}");
                }
            }
            Err(error) => log::error!("the certificate cannot be made anew: {error}"),
        }
    }
}

fn site(world: &World) -> Site {
    let content = Bytes::from(content_json(world.seed()));
    let assets = crate::web::ASSETS.iter().map(|asset| Asset {
        path: asset.path,
        content_type: asset.content_type,
        bytes: Bytes::from_static(asset.body),
    });
    Site::new(content, assets)
}

impl Running {
    /// One line that programs read.
    #[must_use]
    pub fn ready_line(&self) -> String {
        let Self { web, quic, admin, .. } = self;
        format!(
            "ready web=http://{} quic={quic} admin=http://{}",
            reachable(*web),
            reachable(*admin)
        )
    }

    /// The address to open.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.web.port())
    }

    /// Stops: tells the players to come back, lets the journal catch up, leaves snapshots.
    pub fn stop(self) -> anyhow::Result<()> {
        self.health.raise(Obstacle::Draining);
        self.stopping.store(true, Ordering::Relaxed);
        let mut problems = Vec::new();
        let mut joined = |what: &str, handle: JoinHandle<()>| {
            if handle.join().is_err() {
                problems.push(format!("{what} thread panicked"));
            }
        };
        // The receivers may be gone already; then there is nothing to tell.
        let _ = self.gateway.send(Event::Drain);
        drop(self.gateway);
        joined("the gateway", self.gateway_thread);
        let _ = self.shutdown.send(true);
        self.threads.stop();
        for handle in self.simulation {
            joined("a simulation", handle);
        }
        self.runtime.shutdown_timeout(Duration::from_secs(2));
        for handle in self.helpers {
            joined("a helper", handle);
        }
        if let Err(error) = self.worker.shutdown() {
            problems.push(error.to_string());
        }
        if problems.is_empty() { Ok(()) } else { Err(anyhow!(problems.join("; "))) }
    }
}

/// An address that can be connected to, for one that may be "any".
fn reachable(address: SocketAddr) -> SocketAddr {
    let local = if address.is_ipv4() {
        [127, 0, 0, 1].into()
    } else {
        std::net::Ipv6Addr::LOCALHOST.into()
    };
    if address.ip().is_unspecified() { SocketAddr::new(local, address.port()) } else { address }
}

/// Runs until SIGTERM or SIGINT.
pub fn run(config: &Config) -> anyhow::Result<()> {
    allow_descriptors();
    let running = start(config)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", running.ready_line()).context("writing to the standard output")?;
    writeln!(out, "\n  Undercroft is open. Play at  {}\n", running.url())?;
    log::info!(
        web = running.web.to_string().as_str(),
        quic = running.quic.to_string().as_str(),
        admin = running.admin.to_string().as_str(),
        data = config.data.display().to_string().as_str();
        "listening"
    );
    let signal = running.runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => Ok::<_, std::io::Error>("SIGTERM"),
            _ = interrupt.recv() => Ok("SIGINT"),
        }
    })?;
    log::info!("{signal}: stopping");
    running.stop()?;
    log::info!("stopped; everything is on disk");
    Ok(())
}

/// Raises the limit of open files as far as it may be: many systems begin at 1,024, and each
/// connection takes one.
fn allow_descriptors() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the structure that they are given.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
        }
    };
    if !raised {
        log::warn!("the limit of open files stays: {}", std::io::Error::last_os_error());
    }
}
