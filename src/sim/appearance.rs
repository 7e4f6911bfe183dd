//! How cells and actors look to a player.

use super::cpu::fov::Visible;
use super::scratch::{Scratch, Sight};
use crate::game::catalog::Effect;
use crate::game::catalog::monsters::flags as is;
use crate::game::items::Looks;
use crate::game::state::{GASES, Sheet, ZoneState};
use crate::model::limits::SIGHT_RADIUS_MAX;
use crate::model::{Cell, CharacterId, Pos};

/// Cells a player in the dark sees.
const DARK_RADIUS: u16 = 7;

/// The strongest gas of a cell: its kind in the high half of the byte, its level below 8 in the
/// low half; 0 for clean air.
pub(super) fn haze(state: &ZoneState, cell: usize) -> u8 {
    haze_of(std::array::from_fn(|kind| state.gas[kind][cell]))
}

/// The same from the concentrations, by comparisons alone: many cells go through it at once.
#[inline(always)]
pub(super) fn haze_of(amounts: [u8; GASES]) -> u8 {
    let (mut strongest, mut most) = (0, 0);
    for (kind, amount) in (0..).zip(amounts) {
        strongest = if amount > most { kind } else { strongest };
        most = most.max(amount);
    }
    // Each level is twice the one below: 1, 2..3, 4..7 up to 64 and more.
    let level = (0..7).fold(0, |level, bit| level + u8::from(most >= 1 << bit));
    strongest << 4 | level
}

/// How a cell looks to a character. Hidden doors and traps look like what hides them.
#[must_use]
pub fn appearance(state: &ZoneState, looks: &Looks, cell: u32, sheet: &Sheet) -> Cell {
    let at = cell as usize;
    let terrain = state.terrain[at].apparent() as u8;
    let item = state.items.get(&cell).map_or(0, |item| looks.look(item, sheet));
    let haze = haze(state, at);
    Cell::new(terrain, item, (haze >> 4, haze & 7), state.fire[at] > 0)
}

/// How far the actor in a slot sees.
#[must_use]
pub(super) fn sight_radius(state: &ZoneState, slot: u16) -> u16 {
    if state.is_affected(slot, Effect::Darkened) { DARK_RADIUS } else { SIGHT_RADIUS_MAX }
}

/// What a character sees now; `None` if it has no body in the zone.
#[must_use]
pub fn visible<'s>(
    state: &ZoneState,
    scratch: &'s mut Scratch,
    character: CharacterId,
) -> Option<&'s Visible> {
    scratch.attune(state);
    scratch.sights.get(&character).map(|sight| &sight.visible)
}

/// Whether a character is shown the actor in a slot: in plain view, or by its mind. Its own body
/// always is.
#[must_use]
pub fn actor_visible_to(
    state: &ZoneState,
    scratch: &mut Scratch,
    viewer: CharacterId,
    slot: u16,
) -> bool {
    scratch.attune(state);
    Eye::of(state, scratch, viewer).is_some_and(|eye| eye.sees(slot))
}

/// Keeps those of some actor slots that a character is shown, see [`actor_visible_to`].
pub fn retain_visible(
    state: &ZoneState,
    scratch: &mut Scratch,
    viewer: CharacterId,
    slots: &mut Vec<u16>,
) {
    scratch.attune(state);
    let Some(eye) = Eye::of(state, scratch, viewer) else { return slots.clear() };
    slots.retain(|&slot| eye.sees(slot));
}

/// How a character perceives others.
struct Eye<'a> {
    state: &'a ZoneState,
    haze: &'a [u8],
    sight: &'a Sight,
    slot: u16,
    here: Pos,
    telepathic: bool,
}

impl<'a> Eye<'a> {
    /// `None` for a character that is not in the zone or has no body.
    fn of(state: &'a ZoneState, scratch: &'a Scratch, viewer: CharacterId) -> Option<Self> {
        let sight = scratch.sights.get(&viewer)?;
        let slot = state.players.get(&viewer)?.slot;
        let telepathic = state.is_affected(slot, Effect::Telepathic);
        let here = state.pos(sight.cell);
        Some(Self { state, haze: &scratch.haze, sight, slot, here, telepathic })
    }

    fn sees(&self, slot: u16) -> bool {
        if self.slot == slot {
            return true;
        }
        let actor = self.state.actor(slot);
        if !actor.alive {
            return false;
        }
        let row = self.state.row(slot);
        if self.telepathic && actor.kind != 0 && !row.has(is::INANIMATE) {
            return true;
        }
        let pos = self.state.pos(actor.cell);
        if !self.sight.visible.contains(pos) || self.state.is_hidden(slot) {
            return false;
        }
        let in_gas = || self.haze.get(actor.cell as usize).is_some_and(|&haze| haze != 0);
        !row.has(is::INVISIBLE) || pos.chebyshev(self.here) <= 1 || in_gas()
    }
}
