//! The simulation threads: each ticks its zones on the shared clock and hands on what they say.

mod appends;
mod inbox;
mod tenant;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::app::clock::Clock;
use crate::app::cluster::tenancy::Tenancy;
use crate::app::lead;
use crate::app::loader::Loader;
use crate::app::outlet::Outlet;
use crate::app::simulation::Simulator;
use crate::game::state::Destination;
use crate::journal::{self, Requests};
use crate::model::limits::SIMULATION_MESSAGES_MAX;
use crate::model::{GatewayId, Tick, ZoneId};
use crate::nats::Subscription;
use crate::protocol::bus::{Bundle, ToZone};
use crate::sim::Executor;
use crate::telemetry::{Health, Metrics};
use crate::zone::{self, Zone};
use appends::Appends;
use inbox::is_said_once;
pub use inbox::{Message, Threads};
use tenant::Leaving;

/// Ticks of one zone that may wait for the journal before the zone pauses.
const TICKS_IN_FLIGHT_MAX: usize = 8;

/// What a simulation thread works with.
#[derive(Clone, Debug)]
pub struct Parts {
    pub clock: Arc<Clock>,
    pub loader: Loader,
    pub journal: Requests,
    pub outlet: Outlet,
    pub simulator: Arc<Simulator>,
    /// Which zones this process may run, where there are others; all of them where there are none.
    pub tenancy: Option<Tenancy>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub snapshot_ticks: u64,
}

/// Starts simulation thread number `number`.
pub fn spawn(
    number: usize,
    inbox: Receiver<Message>,
    zones: Vec<Zone>,
    parts: Parts,
) -> std::io::Result<JoinHandle<()>> {
    let zones = zones.into_iter().map(|zone| (zone.id(), zone)).collect();
    let thread = Thread {
        number,
        inbox,
        zones,
        executor: parts.simulator.executor(&parts.metrics),
        loading: BTreeMap::new(),
        failed: BTreeSet::new(),
        commanded: BTreeMap::new(),
        bundles: BTreeMap::new(),
        early_us: BTreeMap::new(),
        next_tick: Instant::now(),
        listening: BTreeMap::new(),
        leaving: BTreeMap::new(),
        again_at: Instant::now(),
        appends: Appends::default(),
        stopping: false,
        parts,
    };
    std::thread::Builder::new().name(format!("simulation-{number}")).spawn(move || thread.run())
}

struct Thread {
    number: usize,
    inbox: Receiver<Message>,
    zones: BTreeMap<ZoneId, Zone>,
    executor: Executor,
    /// What came for zones that are being loaded.
    loading: BTreeMap<ZoneId, Vec<Message>>,
    failed: BTreeSet<ZoneId>,
    /// Commands that no frame covers yet.
    commanded: BTreeMap<ZoneId, Commanded>,
    /// What gateways are told next.
    bundles: BTreeMap<GatewayId, Vec<Bundle>>,
    /// How long before their tick the latest inputs of each gateway were there, as it is told next.
    early_us: BTreeMap<GatewayId, i32>,
    next_tick: Instant,
    /// Zones that this process runs among others.
    listening: BTreeMap<ZoneId, Subscription>,
    leaving: BTreeMap<ZoneId, Leaving>,
    again_at: Instant,
    appends: Appends,
    stopping: bool,
    parts: Parts,
}

/// When the first commands of a tick came in.
#[derive(Debug, Default)]
struct Commanded {
    /// For the next tick.
    next: Option<Instant>,
    /// For ticks that are not durable yet.
    ticks: VecDeque<(Tick, Instant)>,
}

