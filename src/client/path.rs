//! Shortest ways over what is known.

use std::collections::VecDeque;

use super::Knowledge;
use crate::model::{Direction, Pos};

/// Finds shortest ways by breadth-first search over known cells; keeps its buffers.
#[derive(Clone, Debug, Default)]
pub struct PathFinder {
    /// By cell: the round that reached it in the upper bits, the direction it was entered by in
    /// the lowest four, [`START`] for the start.
    reached: Vec<u32>,
    round: u32,
    queue: VecDeque<(u32, u32)>,
}

const START: u32 = 15;

/// Straight steps first, so that ways look natural.
const ORDER: [Direction; 8] = [
    Direction::North,
    Direction::East,
    Direction::South,
    Direction::West,
    Direction::NorthEast,
    Direction::SouthEast,
    Direction::SouthWest,
    Direction::NorthWest,
];

impl PathFinder {
    /// The cells of a shortest way from where the player stands to the nearest cell that `is_goal`
    /// likes, the start left out; at most `steps_max` long. It goes over safe cells only and
    /// around other actors, but may end at one. `None` if there is none; empty if the start is it.
    pub fn find(
        &mut self,
        known: &Knowledge<'_>,
        steps_max: u32,
        mut is_goal: impl FnMut(Pos) -> bool,
    ) -> Option<Vec<Pos>> {
        let (width, height) = (known.cells.width(), known.cells.height());
        let start = known.here();
        if start.x >= width || start.y >= height {
            return None;
        }
        self.begin(usize::from(width) * usize::from(height));
        for actor in &known.view.actors {
            let passable = actor.pos.x < width && actor.pos.y < height;
            if passable && actor.pos != start && !is_goal(actor.pos) {
                self.reached[actor.pos.index(width)] = self.round << 4 | START;
            }
        }
        self.reached[start.index(width)] = self.round << 4 | START;
        self.queue.push_back((start.index(width) as u32, 0));
        while let Some((index, steps)) = self.queue.pop_front() {
            let pos = Pos::from_index(index as usize, width);
            if is_goal(pos) {
                return Some(self.trace(pos, width));
            }
            if steps >= steps_max {
                continue;
            }
            for direction in ORDER {
                let Some(to) = known.step(pos, direction) else { continue };
                let slot = &mut self.reached[to.index(width)];
                if *slot >> 4 != self.round && known.is_safe(to) {
                    *slot = self.round << 4 | direction as u32;
                    self.queue.push_back((to.index(width) as u32, steps + 1));
                }
            }
        }
        None
    }

    /// To the nearest cell beside something never seen.
    pub fn to_frontier(&mut self, known: &Knowledge<'_>) -> Option<Vec<Pos>> {
        let start = known.here();
        self.find(known, u32::MAX, |pos| pos != start && known.is_frontier(pos))
    }

    /// To the nearest item for which `wanted` holds, at most `steps_max` away.
    pub fn to_item(
        &mut self,
        known: &Knowledge<'_>,
        steps_max: u32,
        wanted: impl Fn(Pos) -> bool,
    ) -> Option<Vec<Pos>> {
        self.find(known, steps_max, |pos| {
            known.cell(pos).is_some_and(|cell| cell.item() != 0) && wanted(pos)
        })
    }

    /// To the nearest cell of a terrain.
    pub fn to_terrain(&mut self, known: &Knowledge<'_>, terrain: u8) -> Option<Vec<Pos>> {
        self.find(known, u32::MAX, |pos| {
            known.cell(pos).is_some_and(|cell| cell.terrain() == terrain)
        })
    }

    /// To one cell.
    pub fn to(&mut self, known: &Knowledge<'_>, target: Pos) -> Option<Vec<Pos>> {
        self.find(known, u32::MAX, |pos| pos == target)
    }

    fn begin(&mut self, cells: usize) {
        self.round += 1;
        if self.reached.len() != cells || self.round >= 1 << 28 {
            self.reached.clear();
            self.reached.resize(cells, 0);
            self.round = 1;
        }
        self.queue.clear();
    }

    fn trace(&self, goal: Pos, width: u16) -> Vec<Pos> {
        let mut way = Vec::new();
        let mut at = goal;
        while let Some(direction) =
            Direction::from_number((self.reached[at.index(width)] & 15) as u8)
        {
            way.push(at);
            at = at
                .step(direction.opposite(), u16::MAX, u16::MAX)
                .expect("the way back was walked forwards");
        }
        way.reverse();
        way
    }
}
