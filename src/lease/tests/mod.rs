//! Leases over a store that is modelled.

mod faults;
mod hand_over;
mod random;
mod standby;
mod world;

use std::time::Duration;

use super::{DEAD_AFTER, SETTLE, TURN};
use world::{SECOND, VERSION, World};

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
fn nobody_takes_more_than_it_can_in_place_of_one_that_dies() {
    let mut world = World::new(9);
    world.start(1, 100, VERSION);
    world.start(2, 2, VERSION);
    world.run(3 * SECOND);
    world.nodes[0].stopped_until = Duration::MAX;
    world.want(6);
    world.run(3 * SECOND);
    assert_eq!([world.load(1), world.load(2)], [0, 2]);
}

#[test]
fn the_zones_of_a_dead_instance_run_elsewhere_within_its_time() {
    let mut world = World::new(3);
    for id in 1..=3 {
        world.start(id, 100, VERSION);
    }
    world.want(12);
    world.run(3 * SECOND);
    assert!(world.load(1) > 2);
    world.nodes[0].stopped_until = Duration::MAX;
    world.run(DEAD_AFTER + SETTLE + 2 * TURN);
    assert_eq!((world.load(1), world.load(2) + world.load(3)), (0, 12));
    // Two may claim at the same time.
    assert!(world.load(2).abs_diff(world.load(3)) <= 2);
}

#[test]
fn a_zombie_learns_that_it_has_lost_before_it_speaks() {
    let mut world = World::new(4);
    world.start(1, 100, VERSION);
    world.start(2, 100, VERSION);
    world.want(4);
    world.run(3 * SECOND);
    let before = world.load(1) as u32;
    assert!(before > 0);
    world.nodes[0].stopped_until = world.now + 10 * SECOND;
    world.run(10 * SECOND);
    assert!(!world.nodes[0].leases.is_confident(world.now));
    assert_eq!(world.load(2), 4);
    world.run(SECOND);
    assert_eq!((world.lost, world.spoken()), (before, vec![0, 4]));
    // It is an instance like any other again.
    assert!(world.nodes[0].leases.is_confident(world.now));
    world.drain(1);
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
    // It renews its record all the while, and the first one is told once.
    world.run(SECOND);
    assert_eq!(world.nodes[0].names_taken, 1);
    assert!(!world.nodes[0].leases.is_confident(world.now));
}
