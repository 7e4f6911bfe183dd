//! The cells of a floor while it is drawn, and the walks over them.

use crate::game::catalog::Terrain;
use crate::game::catalog::terrain::flags::{BLOCKS_MOVE, DEEP_WATER, LAVA};
use crate::game::rng::Rng;
use crate::model::geometry::Pos;

/// Belongs to a vault or frames a stair: nothing may change it.
pub(super) const SEALED: u8 = 1;
/// Stays clear: no lake, no furniture, no trap.
pub(super) const CLEAR: u8 = 2;

/// The label of a cell that no walk reached.
pub(super) const UNREACHED: u32 = u32::MAX;

/// Whether somebody may walk here without swimming, burning or opening a lock.
pub(super) fn walkable(terrain: Terrain) -> bool {
    !terrain.has(BLOCKS_MOVE | DEEP_WATER | LAVA)
}

/// A draw from 0 to `bound - 1`, for indices.
pub(super) fn roll(rng: &mut Rng, bound: usize) -> usize {
    rng.below(u32::try_from(bound).unwrap_or(u32::MAX)) as usize
}

/// Puts `items` in a random order.
pub(super) fn shuffle<T>(rng: &mut Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, roll(rng, last + 1));
    }
}

/// A floor being drawn. The outermost cells are granite and stay so, so that every other cell has
/// eight neighbours and index arithmetic needs no bounds.
pub(super) struct Grid {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) cells: Vec<Terrain>,
    pub(super) marks: Vec<u8>,
}

impl Grid {
    pub(super) fn new(width: u16, height: u16) -> Self {
        let (width, height) = (usize::from(width), usize::from(height));
        let area = width * height;
        Self { width, height, cells: vec![Terrain::Granite; area], marks: vec![0; area] }
    }

    pub(super) fn area(&self) -> usize {
        self.cells.len()
    }

