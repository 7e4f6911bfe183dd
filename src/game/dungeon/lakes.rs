//! Lakes of water, mud and lava, their shores, and bridges that shorten the way round them.

use super::character::Character;
use super::draft::Draft;
use super::grid::{Grid, Walker, shuffle, walkable};
use super::stamp::Stamp;
use crate::game::catalog::Terrain;
use crate::game::rng::Rng;

/// Cells around a lake within which its going round must be possible.
const MARGIN: i32 = 9;
/// Places tried for one lake, each with a smaller shape.
const PLACES: i32 = 9;
/// Chance that a lake may cut the floor, so that a way across is built afterwards.
const CUTTING_PERCENT: u32 = 22;
const BRIDGE_LENGTH_MIN: usize = 3;
const BRIDGE_LENGTH_MAX: usize = 10;
/// A bridge saves at least this many steps.
const BRIDGE_SAVES_STEPS: u32 = 18;

/// Lays as many lakes as the floor's character asks for.
pub(super) fn flood(draft: &mut Draft, character: &Character, rng: &mut Rng) {
    let area = u32::try_from(draft.grid.area()).expect("a floor has under 2^20 cells");
    let wanted = (area.saturating_mul(character.lakes) / 10_000).max(rng.below(2));
    for _ in 0..wanted {
        let liquid = character.liquid(rng);
        let cutting = rng.chance(CUTTING_PERCENT);
        let great = if rng.chance(12) { 2 } else { 1 };
        for shrink in 0..PLACES {
            let wide = rng.between(12, 30) * great * (PLACES + 2 - shrink) / (PLACES + 2);
            let tall = rng.between(8, 16) * great * (PLACES + 2 - shrink) / (PLACES + 2);
            let stamp = Stamp::blob(rng, wide.max(6), tall.max(6));
            if lay(&mut draft.grid, rng, &stamp, liquid, cutting) {
                break;
            }
        }
    }
}

/// Lays one lake about a random open cell; false if it would cut the floor or drown too little.
fn lay(grid: &mut Grid, rng: &mut Rng, stamp: &Stamp, liquid: Terrain, cutting: bool) -> bool {
    let Some(centre) = (0..30).map(|_| grid.any(rng)).find(|&cell| grid.open(cell)) else {
        return false;
    };
    let (x, y) = grid.spot(centre);
    let (left, top) = (x - stamp.width / 2, y - stamp.height / 2);
    let (mut core, mut rim) = (Vec::new(), Vec::new());
    let mut drowned = 0;
    for (x, y) in stamp.spots() {
        let Some(cell) = grid.inner(left + x, top + y) else { continue };
        if grid.marks[cell] != 0 {
            continue;
        }
        drowned += usize::from(grid.open(cell));
        if stamp.crowd(x, y) == 8 {
            core.push(cell);
        } else if grid.open(cell) {
            rim.push(cell);
        }
    }
    if core.len() < 4 || drowned * 5 < core.len() * 2 {
        return false;
    }
    if liquid == Terrain::Mud {
        bog(grid, rng, core.into_iter().chain(rim));
        return true;
    }
    if !cutting && cuts(grid, (left, top, stamp.width, stamp.height), &core) {
        return false;
    }
    for &cell in &core {
        grid.cells[cell] = liquid;
    }
    shore(grid, rng, liquid, &core, &rim);
    true
}

fn bog(grid: &mut Grid, rng: &mut Rng, cells: impl Iterator<Item = usize>) {
    for cell in cells {
        if grid.cells[cell] == Terrain::Floor {
            grid.cells[cell] = match rng.below(100) {
                0..4 => Terrain::ShallowWater,
                4..10 => Terrain::TallGrass,
                10..18 => Terrain::Grass,
                _ => Terrain::Mud,
            };
        }
    }
}

fn shore(grid: &mut Grid, rng: &mut Rng, liquid: Terrain, core: &[usize], rim: &[usize]) {
    let mut wet = |grid: &mut Grid, cell: usize, chance: u32| {
        let dry = matches!(grid.cells[cell], Terrain::Floor | Terrain::Door);
        if dry && grid.marks[cell] == 0 && rng.chance(chance) {
            grid.cells[cell] = if liquid != Terrain::Lava {
                Terrain::ShallowWater
            } else if rng.chance(40) {
                Terrain::Ash
            } else {
                Terrain::Rubble
            };
        }
    };
    let (first, second) = if liquid == Terrain::Lava { (45, 15) } else { (100, 45) };
    for &cell in rim.iter().chain(core) {
        for near in grid.ring(cell) {
            if grid.is_inner(near) {
                wet(grid, near, first);
            }
        }
    }
    for &cell in rim {
        wet(grid, cell, first);
        for near in grid.ring(cell).into_iter().filter(|&n| grid.open(n)).collect::<Vec<_>>() {
            for side in grid.sides(near) {
                if grid.is_inner(side) {
                    wet(grid, side, second / 3);
                }
            }
        }
    }
}

