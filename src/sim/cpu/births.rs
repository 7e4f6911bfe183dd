//! Deaths and births: bodies leave, the dead wake up, the absent go to rest, matches begin and end,
//! strangers arrive.

use crate::game::generate;
use crate::game::state::{Destination, Mode, ZoneKind};
use crate::game::turn::{Turn, purpose};
use crate::model::CharacterId;
use crate::model::limits::NO_ACTOR;

/// Ticks between two chances that a monster wanders in, and the chance in a hundred.
const ARRIVAL_TICKS: u64 = 600;
const ARRIVAL_CHANCE: u32 = 50;
/// Cells that a newcomer keeps from every player.
const ARRIVAL_GAP: u16 = 25;
/// Cells of a floor for each monster that may wander in.
const CELLS_PER_MONSTER: u32 = 400;

pub(in crate::sim) fn run(turn: &mut Turn<'_>) {
    turn.settle_deaths();
    let tick = turn.state.tick;
    let due: Vec<(CharacterId, bool)> = turn
        .state
        .players
        .iter()
        .filter_map(|(&character, player)| {
            let dead = player.slot == NO_ACTOR;
            let wakes = dead && player.respawn_at <= tick;
            let rests = !dead && !player.connected && player.guarded_until <= tick;
            (wakes || rests).then_some((character, wakes))
        })
        .collect();
    for (character, wakes) in due {
        if wakes {
            turn.respawn(character);
        } else {
            turn.depart(character, Destination::Store, None);
        }
    }
    turn.settle_matches();
    wander_in(turn);
}

/// Now and then a monster comes in by the stairs or from a dark corner, if players are here.
fn wander_in(turn: &mut Turn<'_>) {
    let state = &*turn.state;
    let crowded = state.derived.monsters >= state.area() as u32 / CELLS_PER_MONSTER;
    if !state.tick.0.is_multiple_of(ARRIVAL_TICKS)
        || state.kind != ZoneKind::Floor
        || state.players.is_empty()
        || crowded
    {
        return;
    }
    let mut rng = turn.rng(purpose::BIRTHS);
    if rng.chance(ARRIVAL_CHANCE) {
        generate::stray(turn, ARRIVAL_GAP, Mode::Wandering, &mut rng);
    }
}
