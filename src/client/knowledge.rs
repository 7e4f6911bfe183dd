//! What a player can tell from the picture.

use crate::model::{Cell, CellMap, Direction, Pos};
use crate::protocol::view::{KIND_PLAYER, me, state};
use crate::protocol::{ActorView, View};

/// What the numbers in cells mean to somebody who walks, made from the content tables. A terrain
/// beyond the lists is open ground.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legend {
    /// By terrain: nobody walks here.
    pub solid: Vec<bool>,
    /// By terrain: sight ends here.
    pub opaque: Vec<bool>,
    /// By terrain: does harm to whoever steps there.
    pub hazard: Vec<bool>,
    pub stairs_down: Option<u8>,
    pub stairs_up: Option<u8>,
    /// Gates lead into arenas and out of them.
    pub gate: Option<u8>,
    /// By kind of gas: does harm to whoever breathes it.
    pub bad_gas: [bool; 4],
}

/// The newest picture, read with a legend.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    pub legend: &'a Legend,
    pub view: &'a View,
    pub cells: &'a CellMap,
}

impl Knowledge<'_> {
    /// Where the player is.
    #[must_use]
    pub fn here(&self) -> Pos {
        self.view.me.pos
    }

    #[must_use]
    pub fn cell(&self, pos: Pos) -> Option<Cell> {
        if pos.x >= self.cells.width() || pos.y >= self.cells.height() {
            return None;
        }
        self.cells.cell(pos.index(self.cells.width()))
    }

    /// Whether the cell is known and nothing solid.
    #[must_use]
    pub fn is_open(&self, pos: Pos) -> bool {
        self.cell(pos).is_some_and(|cell| !flag(&self.legend.solid, cell.terrain()))
    }

    /// Whether the cell is open, and neither terrain nor fire nor gas does harm there.
    #[must_use]
    pub fn is_safe(&self, pos: Pos) -> bool {
        self.cell(pos).is_some_and(|cell| {
            let (gas, level) = cell.gas();
            let barred = flag(&self.legend.solid, cell.terrain());
            let harmful = flag(&self.legend.hazard, cell.terrain())
                || cell.burns()
                || (level > 0 && self.legend.bad_gas[usize::from(gas & 3)]);
            !barred && !harmful
        })
    }

    /// The neighbour in `direction`, if a step leads there: it is open, and so are both cells
    /// beside a diagonal step.
    #[must_use]
    pub fn step(&self, from: Pos, direction: Direction) -> Option<Pos> {
        let (width, height) = (self.cells.width(), self.cells.height());
        let to = from.step(direction, width, height).filter(|&to| self.is_open(to))?;
        let free = !direction.is_diagonal()
            || (self.is_open(Pos::new(to.x, from.y)) && self.is_open(Pos::new(from.x, to.y)));
        free.then_some(to)
    }

    /// The direction of an adjacent cell that one step or blow reaches.
    #[must_use]
    pub fn reach(&self, to: Pos) -> Option<Direction> {
        let direction = self.here().direction_to(to)?;
        (self.step(self.here(), direction) == Some(to)).then_some(direction)
    }

    /// Whether a cell beside this one has never been seen.
    #[must_use]
    pub fn is_frontier(&self, pos: Pos) -> bool {
        let (width, height) = (self.cells.width(), self.cells.height());
        Direction::ALL
            .into_iter()
            .filter_map(|d| pos.step(d, width, height))
            .any(|beside| self.cell(beside).is_none())
    }

    #[must_use]
    pub fn actor_at(&self, pos: Pos) -> Option<&ActorView> {
        self.view.actors.iter().find(|a| a.pos == pos && a.id != self.view.me.id)
    }

    /// Monsters that are nobody's friend, in the order of their ids.
    pub fn hostiles(&self) -> impl Iterator<Item = &ActorView> {
        self.view
            .actors
            .iter()
            .filter(|a| a.kind != KIND_PLAYER && a.state & (state::FRIENDLY | state::GUARDED) == 0)
    }

    /// Other players, in the order of their ids.
    pub fn players(&self) -> impl Iterator<Item = &ActorView> {
        let me = self.view.me.id;
        self.view.actors.iter().filter(move |a| a.kind == KIND_PLAYER && a.id != me)
    }

    /// The weakest hostile that a blow reaches, and where it stands.
    #[must_use]
    pub fn prey(&self) -> Option<Direction> {
        self.hostiles()
            .filter_map(|a| Some((a.health, self.reach(a.pos)?)))
            .min_by_key(|&(health, direction)| (health, direction as u8))
            .map(|(_, direction)| direction)
    }

    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.view.me.flags & me::DEAD != 0
    }
}

fn flag(list: &[bool], number: u8) -> bool {
    list.get(usize::from(number)).copied().unwrap_or(false)
}
