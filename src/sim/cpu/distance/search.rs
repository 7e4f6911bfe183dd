//! The breadth-first search on bits.

use super::UNREACHED;
use super::lanes::{Block, Lanes};
use crate::sim::cpu::bits;

/// Columns of a block.
const COLUMNS: usize = 256;
const EMPTY: Block = [0; 4];

/// Buffers of the searches: reuse one, and a search allocates nothing once it has seen the size.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Planes of bits, block column by block column: block `b * height + y`.
    passable: Vec<Block>,
    /// Passable cells moved one column to the right, and to the left.
    passable_right: Vec<Block>,
    passable_left: Vec<Block>,
    unseen: Vec<Block>,
    frontier: Vec<Block>,
    next: Vec<Block>,
    /// Binary digits of the distances, lowest first, a plane after the other.
    digits: Vec<Block>,
    rows: RowSets,
    /// Buffers of `fill_flee`.
    pub(super) flee: super::flee::Buckets,
}

/// Rows that a level of the search has to look at, as bits, one set a block column.
#[derive(Clone, Debug, Default)]
struct RowSets {
    /// Words of a set.
    words: usize,
    /// Rows of this level's frontier, of the one before, and of the one in the making.
    now: Vec<u64>,
    before: Vec<u64>,
    next: Vec<u64>,
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) fn fill_avx2(
    out: &mut [u16],
    passable: &[u8],
    size: (usize, usize),
    goals: &[u32],
    max_distance: u16,
    scratch: &mut Scratch,
) {
    fill_with::<super::lanes::Avx2>(out, passable, size, goals, max_distance, scratch);
}

/// The same in the instructions that every processor has.
pub(super) fn fill_baseline(
    out: &mut [u16],
    passable: &[u8],
    size: (usize, usize),
    goals: &[u32],
    max_distance: u16,
    scratch: &mut Scratch,
) {
    fill_with::<Block>(out, passable, size, goals, max_distance, scratch);
}

#[inline(always)]
fn fill_with<L: Lanes>(
    out: &mut [u16],
    passable: &[u8],
    (width, height): (usize, usize),
    goals: &[u32],
    max_distance: u16,
    scratch: &mut Scratch,
) {
    if width < 3 || height < 3 {
        out.fill(UNREACHED);
        return;
    }
    let blocks = width.div_ceil(COLUMNS);
    prepare(scratch, passable, width, height);
    place_goals(scratch, goals, width, height);
    scratch.digits.clear();
    let mut digits = 0;
    for distance in 1..=max_distance.min(UNREACHED - 1) {
        if distance.is_power_of_two() {
            digits += 1;
            scratch.digits.resize(digits * blocks * height, EMPTY);
        }
        let found = if blocks == 1 {
            level::<L, false>(scratch, height, blocks, distance)
        } else {
            level::<L, true>(scratch, height, blocks, distance)
        };
        if !found {
            break;
        }
    }
    for y in 0..height {
        number_row::<L>(&mut out[y * width..][..width], scratch, y, height, digits);
    }
}

fn reset(plane: &mut Vec<Block>, blocks: usize) {
    plane.clear();
    plane.resize(blocks, EMPTY);
}

/// Packs the passable cells inside the border into bits and empties everything else.
#[inline(always)]
fn prepare(scratch: &mut Scratch, passable: &[u8], width: usize, height: usize) {
    let blocks = width.div_ceil(COLUMNS);
    let total = blocks * height;
    for plane in [
        &mut scratch.passable,
        &mut scratch.passable_right,
        &mut scratch.passable_left,
        &mut scratch.unseen,
        &mut scratch.frontier,
        &mut scratch.next,
    ] {
        reset(plane, total);
    }
    for y in 1..height - 1 {
        let row = &passable[y * width..(y + 1) * width];
        for (b, cells) in row.chunks(COLUMNS).enumerate() {
            let mut block = EMPTY;
            for (word, cells) in block.iter_mut().zip(cells.chunks(64)) {
                *word = bits::pack_row(cells);
            }
            if b == 0 {
                block[0] &= !1;
            }
            if b == blocks - 1 {
                let last = (width - 1) % COLUMNS;
                block[last / 64] &= !(1 << (last % 64));
            }
            scratch.passable[b * height + y] = block;
        }
        for b in 0..blocks {
            let at = b * height + y;
            let block = scratch.passable[at];
            let before = if b == 0 { 0 } else { scratch.passable[at - height][3] >> 63 };
            let after = scratch.passable.get(at + height).map_or(0, |block| block[0] << 63);
            scratch.passable_right[at] = block.right(before);
            scratch.passable_left[at] = block.left(after);
            scratch.unseen[at] = block;
        }
    }
    let words = height.div_ceil(64);
    scratch.rows.words = words;
    for set in [&mut scratch.rows.now, &mut scratch.rows.before, &mut scratch.rows.next] {
        set.clear();
        set.resize(words * blocks, 0);
    }
}

