//! Zones on a graphics device, each beside the same zone on the processor.

use std::sync::Arc;

use super::random::wild_inputs;
use super::{World, spec};
use crate::game::catalog::{Gas, Terrain};
use crate::game::derive::SEALED;
use crate::game::rng::Rng;
use crate::game::state::{GASES, Input, ZoneKind, ZoneState};
use crate::model::ZoneId;
use crate::model::limits::{FLOORS, NO_ACTOR};
use crate::sim::gpu::tests::{self as kernels, device, open};
use crate::sim::{Executor, Failed, Job, Scratch, ZoneSpec, hash, restore};

/// Of the pinned floors: `game/dungeon/catalogue.rs`.
const SEEDS: [u64; 3] = [1, 77, 0xdead_beef];

/// Some worlds as the processor has them, and the same by an executor.
struct Twins {
    worlds: Vec<World>,
    twins: Vec<World>,
    executor: Executor,
    /// One whose ticks are made without the executor.
    apart: Option<usize>,
    tick: u64,
}

impl Twins {
    fn new(worlds: Vec<World>, executor: Executor) -> Self {
        let twins = worlds.iter().map(|world| World::of(copy(&world.state))).collect();
        Self { worlds, twins, executor, apart: None, tick: 0 }
    }

    /// Does a tick of those that are not left out, with the same inputs, and compares.
    fn step(&mut self, seed: u64, rests: impl Fn(usize) -> bool) -> Result<(), Failed> {
        self.tick += 1;
        let mut inputs: Vec<Vec<Input>> = Vec::new();
        for (number, world) in self.worlds.iter_mut().enumerate() {
            let mut rng = Rng::new(seed, self.tick, number as u64);
            inputs.push(if rests(number) { Vec::new() } else { wild_inputs(world, &mut rng) });
        }
        let mut jobs = Vec::new();
        for (number, (world, inputs)) in self.twins.iter_mut().zip(&inputs).enumerate() {
            let World { state, scratch, out, .. } = world;
            let mut job = Job { state, inputs, scratch, out };
            if self.apart == Some(number) && !rests(number) {
                job.run();
            } else if !rests(number) {
                jobs.push(job);
            }
        }
        let stepped = self.executor.step(&mut jobs);
        for (number, world) in self.worlds.iter_mut().enumerate() {
            if !rests(number) {
                world.step(&inputs[number]);
            }
            let twin = &self.twins[number];
            compare(number, &world.state, &twin.state);
            assert_eq!(world.out.events, twin.out.events, "zone {number}, tick {}", self.tick);
            assert_eq!(world.out.news, twin.out.news, "zone {number}, tick {}", self.tick);
        }
        stepped
    }

    /// The same change from outside on both sides.
    fn change(&mut self, number: usize, change: impl Fn(&mut ZoneState)) {
        for world in [&mut self.worlds[number], &mut self.twins[number]] {
            change(&mut world.state);
            restore(&mut world.state);
            world.scratch.forget();
        }
    }
}

fn copy(state: &ZoneState) -> ZoneState {
    let mut copy = postcard::from_bytes(&postcard::to_allocvec(state).unwrap()).unwrap();
    restore(&mut copy);
    copy
}

/// Fails at the first plane and cell that differ, or because something else does.
fn compare(number: usize, expected: &ZoneState, found: &ZoneState) {
    if hash(expected) == hash(found) {
        return;
    }
    let (place, tick) = ((number, usize::from(found.width)), found.tick.0);
    for kind in Gas::ALL {
        let [expected, found] = [expected, found].map(|state| &state.gas[kind as usize]);
        kernels::compare(&format!("{kind:?}"), place, tick, expected, found);
    }
    kernels::compare("fire", place, tick, &expected.fire, &found.fire);
    panic!("zone {number}, tick {tick}: gas and fire are equal, the rest is not");
}

/// Gas and fire anywhere that they can be, and other terrain in some places.
fn muddle(state: &mut ZoneState, seed: u64) {
    let mut rng = Rng::new(seed, state.tick.0, 7);
    let (width, height) = (u32::from(state.width), u32::from(state.height));
    let share = rng.below(40);
    for cell in (1..height - 1).flat_map(|y| (1..width - 1).map(move |x| y * width + x)) {
        let at = cell as usize;
        let is_free = state.derived.occupant[at] == NO_ACTOR && !state.items.contains_key(&cell);
        if is_free && state.terrain[at] == Terrain::Floor && rng.chance(5) {
            state.terrain[at] = Terrain::Grass;
        }
        if state.derived.air[at] & SEALED == 0 && rng.chance(share) {
            state.gas[rng.below(GASES as u32) as usize][at] = rng.below(256) as u8;
        }
        if state.derived.ignition[at] > 0 && rng.chance(share / 8) {
            state.fire[at] = 1 + rng.below(20) as u8;
        }
    }
}

