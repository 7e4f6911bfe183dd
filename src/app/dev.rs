//! The embedded default: everything in one process, on SQLite.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::admission::{self, Admitter};
use super::clock::Clock;
use super::config::Config;
use super::directory::Directory;
use super::door;
use super::gateway::{self, Event, ZoneWay};
use super::instance::{self, Threads};
use super::keys::Keys;
use super::loader::{self, Loader};
use super::outlet::{self, Outlet};
use super::process::{Activated, Signals};
use super::registrar::{self, Registrar};
use super::roll::Roll;
use super::serve::{Served, Sockets};
use super::simulation::Simulator;
use super::world::World;
use crate::disk::{self, DataFolder};
use crate::game::generate::generate;
use crate::game::state::ZoneState;
use crate::journal::{Journal, Report, SqliteJournal, Worker, WorkerConfig};
use crate::model::ZoneId;
use crate::net::ConnectionIds;
use crate::net::quic::QuicConfig;
use crate::net::websocket;
use crate::store::Store;
use crate::telemetry::{Health, Metrics, Obstacle};
use crate::zone::Zone;

const KEY_FILE: &str = "token-key";
/// WebSockets that may come between two ticks; those beyond are turned away.
const NET_EVENTS_MAX: usize = 4_096;

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

/// Starts everything: checks, binds, recovers, spawns.
#[expect(clippy::too_many_lines, reason = "the whole composition, in the order it is made")]
pub fn start(config: &Config) -> anyhow::Result<Running> {
    let folder = DataFolder::open(&config.data)?;
    let sockets = Sockets::bind(config, Activated::take()?)?;
    let world = Arc::new(World::load_or_make(&folder, config)?);
    let metrics = Arc::new(Metrics::new());
    let health = Arc::new(Health::new());
    health.raise(Obstacle::Recovering);
    let disk = disk::sqlite::Config { synchronous: config.synchronous, ..Default::default() };
    let journal = Journal::Sqlite(SqliteJournal::open(&folder, disk)?);
    let reader = journal.reader()?;
    let directory = Arc::new(Directory::default());
    let zones = recover(&reader, &world, &directory)?;
    // Only now: a journal that is refused leaves the store as it was, for the version that can.
    let store = Arc::new(Store::open(&folder, disk)?);
    let tokens = Arc::new(Keys::load_or_make(&folder.file(KEY_FILE))?);

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
            None,
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
        roll: Roll::local(store.clone(), directory.clone()),
        world_seed: world.seed(),
    };
    helpers.push(admission::spawn(admitter_inbox, parts, events.clone())?);

    let at_hand = || zones_at_hand(&zones, &world);
    let simulator = Arc::new(Simulator::start(config.simulation, at_hand, &metrics)?);
    let parts = instance::Parts {
        clock: clock.clone(),
        loader,
        journal: worker.requests(),
        outlet: Outlet::Local(outlet::Local {
            threads: threads.clone(),
            directory: directory.clone(),
            registrar,
            gateway: events.clone(),
        }),
        simulator,
        tenancy: None,
        metrics: metrics.clone(),
        health: health.clone(),
        snapshot_ticks: config.snapshot_ticks,
    };
    let simulation = spawn_simulation(inboxes, zones, &parts)?;
    drop(parts);

    let ids = Arc::new(ConnectionIds::default());
    let (net_events, net) = crossbeam_channel::bounded(NET_EVENTS_MAX);
    let quic_config = QuicConfig {
        connections_max: config.connections_max,
        per_address_max: config.connections_per_address_max,
        ..QuicConfig::default()
    };
    let tls_files = config.tls_files.as_ref();
    let (quic, door) = door::open_quic(tls_files, quic_config, &folder, sockets.quic, ids.clone())?;
    let gateway_parts = gateway::Parts {
        config: crate::gateway::Config {
            ticks_per_second: u8::try_from(config.ticks_per_second).unwrap_or(u8::MAX),
            connections_max: config.connections_max,
            connections_per_address_max: config.connections_per_address_max,
            ..Default::default()
        },
        clock,
        zones: ZoneWay::Local(threads.clone()),
        admitter,
        websockets: websocket::Pool::new(websocket::PoolConfig::default(), ids),
        quic,
        net,
        metrics: metrics.clone(),
    };
    let gateway_thread = gateway::spawn(gateway_inbox, gateway_parts)?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("starting the input and output thread")?;
    let (shutdown, stopped) = watch::channel(false);
    let served = Served {
        config,
        folder: &folder,
        world: &world,
        store,
        tokens,
        directory: directory.clone(),
        threads: threads.clone(),
        metrics,
        health: health.clone(),
        net: net_events,
        door,
        stopped,
    };
    let (web, quic, admin) = served.serve(&runtime, sockets.web, sockets.admin)?;
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

/// The zones that there are already, or the first floor.
fn zones_at_hand(zones: &[Zone], world: &World) -> Vec<ZoneState> {
    if zones.is_empty() {
        return vec![generate(&world.spec(ZoneId(1)))];
    }
    zones.iter().map(Zone::state).cloned().collect()
}

fn spawn_worker(
    journal: Journal,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
    threads: &Threads,
) -> anyhow::Result<Worker> {
    let report = report(health.clone(), threads.clone());
    Worker::spawn(journal, WorkerConfig::default(), metrics.clone(), report)
        .context("starting the journal's thread")
}

/// Takes what the journal's thread tells to the simulation.
pub(super) fn report(health: Arc<Health>, threads: Threads) -> impl FnMut(Report) + Send {
    move |report: Report| match report {
        Report::Durable { zone, tick, token } => {
            threads.send(zone, instance::Message::Durable { zone, tick, token });
        }
        Report::Refused { zone, error, token } => {
            log::error!(zone = zone.0; "{error}");
            threads.send(zone, instance::Message::Refused { zone, token });
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
            threads.send(zone, instance::Message::SnapshotSaved { zone, tick });
        }
    }
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
    share_memory();
    let running = start(config)?;
    // Before anybody is told: a signal that comes at once must not end it as a crash would.
    let mut signals = Signals::hear(&running.runtime)?;
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
    let signal = running.runtime.block_on(signals.next());
    log::info!("{signal}: stopping");
    running.stop()?;
    log::info!("stopped; everything is on disk");
    Ok(())
}

/// Raises the limit of open files as far as it may be: many systems begin at 1,024, and each
/// connection takes one.
pub(super) fn allow_descriptors() {
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

/// Lets all threads share two arenas of the allocator: what is freed in one of a thread's own is of
/// use to no other.
pub(super) fn share_memory() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: sets a number, before there are other threads.
        let shared = unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) } == 1;
        if !shared {
            log::warn!("the allocator keeps an arena for each thread");
        }
    }
}
