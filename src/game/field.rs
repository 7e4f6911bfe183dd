//! Cells: terrain, gas, fire, noise and what lies on the ground.

use super::catalog::terrain::flags;
use super::catalog::{Flash, Gas, Note, Terrain};
use super::derive;
use super::item::Item;
use super::state::{Audience, Noise, Subject, ZoneState};
use super::turn::Turn;
use crate::model::Direction;

/// Noises remembered at a time; the oldest goes first.
const NOISES_MAX: usize = 32;

impl ZoneState {
    /// Number of cells.
    #[must_use]
    pub fn area(&self) -> usize {
        self.terrain.len()
    }

    /// Says that a cell no longer looks as it did.
    pub fn mark_changed(&mut self, cell: u32) {
        self.derived.changed[cell as usize / 64] |= 1 << (cell % 64);
    }

    #[must_use]
    pub fn terrain_has(&self, cell: u32, flags: u16) -> bool {
        self.terrain[cell as usize].has(flags)
    }

    /// The neighbour of a cell, or `None` beyond the zone.
    #[must_use]
    pub fn neighbour(&self, cell: u32, direction: Direction) -> Option<u32> {
        self.pos(cell).step(direction, self.width, self.height).map(|pos| self.cell(pos))
    }

    /// Whether somebody could step or strike from a cell to its neighbour in `direction`: not
    /// around the corner of a wall.
    #[must_use]
    pub fn can_reach(&self, cell: u32, direction: Direction) -> bool {
        let Some(to) = self.neighbour(cell, direction) else { return false };
        if !direction.is_diagonal() {
            return true;
        }
        let (from, to) = (self.pos(cell), self.pos(to));
        let corner = |x, y| self.cell(crate::model::Pos::new(x, y));
        !self.terrain_has(corner(from.x, to.y), flags::BLOCKS_MOVE)
            && !self.terrain_has(corner(to.x, from.y), flags::BLOCKS_MOVE)
    }

    /// Whether `a` and `b` are neighbours that can strike each other.
    #[must_use]
    pub fn is_adjacent(&self, a: u32, b: u32) -> bool {
        self.pos(a).direction_to(self.pos(b)).is_some_and(|d| self.can_reach(a, d))
    }

    /// The cells on the straight line after `from` up to and including `to`, at most `max` of
    /// them; the line goes on beyond `to` if `max` allows.
    #[must_use]
    pub fn line(&self, from: u32, to: u32, max: usize) -> Vec<u32> {
        let (a, b) = (self.pos(from), self.pos(to));
        let (dx, dy) = (i32::from(b.x) - i32::from(a.x), i32::from(b.y) - i32::from(a.y));
        let steps = dx.abs().max(dy.abs());
        let mut cells = Vec::new();
        if steps == 0 {
            return cells;
        }
        for i in 1..=max as i32 {
            // Rounded halves go away from zero: a line and its mirror image are alike.
            let along = |d: i32| (2 * d.abs() * i + steps) / (2 * steps) * d.signum();
            let (x, y) = (i32::from(a.x) + along(dx), i32::from(a.y) + along(dy));
            if x < 0 || y < 0 || x >= i32::from(self.width) || y >= i32::from(self.height) {
                break;
            }
            cells.push(y as u32 * u32::from(self.width) + x as u32);
        }
        cells
    }

    /// The cells on the line from `from` through `to`, up to and including the first actor, at
    /// most `max`; it ends before the first cell that blocks movement.
    #[must_use]
    pub fn line_of_fire(&self, from: u32, to: u32, max: usize) -> Vec<u32> {
        let mut cells = Vec::new();
        for cell in self.line(from, to, max) {
            if self.terrain_has(cell, flags::BLOCKS_MOVE) {
                break;
            }
            cells.push(cell);
            if self.actor_at(cell).is_some() {
                break;
            }
        }
        cells
    }

    /// Whether nothing opaque lies between two cells on the straight line.
    #[must_use]
    pub fn has_line(&self, from: u32, to: u32) -> bool {
        let gap = usize::from(self.gap(from, to));
        self.line(from, to, gap.saturating_sub(1))
            .iter()
            .all(|&cell| self.derived.opaque[cell as usize] == 0)
    }

    /// The cells within `radius` king's moves, nearest first, then by number.
    pub fn around(&self, cell: u32, radius: u16) -> impl Iterator<Item = u32> + use<> {
        let (width, height) = (i32::from(self.width), i32::from(self.height));
        let centre = self.pos(cell);
        let (x, y) = (i32::from(centre.x), i32::from(centre.y));
        (0..=i32::from(radius)).flat_map(move |gap| {
            ((y - gap).max(0)..=(y + gap).min(height - 1)).flat_map(move |row| {
                // Of the rows between the first and the last of a ring, only the two ends.
                let step = if (row - y).abs() == gap { 1 } else { 2 * gap };
                (x - gap..=x + gap)
                    .step_by(step.max(1) as usize)
                    .filter(move |&column| (0..width).contains(&column))
                    .map(move |column| (row * width + column) as u32)
            })
        })
    }
}

