//! Zones that are followed, and taken over before anybody counts as dead.

use std::time::Duration;

use super::faults;
use super::world::{SECOND, Store, World};
use crate::lease::DEAD_AFTER;
use crate::model::ZoneId;

const ZONE: ZoneId = ZoneId(1);

/// Three instances and six zones, of which the first is followed.
fn world(seed: u64) -> World {
    let mut world = faults::world(seed);
    let owner = owner(&world);
    let now = world.now;
    world.nodes[owner].leases.set_standby(now, ZONE, true).unwrap();
    world.run(SECOND);
    world
}

/// The place of the node that has the zone.
fn owner(world: &World) -> usize {
    let owner = world.store.zones[&ZONE].1.owner.unwrap();
    world.nodes.iter().position(|node| node.me == owner).unwrap()
}

/// The places of those that follow the zone; none follows another.
fn followers(world: &World) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, node) in world.nodes.iter().enumerate() {
        let followed = node.leases.followed(world.now);
        assert!(followed.iter().all(|&zone| zone == ZONE), "{followed:?}");
        found.extend((!followed.is_empty()).then_some(at));
    }
    found
}

#[test]
fn one_other_instance_follows_a_zone_that_asks_for_it() {
    let mut world = world(1);
    let [follower] = followers(&world)[..] else { panic!("one follows") };
    assert_ne!(follower, owner(&world));
    let (owner, now) = (owner(&world), world.now);
    world.nodes[owner].leases.set_standby(now, ZONE, false).unwrap();
    world.run(SECOND);
    assert!(followers(&world).is_empty());
}

#[test]
fn when_the_follower_dies_another_follows() {
    let mut world = world(2);
    let [follower] = followers(&world)[..] else { panic!("one follows") };
    world.nodes[follower].stopped_until = Duration::MAX;
    world.run(3 * SECOND);
    let next: Vec<_> = followers(&world).into_iter().filter(|&at| at != follower).collect();
    assert_eq!(next.len(), 1);
    assert_ne!(next[0], owner(&world));
}

#[test]
fn a_silent_owner_loses_the_zone_long_before_it_counts_as_dead() {
    let mut world = world(3);
    let [follower] = followers(&world)[..] else { panic!("one follows") };
    let former = owner(&world);
    world.nodes[former].stopped_until = Duration::MAX;
    assert!(world.take_over(follower, ZONE));
    world.run(DEAD_AFTER / 8);
    assert_eq!(owner(&world), follower);
    assert!(world.nodes[follower].leases.holds(ZONE, world.now));
}

#[test]
fn an_owner_that_lives_stops_when_it_is_told() {
    let mut world = world(4);
    let [follower] = followers(&world)[..] else { panic!("one follows") };
    let (former, lost) = (owner(&world), world.lost);
    assert!(world.take_over(follower, ZONE));
    world.run(DEAD_AFTER / 8);
    assert_eq!((owner(&world), world.lost), (follower, lost + 1));
    assert!(!world.nodes[former].leases.holds(ZONE, world.now));
    let next = followers(&world);
    assert!(next.len() == 1 && next[0] != follower, "the zone has a standby again");
}

#[test]
fn only_the_follower_takes_over_and_not_just_after_it_was_cut_off() {
    let mut world = world(5);
    let [follower] = followers(&world)[..] else { panic!("one follows") };
    for at in (0..3).filter(|&at| at != follower) {
        assert!(!world.take_over(at, ZONE));
    }
    assert!(!world.take_over(follower, ZoneId(2)), "nobody asked for a standby of that zone");
    world.nodes[follower].cut_until = world.now + SECOND / 5;
    world.run(SECOND / 2);
    assert!(!world.take_over(follower, ZONE));
    world.run(2 * SECOND);
    assert!(world.take_over(follower, ZONE));
}

#[test]
fn a_zone_keeps_its_standby_through_moves_deaths_and_a_wipe() {
    let mut world = world(6);
    let has_standby = |world: &World| world.store.zones[&ZONE].1.has_standby;
    let former = owner(&world);
    world.drain(former);
    world.run(SECOND);
    assert!(has_standby(&world) && owner(&world) != former);
    let owner = owner(&world);
    world.nodes[owner].stopped_until = Duration::MAX;
    world.run(4 * SECOND);
    assert!(has_standby(&world) && self::owner(&world) != owner);
    world.restore(Store::default());
    world.run(4 * SECOND);
    assert!(has_standby(&world));
}
