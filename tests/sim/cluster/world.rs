//! Two instances, two gateways, and players, from one seed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use undercroft::client::{self, Legend};
use undercroft::game::rng::{Rng, mix};
use undercroft::gateway;
use undercroft::model::{InstanceId, ZoneId};
use undercroft::sim::{self, Executor};
use undercroft::zone::Zone;

use super::bus::{Bus, Mail};
use super::door::Door;
use super::instance::{Instance, Shared};
use super::journal::Journal;
use super::tables::Tables;
use crate::network::{Network, Packet, Weather};
use crate::player::{Player, legend};
use crate::reference::{Reference, check_conservation};

/// Chances in ten thousand, each step but for the bus, which loses so many of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub kill: u32,
    pub stop: u32,
    pub hand_over: u32,
    /// An instance takes over what it follows, whether the owner is silent or not.
    pub take_over: u32,
    pub gateway: u32,
    pub bus_loss: u32,
    pub late_watch: u32,
    pub stall: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub world_hash: u64,
    pub commands: u64,
    pub kills: u32,
    pub stops: u32,
    pub hand_overs: u32,
    pub take_overs: u32,
    pub gateways: u32,
    pub lost: u64,
    /// Entries that the journal's fence kept out.
    pub refused: u32,
    pub moves: u64,
    /// Ticks after which there was gas or fire with the second instance.
    pub smoky: u32,
}

fn is_smoky(zones: &BTreeMap<ZoneId, Zone>) -> bool {
    let mut planes = zones.values().flat_map(|it| it.state().gas.iter().chain([&it.state().fire]));
    planes.any(|plane| plane.iter().any(|&cell| cell > 0))
}

pub struct World {
    seed: u64,
    rng: Rng,
    faults: Faults,
    pub shared: Shared,
    network: Network,
    /// Each place has a process or a time at which one starts.
    instances: [Result<Instance, Duration>; 2],
    /// What each of them simulates with.
    pub executors: [Box<dyn Fn() -> Executor>; 2],
    doors: [Result<Door, Duration>; 2],
    /// The door of each connection.
    homes: BTreeMap<u64, usize>,
    started: u32,
    connections: u64,
    players: Vec<Player>,
    legend: Legend,
    outcome: Outcome,
}

const STEP: Duration = Duration::from_millis(5);
const STEPS_A_TICK: u64 = 10;

impl World {
    pub fn new(seed: u64, players: u64, faults: Faults) -> Self {
        let weather = Weather { loss: 2, duplicate: 1, delay_ms: 20 };
        Self {
            seed,
            rng: Rng::new(seed, 6, 0),
            faults,
            shared: Shared {
                now: Duration::ZERO,
                bus: Bus::new(seed, faults.bus_loss),
                tables: Tables::new(players),
                journal: Journal::new(seed),
            },
            network: Network::new(seed, weather),
            executors: [Box::new(Executor::default), Box::new(Executor::default)],
            instances: [Err(Duration::ZERO), Err(Duration::ZERO)],
            doors: [Err(Duration::ZERO), Err(Duration::ZERO)],
            homes: BTreeMap::new(),
            started: 0,
            connections: 0,
            players: (1..=players).map(|n| Player::new(seed, n)).collect(),
            legend: legend(),
            outcome: Outcome::default(),
        }
    }

    /// Runs for `ticks`, then without faults until everybody is in step, and checks.
    pub fn run(mut self, ticks: u64) -> Outcome {
        for step in 0..ticks * STEPS_A_TICK {
            self.strike();
            self.step(step, true);
        }
        self.calm_down();
        // Settled for so long that whoever attached last has been shown all of a floor.
        let (mut step, mut settled) = (0, 0);
        while settled < 100 * STEPS_A_TICK {
            self.step(step, false);
            step += 1;
            settled = if self.is_settled() { settled + 1 } else { 0 };
            let seed = self.seed;
            assert!(
                step < 1_200 * STEPS_A_TICK,
                "seed {seed}: it does not settle: {}",
                self.unsettled()
            );
        }
        // The journal answers, and what was sent arrives.
        for step in 1..STEPS_A_TICK * 2 {
            self.step(step.max(1) * STEPS_A_TICK + 1, false);
        }
        self.check()
    }

    fn calm_down(&mut self) {
        self.network.weather = Weather { loss: 0, duplicate: 0, delay_ms: 1 };
        self.shared.bus.loss = 0;
        self.shared.journal.is_calm = true;
        self.shared.journal.stalled_until = Duration::ZERO;
        for instance in self.instances.iter_mut().flatten() {
            instance.stopped_until = Duration::ZERO;
            (instance.link.is_calm, instance.link.late_until) = (true, Duration::ZERO);
        }
    }

    fn zones(&self) -> Vec<&Zone> {
        let now = self.shared.now;
        let held = |it: &'_ Instance, zone: &Zone| it.leases.holds(zone.id(), now);
        self.instances
            .iter()
            .flatten()
            .flat_map(|it| it.zones.values().filter(move |zone| held(it, zone)))
            .collect()
    }

