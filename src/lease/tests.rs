//! Leases over a store that is modelled: late, cut off, without an answer, gone for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::{
    Answer, Config, DEAD_AFTER, InstanceRecord, Leases, Output, Owner, SETTLE, TURN, ZoneRecord,
};
use crate::model::{InstanceId, ZoneId};

const STEP: Duration = Duration::from_millis(10);
const VERSION: u32 = 2;

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

struct Node {
    me: Owner,
    leases: Leases,
    /// What is on its way to it, and when it is there.
    inbox: Vec<(Duration, Event)>,
    /// What is on its way to the store, with the expected revision.
    outbox: Vec<(Duration, Write, u64)>,
    stopped_until: Duration,
    cut_until: Duration,
    is_cut: bool,
    name_taken: bool,
}

/// A store and the instances around it.
struct World {
    now: Duration,
    random: u64,
    revision: u64,
    boots: u64,
    instances: BTreeMap<InstanceId, (u64, InstanceRecord)>,
    zones: BTreeMap<ZoneId, (u64, ZoneRecord)>,
    nodes: Vec<Node>,
    /// Who was told to have gained a zone with an epoch.
    gained: BTreeMap<(ZoneId, u64), Owner>,
    lost: u32,
    /// No answer is lost any more.
    is_calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            random: seed,
            revision: 0,
            boots: 0,
            instances: BTreeMap::new(),
            zones: BTreeMap::new(),
            nodes: Vec::new(),
            gained: BTreeMap::new(),
            lost: 0,
            is_calm: false,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % below
    }

    fn delay(&mut self) -> Duration {
        Duration::from_millis(1 + self.draw(40))
    }

    /// Starts an instance; gives its place.
    fn start(&mut self, id: u32, capacity: u32, version: u32) -> usize {
        self.boots += 1;
        let me = Owner { instance: InstanceId(id), boot: self.boots };
        let leases = Leases::new(Config { me, capacity, version });
        let node = Node {
            me,
            leases,
            inbox: Vec::new(),
            outbox: Vec::new(),
            stopped_until: Duration::ZERO,
            cut_until: Duration::ZERO,
            is_cut: true,
            name_taken: false,
        };
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn want(&mut self, zones: u32) {
        for zone in 1..=zones {
            self.revision += 1;
            self.put(Write::Zone(ZoneId(zone), ZoneRecord::WANTED), self.revision);
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            for at in 0..self.nodes.len() {
                self.link(at);
                self.store(at);
                self.step(at);
            }
            self.check();
        }
    }

    /// Cuts a node off or joins it again; then it is told everything anew.
    fn link(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let is_cut = self.now < node.cut_until;
        if is_cut == node.is_cut {
            return;
        }
        node.is_cut = is_cut;
        node.inbox.retain(|(_, event)| matches!(event, Event::Renewed(_) | Event::Claimed(..)));
        node.inbox.push((self.now, if is_cut { Event::Disconnected } else { Event::Connected }));
        if !is_cut {
            let instances = self.instances.iter().map(|(&id, &(r, it))| Event::Instance(id, r, it));
            let zones = self.zones.iter().map(|(&id, &(r, it))| Event::Zone(id, r, it));
            node.inbox.extend(instances.chain(zones).map(|event| (self.now, event)));
        }
    }

    /// Carries out what has reached the store.
    fn store(&mut self, at: usize) {
        let now = self.now;
        let due: Vec<_> = self.nodes[at].outbox.extract_if(.., |(when, ..)| *when <= now).collect();
        for (_, write, expected) in due {
            let revision = match write {
                Write::Instance(id, _) => self.instances.get(&id).map_or(0, |known| known.0),
                Write::Zone(id, _) => self.zones.get(&id).map_or(0, |known| known.0),
            };
            let arrives = !self.nodes[at].is_cut;
            let is_written = arrives && revision == expected;
            if is_written {
                self.revision += 1;
                self.put(write, self.revision);
            }
            let is_answered = arrives && (self.is_calm || self.draw(20) > 0);
            let answer = match (is_answered, is_written) {
                (true, true) => Answer::Written(self.revision),
                (true, false) => Answer::Refused,
                (false, _) => Answer::Unknown,
            };
            let after = if is_answered { self.delay() } else { Duration::from_millis(400) };
            let event = match write {
                Write::Instance(..) => Event::Renewed(answer),
                Write::Zone(zone, record) => Event::Claimed(zone, record, answer),
            };
            self.nodes[at].inbox.push((now + after, event));
        }
    }

    /// Writes a record and tells everybody.
    fn put(&mut self, write: Write, revision: u64) {
        let event = match write {
            Write::Instance(id, record) => {
                self.instances.insert(id, (revision, record));
                Event::Instance(id, revision, record)
            }
            Write::Zone(id, record) => {
                self.zones.insert(id, (revision, record));
                Event::Zone(id, revision, record)
            }
        };
        for at in 0..self.nodes.len() {
            let when = self.now + self.delay();
            if !self.nodes[at].is_cut {
                self.nodes[at].inbox.push((when, event));
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
        node.inbox.sort_by_key(|&(when, _)| when);
        // What nobody knows is looked up first.
        let is_cut = node.is_cut;
        let is_due = |when: Duration, event: &Event| {
            let is_unknown = matches!(
                event,
                Event::Renewed(Answer::Unknown) | Event::Claimed(.., Answer::Unknown)
            );
            when <= now && !(is_unknown && is_cut)
        };
        for (_, event) in node.inbox.extract_if(.., |(when, event)| is_due(*when, event)) {
            match event {
                Event::Connected => node.leases.handle_connected(now),
                Event::Disconnected => node.leases.handle_disconnected(),
                Event::Instance(id, revision, record) => {
                    node.leases.handle_instance(now, id, revision, record);
                }
                Event::Zone(zone, revision, record) => {
                    node.leases.handle_zone(zone, revision, record);
                }
                Event::Renewed(answer) => {
                    let me = node.me.instance;
                    if answer == Answer::Unknown
                        && let Some(&(revision, record)) = self.instances.get(&me)
                    {
                        node.leases.handle_instance(now, me, revision, record);
                    }
                    node.leases.handle_renewed(answer, now);
                }
                Event::Claimed(zone, record, answer) => {
                    let (revision, current) = self.zones[&zone];
                    if answer == Answer::Unknown {
                        node.leases.handle_zone(zone, revision, current);
                    }
                    node.leases.handle_claimed(zone, record, answer);
                }
            }
        }
        node.leases.handle_timeout(now);
        while let Some(output) = self.nodes[at].leases.poll_output() {
            self.carry_out(at, output);
        }
    }

    fn carry_out(&mut self, at: usize, output: Output) {
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
                let first = *self.gained.entry((zone, epoch)).or_insert(node.me);
                assert_eq!(first, node.me, "zone {zone} has one owner in epoch {epoch}");
            }
            Output::Lost { .. } => self.lost += 1,
            Output::NameTaken => node.name_taken = true,
        }
    }

    /// At no moment do two speak for a zone.
    fn check(&self) {
        let mut speakers = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| self.now >= node.stopped_until) {
            for (zone, _) in node.leases.zones(self.now) {
                let before = speakers.insert(zone, node.me);
                assert_eq!(before, None, "and {:?} for zone {zone}", node.me);
            }
        }
    }

    fn owners(&self) -> Vec<Option<u32>> {
        self.zones.values().map(|(_, zone)| zone.owner.map(|owner| owner.instance.0)).collect()
    }

    fn load(&self, id: u32) -> usize {
        self.owners().iter().filter(|&&owner| owner == Some(id)).count()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn zones_go_to_whoever_has_most_room() {
    let mut world = World::new(1);
    for (id, capacity) in [(1, 100), (2, 100), (3, 50)] {
        world.start(id, capacity, VERSION);
    }
    world.run(SECOND);
    world.want(25);
    world.run(2 * SECOND);
    // Two may claim at the same time.
    for (id, share) in [(1, 10_usize), (2, 10), (3, 5)] {
        assert!(world.load(id).abs_diff(share) <= 1, "{id} has {}", world.load(id));
    }
    assert_eq!(world.lost, 0);
}

#[test]
fn nobody_takes_more_than_it_can() {
    let mut world = World::new(2);
    world.start(1, 3, VERSION);
    world.want(5);
    world.run(4 * SECOND);
    assert_eq!(world.load(1), 3);
    world.start(2, 9, VERSION);
    world.run(4 * SECOND);
    assert_eq!([world.load(1), world.load(2)], [3, 2]);
}

#[test]
fn the_zones_of_a_dead_instance_run_elsewhere_within_its_time() {
    let mut world = World::new(3);
    for id in 1..=3 {
        world.start(id, 100, VERSION);
    }
    world.want(12);
    world.run(3 * SECOND);
    assert_eq!(world.load(1), 4);
    world.nodes[0].stopped_until = Duration::MAX;
    world.run(DEAD_AFTER + SETTLE + 2 * TURN);
    assert_eq!([world.load(1), world.load(2), world.load(3)], [0, 6, 6]);
}

#[test]
fn a_zombie_learns_that_it_has_lost_before_it_speaks() {
    let mut world = World::new(4);
    world.start(1, 100, VERSION);
    world.start(2, 100, VERSION);
    world.want(4);
    world.run(3 * SECOND);
    world.nodes[0].stopped_until = world.now + 10 * SECOND;
    world.run(10 * SECOND);
    assert!(!world.nodes[0].leases.is_confident(world.now));
    assert_eq!(world.load(2), 4);
    world.run(SECOND);
    assert_eq!((world.lost, world.nodes[0].leases.zones(world.now).count()), (2, 0));
    // It is an instance like any other again.
    assert!(world.nodes[0].leases.is_confident(world.now));
    world.nodes[1].leases.drain();
    let gone: Vec<ZoneId> = world.nodes[1].leases.zones(world.now).map(|(zone, _)| zone).collect();
    let now = world.now;
    for zone in gone {
        world.nodes[1].leases.hand_over(now, zone, None);
    }
    world.run(2 * SECOND);
    assert_eq!(world.load(1), 4);
}

#[test]
fn a_store_that_is_gone_for_a_while_moves_nothing() {
    let mut world = World::new(5);
    world.start(1, 100, VERSION);
    world.start(2, 100, VERSION);
    world.want(6);
    world.run(3 * SECOND);
    let before = world.owners();
    for node in &mut world.nodes {
        node.cut_until = world.now + 30 * SECOND;
    }
    world.run(30 * SECOND);
    assert!(world.nodes.iter().all(|node| !node.leases.is_confident(world.now)));
    world.run(5 * SECOND);
    assert!(world.nodes.iter().all(|node| node.leases.is_confident(world.now)));
    assert_eq!((world.owners(), world.lost), (before, 0));
}

#[test]
fn a_zone_is_handed_over_to_the_instance_that_was_named() {
    let mut world = World::new(6);
    world.start(1, 100, VERSION);
    world.want(3);
    world.run(2 * SECOND);
    world.start(2, 100, VERSION);
    world.run(SECOND);
    assert_eq!(world.load(2), 0, "nothing moves by itself");
    let now = world.now;
    world.nodes[0].leases.hand_over(now, ZoneId(2), Some(InstanceId(2)));
    world.run(SECOND);
    assert_eq!(world.owners(), [Some(1), Some(2), Some(1)]);
    assert_eq!(world.nodes[1].leases.zones(world.now).collect::<Vec<_>>(), [(ZoneId(2), 2)]);
    assert_eq!(world.lost, 0);
}

#[test]
fn a_journal_is_gone_on_with_by_the_version_that_wrote_it_only() {
    let mut world = World::new(7);
    world.start(1, 100, VERSION);
    world.want(2);
    world.run(2 * SECOND);
    world.start(2, 100, VERSION + 1);
    world.nodes[0].stopped_until = Duration::MAX;
    world.run(4 * SECOND);
    assert_eq!(world.load(2), 0);
    world.start(3, 100, VERSION);
    world.run(4 * SECOND);
    assert_eq!(world.load(3), 2);
}

#[test]
fn the_second_of_one_name_waits_and_a_twin_is_told() {
    let mut world = World::new(8);
    world.start(1, 100, VERSION);
    world.want(2);
    world.run(2 * SECOND);
    let twin = world.start(1, 100, VERSION);
    world.run(5 * SECOND);
    assert_eq!(world.nodes[twin].leases.zones(world.now).count(), 0);
    assert!(!world.nodes[twin].leases.is_confident(world.now));
    // The first one stops for so long that the twin takes the name over.
    world.nodes[0].stopped_until = world.now + 5 * SECOND;
    world.run(5 * SECOND);
    assert_eq!(world.nodes[twin].leases.zones(world.now).count(), 2);
    world.run(SECOND);
    assert!(world.nodes[0].name_taken && !world.nodes[0].leases.is_confident(world.now));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn whatever_happens_one_speaks_for_a_zone_and_in_the_end_one_does(seed: u64) {
        let mut world = World::new(seed);
        for id in 1..=3 {
            world.start(id, 8, VERSION);
        }
        world.want(6);
        for _ in 0..20 {
            let time = Duration::from_millis(200 + world.draw(1_500));
            world.run(time);
            let at = world.draw(world.nodes.len() as u64) as usize;
            let until = world.now + Duration::from_millis(world.draw(5_000));
            match world.draw(5) {
                0 => world.nodes[at].stopped_until = until,
                1 => world.nodes[at].cut_until = until,
                2 => world.nodes.iter_mut().for_each(|node| node.cut_until = until),
                3 => {
                    let id = world.nodes[at].me.instance.0;
                    world.nodes.remove(at);
                    world.start(id, 8, VERSION);
                }
                _ => {
                    let to = InstanceId(1 + world.draw(3) as u32);
                    let now = world.now;
                    let first = world.nodes[at].leases.zones(now).next();
                    if let Some((zone, _)) = first {
                        world.nodes[at].leases.hand_over(now, zone, Some(to));
                    }
                }
            }
        }
        world.is_calm = true;
        world.run(20 * SECOND);
        for (&zone, (_, record)) in &world.zones {
            let owner = record.owner.expect("every zone is run");
            let node = world.nodes.iter().find(|node| node.me == owner).expect("by one that lives");
            prop_assert!(node.leases.is_confident(world.now));
            prop_assert!(node.leases.zones(world.now).any(|own| own == (zone, record.epoch)));
        }
    }
}
