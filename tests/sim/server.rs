//! One server process of the simulation: a gateway, zones, and what it has on disk.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use undercroft::game::generate::{ZoneSpec, generate};
use undercroft::game::state::{Arrive, Bout, Departure, Destination, Seat, Sheet, ZoneState};
use undercroft::gateway::{self, Admission, Gateway, Identity, Located};
use undercroft::model::{AccountId, CharacterId, GatewayId, SessionId, Tick, ZoneId};
use undercroft::protocol::CloseReason;
use undercroft::zone::{self, Entry, Replayer, Zone, encode_snapshot};

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub entries: BTreeMap<ZoneId, Vec<Entry>>,
    /// The snapshots kept of each zone, the newest last; the first is the zone as it was made.
    pub snapshots: BTreeMap<ZoneId, Vec<(Tick, Vec<u8>)>>,
    /// Characters at rest.
    pub sheets: BTreeMap<CharacterId, Sheet>,
    pub deaths: u32,
    /// By zone, tick and first loser.
    pub bouts: BTreeMap<(ZoneId, Tick, CharacterId), Bout>,
}

pub struct Server {
    pub world_seed: u64,
    pub gateway: Gateway,
    take_overs: u64,
    pub zones: BTreeMap<ZoneId, Zone>,
    pub disk: Disk,
    /// Entries handed to the journal and not yet on disk.
    unwritten: Vec<Entry>,
    /// Ticks on disk that the zones have not been told of.
    written: Vec<(ZoneId, Tick)>,
    /// What waits to be sent.
    pub outgoing: Vec<gateway::Output>,
    /// Departures whose other side has not been told yet.
    moving: Vec<Departure>,
    /// Bouts that the store has not been told of yet.
    fought: Vec<Bout>,
}

/// Where matches are.
const ARENA: ZoneId = ZoneId(1_001);
/// Ticks of a zone that may wait for the journal.
const TICKS_IN_FLIGHT_MAX: usize = 8;

impl Disk {
    /// The newest snapshots break: they are cut short, or were never written.
    pub fn tear(&mut self, cut: bool) {
        for kept in self.snapshots.values_mut().filter(|kept| kept.len() > 1) {
            match kept.pop() {
                Some((tick, bytes)) if cut => {
                    kept.push((tick, bytes[..bytes.len() / 2].to_vec()));
                }
                _ => {}
            }
        }
    }
}

/// The zone as the generator makes it.
pub fn fresh(world_seed: u64, id: ZoneId) -> ZoneState {
    generate(&match u8::try_from(id.0) {
        Ok(depth) => ZoneSpec::floor(id, world_seed, depth, 64, 48),
        Err(_) => ZoneSpec::arena(id, world_seed),
    })
}

impl Server {
    /// Starts on what is on disk, as a server does: newest snapshot, then the journal.
    pub fn start(world_seed: u64, disk: Disk) -> Self {
        let config = gateway::Config { connections_per_address_max: 100, ..Default::default() };
        let mut server = Self {
            world_seed,
            gateway: Gateway::new(config),
            take_overs: 0,
            zones: BTreeMap::new(),
            unwritten: Vec::new(),
            written: Vec::new(),
            outgoing: Vec::new(),
            moving: Vec::new(),
            fought: Vec::new(),
            disk,
        };
        let ids: Vec<_> = server.disk.snapshots.keys().copied().collect();
        for id in ids {
            server.load(id);
        }
        server
    }

    fn load(&mut self, id: ZoneId) {
        let state = match self.disk.snapshots.get(&id) {
            Some(kept) => {
                let mut whole = kept.iter().rev().filter_map(|(tick, bytes)| {
                    let version = undercroft::sim::VERSION;
                    Some((*tick, Replayer::from_snapshot(id, *tick, version, bytes).ok()?))
                });
                let (tick, mut replayer) = whole.next().unwrap();
                for entry in self.disk.entries.get(&id).into_iter().flatten() {
                    if entry.tick > tick {
                        replayer.apply(entry).unwrap();
                    }
                }
                replayer.into_state()
            }
            None => {
                let state = fresh(self.world_seed, id);
                self.disk.snapshots.insert(id, vec![(state.tick, encode_snapshot(&state))]);
                state
            }
        };
        self.zones.insert(id, Zone::new(state, "floor"));
    }

    fn zone(&mut self, id: ZoneId) -> &mut Zone {
        if !self.zones.contains_key(&id) {
            self.load(id);
        }
        self.zones.get_mut(&id).unwrap()
    }

    /// Half a tick: takes what came in, appends the entries, steps.
    pub fn tick(&mut self, now: Duration) {
        self.gateway.flush();
        self.act(now);
        let goes =
            |zone: &&mut Zone| !zone.is_asleep() && zone.ticks_in_flight() < TICKS_IN_FLIGHT_MAX;
        for zone in self.zones.values_mut().filter(goes) {
            let entry = zone.begin_tick();
            self.unwritten.push(entry);
            zone.finish_tick();
        }
    }

    /// The other half: the journal gets everything that waits for it.
    pub fn write(&mut self) {
        for entry in std::mem::take(&mut self.unwritten) {
            let (id, tick) = (entry.zone, entry.tick);
            let entries = self.disk.entries.entry(id).or_default();
            assert!(entries.last().is_none_or(|last| last.tick.next() == tick), "gap in {id}");
            entries.push(entry);
            self.written.push((id, tick));
        }
    }