    fn is_settled(&self) -> bool {
        let is_done = |zone: &&Zone| zone.state().departures.is_empty();
        self.players.iter().all(|it| it.client.is_playing() && it.client.waiting() == 0)
            && self.zones().iter().all(is_done)
            && self.zones().len() == self.shared.tables.zones.len()
    }

    fn unsettled(&self) -> String {
        let players = self.players.iter().map(|it| (it.client.is_playing(), it.client.waiting()));
        let zones = self.zones();
        let departures = zones.iter().map(|it| (it.id(), it.state().departures.len()));
        format!(
            "{:?}, {:?} of {:?}, characters {:?}",
            players.collect::<Vec<_>>(),
            departures.collect::<Vec<_>>(),
            self.shared.tables.zones,
            self.shared
                .tables
                .characters
                .values()
                .map(|it| (it.version, &it.place))
                .collect::<Vec<_>>(),
        )
    }

    fn draw(&mut self, of: u32) -> bool {
        self.rng.below(10_000) < of
    }

    fn ms(&mut self, from: u32, to: u32) -> Duration {
        self.shared.now + Duration::from_millis(u64::from(from + self.rng.below(to - from)))
    }

    /// What goes wrong now.
    fn strike(&mut self) {
        let at = self.rng.below(2) as usize;
        let faults = self.faults;
        if self.draw(faults.kill) && self.instances[at].is_ok() {
            self.instances[at] = Err(self.ms(100, 4_000));
            self.outcome.kills += 1;
        }
        if self.draw(faults.gateway) && self.doors[at].is_ok() {
            self.kill_door(at);
        }
        if self.draw(faults.stall) {
            self.shared.journal.stalled_until = self.ms(50, 3_000);
        }
        let (until, late) = (self.ms(50, 10_000), self.ms(10, 1_500));
        let (stops, is_late) = (self.draw(faults.stop), self.draw(faults.late_watch));
        let takes = self.draw(faults.take_over);
        let (moves, which) = (self.draw(faults.hand_over), self.rng.bits() as usize);
        let Ok(instance) = &mut self.instances[at] else { return };
        let now = self.shared.now;
        if stops && now >= instance.stopped_until {
            instance.stopped_until = until;
            self.outcome.stops += 1;
        }
        if is_late {
            instance.link.late_until = late;
        }
        if takes && now >= instance.stopped_until {
            for zone in instance.leases.followed(now) {
                self.outcome.take_overs += u32::from(instance.leases.take_over(now, zone));
            }
        }
        if moves && now >= instance.stopped_until {
            let zones: Vec<_> = instance.leases.zones(now).map(|it| it.0).collect();
            if let Some(&zone) = zones.get(which % zones.len().max(1)) {
                let before = instance.moved;
                instance.begin_move(&mut self.shared, zone, InstanceId(2 - at as u32));
                self.outcome.hand_overs += instance.moved - before;
            }
        }
    }

    fn kill_door(&mut self, at: usize) {
        self.doors[at] = Err(self.ms(100, 3_000));
        self.outcome.gateways += 1;
        // A host that dies says nothing to its clients.
        let is_silent = self.rng.chance(30);
        for (&connection, _) in self.homes.iter().filter(|(_, home)| **home == at) {
            self.network.cut(connection);
            let mut of = self.players.iter_mut().filter(|it| it.connection == Some(connection));
            if let Some(player) = of.next().filter(|_| !is_silent) {
                player.connection = None;
                player.client.handle_closed(self.shared.now, None);
            }
        }
        self.homes.retain(|_, home| *home != at);
    }

    fn start(&mut self) {
        let now = self.shared.now;
        for at in 0..2 {
            if matches!(self.instances[at], Err(when) if when <= now) {
                self.started += 1;
                let boot = u64::from(self.started) << 32;
                let executor = self.executors[at]();
                let instance = Instance::start(&self.shared, at as u32 + 1, boot, executor);
                self.instances[at] = Ok(instance);
            }
            if matches!(self.doors[at], Err(when) if when <= now) {
                self.started += 1;
                self.doors[at] = Ok(Door::new(self.started, self.seed));
            }
        }
    }

    fn step(&mut self, step: u64, decides: bool) {
        self.shared.now += STEP;
        let now = self.shared.now;
        self.start();
        self.deliver();
        let decides = decides && step.is_multiple_of(20);
        for index in 0..self.players.len() {
            self.tick_player(index, decides);
        }
        while let Some(mail) = self.shared.bus.arrived(now) {
            self.hand_out(&mail);
        }
        for door in self.doors.iter_mut().flatten() {
            door.act(&mut self.shared);
            if step % STEPS_A_TICK == STEPS_A_TICK - 2 {
                door.flush(&mut self.shared);
            }
        }
        self.shared.journal.serve(now);
        for instance in self.instances.iter_mut().flatten() {
            instance.link.serve(now, &mut self.shared.tables);
            if now >= instance.stopped_until {
                instance.step(&mut self.shared);
                if step.is_multiple_of(STEPS_A_TICK) {
                    instance.tick(&mut self.shared);
                    let is_second = instance.me.instance == InstanceId(2);
                    self.outcome.smoky += u32::from(is_second && is_smoky(&instance.zones));
                }
            }
        }
        self.send();
    }

