//! What grows, crumbles and gathers on the ground, as a table.

use super::character::Character;
use super::grid::{Grid, SEALED};
use crate::game::catalog::Terrain;
use crate::game::rng::Rng;

/// Which of the floor's tendencies multiplies a row.
#[derive(Clone, Copy)]
enum Vigour {
    Plants,
    Decay,
    Steady,
}

/// One row of the table: patches of `terrain` spread over `ground`.
struct Patch {
    terrain: Terrain,
    ground: &'static [Terrain],
    /// First and last depth.
    depths: (u32, u32),
    /// Patches per 100,000 cells.
    density: u32,
    /// Chance to spread from the first cell, and how much of it each ring of cells costs.
    spread: (u32, u32),
    vigour: Vigour,
}

use Terrain::{
    Ash, Bones, Bush, DeadGrass, Floor, Fungus, Grass, MethaneVent, Mud, Rubble, ShallowWater,
    TallGrass, Web,
};
use Vigour::{Decay, Plants, Steady};

const fn patch(
    terrain: Terrain,
    ground: &'static [Terrain],
    depths: (u32, u32),
    density: u32,
    spread: (u32, u32),
    vigour: Vigour,
) -> Patch {
    Patch { terrain, ground, depths, density, spread, vigour }
}

#[rustfmt::skip]
static PATCHES: [Patch; 18] = [
    //    terrain       on                   depths density spread     follows
    patch(Grass,        &[Floor],            (1, 9),    110, (110, 9),  Plants),
    patch(Grass,        &[Floor],            (10, 18),   50, (100, 11), Plants),
    patch(TallGrass,    &[Grass, Floor],     (1, 16),    75, (90, 13),  Plants),
    patch(Bush,         &[Grass, TallGrass], (1, 18),    60, (40, 20),  Plants),
    patch(DeadGrass,    &[Grass, Floor],     (4, 12),    35, (90, 11),  Plants),
    patch(DeadGrass,    &[Grass, Floor],     (10, 22),   70, (100, 11), Decay),
    patch(ShallowWater, &[Floor, Grass],     (1, 24),    24, (75, 16),  Steady),
    patch(Mud,          &[Floor, Grass],     (4, 15),    16, (80, 16),  Steady),
    patch(MethaneVent,  &[Mud],              (5, 15),   160, (0, 1),    Steady),
    patch(MethaneVent,  &[Floor],            (8, 26),     9, (0, 1),    Steady),
    patch(Fungus,       &[Floor, Rubble],    (4, 12),    40, (60, 18),  Steady),
    patch(Fungus,       &[Floor, Rubble],    (13, 26),   80, (70, 15),  Steady),
    patch(Rubble,       &[Floor],            (1, 26),    60, (55, 22),  Decay),
    patch(Rubble,       &[Floor],            (8, 26),    18, (95, 18),  Decay),
    patch(Ash,          &[Floor, DeadGrass], (9, 26),    14, (80, 17),  Decay),
    patch(Bones,        &[Floor, Rubble],    (2, 26),    45, (30, 25),  Decay),
    patch(Bones,        &[Floor, Rubble],    (16, 26),   20, (70, 25),  Decay),
    patch(Web,          &[Floor, Rubble],    (7, 26),    30, (60, 26),  Steady),
];

/// Covers the ground patch by patch, in the order of the table.
pub(super) fn cover(grid: &mut Grid, character: &Character, rng: &mut Rng) {
    for row in &PATCHES {
        if !(row.depths.0..=row.depths.1).contains(&character.depth) {
            continue;
        }
        let vigour = match row.vigour {
            Plants => character.plants,
            Decay => character.decay,
            Steady => 100,
        };
        // In units of 1 / 100 of a patch per 100,000 cells, with the fraction left to chance.
        let due = grid.area() as u64 * u64::from(row.density * vigour) / 100_000;
        let patches = due / 100 + u64::from(u64::from(rng.below(100)) < due % 100);
        for _ in 0..patches {
            sow(grid, row, rng);
        }
    }
}

fn sow(grid: &mut Grid, row: &Patch, rng: &mut Rng) {
    let takes = |grid: &Grid, cell: usize| {
        row.ground.contains(&grid.cells[cell]) && grid.marks[cell] & SEALED == 0
    };
    let Some(seed) = (0..40).map(|_| grid.any(rng)).find(|&cell| takes(grid, cell)) else {
        return;
    };
    grid.cells[seed] = row.terrain;
    let mut edge = vec![seed];
    let mut chance = row.spread.0;
    while chance > 0 && !edge.is_empty() {
        let mut next = Vec::new();
        for cell in edge {
            for side in grid.sides(cell) {
                if takes(grid, side) && rng.chance(chance) {
                    grid.cells[side] = row.terrain;
                    next.push(side);
                }
            }
        }
        edge = next;
        chance = chance.saturating_sub(row.spread.1);
    }
}
