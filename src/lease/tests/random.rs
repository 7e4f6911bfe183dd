//! Everything that can happen, from a seed.

use std::time::Duration;

use proptest::prelude::*;

use super::world::{INSTANCES, SECOND, Store, VERSION, World, ZONES};
use crate::model::InstanceId;

const ZONES_WANTED: u32 = 6;

/// Lets something happen.
fn disturb(world: &mut World, backup: &mut Store) {
    let at = world.draw(world.nodes.len() as u64) as usize;
    let until = world.now + Duration::from_millis(world.draw(5_000));
    let table = if world.draw(2) == 0 { INSTANCES } else { ZONES };
    match world.draw(14) {
        0 => world.nodes[at].stopped_until = until,
        1 => world.nodes[at].cut_until = until,
        2 => world.nodes.iter_mut().for_each(|node| node.cut_until = until),
        3 => {
            let id = world.nodes[at].me.instance.0;
            world.nodes.remove(at);
            world.start(id, 8, VERSION);
        }
        4 => world.stalled_until = until,
        5 => world.nodes[at].watch(table).late = Duration::from_millis(world.draw(4_000)),
        6 => world.nodes[at].watch(table).late = Duration::ZERO,
        // Only the instances' watch is known to be dead.
        7 if table == INSTANCES => world.nodes[at].watch(table).dead_until = Duration::MAX,
        7 => world.nodes[at].watch(table).dead_until = until,
        8 => {
            let id = world.nodes[at].me.instance.0;
            world.drain(at);
            let time = Duration::from_millis(world.draw(500));
            let boot = world.nodes[at].me.boot;
            world.run(time);
            world.nodes.retain(|node| node.me.boot != boot);
            world.start(id, 8, VERSION);
        }
        9 => match world.draw(4) {
            0 => *backup = world.store.clone(),
            1 => world.restore(backup.clone()),
            2 => world.restore(Store::default()),
            _ => world.want(ZONES_WANTED),
        },
        10 if world.nodes.len() < 4 => {
            let id = world.nodes[at].me.instance.0;
            world.start(id, 8, VERSION);
        }
        11 => {
            let now = world.now;
            let own: Vec<_> = world.nodes[at].leases.zones(now).collect();
            for (zone, _) in own {
                // Where it is refused nothing is to happen.
                world.nodes[at].leases.set_standby(now, zone, true).ok();
            }
        }
        12 => {
            let followed = world.nodes[at].leases.followed(world.now);
            if let Some(&zone) = followed.first() {
                world.take_over(at, zone);
            }
        }
        _ => {
            let to = Some(InstanceId(1 + world.draw(3) as u32)).filter(|id| id.0 < 4);
            let now = world.now;
            let first = world.nodes[at].leases.zones(now).next();
            if let Some((zone, _)) = first {
                // Where it is refused nothing is to happen.
                world.nodes[at].leases.hand_over(now, zone, to).ok();
            }
        }
    }
}

fn play(seed: u64) {
    let mut world = World::new(seed);
    world.leaves_names = true;
    world.answers_late = true;
    for id in 1..=3 {
        world.start(id, 8, VERSION);
    }
    world.want(ZONES_WANTED);
    let mut backup = Store::default();
    for _ in 0..25 {
        let time = Duration::from_millis(200 + world.draw(1_500));
        world.run(time);
        disturb(&mut world, &mut backup);
    }
    world.is_calm = true;
    for node in &mut world.nodes {
        for table in [INSTANCES, ZONES] {
            node.watch(table).late = Duration::ZERO;
        }
    }
    world.run(5 * SECOND);
    world.want(ZONES_WANTED);
    world.run(25 * SECOND);
    assert_eq!(world.store.zones.len(), ZONES_WANTED as usize);
    for (&zone, (_, record)) in &world.store.zones {
        let owner = record.owner.expect("every zone is run");
        let node = world.nodes.iter().find(|node| node.me == owner).expect("by one that lives");
        assert!(node.leases.is_confident(world.now));
        assert!(node.leases.zones(world.now).any(|own| own == (zone, record.epoch)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn whatever_happens_one_speaks_for_a_zone_and_in_the_end_one_does(seed: u64) {
        play(seed);
    }
}
