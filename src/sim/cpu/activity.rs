//! Which chunks of a plane hold anything, so that quiet ones cost nothing.
//!
//! [`Activity`] is derived from its plane and never changes what a kernel computes: it only has to
//! cover every chunk with a cell other than 0. `sweep` walks the rows of the active chunks and
//! hands each to a `Pass`, which sees the old values of the neighbours.

/// Cells of a chunk from left to right.
pub const CHUNK_WIDTH: usize = 64;
/// Cells of a chunk from top to bottom.
pub const CHUNK_HEIGHT: usize = 16;

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

    /// The chunks of `strip` that hold something or touch a chunk that does.
    fn active(&self, strip: usize) -> u64 {
        let here = self.busy[strip];
        let above = if strip == 0 { 0 } else { self.busy[strip - 1] };
        let below = self.busy.get(strip + 1).copied().unwrap_or(0);
        (here | here << 1 | here >> 1 | above | below) & low_bits(self.width.div_ceil(CHUNK_WIDTH))
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

/// Row buffers of a sweep; they carry nothing from one sweep to the next.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    active: Vec<u64>,
    up: Vec<u8>,
    here: Vec<u8>,
    down: Vec<u8>,
}

/// What a cell's row and the rows beside it held before the sweep, after `Pass::derive`.
///
/// `up[i]`, `here[i + 1]` and `down[i]` lie in the column of the i-th cell of the segment.
pub(super) struct Rows<'a> {
    pub(super) up: &'a [u8],
    pub(super) here: &'a [u8],
    pub(super) down: &'a [u8],
}

/// One rule of a plane: new cell = f(own old value, derived old values of the four neighbours).
pub(super) trait Pass {
    /// Writes what neighbours need to know of the cells from index `first` on.
    fn derive(&self, to: &mut [u8], cells: &[u8], first: usize);

    /// Replaces the cells from index `first` on, all in row `y`.
    fn apply(&mut self, cells: &mut [u8], first: usize, y: usize, rows: &Rows<'_>);
}

/// The segments of consecutive chunks in `mask`, as columns from and to.
fn runs(mut mask: u64, width: usize) -> impl Iterator<Item = (usize, usize)> {
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

/// Applies `pass` to every active cell in place, row by row from the top, left to right.
///
/// The outer border is never touched. Old values of a row live on in the buffers until the row
/// below is done.
#[inline(always)]
pub(super) fn sweep<P: Pass>(
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
    let Scratch { active, up, here, down } = scratch;
    active.clear();
    active.extend((0..activity.busy.len()).map(|strip| activity.active(strip)));
    for buffer in [&mut *up, &mut *here, &mut *down] {
        buffer.resize(width + 2, 0);
    }
    let mut mask_above = 0;
    for strip in 0..active.len() {
        let mask = active[strip];
        let first_row = (strip * CHUNK_HEIGHT).max(1);
        let last_row = ((strip + 1) * CHUNK_HEIGHT).min(height - 1);
        // `up` holds the last row of the strip above where that was active, else stale bytes.
        for (from, to) in runs(mask & !mask_above, width) {
            up[from + 1..to + 1].fill(0);
        }
        for (from, to) in runs(mask, width) {
            derive_row(plane, here, pass, first_row * width, from, to);
        }
        for y in first_row..last_row {
            for (from, to) in runs(mask, width) {
                derive_row(plane, down, pass, (y + 1) * width, from, to);
                let rows = Rows {
                    up: &up[from + 1..to + 1],
                    here: &here[from..to + 2],
                    down: &down[from + 1..to + 1],
                };
                let first = y * width + from;
                pass.apply(&mut plane[first..y * width + to], first, y, &rows);
            }
            std::mem::swap(up, here);
            std::mem::swap(here, down);
        }
        activity.settle(plane, strip, mask);
        mask_above = mask;
    }
}

#[inline(always)]
fn derive_row<P: Pass>(
    plane: &[u8],
    buffer: &mut [u8],
    pass: &P,
    row: usize,
    from: usize,
    to: usize,
) {
    // The chunks on both sides are quiet or beyond the zone.
    buffer[from] = 0;
    buffer[to + 1] = 0;
    pass.derive(&mut buffer[from + 1..to + 1], &plane[row + from..row + to], row + from);
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
