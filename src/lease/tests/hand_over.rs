//! Zones that are given away.

use super::world::{SECOND, VERSION, World};
use crate::lease::HandOverError;
use crate::model::{InstanceId, ZoneId};

/// An instance that runs so many zones.
fn world(seed: u64, zones: u32) -> World {
    let mut world = World::new(seed);
    world.is_calm = true;
    world.start(1, 100, VERSION);
    world.want(zones);
    world.run(3 * SECOND);
    assert_eq!(world.spoken(), [zones as usize]);
    world
}

#[test]
fn a_zone_is_handed_over_to_the_instance_that_was_named() {
    let mut world = world(6, 3);
    world.start(2, 100, VERSION);
    world.run(SECOND);
    assert_eq!(world.load(2), 0, "nothing moves by itself");
    let now = world.now;
    world.nodes[0].leases.hand_over(now, ZoneId(2), Some(InstanceId(2))).unwrap();
    world.run(SECOND);
    assert_eq!(world.owners(), [Some(1), Some(2), Some(1)]);
    assert_eq!(world.nodes[1].leases.zones(world.now).collect::<Vec<_>>(), [(ZoneId(2), 2)]);
    assert_eq!(world.lost, 0);
}

#[test]
fn a_zone_stays_where_it_cannot_be_given_away_and_it_is_said_why() {
    let mut world = world(7, 2);
    world.start(2, 100, VERSION);
    world.start(3, 100, VERSION + 1);
    world.start(4, 100, VERSION);
    world.run(3 * SECOND);
    world.nodes[1].stopped_until = world.now + 100 * SECOND;
    world.drain(3);
    world.run(2 * SECOND);
    let zone = ZoneId(1);
    let [first, second, third, fourth, fifth] = [1, 2, 3, 4, 5].map(InstanceId);
    let (theirs, zones) = (VERSION + 1, VERSION);
    for (zone, to, why) in [
        (ZoneId(3), Some(second), HandOverError::NotHere { zone: ZoneId(3) }),
        (zone, Some(first), HandOverError::ToItself { to: first }),
        (zone, Some(second), HandOverError::SilentTarget { to: second }),
        (zone, Some(third), HandOverError::OtherVersion { to: third, theirs, zones }),
        (zone, Some(fourth), HandOverError::DrainingTarget { to: fourth }),
        (zone, Some(fifth), HandOverError::UnknownTarget { to: fifth }),
    ] {
        let leases = &mut world.nodes[0].leases;
        assert_eq!(leases.hand_over(world.now, zone, to), Err(why));
        assert_eq!(leases.best_target(zone, world.now), None);
    }
    world.run(SECOND);
    assert_eq!((world.load(1), world.spoken()[0]), (2, 2));
}

#[test]
fn a_zone_whose_record_is_being_written_stays() {
    let mut world = world(8, 1);
    world.start(2, 100, VERSION);
    world.run(SECOND);
    // It is in doubt for a moment, and writes the record anew.
    world.nodes[0].stopped_until = world.now + SECOND;
    let zone = ZoneId(1);
    let is_in_doubt = |world: &World| !world.nodes[0].leases.holds(zone, world.now);
    world.run(SECOND);
    assert!(is_in_doubt(&world));
    let mut refused = 0;
    while is_in_doubt(&world) {
        world.run(SECOND / 100);
        let leases = &mut world.nodes[0].leases;
        if leases.is_confident(world.now) && !leases.holds(zone, world.now) {
            let answer = leases.hand_over(world.now, zone, Some(InstanceId(2)));
            assert_eq!(answer, Err(HandOverError::Unsettled { zone }));
            refused += 1;
        }
    }
    assert!(refused > 0);
    let now = world.now;
    world.nodes[0].leases.hand_over(now, zone, Some(InstanceId(2))).unwrap();
    world.run(SECOND);
    assert_eq!(world.spoken(), [0, 1]);
}

#[test]
fn zones_that_are_given_away_in_one_breath_go_to_those_with_room() {
    let mut world = world(9, 7);
    world.start(2, 4, VERSION);
    world.start(3, 2, VERSION);
    world.start(4, 9, VERSION + 1);
    world.run(2 * SECOND);
    world.drain(0);
    world.run(2 * SECOND);
    // The seventh fits nowhere.
    assert_eq!((world.spoken(), world.load(1)), (vec![0, 4, 2, 0], 0));
    world.start(5, 1, VERSION);
    world.run(3 * SECOND);
    assert_eq!(world.spoken(), [0, 4, 2, 0, 1]);
}
