//! A store and the instances around it: late, silent, cut off, without an answer, gone, wiped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::lease::{
    Answer, CONFIDENT_FOR, Config, InstanceRecord, Leases, Output, Owner, ZoneRecord,
};
use crate::model::{InstanceId, ZoneId};

const STEP: Duration = Duration::from_millis(10);
/// How long a writer waits for an answer before it looks the record up.
const GIVE_UP_AFTER: Duration = Duration::from_millis(400);
pub(super) const VERSION: u32 = 2;
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// The tables' places in what a node has of each watch.
pub(super) const INSTANCES: usize = 0;
pub(super) const ZONES: usize = 1;

#[derive(Clone, Copy, Debug)]
enum Event {
    Connected,
    Disconnected,
    Instance(InstanceId, u64, InstanceRecord),
    Zone(ZoneId, u64, ZoneRecord),
    Renewed(Answer),
    Claimed(ZoneId, ZoneRecord, Answer),
}

#[derive(Clone, Copy, Debug)]
enum Write {
    Instance(InstanceId, InstanceRecord),
    Zone(ZoneId, ZoneRecord),
}

pub(super) struct Node {
    pub(super) me: Owner,
    pub(super) leases: Leases,
    /// What is on its way to it, when it is there, and which store it is of.
    inbox: Vec<(Duration, u32, Event)>,
    /// What is on its way to the store, with the expected revision.
    outbox: Vec<(Duration, Write, u64)>,
    pub(super) stopped_until: Duration,
    pub(super) cut_until: Duration,
    is_cut: bool,
    watches: [Watch; 2],
    pub(super) names_taken: u32,
    pub(super) reopened: u32,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Watch {
    /// By how much it tells everything later.
    pub(super) late: Duration,
    /// It tells nothing before, then everything.
    pub(super) dead_until: Duration,
    /// When it tells the last that it has.
    last: Duration,
}

/// What a store holds.
#[derive(Clone, Default)]
pub(super) struct Store {
    revision: u64,
    instances: BTreeMap<InstanceId, (u64, InstanceRecord)>,
    pub(super) zones: BTreeMap<ZoneId, (u64, ZoneRecord)>,
}

pub(super) struct World {
    pub(super) now: Duration,
    random: u64,
    boots: u64,
    pub(super) store: Store,
    /// How often the store was wiped or restored.
    begun: u32,
    pub(super) stalled_until: Duration,
    pub(super) nodes: Vec<Node>,
    /// Who was told to have gained a zone with an epoch, in each store.
    gained: BTreeMap<(u32, ZoneId, u64), Owner>,
    pub(super) lost: u32,
    /// The epochs that began while the former owner may have been living.
    taken_over: BTreeSet<(ZoneId, u64)>,
    /// No answer is lost any more.
    pub(super) is_calm: bool,
    /// Answers may take as long as a writer waits, so that one comes from a store that is gone.
    pub(super) answers_late: bool,
    /// Who is told that its name is taken stops at once.
    pub(super) leaves_names: bool,
    /// Until when two may speak for a zone.
    excused_until: Duration,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            random: seed,
            boots: 0,
            store: Store::default(),
            begun: 0,
            stalled_until: Duration::ZERO,
            nodes: Vec::new(),
            gained: BTreeMap::new(),
            lost: 0,
            taken_over: BTreeSet::new(),
            is_calm: false,
            answers_late: false,
            leaves_names: false,
            excused_until: Duration::ZERO,
        }
    }

    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % below
    }

    fn delay(&mut self) -> Duration {
        Duration::from_millis(1 + self.draw(40))
    }

    /// Starts an instance; gives its place.
    pub(super) fn start(&mut self, id: u32, capacity: u32, version: u32) -> usize {
        self.boots += 1;
        let me = Owner { instance: InstanceId(id), boot: self.boots };
        self.nodes.push(Node {
            me,
            leases: Leases::new(Config { me, capacity, version }),
            inbox: Vec::new(),
            outbox: Vec::new(),
            stopped_until: Duration::ZERO,
            cut_until: Duration::ZERO,
            is_cut: true,
            watches: [Watch::default(); 2],
            names_taken: 0,
            reopened: 0,
        });
        self.nodes.len() - 1
    }

    /// Asks for zones, where they are not known.
    pub(super) fn want(&mut self, zones: u32) {
        for zone in (1..=zones).map(ZoneId) {
            if !self.store.zones.contains_key(&zone) {
                self.put(Write::Zone(zone, ZoneRecord::WANTED));
            }
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            for at in 0..self.nodes.len() {
                self.link(at);
                self.serve(at);
                self.step(at);
            }
            if self.leaves_names {
                self.nodes.retain(|node| node.names_taken == 0);
            }
            self.check();
        }
    }

    /// The store is gone for a moment, and comes back with this in it.
    pub(super) fn restore(&mut self, store: Store) {
        let is_old = store.revision > 0;
        self.store = store;
        self.begun += 1;
        for at in 0..self.nodes.len() {
            let back = self.now + Duration::from_millis(50 + self.draw(500));
            let node = &mut self.nodes[at];
            node.cut_until = back.max(node.cut_until);
            for (_, write, _) in node.outbox.drain(..) {
                node.inbox.push((self.now, self.begun, answer_to(write, Answer::Unknown)));
            }
        }
        if is_old {
            self.excused_until = self.now + CONFIDENT_FOR;
        }
    }

    /// Cuts a node off or joins it again.
    fn link(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let is_cut = self.now < node.cut_until;
        if is_cut == node.is_cut {
            return;
        }
        node.is_cut = is_cut;
        if is_cut {
            node.forget_watches();
            node.inbox.push((self.now, self.begun, Event::Disconnected));
        } else {
            self.open(at);
        }
    }

    /// Opens the watches of a node, which tell everything anew.
    fn open(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.forget_watches();
        for watch in &mut node.watches {
            (watch.dead_until, watch.last) = (Duration::ZERO, self.now);
        }
        node.inbox.push((self.now, self.begun, Event::Connected));
        let instances = self.store.instances.iter();
        let zones = self.store.zones.iter();
        let mut all: Vec<(u64, Event)> = instances
            .map(|(&id, &(revision, it))| (revision, Event::Instance(id, revision, it)))
            .chain(zones.map(|(&id, &(revision, it))| (revision, Event::Zone(id, revision, it))))
            .collect();
        all.sort_by_key(|&(revision, _)| revision);
        for (_, event) in all {
            self.tell(at, event);
        }
    }

    /// A watch tells in the order of the writes.
    fn tell(&mut self, at: usize, event: Event) {
        let delay = self.delay();
        let node = &mut self.nodes[at];
        let watch = &mut node.watches[usize::from(matches!(event, Event::Zone(..)))];
        watch.last = (self.now + delay + watch.late).max(watch.dead_until).max(watch.last);
        node.inbox.push((watch.last, self.begun, event));
    }

    /// Carries out what has reached the store.
    fn serve(&mut self, at: usize) {
        let now = self.now;
        let due: Vec<_> = self.nodes[at].outbox.extract_if(.., |(when, ..)| *when <= now).collect();
        for (_, write, expected) in due {
            let is_cut = self.nodes[at].is_cut;
            if !is_cut && now < self.stalled_until && self.draw(2) == 0 {
                let when = self.stalled_until + self.delay();
                self.nodes[at].outbox.push((when, write, expected));
                continue;
            }
            let revision = match write {
                Write::Instance(id, _) => self.store.instances.get(&id).map_or(0, |known| known.0),
                Write::Zone(id, _) => self.store.zones.get(&id).map_or(0, |known| known.0),
            };
            let arrives = !is_cut && now >= self.stalled_until;
            let is_written = arrives && revision == expected;
            if is_written {
                self.put(write);
            }
            let is_answered = arrives && (self.is_calm || self.draw(20) > 0);
            let answer = match (is_answered, is_written) {
                (true, true) => Answer::Written(self.store.revision),
                (true, false) => Answer::Refused,
                (false, _) => Answer::Unknown,
            };
            let is_late = self.answers_late && !self.is_calm && self.draw(4) == 0;
            let late = Duration::from_millis(if is_late { self.draw(350) } else { 0 });
            let after = if is_answered { self.delay() + late } else { GIVE_UP_AFTER };
            self.nodes[at].inbox.push((now + after, self.begun, answer_to(write, answer)));
        }
    }

    /// Writes a record and tells everybody.
    fn put(&mut self, write: Write) {
        self.store.revision += 1;
        let revision = self.store.revision;
        let event = match write {
            Write::Instance(id, record) => {
                self.store.instances.insert(id, (revision, record));
                Event::Instance(id, revision, record)
            }
            Write::Zone(id, record) => {
                self.store.zones.insert(id, (revision, record));
                Event::Zone(id, revision, record)
            }
        };
        for at in 0..self.nodes.len() {
            if !self.nodes[at].is_cut {
                self.tell(at, event);
            }
        }
    }

    /// A node that is not stopped takes what has come and does what it wants.
    fn step(&mut self, at: usize) {
        let now = self.now;
        let node = &mut self.nodes[at];
        if now < node.stopped_until {
            return;
        }
        node.inbox.sort_by_key(|&(when, ..)| when);
        // What nobody knows is looked up first.
        let is_silent = node.is_cut || now < self.stalled_until;
        let is_due =
            |when: Duration, event: &Event| when <= now && !(event.is_unknown() && is_silent);
        let due: Vec<_> = node.inbox.extract_if(.., |(when, _, it)| is_due(*when, it)).collect();
        for (_, begun, event) in due {
            // What is looked up is of the store of now, if it is there.
            let is_found = self.nodes[at].handle(event, now, &self.store);
            self.carry_out_all(at, if is_found { self.begun } else { begun });
        }
        self.nodes[at].leases.handle_timeout(now);
        self.carry_out_all(at, self.begun);
    }

    /// Does what a node wants after it was told something of a store.
    fn carry_out_all(&mut self, at: usize, begun: u32) {
        while let Some(output) = self.nodes[at].leases.poll_output() {
            self.carry_out(at, output, begun);
        }
    }

    fn carry_out(&mut self, at: usize, output: Output, begun: u32) {
        let when = self.now + self.delay();
        let node = &mut self.nodes[at];
        match output {
            Output::Renew { record, expected } => {
                node.outbox.push((when, Write::Instance(node.me.instance, record), expected));
            }
            Output::Claim { zone, record, expected } => {
                node.outbox.push((when, Write::Zone(zone, record), expected));
            }
            Output::Gained { zone, epoch } => {
                let first = *self.gained.entry((begun, zone, epoch)).or_insert(node.me);
                assert_eq!(first, node.me, "zone {zone} has one owner in epoch {epoch}");
            }
            Output::Lost { .. } => self.lost += 1,
            Output::NameTaken => node.names_taken += 1,
            Output::Reopen => {
                node.reopened += 1;
                if !node.is_cut {
                    self.open(at);
                }
            }
        }
    }

    /// At no moment do two speak for a zone, apart from one that was taken over and does not know.
    fn check(&self) {
        if self.now < self.excused_until {
            return;
        }
        let mut speakers = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| self.now >= node.stopped_until) {
            for (zone, epoch) in node.leases.zones(self.now) {
                if self.taken_over.range((zone, epoch + 1)..=(zone, u64::MAX)).next().is_some() {
                    continue;
                }
                let before = speakers.insert(zone, node.me);
                assert_eq!(before, None, "and {:?} for zone {zone} at {:?}", node.me, self.now);
            }
        }
    }

    pub(super) fn owners(&self) -> Vec<Option<u32>> {
        let owner = |(_, zone): &(u64, ZoneRecord)| zone.owner.map(|owner| owner.instance.0);
        self.store.zones.values().map(owner).collect()
    }

    pub(super) fn load(&self, id: u32) -> usize {
        self.owners().iter().filter(|&&owner| owner == Some(id)).count()
    }

    /// The zones that each node speaks for.
    pub(super) fn spoken(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.leases.zones(self.now).count()).collect()
    }

    /// A node takes a zone over that it follows, if it may.
    pub(super) fn take_over(&mut self, at: usize, zone: ZoneId) -> bool {
        let now = self.now;
        let takes = self.nodes[at].leases.take_over(now, zone);
        if takes {
            while let Some(output) = self.nodes[at].leases.poll_output() {
                if let Output::Claim { record, .. } = output {
                    self.taken_over.insert((zone, record.epoch));
                }
                self.carry_out(at, output, self.begun);
            }
        }
        takes
    }

    /// A node drains and gives its zones to whom it finds best.
    pub(super) fn drain(&mut self, at: usize) {
        let now = self.now;
        let leases = &mut self.nodes[at].leases;
        leases.drain();
        for (zone, _) in leases.zones(now).collect::<Vec<_>>() {
            let to = leases.best_target(zone, now);
            // A zone whose record is just written stays, to be lost with the node.
            leases.hand_over(now, zone, to).ok();
        }
    }
}