fn place_goals(scratch: &mut Scratch, goals: &[u32], width: usize, height: usize) {
    for &goal in goals {
        let (x, y) = (goal as usize % width, goal as usize / width);
        if y >= height {
            continue;
        }
        let (b, word, bit) = (x / COLUMNS, x % COLUMNS / 64, 1 << (x % 64));
        let at = b * height + y;
        if scratch.passable[at][word] & bit != 0 {
            scratch.frontier[at][word] |= bit;
            scratch.unseen[at][word] &= !bit;
            let rows = &mut scratch.rows;
            // A goal at the edge of a block is rare: let its neighbours look in any case.
            for beside in b.saturating_sub(1)..=b + 1 {
                if let Some(set) = rows.now.chunks_mut(rows.words).nth(beside) {
                    set[y / 64] |= 1 << (y % 64);
                }
            }
        }
    }
}

/// Finds the cells at `distance`; false if there is none.
///
/// `WIDE` says that the zone is more than one block wide.
#[inline(always)]
fn level<L: Lanes, const WIDE: bool>(
    scratch: &mut Scratch,
    height: usize,
    blocks: usize,
    distance: u16,
) -> bool {
    let words = scratch.rows.words;
    scratch.rows.next.fill(0);
    for b in 0..blocks {
        let blocks_of = b * height..(b + 1) * height;
        let mut column = Column::<'_, L, WIDE> {
            passable: &scratch.passable[blocks_of.clone()],
            passable_right: &scratch.passable_right[blocks_of.clone()],
            passable_left: &scratch.passable_left[blocks_of.clone()],
            unseen: &mut scratch.unseen[blocks_of.clone()],
            frontier: &scratch.frontier[blocks_of.clone()],
            before: if b > 0 { &scratch.frontier[(b - 1) * height..b * height] } else { &[] },
            after: if b + 1 < blocks {
                &scratch.frontier[(b + 1) * height..(b + 2) * height]
            } else {
                &[]
            },
            next: &mut scratch.next[blocks_of.clone()],
            last: usize::MAX - 1,
            above: Row::empty(),
            here: Row::empty(),
        };
        for w in 0..words {
            let set = &scratch.rows.now[b * words..(b + 1) * words];
            let from_above = if w > 0 { set[w - 1] >> 63 } else { 0 };
            let from_below = if w + 1 < words { set[w + 1] << 63 } else { 0 };
            // Rows of the level before last hold old bits in `next`: look at them too.
            let mut rows = set[w] | set[w] << 1 | set[w] >> 1 | from_above | from_below;
            rows |= scratch.rows.before[b * words + w];
            if w == 0 {
                rows &= !1;
            }
            if w == (height - 1) / 64 {
                rows &= (1 << ((height - 1) % 64)) - 1;
            }
            while rows != 0 {
                let bit = rows & rows.wrapping_neg();
                let y = w * 64 + rows.trailing_zeros() as usize;
                rows ^= bit;
                let new = column.row(y);
                let mut block = EMPTY;
                new.store(&mut block);
                if !new.any() {
                    continue;
                }
                scratch.rows.next[b * words + w] |= bit;
                if WIDE {
                    if b > 0 && block[0] & 1 != 0 {
                        scratch.rows.next[(b - 1) * words + w] |= bit;
                    }
                    if b + 1 < blocks && block[3] >> 63 != 0 {
                        scratch.rows.next[(b + 1) * words + w] |= bit;
                    }
                }
                let mut left = distance;
                while left != 0 {
                    let plane = left.trailing_zeros() as usize;
                    let block = &mut scratch.digits[plane * blocks * height + b * height + y];
                    L::load(block).or(new).store(block);
                    left &= left - 1;
                }
            }
        }
    }
    std::mem::swap(&mut scratch.frontier, &mut scratch.next);
    let rows = &mut scratch.rows;
    std::mem::swap(&mut rows.before, &mut rows.now);
    std::mem::swap(&mut rows.now, &mut rows.next);
    rows.now.iter().any(|&set| set != 0)
}