impl Thread {
    fn run(mut self) {
        let ids: Vec<_> = self.zones.keys().copied().collect();
        for id in ids {
            self.hand_on(id);
        }
        self.send_bundles();
        self.next_tick = self.parts.clock.deadline_after(Instant::now());
        let mut last_tick: Option<Instant> = None;
        while !self.stopping {
            match self.inbox.recv_deadline(self.next_tick) {
                Ok(message) => {
                    self.handle(message);
                    self.handle_waiting();
                    self.send_bundles();
                }
                Err(RecvTimeoutError::Timeout) => {
                    let begun = Instant::now();
                    self.parts.health.beat(self.number);
                    self.do_again(begun);
                    let lateness = begun.saturating_duration_since(self.next_tick);
                    if self.tick() {
                        let metrics = &self.parts.metrics;
                        metrics.tick_lateness.observe(lateness.as_secs_f64());
                        metrics.tick_duration.observe(begun.elapsed().as_secs_f64());
                        if let Some(last) = last_tick.replace(begun) {
                            let interval = begun.saturating_duration_since(last);
                            metrics.tick_interval.observe(interval.as_secs_f64());
                        }
                    } else {
                        last_tick = None;
                    }
                    self.next_tick = self.parts.clock.next(self.next_tick, Instant::now());
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        self.finish();
    }

    /// Ticks every zone that is awake; false if none is.
    fn tick(&mut self) -> bool {
        self.handle_waiting();
        self.send_bundles();
        if self.parts.outlet.is_congested() {
            return false;
        }
        let awake: Vec<ZoneId> = self
            .zones
            .iter()
            .filter(|(_, z)| !z.is_asleep() && z.ticks_in_flight() < TICKS_IN_FLIGHT_MAX)
            .filter(|&(&id, _)| self.may_tick(id))
            .map(|(&id, _)| id)
            .collect();
        if awake.is_empty() {
            return false;
        }
        let begin = |id| self.zones.get_mut(id).map(Zone::begin_tick);
        let entries = awake.iter().filter_map(begin).collect();
        self.append(entries);
        let awake_zones = self.zones.iter_mut().filter(|(id, _)| awake.binary_search(id).is_ok());
        let mut jobs: Vec<_> = awake_zones.map(|(_, zone)| zone.job()).collect();
        if let Err(failed) = self.executor.step(&mut jobs) {
            self.parts.simulator.tell(&failed, &self.parts.metrics);
        }
        for id in awake {
            if let Some(zone) = self.zones.get_mut(&id) {
                zone.end_tick();
                observe(&self.parts.metrics, zone);
                let tick = zone.state().tick;
                let commanded = self.commanded.entry(id).or_default();
                commanded.ticks.extend(commanded.next.take().map(|at| (tick, at)));
                // A zone that falls asleep is quick to load again.
                if tick.0.is_multiple_of(self.parts.snapshot_ticks) || zone.is_asleep() {
                    self.parts.loader.save_snapshot(zone.state());
                }
            }
            self.hand_on(id);
        }
        self.send_bundles();
        true
    }

    fn note_inputs(&mut self, gateway: GatewayId) {
        let period = self.parts.clock.period();
        let early = lead::early_us(self.next_tick, Instant::now(), period);
        let latest = self.early_us.entry(gateway).or_insert(early);
        *latest = early.min(*latest);
    }

    fn handle_waiting(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            self.handle(message);
        }
    }

    fn append(&mut self, entries: Vec<zone::Entry>) {
        let entries = entries.into_iter().map(crate::app::loader::to_journal).collect();
        let token = self.appends.next();
        let request = journal::Request::Append { entries, token };
        if self.parts.journal.send(request).is_err() {
            log::error!("the journal has stopped: nothing that happens now will be shown");
        }
    }

    fn handle(&mut self, message: Message) {
        let id = match &message {
            Message::Gateway { zone, .. }
            | Message::Durable { zone, .. }
            | Message::Call { zone, .. }
            | Message::Recorded { zone, .. } => *zone,
            Message::Arrival(departure) => match departure.to {
                Destination::Zone { zone, .. } => zone,
                Destination::Store => return,
            },
            Message::Confirmed(key) => key.zone,
            Message::Loaded(_) | Message::Unloadable(_) | Message::Stop => {
                return self.handle_loading(message);
            }
            Message::Refused { .. }
            | Message::SnapshotSaved { .. }
            | Message::Gained(_)
            | Message::Lost(_)
            | Message::HandOver { .. }
            | Message::GatewayLost(_)
            | Message::ZoneUp(_) => return self.handle_tenancy(message),
        };
        // A gateway of this process measures by itself.
        if self.parts.tenancy.is_some()
            && let Message::Gateway { gateway, messages, .. } = &message
            && messages.iter().any(|message| matches!(message, ToZone::Input { .. }))
        {
            self.note_inputs(*gateway);
        }
        let Some(zone) = self.zones.get_mut(&id) else { return self.load_for(id, message) };
        match message {
            Message::Gateway { gateway, messages, .. } => {
                if messages.iter().any(has_commands) {
                    let commanded = self.commanded.entry(id).or_default();
                    commanded.next.get_or_insert_with(Instant::now);
                }
                for message in messages {
                    zone.handle_message(gateway, message);
                }
            }
            Message::Arrival(departure) => zone.handle_arrival(departure),
            Message::Confirmed(key) => zone.handle_confirmed(key),
            Message::Call { character, to, arrive, .. } => {
                zone.handle_call(character, to, arrive);
            }
            Message::Recorded { tick, loser, .. } => zone.handle_recorded(tick, loser),
            // A late one of the zone as it was before would let out frames that are not durable.
            Message::Durable { token, .. } if !self.appends.is_current(id, token) => {}
            Message::Durable { tick, .. } => {
                zone.handle_durable(tick);
                self.hand_on(id);
                self.go_on_leaving(id);
                let covered = &mut self.commanded.entry(id).or_default().ticks;
                while let Some((_, at)) = covered.pop_front_if(|(of, _)| *of <= tick) {
                    self.parts.metrics.action_latency.observe(at.elapsed().as_secs_f64());
                }
            }
            Message::Loaded(_)
            | Message::Unloadable(_)
            | Message::Refused { .. }
            | Message::SnapshotSaved { .. }
            | Message::Gained(_)
            | Message::Lost(_)
            | Message::HandOver { .. }
            | Message::GatewayLost(_)
            | Message::ZoneUp(_)
            | Message::Stop => {}
        }
    }

    /// Keeps a message for a zone that is not here yet and has the zone loaded.
    fn load_for(&mut self, id: ZoneId, mut message: Message) {
        if self.failed.contains(&id) || !self.waits_for(id) {
            return;
        }
        let waiting = self.loading.entry(id).or_default();
        if waiting.is_empty() && self.parts.tenancy.is_none() {
            self.parts.loader.load(id);
        }
        if waiting.len() >= SIMULATION_MESSAGES_MAX
            && let Message::Gateway { messages, .. } = &mut message
        {
            messages.retain(is_said_once);
            if messages.is_empty() {
                return;
            }
        }
        waiting.push(message);
    }

    fn handle_loading(&mut self, message: Message) {
        match message {
            Message::Loaded(zone) => {
                let id = zone.id();
                if !self.waits_for(id) {
                    return;
                }
                if let Some(tenancy) = &self.parts.tenancy {
                    tenancy.announce(zone.state());
                }
                self.zones.insert(id, *zone);
                self.appends.begin(id);
                self.hand_on(id);
                for message in self.loading.remove(&id).unwrap_or_default() {
                    self.handle(message);
                }
            }
            Message::Unloadable(id) => {
                self.failed.insert(id);
                self.loading.remove(&id);
            }
            Message::Stop => self.stopping = true,
            Message::Gateway { .. }
            | Message::Arrival(_)
            | Message::Confirmed(_)
            | Message::Call { .. }
            | Message::Recorded { .. }
            | Message::Durable { .. }
            | Message::Refused { .. }
            | Message::SnapshotSaved { .. }
            | Message::Gained(_)
            | Message::Lost(_)
            | Message::HandOver { .. }
            | Message::GatewayLost(_)
            | Message::ZoneUp(_) => {}
        }
    }

    /// Hands on what a zone has to say.
    fn hand_on(&mut self, id: ZoneId) {
        let Some(zone) = self.zones.get_mut(&id) else { return };
        while let Some(output) = zone.poll_output() {
            match output {
                zone::Output::Bundle { gateway, bundle } => {
                    self.bundles.entry(gateway).or_default().push(bundle);
                }
                zone::Output::Depart(departure) => self.parts.outlet.depart(departure),
                zone::Output::Fought(bout) => self.parts.outlet.fought(bout),
                zone::Output::Confirm { key, character } => {
                    self.parts.outlet.arrived(zone, key, character);
                }
            }
        }
    }

    fn send_bundles(&mut self) {
        self.bundles.retain(|_, bundles| !bundles.is_empty());
        if !self.bundles.is_empty() {
            self.parts.outlet.bundles(std::mem::take(&mut self.bundles), &mut self.early_us);
        }
    }

    /// Waits for the journal and leaves a snapshot of every zone that is awake, so that the next
    /// start is quick.
    fn finish(mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.zones.values().any(|z| z.ticks_in_flight() > 0) {
            match self.inbox.recv_deadline(deadline) {
                Ok(message) => self.handle(message),
                Err(_) => break,
            }
        }
        self.send_bundles();
        for zone in self.zones.values().filter(|z| !z.is_asleep()) {
            self.parts.loader.save_snapshot(zone.state());
        }
    }
}

fn has_commands(message: &ToZone) -> bool {
    matches!(message, ToZone::Input { commands, .. } if !commands.is_empty())
}

fn observe(metrics: &Metrics, zone: &Zone) {
    let counts = zone.counts();
    metrics.actions.inc_by(counts.commands.into());
    metrics.combat_events.inc_by(counts.blows.into());
    metrics.keyframes.inc_by(counts.keyframes.into());
    let players = i64::try_from(zone.state().players.len()).unwrap_or(i64::MAX);
    metrics.zone_population.with_label_values(&[&zone.id().to_string()]).set(players);
}
