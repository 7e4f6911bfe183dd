//! The whole system from one seed: clients, a bad network, a server that crashes.

use std::time::Duration;

use undercroft::client::{Legend, Output};
use undercroft::game::rng::{Rng, mix};
use undercroft::game::state::ZoneState;
use undercroft::gateway;
use undercroft::model::CharacterId;
use undercroft::sim;

use crate::network::{Network, Packet, Weather};
use crate::player::{Player, legend};
use crate::reference::{Reference, check_conservation};
use crate::server::{Disk, Server, fresh};

/// Where the world takes its faults from.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub weather: Weather,
    /// Chances in ten thousand, each tick.
    pub crash: u32,
    pub cut: u32,
    pub snapshot: u32,
    /// The journal takes nothing for a while.
    pub stall: u32,
    /// Chance in a hundred that a crash breaks the newest snapshots.
    pub tear: u32,
}

pub struct World {
    seed: u64,
    now: Duration,
    rng: Rng,
    faults: Faults,
    network: Network,
    server: Option<Server>,
    restart_at: Duration,
    /// What a crash left, until the restart.
    crashed_disk: Option<Disk>,
    players: Vec<Player>,
    next_connection: u64,
    legend: Legend,
    stalled_until: Duration,
    pub crashes: u32,
    pub cuts: u32,
    pub stalls: u32,
    pub torn: u32,
    matches: u64,
}

/// What a run came to; equal for equal seeds.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub world_hash: u64,
    pub commands: u64,
    pub zones: usize,
    pub crashes: u32,
    pub cuts: u32,
    pub stalls: u32,
    /// Crashes that broke snapshots.
    pub torn: u32,
    /// Commands that changed zones with their character.
    pub carried: u64,
    /// Times that somebody went through the gate of an arena.
    pub fights: u64,
    /// Bouts that somebody has won.
    pub bouts: usize,
}

/// Of ten thousand: how often somebody is called into a match.
const MATCH_CHANCE: u32 = 40;
pub const TICK: Duration = Duration::from_millis(50);

impl World {
    pub fn new(seed: u64, players: u64, faults: Faults) -> Self {
        let players = (1..=players).map(|n| Player::new(seed, n));
        Self {
            seed,
            now: Duration::ZERO,
            rng: Rng::new(seed, 0, 0),
            faults,
            network: Network::new(seed, faults.weather),
            server: Some(Server::start(seed, Default::default())),
            restart_at: Duration::ZERO,
            crashed_disk: None,
            players: players.collect(),
            next_connection: 0,
            legend: legend(),
            stalled_until: Duration::ZERO,
            crashes: 0,
            cuts: 0,
            stalls: 0,
            torn: 0,
            matches: 0,
        }
    }

    /// Runs for `ticks`, then lets the weather clear up until everybody is in step, and checks.
    pub fn run(mut self, ticks: u32) -> Outcome {
        for _ in 0..ticks {
            self.tick(true);
        }
        self.network.weather = Weather { loss: 0, duplicate: 0, delay_ms: 1 };
        self.faults.crash = 0;
        self.faults.cut = 0;
        self.faults.stall = 0;
        let mut calm = 0;
        while calm < 400 || !self.is_settled() {
            self.tick(false);
            calm += 1;
            assert!(calm < 4_000, "seed {}: the world does not settle", self.seed);
        }
        for _ in 0..5 {
            self.now += Duration::from_millis(1);
            self.deliver();
        }
        self.check()
    }

    /// Now and then two are called into a match.
    fn call(&mut self) {
        let mut rng = Rng::new(self.seed, 1, self.now.as_millis() as u64);
        let Some(server) = &mut self.server else { return };
        if rng.below(10_000) < MATCH_CHANCE {
            let count = self.players.len() as u32;
            let first = rng.below(count);
            let second = (first + 1 + rng.below(count - 1)) % count;
            self.matches += 1;
            let both = [first, second].map(|n| CharacterId(u64::from(n) + 1));
            server.call(self.matches, both);
        }
    }

