//! Flee maps: walking downhill leads away from the goals, and out of dead ends while there is time.

use super::search::Scratch;
use super::{UNREACHED, neighbour};
use crate::model::geometry::Direction;

/// What a step costs in a flee map.
pub const FLEE_COST: i32 = 5;
/// What a step of distance is worth in a flee map: 6/5 of its cost, so that a place is worth a
/// detour towards the goals only if it lies far enough behind them.
pub const FLEE_FACTOR: i32 = -6;
/// The value of a cell that no goal reaches.
pub const FLEE_UNREACHED: i32 = i32::MAX;

/// Buffers of [`fill_flee`].
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    /// Reached cells in the order of their distance, and where each distance starts.
    order: Vec<u32>,
    starts: Vec<usize>,
    /// Cells by value modulo the number of rings: no value is further ahead than a step's cost.
    rings: [Vec<u32>; RINGS],
    settled: Vec<u32>,
}

const RINGS: usize = FLEE_COST as usize + 1;

/// Fills `out` with the flee map of a finished distance map.
///
/// A cell's value is the smallest `FLEE_FACTOR * distance(m) + FLEE_COST * steps(cell, m)` over all
/// reached cells m: an exact minimum, hence unique. Planes as in [`super::fill`]; the outer border
/// must be unreached.
pub fn fill_flee(
    out: &mut [i32],
    distances: &[u16],
    passable: &[u8],
    width: usize,
    scratch: &mut Scratch,
) {
    assert_eq!(out.len(), distances.len(), "a map has one number a cell");
    assert_eq!(passable.len(), distances.len(), "a plane has one byte a cell");
    let buckets = &mut scratch.flee;
    let farthest = sort_by_distance(distances, buckets);
    for (value, &distance) in out.iter_mut().zip(distances) {
        *value =
            if distance == UNREACHED { FLEE_UNREACHED } else { FLEE_FACTOR * i32::from(distance) };
    }
    let Buckets { order, starts, rings, settled } = buckets;
    for value in FLEE_FACTOR * i32::from(farthest)..=0 {
        let ring = value.rem_euclid(RINGS as i32) as usize;
        settled.clear();
        settled.append(&mut rings[ring]);
        if value % FLEE_FACTOR == 0 {
            let distance = (value / FLEE_FACTOR) as usize;
            settled.extend_from_slice(&order[starts[distance]..starts[distance + 1]]);
        }
        let reached = value + FLEE_COST;
        let ring = &mut rings[reached.rem_euclid(RINGS as i32) as usize];
        for &cell in settled.iter() {
            // Others have been lowered since they were listed.
            if out[cell as usize] == value {
                lower_neighbours(out, passable, width, cell as usize, reached, ring);
            }
        }
    }
    rings.iter_mut().for_each(Vec::clear);
}

/// Sorts the reached cells and returns the greatest distance.
fn sort_by_distance(distances: &[u16], buckets: &mut Buckets) -> u16 {
    let reached = || distances.iter().copied().filter(|&distance| distance != UNREACHED);
    let farthest = reached().max().unwrap_or(0);
    let Buckets { order, starts, .. } = buckets;
    starts.clear();
    starts.resize(usize::from(farthest) + 2, 0);
    for distance in reached() {
        starts[usize::from(distance) + 1] += 1;
    }
    for i in 1..starts.len() {
        starts[i] += starts[i - 1];
    }
    order.clear();
    order.resize(starts.last().copied().unwrap_or(0), 0);
    for (cell, &distance) in (0_u32..).zip(distances) {
        if distance != UNREACHED {
            let start = &mut starts[usize::from(distance)];
            order[*start] = cell;
            *start += 1;
        }
    }
    // Each start has moved to the next one's place.
    starts.rotate_right(1);
    starts[0] = 0;
    farthest
}

fn lower_neighbours(
    out: &mut [i32],
    passable: &[u8],
    width: usize,
    cell: usize,
    reached: i32,
    ring: &mut Vec<u32>,
) {
    for direction in Direction::ALL {
        let Some(next) = neighbour(passable, width, cell, direction) else { continue };
        if out[next] > reached && out[next] != FLEE_UNREACHED {
            out[next] = reached;
            ring.push(u32::try_from(next).expect("a zone has fewer than 2^32 cells"));
        }
    }
}
