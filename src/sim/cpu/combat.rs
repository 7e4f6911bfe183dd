//! Blows, shots and spells of the monsters, in the order of their slots.

use super::decide::Intent;
use crate::game::catalog::Effect;
use crate::game::turn::Turn;
use crate::sim::Scratch;

pub(in crate::sim) fn run(turn: &mut Turn<'_>, scratch: &mut Scratch) {
    let tick = turn.state.tick.0;
    for &(slot, intent) in &scratch.blows {
        let able = turn.state.is_up(slot) && !turn.state.is_affected(slot, Effect::Paralysed);
        let ticks = turn.state.blow_ticks(slot);
        turn.state.actor_mut(slot).ready_at = tick + ticks;
        if !able {
            continue;
        }
        match intent {
            Intent::Strike { target } => {
                let (from, to) = (turn.state.actor(slot).cell, turn.state.actor(target).cell);
                if turn.state.is_up(target) && turn.state.is_adjacent(from, to) {
                    turn.strike(slot, target);
                }
            }
            Intent::Cast { spell, target } => turn.cast(slot, spell, target),
            Intent::Wait { .. } | Intent::Step { .. } | Intent::Vanish => {}
        }
    }
}