    fn is_settled(&self) -> bool {
        self.players.iter().all(|p| p.client.is_playing() && p.client.waiting() == 0)
            && self.server.as_ref().is_some_and(|s| s.zones.values().all(|z| is_quiet(z.state())))
    }

    fn tick(&mut self, active: bool) {
        let end = self.now + TICK;
        while self.now < end {
            self.now += Duration::from_millis(1);
            self.deliver();
            self.tick_clients(active && self.now.as_millis().is_multiple_of(100));
        }
        if active {
            self.call();
        }
        let crash = self.rng.below(10_000) < self.faults.crash;
        // A crash comes before the tick, between appending and writing, between writing and
        // sending, or after.
        let when = self.rng.below(4);
        if self.rng.below(10_000) < self.faults.stall {
            let ms = 50 + self.rng.below(3_000);
            self.stalled_until = self.now + Duration::from_millis(ms.into());
            self.stalls += 1;
        }
        let stalled = self.now < self.stalled_until;
        match &mut self.server {
            None if self.now >= self.restart_at => self.restart(),
            None => {}
            Some(_) if crash && when == 0 => self.crash(),
            Some(server) => {
                server.gateway.handle_timeout(self.now);
                server.tick(self.now);
                if crash && when == 1 {
                    return self.crash();
                }
                if !stalled {
                    server.write();
                    if crash && when == 2 {
                        return self.crash();
                    }
                    if self.rng.below(10_000) < self.faults.snapshot {
                        server.snapshot();
                    }
                }
                server.release(self.now);
                self.send_outgoing();
                if crash {
                    self.crash();
                }
            }
        }
        if self.rng.below(10_000) < self.faults.cut {
            self.cut();
        }
    }

    /// The process dies; only the disk is left, and nothing that was not sent leaves any more.
    fn crash(&mut self) {
        self.crashes += 1;
        let server = self.server.take().unwrap();
        self.network.cut_all();
        for player in &mut self.players {
            if player.connection.take().is_some() {
                player.client.handle_closed(self.now, None);
            }
        }
        let mut disk = server.disk;
        if self.rng.chance(self.faults.tear) {
            disk.tear(self.rng.chance(50));
            self.torn += 1;
        }
        self.restart_at = self.now + Duration::from_millis(u64::from(self.rng.below(2_000)));
        self.crashed_disk = Some(disk);
    }

    fn restart(&mut self) {
        let disk = self.crashed_disk.take().unwrap();
        self.server = Some(Server::start(self.seed, disk));
    }

    /// Some connection breaks, perhaps long before the server notices.
    fn cut(&mut self) {
        let which = self.rng.below(self.players.len() as u32) as usize;
        let Some(connection) = self.players[which].connection.take() else { return };
        self.cuts += 1;
        self.network.cut(connection);
        self.players[which].client.handle_closed(self.now, None);
        if self.rng.chance(50) {
            let closed = Packet::ServerClosed { connection };
            self.network.send_ordered(self.now, connection, true, closed);
        }
    }

    fn deliver(&mut self) {
        while let Some(packet) = self.network.arrived(self.now) {
            match packet {
                Packet::Open { client, connection } => {
                    let ordered = self.players[client].ordered;
                    match &mut self.server {
                        Some(server) => {
                            server.open(self.now, connection, ordered);
                            self.players[client].client.handle_open(self.now);
                        }
                        None => {
                            self.players[client].connection = None;
                            self.players[client].client.handle_closed(self.now, None);
                        }
                    }
                }
                Packet::ToServer { connection, bytes } => {
                    if let Some(server) = &mut self.server {
                        server.gateway.handle_message(self.now, connection, &bytes);
                    }
                }
                Packet::ServerClosed { connection } => {
                    if let Some(server) = &mut self.server {
                        server.gateway.handle_ended(connection, None);
                    }
                }
                Packet::ToClient { connection, bytes } => {
                    if let Some(player) = holder(&mut self.players, connection) {
                        player.client.handle_message(self.now, &bytes);
                    }
                }
                Packet::ClientClosed { connection } => {
                    if let Some(player) = holder(&mut self.players, connection) {
                        player.connection = None;
                        player.client.handle_closed(self.now, None);
                    }
                }
            }
        }
    }
}

