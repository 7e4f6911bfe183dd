//! Gas: spreads from cell to cell without losing any, and thins out at a rate of its own.
//!
//! A cell gives an eighth of its concentration, rounded down, to each of its four open neighbours.
//! At most 4 * 31 come in and what stays is at most 255 - 4 * 31, so a byte never overflows.

use super::activity::{Activity, Around, CHUNK_WIDTH, Pass, Scratch, sweep};
use super::noise;
use crate::game::catalog::Gas;
use crate::game::derive::SEALED;
use crate::game::state::GASES;

/// Spreads one kind of gas for one tick.
///
/// `cells` holds concentrations; `air`, as `game::derive::let_air` makes it, says where gas may be
/// (not on the outer border). A cell where it may not neither gives nor takes. Each cell with gas
/// loses a unit with a chance of `dissipation` in 256; 0 keeps the mass exactly. `activity`
/// belongs to `cells`.
pub fn step(
    cells: &mut [u8],
    air: &[u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    tick: u64,
    dissipation: u8,
) {
    let mut flow = Flow::new(cells, air, activity.width(), tick, dissipation);
    sweep(cells, activity, scratch, &mut flow);
}

/// The number that [`step`] takes for a tick of a zone: each kind of gas has draws of its own.
#[must_use]
pub fn moment(tick: u64, kind: Gas) -> u64 {
    tick.wrapping_mul(GASES as u64) + kind as u64
}

struct Flow<'a> {
    air: &'a [u8],
    width: usize,
    /// Key of this tick's random bytes.
    key: u32,
    dissipation: u8,
}

impl<'a> Flow<'a> {
    fn new(cells: &[u8], air: &'a [u8], width: usize, tick: u64, dissipation: u8) -> Self {
        assert_eq!(air.len(), cells.len(), "both planes are of the same zone");
        Self { air, width, key: key(tick), dissipation }
    }

    /// The word of a row.
    #[inline(always)]
    fn row(&self, y: usize) -> u32 {
        self.key.wrapping_add((y as u32).wrapping_mul(ROW))
    }

    /// Spreads in a part of a row, or in rows of whole blocks; if it thins, takes a unit from each
    /// cell that is due.
    #[inline(always)]
    fn spread<const THINS: bool>(&self, cells: &mut [u8], near: Near<&[u8]>, first: usize) {
        let (x, y) = (first % self.width, first / self.width);
        let (mut column, mut row) = (x / BLOCK, self.row(y));
        let (blocks, rest) = cells.as_chunks_mut::<BLOCK>();
        let whole = near.map(|plane| &plane.as_chunks::<BLOCK>().0[..blocks.len()]);
        for (i, block) in blocks.iter_mut().enumerate() {
            let near = whole.map(|plane| plane[i].as_slice());
            near.spread(block, Thin::<THINS>::new(column, row, self.dissipation));
            column += 1;
            if column * BLOCK == self.width {
                (column, row) = (0, row.wrapping_add(ROW));
            }
        }
        let near = near.map(|plane| &plane[blocks.len() * BLOCK..]);
        near.spread(rest, Thin::<THINS>::new(column, row, self.dissipation));
    }
}

/// The key of a moment's draws.
#[must_use]
pub(in crate::sim) const fn key(moment: u64) -> u32 {
    noise::key(0, moment)
}

/// 255 where gas may be. A mask instead of a condition, so that it becomes vector code.
#[inline(always)]
fn mask(air: u8) -> u8 {
    const { assert!(SEALED == 1 << 7) };
    (!air.cast_signed() >> 7).cast_unsigned()
}

