//! Furniture of rooms (carpets, pillars, statues, fountains), torches and traps.

use super::RoomKind;
use super::character::Character;
use super::draft::{Chamber, Draft};
use super::grid::{Grid, roll};
use crate::game::catalog::Terrain;
use crate::game::rng::Rng;

/// One row of the traps' table.
struct Trap {
    open: Terrain,
    hidden: Terrain,
    first_depth: u32,
    weight: u32,
}

static TRAPS: [Trap; 4] = [
    trap(Terrain::AlarmTrap, Terrain::HiddenAlarmTrap, 2, 8),
    trap(Terrain::PoisonTrap, Terrain::HiddenPoisonTrap, 1, 10),
    trap(Terrain::ConfusionTrap, Terrain::HiddenConfusionTrap, 4, 8),
    trap(Terrain::FireTrap, Terrain::HiddenFireTrap, 6, 9),
];

const fn trap(open: Terrain, hidden: Terrain, first_depth: u32, weight: u32) -> Trap {
    Trap { open, hidden, first_depth, weight }
}

/// A random cell of bare ground among `cells`, or `None` after a few vain tries.
fn bare(grid: &Grid, rng: &mut Rng, cells: &[usize]) -> Option<usize> {
    let mut tries = (0..12).filter_map(|_| cells.get(roll(rng, cells.len())).copied());
    tries.find(|&cell| grid.cells[cell] == Terrain::Floor && grid.marks[cell] == 0)
}

/// Lays carpets and sets up pillars, statues and fountains, before anything grows.
pub(super) fn furnish(draft: &mut Draft, character: &Character, rng: &mut Rng) {
    let grid = &mut draft.grid;
    for chamber in &draft.chambers {
        if chamber.kind == RoomKind::Cave {
            continue;
        }
        let size = chamber.cells.len();
        if size >= 16 && rng.chance(if character.depth < 4 { 8 } else { 14 }) {
            carpet(grid, chamber);
        }
        if size >= 48 && rng.chance(42) {
            pillars(grid, chamber, rng);
        } else if size >= 25 && rng.chance(9) {
            centrepiece(grid, chamber, rng);
        }
        if size >= 20 && rng.chance(14) {
            for _ in 0..rng.between(1, 4) {
                statue(grid, chamber, rng);
            }
        }
    }
    torches(grid, character, rng);
}

fn carpet(grid: &mut Grid, chamber: &Chamber) {
    for &cell in &chamber.cells {
        if grid.cells[cell] == Terrain::Floor && grid.roomy(cell) {
            grid.cells[cell] = Terrain::Carpet;
        }
    }
}

/// Sets pillars on a lattice that is symmetric about the middle of the room.
fn pillars(grid: &mut Grid, chamber: &Chamber, rng: &mut Rng) {
    let (low, high) = super::bounds(grid, &chamber.cells);
    let stride = rng.between(2, 3);
    let fits = |from: i32, to: i32| (to - from - 2) % stride == 0;
    let (wide, tall) = (fits(low.0, high.0), fits(low.1, high.1));
    let colonnade = rng.chance(50);
    for &cell in &chamber.cells {
        let (x, y) = grid.spot(cell);
        let (dx, dy) = ((x - low.0).min(high.0 - x) - 1, (y - low.1).min(high.1 - y) - 1);
        let lattice = |d: i32, fits: bool| if fits { d >= 0 && d % stride == 0 } else { d == 0 };
        let edge = !colonnade || dx == 0 || dy == 0;
        let free = grid.marks[cell] == 0 && grid.roomy(cell);
        if edge && lattice(dx, wide) && lattice(dy, tall) && free {
            grid.cells[cell] = Terrain::Pillar;
        }
    }
}

fn centrepiece(grid: &mut Grid, chamber: &Chamber, rng: &mut Rng) {
    let middle = super::middle(grid, &chamber.cells);
    let free = |cell: &&usize| grid.marks[**cell] == 0 && grid.roomy(**cell);
    let near = |cell: &&usize| super::stairs::distance(grid, **cell, middle);
    if let Some(&cell) = chamber.cells.iter().filter(free).min_by_key(near) {
        let fountain = rng.chance(65);
        grid.cells[cell] = if fountain { Terrain::Fountain } else { Terrain::Statue };
    }
}

/// Sets a statue with its back to a wall.
fn statue(grid: &mut Grid, chamber: &Chamber, rng: &mut Rng) {
    for _ in 0..6 {
        let Some(cell) = bare(grid, rng, &chamber.cells) else { return };
        let walls = grid.sides(cell).iter().filter(|&&n| grid.cells[n] == Terrain::Wall).count();
        let door = grid.ring(cell).iter().any(|&n| grid.cells[n] == Terrain::Door);
        if walls > 0 && !door && grid.spare(cell) {
            grid.cells[cell] = Terrain::Statue;
            return;
        }
    }
}

/// Hangs torches on walls that face open ground, never two close together.
fn torches(grid: &mut Grid, character: &Character, rng: &mut Rng) {
    let wanted = grid.area() / (240 + character.depth as usize * 16);
    for _ in 0..wanted * 6 {
        let cell = grid.any(rng);
        if grid.cells[cell] != Terrain::Wall || grid.marks[cell] != 0 || !rng.chance(60) {
            continue;
        }
        let faces = grid.sides(cell).iter().filter(|&&n| grid.open(n)).count();
        let (x, y) = grid.spot(cell);
        let mut near = (-4..=4).flat_map(|dy| (-4..=4).map(move |dx| (x + dx, y + dy)));
        let lit = near
            .any(|(x, y)| grid.inner(x, y).is_some_and(|cell| grid.cells[cell] == Terrain::Torch));
        if faces == 1 && !lit {
            grid.cells[cell] = Terrain::Torch;
        }
    }
}

/// Sets traps on open ground, never in a passage that one cannot go round.
pub(super) fn trap_rooms(draft: &mut Draft, character: &Character, rng: &mut Rng) {
    let grid = &mut draft.grid;
    let depth = character.depth;
    let known: Vec<&Trap> = TRAPS.iter().filter(|trap| trap.first_depth <= depth).collect();
    let most = grid.area() * (depth as usize + 4) / 16_000 + 1;
    let total = known.iter().map(|trap| trap.weight).sum();
    for _ in 0..roll(rng, most + 1) {
        if draft.chambers.is_empty() {
            return;
        }
        let chamber = &draft.chambers[roll(rng, draft.chambers.len())];
        let Some(cell) = bare(grid, rng, &chamber.cells) else { continue };
        if !grid.roomy(cell) {
            continue;
        }
        let mut left = rng.below(total);
        let drawn = known.iter().find(|trap| {
            let here = left < trap.weight;
            left = left.saturating_sub(trap.weight);
            here
        });
        if let Some(trap) = drawn {
            let hidden = rng.chance((20 + depth * 3).min(80));
            grid.cells[cell] = if hidden { trap.hidden } else { trap.open };
        }
    }
}
