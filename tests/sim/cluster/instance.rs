//! One process that runs zones: the steps of `app/instance`, its clerk and its post, in their order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use undercroft::app::cluster::characters::Place;
use undercroft::app::cluster::mail::{ToGatewayMail, ToZoneMail};
use undercroft::game::state::{Departure, Destination, STORE, ZoneState};
use undercroft::lease::{Config, Leases, Output, Owner};
use undercroft::model::{CharacterId, GatewayId, InstanceId, Tick, ZoneId};
use undercroft::protocol::bus::Bundle;
use undercroft::sim::{self, Executor};
use undercroft::zone::{self, Zone};

use super::bus::{Bus, Mail};
use super::journal::{Journal, Report, Request, Writer};
use super::tables::{Link, Tables};

const TICKS_IN_FLIGHT_MAX: usize = 8;
const SECOND: Duration = Duration::from_secs(1);
const SNAPSHOT_WAIT_MAX: Duration = Duration::from_secs(2);
const GATEWAY_GONE_AFTER: Duration = Duration::from_secs(5);
const LEASE_STEP: Duration = Duration::from_millis(50);
const SNAPSHOT_TICKS: u64 = 300;

/// What all processes share.
pub struct Shared {
    pub now: Duration,
    pub bus: Bus,
    pub tables: Tables,
    pub journal: Journal,
}

struct Leaving {
    to: Option<InstanceId>,
    since: Duration,
    saving: Option<Tick>,
}

#[expect(clippy::large_enum_variant, reason = "departures are few and gone at once")]
enum Job {
    Depart(Departure),
    Placed(CharacterId, u64, ZoneId),
}

pub struct Instance {
    pub me: Owner,
    pub leases: Leases,
    pub link: Link,
    leases_at: Duration,
    /// The zones it may speak for, and until when.
    tenure: (BTreeSet<ZoneId>, Duration),
    pub zones: BTreeMap<ZoneId, Zone>,
    /// What came for zones that are being loaded; when they are read, and then when they are here.
    loading: BTreeMap<ZoneId, (Duration, Option<ZoneState>, Vec<Mail>)>,
    listening: BTreeSet<ZoneId>,
    leaving: BTreeMap<ZoneId, Leaving>,
    again_at: Duration,
    bundles: BTreeMap<GatewayId, Vec<Bundle>>,
    numbers: BTreeMap<GatewayId, u64>,
    writer: Writer,
    /// The newest request to the writer, and that when each zone was loaded.
    appends: u64,
    loaded_at: BTreeMap<ZoneId, u64>,
    clerk: VecDeque<(Duration, Job)>,
    pub inbox: VecDeque<Mail>,
    heard: BTreeMap<GatewayId, Duration>,
    /// When it last looked which gateways are gone, and since when silence counts.
    looked: (Duration, Duration),
    pub stopped_until: Duration,
    pub moved: u32,
    executor: Executor,
}

impl Instance {
    pub fn start(shared: &Shared, id: u32, boot: u64, executor: Executor) -> Self {
        let now = shared.now;
        let me = Owner { instance: InstanceId(id), boot };
        let mut leases = Leases::new(Config { me, capacity: 64, version: sim::VERSION });
        let mut link = Link::new(boot, me.instance);
        link.open(now, &shared.tables, &mut leases);
        Self {
            me,
            leases,
            link,
            leases_at: now,
            tenure: Default::default(),
            zones: BTreeMap::new(),
            loading: BTreeMap::new(),
            listening: BTreeSet::new(),
            leaving: BTreeMap::new(),
            again_at: now,
            bundles: BTreeMap::new(),
            numbers: BTreeMap::new(),
            writer: Writer::new(boot),
            appends: 0,
            loaded_at: BTreeMap::new(),
            clerk: VecDeque::new(),
            inbox: VecDeque::new(),
            heard: BTreeMap::new(),
            looked: (now, now),
            stopped_until: Duration::ZERO,
            moved: 0,
            executor,
        }
    }

    pub fn hears(&self, mail: &Mail) -> bool {
        match mail {
            Mail::Zone(zone, _) => self.listening.contains(zone),
            Mail::Gateways(ToGatewayMail::ZoneUp(_)) | Mail::Alive(_) => true,
            Mail::Gateways(_) | Mail::Gateway(..) => false,
        }
    }

