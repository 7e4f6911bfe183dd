//! Which chunks of a plane hold anything, so that quiet ones cost nothing.
//!
//! [`Activity`] is derived from its plane and never changes what a kernel computes: it only has to
//! cover every chunk with a cell other than 0. `sweep` walks the active chunks and hands their
//! cells to a `Pass`, which sees the old values of the neighbours.

use super::instructions::{Instructions, Set};

/// Cells of a chunk from left to right.
pub const CHUNK_WIDTH: usize = 64;
/// Cells of a chunk from top to bottom.
pub const CHUNK_HEIGHT: usize = 16;
/// Bytes of a line of the processor's caches.
const CACHE_LINE: usize = 64;

/// Marks the chunks of one u8 plane that may hold something else than 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    width: usize,
    height: usize,
    /// One word a row of chunks, bit i for the i-th chunk from the left.
    busy: Vec<u64>,
}

impl Activity {
    /// The activity of an empty plane of `width` by `height` cells.
    #[must_use]
    pub fn new(width: usize, height: usize) -> Self {
        assert!(width <= CHUNK_WIDTH * 64, "a row of chunks is one word of bits");
        Self { width, height, busy: vec![0; height.div_ceil(CHUNK_HEIGHT)] }
    }

    /// The activity of `plane`, as after loading it.
    #[must_use]
    pub fn of(plane: &[u8], width: usize, height: usize) -> Self {
        let mut activity = Self::new(width, height);
        for strip in 0..activity.busy.len() {
            let all = low_bits(width.div_ceil(CHUNK_WIDTH));
            activity.settle(plane, strip, all);
        }
        activity
    }

    /// Says that the caller has put something into `cell`.
    pub fn wake(&mut self, cell: usize) {
        let (x, y) = (cell % self.width, cell / self.width);
        self.busy[y / CHUNK_HEIGHT] |= 1 << (x / CHUNK_WIDTH);
    }

    /// Whether the plane is empty.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.busy.iter().all(|&chunks| chunks == 0)
    }

    /// The number of chunks that hold something.
    #[must_use]
    pub fn busy_chunks(&self) -> u32 {
        self.busy.iter().map(|chunks| chunks.count_ones()).sum()
    }

    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Adds the chunks that hold something to `chunks`, a word a row of chunks.
    pub(in crate::sim) fn add_busy(&self, chunks: &mut [u64]) {
        for (chunks, &busy) in chunks.iter_mut().zip(&self.busy) {
            *chunks |= busy;
        }
    }

    /// The rows of cells in which anything may change in a tick, those that follow each other as
    /// one.
    #[cfg(feature = "gpu")]
    pub(in crate::sim) fn active_rows(&self) -> Vec<std::ops::Range<usize>> {
        let mut rows: Vec<std::ops::Range<usize>> = Vec::new();
        for strip in (0..self.busy.len()).filter(|&strip| self.active(strip) != 0) {
            let (from, to) = (strip * CHUNK_HEIGHT, ((strip + 1) * CHUNK_HEIGHT).min(self.height));
            match rows.last_mut() {
                Some(last) if last.end == from => last.end = to,
                _ => rows.push(from..to),
            }
        }
        rows
    }

    /// Looks again at all that may have changed in a tick.
    #[cfg(feature = "gpu")]
    pub(in crate::sim) fn settle_active(&mut self, plane: &[u8]) {
        let active: Vec<u64> = (0..self.busy.len()).map(|strip| self.active(strip)).collect();
        for (strip, &mask) in active.iter().enumerate() {
            self.settle(plane, strip, mask);
        }
    }

    /// The chunks of `strip` that hold something or touch a chunk that does.
    fn active(&self, strip: usize) -> u64 {
        let here = self.busy[strip];
        let above = if strip == 0 { 0 } else { self.busy[strip - 1] };
        let below = self.busy.get(strip + 1).copied().unwrap_or(0);
        (here | here << 1 | here >> 1 | above | below) & low_bits(self.width.div_ceil(CHUNK_WIDTH))
    }

    /// Says which of the chunks `mask` of `strip` hold something.
    pub(super) fn set_busy(&mut self, strip: usize, mask: u64, holding: u64) {
        self.busy[strip] = self.busy[strip] & !mask | holding;
    }

    /// Looks again at the chunks `mask` of `strip`.
    fn settle(&mut self, plane: &[u8], strip: usize, mask: u64) {
        let rows = strip * CHUNK_HEIGHT..((strip + 1) * CHUNK_HEIGHT).min(self.height);
        let mut left = mask;
        while left != 0 {
            let chunk = left.trailing_zeros() as usize;
            left &= left - 1;
            let columns = chunk * CHUNK_WIDTH..((chunk + 1) * CHUNK_WIDTH).min(self.width);
            let holds = rows.clone().any(|y| {
                let row = &plane[y * self.width..][columns.clone()];
                row.iter().fold(0, |all, &cell| all | cell) != 0
            });
            self.busy[strip] = self.busy[strip] & !(1 << chunk) | u64::from(holds) << chunk;
        }
    }
}

