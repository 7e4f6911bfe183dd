//! What a monster knows: whom it sees, notices, smells, and has beside it.

use std::collections::BTreeMap;

use super::{Intent, Mind};
use crate::game::catalog::terrain::flags;
use crate::game::state::ZoneState;
use crate::model::limits::{NO_ACTOR, SIGHT_RADIUS_MAX};
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
    /// Those that may see a cell of each tile, by rising number: most monsters have few about.
    near: &'a [Vec<u16>],
    /// Tiles in a row.
    across: usize,
}

/// Cells of a side of a tile.
const TILE: u16 = 16;

impl<'a> Quarry<'a> {
    /// Lists them; `near` is a buffer.
    pub(super) fn list(
        state: &ZoneState,
        sights: &'a BTreeMap<CharacterId, Sight>,
        near: &'a mut Vec<Vec<u16>>,
    ) -> Self {
        let (across, down) = (state.width.div_ceil(TILE), state.height.div_ceil(TILE));
        near.resize(usize::from(across) * usize::from(down), Vec::new());
        near.iter_mut().for_each(Vec::clear);
        let mut prey = Vec::with_capacity(state.players.len());
        for (character, player) in &state.players {
            let slot = player.slot;
            if slot == NO_ACTOR || !player.connected || !state.is_up(slot) {
                continue;
            }
            let Some(sight) = sights.get(character) else { continue };
            let cell = state.actor(slot).cell;
            let (pos, visible) = (state.pos(cell), &sight.visible);
            // It may have moved since it saw that: both ends count.
            let first = |a: u16, b: u16| a.min(b).saturating_sub(SIGHT_RADIUS_MAX) / TILE;
            let last =
                |a: u16, b: u16, count: u16| ((a.max(b) + SIGHT_RADIUS_MAX) / TILE).min(count - 1);
            let (here, there) = (pos, visible.origin);
            for y in first(here.y, there.y)..=last(here.y, there.y, down) {
                for x in first(here.x, there.x)..=last(here.x, there.x, across) {
                    near[usize::from(y * across + x)].push(prey.len() as u16);
                }
            }
            prey.push(Prey { slot, cell, pos, stealth: state.stealth(slot), visible });
        }
        Self { prey, near, across: across.into() }
    }

    /// The prey that may see `pos` or be heard from there.
    fn near(&self, pos: Pos) -> impl Iterator<Item = &Prey<'a>> {
        let tile = usize::from(pos.y / TILE) * self.across + usize::from(pos.x / TILE);
        self.near[tile].iter().map(|&number| &self.prey[usize::from(number)])
    }
}

impl<'a> Mind<'a> {
    /// The nearest player that it sees: sight goes both ways.
    pub(super) fn sees(&self) -> Option<&'a Prey<'a>> {
        let mut nearest: Option<(u16, &Prey<'_>)> = None;
        for prey in self.quarry.near(self.pos) {
            let gap = prey.pos.chebyshev(self.pos);
            if nearest.is_none_or(|(least, _)| gap < least) && prey.visible.contains(self.pos) {
                nearest = Some((gap, prey));
                if gap <= 1 {
                    break;
                }
            }
        }
        nearest.map(|(_, prey)| prey)
    }

    /// A player near enough to be noticed now: in plain view, or heard around a corner at a third
    /// of the distance.
    pub(super) fn notices(&self) -> Option<&'a Prey<'a>> {
        self.quarry.near(self.pos).find(|prey| {
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
                && self.can_reach(direction)
            {
                let actor = self.state.actor(other);
                let rank = (actor.kind != 0, actor.hp, other);
                best = Some(best.map_or(rank, |b| b.min(rank)));
            }
        }
        best.map(|(_, _, slot)| slot)
    }

    /// As `ZoneState::can_reach`, from where it stands.
    pub(super) fn can_reach(&self, direction: Direction) -> bool {
        let Some(to) = self.pos.step(direction, self.state.width, self.state.height) else {
            return false;
        };
        let open =
            |x, y| !self.state.terrain_has(self.state.cell(Pos::new(x, y)), flags::BLOCKS_MOVE);
        !direction.is_diagonal() || open(self.pos.x, to.y) && open(to.x, self.pos.y)
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
        self.state.around(self.actor.cell, radius).find(|&at| {
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
