//! `game-instance`: runs zones. Any number of these share a world; each takes what it has room for.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;

use super::clock::Clock;
use super::cluster::audit::{self, Act};
use super::cluster::characters::Characters;
use super::cluster::clerk::{self, EVENTS};
use super::cluster::figures;
use super::cluster::gateways::Gateways;
use super::cluster::leases::{self, Event, Keeper};
use super::cluster::mail::{self, InstanceAnswer, InstanceOrder, ToGatewayMail};
use super::cluster::post::Post;
use super::cluster::standby::{self, Standby};
use super::cluster::tenancy::Tenancy;
use super::cluster::zones::Wanted;
use super::instance::{self, Message, Threads};
use super::loader::{self, Loader};
use super::outlet::Outlet;
use super::process::{Activated, Process};
use super::settings::{self, Common, DrainFlags, Settings};
use super::simulation::{Simulation, Simulator};
use super::world::{self, World, random};
use crate::game::generate::generate;
use crate::journal::{JetStreamJournal, JetStreamReader, Journal, Worker, WorkerConfig};
use crate::lease;
use crate::model::limits::{
    FLOORS, SIMULATION_THREADS_MAX, TICKS_PER_SECOND_DEFAULT, TICKS_PER_SECOND_MAX,
    ZONE_HEIGHT_DEFAULT, ZONE_SIDE_MAX, ZONE_SIDE_MIN, ZONE_WIDTH_DEFAULT,
};
use crate::model::{InstanceId, ZoneId};
use crate::nats::{Bus, ConnectionState, Nats, Queue, Subscription};
use crate::sim;
use crate::telemetry::{Health, Metrics, Obstacle};

/// How often is looked which gateways are gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long zones may take to go elsewhere when the process stops.
const DRAIN: Duration = Duration::from_secs(20);

/// Runs zones of a world that any number of processes share.
#[derive(Clone, Debug, Parser)]
#[command(name = "game-instance", version, args_override_self = true)]
struct Flags {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    drain: DrainFlags,
    /// Number of this instance; no two that run have the same
    #[arg(long, env = "UNDERCROFT_INSTANCE", value_name = "NUMBER", default_value_t = 1)]
    instance: u32,
    /// Zones that it takes at most
    #[arg(long, env = "UNDERCROFT_CAPACITY", value_name = "ZONES", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    capacity: u32,
    /// Ticks a second; the same for all instances and gateways
    #[arg(long, env = "UNDERCROFT_TICKS_PER_SECOND", value_name = "NUMBER",
        default_value_t = TICKS_PER_SECOND_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(TICKS_PER_SECOND_MAX)))]
    ticks_per_second: u32,
    /// Threads that simulate, each with zones and messages of its own
    #[arg(long, env = "UNDERCROFT_SIMULATION_THREADS", value_name = "NUMBER", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=SIMULATION_THREADS_MAX as i64))]
    simulation_threads: u16,
    /// What simulates: cpu, gpu (a graphics device; without one the instance does not start) or auto
    /// (the faster)
    #[arg(
        long,
        env = "UNDERCROFT_SIMULATION",
        value_enum,
        value_name = "DEVICE",
        default_value = "cpu",
        hide_possible_values = true
    )]
    simulation: Simulation,
    /// Seconds between snapshots of a zone that is awake
    #[arg(long, env = "UNDERCROFT_SNAPSHOT_SECONDS", value_name = "SECONDS", default_value_t = 15,
        value_parser = clap::value_parser!(u32).range(1..))]
    snapshot_seconds: u32,
    /// Hours of journal kept for replays
    #[arg(long, env = "UNDERCROFT_HISTORY_HOURS", value_name = "HOURS", default_value_t = 24)]
    history_hours: u32,
    /// Seed of a new world [default: random]
    #[arg(long, env = "UNDERCROFT_WORLD_SEED", value_name = "NUMBER")]
    world_seed: Option<u64>,
    /// Width of the floors of a new world, in cells
    #[arg(long, env = "UNDERCROFT_ZONE_WIDTH", value_name = "CELLS",
        default_value_t = ZONE_WIDTH_DEFAULT,
        value_parser = clap::value_parser!(u16).range(i64::from(ZONE_SIDE_MIN)..=i64::from(ZONE_SIDE_MAX)))]
    zone_width: u16,
    /// Height of the floors of a new world, in cells
    #[arg(long, env = "UNDERCROFT_ZONE_HEIGHT", value_name = "CELLS",
        default_value_t = ZONE_HEIGHT_DEFAULT,
        value_parser = clap::value_parser!(u16).range(i64::from(ZONE_SIDE_MIN)..=i64::from(ZONE_SIDE_MAX)))]
    zone_height: u16,
    /// Monsters of a new floor, for benchmarks [default: by depth and size]
    #[arg(long, env = "UNDERCROFT_MONSTERS_PER_ZONE", value_name = "NUMBER")]
    monsters_per_zone: Option<u32>,
}