/// Whether a zone waits for nobody.
fn is_quiet(state: &ZoneState) -> bool {
    state.departures.is_empty() && state.bouts.is_empty()
}

fn holder(players: &mut [Player], connection: u64) -> Option<&mut Player> {
    players.iter_mut().find(|p| p.connection == Some(connection))
}

impl World {
    fn tick_clients(&mut self, decide: bool) {
        for (index, player) in self.players.iter_mut().enumerate() {
            let legend = decide.then_some(&self.legend);
            for output in player.tick(self.seed, self.now, legend, &mut self.rng) {
                match output {
                    Output::Connect { .. } => {
                        self.next_connection += 1;
                        let connection = self.next_connection;
                        player.connection = Some(connection);
                        let open = Packet::Open { client: index, connection };
                        self.network.send_ordered(self.now, connection, true, open);
                    }
                    Output::Send(bytes) => {
                        let Some(connection) = player.connection else { continue };
                        let packet = Packet::ToServer { connection, bytes };
                        self.network.send_ordered(self.now, connection, true, packet);
                    }
                    Output::Disconnect => {
                        if let Some(connection) = player.connection.take() {
                            let packet = Packet::ServerClosed { connection };
                            self.network.send_ordered(self.now, connection, true, packet);
                        }
                    }
                    Output::GiveUp(why) => panic!("seed {}: player {index}: {why}", self.seed),
                }
            }
        }
    }

    fn send_outgoing(&mut self) {
        let Some(server) = &mut self.server else { return };
        for output in std::mem::take(&mut server.outgoing) {
            match output {
                gateway::Output::Send { connection, message, how } => {
                    let packet = Packet::ToClient { connection, bytes: message.to_vec() };
                    if how == gateway::Delivery::Datagram {
                        self.network.send_datagram(self.now, packet);
                    } else {
                        self.network.send_ordered(self.now, connection, false, packet);
                    }
                }
                gateway::Output::Close { connection, .. } => {
                    let packet = Packet::ClientClosed { connection };
                    self.network.send_ordered(self.now, connection, false, packet);
                    server.gateway.handle_ended(connection, None);
                }
                other => panic!("not for the network: {other:?}"),
            }
        }
    }

    /// Compares what the server has with what the players did and see.
    fn check(mut self) -> Outcome {
        let seed = self.seed;
        let server = self.server.take().unwrap();
        let mut hash = 0;
        let mut reference = Reference::new(seed);
        for (&id, zone) in &server.zones {
            let state = zone.state();
            hash = mix(hash ^ sim::hash(state));
            let entries = server.disk.entries.get(&id).map(Vec::as_slice);
            reference.follow(fresh(seed, id), entries.unwrap_or_default(), state);
        }
        reference.check_moves(&server.disk.sheets);
        reference.check_bouts(&server.disk.bouts);
        let states: Vec<_> = server.zones.values().map(undercroft::zone::Zone::state).collect();
        check_conservation(&states, seed);
        for player in &self.players {
            player.check(seed, &states, &mut reference);
        }
        Outcome {
            world_hash: hash,
            commands: self.players.iter().map(|p| p.given.len() as u64).sum(),
            zones: server.zones.len(),
            crashes: self.crashes,
            cuts: self.cuts,
            stalls: self.stalls,
            torn: self.torn,
            carried: reference.carried,
            fights: reference.fights,
            bouts: server.disk.bouts.len(),
        }
    }
}
