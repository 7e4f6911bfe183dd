//! Field of view: which cells a viewer sees, symmetric between floor cells.
//!
//! Symmetric shadowcasting (after Albert Ford's description), a row of a quadrant at a time: a row
//! is one word of bits, and the part of it between two slopes is a mask.

use super::bits;
use crate::model::geometry::Pos;
use crate::model::limits::SIGHT_RADIUS_MAX;

/// The column and row of the viewer in the window.
const CENTRE: usize = SIGHT_RADIUS_MAX as usize;
/// Columns and rows of the window.
const SIDE: usize = 2 * CENTRE + 1;

/// The cells that a viewer sees: a window of 49 by 49 cells with the viewer in its middle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible {
    pub origin: Pos,
    /// The cell of bit 0 of `rows[0]`; it may lie outside the zone.
    pub left: i32,
    pub top: i32,
    /// Bit i of `rows[j]` is the cell (left + i, top + j); no cell outside the zone is set.
    pub rows: [u64; SIDE],
}

impl Visible {
    /// Whether the viewer sees `cell`.
    #[must_use]
    pub fn contains(&self, cell: Pos) -> bool {
        let (x, y) = (i32::from(cell.x) - self.left, i32::from(cell.y) - self.top);
        let window = 0..SIDE as i32;
        window.contains(&x) && window.contains(&y) && self.rows[y as usize] >> x & 1 == 1
    }

    /// The seen cells in row-major order.
    pub fn iter(&self) -> impl Iterator<Item = Pos> + '_ {
        (self.top..).zip(&self.rows).flat_map(move |(y, &row)| {
            bits::ones(row).map(move |bit| Pos::new((self.left + bit as i32) as u16, y as u16))
        })
    }

    /// The bits of a plane, one a cell of a zone with sides `width` and `height`, that lie under a
    /// row of the window, aligned with it. What lies beside the zone is any bits.
    #[must_use]
    pub(in crate::sim) fn under(
        &self,
        row: usize,
        plane: &[u64],
        (width, height): (u16, u16),
    ) -> u64 {
        let y = self.top + row as i32;
        if y < 0 || y >= i32::from(height) {
            return 0;
        }
        let start = i64::from(y) * i64::from(width) + i64::from(self.left);
        let (word, bit) = (start.div_euclid(64), start.rem_euclid(64));
        let read =
            |word: i64| usize::try_from(word).ok().and_then(|w| plane.get(w)).copied().unwrap_or(0);
        let low = read(word) >> bit;
        if bit == 0 { low } else { low | read(word + 1) << (64 - bit) }
    }

    /// The seen cells whose bit is set in a plane of one bit a cell, in row-major order.
    pub fn seen_in(&self, plane: &[u64], size: (u16, u16)) -> impl Iterator<Item = Pos> {
        (0..SIDE).flat_map(move |row| {
            let seen = self.rows[row];
            let seen = if seen == 0 { 0 } else { seen & self.under(row, plane, size) };
            bits::ones(seen).map(move |bit| {
                Pos::new((self.left + bit as i32) as u16, (self.top + row as i32) as u16)
            })
        })
    }

    /// The number of seen cells.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.rows.iter().map(|row| row.count_ones()).sum()
    }
}

