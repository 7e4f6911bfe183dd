//! What players remember is what a naive look at everything in view would have written down.

use super::{World, any_command, spec};
use crate::game::items::Looks;
use crate::game::rng::Rng;
use crate::game::state::Arrive;
use crate::model::limits::NO_ACTOR;
use crate::model::{CellMap, CharacterId};
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