fn low_bits(count: usize) -> u64 {
    if count >= 64 { !0 } else { (1 << count) - 1 }
}

/// Buffers of a sweep, which carry nothing from one to the next, and what it is run in.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    instructions: Instructions,
    active: Vec<u64>,
    /// Derived rows of a strip, with the one above and the one below it, and a byte at either end.
    derived: Vec<u8>,
    /// The same as bits, for kernels that make them of their cells.
    bits: Vec<u64>,
}

impl Scratch {
    /// For sweeps in these instructions; by default they are in the widest.
    #[must_use]
    pub fn new(instructions: Instructions) -> Self {
        Self { instructions, ..Self::default() }
    }

    pub(super) fn set(&self) -> Set {
        self.instructions.set()
    }

    /// The active chunks of a plane, a word a row of chunks, and room for bits.
    pub(super) fn bits(&mut self, activity: &Activity) -> (&[u64], &mut Vec<u64>) {
        self.find_active(activity);
        (&self.active, &mut self.bits)
    }

    fn find_active(&mut self, activity: &Activity) {
        self.active.clear();
        self.active.extend((0..activity.busy.len()).map(|strip| activity.active(strip)));
    }
}

/// What the cells around those of a segment held before the sweep, after `Pass::derive`.
///
/// The i-th cell of the segment is `around[width + 1 + i]`: its neighbours are one and `width`
/// bytes away on both sides.
pub(super) struct Around<'a> {
    around: &'a [u8],
    width: usize,
}

impl<'a> Around<'a> {
    /// The derived values `ahead` cells to the right and `below` rows down of `count` cells from
    /// the one `at` of the segment.
    #[inline(always)]
    pub(super) fn of(&self, at: usize, count: usize, ahead: isize, below: isize) -> &'a [u8] {
        let offset = ahead + below * self.width as isize;
        let first = (self.width + 1 + at).wrapping_add_signed(offset);
        &self.around[first..first + count]
    }
}

/// One rule of a plane: new cell = f(own old value, derived old values of the four neighbours).
///
/// A segment is a part of a row or a number of whole rows. What is beside the outer border depends
/// on the segment, so a rule must leave border cells as they are.
pub(super) trait Pass {
    /// Writes what neighbours need to know of the cells from index `first` on.
    fn derive(&self, to: &mut [u8], cells: &[u8], first: usize);

