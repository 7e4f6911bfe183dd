//! Who sees which cells, and what each player comes to know of them.
//!
//! Invariant: what a player remembers of a cell in view is how the cell looks now. So only cells
//! that came into view, or changed in view, need a look.

use std::collections::BTreeMap;

use super::fov::{Visible, field_of_view};
use crate::game::items::Looks;
use crate::game::state::ZoneState;
use crate::model::limits::NO_ACTOR;
use crate::model::{Cell, CharacterId, Pos};
use crate::sim::Scratch;
use crate::sim::appearance::{appearance, sight_radius};
use crate::sim::scratch::Sight;

pub(in crate::sim) fn run(
    state: &mut ZoneState,
    scratch: &mut Scratch,
    news: &mut BTreeMap<CharacterId, Vec<u32>>,
) {
    news.retain(|character, _| state.players.contains_key(character));
    scratch.sights.retain(|character, _| {
        state.players.get(character).is_some_and(|player| player.slot != NO_ACTOR)
    });
    let changed = std::mem::take(&mut state.derived.changed);
    let mut players = std::mem::take(&mut state.players);
    let (looks, sights) = scratch.looks_and_sights();
    for (&character, player) in &mut players {
        let cells = news.entry(character).or_default();
        cells.clear();
        if player.slot == NO_ACTOR {
            continue;
        }
        let cell = state.actor(player.slot).cell;
        let radius = sight_radius(state, player.slot);
        let known = player.sheet.known.len();
        let old = sights.get(&character);
        let moved = old.is_none_or(|s| s.cell != cell || s.radius != radius);
        let stale = moved || old.is_some_and(|s| is_sight_changed(state, s));
        let fresh = stale.then(|| look(state, cell, radius));
        let visible = fresh.as_ref().or(old.map(|s| &s.visible)).expect("fresh or old");
        let relearn = old.is_none_or(|s| s.known != known);
        let mut note = |at: u32| {
            let seen = appearance(state, looks, at, &player.sheet);
            if player.memory.set(at as usize, seen) {
                cells.push(at);
            }
        };
        let before = if relearn { None } else { old.map(|s| &s.visible) };
        each_cell_to_note(state, visible, before, &changed, &mut note);
        let sight = fresh.map(|visible| Sight { visible, cell, radius, known });
        match sight {
            Some(sight) => {
                sights.insert(character, sight);
            }
            None => {
                if let Some(sight) = sights.get_mut(&character) {
                    sight.known = known;
                }
            }
        }
    }
    show_revealed(state, &mut players, news);
    state.players = players;
    state.derived.changed = changed;
    state.derived.changed.fill(0);
    state.derived.opacity_changes.clear();
}

/// Works out what everybody sees, without writing anything down: after loading a state.
pub(in crate::sim) fn look_around(state: &ZoneState, scratch: &mut Scratch) {
    for (&character, player) in &state.players {
        if player.slot == NO_ACTOR {
            continue;
        }
        let cell = state.actor(player.slot).cell;
        let radius = sight_radius(state, player.slot);
        let visible = look(state, cell, radius);
        let known = player.sheet.known.len();
        scratch.sights.insert(character, Sight { visible, cell, radius, known });
    }
}

fn look(state: &ZoneState, cell: u32, radius: u16) -> Visible {
    let (width, height) = (usize::from(state.width), usize::from(state.height));
    field_of_view(&state.derived.opaque, width, height, state.pos(cell), radius)
}

/// Whether sight ends elsewhere now: a door, grass or a wall in view has changed, or has closed
/// where it was not: a cell at the edge of a view is seen when it is opaque, whatever its centre.
fn is_sight_changed(state: &ZoneState, sight: &Sight) -> bool {
    state.derived.opacity_changes.iter().any(|&cell| {
        let closed = state.derived.opaque[cell as usize] != 0;
        sight.visible.contains(state.pos(cell))
            || closed && state.gap(sight.cell, cell) <= sight.radius
    })
}

/// Calls `note` for the cells in view that were not in view `before` or have changed, in order.
fn each_cell_to_note(
    state: &ZoneState,
    visible: &Visible,
    before: Option<&Visible>,
    changed: &[u64],
    note: &mut impl FnMut(u32),
) {
    for (row, &seen) in visible.rows.iter().enumerate() {
        if seen == 0 {
            continue;
        }
        let old = before.map_or(0, |old| shifted_row(old, visible, row));
        let mut bits = seen & (!old | visible.under(row, changed, (state.width, state.height)));
        while bits != 0 {
            let x = visible.left + bits.trailing_zeros() as i32;
            let y = visible.top + row as i32;
            note(state.cell(Pos::new(x as u16, y as u16)));
            bits &= bits - 1;
        }
    }
}

/// The row of an older window that lies under a row of a newer one, aligned with that.
fn shifted_row(old: &Visible, new: &Visible, row: usize) -> u64 {
    let old_row = new.top + row as i32 - old.top;
    let Some(&bits) = usize::try_from(old_row).ok().and_then(|row| old.rows.get(row)) else {
        return 0;
    };
    let shift = old.left - new.left;
    match shift {
        0..=63 => bits << shift,
        -63..=-1 => bits >> -shift,
        _ => 0,
    }
}

/// Writes down what magic has shown: the cell as it is made, nothing that drifts there.
fn show_revealed(
    state: &mut ZoneState,
    players: &mut BTreeMap<CharacterId, crate::game::state::Player>,
    news: &mut BTreeMap<CharacterId, Vec<u32>>,
) {
    for (character, cell) in std::mem::take(&mut state.derived.revealed) {
        let Some(player) = players.get_mut(&character) else { continue };
        let terrain = state.terrain[cell as usize].apparent() as u8;
        let known = player.memory.cell(cell as usize);
        if known.is_some_and(|known| known.terrain() == terrain) {
            continue;
        }
        let item = known.map_or(0, Cell::item);
        let shown = Cell::new(terrain, item, (0, 0), false);
        if player.memory.set(cell as usize, shown) {
            let cells = news.entry(character).or_default();
            if let Err(at) = cells.binary_search(&cell) {
                cells.insert(at, cell);
            }
        }
    }
}

impl Scratch {
    fn looks_and_sights(&mut self) -> (&Looks, &mut BTreeMap<CharacterId, Sight>) {
        let looks = &self.looks.as_ref().expect("attune makes the looks").1;
        (looks, &mut self.sights)
    }
}