/// One block column of the search, walked downwards.
struct Column<'a, L, const WIDE: bool> {
    passable: &'a [Block],
    passable_right: &'a [Block],
    passable_left: &'a [Block],
    unseen: &'a mut [Block],
    frontier: &'a [Block],
    /// The frontiers of the block columns to the left and to the right, if any.
    before: &'a [Block],
    after: &'a [Block],
    next: &'a mut [Block],
    /// The row done last, and what it and the row below it looked like.
    last: usize,
    above: Row<L>,
    here: Row<L>,
}

/// A row of the frontier, and where it leads within the row.
#[derive(Clone, Copy)]
struct Row<L> {
    frontier: L,
    right: L,
    left: L,
}

impl<L: Lanes> Row<L> {
    #[inline(always)]
    fn empty() -> Self {
        let empty = L::load(&EMPTY);
        Self { frontier: empty, right: empty, left: empty }
    }
}

impl<L: Lanes, const WIDE: bool> Column<'_, L, WIDE> {
    #[inline(always)]
    fn load(&self, y: usize) -> Row<L> {
        let frontier = L::load(&self.frontier[y]);
        let mut carries = (0, 0);
        if WIDE {
            carries.0 = self.before.get(y).map_or(0, |block| block[3] >> 63);
            carries.1 = self.after.get(y).map_or(0, |block| block[0] << 63);
        }
        let passable = L::load(&self.passable[y]);
        Row {
            frontier,
            right: frontier.right(carries.0).and(passable),
            left: frontier.left(carries.1).and(passable),
        }
    }

    /// The unseen cells of row `y` that the frontier steps to; they become seen.
    #[inline(always)]
    fn row(&mut self, y: usize) -> L {
        let (above, here) = if self.last + 1 == y {
            (self.above, self.here)
        } else {
            (self.load(y - 1), self.load(y))
        };
        let below = self.load(y + 1);
        // A diagonal step into this row passes beside a cell of this row and beside one of the
        // row it comes from: both must be passable.
        let (beside_left, beside_right) =
            (L::load(&self.passable_right[y]), L::load(&self.passable_left[y]));
        let diagonal = |row: &Row<L>| row.right.and(beside_left).or(row.left.and(beside_right));
        let steps = here.right.or(here.left).or(above.frontier).or(below.frontier);
        let reached = steps.or(diagonal(&above)).or(diagonal(&below));
        let unseen = L::load(&self.unseen[y]);
        let new = reached.and(unseen);
        unseen.without(new).store(&mut self.unseen[y]);
        new.store(&mut self.next[y]);
        (self.last, self.above, self.here) = (y, here, below);
        new
    }
}

/// Turns the binary digits of row `y` into numbers.
#[inline(always)]
fn number_row<L: Lanes>(
    out: &mut [u16],
    scratch: &Scratch,
    y: usize,
    height: usize,
    digits: usize,
) {
    for (i, cells) in out.chunks_mut(64).enumerate() {
        let (at, word) = (i / 4 * height + y, i % 4);
        let reached = scratch.passable[at][word] & !scratch.unseen[at][word];
        if reached == 0 {
            cells.fill(UNREACHED);
            continue;
        }
        let mut words = [0; u16::BITS as usize];
        let planes = scratch.digits.chunks(scratch.passable.len()).take(digits);
        for (digit, plane) in words.iter_mut().zip(planes) {
            *digit = plane[at][word];
        }
        let numbers = L::numbers(!reached, &words[..digits]);
        cells.copy_from_slice(&numbers[..cells.len()]);
    }
}