    /// What was held back for the journal leaves.
    pub fn release(&mut self, now: Duration) {
        for (id, tick) in std::mem::take(&mut self.written) {
            self.zones.get_mut(&id).unwrap().handle_durable(tick);
        }
        let ids: Vec<_> = self.zones.keys().copied().collect();
        for id in ids {
            self.hand_on(now, id);
        }
        for departure in std::mem::take(&mut self.moving) {
            self.settle(departure);
        }
        for bout in std::mem::take(&mut self.fought) {
            let (zone, tick, loser) = (bout.zone, bout.tick, bout.losers[0]);
            let before = self.disk.bouts.insert((zone, tick, loser), bout.clone());
            assert!(before.is_none_or(|before| before == bout));
            self.zone(zone).handle_recorded(tick, loser);
        }
        self.act(now);
    }

    fn hand_on(&mut self, now: Duration, id: ZoneId) {
        while let Some(output) = self.zones.get_mut(&id).and_then(Zone::poll_output) {
            match output {
                zone::Output::Bundle { bundle, .. } => self.gateway.handle_bundle(now, bundle),
                zone::Output::Depart(departure) => self.moving.push(departure),
                zone::Output::Fought(bout) => self.fought.push(bout),
                zone::Output::Confirm { key, .. } => {
                    if let Some(from) = self.zones.get_mut(&key.zone) {
                        from.handle_confirmed(key);
                    }
                }
            }
        }
    }

    /// Calls two characters into a match.
    pub fn call(&mut self, number: u64, both: [CharacterId; 2]) {
        for (side, character) in (0..).zip(both) {
            let is_in = |zone: &&mut Zone| zone.state().players.contains_key(&character);
            let Some(zone) = self.zones.values_mut().find(is_in) else { continue };
            let arrive = Arrive::Match(Seat { number, side, size: 1 });
            zone.handle_call(character, ARENA, arrive);
        }
    }

    fn settle(&mut self, departure: Departure) {
        self.disk.deaths += u32::from(departure.death.is_some());
        match departure.to {
            Destination::Zone { zone, .. } => self.zone(zone).handle_arrival(departure),
            Destination::Store => {
                let key = departure.key;
                let sheet = departure.sheet;
                let known = self.disk.sheets.get(&sheet.character).map_or(0, |s| s.version);
                if sheet.version > known {
                    self.disk.sheets.insert(sheet.character, sheet);
                }
                self.zone(key.zone).handle_confirmed(key);
            }
        }
    }

    /// A snapshot of every zone, as if the background thread had been at work.
    pub fn snapshot(&mut self) {
        assert!(self.unwritten.is_empty());
        for (&id, zone) in &self.zones {
            let snapshot = (zone.state().tick, encode_snapshot(zone.state()));
            self.disk.snapshots.entry(id).or_default().push(snapshot);
        }
    }

    pub fn open(&mut self, now: Duration, connection: u64, ordered: bool) {
        let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.gateway.handle_opened(now, connection, from, ordered);
    }

    /// Answers what the gateway asks; zones get their batches.
    fn act(&mut self, now: Duration) {
        let mut later = Vec::new();
        while let Some(output) = self.gateway.poll_output() {
            match output {
                gateway::Output::Verify { connection, token, .. } => {
                    let account = token.parse().map(AccountId);
                    let identity = account.map(|account| Identity { account, resumes: None });
                    let answer = identity.map_err(|_| CloseReason::Unauthenticated);
                    self.gateway.handle_verified(now, connection, answer);
                }
                gateway::Output::Admit { connection, identity, .. } => {
                    let answer = self.admit(identity.account);
                    self.gateway.handle_admission(now, connection, answer);
                }
                gateway::Output::Locate { connection, character, .. } => {
                    let at = self.locate(character);
                    self.gateway.handle_located(now, connection, character, at);
                }
                gateway::Output::ToZone { zone, messages } => {
                    for message in messages {
                        self.zone(zone).handle_message(GatewayId(1), message);
                    }
                }
                send => later.push(send),
            }
        }
        self.outgoing.extend(later);
    }

    fn admit(&mut self, AccountId(number): AccountId) -> Result<Admission, CloseReason> {
        let character = CharacterId(number);
        let resume = number.to_string();
        let located = self.locate(character);
        self.take_overs += 1;
        let take_over = self.take_overs;
        Ok(Admission { session: SessionId(number), character, resume, located, take_over })
    }

    fn locate(&self, character: CharacterId) -> Located {
        let holds = |zone: &&Zone| zone.state().players.contains_key(&character);
        if let Some(zone) = self.zones.values().find(holds) {
            return Located { zone: zone.id(), sheet: None };
        }
        let leaves =
            |zone: &&Zone| zone.state().departures.iter().any(|d| d.key.character == character);
        if let Some(zone) = self.zones.values().find(leaves) {
            return Located { zone: zone.id(), sheet: None };
        }
        let sheet = self.disk.sheets.get(&character).cloned().unwrap_or_else(|| {
            undercroft::game::player::new_sheet(
                character,
                &format!("p{character}"),
                self.world_seed,
            )
        });
        let bytes = postcard::to_stdvec(&sheet).unwrap();
        Located { zone: sheet.home, sheet: Some(bytes) }
    }
}
