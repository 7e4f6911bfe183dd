//! Flee maps: walking downhill leads away from the goals, and out of dead ends while there is time.

use super::UNREACHED;
use super::search::Scratch;
use crate::sim::cpu::bits;

/// What a step costs in a flee map.
pub const FLEE_COST: i32 = 5;
/// What a step of distance is worth in a flee map: 6/5 of its cost, so that a place is worth a
/// detour towards the goals only if it lies far enough behind them.
pub const FLEE_FACTOR: i32 = -6;
/// The value of a cell that no goal reaches.
pub const FLEE_UNREACHED: i32 = i32::MAX;

/// Marks unreached cells while values are still going down: nothing is lower.
const CLOSED: i32 = i32::MIN;

/// Buffers of [`fill_flee`].
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    /// Cells that may keep their first value, nearest to a goal first.
    peaks: Vec<u32>,
    found: Vec<u32>,
    ends: Vec<usize>,
    /// Cells by value modulo the number of rings: no value is further ahead than a step's cost.
    rings: [Ring; RINGS],
    settled: Vec<u32>,
}

/// A list of cells with room behind it, so that adding one takes no branch.
#[derive(Clone, Debug, Default)]
struct Ring {
    cells: Vec<u32>,
    count: usize,
}

impl Ring {
    fn make_room(&mut self, more: usize) {
        if self.cells.len() < self.count + more {
            self.cells.resize(self.count + more, 0);
        }
    }
}

const RINGS: usize = FLEE_COST as usize + 1;

/// Fills `out` with the flee map of a finished distance map.
///
/// A cell's value is the smallest `FLEE_FACTOR * distance(m) + FLEE_COST * steps(cell, m)` over all
/// reached cells m, with steps through reached cells only: an exact minimum, hence unique. The map
/// is `width` cells wide and its outer border must be unreached, as [`super::fill`] leaves it.
pub fn fill_flee(out: &mut [i32], distances: &[u16], width: usize, scratch: &mut Scratch) {
    assert_eq!(out.len(), distances.len(), "a map has one number a cell");
    let Buckets { peaks, found, ends, rings, settled } = &mut scratch.flee;
    for (value, &distance) in out.iter_mut().zip(distances) {
        let start = FLEE_FACTOR * i32::from(distance);
        *value = if distance == UNREACHED { CLOSED } else { start };
    }
    find_peaks(found, distances, width);
    sort(peaks, found, distances, ends);
    let lowest = peaks.last().map_or(0, |&cell| out[cell as usize]);
    for value in lowest..=0 {
        let ring = &mut rings[value.rem_euclid(RINGS as i32) as usize];
        settled.clear();
        settled.extend_from_slice(&ring.cells[..ring.count]);
        ring.count = 0;
        while let Some(&cell) = peaks.last()
            && FLEE_FACTOR * i32::from(distances[cell as usize]) == value
        {
            // A peak that has gone down settled before.
            if out[cell as usize] == value {
                settled.push(cell);
            }
            peaks.pop();
        }
        let reached = value + FLEE_COST;
        let ring = &mut rings[reached.rem_euclid(RINGS as i32) as usize];
        ring.make_room(8 * settled.len());
        for &cell in settled.iter() {
            lower_neighbours(out, width, cell as usize, reached, ring);
        }
    }
    rings.iter_mut().for_each(|ring| ring.count = 0);
    for value in out.iter_mut() {
        *value = if *value == CLOSED { FLEE_UNREACHED } else { *value };
    }
}

/// Lists the cells that may keep their first value.
///
/// Any other has a neighbour one step farther away, which lowers it: 5 - 6 * (d + 1) < -6 * d.
fn find_peaks(found: &mut Vec<u32>, distances: &[u16], width: usize) {
    const BLOCK: usize = 64;
    found.clear();
    for y in 1..(distances.len() / width).saturating_sub(1) {
        for from in (1..width.saturating_sub(1)).step_by(BLOCK) {
            let first = y * width + from;
            let count = BLOCK.min(width - 1 - from);
            let cells = |first: usize| &distances[first..first + count];
            let (here, up, down) = (cells(first), cells(first - width), cells(first + width));
            let (left, right) = (cells(first - 1), cells(first + 1));
            let mut peaks = [0; BLOCK];
            for i in 0..count {
                let farther = here[i].wrapping_add(1);
                let hidden = (up[i] == farther)
                    | (down[i] == farther)
                    | (left[i] == farther)
                    | (right[i] == farther);
                // What lies beside the greatest distance of all is not farther, but unreached.
                let peak = !hidden | (farther == UNREACHED);
                peaks[i] = u8::from(peak & (here[i] != UNREACHED));
            }
            let packed = bits::pack_row(&peaks);
            found.extend(bits::ones(packed).map(|i| (first + i) as u32));
        }
    }
}

/// Sorts `cells` by distance into `sorted`; `ends` is a buffer.
fn sort(sorted: &mut Vec<u32>, cells: &[u32], distances: &[u16], ends: &mut Vec<usize>) {
    let distance = |&cell: &u32| usize::from(distances[cell as usize]);
    ends.clear();
    ends.resize(cells.iter().map(distance).max().unwrap_or(0) + 1, 0);
    cells.iter().for_each(|cell| ends[distance(cell)] += 1);
    let mut end = 0;
    for count in ends.iter_mut() {
        end += *count;
        *count = end;
    }
    sorted.clear();
    sorted.resize(cells.len(), 0);
    for cell in cells.iter().rev() {
        let end = &mut ends[distance(cell)];
        *end -= 1;
        sorted[*end] = *cell;
    }
}

/// Lowers what is above `reached` around `cell` to it. Which neighbours that are cannot be
/// foretold: there are no branches.
#[inline(always)]
fn lower_neighbours(out: &mut [i32], width: usize, cell: usize, reached: i32, ring: &mut Ring) {
    let (above, rest) = out[cell - width - 1..].split_at_mut(width);
    let (here, below) = rest.split_at_mut(width);
    let row = "a settled cell has neighbours on all sides";
    let [north_west, north, north_east] = above.first_chunk_mut().expect(row);
    let [west, _, east] = here.first_chunk_mut().expect(row);
    let [south_west, south, south_east] = below.first_chunk_mut().expect(row);
    let room: &mut [u32; 8] = ring.cells[ring.count..].first_chunk_mut().expect("made room");
    let mut count = 0;
    let mut lower = |value: &mut i32, at: usize, allowed: bool| {
        let before = *value;
        let lowers = allowed & (before > reached);
        *value = if lowers { reached } else { before };
        room[count & 7] = at as u32;
        count += usize::from(lowers);
        before != CLOSED
    };
    let north_open = lower(north, cell - width, true);
    let south_open = lower(south, cell + width, true);
    let east_open = lower(east, cell + 1, true);
    let west_open = lower(west, cell - 1, true);
    lower(north_east, cell - width + 1, north_open & east_open);
    lower(south_east, cell + width + 1, south_open & east_open);
    lower(south_west, cell + width - 1, south_open & west_open);
    lower(north_west, cell - width - 1, north_open & west_open);
    ring.count += count;
}
