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
    let uses =
        if goals.is_empty() && state.noises.is_empty() { Uses::default() } else { uses(state) };
    let hunted = !goals.is_empty();
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
        0 => fill(&mut maps.hunt, &derived.walk, &goals, hunted && uses.walks, all),
        1 => fill(
            &mut maps.swim,
            &derived.swim,
            &shores(derived, size, &goals),
            hunted && uses.swims,
            all,
        ),
        2 => fill(&mut maps.dig, &derived.dig, &goals, hunted && uses.digs, all),
        3 => {
            let cells: Vec<u32> = state.noises.iter().map(|noise| noise.cell).collect();
            let wanted = !cells.is_empty() && uses.wanders;
            fill(&mut maps.noise, &derived.walk, &cells, wanted, NOISE_REACH);
        }
        _ if hunted && uses.flees && !maps.hunt.is_empty() => {
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

#[derive(Default)]
struct Uses {
    walks: bool,
    swims: bool,
    digs: bool,
    flees: bool,
    wanders: bool,
}

/// Which maps the monsters of the floor need.
fn uses(state: &ZoneState) -> Uses {
    let mut uses = Uses::default();
    for actor in state.actors.iter().filter(|a| a.alive && a.kind != 0) {
        let row = row(actor.kind);
        uses.walks = true;
        uses.swims |= row.has(is::SWIMS);
        uses.digs |= row.has(is::BURROWS);
        let shy = is::KEEPS_DISTANCE | is::FLEES_HURT | is::STEALS;
        uses.flees |= actor.mode == Mode::Fleeing || row.has(shy) || actor.effects[FEAR] != 0;
        uses.wanders |= actor.mode == Mode::Wandering;
    }
    uses
}

const FEAR: usize = crate::game::catalog::Effect::Terrified as usize;
