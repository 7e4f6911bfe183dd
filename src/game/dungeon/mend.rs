//! Rejoins what lakes have cut off, so that the whole floor can be walked.

use super::draft::Draft;
use super::grid::{Grid, SEALED, UNREACHED, walkable};
use crate::game::catalog::Terrain;

/// Cut-off places of at most this many cells are filled in rather than joined.
const POCKET_CELLS: u32 = 5;
/// The cost of one step through what is in the way is below this.
const COSTS: usize = 8;

/// Takes doors away that stand in no wall, fills tiny pockets and builds ways to larger ones.
pub(super) fn mend(draft: &mut Draft) {
    let grid = &mut draft.grid;
    unhinge(grid);
    let (mut labels, sizes) = grid.groups();
    let main = labels[draft.up];
    let mut joined = vec![false; sizes.len()];
    joined[main as usize] = true;
    for room in &draft.strongrooms {
        joined[labels[room.cells[0]] as usize] = true;
    }
    for (cell, label) in labels.iter_mut().enumerate() {
        let pocket = sizes.get(*label as usize).is_some_and(|&size| size <= POCKET_CELLS);
        if pocket && !joined[*label as usize] && grid.marks[cell] == 0 {
            fill(grid, cell);
            *label = UNREACHED;
        }
    }
    connect(grid, &labels, main, &mut joined);
}

/// Takes away doors that a lake has freed from their walls.
fn unhinge(grid: &mut Grid) {
    for cell in 0..grid.area() {
        if grid.cells[cell] == Terrain::Door && !grid.fits_door(cell) {
            grid.cells[cell] = Terrain::Floor;
        }
    }
}

fn fill(grid: &mut Grid, cell: usize) {
    let near = |t: Terrain| grid.ring(cell).iter().any(|&n| grid.cells[n] == t);
    grid.cells[cell] = if near(Terrain::DeepWater) {
        Terrain::DeepWater
    } else if near(Terrain::Lava) {
        Terrain::Lava
    } else {
        Terrain::Wall
    };
}

fn cost(terrain: Terrain) -> usize {
    if matches!(terrain, Terrain::DeepWater | Terrain::Lava) {
        2
    } else if walkable(terrain) {
        0
    } else {
        5
    }
}

/// Walks outwards from the main group, cheapest obstacles first, and builds a way to each group
/// when it is met.
fn connect(grid: &mut Grid, labels: &[u32], main: u32, joined: &mut [bool]) {
    let mut missing = joined.iter().filter(|&&joined| !joined).count();
    if missing == 0 {
        return;
    }
    let mut from = vec![UNREACHED; grid.area()];
    let mut done = vec![false; grid.area()];
    let mut shelves: [Vec<(usize, u32)>; COSTS] = Default::default();
    for cell in (0..grid.area()).filter(|&cell| labels[cell] == main) {
        shelves[0].push((cell, cell as u32));
    }
    let mut shelf = 0;
    let mut empty = 0;
    while empty < COSTS && missing > 0 {
        let Some((cell, parent)) = shelves[shelf].pop() else {
            shelf = (shelf + 1) % COSTS;
            empty += 1;
            continue;
        };
        empty = 0;
        if done[cell] {
            continue;
        }
        done[cell] = true;
        from[cell] = parent;
        let label = labels[cell] as usize;
        if label < joined.len() && !joined[label] {
            joined[label] = true;
            missing -= 1;
            build(grid, &from, labels, joined, parent as usize);
        }
        for side in grid.sides(cell) {
            if grid.is_inner(side) && !done[side] && grid.marks[side] & SEALED == 0 {
                let shelf = (shelf + cost(grid.cells[side])) % COSTS;
                shelves[shelf].push((side, cell as u32));
            }
        }
    }
}

/// Builds a way back from `end` to the nearest joined group.
fn build(grid: &mut Grid, from: &[u32], labels: &[u32], joined: &[bool], end: usize) {
    let mut way = Vec::new();
    let mut cell = end;
    while joined.get(labels[cell] as usize).is_none_or(|&joined| !joined) {
        way.push(cell);
        if from[cell] as usize == cell {
            break;
        }
        cell = from[cell] as usize;
    }
    let straight = way.iter().all(|cell| cell % grid.width == end % grid.width)
        || way.iter().all(|cell| cell / grid.width == end / grid.width);
    for cell in way {
        let terrain = grid.cells[cell];
        grid.cells[cell] = if terrain == Terrain::DeepWater && !straight {
            Terrain::ShallowWater
        } else if matches!(terrain, Terrain::DeepWater | Terrain::Lava) {
            Terrain::StoneBridge
        } else if walkable(terrain) {
            terrain
        } else {
            Terrain::Floor
        };
    }
}