impl Settings for Flags {
    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> anyhow::Result<()> {
        self.drain.token()?;
        self.common.nats.config("game-instance").map(drop)
    }
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    settings::main(run)
}

fn run(flags: &Flags) -> anyhow::Result<()> {
    let mut sockets = Activated::take()?;
    let process = Process::start(&mut sockets, flags.common.admin, flags.drain.token()?)?;
    let name = format!("game-instance {}", flags.instance);
    let nats = Nats::connect(process.runtime.handle(), &flags.common.nats.config(&name)?)?;
    let running = start(flags, &process, &nats)?;
    log::info!("waiting to be known as instance {}", flags.instance);
    running.keeper.tenure().wait_until_known();
    let act = Act::Drain { instance: InstanceId(flags.instance) };
    let drain = audit::Ending::allow(&process, &nats, act);
    let (keeper, metrics) = (running.keeper.clone(), process.metrics.clone());
    let simulator = running.simulator.clone();
    let ended = process.run("", || status(&keeper, &metrics) + &simulator.status())?;
    log::info!("{ended}: handing the zones over");
    process.health.raise(Obstacle::Draining);
    running.stop()?;
    drain.note_done();
    process.stop();
    log::info!("stopped; everything is in the journal");
    Ok(())
}

/// What systemd shows: zones, players, the 99th percentile of a tick.
fn status(keeper: &Keeper, metrics: &Metrics) -> String {
    let zones = keeper.tenure().zones();
    metrics.zones_held.set(i64::try_from(zones.len()).unwrap_or(i64::MAX));
    let population =
        |zone: &ZoneId| metrics.zone_population.with_label_values(&[&zone.to_string()]).get();
    let players: i64 = zones.iter().map(population).sum();
    let p99 = metrics
        .tick_p99()
        .map_or_else(String::new, |seconds| format!(", tick p99 {:.1} ms", seconds * 1_000.0));
    format!("{} zones, {players} players{p99}", zones.len())
}

/// The threads of an instance.
struct Running {
    keeper: Keeper,
    threads: Threads,
    simulator: Arc<Simulator>,
    simulation: Vec<JoinHandle<()>>,
    worker: Worker,
    _subscriptions: [Subscription; 2],
}

fn start(flags: &Flags, process: &Process, nats: &Nats) -> anyhow::Result<Running> {
    let (metrics, health) = (process.metrics.clone(), process.health.clone());
    let world = Arc::new(World::shared(nats, Some(wanted_world(flags)))?);
    // Which zones it will have, nobody knows yet.
    let floors = || (1..=FLOORS.min(flags.capacity)).map(|n| generate(&world.spec(ZoneId(n))));
    let simulator = Simulator::start(flags.simulation, || floors().collect(), &metrics)?;
    let simulator = Arc::new(simulator);
    let clock = Arc::new(Clock::shared(flags.ticks_per_second));
    let boot = u64::from_le_bytes(random()?);
    let journal = Journal::JetStream(JetStreamJournal::open(nats, boot)?);
    let reader = journal.reader()?;
    let (threads, inboxes) = Threads::new(flags.simulation_threads.into());
    let worker = spawn_worker(journal, &metrics, &health, &threads)?;
    let bus = Bus::new(nats);
    let per_second = u64::from(flags.ticks_per_second);
    let (loader, loader_inbox) = Loader::new();
    let (standby, standby_inbox) = Standby::new();
    // The loader and the clerk have nothing to do once the zones are elsewhere.
    loader::spawn(
        loader_inbox,
        reader,
        worker.requests(),
        threads.clone(),
        world.clone(),
        u64::from(flags.history_hours) * 3_600 * per_second,
        Some(standby.clone()),
    )?;
    let (clerk, _) = clerk::spawn(clerk::Parts {
        bus: bus.clone(),
        characters: Characters::open(nats)?,
        events: Queue::open(nats, EVENTS)?,
        wanted: Wanted::open(nats)?,
    })?;
    let me = lease::Owner { instance: InstanceId(flags.instance), boot };
    let config = lease::Config { me, capacity: flags.capacity, version: sim::VERSION };
    let (failure, told, follower) = (process.failure(), threads.clone(), standby.clone());
    let (keeper, _) = leases::spawn(nats, config, clock.clone(), move |event| match event {
        Event::Gained(zone) => told.send(zone, Message::Gained(zone)),
        Event::Lost(zone) => told.send(zone, Message::Lost(zone)),
        Event::Leave(zone, to) => told.send(zone, Message::HandOver { zone, to }),
        Event::Follow(zones) => follower.follow(zones),
        Event::NameTaken => failure.tell(format!(
            "another process is instance {} as well: give one of them another number",
            me.instance
        )),
    })?;
    standby::spawn(
        standby.clone(),
        standby_inbox,
        standby::Parts {
            nats: nats.clone(),
            reader: JetStreamReader::open(nats)?,
            world,
            keeper: keeper.clone(),
            ticks_per_second: flags.ticks_per_second,
            metrics: metrics.clone(),
        },
    )?;
    let post = Post::new(bus.clone(), boot, clerk, metrics.clone());
    let tenancy = Tenancy {
        instance: me.instance,
        keeper: keeper.clone(),
        bus: bus.clone(),
        post: post.clone(),
        threads: threads.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
    };
    let parts = instance::Parts {
        clock,
        loader,
        journal: worker.requests(),
        outlet: Outlet::Post(post),
        simulator: simulator.clone(),
        tenancy: Some(tenancy),
        metrics,
        health,
        snapshot_ticks: u64::from(flags.snapshot_seconds) * per_second,
    };
    let mut simulation = Vec::new();
    for (number, inbox) in inboxes.into_iter().enumerate() {
        let spawned = instance::spawn(number, inbox, Vec::new(), parts.clone());
        simulation.push(spawned.context("starting a simulation thread")?);
    }
    watch_gateways(nats, &bus, threads.clone());
    figures::say(nats, bus.clone(), me.instance, keeper.tenure().clone(), process.metrics.clone());
    let orders = take_orders(&bus, me.instance, keeper.clone());
    let zones_up = hear_of_zones(&bus, threads.clone(), standby);
    let subscriptions = [orders, zones_up];
    Ok(Running { keeper, threads, simulator, simulation, worker, _subscriptions: subscriptions })
}

