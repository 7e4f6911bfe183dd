//! What time does to actors: poison, fire, gas, healing, effects that end.

use crate::game::catalog::monsters::flags as is;
use crate::game::catalog::{Effect, Gas, Note};
use crate::game::items;
use crate::game::state::{Cause, Subject};
use crate::game::turn::{Turn, purpose};

/// Ticks between two looks at one actor.
const PERIOD: u64 = 10;
/// Looks in which an unhurt body of level 1 would heal fully from nothing.
const HEALING_LOOKS: i32 = 180;

pub(super) fn run(turn: &mut Turn<'_>) {
    items::upkeep(turn);
    end_effects(turn);
    let first = (turn.state.tick.0 % PERIOD) as usize;
    for slot in (first..turn.state.actors.len()).step_by(PERIOD as usize) {
        let slot = slot as u16;
        if turn.state.is_up(slot) {
            suffer(turn, slot);
            recover(turn, slot);
        }
    }
}

/// Tells players of their effects that end in this tick.
fn end_effects(turn: &mut Turn<'_>) {
    let now = turn.now();
    let slots: Vec<u16> = turn.state.bodies().collect();
    for slot in slots {
        for &effect in Effect::ALL {
            if turn.state.actor(slot).effects[effect as usize] == now {
                turn.tell_end(slot, effect);
                if effect == Effect::Levitating {
                    turn.touch_down(slot);
                }
            }
        }
    }
}

fn suffer(turn: &mut Turn<'_>, slot: u16) {
    let cell = turn.state.actor(slot).cell as usize;
    let mut rng = turn.rng(purpose::HARM + u64::from(slot));
    if turn.state.fire[cell] > 0 {
        turn.catch_fire(slot);
    }
    if turn.state.is_affected(slot, Effect::Burning) {
        let done = turn.damage(slot, rng.between(1, 3), Subject::Nobody, Cause::Fire);
        turn.tell(slot, Note::BurnsFor, None, done);
        // Whoever burns sets fire to what it runs through.
        if rng.chance(50) && turn.state.derived.ignition[cell] > 0 {
            turn.ignite(cell as u32);
        }
    }
    if turn.state.is_affected(slot, Effect::Poisoned) {
        turn.damage(slot, 1, Subject::Nobody, Cause::Poison);
    }
    if turn.state.row(slot).has(is::BREATHLESS) {
        return;
    }
    for gas in Gas::ALL {
        let amount = turn.state.gas[gas as usize][cell];
        if amount == 0 {
            continue;
        }
        let Some((effect, ticks)) = gas.row().effect else { continue };
        let begins = !turn.state.is_affected(slot, effect);
        let lasts = 10 + ticks * u32::from(amount).div_ceil(16);
        if turn.affect(slot, effect, lasts) && begins && !effect.row().good {
            turn.tell(slot, Note::ChokesOnGas, None, 0);
        }
    }
}

fn recover(turn: &mut Turn<'_>, slot: u16) {
    if turn.state.is_affected(slot, Effect::Poisoned) {
        return;
    }
    let mut rng = turn.rng(purpose::HARM + (1 << 20) + u64::from(slot));
    let actor = turn.state.actor(slot);
    if actor.hp >= actor.hp_max {
        return;
    }
    let quick = turn.state.is_affected(slot, Effect::Regenerating)
        || turn.state.row(slot).has(is::REGENERATES);
    let amount = if quick {
        1 + actor.hp_max / 30
    } else if actor.kind == 0 {
        // On average the same share of full health in each look, whatever that is.
        let share = actor.hp_max / HEALING_LOOKS;
        share + i32::from(rng.below(HEALING_LOOKS as u32) < (actor.hp_max % HEALING_LOOKS) as u32)
    } else {
        i32::from(rng.chance(10))
    };
    turn.heal(slot, amount);
}
