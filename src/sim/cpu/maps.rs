//! Distance maps that all monsters share, refreshed in turn.

use super::distance;
use crate::game::catalog::monsters::{flags as is, row};
use crate::game::state::{Mode, ZoneState};
use crate::sim::Scratch;

/// Ticks between two refreshes of a map.
const PERIOD: u64 = 5;
/// Steps to which a noise draws monsters.
const NOISE_REACH: u16 = 60;

/// Refreshes the map whose turn it is. A map that nobody on the floor uses is emptied.
pub(in crate::sim) fn run(state: &mut ZoneState, scratch: &mut Scratch) {
    let tick = state.tick.0;
    state.noises.retain(|noise| noise.until > tick);
    let goals = goals(state);
    let hunted = !goals.is_empty();
    let wanted = if hunted || !state.noises.is_empty() { is_used(state) } else { false };
    let size = (usize::from(state.width), usize::from(state.height));
    let maps = &mut state.maps;
    let derived = &state.derived;
    let buffers = &mut scratch.distance;
    let mut fill = |map: &mut Vec<u16>, plane: &[u8], goals: &[u32], wanted: bool, reach: u16| {
        if !wanted {
            map.clear();
            return;
        }
        map.resize(plane.len(), 0);
        distance::fill(map, plane, size.0, size.1, goals, reach, buffers);
    };
    let all = distance::UNREACHED;
    match tick % PERIOD {
        0 => fill(&mut maps.hunt, &derived.walk, &goals, hunted && wanted, all),
        1 => {
            let goals = shores(derived, size, &goals);
            fill(&mut maps.swim, &derived.swim, &goals, hunted && wanted, all);
        }
        2 => fill(&mut maps.dig, &derived.dig, &goals, hunted && wanted, all),
        3 => {
            let cells: Vec<u32> = state.noises.iter().map(|noise| noise.cell).collect();
            fill(&mut maps.noise, &derived.walk, &cells, !cells.is_empty() && wanted, NOISE_REACH);
        }
        _ if hunted && wanted && !maps.hunt.is_empty() => {
            maps.flee.resize(derived.walk.len(), 0);
            distance::fill_flee(&mut maps.flee, &maps.hunt, size.0, &mut scratch.distance);
        }
        _ => maps.flee.clear(),
    }
}

/// Cells of the players that monsters hunt.
fn goals(state: &ZoneState) -> Vec<u32> {
    let hunted = state.bodies().filter(|&slot| state.is_up(slot) && !state.is_guarded(slot));
    hunted.map(|slot| state.actor(slot).cell).collect()
}

/// Swimmers lie in wait in the water beside their prey.
fn shores(
    derived: &crate::game::state::Derived,
    (width, _): (usize, usize),
    goals: &[u32],
) -> Vec<u32> {
    let mut cells = Vec::new();
    for &goal in goals {
        for dy in [-1_isize, 0, 1] {
            for dx in [-1_isize, 0, 1] {
                let at = (goal as usize).wrapping_add_signed(dy * width as isize + dx);
                if derived.swim.get(at).is_some_and(|&wet| wet != 0) {
                    cells.push(at as u32);
                }
            }
        }
    }
    cells
}

/// Whether a monster of the floor needs the map whose turn it is.
fn is_used(state: &ZoneState) -> bool {
    let turn = state.tick.0 % PERIOD;
    let shy = is::KEEPS_DISTANCE | is::FLEES_HURT | is::STEALS;
    state.actors.iter().filter(|a| a.alive && a.kind != 0).any(|actor| {
        let row = row(actor.kind);
        match turn {
            0 => true,
            1 => row.has(is::SWIMS),
            2 => row.has(is::BURROWS),
            3 => actor.mode == Mode::Wandering,
            _ => actor.mode == Mode::Fleeing || row.has(shy) || actor.effects[FEAR] != 0,
        }
    })
}

const FEAR: usize = crate::game::catalog::Effect::Terrified as usize;