    /// The index of a cell that is not on the border, or `None`.
    pub(super) fn inner(&self, x: i32, y: i32) -> Option<usize> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        (x >= 1 && y >= 1 && x + 1 < self.width && y + 1 < self.height)
            .then_some(y * self.width + x)
    }

    pub(super) fn is_inner(&self, index: usize) -> bool {
        let (x, y) = (index % self.width, index / self.width);
        x >= 1 && y >= 1 && x + 1 < self.width && y + 1 < self.height
    }

    pub(super) fn spot(&self, index: usize) -> (i32, i32) {
        ((index % self.width) as i32, (index / self.width) as i32)
    }

    pub(super) fn pos(&self, index: usize) -> Pos {
        Pos::new((index % self.width) as u16, (index / self.width) as u16)
    }

    /// A random cell off the border.
    pub(super) fn any(&self, rng: &mut Rng) -> usize {
        let x = 1 + roll(rng, self.width - 2);
        let y = 1 + roll(rng, self.height - 2);
        y * self.width + x
    }

    /// The neighbour of an inner cell: 0 north, 1 east, 2 south, 3 west.
    pub(super) fn toward(&self, index: usize, heading: usize) -> usize {
        match heading % 4 {
            0 => index - self.width,
            1 => index + 1,
            2 => index + self.width,
            _ => index - 1,
        }
    }

    /// The four orthogonal neighbours of an inner cell, clockwise from north.
    pub(super) fn sides(&self, index: usize) -> [usize; 4] {
        [index - self.width, index + 1, index + self.width, index - 1]
    }

    /// The eight neighbours of an inner cell, clockwise from north.
    pub(super) fn ring(&self, index: usize) -> [usize; 8] {
        let (north, south) = (index - self.width, index + self.width);
        [north, north + 1, index + 1, south + 1, south, south - 1, index - 1, north - 1]
    }

    pub(super) fn open(&self, index: usize) -> bool {
        walkable(self.cells[index])
    }

    /// Whether this cell and its eight neighbours are all open.
    pub(super) fn roomy(&self, index: usize) -> bool {
        self.open(index) && self.ring(index).iter().all(|&n| self.open(n))
    }

    /// Whether blocking this cell leaves its open neighbours joined to each other within the ring
    /// around it, so that it cannot cut the floor.
    pub(super) fn spare(&self, index: usize) -> bool {
        let ring = self.ring(index).map(|n| self.open(n));
        // A run of open ring cells counts if it holds an orthogonal neighbour (an even place).
        let Some(gap) = (0..8).find(|&place| !ring[place]) else { return true };
        let (mut runs, mut counted) = (0, false);
        for place in (gap..gap + 8).map(|place| place % 8) {
            if !ring[place] {
                counted = false;
            } else if place % 2 == 0 && !counted {
                counted = true;
                runs += 1;
            }
        }
        runs == 1
    }

    /// Whether a door here stands in a wall and joins two open cells.
    pub(super) fn fits_door(&self, index: usize) -> bool {
        let [north, east, south, west] = self.sides(index);
        let through = |a: usize, b: usize, c: usize, d: usize| {
            self.open(a) && self.open(b) && !self.passes(c) && !self.passes(d)
        };
        through(north, south, east, west) || through(east, west, north, south)
    }

    /// Whether anybody at all could be here, swimming included.
    fn passes(&self, index: usize) -> bool {
        !self.cells[index].has(BLOCKS_MOVE)
    }

    /// Marks the square of cells within `radius` of `index`.
    pub(super) fn mark(&mut self, index: usize, radius: i32, mark: u8) {
        let (x, y) = self.spot(index);
        for dy in -radius..=radius {
            for dx in -radius..=radius {
                if let Some(cell) = self.inner(x + dx, y + dy) {
                    self.marks[cell] |= mark;
                }
            }
        }
    }

    /// Steps from `start` to every open cell, walking orthogonally; [`UNREACHED`] elsewhere.
    pub(super) fn distances(&self, start: usize) -> Vec<u32> {
        let mut steps = vec![UNREACHED; self.area()];
        let mut queue = vec![start];
        steps[start] = 0;
        let mut next = 0;
        while let Some(&cell) = queue.get(next) {
            next += 1;
            for side in self.sides(cell) {
                if steps[side] == UNREACHED && self.open(side) {
                    steps[side] = steps[cell] + 1;
                    queue.push(side);
                }
            }
        }
        steps
    }

    /// Numbers the orthogonally connected groups of open cells; returns the labels and the size of
    /// each group.
    pub(super) fn groups(&self) -> (Vec<u32>, Vec<u32>) {
        let mut labels = vec![UNREACHED; self.area()];
        let mut sizes = Vec::new();
        let mut stack = Vec::new();
        for start in 0..self.area() {
            if labels[start] != UNREACHED || !self.open(start) {
                continue;
            }
            let label = u32::try_from(sizes.len()).expect("a floor has under 2^20 cells");
            let mut size = 0;
            labels[start] = label;
            stack.push(start);
            while let Some(cell) = stack.pop() {
                size += 1;
                for side in self.sides(cell) {
                    if labels[side] == UNREACHED && self.open(side) {
                        labels[side] = label;
                        stack.push(side);
                    }
                }
            }
            sizes.push(size);
        }
        (labels, sizes)
    }
}

/// Answers "is it a long way round?" many times without clearing a map of the floor each time.
pub(super) struct Walker {
    seen: Vec<u32>,
    walk: u32,
    queue: Vec<(usize, u32)>,
}

impl Walker {
    pub(super) fn new(grid: &Grid) -> Self {
        Self { seen: vec![0; grid.area()], walk: 0, queue: Vec::new() }
    }

    /// Whether walking from `from` to `to` takes more than `limit` steps.
    pub(super) fn is_far(&mut self, grid: &Grid, from: usize, to: usize, limit: u32) -> bool {
        self.walk += 1;
        self.queue.clear();
        self.queue.push((from, 0));
        self.seen[from] = self.walk;
        let mut next = 0;
        while let Some(&(cell, steps)) = self.queue.get(next) {
            next += 1;
            if cell == to {
                return false;
            }
            if steps == limit {
                continue;
            }
            for side in grid.sides(cell) {
                if self.seen[side] != self.walk && grid.open(side) {
                    self.seen[side] = self.walk;
                    self.queue.push((side, steps + 1));
                }
            }
        }
        true
    }
}
