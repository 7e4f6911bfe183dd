//! Distance maps: the number of steps from every cell to the nearest goal, for whole hordes.
//!
//! A step goes to one of eight neighbours and costs 1; a diagonal one needs both cells beside it to
//! be passable. Shortest distances are unique, so any method that finds them gives the same bits.
//!
//! The method here is a breadth-first search on bits: 256 cells of a row at a time, only in rows
//! that the frontier has reached. A cell's distance is kept in binary digits, one plane of bits a
//! digit, and turned into numbers at the end.

use super::bits;
use crate::model::geometry::Direction;

mod flee;
mod lanes;
mod search;

pub use flee::{FLEE_COST, FLEE_FACTOR, FLEE_UNREACHED, fill_flee};
pub use search::Scratch;

/// The distance of a cell that no goal reaches.
pub const UNREACHED: u16 = u16::MAX;

/// Fills `out` with the number of steps to the nearest goal.
///
/// All planes are `width * height` cells, row-major; a cell is passable if its byte is not 0. The
/// outer border counts as impassable whatever it holds, and so do goals outside or on impassable
/// cells. Cells more than `max_distance` steps away stay [`UNREACHED`].
pub fn fill(
    out: &mut [u16],
    passable: &[u8],
    width: usize,
    height: usize,
    goals: &[u32],
    max_distance: u16,
    scratch: &mut Scratch,
) {
    assert_eq!(out.len(), width * height, "a map has one number a cell");
    assert_eq!(passable.len(), width * height, "a plane has one byte a cell");
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
    {
        // SAFETY: the processor has just been asked for these three.
        unsafe { search::fill_avx2(out, passable, (width, height), goals, max_distance, scratch) };
        return;
    }
    search::fill_baseline(out, passable, (width, height), goals, max_distance, scratch);
}

/// The direction of the neighbour with the smallest number below the one of `cell` itself.
///
/// Equal neighbours are told apart by trying directions clockwise from number `rotation`; `free`
/// says whether a cell may be entered now. `None` if no neighbour is lower. `cell` must not lie on
/// the outer border. Works on distances and on flee maps alike.
pub fn downhill<T: Copy + Ord>(
    map: &[T],
    passable: &[u8],
    width: usize,
    cell: usize,
    rotation: u8,
    free: impl Fn(usize) -> bool,
) -> Option<Direction> {
    let mut best = None;
    let mut lowest = map[cell];
    // Most neighbours are not lower: they are left out without a branch for each.
    let (north, south) = (cell - width, cell + width);
    let clockwise = [north, north + 1, cell + 1, south + 1, south, south - 1, cell - 1, north - 1];
    let lower = (0..8).fold(0, |bits, i| bits | u8::from(map[clockwise[i]] < lowest) << i);
    for i in bits::ones(lower.rotate_right((rotation & 7).into()).into()) {
        let direction = Direction::ALL[usize::from(rotation.wrapping_add(i as u8) & 7)];
        let Some(next) = neighbour(passable, width, cell, direction) else { continue };
        if map[next] < lowest && free(next) {
            lowest = map[next];
            best = Some(direction);
        }
    }
    best
}

/// The cell one step in `direction` from `cell`, if the step is allowed.
fn neighbour(passable: &[u8], width: usize, cell: usize, direction: Direction) -> Option<usize> {
    let (dx, dy) = direction.delta();
    let across = cell.wrapping_add_signed(isize::from(dx));
    let along = cell.wrapping_add_signed(isize::from(dy) * width as isize);
    let next = across.wrapping_add_signed(isize::from(dy) * width as isize);
    let open = |cell: usize| passable.get(cell).is_some_and(|&p| p != 0);
    (open(next) && (!direction.is_diagonal() || open(across) && open(along))).then_some(next)
}

#[cfg(test)]
mod tests;
