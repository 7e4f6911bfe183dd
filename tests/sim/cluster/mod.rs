//! The game as processes of their own: instances with leases, gateways, clients, over a modelled
//! bus, tables and journal, from one seed.
//!
//! Processes are killed, stopped and moved about; messages are lost, late and out of turn. In the
//! end everybody plays on in the session it began, and the reference model of commands holds.

mod bus;
mod door;
mod instance;
mod journal;
mod tables;
mod world;

use self::world::{Faults, Outcome, World};

fn faults(seed: u64) -> Faults {
    let bad = |n: u64, most: u64| u32::try_from(seed / n % (most + 1)).unwrap();
    Faults {
        kill: bad(1, 15),
        stop: bad(3, 15),
        hand_over: bad(5, 60),
        take_over: bad(17, 60),
        gateway: bad(7, 10),
        bus_loss: bad(2, 30),
        late_watch: bad(11, 20),
        stall: bad(13, 10),
    }
}

fn run(seed: u64) -> Outcome {
    World::new(seed, 4, faults(seed)).run(400)
}

#[test]
fn a_cluster_loses_nothing_whatever_dies() {
    if let Some(seed) = super::number("SIM_SEED") {
        println!("{:?}", run(seed));
        return;
    }
    let seeds = super::number("SIM_SEEDS").unwrap_or(150);
    let mut sum = Outcome::default();
    for seed in (0..seeds).map(|n| n * 7_919 + 13) {
        let one = run(seed);
        sum.commands += one.commands;
        sum.kills += one.kills;
        sum.stops += one.stops;
        sum.hand_overs += one.hand_overs;
        sum.take_overs += one.take_overs;
        sum.gateways += one.gateways;
        sum.lost += one.lost;
        sum.refused += one.refused;
        sum.moves += one.moves;
    }
    assert!(sum.commands > seeds * 50, "{sum:?}");
    assert!(sum.kills > 0 && sum.stops > 0 && sum.hand_overs > 0 && sum.gateways > 0, "{sum:?}");
    assert!(sum.take_overs > 0, "{sum:?}");
    assert!(sum.lost > 0 && sum.refused > 0 && sum.moves > 0, "{sum:?}");
    println!("{seeds} seeds: {sum:?}");
}

#[test]
fn a_seed_is_a_whole_report() {
    assert_eq!(run(13), run(13));
}

/// Runs among gas with the zones of the second instance on a graphics device, while they are moved
/// from one to the other, taken over and recovered from each other's journals.
#[cfg(feature = "gpu")]
#[test]
fn with_a_graphics_device_in_one_of_two_instances_all_comes_out_the_same() {
    use std::sync::Arc;

    use undercroft::sim::Executor;

    let Some(device) = crate::device::open() else { return };
    let mut sum = Outcome::default();
    for seed in (0..12).map(|n| n * 7_919 + 13) {
        let new = || {
            let mut world = World::new(seed, 4, faults(seed));
            world.shared.journal.fresh = crate::device::full_of_gas;
            world
        };
        let mut world = new();
        let device = Arc::clone(&device);
        world.executors[1] = Box::new(move || Executor::on(Arc::clone(&device)).unwrap());
        let outcome = world.run(400);
        assert_eq!(outcome, new().run(400), "seed {seed}");
        sum.hand_overs += outcome.hand_overs;
        sum.take_overs += outcome.take_overs;
        sum.kills += outcome.kills;
        sum.smoky += outcome.smoky;
    }
    assert!(sum.hand_overs > 0 && sum.take_overs > 0 && sum.kills > 0, "{sum:?}");
    assert!(sum.smoky > 1_000, "{sum:?}");
}
