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
    /// Cells no neighbour of which is known to be farther away, and others, nearest first.
    peaks: Vec<u32>,
    /// Cells by value modulo the number of rings: no value is further ahead than a step's cost.
    rings: [Vec<u32>; RINGS],
    settled: Vec<u32>,
}

const RINGS: usize = FLEE_COST as usize + 1;

/// Fills `out` with the flee map of a finished distance map.
///
/// A cell's value is the smallest `FLEE_FACTOR * distance(m) + FLEE_COST * steps(cell, m)` over all
/// reached cells m, with steps through reached cells only: an exact minimum, hence unique. The map
/// is `width` cells wide and its outer border must be unreached, as [`super::fill`] leaves it.
pub fn fill_flee(out: &mut [i32], distances: &[u16], width: usize, scratch: &mut Scratch) {
    assert_eq!(out.len(), distances.len(), "a map has one number a cell");
    let Buckets { peaks, rings, settled } = &mut scratch.flee;
    for (value, &distance) in out.iter_mut().zip(distances) {
        let start = FLEE_FACTOR * i32::from(distance);
        *value = if distance == UNREACHED { CLOSED } else { start };
    }
    find_peaks(peaks, distances, width);
    let lowest = peaks.last().map_or(0, |&cell| out[cell as usize]);
    for value in lowest..=0 {
        let ring = value.rem_euclid(RINGS as i32) as usize;
        settled.clear();
        settled.append(&mut rings[ring]);
        // A value settles before its cell's own distance comes up if it has gone down.
        while let Some(&cell) = peaks.last()
            && FLEE_FACTOR * i32::from(distances[cell as usize]) == value
        {
            settled.push(cell);
            peaks.pop();
        }
        let reached = value + FLEE_COST;
        let ring = &mut rings[reached.rem_euclid(RINGS as i32) as usize];
        for &cell in settled.iter() {
            if out[cell as usize] == value {
                lower_neighbours(out, width, cell as usize, reached, ring);
            }
        }
    }
    rings.iter_mut().for_each(Vec::clear);
    for value in out.iter_mut() {
        *value = if *value == CLOSED { FLEE_UNREACHED } else { *value };
    }
}

/// Lists the cells that may keep their first value, by distance.
///
/// Any other has a neighbour one step farther away, which lowers it: 5 - 6 * (d + 1) < -6 * d.
fn find_peaks(peaks: &mut Vec<u32>, distances: &[u16], width: usize) {
    peaks.clear();
    let height = distances.len() / width;
    for y in 1..height.saturating_sub(1) {
        let row = |y: usize| &distances[y * width..(y + 1) * width];
        let (up, here, down) = (row(y - 1), row(y), row(y + 1));
        for (block, cells) in here.chunks(64).enumerate() {
            let from = block * 64;
            let mut bytes = [0; 64];
            for (i, &distance) in cells.iter().enumerate() {
                let x = from + i;
                let farther = distance.wrapping_add(1);
                let hidden = up[x] == farther
                    || down[x] == farther
                    || here[x.saturating_sub(1)] == farther
                    || here[(x + 1).min(width - 1)] == farther;
                bytes[i] = u8::from(distance != UNREACHED && (!hidden || farther == UNREACHED));
            }
            let first = y * width + from;
            peaks.extend(bits::ones(bits::pack_row(&bytes)).map(|i| (first + i) as u32));
        }
    }
    peaks.sort_unstable_by_key(|&cell| (distances[cell as usize], cell));
}

/// Lowers what is above `reached` around `cell` to it.
#[inline(always)]
fn lower_neighbours(out: &mut [i32], width: usize, cell: usize, reached: i32, ring: &mut Vec<u32>) {
    let mut lower = |next: usize, allowed: bool| {
        let value = out[next];
        if allowed & (value > reached) {
            out[next] = reached;
            ring.push(next as u32);
        }
        value != CLOSED
    };
    let (north, south) = (cell - width, cell + width);
    let north_open = lower(north, true);
    let south_open = lower(south, true);
    let east_open = lower(cell + 1, true);
    let west_open = lower(cell - 1, true);
    lower(north + 1, north_open & east_open);
    lower(south + 1, south_open & east_open);
    lower(south - 1, south_open & west_open);
    lower(north - 1, north_open & west_open);
}