/// The cells seen from `origin`, which itself is always seen.
///
/// `opaque` has `width * height` bytes, row-major, other than 0 where sight ends; such a cell can be
/// seen, and nothing outside the zone can. A cell is in range if dx * dx + dy * dy is at most
/// `radius * (radius + 1)`; a radius above [`SIGHT_RADIUS_MAX`] counts as that.
#[must_use]
pub fn field_of_view(
    opaque: &[u8],
    width: usize,
    height: usize,
    origin: Pos,
    radius: u16,
) -> Visible {
    assert_eq!(opaque.len(), width * height, "a plane has one byte a cell");
    let radius = usize::from(radius.min(SIGHT_RADIUS_MAX));
    let window = Window::cut(opaque, (width, height), origin, radius);
    let mut walls = window.walls;
    let mut seen = [0; 64];
    seen[CENTRE] = 1 << CENTRE;
    scan(&walls, &mut seen, radius);
    let mut seen_aside = [0; 64];
    transpose(&mut walls);
    scan(&walls, &mut seen_aside, radius);
    transpose(&mut seen_aside);
    let mut rows = [0; SIDE];
    for (dy, &reach) in REACH[radius].iter().enumerate().take(radius + 1) {
        let reach = usize::from(reach);
        let disc = ((1 << (2 * reach + 1)) - 1) << (CENTRE - reach);
        for j in [CENTRE - dy, CENTRE + dy] {
            rows[j] = (seen[j] | seen_aside[j]) & disc & window.inside[j];
        }
    }
    let corner = |middle: u16| i32::from(middle) - CENTRE as i32;
    Visible { origin, left: corner(origin.x), top: corner(origin.y), rows }
}

/// The surroundings of a viewer as bits; rows and columns out of range are left 0.
struct Window {
    /// Where sight ends; cells outside the zone count as walls.
    walls: [u64; 64],
    /// Cells of the zone.
    inside: [u64; 64],
}

impl Window {
    fn cut(opaque: &[u8], (width, height): (usize, usize), origin: Pos, radius: usize) -> Self {
        let (ox, oy) = (usize::from(origin.x), usize::from(origin.y));
        assert!(ox < width && oy < height, "a viewer stands in its zone");
        let mut window = Self { walls: [!0; 64], inside: [0; 64] };
        let left = ox.saturating_sub(radius);
        let columns = (ox + radius + 1).min(width) - left;
        let shift = CENTRE - (ox - left);
        let inside = ((1 << columns) - 1) << shift;
        for y in oy.saturating_sub(radius)..(oy + radius + 1).min(height) {
            let j = CENTRE + y - oy;
            let start = y * width + left;
            window.walls[j] = pack(opaque, start, columns) << shift | !inside;
            window.inside[j] = inside;
        }
        window
    }
}

/// One bit for each of `count` bytes from `start` that is not 0, and anything in the bits above.
#[inline(always)]
fn pack(plane: &[u8], start: usize, count: usize) -> u64 {
    const WIDEST: usize = SIDE.next_multiple_of(8);
    let mut copy = [0; WIDEST];
    // Reading on into the next row is cheaper than reading an odd number of bytes.
    let cells = plane.get(start..start + WIDEST).unwrap_or_else(|| {
        copy[..count].copy_from_slice(&plane[start..start + count]);
        &copy
    });
    let mut word = 0;
    for (i, eight) in cells.as_chunks::<8>().0[..count.div_ceil(8)].iter().enumerate() {
        word |= bits::pack(eight) << (8 * i);
    }
    word
}

/// The part of a quadrant between two lines of sight.
#[derive(Clone, Copy, Default)]
struct Sector {
    start: Slope,
    end: Slope,
}

/// A line from the viewer through a column, counted from the viewer's, at a depth.
#[derive(Clone, Copy, Default)]
struct Slope {
    twice_column: i32,
    depth: i32,
}

impl Slope {
    /// The window's column at `depth`, rounded down after adding `add` / (2 * `self.depth`).
    #[inline(always)]
    fn column(self, depth: i32, add: i32) -> usize {
        let divisor = 2 * self.depth;
        let numerator = depth * self.twice_column + add + CENTRE as i32 * divisor;
        ((numerator as u32 * RECIPROCALS[self.depth as usize]) >> 20) as usize
    }
}

/// Scans the quadrants above and below the middle row of `walls`.
fn scan(walls: &[u64; 64], seen: &mut [u64; 64], radius: usize) {
    scan_quadrant(walls, seen, radius, |depth| CENTRE - depth);
    scan_quadrant(walls, seen, radius, |depth| CENTRE + depth);
}

