//! Gas: spreads from cell to cell without losing any, and thins out at a rate of its own.
//!
//! A cell gives an eighth of its concentration, rounded down, to each of its four open neighbours.
//! At most 4 * 31 come in and what stays is at most 255 - 4 * 31, so a byte never overflows.

use super::activity::{Activity, Around, CHUNK_WIDTH, Pass, Scratch, sweep, sweep_wide};
use super::noise;

/// Spreads one kind of gas for one tick and returns the units that have dissipated.
///
/// `cells` holds concentrations, `open` 255 where gas may be and 0 elsewhere (the outer border
/// must be 0). A cell that is not open neither gives nor takes. Each cell with gas loses a unit
/// with a chance of `dissipation` in 256; 0 keeps the mass exactly. `activity` belongs to `cells`.
pub fn step(
    cells: &mut [u8],
    open: &[u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    tick: u64,
    dissipation: u8,
) -> u32 {
    let mut flow = Flow::new(open, activity.width(), tick, dissipation);
    assert_eq!(open.len(), cells.len(), "both planes are of the same zone");
    sweep_wide(cells, activity, scratch, &mut flow);
    flow.dissipated
}

/// The same as [`step`] in the instructions that every processor has, to compare with.
pub fn step_baseline(
    cells: &mut [u8],
    open: &[u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    tick: u64,
    dissipation: u8,
) -> u32 {
    let mut flow = Flow::new(open, activity.width(), tick, dissipation);
    assert_eq!(open.len(), cells.len(), "both planes are of the same zone");
    sweep(cells, activity, scratch, &mut flow);
    flow.dissipated
}

struct Flow<'a> {
    open: &'a [u8],
    width: usize,
    /// Key of this tick's random bytes.
    key: u32,
    dissipation: u8,
    dissipated: u32,
}

impl<'a> Flow<'a> {
    fn new(open: &'a [u8], width: usize, tick: u64, dissipation: u8) -> Self {
        Self { open, width, key: noise::key(0, tick), dissipation, dissipated: 0 }
    }
}

impl Pass for Flow<'_> {
    /// What each cell gives to one open neighbour.
    #[inline(always)]
    fn derive(&self, to: &mut [u8], cells: &[u8], first: usize) {
        let open = &self.open[first..first + cells.len()];
        for ((to, &cell), &open) in to.iter_mut().zip(cells).zip(open) {
            *to = (cell >> 3) & open;
        }
    }

    #[inline(always)]
    fn apply(&mut self, cells: &mut [u8], first: usize, around: &Around<'_>) {
        let count = cells.len();
        let share = |ahead, below| around.of(0, count, ahead, below);
        let (own, up, down) = (share(0, 0), share(0, -1), share(0, 1));
        let (left, right) = (share(-1, 0), share(1, 0));
        let open = |from: usize| &self.open[from..from + count];
        let (here, open_up, open_down) =
            (open(first), open(first - self.width), open(first + self.width));
        let (open_left, open_right) = (open(first - 1), open(first + 1));
        for i in 0..count {
            let inflow = up[i] + down[i] + left[i] + right[i];
            let outflow = (own[i] & open_up[i])
                + (own[i] & open_down[i])
                + (own[i] & open_left[i])
                + (own[i] & open_right[i]);
            cells[i] = cells[i].wrapping_sub(outflow).wrapping_add(inflow & here[i]);
        }
        if self.dissipation > 0 {
            let (x, y) = (first % self.width, first / self.width);
            for (y, row) in (y as u32..).zip(cells.chunks_mut(self.width)) {
                // A fixed random byte a column, turned by another one each row and tick: even
                // over time for each cell and as cheap as a load and an addition.
                let turn = (self.key.wrapping_add(y.wrapping_mul(0x9e37_79b9)) >> 24) as u8;
                self.dissipated += dissipate(row, x, turn, self.dissipation);
            }
        }
    }
}

/// Takes a unit from the cells whose turn it is and returns how many did have one.
#[inline(always)]
fn dissipate(cells: &mut [u8], x: usize, turn: u8, rate: u8) -> u32 {
    let (blocks, rest) = cells.as_chunks_mut::<CHUNK_WIDTH>();
    let (columns, columns_rest) =
        COLUMNS[x..][..CHUNK_WIDTH * blocks.len() + rest.len()].as_chunks::<CHUNK_WIDTH>();
    let due = |cell: u8, column: u8| u8::from(column.wrapping_add(turn) < rate).min(cell);
    // A row is at most 64 blocks long, so the bytes that count do not overflow.
    let mut counts = [0_u8; CHUNK_WIDTH];
    for (cells, columns) in blocks.iter_mut().zip(columns) {
        for i in 0..CHUNK_WIDTH {
            let due = due(cells[i], columns[i]);
            cells[i] -= due;
            counts[i] += due;
        }
    }
    let mut taken: u32 = counts.iter().map(|&count| u32::from(count)).sum();
    for (cell, &column) in rest.iter_mut().zip(columns_rest) {
        let due = due(*cell, column);
        *cell -= due;
        taken += u32::from(due);
    }
    taken
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
