//! Gas, fire, what they change, and what they do to those who stand in them.

use super::activity::{CHUNK_HEIGHT, CHUNK_WIDTH, runs};
use super::{bits, fire, gas, upkeep};
use crate::game::catalog::terrain::flags;
use crate::game::catalog::{Flash, Gas, Note};
use crate::game::items;
use crate::game::state::{Cause, Subject, ZoneState};
use crate::game::turn::{Turn, purpose};
use crate::sim::Scratch;
use crate::sim::appearance::haze_of;

/// Each vent breathes once in so many ticks, with this chance in a hundred, so many units.
const VENT_TICKS: u64 = 64;
const VENT_CHANCE: u32 = 25;
const VENT_UNITS: (i32, i32) = (20, 60);
/// Explosions that are shown in one tick; the others only do harm.
const BURSTS_SHOWN_MAX: usize = 8;

/// Does what comes before gas and fire move.
pub(in crate::sim) fn begin(turn: &mut Turn<'_>, scratch: &mut Scratch) {
    breathe(turn);
    wake(turn.state, scratch);
}

/// Moves gas and fire. What comes of it is left to [`end`], and nothing else of the state changes:
/// a device may do this instead.
pub(in crate::sim) fn spread(state: &mut ZoneState, scratch: &mut Scratch) {
    clear(state, scratch);
    spread_gas(state, scratch);
    burn(state, scratch);
}

/// Forgets what the last tick has come to.
pub(in crate::sim) fn clear(state: &ZoneState, scratch: &mut Scratch) {
    scratch.airs.clear();
    scratch.airs.resize(usize::from(state.height).div_ceil(CHUNK_HEIGHT), 0);
    scratch.burning.clear();
}

/// Does what comes of it.
pub(in crate::sim) fn end(turn: &mut Turn<'_>, scratch: &mut Scratch) {
    mark_haze(turn.state, &mut scratch.haze, &scratch.airs);
    let burning = std::mem::take(&mut scratch.burning);
    scar(turn, &burning);
    scratch.burning = burning;
    upkeep::run(turn);
}

fn breathe(turn: &mut Turn<'_>) {
    let phase = turn.state.tick.0 % VENT_TICKS;
    let due = turn.state.derived.vents.iter().filter(|&&c| u64::from(c) % VENT_TICKS == phase);
    let due: Vec<u32> = due.copied().collect();
    for cell in due {
        let mut rng = turn.rng(purpose::ENVIRONMENT + u64::from(cell));
        if rng.chance(VENT_CHANCE) {
            let units = rng.between(VENT_UNITS.0, VENT_UNITS.1);
            turn.add_gas(Gas::Methane, cell, units as u32);
        }
    }
}

/// Tells the planes' activities of what the rules put into them.
fn wake(state: &mut ZoneState, scratch: &mut Scratch) {
    scratch.woken.clear();
    std::mem::swap(&mut scratch.woken, &mut state.derived.woken);
    for (activity, woken) in scratch.gas.iter_mut().zip(&scratch.woken.gas) {
        woken.iter().for_each(|&cell| activity.wake(cell as usize));
    }
    let activity = scratch.fire.as_mut().expect("attune makes the activities");
    scratch.woken.fire.iter().for_each(|&cell| activity.wake(cell as usize));
}

fn spread_gas(state: &mut ZoneState, scratch: &mut Scratch) {
    let tick = state.tick.0;
    for kind in Gas::ALL {
        let activity = &mut scratch.gas[kind as usize];
        if activity.is_quiet() {
            continue;
        }
        // Where there was gas and where there is some now.
        activity.add_busy(&mut scratch.airs);
        gas::step(
            &mut state.gas[kind as usize],
            &state.derived.air,
            activity,
            &mut scratch.rows,
            gas::moment(tick, kind),
            kind.row().dissipation,
        );
        activity.add_busy(&mut scratch.airs);
    }
}

/// Marks the cells of some chunks whose air looks different now.
fn mark_haze(state: &mut ZoneState, old: &mut [u8], chunks: &[u64]) {
    let (width, height) = (usize::from(state.width), usize::from(state.height));
    for (strip, &mask) in chunks.iter().enumerate() {
        for y in strip * CHUNK_HEIGHT..((strip + 1) * CHUNK_HEIGHT).min(height) {
            for (from, to) in runs(mask, width) {
                for first in (from..to).step_by(CHUNK_WIDTH) {
                    let cells = y * width + first..y * width + to.min(first + CHUNK_WIDTH);
                    mark_haze_row(state, &mut old[cells.clone()], cells.start);
                }
            }
        }
    }
}

