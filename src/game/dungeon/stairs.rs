//! Where one arrives and where one leaves.

use super::draft::Draft;
use super::grid::{CLEAR, Grid, SEALED, UNREACHED, roll};
use crate::game::catalog::Terrain;
use crate::game::rng::Rng;

/// The way down is at least this part of the longest walk away, in percent.
const AWAY_PERCENT: u32 = 65;
/// The way down is at least this many steps away.
const AWAY_STEPS_MIN: u32 = 12;
/// No more than this many alcoves are looked at.
const ALCOVES_MAX: usize = 4_000;

/// An alcove in a wall and the cell before it.
#[derive(Clone, Copy)]
struct Alcove {
    cell: usize,
    front: usize,
    heading: usize,
}

/// Places the way up and the way down; `None` if the floor is too cramped for them.
pub(super) fn place(draft: &mut Draft, is_last: bool, rng: &mut Rng) -> Option<()> {
    let alcoves = alcoves(&draft.grid, rng);
    let up = *rng.pick(&alcoves)?;
    draft.up = up.cell;
    build(&mut draft.grid, up, Terrain::StairsUp);
    let steps = draft.grid.distances(up.front);
    if is_last {
        draft.down = shrine(draft, &steps)?;
        return Some(());
    }
    let reach = |alcove: &&Alcove| match steps[alcove.front] {
        UNREACHED => 0,
        steps => steps,
    };
    let longest = alcoves.iter().map(|alcove| reach(&alcove)).max()?;
    let least = (longest * AWAY_PERCENT / 100).max(AWAY_STEPS_MIN);
    let away: Vec<Alcove> = alcoves
        .iter()
        .filter(|alcove| reach(alcove) >= least && is_alcove(&draft.grid, alcove.cell).is_some())
        .copied()
        .collect();
    let down = *rng.pick(&away)?;
    draft.down = down.cell;
    build(&mut draft.grid, down, Terrain::StairsDown);
    Some(())
}

fn alcoves(grid: &Grid, rng: &mut Rng) -> Vec<Alcove> {
    // Starting anywhere and striding keeps the sample spread over a large floor.
    let stride = (grid.area() / (ALCOVES_MAX * 8)).max(1);
    let start = roll(rng, stride);
    let cells = (start..grid.area()).step_by(stride);
    cells.filter_map(|cell| is_alcove(grid, cell)).collect()
}

fn is_alcove(grid: &Grid, cell: usize) -> Option<Alcove> {
    if grid.cells[cell] != Terrain::Wall || grid.marks[cell] != 0 {
        return None;
    }
    let heading = (0..4).find(|&heading| grid.open(grid.toward(cell, heading)))?;
    let front = grid.toward(cell, heading);
    let mut solid = (1..4).map(|turn| grid.toward(cell, heading + turn));
    let framed = solid.all(|n| matches!(grid.cells[n], Terrain::Wall | Terrain::Granite));
    let ring = grid.ring(cell);
    // At most the three cells on the side of the front are open.
    let tight = ring.iter().filter(|&&n| grid.open(n)).count() <= 3;
    let clear = grid.cells[front] == Terrain::Floor && grid.marks[front] == 0;
    let frame = ring.iter().all(|&n| grid.marks[n] & SEALED == 0);
    (framed && tight && clear && frame).then_some(Alcove { cell, front, heading })
}

fn build(grid: &mut Grid, alcove: Alcove, stairs: Terrain) {
    grid.cells[alcove.cell] = stairs;
    for turn in [1, 3] {
        let beside = grid.toward(alcove.cell, alcove.heading + turn);
        if grid.is_inner(beside) {
            grid.cells[beside] = Terrain::Torch;
        }
    }
    for turn in 1..4 {
        let frame = grid.toward(alcove.cell, alcove.heading + turn);
        grid.marks[frame] |= SEALED;
    }
    grid.marks[alcove.cell] |= SEALED;
    grid.mark(alcove.front, 2, CLEAR);
}

/// Raises the altar of the last floor in the room farthest from the way up.
fn shrine(draft: &mut Draft, steps: &[u32]) -> Option<usize> {
    let grid = &mut draft.grid;
    let roomy =
        |cell: &&usize| grid.roomy(**cell) && grid.marks[**cell] == 0 && steps[**cell] != UNREACHED;
    let middles = draft.chambers.iter().filter_map(|chamber| {
        let middle = super::middle(grid, &chamber.cells);
        chamber.cells.iter().filter(roomy).min_by_key(|&&cell| distance(grid, cell, middle))
    });
    let altar = *middles.max_by_key(|&&cell| steps[cell])?;
    if steps[altar] < AWAY_STEPS_MIN {
        return None;
    }
    for near in grid.ring(altar) {
        if grid.cells[near] == Terrain::Floor {
            grid.cells[near] = Terrain::Carpet;
        }
    }
    grid.cells[altar] = Terrain::Altar;
    grid.mark(altar, 2, CLEAR);
    Some(altar)
}

pub(super) fn distance(grid: &Grid, a: usize, b: (i32, i32)) -> i32 {
    let (x, y) = grid.spot(a);
    (x - b.0).pow(2) + (y - b.1).pow(2)
}