impl Turn<'_> {
    /// Changes what a cell is made of.
    pub fn set_terrain(&mut self, cell: u32, terrain: Terrain) {
        if self.state.terrain[cell as usize] != terrain {
            self.state.terrain[cell as usize] = terrain;
            derive::refresh_cell(self.state, cell);
            self.state.mark_changed(cell);
        }
    }

    /// Raises the concentration of a gas in a cell; what is more than 255 spills to neighbours.
    pub fn add_gas(&mut self, kind: Gas, cell: u32, amount: u32) {
        let mut left = amount;
        for at in self.state.around(cell, 2) {
            if left == 0 {
                break;
            }
            if self.state.derived.air[at as usize] & derive::SEALED != 0 {
                continue;
            }
            let level = &mut self.state.gas[kind as usize][at as usize];
            let added = left.min(u32::from(255 - *level));
            *level += added as u8;
            left -= added;
            if added > 0 {
                self.state.derived.woken.gas[kind as usize].push(at);
                self.state.mark_changed(at);
            }
        }
    }

    /// Sets a cell on fire: for as long as its terrain burns, and a moment where it cannot. Water
    /// and walls do not take fire; returns whether it burns.
    pub fn ignite(&mut self, cell: u32) -> bool {
        let at = cell as usize;
        if self.state.terrain_has(cell, flags::BLOCKS_MOVE | flags::WATER | flags::LAVA)
            && self.state.derived.ignition[at] == 0
        {
            return false;
        }
        let ticks = self.state.derived.burn_ticks[at].max(4);
        if self.state.fire[at] == 0 {
            self.state.mark_changed(cell);
        }
        self.state.fire[at] = self.state.fire[at].max(ticks);
        self.state.derived.woken.fire.push(cell);
        true
    }

    /// Blows up around a cell: harm to everyone within `radius`, flames in the middle.
    pub fn explode(&mut self, cell: u32, radius: u16, damage: (i32, i32), source: Subject) {
        self.burst(Flash::Explosion, cell, radius as u8);
        self.make_noise(cell, 30);
        let mut rng = self.rng(super::turn::purpose::HARM ^ u64::from(cell));
        for at in self.state.around(cell, radius) {
            if self.state.terrain_has(at, flags::BLOCKS_MOVE) || !self.state.has_line(cell, at) {
                continue;
            }
            self.ignite(at);
            if let Some(slot) = self.state.actor_at(at) {
                let amount = rng.between(damage.0, damage.1);
                self.damage(slot, amount, source, super::state::Cause::Explosion);
            }
        }
    }

    /// Lays an item down in the nearest cell with room, and never loses it: stacks that are alike
    /// are joined, and in a zone without room left it goes onto the pile at the cell itself.
    /// Returns where it lies.
    pub fn drop_item(&mut self, cell: u32, item: Item) -> u32 {
        for radius in [3, 8, 24, self.state.width.max(self.state.height)] {
            for at in self.state.around(cell, radius) {
                if self.lay(at, &item) {
                    return at;
                }
            }
        }
        // Every cell of the zone is taken: pile up the pieces on a stack of the same kind.
        let at = self.state.items.iter().find(|(_, lying)| lying.kind == item.kind);
        let at = at.map_or(cell, |(&at, _)| at);
        self.state.items.entry(at).and_modify(|lying| lying.count += item.count).or_insert(item);
        at
    }

    fn lay(&mut self, at: u32, item: &Item) -> bool {
        let bad = flags::BLOCKS_MOVE | flags::LAVA | flags::STAIRS | flags::DEEP_WATER;
        if self.state.terrain_has(at, bad) {
            return false;
        }
        match self.state.items.get_mut(&at) {
            None => {
                self.state.items.insert(at, item.clone());
            }
            Some(lying) if Item { count: item.count, ..lying.clone() } == *item => {
                let Some(count) = lying.count.checked_add(item.count) else { return false };
                lying.count = count;
            }
            Some(_) => return false,
        }
        self.state.mark_changed(at);
        true
    }

    /// Takes away what lies in a cell.
    pub fn take_item(&mut self, cell: u32) -> Option<Item> {
        let item = self.state.items.remove(&cell)?;
        self.state.mark_changed(cell);
        Some(item)
    }

    /// Makes a noise that is heard within `loudness` cells and rings for some seconds: those who
    /// hear it wake up and come to look.
    pub fn make_noise(&mut self, cell: u32, loudness: u16) {
        let until = self.state.tick.0 + u64::from(loudness) * 4;
        if self.state.noises.len() >= NOISES_MAX {
            self.state.noises.remove(0);
        }
        self.state.noises.push(Noise { cell, until });
        self.rouse_near(cell, loudness);
    }

    /// Tells everyone who sees a cell a line about nobody.
    pub fn note_at(&mut self, cell: u32, code: Note) {
        self.note(Audience::Sight(cell), code, Subject::Nobody, Subject::Nobody, None, 0);
    }
}
