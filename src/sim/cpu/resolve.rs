//! Settles what the monsters chose: states of mind, waits, and steps. A cell that several want
//! goes to the smallest (priority, slot); the others stand still for a tick.

use super::decide::{Claim, Intent};
use crate::game::catalog::Note;
use crate::game::catalog::monsters::flags as is;
use crate::game::catalog::terrain::flags;
use crate::game::catalog::{Effect, Terrain};
use crate::game::state::{Cause, Mode, Subject};
use crate::game::turn::{Turn, purpose};
use crate::model::limits::NO_ACTOR;
use crate::sim::Scratch;

pub(in crate::sim) fn run(turn: &mut Turn<'_>, scratch: &mut Scratch) {
    let choices = std::mem::take(&mut scratch.choices);
    scratch.claims.clear();
    scratch.blows.clear();
    let tick = turn.state.tick.0;
    for choice in &choices {
        let slot = choice.slot;
        let before = turn.state.actor(slot).mode;
        let actor = turn.state.actor_mut(slot);
        (actor.mode, actor.goal, actor.noticed) = (choice.mode, choice.goal, choice.noticed);
        tell_change(turn, slot, before, choice.about);
        match choice.intent {
            Intent::Wait { ticks } => {
                turn.state.actor_mut(slot).ready_at = tick + u64::from(ticks);
            }
            Intent::Step { to, priority } => scratch.claims.push(Claim { to, priority, slot }),
            Intent::Vanish => {
                let hp = turn.state.actor(slot).hp;
                turn.damage(slot, hp, Subject::Nobody, Cause::Vanish);
            }
            Intent::Strike { .. } | Intent::Cast { .. } => {
                scratch.blows.push((slot, choice.intent));
            }
        }
    }
    scratch.choices = choices;
    scratch.claims.sort_unstable();
    let mut taken = None;
    for &Claim { to, slot, .. } in &scratch.claims {
        if taken == Some(to) {
            turn.state.actor_mut(slot).ready_at = tick + 1;
            continue;
        }
        taken = Some(to);
        step(turn, slot, to);
    }
}

fn tell_change(turn: &mut Turn<'_>, slot: u16, before: Mode, about: u16) {
    let after = turn.state.actor(slot).mode;
    if before == after {
        return;
    }
    let other = if about == NO_ACTOR { Subject::Nobody } else { turn.state.subject(about) };
    match (before, after) {
        (Mode::Asleep | Mode::Wandering, Mode::Hunting) if about != NO_ACTOR => {
            turn.report(slot, Note::Notices, other, 0);
        }
        (Mode::Fleeing, Mode::Hunting) => turn.report(slot, Note::Rallies, other, 0),
        _ => {}
    }
}

fn step(turn: &mut Turn<'_>, slot: u16, to: u32) {
    let tick = turn.state.tick.0;
    let row = turn.state.row(slot);
    let burrows = row.has(is::BURROWS) && turn.state.terrain_has(to, flags::BLOCKS_MOVE);
    if turn.state.is_affected(slot, Effect::Held) && !row.has(is::WEBS) {
        if turn.rng(purpose::ENTER + u64::from(slot)).chance(25) {
            turn.cure(slot, Effect::Held);
        }
        turn.state.actor_mut(slot).ready_at = tick + turn.state.pace(slot, row.move_ticks);
        return;
    }
    let ticks = if burrows { row.move_ticks * 3 } else { row.move_ticks };
    if burrows {
        turn.set_terrain(to, Terrain::Rubble);
        turn.report(slot, Note::Burrows, Subject::Nobody, 0);
    }
    turn.relocate(slot, to);
    turn.state.actor_mut(slot).ready_at = tick + turn.state.pace(slot, ticks);
}
