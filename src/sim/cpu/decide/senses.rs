//! What a monster knows: whom it sees, notices, smells, and has beside it.

use std::collections::BTreeMap;

use super::{Intent, Mind};
use crate::game::state::ZoneState;
use crate::model::limits::NO_ACTOR;
use crate::model::{CharacterId, Direction, Pos};
use crate::sim::cpu::fov::Visible;
use crate::sim::scratch::Sight;

/// Ticks after which a scent is too old to follow.
const SCENT_TICKS: u32 = 600;

/// A player that monsters may hunt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prey<'a> {
    pub(super) slot: u16,
    pub(super) cell: u32,
    pub(super) pos: Pos,
    /// Cells from which it may be noticed.
    stealth: u16,
    /// What it sees, and so from where it is seen.
    visible: &'a Visible,
}

/// All players that monsters may hunt.
#[derive(Debug)]
pub(super) struct Quarry<'a> {
    prey: Vec<Prey<'a>>,
    /// The cells that any of them sees, one bit each: most monsters need not look at all.
    watched: &'a [u64],
    /// The greatest `Prey::stealth`.
    stealth_max: u16,
}

impl<'a> Quarry<'a> {
    /// Lists them; `watched` is a buffer.
    pub(super) fn list(
        state: &ZoneState,
        sights: &'a BTreeMap<CharacterId, Sight>,
        watched: &'a mut Vec<u64>,
    ) -> Self {
        watched.clear();
        watched.resize(state.area().div_ceil(64), 0);
        let mut prey = Vec::with_capacity(state.players.len());
        for (character, player) in &state.players {
            let slot = player.slot;
            if slot == NO_ACTOR || !player.connected || !state.is_up(slot) {
                continue;
            }
            let Some(sight) = sights.get(character) else { continue };
            watch(watched, &sight.visible, state.width.into());
            let cell = state.actor(slot).cell;
            prey.push(Prey {
                slot,
                cell,
                pos: state.pos(cell),
                stealth: state.stealth(slot),
                visible: &sight.visible,
            });
        }
        let stealth_max = prey.iter().map(|prey| prey.stealth).max().unwrap_or(0);
        Self { prey, watched, stealth_max }
    }

    fn sees(&self, cell: u32) -> bool {
        self.watched[cell as usize / 64] >> (cell % 64) & 1 == 1
    }
}

/// Adds the cells that somebody sees.
fn watch(watched: &mut [u64], visible: &Visible, width: usize) {
    // Bits to the left of the zone are never set.
    let (left, outside) = (visible.left.max(0) as usize, (-visible.left).max(0));
    for (y, &row) in (visible.top..).zip(&visible.rows) {
        if row == 0 {
            continue;
        }
        let row = row >> outside;
        let first = y as usize * width + left;
        let (word, bit) = (first / 64, first % 64);
        watched[word] |= row << bit;
        // Shifted in two steps: by 64 in one would be by none.
        let rest = row >> 1 >> (63 - bit);
        if rest != 0 {
            watched[word + 1] |= rest;
        }
    }
}

impl<'a> Mind<'a> {
    /// The nearest player that it sees: sight goes both ways.
    pub(super) fn sees(&self) -> Option<&'a Prey<'a>> {
        if !self.quarry.sees(self.actor.cell) {
            return None;
        }
        let mut nearest: Option<(u16, &Prey<'_>)> = None;
        for prey in &self.quarry.prey {
            let gap = prey.pos.chebyshev(self.pos);
            if nearest.is_none_or(|(least, _)| gap < least) && prey.visible.contains(self.pos) {
                nearest = Some((gap, prey));
            }
        }
        nearest.map(|(_, prey)| prey)
    }

    /// A player near enough to be noticed now: in plain view, or heard around a corner at a third
    /// of the distance.
    pub(super) fn notices(&self) -> Option<&'a Prey<'a>> {
        let near = self.is_near_on_foot(self.quarry.stealth_max / 3);
        if !near && !self.quarry.sees(self.actor.cell) {
            return None;
        }
        self.quarry.prey.iter().find(|prey| {
            let gap = prey.pos.chebyshev(self.pos);
            gap <= prey.stealth
                && (prey.visible.contains(self.pos)
                    || (gap * 3 <= prey.stealth && self.is_near_on_foot(prey.stealth / 3)))
        })
    }

    fn is_near_on_foot(&self, steps: u16) -> bool {
        self.state.maps.hunt.get(self.actor.cell as usize).is_some_and(|&d| d <= steps)
    }

    /// The foe beside it that it would strike: players first, the weakest first.
    pub(super) fn foe_beside(&self) -> Option<u16> {
        let mut best: Option<(bool, i32, u16)> = None;
        for direction in Direction::ALL {
            let Some(other) = self.neighbour(direction) else { continue };
            if self.state.is_hostile(self.slot, other)
                && self.state.is_up(other)
                && !self.state.is_guarded(other)
                && self.state.can_reach(self.actor.cell, direction)
            {
                let actor = self.state.actor(other);
                let rank = (actor.kind != 0, actor.hp, other);
                best = Some(best.map_or(rank, |b| b.min(rank)));
            }
        }
        best.map(|(_, _, slot)| slot)
    }

    /// The actor beside it in a direction.
    fn neighbour(&self, direction: Direction) -> Option<u16> {
        // Nobody stands on the border, so every neighbour is a cell of the zone.
        let (dx, dy) = direction.delta();
        let step = isize::from(dy) * self.state.width as isize + isize::from(dx);
        let at = (self.actor.cell as usize).wrapping_add_signed(step);
        let slot = *self.state.derived.occupant.get(at)?;
        (slot != NO_ACTOR).then_some(slot)
    }

    /// The cell of the nearest foe of an ally within `radius` that it has a line to.
    pub(super) fn foe_near(&self, radius: u16) -> Option<u32> {
        self.state.around(self.actor.cell, radius).into_iter().find(|&at| {
            self.state.actor_at(at).is_some_and(|other| {
                self.state.is_hostile(self.slot, other)
                    && self.state.is_up(other)
                    && !self.state.is_hidden(other)
                    && !self.state.is_guarded(other)
                    && self.state.has_line(self.actor.cell, at)
            })
        })
    }

    /// The neighbour where a player was most lately, if that is fresher than here.
    pub(super) fn step_by_scent(&mut self) -> Option<Intent> {
        let here = self.state.scent[self.actor.cell as usize];
        let mut best = None;
        let mut freshest = here.max(self.now.saturating_sub(SCENT_TICKS));
        for direction in Direction::ALL {
            let Some(to) = self.free_neighbour(direction) else { continue };
            let scent = self.state.scent[to as usize];
            if scent > freshest {
                freshest = scent;
                best = Some(to);
            }
        }
        best.map(|to| Intent::Step { to, priority: 1 })
    }
}
