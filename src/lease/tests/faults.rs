//! What the store, its answers and its watches can do to the leases.

use std::time::Duration;

use super::world::{INSTANCES, SECOND, Store, VERSION, World};
use crate::lease::{DEAD_AFTER, REOPEN_AFTER, SETTLE, TURN};

/// Three instances that run six zones.
pub(super) fn world(seed: u64) -> World {
    let mut world = World::new(seed);
    for id in 1..=3 {
        world.start(id, 100, VERSION);
    }
    world.run(2 * SECOND);
    world.want(6);
    world.run(2 * SECOND);
    assert_eq!(world.spoken().iter().sum::<usize>(), 6);
    assert!(world.spoken().iter().all(|zones| *zones > 0));
    world
}

fn epochs(world: &World) -> Vec<u64> {
    world.store.zones.values().map(|(_, zone)| zone.epoch).collect()
}

#[test]
fn a_wiped_store_is_filled_again_by_those_who_run_the_zones() {
    let mut world = world(1);
    let (owners, spoken, before) = (world.owners(), world.spoken(), epochs(&world));
    world.restore(Store::default());
    world.run(4 * SECOND);
    assert_eq!((world.owners(), world.spoken()), (owners, spoken));
    assert!(epochs(&world).iter().zip(before).all(|(now, before)| *now > before));
}

#[test]
fn zones_that_are_asked_for_in_a_wiped_store_are_run_in_higher_epochs() {
    let mut world = world(2);
    let before = epochs(&world);
    world.restore(Store::default());
    world.want(6);
    world.run(4 * SECOND);
    assert_eq!(world.spoken().iter().sum::<usize>(), 6);
    assert!(epochs(&world).iter().zip(before).all(|(now, before)| *now > before));
}

#[test]
fn a_store_that_is_restored_from_long_ago_is_believed() {
    let mut world = world(3);
    let backup = world.store.clone();
    world.run(10 * SECOND);
    world.drain(0);
    world.run(2 * SECOND);
    assert_eq!(world.spoken()[0], 0);
    world.nodes.remove(0);
    world.start(1, 100, VERSION);
    world.run(3 * SECOND);
    world.restore(backup);
    world.run(8 * SECOND);
    assert_eq!(world.spoken().iter().sum::<usize>(), 6);
}

#[test]
fn a_store_that_stalls_moves_nothing_when_it_answers_again() {
    for seed in 0..20 {
        let mut world = world(seed);
        let (owners, spoken) = (world.owners(), world.spoken());
        world.stalled_until = world.now + 4 * SECOND;
        world.run(4 * SECOND);
        assert_eq!(world.spoken(), [0, 0, 0]);
        world.run(4 * SECOND);
        assert_eq!((world.owners(), world.spoken()), (owners, spoken));
    }
}

#[test]
fn who_comes_back_later_than_others_after_a_stall_keeps_its_zones() {
    for seed in 0..20 {
        let mut world = world(seed);
        let before = (world.owners(), world.spoken());
        let end = world.now + 4 * SECOND;
        world.stalled_until = end;
        world.nodes[0].cut_until = end + Duration::from_millis(400);
        world.run(9 * SECOND);
        assert_eq!((world.owners(), world.spoken()), before, "seed {seed}");
    }
}

#[test]
fn nobody_takes_a_zone_in_a_wiped_store_while_its_owner_may_believe() {
    for seed in 0..200 {
        let mut world = world(seed);
        // What the store from before has answered is heard by those who are back already.
        world.answers_late = true;
        let time = Duration::from_millis(world.draw(400));
        world.run(time);
        world.restore(Store::default());
        world.want(6);
        // It is the last to hear of the new store, and believes meanwhile: `World::check` looks.
        world.nodes[0].cut_until = world.now + 2 * SECOND;
        world.run(5 * SECOND);
        assert_eq!(world.spoken().iter().sum::<usize>(), 6, "seed {seed}");
    }
}

#[test]
fn who_is_told_nothing_judges_nobody_dead() {
    for seed in 0..20 {
        let mut world = world(seed);
        let (owners, spoken, before) = (world.owners(), world.spoken(), epochs(&world));
        world.nodes[0].watch(INSTANCES).dead_until = world.now + 8 * SECOND;
        world.run(8 * SECOND);
        assert_eq!((world.owners(), epochs(&world)), (owners, before));
        assert_eq!((world.spoken(), world.lost), (spoken, 0));
    }
}

#[test]
fn a_watch_that_is_late_moves_nothing_and_still_finds_the_dead() {
    let mut world = world(4);
    let before = (world.owners(), world.spoken());
    for node in &mut world.nodes {
        node.watch(INSTANCES).late = 3 * SECOND;
    }
    world.run(20 * SECOND);
    assert_eq!((world.owners(), world.spoken()), before);
    world.nodes[0].stopped_until = Duration::MAX;
    // The last sign is late, then the renewal that proves the death, which may have to wait for
    // the one before it.
    world.run(3 * 3 * SECOND + DEAD_AFTER + SETTLE + 2 * TURN);
    assert_eq!((world.load(1), world.spoken()[1] + world.spoken()[2]), (0, 6));
}

#[test]
fn a_dead_watch_is_opened_anew() {
    let mut world = world(5);
    for node in &mut world.nodes {
        node.watch(INSTANCES).dead_until = Duration::MAX;
    }
    world.run(REOPEN_AFTER + SECOND);
    assert!(world.nodes.iter().all(|node| node.reopened == 1));
    world.nodes[0].stopped_until = Duration::MAX;
    world.run(4 * SECOND);
    assert_eq!((world.load(1), world.spoken()[1] + world.spoken()[2]), (0, 6));
    assert!(world.nodes.iter().all(|node| node.reopened == 1));
}

#[test]
fn a_zone_watch_that_is_faster_than_the_other_shows_that_an_owner_lives() {
    let mut world = world(6);
    let before = (world.owners(), world.spoken());
    // The third sees no renewal of the first after its stop, but its new records of its zones.
    world.nodes[2].watch(INSTANCES).late = Duration::from_millis(800);
    world.run(3 * SECOND);
    world.nodes[0].stopped_until = world.now + Duration::from_millis(1_200);
    world.run(5 * SECOND);
    assert_eq!((world.owners(), world.spoken()), before);
}
