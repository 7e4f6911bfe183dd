//! What players remember is what a naive look at everything in view would have written down.

use super::{World, any_command, spec};
use crate::game::catalog::Terrain;
use crate::game::items::Looks;
use crate::game::rng::Rng;
use crate::game::state::{Arrive, ZoneKind};
use crate::game::turn::Turn;
use crate::model::limits::NO_ACTOR;
use crate::model::{CellMap, CharacterId, Pos};
use crate::sim::cpu::fov::field_of_view;
use crate::sim::{appearance, visible};

#[test]
fn memory_is_what_a_naive_look_would_have_written() {
    let mut world = World::new(&spec(31, 6));
    let looks = Looks::of_world(world.state.world_seed);
    world.join(1, Arrive::Up);
    world.join(2, Arrive::Down);
    let mut naive: Vec<CellMap> = Vec::new();
    for tick in 0..1_500_u64 {
        let mut rng = Rng::new(5, tick, 5);
        let mut inputs = Vec::new();
        for number in [1, 2] {
            let command = any_command(&mut rng, &world.state, number);
            inputs.push(world.command(number, command));
        }
        inputs.retain(|input| {
            !matches!(
                input,
                crate::game::state::Input::Command {
                    command: crate::model::Command::UseStairs | crate::model::Command::Use { .. },
                    ..
                }
            )
        });
        world.step(&inputs);
        let state = &world.state;
        for number in [1, 2_u64] {
            let Some(player) = state.players.get(&CharacterId(number)) else { return };
            if player.slot == NO_ACTOR {
                return;
            }
            if tick == 0 {
                naive.push(player.memory.clone());
            }
            let pos = state.pos(state.actor(player.slot).cell);
            let (width, height) = (usize::from(state.width), usize::from(state.height));
            let sight = field_of_view(&state.derived.opaque, width, height, pos, 24);
            let memory = &mut naive[number as usize - 1];
            let mut news = Vec::new();
            for seen in sight.iter() {
                let cell = state.cell(seen);
                if memory.set(cell as usize, appearance(state, &looks, cell, &player.sheet)) {
                    news.push(cell);
                }
            }
            assert_eq!(memory.sum(), player.memory.sum(), "tick {tick} player {number}");
            if tick > 0 {
                assert_eq!(world.out.news[&CharacterId(number)], news, "tick {tick}");
            }
            let shown = visible(state, &mut world.scratch, CharacterId(number)).unwrap();
            assert_eq!(*shown, sight);
        }
    }
}

#[test]
fn a_door_that_closes_at_the_edge_of_a_view_is_seen() {
    let mut world = World::hall(ZoneKind::Floor);
    let slot = world.join(1, Arrive::Up);
    for x in 1..39 {
        let wall = world.state.cell(Pos::new(x, 12));
        world.state.terrain[wall as usize] = Terrain::Wall;
    }
    let door = world.state.cell(Pos::new(20, 12));
    let mut appeared = 0;
    for (x, y) in (1..39).flat_map(|x| (8..12).map(move |y| (x, y))) {
        world.state.terrain[door as usize] = Terrain::OpenDoor;
        world.put(slot, Pos::new(x, y));
        world.step(&[]);
        let before = visible(&world.state, &mut world.scratch, CharacterId(1)).unwrap().clone();
        let turn = &mut Turn { state: &mut world.state, events: &mut Vec::new() };
        turn.set_terrain(door, Terrain::Door);
        world.step(&[]);
        let state = &world.state;
        let (width, height) = (usize::from(state.width), usize::from(state.height));
        let now = field_of_view(&state.derived.opaque, width, height, Pos::new(x, y), 24);
        let shown = visible(state, &mut world.scratch, CharacterId(1)).unwrap();
        assert_eq!(*shown, now, "from {x} {y}");
        let is_seen = now.contains(Pos::new(20, 12));
        appeared += u32::from(is_seen && !before.contains(Pos::new(20, 12)));
        if is_seen {
            let known = state.players[&CharacterId(1)].memory.cell(door as usize).unwrap();
            assert_eq!(known.terrain(), Terrain::Door as u8, "from {x} {y}");
        }
    }
    assert!(appeared > 0);
}