#[inline(always)]
fn scan_quadrant(
    walls: &[u64; 64],
    seen: &mut [u64; 64],
    radius: usize,
    row_at: impl Fn(usize) -> usize,
) {
    // Sectors of a row have a wall between them: 25 at most.
    let mut lists = [[Sector::default(); 32]; 2];
    let [sectors, next] = &mut lists;
    let (mut sectors, mut next) = (sectors, next);
    sectors[0] = Sector {
        start: Slope { twice_column: -2, depth: 1 },
        end: Slope { twice_column: 2, depth: 1 },
    };
    let mut count = 1;
    for depth in 1..=radius {
        let row = row_at(depth);
        let depth = depth as i32;
        let mut next_count = 0;
        for sector in &sectors[..count] {
            let (start, end) = (sector.start, sector.end);
            let (start_half, end_half) = (start.depth, end.depth);
            // Cells that the sector touches by more than a corner, and cells whose centre it holds.
            let first = start.column(depth, start_half);
            let last = end.column(depth, end_half - 1);
            if first > last {
                continue;
            }
            let first_centre = start.column(depth, 2 * start_half - 1);
            let last_centre = end.column(depth, 0);
            let touched = (2 << last) - (1 << first);
            let mut floors = touched & !walls[row];
            seen[row] |= touched & walls[row];
            seen[row] |= floors & (2_u64 << last_centre).wrapping_sub(1 << first_centre);
            while floors != 0 {
                let from = floors.trailing_zeros() as usize;
                let to = from + (floors >> from).trailing_ones() as usize;
                floors &= !0 << to;
                let edge = |column: usize| Slope {
                    twice_column: 2 * (column as i32 - CENTRE as i32) - 1,
                    depth,
                };
                next[next_count & 31] = Sector {
                    start: if from == first { start } else { edge(from) },
                    end: if to == last + 1 { end } else { edge(to) },
                };
                next_count += 1;
            }
        }
        std::mem::swap(&mut sectors, &mut next);
        count = next_count;
        if count == 0 {
            break;
        }
    }
}

/// `REACH[r][dy]` is the greatest dx with dx * dx + dy * dy <= r * (r + 1).
static REACH: [[u8; CENTRE + 1]; CENTRE + 1] = {
    let mut table = [[0; CENTRE + 1]; CENTRE + 1];
    let mut r = 0;
    while r <= CENTRE {
        let mut dy = 0;
        while dy <= r {
            table[r][dy] = (r * (r + 1) - dy * dy).isqrt() as u8;
            dy += 1;
        }
        r += 1;
    }
    table
};

/// 2^20 / (2 * depth), rounded up: exact for the quotients of numerators below 2^20 / 48.
static RECIPROCALS: [u32; CENTRE + 1] = {
    let mut table = [0; CENTRE + 1];
    let mut depth = 1;
    while depth <= CENTRE {
        table[depth] = (1_u32 << 20).div_ceil(2 * depth as u32);
        depth += 1;
    }
    table
};

const _: () = assert!(
    (SIDE * 2 * CENTRE + CENTRE * 2 * CENTRE) * 2 * CENTRE < 1 << 20,
    "the greatest numerator of a slope stays below the range of its reciprocal"
);

/// Turns rows into columns: bit i of word j changes places with bit j of word i.
fn transpose(words: &mut [u64; 64]) {
    let mut size = 32;
    let mut mask = u64::MAX >> 32;
    while size > 0 {
        let mut j = 0;
        while j < 64 {
            for k in j..j + size {
                let (low, high) = (words[k], words[k + size]);
                let swapped = (low >> size ^ high) & mask;
                words[k] = low ^ swapped << size;
                words[k + size] = high ^ swapped;
            }
            j += 2 * size;
        }
        size /= 2;
        mask ^= mask << size;
    }
}

#[cfg(test)]
#[path = "fov_tests.rs"]
mod tests;