impl Event {
    fn is_unknown(&self) -> bool {
        matches!(self, Self::Renewed(Answer::Unknown) | Self::Claimed(.., Answer::Unknown))
    }
}

impl Node {
    fn forget_watches(&mut self) {
        self.inbox.retain(|(.., event)| matches!(event, Event::Renewed(_) | Event::Claimed(..)));
    }

    /// Takes an event; whether a record was looked up for it and found.
    fn handle(&mut self, event: Event, now: Duration, store: &Store) -> bool {
        let mut is_found = false;
        match event {
            Event::Connected => self.leases.handle_connected(now),
            Event::Disconnected => self.leases.handle_disconnected(),
            Event::Instance(id, revision, record) => {
                self.leases.handle_instance(now, id, revision, record);
            }
            Event::Zone(zone, revision, record) => self.leases.handle_zone(zone, revision, record),
            Event::Renewed(answer) => {
                let known = store.instances.get(&self.me.instance);
                if let (Answer::Unknown, Some(&(revision, record))) = (answer, known) {
                    is_found = true;
                    self.leases.handle_looked_up(now, revision, record);
                }
                self.leases.handle_renewed(answer, now);
            }
            Event::Claimed(zone, record, answer) => {
                let known = store.zones.get(&zone);
                if let (Answer::Unknown, Some(&(revision, current))) = (answer, known) {
                    is_found = true;
                    self.leases.handle_zone(zone, revision, current);
                }
                self.leases.handle_claimed(zone, record, answer);
            }
        }
        is_found
    }

    pub(super) fn watch(&mut self, table: usize) -> &mut Watch {
        &mut self.watches[table]
    }
}

fn answer_to(write: Write, answer: Answer) -> Event {
    match write {
        Write::Instance(..) => Event::Renewed(answer),
        Write::Zone(zone, record) => Event::Claimed(zone, record, answer),
    }
}