impl Pass for Flow<'_> {
    /// What each cell gives to one open neighbour.
    #[inline(always)]
    fn derive(&self, to: &mut [u8], cells: &[u8], first: usize) {
        let air = &self.air[first..first + cells.len()];
        for ((to, &cell), &air) in to.iter_mut().zip(cells).zip(air) {
            *to = (cell >> 3) & mask(air);
        }
    }

    #[inline(always)]
    fn apply(&mut self, cells: &mut [u8], first: usize, around: &Around<'_>) {
        // Whole rows follow each other; a block must not reach into the next one.
        let run = if self.width.is_multiple_of(BLOCK) { cells.len() } else { self.width };
        let mut at = 0;
        for cells in cells.chunks_mut(run) {
            let near = Near::of(around, &self.air[first + at..], at, cells.len());
            if self.dissipation == 0 {
                self.spread::<false>(cells, near, first + at);
            } else {
                self.spread::<true>(cells, near, first + at);
            }
            at += cells.len();
        }
    }
}

/// Cells done at a time: the compiler makes straight code of a number that it knows.
const BLOCK: usize = CHUNK_WIDTH;

/// What the new values of a part of a segment depend on beside its cells, a plane in a `P`.
#[derive(Clone, Copy)]
struct Near<P> {
    air: P,
    own: P,
    up: P,
    down: P,
    left: P,
    right: P,
}

impl<P> Near<P> {
    #[inline(always)]
    fn map<Q>(self, mut f: impl FnMut(P) -> Q) -> Near<Q> {
        Near {
            air: f(self.air),
            own: f(self.own),
            up: f(self.up),
            down: f(self.down),
            left: f(self.left),
            right: f(self.right),
        }
    }
}

impl<'a> Near<&'a [u8]> {
    #[inline(always)]
    fn of(around: &Around<'a>, air: &'a [u8], at: usize, count: usize) -> Self {
        let shares = |ahead, below| around.of(at, count, ahead, below);
        let (own, up, down) = (shares(0, 0), shares(0, -1), shares(0, 1));
        let (left, right) = (shares(-1, 0), shares(1, 0));
        Self { air: &air[..count], own, up, down, left, right }
    }

    #[inline(always)]
    fn spread<const THINS: bool>(&self, cells: &mut [u8], thin: Thin<THINS>) {
        for (i, (cell, &column)) in cells.iter_mut().zip(thin.columns).enumerate() {
            let left = self.spread_one(*cell, i);
            let due = THINS && column.wrapping_add(thin.turn) < thin.rate;
            *cell = if due { left.saturating_sub(1) } else { left };
        }
    }

    #[inline(always)]
    fn spread_one(&self, cell: u8, i: usize) -> u8 {
        let air = self.air[i];
        // A sealed cell gives nothing.
        let outflow = self.own[i].wrapping_mul(air);
        let inflow = self.up[i] + self.down[i] + self.left[i] + self.right[i];
        cell.wrapping_sub(outflow).wrapping_add(inflow & mask(air))
    }
}

/// Which cells of a block lose a unit.
struct Thin<const THINS: bool> {
    columns: &'static [u8; BLOCK],
    turn: u8,
    rate: u8,
}

impl<const THINS: bool> Thin<THINS> {
    #[inline(always)]
    fn new(column: usize, row: u32, rate: u8) -> Self {
        let columns = &COLUMNS[column % COLUMNS.len()];
        Self { columns, turn: (row >> 24) as u8, rate }
    }
}

/// What the word of a row is above that of the row before it. Its highest byte is the row's turn,
/// which its columns' random bytes are moved on by in this tick: even over time for each cell and
/// as cheap as a load and an addition.
const ROW: u32 = 0x9e37_79b9;

/// A random byte for each column of the widest plane.
static COLUMNS: [[u8; BLOCK]; 64] = {
    let mut blocks = [[0; BLOCK]; 64];
    let mut x = 0;
    while x < 64 * BLOCK {
        blocks[x / BLOCK][x % BLOCK] = noise::bits(0, x as u32) as u8;
        x += 1;
    }
    blocks
};

/// The random bytes of all columns, four at a time.
#[cfg(feature = "gpu")]
pub(in crate::sim) fn columns() -> impl Iterator<Item = &'static [u8]> {
    COLUMNS.as_flattened().chunks(4)
}

#[cfg(test)]
#[path = "gas_tests.rs"]
mod tests;
