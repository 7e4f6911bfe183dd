//! Inputs, and the turns of the players.

use crate::game::catalog::{Effect, Note};
use crate::game::state::{Audience, Input, Subject, ZoneState};
use crate::game::turn::Turn;
use crate::model::limits::{COMMAND_QUEUE_MAX, NO_ACTOR};
use crate::model::{CharacterId, Command};

pub(in crate::sim) fn run(turn: &mut Turn<'_>, inputs: &[Input]) {
    for input in inputs {
        apply(turn, input);
    }
    // Whoever follows a call takes all with it that it was told in the same tick.
    for input in inputs {
        if let Input::Call { character, zone, arrive } = input {
            turn.follow_call(*character, *zone, *arrive);
        }
    }
    let characters: Vec<CharacterId> = turn.state.players.keys().copied().collect();
    for character in characters {
        take_turn(turn, character);
    }
}

fn apply(turn: &mut Turn<'_>, input: &Input) {
    match input {
        Input::Arrive { key, at, sheet } => turn.arrive(*key, *at, sheet.clone()),
        Input::Arrived { key } => turn.confirm(*key),
        Input::Connect { character } => turn.connect(*character),
        Input::Disconnect { character } => turn.disconnect(*character),
        Input::Leave { character } => turn.leave(*character),
        Input::Call { .. } => {}
        Input::Recorded { tick, loser } => turn.forget_bout(*tick, *loser),
        Input::Command { character, number, command } => {
            accept(turn, *character, *number, command);
        }
    }
}

/// Takes a command if its number is new: at once, into the queue, or not at all, which the player
/// is told, if that is full or the character has no body. In each case it counts as dealt with for
/// good.
fn accept(turn: &mut Turn<'_>, character: CharacterId, number: u32, command: &Command) {
    let Some(player) = turn.state.players.get_mut(&character) else { return };
    // One that was skipped may still be on its way: what follows it has to come again after it.
    if player.sheet.last_command.checked_add(1) != Some(number) {
        return;
    }
    player.sheet.last_command = number;
    turn.connect(character);
    let Some(player) = turn.state.players.get_mut(&character) else { return };
    let body = (player.slot != NO_ACTOR).then_some(player.slot);
    let name = player.sheet.name.clone();
    if turn.act_at_once(body, &name, command) {
        return;
    }
    let Some(slot) = body else {
        if *command != Command::Rest {
            let told = Audience::One(character);
            turn.note(told, Note::DeadWait, Subject::Nobody, Subject::Nobody, None, 0);
        }
        return;
    };
    let Some(player) = turn.state.players.get_mut(&character) else { return };
    let queue = &mut player.sheet.queue;
    if queue.len() < COMMAND_QUEUE_MAX {
        queue.push_back(command.clone());
    } else {
        turn.tell(slot, Note::Overloaded, None, 0);
    }
}

/// Lets a player act if its turn has come; commands that cost nothing are followed by the next.
fn take_turn(turn: &mut Turn<'_>, character: CharacterId) {
    while let Some(slot) = ready(turn.state, character) {
        let queue = turn.state.players.get_mut(&character).map(|p| &mut p.sheet.queue);
        let Some(command) = queue.and_then(std::collections::VecDeque::pop_front) else { return };
        if turn.act(slot, &command) {
            return;
        }
    }
}

/// The slot of a player that can act now.
fn ready(state: &ZoneState, character: CharacterId) -> Option<u16> {
    let player = state.players.get(&character)?;
    let slot = player.slot;
    if slot == NO_ACTOR || !player.connected || !state.is_up(slot) {
        return None;
    }
    let able =
        state.actor(slot).ready_at <= state.tick.0 && !state.is_affected(slot, Effect::Paralysed);
    able.then_some(slot)
}
