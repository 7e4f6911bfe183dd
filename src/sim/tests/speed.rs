//! The figures of a crowded tick, by kernel. Printed, not judged: machines differ.

use std::time::Instant;

use super::{World, any_command, spec};
use crate::game::rng::Rng;
use crate::game::state::Arrive;
use crate::sim::{Kernel, ZoneSpec, step_with};

#[test]
#[allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn a_crowded_tick_is_measured() {
    let ticks = if cfg!(debug_assertions) { 60 } else { 600 };
    let big = ZoneSpec { width: 256, height: 256, monsters: Some(2_000), ..spec(1, 8) };
    let mut world = World::new(&big);
    let mut cells: Vec<u32> = (0..world.state.area() as u32)
        .filter(|&c| world.state.derived.walk[c as usize] != 0)
        .filter(|&c| world.state.actor_at(c).is_none())
        .collect();
    let mut rng = Rng::new(3, 3, 3);
    for number in 1..=100 {
        let slot = world.join(number, Arrive::Up);
        let at = cells.swap_remove(rng.below(cells.len() as u32) as usize);
        let actor = world.state.actor_mut(slot);
        (actor.cell, actor.hp, actor.hp_max) = (at, 1_000_000, 1_000_000);
        let character = world.state.actor(slot).character;
        let player = world.state.players.get_mut(&character).expect("it has just joined");
        player.sheet.hp_max = 1_000_000;
        crate::sim::restore(&mut world.state);
        world.scratch.forget();
    }
    let mut times = vec![Vec::new(); Kernel::ALL.len() + 1];
    for tick in 0..ticks {
        let mut rng = Rng::new(7, tick, 0);
        let mut inputs = Vec::new();
        for number in 1..=100 {
            if rng.chance(50) {
                let command = any_command(&mut rng, &world.state, number);
                inputs.push(world.command(number, command));
            }
        }
        let start = Instant::now();
        let mut last = start;
        let World { state, scratch, out, .. } = &mut world;
        step_with(state, &inputs, scratch, out, &mut |kernel| {
            let now = Instant::now();
            times[kernel as usize].push((now - last).as_nanos() as u64);
            last = now;
        });
        times[Kernel::ALL.len()].push(start.elapsed().as_nanos() as u64);
    }
    for (row, times) in times.iter_mut().enumerate() {
        times.sort_unstable();
        let name = Kernel::ALL.get(row).map_or("whole tick".into(), |k| format!("{k:?}"));
        let at = |percent: usize| times[(times.len() - 1) * percent / 100] / 1_000;
        println!("{name:16} p50 {:6} us  p99 {:6} us  max {:6} us", at(50), at(99), at(100));
    }
    let start = Instant::now();
    let hashes = (0..20).map(|_| crate::sim::hash(&world.state)).fold(0, |a, b| a ^ b);
    println!("hash             {:6} us each ({hashes})", start.elapsed().as_micros() / 20);
    let (monsters, players) = (world.state.derived.monsters, world.state.bodies().count());
    println!("{monsters} monsters, {players} players");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn an_ordinary_tick_is_measured() {
    let ticks: u32 = if cfg!(debug_assertions) { 200 } else { 20_000 };
    let mut world = World::new(&spec(1, 5));
    for number in 1..=4 {
        let slot = world.join(number, Arrive::Up);
        let character = world.state.actor(slot).character;
        let player = world.state.players.get_mut(&character).expect("it has just joined");
        player.sheet.hp_max = 1_000_000;
        let actor = world.state.actor_mut(slot);
        (actor.hp, actor.hp_max) = (1_000_000, 1_000_000);
    }
    let start = Instant::now();
    let mut times = [0_u64; Kernel::ALL.len()];
    for tick in 0..ticks {
        let mut rng = Rng::new(7, tick.into(), 0);
        let mut inputs = Vec::new();
        for number in 1..=4 {
            let command = any_command(&mut rng, &world.state, number);
            if !matches!(command, crate::model::Command::UseStairs) {
                inputs.push(world.command(number, command));
            }
        }
        let mut last = Instant::now();
        let World { state, scratch, out, .. } = &mut world;
        step_with(state, &inputs, scratch, out, &mut |kernel| {
            let now = Instant::now();
            times[kernel as usize] += (now - last).as_nanos() as u64;
            last = now;
        });
    }
    let per_tick = start.elapsed() / ticks;
    println!("an ordinary floor: {} us a tick", per_tick.as_micros());
    for (kernel, nanos) in Kernel::ALL.into_iter().zip(times) {
        println!("{:16} {:6} ns", format!("{kernel:?}"), nanos / u64::from(ticks));
    }
}