    /// Everything between two ticks.
    pub fn step(&mut self, shared: &mut Shared) {
        let now = shared.now;
        self.link.tell(now, &shared.tables, &mut self.leases);
        if now >= self.leases_at {
            self.leases_at = now + LEASE_STEP;
            self.leases.handle_timeout(now);
        }
        self.tenure =
            (self.leases.zones(now).map(|it| it.0).collect(), self.leases.confident_until());
        while let Some(output) = self.leases.poll_output() {
            match output {
                Output::Renew { .. } | Output::Claim { .. } => self.link.write(now, output),
                Output::Gained { zone, .. } => self.gain(now, zone),
                Output::Lost { zone } => self.lose(zone),
                Output::NameTaken => panic!("no two have one name"),
                Output::Reopen => self.link.open(now, &shared.tables, &mut self.leases),
            }
        }
        for report in self.writer.step(now, &mut shared.journal) {
            self.take_report(shared, report);
        }
        self.load_some(shared);
        while let Some(mail) = self.inbox.pop_front() {
            self.handle(shared, mail);
        }
        self.send_bundles(shared);
        while self.clerk.front().is_some_and(|(at, _)| *at <= now) {
            let (_, job) = self.clerk.pop_front().unwrap();
            self.do_job(shared, job);
        }
        self.look_for_gateways(now);
    }

    pub fn tick(&mut self, shared: &mut Shared) {
        self.do_again(shared.now);
        let may = |zone: &Zone| {
            !zone.is_asleep()
                && zone.ticks_in_flight() < TICKS_IN_FLIGHT_MAX
                && !self.leaving.contains_key(&zone.id())
                && self.tenure.0.contains(&zone.id())
                && shared.now < self.tenure.1
        };
        let awake: Vec<_> = self.zones.values().filter(|it| may(it)).map(Zone::id).collect();
        if awake.is_empty() {
            return;
        }
        let begin = |id| self.zones.get_mut(id).map(Zone::begin_tick);
        let entries = awake.iter().filter_map(begin).collect();
        self.appends += 1;
        self.writer.send(Request::Append(entries, self.appends));
        let awake_zones = self.zones.iter_mut().filter(|(id, _)| awake.binary_search(id).is_ok());
        let mut jobs: Vec<_> = awake_zones.map(|(_, zone)| zone.job()).collect();
        self.executor.step(&mut jobs).unwrap();
        for id in awake {
            let Some(zone) = self.zones.get_mut(&id) else { continue };
            zone.end_tick();
            if zone.state().tick.0.is_multiple_of(SNAPSHOT_TICKS) || zone.is_asleep() {
                self.writer.send(Request::Snapshot(zone.state().clone()));
            }
            self.hand_on(shared, id);
        }
        self.send_bundles(shared);
    }

    fn handle(&mut self, shared: &mut Shared, mail: Mail) {
        match mail {
            Mail::Zone(id, said) => {
                let Some(zone) = self.zones.get_mut(&id) else {
                    if let Some((.., waiting)) = self.loading.get_mut(&id) {
                        waiting.push(Mail::Zone(id, said));
                    }
                    return;
                };
                match said {
                    ToZoneMail::Gateway { gateway, messages } => {
                        for message in messages {
                            zone.handle_message(gateway, message);
                        }
                    }
                    ToZoneMail::Arrival(departure) => zone.handle_arrival(departure),
                    ToZoneMail::Confirmed(key) => zone.handle_confirmed(key),
                    ToZoneMail::Call { .. } | ToZoneMail::Recorded { .. } => {}
                }
            }
            Mail::Gateways(ToGatewayMail::ZoneUp(up)) => {
                let now = shared.now;
                self.depart_again(
                    now,
                    |to| matches!(to, Destination::Zone { zone, .. } if *zone == up),
                );
            }
            Mail::Alive(gateway) => drop(self.heard.insert(gateway, shared.now)),
            Mail::Gateways(_) | Mail::Gateway(..) => {}
        }
    }