/// Whether the open cells around a lake that are joined now would no longer be joined nearby.
fn cuts(grid: &Grid, (left, top, wide, tall): (i32, i32, i32, i32), core: &[usize]) -> bool {
    let (x0, y0) = ((left - MARGIN).max(0), (top - MARGIN).max(0));
    let x1 = (left + wide + MARGIN).min(grid.width as i32);
    let y1 = (top + tall + MARGIN).min(grid.height as i32);
    let (width, height) = ((x1 - x0) as usize, (y1 - y0) as usize);
    let local = |cell: usize| {
        let (x, y) = grid.spot(cell);
        (y - y0) as usize * width + (x - x0) as usize
    };
    let row = |y: usize| (y0 as usize + y) * grid.width + x0 as usize;
    let before: Vec<bool> = (0..height)
        .flat_map(|y| (0..width).map(move |x| row(y) + x))
        .map(|c| grid.open(c))
        .collect();
    let mut after = before.clone();
    for &cell in core {
        after[local(cell)] = false;
    }
    let (old, new) = (label(&before, width), label(&after, width));
    // Every old group may keep one new group at most.
    let mut heir = vec![0; old.len() + 1];
    for (cell, &group) in new.iter().enumerate() {
        let heir = &mut heir[old[cell]];
        if group != 0 && *heir == 0 {
            *heir = group;
        } else if group != 0 && *heir != group {
            return true;
        }
    }
    false
}

/// Numbers the connected groups of `open` cells from 1; 0 elsewhere.
fn label(open: &[bool], width: usize) -> Vec<usize> {
    let mut labels = vec![0; open.len()];
    let (mut groups, mut stack) = (0, Vec::new());
    for start in 0..open.len() {
        if !open[start] || labels[start] != 0 {
            continue;
        }
        groups += 1;
        labels[start] = groups;
        stack.push(start);
        while let Some(cell) = stack.pop() {
            let east = (cell % width + 1 < width).then_some(cell + 1);
            let west = if cell % width > 0 { Some(cell - 1) } else { None };
            for near in [cell.checked_sub(width), east, Some(cell + width), west] {
                if let Some(near) = near.filter(|&n| n < open.len() && open[n] && labels[n] == 0) {
                    labels[near] = groups;
                    stack.push(near);
                }
            }
        }
    }
    labels
}

/// Spans deep water and lava where the way round is long.
pub(super) fn bridge(grid: &mut Grid, rng: &mut Rng) {
    let mut spans = Vec::new();
    for cell in 0..grid.area() {
        if !grid.open(cell) || grid.cells[cell] == Terrain::Door {
            continue;
        }
        for heading in [1, 2] {
            spans.extend(span(grid, cell, heading).map(|length| (cell, heading, length)));
        }
    }
    shuffle(rng, &mut spans);
    let mut walker = Walker::new(grid);
    for (cell, heading, length) in spans {
        if span(grid, cell, heading) != Some(length) {
            continue;
        }
        let far = (0..=length).fold(cell, |cell, _| grid.toward(cell, heading));
        let steps = u32::try_from(length).unwrap_or(u32::MAX) + BRIDGE_SAVES_STEPS;
        if !walker.is_far(grid, cell, far, steps) {
            continue;
        }
        let stone = rng.chance(35) || grid.cells[grid.toward(cell, heading)] == Terrain::Lava;
        let mut plank = cell;
        for _ in 0..length {
            plank = grid.toward(plank, heading);
            grid.cells[plank] = if stone { Terrain::StoneBridge } else { Terrain::Bridge };
        }
    }
}

/// The number of liquid cells from `cell` to the next open cell, if one bridge can span them
/// without touching another.
fn span(grid: &Grid, cell: usize, heading: usize) -> Option<usize> {
    let mut at = cell;
    for length in 0..=BRIDGE_LENGTH_MAX {
        at = grid.toward(at, heading);
        if !matches!(grid.cells[at], Terrain::DeepWater | Terrain::Lava) {
            return (length >= BRIDGE_LENGTH_MIN && walkable(grid.cells[at])).then_some(length);
        }
        let beside = [1, 3].map(|turn| grid.cells[grid.toward(at, heading + turn)]);
        if beside.iter().any(|&t| matches!(t, Terrain::Bridge | Terrain::StoneBridge)) {
            return None;
        }
    }
    None
}
