//! What follows from the rest of a zone's state: planes for the kernels, occupancy, free slots.

use super::catalog::Terrain;
use super::catalog::terrain::flags;
use super::state::{Derived, ZoneState};
use crate::model::limits::NO_ACTOR;

/// Works everything out anew, as after loading a snapshot.
pub fn derive(state: &mut ZoneState) {
    let area = state.area();
    state.derived = Derived {
        occupant: vec![NO_ACTOR; area],
        changed: vec![0; area.div_ceil(64)],
        opaque: vec![0; area],
        walk: vec![0; area],
        swim: vec![0; area],
        dig: vec![0; area],
        air: vec![SEALED; area],
        ignition: vec![0; area],
        burn_ticks: vec![0; area],
        ..Derived::default()
    };
    for cell in 0..area as u32 {
        fill_planes(state, cell);
        if state.terrain_has(cell, flags::METHANE_SOURCE) {
            state.derived.vents.push(cell);
        }
    }
    for (slot, actor) in (0..).zip(&state.actors) {
        if actor.alive {
            state.derived.occupant[actor.cell as usize] = slot;
            state.derived.monsters += u32::from(actor.kind != 0);
        } else {
            state.derived.vacant.insert(slot);
        }
    }
}

/// Works out one cell whose terrain has changed.
pub(super) fn refresh_cell(state: &mut ZoneState, cell: u32) {
    let opaque = state.derived.opaque[cell as usize];
    fill_planes(state, cell);
    state.derived.woken.terrain.push(cell);
    if opaque != state.derived.opaque[cell as usize] {
        state.derived.opacity_changes.push(cell);
    }
    let breathes = state.terrain_has(cell, flags::METHANE_SOURCE);
    let vents = &mut state.derived.vents;
    match (vents.binary_search(&cell), breathes) {
        (Ok(at), false) => {
            vents.remove(at);
        }
        (Err(at), true) => vents.insert(at, cell),
        _ => {}
    }
}

fn fill_planes(state: &mut ZoneState, cell: u32) {
    let (at, width) = (cell as usize, usize::from(state.width));
    let terrain = state.terrain[at];
    let derived = &mut state.derived;
    let walks = walkable(terrain);
    derived.opaque[at] = u8::from(terrain.has(flags::BLOCKS_SIGHT));
    derived.walk[at] = u8::from(walks);
    derived.swim[at] = u8::from(terrain.has(flags::WATER) && !terrain.has(flags::BLOCKS_MOVE));
    derived.dig[at] = u8::from(walks || terrain.has(flags::DIGGABLE));
    let_air(&mut derived.air, width, at, !terrain.has(flags::BLOCKS_GAS));
    derived.ignition[at] = terrain.row().ignition;
    derived.burn_ticks[at] = terrain.row().burn_ticks;
}

/// Marks the cells of an air plane where gas may not be. The bits below it count the neighbours up,
/// down, left and right where gas may be.
pub const SEALED: u8 = 1 << 7;

/// Says whether gas may be in a cell, to its neighbours too. An air plane begins [`SEALED`].
pub fn let_air(air: &mut [u8], width: usize, cell: usize, airy: bool) {
    if airy == (air[cell] & SEALED == 0) {
        return;
    }
    air[cell] ^= SEALED;
    for beside in [cell.wrapping_sub(width), cell.wrapping_sub(1), cell + 1, cell + width] {
        if let Some(air) = air.get_mut(beside) {
            *air = if airy { *air + 1 } else { *air - 1 };
        }
    }
}

/// Whether monsters on foot go there of their own will.
#[must_use]
pub fn walkable(terrain: Terrain) -> bool {
    !terrain.has(flags::BLOCKS_MOVE | flags::LAVA | flags::DEEP_WATER)
}