    /// Replaces the cells from index `first` on.
    fn apply(&mut self, cells: &mut [u8], first: usize, around: &Around<'_>);
}

/// The segments of consecutive chunks in `mask`, as columns from and to.
pub(in crate::sim) fn runs(mut mask: u64, width: usize) -> impl Iterator<Item = (usize, usize)> {
    std::iter::from_fn(move || {
        if mask == 0 {
            return None;
        }
        let first = mask.trailing_zeros() as usize;
        let count = (mask >> first).trailing_ones() as usize;
        mask &= !(low_bits(count) << first);
        Some((first * CHUNK_WIDTH, ((first + count) * CHUNK_WIDTH).min(width)))
    })
}

/// Applies `pass` to every active cell in place, in row-major order within a strip of chunks.
pub(super) fn sweep<P: Pass>(
    plane: &mut [u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    pass: &mut P,
) {
    match scratch.set() {
        Set::Baseline => sweep_active(plane, activity, scratch, pass),
        // SAFETY (both): the processor has them, or the value could not have been made.
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => unsafe { sweep_avx2(plane, activity, scratch, pass) },
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => unsafe { sweep_avx512(plane, activity, scratch, pass) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn sweep_avx512<P: Pass>(
    plane: &mut [u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    pass: &mut P,
) {
    sweep_active(plane, activity, scratch, pass);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sweep_avx2<P: Pass>(
    plane: &mut [u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    pass: &mut P,
) {
    sweep_active(plane, activity, scratch, pass);
}

#[inline(always)]
fn sweep_active<P: Pass>(
    plane: &mut [u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    pass: &mut P,
) {
    let (width, height) = (activity.width, activity.height);
    assert_eq!(plane.len(), width * height, "a plane has one byte a cell");
    if activity.is_quiet() || width < 3 || height < 3 {
        return;
    }
    scratch.find_active(activity);
    let Scratch { active, derived, .. } = scratch;
    let size = (CHUNK_HEIGHT + 2) * width + 2;
    derived.clear();
    derived.resize(size + CACHE_LINE, 0);
    // Vectors of a row, and of those above and below it in most zones, lie within cache lines.
    let aside = derived[width + 1..].as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE);
    let derived = &mut derived[aside..][..size];
    for (strip, &mask) in active.iter().enumerate() {
        let rows = (strip * CHUNK_HEIGHT).max(1)..((strip + 1) * CHUNK_HEIGHT).min(height - 1);
        if mask == 0 || rows.is_empty() {
            derived[1..=width].fill(0);
            continue;
        }
        // Row 0 of `derived` was left by the strip above, which has changed since.
        let first = rows.start * width;
        if runs(mask, width).eq([(0, width)]) {
            // Whole rows follow each other in the plane: they are one long segment.
            let cells = &plane[first..(rows.end + 1) * width];
            pass.derive(&mut derived[width + 1..][..cells.len()], cells, first);
            let around = Around { around: &*derived, width };
            pass.apply(&mut plane[first..rows.end * width], first, &around);
        } else {
            sweep_runs(plane, rows.clone(), width, mask, derived, pass);
        }
        activity.settle(plane, strip, mask);
        let (above, below) = derived.split_at_mut(width + 1);
        above[1..].fill(0);
        for (from, to) in runs(mask, width) {
            above[from + 1..=to].copy_from_slice(&below[(rows.len() - 1) * width..][from..to]);
        }
    }
}

/// Does one strip of which not all chunks are active.
#[inline(always)]
fn sweep_runs<P: Pass>(
    plane: &mut [u8],
    rows: std::ops::Range<usize>,
    width: usize,
    mask: u64,
    derived: &mut [u8],
    pass: &mut P,
) {
    for (r, y) in (rows.start..=rows.end).enumerate() {
        let row = &mut derived[(r + 1) * width..][..width + 2];
        for (from, to) in runs(mask, width) {
            let first = y * width + from;
            pass.derive(&mut row[from + 1..=to], &plane[first..y * width + to], first);
            // The chunks on both sides are quiet.
            if from > 0 {
                row[from] = 0;
            }
            if to < width {
                row[to + 1] = 0;
            }
        }
    }
    for (r, y) in rows.enumerate() {
        for (from, to) in runs(mask, width) {
            let around = Around { around: &derived[r * width + from..], width };
            let first = y * width + from;
            pass.apply(&mut plane[first..y * width + to], first, &around);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Activity, CHUNK_HEIGHT, CHUNK_WIDTH, runs};

    #[test]
    fn a_chunk_is_busy_exactly_while_it_holds_something() {
        let (width, height) = (CHUNK_WIDTH * 2 + 5, CHUNK_HEIGHT * 3 + 1);
        let mut plane = vec![0; width * height];
        assert!(Activity::of(&plane, width, height).is_quiet());
        plane[CHUNK_HEIGHT * width + CHUNK_WIDTH * 2] = 1;
        let activity = Activity::of(&plane, width, height);
        assert_eq!(activity.busy_chunks(), 1);
        assert_eq!((0..4).map(|s| activity.active(s)).collect::<Vec<_>>(), [4, 6, 4, 0]);
        let mut woken = Activity::new(width, height);
        woken.wake(CHUNK_HEIGHT * width + CHUNK_WIDTH * 2);
        assert_eq!(woken, activity);
    }

    #[test]
    fn runs_join_neighbouring_chunks_and_stop_at_the_edge() {
        assert_eq!(runs(0b1011, 200).collect::<Vec<_>>(), [(0, 128), (192, 200)]);
        assert_eq!(runs(!0, 4096).collect::<Vec<_>>(), [(0, 4096)]);
        assert_eq!(runs(0, 64).count(), 0);
    }
}
