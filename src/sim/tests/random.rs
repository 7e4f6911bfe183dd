//! The same inputs make the same zone, whatever the inputs; nothing is lost and nobody is stuck.

use super::{World, any_command, check_invariants, key, spec};
use crate::game::rng::Rng;
use crate::game::state::{Arrive, Input, ZoneKind};
use crate::model::{CharacterId, Tick};
use crate::sim::{Scratch, ZoneSpec, hash, new_sheet, restore};

const PLAYERS: u64 = 5;

/// The inputs of one tick of a wild party: they come, go, lose their connections, do anything.
pub(super) fn wild_inputs(world: &mut World, rng: &mut Rng) -> Vec<Input> {
    let mut inputs = Vec::new();
    for departure in world.state.departures.clone() {
        if rng.chance(5) {
            inputs.push(Input::Arrived { key: departure.key });
        }
    }
    for number in 1..=PLAYERS {
        let character = CharacterId(number);
        if !world.state.players.contains_key(&character) {
            if rng.chance(3) {
                let away = world.state.departures.iter().rev();
                let gone = away.map(|d| &d.sheet).find(|s| s.character == character);
                let sheet = gone.is_none().then(|| new_sheet(character, "wild", 1));
                if let Some(mut sheet) = sheet {
                    sheet.last_command = world.numbers.get(&character).copied().unwrap_or(0);
                    let at = if rng.chance(50) { Arrive::Up } else { Arrive::Down };
                    inputs.push(Input::Arrive { key: key(number, world.state.tick.0), at, sheet });
                    inputs.push(Input::Connect { character });
                }
            }
            continue;
        }
        match rng.below(1_000) {
            0 => inputs.push(Input::Disconnect { character }),
            1 => inputs.push(Input::Leave { character }),
            2..=4 => inputs.push(Input::Connect { character }),
            5..=500 => {
                let command = any_command(rng, &world.state, number);
                let input = world.command(number, command);
                inputs.push(input);
            }
            _ => {}
        }
    }
    inputs
}

fn play(spec: &ZoneSpec, ticks: u64) -> (Vec<Vec<Input>>, Vec<u64>, World) {
    let mut world = World::new(spec);
    let (mut log, mut hashes) = (Vec::new(), Vec::new());
    for tick in 0..ticks {
        let mut rng = Rng::new(99, tick, spec.world_seed);
        let inputs = wild_inputs(&mut world, &mut rng);
        world.step(&inputs);
        check_invariants(&world.state);
        hashes.push(hash(&world.state));
        log.push(inputs);
    }
    (log, hashes, world)
}

#[test]
fn the_same_inputs_make_the_same_zone_tick_by_tick() {
    for (seed, depth) in [(1, 1), (2, 7), (3, 15), (4, 26)] {
        let spec = spec(seed, depth);
        let (log, hashes, _) = play(&spec, 2_000);
        let mut again = World::new(&spec);
        for (tick, inputs) in log.iter().enumerate() {
            again.step(inputs);
            assert_eq!(hash(&again.state), hashes[tick], "seed {seed} tick {tick}");
        }
    }
}

#[test]
fn a_restored_zone_goes_on_as_the_original() {
    for (seed, depth) in [(11, 3), (12, 12)] {
        let spec = spec(seed, depth);
        let (log, hashes, _) = play(&spec, 900);
        let mut world = World::new(&spec);
        for (tick, inputs) in log.iter().enumerate() {
            if tick % 97 == 96 {
                let bytes = postcard::to_allocvec(&world.state).unwrap();
                world.state = postcard::from_bytes(&bytes).unwrap();
                restore(&mut world.state);
                world.scratch = Scratch::new();
            }
            world.step(inputs);
            assert_eq!(hash(&world.state), hashes[tick], "seed {seed} tick {tick}");
        }
    }
}

#[test]
fn arenas_and_crowds_keep_the_books_too() {
    let arena = ZoneSpec { kind: ZoneKind::Arena, ..spec(21, 5) };
    play(&arena, 1_500);
    let crowd = ZoneSpec { monsters: Some(300), ..spec(22, 9) };
    let (_, _, world) = play(&crowd, 600);
    assert!(world.state.derived.monsters > 50);
    assert_eq!(world.state.tick, Tick(600));
}