    fn take_report(&mut self, shared: &mut Shared, report: Report) {
        match report {
            // A late one is of the zone as it was before.
            Report::Durable(id, _, number) | Report::Refused(id, number)
                if self.loaded_at.get(&id).is_some_and(|&before| number <= before) => {}
            Report::Durable(id, tick, _) => {
                let Some(zone) = self.zones.get_mut(&id) else { return };
                zone.handle_durable(tick);
                self.hand_on(shared, id);
                self.go_on_leaving(id);
            }
            Report::Refused(id, _) => {
                self.forget(id);
                if self.listening.contains(&id) && !self.loading.contains_key(&id) {
                    self.load(shared.now, id);
                }
            }
            Report::Saved(id, tick) => {
                if self.leaving.get(&id).is_some_and(|it| it.saving == Some(tick)) {
                    self.end_hand_over(shared.now, id);
                }
            }
        }
    }

    fn hand_on(&mut self, shared: &mut Shared, id: ZoneId) {
        let Some(zone) = self.zones.get_mut(&id) else { return };
        while let Some(output) = zone.poll_output() {
            match output {
                zone::Output::Bundle { gateway, bundle } => {
                    self.bundles.entry(gateway).or_default().push(bundle);
                }
                zone::Output::Depart(departure) => {
                    self.clerk.push_back((shared.now, Job::Depart(departure)));
                }
                zone::Output::Fought(_) => {}
                zone::Output::Confirm { key, character } => {
                    if let Some(player) = zone.state().players.get(&character) {
                        let job = Job::Placed(character, player.sheet.version, id);
                        self.clerk.push_back((shared.now, job));
                    }
                    if key.zone != STORE {
                        let mail = Mail::Zone(key.zone, ToZoneMail::Confirmed(key));
                        shared.bus.send(shared.now, self.me.boot, mail);
                    }
                }
            }
        }
    }

    fn send_bundles(&mut self, shared: &mut Shared) {
        for (gateway, bundles) in std::mem::take(&mut self.bundles) {
            if bundles.is_empty() {
                continue;
            }
            let number = self.numbers.entry(gateway).or_default();
            *number += 1;
            let sender = self.me.boot;
            let mail = ToGatewayMail::Bundles { sender, number: *number, early_us: None, bundles };
            shared.bus.send(shared.now, sender, Mail::Gateway(gateway, mail));
        }
    }

    fn do_job(&mut self, shared: &mut Shared, job: Job) {
        let now = shared.now;
        let departure = match job {
            Job::Depart(departure) => departure,
            Job::Placed(character, version, zone) => {
                return shared.tables.place(character, version, &Place::Zone(zone));
            }
        };
        let (zone, mail) = match departure.to {
            Destination::Zone { zone, .. } => {
                shared.tables.want(now, zone);
                (zone, ToZoneMail::Arrival(departure))
            }
            Destination::Store => {
                let sheet = departure.sheet;
                let known = shared.tables.stored.get(&sheet.character).map_or(0, |it| it.version);
                let bytes = postcard::to_stdvec(&sheet).unwrap();
                let place = Place::rest(&bytes);
                shared.tables.place(sheet.character, sheet.version, &place);
                if sheet.version > known {
                    shared.tables.stored.insert(sheet.character, sheet);
                }
                (departure.key.zone, ToZoneMail::Confirmed(departure.key))
            }
        };
        shared.bus.send(now, self.me.boot, Mail::Zone(zone, mail));
    }

    fn look_for_gateways(&mut self, now: Duration) {
        let (looked, since) = &mut self.looked;
        if now < *looked + SECOND {
            return;
        }
        if now > *looked + SECOND * 2 {
            *since = now;
        }
        *looked = now;
        let silent = |at: Duration| now.saturating_sub(at.max(*since)) >= GATEWAY_GONE_AFTER;
        for (gateway, _) in self.heard.extract_if(.., |_, at| silent(*at)) {
            for zone in self.zones.values_mut() {
                zone.handle_gateway_lost(gateway);
            }
        }
    }
}

/// Zones that come and go.
impl Instance {
    fn gain(&mut self, now: Duration, zone: ZoneId) {
        if !self.loading.contains_key(&zone) {
            self.listening.insert(zone);
            self.forget(zone);
            self.load(now, zone);
        }
    }

    fn load(&mut self, now: Duration, zone: ZoneId) {
        self.writer.send(Request::Release(zone));
        self.loading.insert(zone, (now + Duration::from_millis(10), None, Vec::new()));
    }