    fn hand_out(&mut self, mail: &Mail) {
        for instance in self.instances.iter_mut().flatten().filter(|it| it.hears(mail)) {
            instance.inbox.push_back(mail.clone());
        }
        for door in self.doors.iter_mut().flatten() {
            if matches!(mail, Mail::Gateways(_))
                || matches!(mail, Mail::Gateway(to, _) if *to == door.id)
            {
                door.handle(self.shared.now, mail.clone());
            }
        }
    }

    fn door(&mut self, connection: u64) -> Option<&mut Door> {
        self.doors[*self.homes.get(&connection)?].as_mut().ok()
    }

    fn deliver(&mut self) {
        let now = self.shared.now;
        while let Some(packet) = self.network.arrived(now) {
            match packet {
                Packet::Open { client, connection } => {
                    let ordered = self.players[client].ordered;
                    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
                    if let Some(door) = self.door(connection) {
                        door.gateway.handle_opened(now, connection, from, ordered);
                        self.players[client].client.handle_open(now);
                    } else {
                        self.players[client].connection = None;
                        self.players[client].client.handle_closed(now, None);
                    }
                }
                Packet::ToServer { connection, bytes } => {
                    if let Some(door) = self.door(connection) {
                        door.gateway.handle_message(now, connection, &bytes);
                    }
                }
                Packet::ServerClosed { connection } => {
                    if let Some(door) = self.door(connection) {
                        door.gateway.handle_ended(connection, None);
                    }
                }
                Packet::ToClient { connection, bytes } => {
                    let mut players = self.players.iter_mut();
                    if let Some(it) = players.find(|it| it.connection == Some(connection)) {
                        it.client.handle_message(now, &bytes);
                    }
                }
                Packet::ClientClosed { connection } => {
                    let mut players = self.players.iter_mut();
                    if let Some(it) = players.find(|it| it.connection == Some(connection)) {
                        it.connection = None;
                        it.client.handle_closed(now, None);
                    }
                }
            }
        }
    }

    fn tick_player(&mut self, index: usize, decides: bool) {
        let (now, seed) = (self.shared.now, self.seed);
        let player = &mut self.players[index];
        let legend = decides.then_some(&self.legend);
        for output in player.tick(seed, now, legend, &mut self.rng) {
            match output {
                client::Output::Connect { .. } => {
                    self.connections += 1;
                    let connection = self.connections;
                    player.connection = Some(connection);
                    self.homes.insert(connection, self.rng.below(2) as usize);
                    let open = Packet::Open { client: index, connection };
                    self.network.send_ordered(now, connection, true, open);
                }
                client::Output::Send(bytes) => {
                    let Some(connection) = player.connection else { continue };
                    let packet = Packet::ToServer { connection, bytes };
                    self.network.send_ordered(now, connection, true, packet);
                }
                client::Output::Disconnect => {
                    let Some(connection) = player.connection.take() else { continue };
                    let packet = Packet::ServerClosed { connection };
                    self.network.send_ordered(now, connection, true, packet);
                }
                client::Output::GiveUp(why) => {
                    panic!("seed {seed}: player {index} gives up at {now:?}: {why}")
                }
            }
        }
    }

    fn send(&mut self) {
        let now = self.shared.now;
        for door in self.doors.iter_mut().flatten() {
            for output in std::mem::take(&mut door.outgoing) {
                match output {
                    gateway::Output::Send { connection, message, how } => {
                        let packet = Packet::ToClient { connection, bytes: message.to_vec() };
                        if how == gateway::Delivery::Datagram {
                            self.network.send_datagram(now, packet);
                        } else {
                            self.network.send_ordered(now, connection, false, packet);
                        }
                    }
                    gateway::Output::Close { connection, .. } => {
                        let packet = Packet::ClientClosed { connection };
                        self.network.send_ordered(now, connection, false, packet);
                        door.gateway.handle_ended(connection, None);
                    }
                    other => panic!("not for the network: {other:?}"),
                }
            }
        }
    }

    fn check(mut self) -> Outcome {
        let seed = self.seed;
        let zones = self.zones();
        let mut reference = Reference::new(seed);
        let mut hash = 0;
        for zone in &zones {
            let state = zone.state();
            hash = mix(hash ^ sim::hash(state));
            let entries = self.shared.journal.entries(zone.id());
            let fresh = (self.shared.journal.fresh)(seed, zone.id());
            reference.follow(fresh, &entries, state);
        }
        reference.check_moves(&self.shared.tables.stored);
        let states: Vec<_> = zones.iter().map(|zone| zone.state()).collect();
        check_conservation(&states, seed);
        for player in &self.players {
            player.check(seed, &states, &mut reference);
        }
        self.outcome.moves = reference.arrivals();
        self.outcome.world_hash = hash;
        self.outcome.commands = self.players.iter().map(|it| it.given.len() as u64).sum();
        self.outcome.lost = self.shared.bus.lost;
        self.outcome.refused = self.shared.journal.refused;
        self.outcome
    }
}
