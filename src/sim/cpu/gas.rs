//! Gas: spreads from cell to cell without losing any, and thins out at a rate of its own.
//!
//! A cell gives an eighth of its concentration, rounded down, to each of its four open neighbours.
//! At most 4 * 31 come in and what stays is at most 255 - 4 * 31, so a byte never overflows.

use super::activity::{Activity, Around, CHUNK_WIDTH, Pass, Scratch, sweep, sweep_wide};
use super::noise;
use crate::game::derive::AIRY;

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
    sweep_wide(cells, activity, scratch, &mut flow);
}

/// The same as [`step`] in the instructions that every processor has, to compare with.
pub fn step_baseline(
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
        Self { air, width, key: noise::key(0, tick), dissipation }
    }

    /// The turn of a row, which its columns' random bytes are moved on by in this tick: even over
    /// time for each cell and as cheap as a load and an addition.
    #[inline(always)]
    fn turn(&self, y: u32) -> u8 {
        (self.key.wrapping_add(y.wrapping_mul(0x9e37_79b9)) >> 24) as u8
    }
}

/// 255 where gas may be. A mask instead of a condition, so that it becomes vector code.
#[inline(always)]
fn mask(air: u8) -> u8 {
    const { assert!(AIRY == 1 << 7) };
    (air.cast_signed() >> 7).cast_unsigned()
}

/// What becomes of a cell; `shares` holds what it and its neighbours give.
#[inline(always)]
fn spread(cell: u8, air: u8, shares: [u8; 5]) -> u8 {
    let [own, up, down, left, right] = shares;
    let outflow = own.wrapping_mul(air & !AIRY);
    cell.wrapping_sub(outflow).wrapping_add((up + down + left + right) & mask(air))
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
        if self.dissipation == 0 {
            let near = Near::of(around, &self.air[first..], 0, cells.len());
            let air = near.air;
            for i in 0..cells.len() {
                cells[i] = spread(cells[i], air[i], near.shares(i));
            }
            return;
        }
        let (x, y) = (first % self.width, first / self.width);
        let mut at = 0;
        for (y, row) in (y as u32..).zip(cells.chunks_mut(self.width)) {
            let near = Near::of(around, &self.air[first + at..], at, row.len());
            thin(row, &near, &COLUMNS[x..][..row.len()], self.turn(y), self.dissipation);
            at += row.len();
        }
    }
}

/// What the new values of a part of a segment depend on beside its cells.
struct Near<'a> {
    air: &'a [u8],
    own: &'a [u8],
    up: &'a [u8],
    down: &'a [u8],
    left: &'a [u8],
    right: &'a [u8],
}

impl<'a> Near<'a> {
    #[inline(always)]
    fn of(around: &Around<'a>, air: &'a [u8], at: usize, count: usize) -> Self {
        let shares = |ahead, below| around.of(at, count, ahead, below);
        let (own, up, down) = (shares(0, 0), shares(0, -1), shares(0, 1));
        let (left, right) = (shares(-1, 0), shares(1, 0));
        Self { air: &air[..count], own, up, down, left, right }
    }

    #[inline(always)]
    fn shares(&self, i: usize) -> [u8; 5] {
        [self.own[i], self.up[i], self.down[i], self.left[i], self.right[i]]
    }
}

/// Spreads within a row, then takes a unit from the cells whose turn it is.
#[inline(always)]
fn thin(row: &mut [u8], near: &Near<'_>, columns: &[u8], turn: u8, rate: u8) {
    for i in 0..row.len() {
        let due = u8::from(columns[i].wrapping_add(turn) < rate);
        row[i] = spread(row[i], near.air[i], near.shares(i)).saturating_sub(due);
    }
}

/// A random byte for each column of the widest plane.
static COLUMNS: [u8; 64 * CHUNK_WIDTH] = {
    let mut bytes = [0; 64 * CHUNK_WIDTH];
    let mut x = 0;
    while x < bytes.len() {
        bytes[x] = noise::bits(0, x as u32) as u8;
        x += 1;
    }
    bytes
};

#[cfg(test)]
#[path = "gas_tests.rs"]
mod tests;