/// Does at most `CHUNK_WIDTH` cells of a row.
fn mark_haze_row(state: &mut ZoneState, old: &mut [u8], first: usize) {
    // Copies of a fixed size are what the compiler makes vector code of.
    let copy = |cells: &[u8]| {
        let mut copy = [0; CHUNK_WIDTH];
        copy[..cells.len()].copy_from_slice(cells);
        copy
    };
    let gas = state.gas.each_ref().map(|plane| copy(&plane[first..first + old.len()]));
    let before = copy(old);
    let mut now = [0; CHUNK_WIDTH];
    let mut changed = [0; CHUNK_WIDTH];
    for i in 0..CHUNK_WIDTH {
        now[i] = haze_of([gas[0][i], gas[1][i], gas[2][i], gas[3][i]]);
        changed[i] = now[i] ^ before[i];
    }
    let changed = bits::pack_row(&changed);
    if changed != 0 {
        old.copy_from_slice(&now[..old.len()]);
        bits::ones(changed).for_each(|i| state.mark_changed((first + i) as u32));
    }
}

fn burn(state: &mut ZoneState, scratch: &mut Scratch) {
    let activity = scratch.fire.as_mut().expect("attune makes the activities");
    if activity.is_quiet() {
        return;
    }
    let fuel = fire::Fuel {
        ignition: &state.derived.ignition,
        burn_ticks: &state.derived.burn_ticks,
        methane: &state.gas[Gas::Methane as usize],
    };
    let moment = (state.seed, state.tick.0);
    let events = &mut scratch.burning;
    fire::step(&mut state.fire, &fuel, activity, &mut scratch.rows, moment, events);
}

/// Does to the cells what fire has done.
fn scar(turn: &mut Turn<'_>, events: &fire::Events) {
    for cell in events.ignited.cells() {
        turn.state.mark_changed(cell);
        scorch(turn, cell);
    }
    for cell in events.burnt_out.cells() {
        turn.state.mark_changed(cell);
        let terrain = turn.state.terrain[cell as usize];
        if terrain.row().ignition > 0 {
            turn.set_terrain(cell, terrain.row().burnt);
            collapse(turn, cell);
        }
    }
    explode(turn, &events.exploded);
}

/// What burns up when its cell catches fire, and who catches fire with it.
fn scorch(turn: &mut Turn<'_>, cell: u32) {
    if turn.state.items.get(&cell).is_some_and(items::is_flammable)
        && let Some(item) = turn.take_item(cell)
    {
        turn.state.ledger.destroy(&item);
        let audience = crate::game::state::Audience::Sight(cell);
        let count = item.count as i32;
        turn.note(audience, Note::ItemBurns, Subject::Nobody, Subject::Nobody, Some(item), count);
    }
    if let Some(slot) = turn.state.actor_at(cell) {
        turn.catch_fire(slot);
    }
}

/// A burnt bridge drops what was on it into the water.
fn collapse(turn: &mut Turn<'_>, cell: u32) {
    if !turn.state.terrain_has(cell, flags::DEEP_WATER | flags::LAVA) {
        return;
    }
    if let Some(item) = turn.take_item(cell) {
        turn.drop_item(cell, item);
    }
    if let Some(slot) = turn.state.actor_at(cell) {
        turn.touch_down(slot);
    }
}

/// Methane that a flame has reached: it is gone, and hurts whoever stands there.
fn explode(turn: &mut Turn<'_>, cells: &fire::Marks) {
    let mut shown = 0;
    for cell in cells.cells() {
        let methane = &mut turn.state.gas[Gas::Methane as usize][cell as usize];
        let amount = i32::from(std::mem::take(methane));
        if amount == 0 {
            continue;
        }
        turn.state.derived.woken.gas[Gas::Methane as usize].push(cell);
        turn.state.mark_changed(cell);
        turn.ignite(cell);
        if shown < BURSTS_SHOWN_MAX {
            turn.burst(Flash::Explosion, cell, 1);
        }
        if shown == 0 {
            turn.note_at(cell, Note::MethaneExplodes);
            turn.make_noise(cell, 30);
        }
        shown += 1;
        if let Some(slot) = turn.state.actor_at(cell) {
            let most = 3 + amount / 12;
            let mut rng = turn.rng(purpose::ENVIRONMENT + u64::from(cell));
            let harm = rng.between(most / 2, most);
            turn.damage(slot, harm, Subject::Nobody, Cause::Explosion);
            turn.catch_fire(slot);
        }
    }
}