fn executor() -> Option<Executor> {
    Some(Executor::on(device()?).unwrap())
}

#[test]
fn the_pinned_floors_stay_equal_under_wild_players() {
    let Some(mut executor) = executor() else { return };
    for seed in SEEDS {
        let spec = |depth: u8| ZoneSpec::floor(ZoneId(depth.into()), seed, depth, 96, 64);
        let worlds = (1..=FLOORS as u8).map(|depth| World::new(&spec(depth))).collect();
        let mut twins = Twins::new(worlds, executor);
        for number in 0..FLOORS as usize {
            twins.change(number, |state| muddle(state, seed));
        }
        for _ in 0..150 {
            twins.step(seed, |_| false).unwrap();
        }
        executor = twins.executor;
    }
}

#[test]
fn zones_of_any_size_stay_equal_for_thousands_of_ticks_while_they_come_sleep_and_are_muddled() {
    let Some(executor) = executor() else { return };
    let sizes = [(96, 64), (33, 32), (67, 41), (96, 64), (64, 80), (130, 35)];
    let spec = |number: u32, (width, height)| ZoneSpec {
        zone: ZoneId(number),
        width,
        height,
        ..spec(31, number as u8 * 4)
    };
    let arena = ZoneSpec { kind: ZoneKind::Arena, zone: ZoneId(9), ..self::spec(21, 5) };
    let crowd = ZoneSpec { monsters: Some(300), zone: ZoneId(10), ..self::spec(22, 9) };
    let specs = (1..).zip(sizes).map(|(number, size)| spec(number, size)).chain([arena, crowd]);
    let mut twins = Twins::new(specs.map(|spec| World::new(&spec)).collect(), executor);
    let mut rng = Rng::new(8, 0, 0);
    for round in 0..2_000_u64 {
        let rests = |zone: usize| round / 40 % 11 == zone as u64 || round % 97 == zone as u64;
        twins.apart = Some(round as usize / 7 % 60);
        twins.step(77, rests).unwrap();
        let number = rng.below(8) as usize;
        match rng.below(100) {
            0..4 => twins.change(number, |state| muddle(state, round)),
            // It comes back from another process.
            4..6 => {
                twins.twins[number].state = copy(&twins.twins[number].state);
                twins.twins[number].scratch = Scratch::new();
            }
            _ => {}
        }
    }
}

#[test]
fn a_device_that_is_lost_at_any_point_leaves_the_tick_as_the_processor_makes_it() {
    let mut losses = 0;
    for count in 0.. {
        let Some(device) = open().map(Arc::new) else { return };
        let executor = Executor::on(Arc::clone(&device)).unwrap();
        let worlds = [3, 12].map(|depth| World::new(&spec(5, depth)));
        let mut twins = Twins::new(worlds.into(), executor);
        (0..2).for_each(|number| twins.change(number, |state| muddle(state, 5)));
        device.lose_after(count);
        // The second zone is loaded in the third tick; one more is new in the fifth.
        let failed = (0..6).filter(|tick| {
            if *tick == 4 {
                twins.change(0, |state| muddle(state, 6));
            }
            twins.step(5, |zone| zone == 1 && *tick < 2).is_err()
        });
        match failed.count() {
            0 => break,
            1 => assert!(matches!(twins.executor, Executor::Cpu)),
            more => panic!("it has failed {more} times"),
        }
        losses += 1;
    }
    assert!(losses > 60, "it was asked {losses} times only");
}

#[test]
fn any_number_of_threads_share_a_device() {
    let Some(device) = device() else { return };
    for threads in [1, 2, 5, 16] {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let executor = Executor::on(Arc::clone(&device)).unwrap();
                scope.spawn(move || {
                    let worlds = [2, 9].map(|depth| World::new(&spec(thread, depth)));
                    let mut twins = Twins::new(worlds.into(), executor);
                    (0..2).for_each(|number| twins.change(number, |state| muddle(state, thread)));
                    for _ in 0..40 {
                        twins.step(thread, |_| false).unwrap();
                    }
                });
            }
        });
    }
}