    fn load_some(&mut self, shared: &mut Shared) {
        let now = shared.now;
        let mut loaded = Vec::new();
        for (&id, (at, state, _)) in self.loading.iter_mut().filter(|(_, it)| it.0 <= now) {
            if state.is_none() {
                (*at, *state) = (now + Duration::from_millis(20), Some(shared.journal.load(id)));
            } else {
                loaded.push(id);
            }
        }
        for id in loaded {
            let Some((_, Some(state), waiting)) = self.loading.remove(&id) else { continue };
            for (&character, player) in &state.players {
                let job = Job::Placed(character, player.sheet.version, id);
                self.clerk.push_back((now, job));
            }
            let mail = Mail::Gateways(ToGatewayMail::ZoneUp(id));
            shared.bus.send(now, self.me.boot, mail);
            self.zones.insert(id, Zone::new(state, "floor"));
            self.loaded_at.insert(id, self.appends);
            self.hand_on(shared, id);
            for mail in waiting {
                self.handle(shared, mail);
            }
        }
    }

    fn lose(&mut self, zone: ZoneId) {
        self.listening.remove(&zone);
        self.forget(zone);
        self.loading.remove(&zone);
        self.writer.send(Request::Release(zone));
    }

    fn forget(&mut self, zone: ZoneId) {
        self.zones.remove(&zone);
        self.leaving.remove(&zone);
        self.bundles.values_mut().for_each(|bundles| bundles.retain(|it| it.zone != zone));
    }

    /// An admin wants a zone elsewhere.
    pub fn begin_move(&mut self, shared: &mut Shared, zone: ZoneId, to: InstanceId) {
        if self.leases.check_hand_over(shared.now, zone, to).is_err() {
            return;
        }
        self.moved += 1;
        if self.zones.contains_key(&zone) {
            let mail = Mail::Gateways(ToGatewayMail::ZoneDown(zone));
            shared.bus.send(shared.now, self.me.boot, mail);
            let leaving = Leaving { to: Some(to), since: shared.now, saving: None };
            self.leaving.insert(zone, leaving);
            self.go_on_leaving(zone);
        } else if self.listening.contains(&zone) {
            self.lose(zone);
            self.hand_over(shared.now, zone, Some(to));
        }
    }

    fn go_on_leaving(&mut self, zone: ZoneId) {
        let Some(leaving) = self.leaving.get_mut(&zone) else { return };
        let Some(held) = self.zones.get(&zone) else { return };
        if leaving.saving.is_none() && held.ticks_in_flight() == 0 {
            leaving.saving = Some(held.state().tick);
            self.writer.send(Request::Snapshot(held.state().clone()));
        }
    }

    fn end_hand_over(&mut self, now: Duration, zone: ZoneId) {
        let Some(leaving) = self.leaving.remove(&zone) else { return };
        self.lose(zone);
        self.hand_over(now, zone, leaving.to);
    }

    fn hand_over(&mut self, now: Duration, zone: ZoneId, to: Option<InstanceId>) {
        let to = to.filter(|&to| self.leases.check_hand_over(now, zone, to).is_ok());
        let to = to.or_else(|| self.leases.best_target(zone, now));
        match self.leases.hand_over(now, zone, to) {
            Ok(()) | Err(undercroft::lease::HandOverError::NotHere { .. }) => {}
            // Where it cannot go it goes on here.
            Err(_) => self.gain(now, zone),
        }
    }

    fn do_again(&mut self, now: Duration) {
        if now < self.again_at {
            return;
        }
        self.again_at = now + SECOND;
        self.depart_again(now, |_| true);
        let is_late = |it: &Leaving| it.saving.is_some() && now > it.since + SNAPSHOT_WAIT_MAX;
        let late: Vec<_> =
            self.leaving.iter().filter(|(_, it)| is_late(it)).map(|(&zone, _)| zone).collect();
        for zone in late {
            self.end_hand_over(now, zone);
        }
    }

    fn depart_again(&mut self, now: Duration, is_meant: impl Fn(&Destination) -> bool) {
        let waiting = self.zones.values().flat_map(Zone::unconfirmed);
        let meant = waiting.filter(|departure| is_meant(&departure.to));
        self.clerk.extend(meant.map(|it| (now, Job::Depart(it.clone()))));
    }
}