fn wanted_world(flags: &Flags) -> world::Wanted {
    world::Wanted {
        seed: flags.world_seed,
        width: flags.zone_width,
        height: flags.zone_height,
        monsters: flags.monsters_per_zone,
        hall: false,
    }
}

fn spawn_worker(
    journal: Journal,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
    threads: &Threads,
) -> anyhow::Result<Worker> {
    let report = super::dev::report(health.clone(), threads.clone());
    Worker::spawn(journal, WorkerConfig::default(), metrics.clone(), report)
        .context("starting the journal's thread")
}

/// Tells the zones which gateways are gone.
fn watch_gateways(nats: &Nats, bus: &Bus, threads: Threads) {
    let gateways = Gateways::listen(bus);
    let state = nats.state();
    nats.spawn(async move {
        // Nothing counts as silence while nothing can be heard, or while this process stands still.
        let mut since = Instant::now();
        let mut looked = since;
        let mut second = tokio::time::interval(LOOK_EVERY);
        loop {
            second.tick().await;
            let is_up = *state.borrow() == ConnectionState::Up;
            if !is_up || looked.elapsed() > LOOK_EVERY * 2 {
                since = Instant::now();
            }
            looked = Instant::now();
            for gateway in gateways.take_gone(since) {
                log::warn!(gateway = gateway.0; "a gateway is gone");
                threads.gateway_lost(gateway);
            }
        }
    });
}

/// Tells the zones which others have come up, so that who waits to go there can go, and the standby
/// which are silent on purpose.
fn hear_of_zones(bus: &Bus, threads: Threads, standby: Standby) -> Subscription {
    bus.subscribe(mail::GATEWAYS, move |bytes| match mail::decode(&bytes) {
        Some(ToGatewayMail::ZoneUp(zone)) => threads.zone_up(zone),
        Some(ToGatewayMail::ZoneDown(zone)) => standby.handed_over(zone),
        Some(ToGatewayMail::Bundles { .. }) | None => {}
    })
}

/// Does what admins ask of this instance.
fn take_orders(bus: &Bus, instance: InstanceId, keeper: Keeper) -> Subscription {
    let subject = mail::instance(instance);
    bus.serve(&subject, &subject.clone(), move |question| {
        let answer: InstanceAnswer = match mail::decode(&question) {
            Some(InstanceOrder::Move { zone, to }) => {
                keeper.begin_move(zone, to).map_err(|error| error.to_string())
            }
            Some(InstanceOrder::SetStandby { zone, has_standby }) => {
                keeper.set_standby(zone, has_standby).map_err(|error| error.to_string())
            }
            Some(InstanceOrder::Drain) => {
                keeper.drain();
                Ok(())
            }
            None => Err("this instance is of another version".to_owned()),
        };
        mail::encode(&answer)
    })
}

impl Running {
    /// Hands the zones over, lets the journal catch up, stops the threads.
    fn stop(self) -> anyhow::Result<()> {
        self.keeper.drain();
        self.keeper.tenure().wait_until_empty(DRAIN);
        self.threads.stop();
        let mut problems = Vec::new();
        for handle in self.simulation {
            if handle.join().is_err() {
                problems.push("a simulation thread panicked".to_owned());
            }
        }
        if let Err(error) = self.worker.shutdown() {
            problems.push(error.to_string());
        }
        if problems.is_empty() { Ok(()) } else { anyhow::bail!(problems.join("; ")) }
    }
}
