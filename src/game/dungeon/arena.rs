//! Arenas: a field that looks the same from either entry.

use super::grid::{CLEAR, Grid, roll};
use super::{FloorPlan, Room, RoomKind, side};
use crate::game::catalog::Terrain;
use crate::game::rng::Rng;
use crate::model::geometry::Pos;

const PURPOSE: u64 = 0xa1;

/// A cover, pool or lawn: discs are drawn about a centre and about its mirror image.
struct Disc {
    core: Terrain,
    rim: Terrain,
    core_radius: i32,
    rim_radius: i32,
}

/// An arena of `width` by `height` cells (32 to 1024 each): turning it by half a turn changes
/// nothing, and `up` and `down` are the two entries.
#[must_use]
pub fn arena(seed: u64, width: u16, height: u16) -> FloorPlan {
    let (width, height) = (side(width), side(height));
    let mut rng = Rng::new(seed, 0, PURPOSE);
    let mut grid = Grid::new(width, height);
    for cell in 0..grid.area() {
        if grid.is_inner(cell) {
            grid.cells[cell] = Terrain::ArenaSand;
        }
    }
    let up = usize::from(height / 2) * grid.width + 3;
    let down = grid.area() - 1 - up;
    grid.mark(up, 3, CLEAR);
    grid.mark(down, 3, CLEAR);
    let share = grid.area() / 500;
    for _ in 0..2 + share / 4 {
        let core_radius = rng.between(1, 3);
        let disc = Disc {
            core: if rng.chance(60) { Terrain::DeepWater } else { Terrain::ShallowWater },
            rim: Terrain::ShallowWater,
            core_radius,
            rim_radius: core_radius + rng.between(1, 2),
        };
        place(&mut grid, &disc, &mut rng);
    }
    for _ in 0..3 + share {
        let core_radius = if rng.chance(25) { 1 } else { 0 };
        let core = if rng.chance(85) { Terrain::Pillar } else { Terrain::Statue };
        let rim_radius = core_radius + 1;
        let disc = Disc { core, rim: Terrain::ArenaSand, core_radius, rim_radius };
        place(&mut grid, &disc, &mut rng);
    }
    for _ in 0..2 + share / 2 {
        let core_radius = rng.between(0, 2);
        let core = if rng.chance(50) { Terrain::TallGrass } else { Terrain::Bush };
        let rim_radius = core_radius + rng.between(1, 2);
        place(&mut grid, &Disc { core, rim: Terrain::Grass, core_radius, rim_radius }, &mut rng);
    }
    let (low, high) = (Pos::new(1, 1), Pos::new(width - 2, height - 2));
    let room = Room { centre: grid.pos(up), low, high, kind: RoomKind::Hall, hidden: false };
    let opposite = Room { centre: grid.pos(down), ..room.clone() };
    FloorPlan {
        width,
        height,
        up: grid.pos(up),
        down: grid.pos(down),
        terrain: grid.cells,
        vaults: Vec::new(),
        rooms: vec![room, opposite],
    }
}

/// Draws a disc and its mirror image where there is only sand; walking round it stays possible.
fn place(grid: &mut Grid, disc: &Disc, rng: &mut Rng) {
    let reach = disc.rim_radius + 1;
    for _ in 0..20 {
        let centre = grid.inner(
            reach + 1 + roll(rng, grid.width.saturating_sub(2 * reach as usize + 2)) as i32,
            reach + 1 + roll(rng, grid.height.saturating_sub(2 * reach as usize + 2)) as i32,
        );
        let Some(centre) = centre else { continue };
        let twin = grid.area() - 1 - centre;
        let cells = about(grid, centre, reach);
        let apart = grid.pos(centre).chebyshev(grid.pos(twin)) as i32 > 2 * reach;
        let free = cells
            .iter()
            .all(|&(cell, _)| grid.cells[cell] == Terrain::ArenaSand && grid.marks[cell] == 0);
        if !apart || !free {
            continue;
        }
        let last = grid.area() - 1;
        for (cell, square) in cells {
            let within = |radius: i32| square <= radius * radius + radius / 2;
            let terrain = if within(disc.core_radius) {
                disc.core
            } else if within(disc.rim_radius) {
                disc.rim
            } else {
                continue;
            };
            grid.cells[cell] = terrain;
            grid.cells[last - cell] = terrain;
        }
        return;
    }
}

/// The inner cells within `reach` of `centre` and the squares of their distances.
fn about(grid: &Grid, centre: usize, reach: i32) -> Vec<(usize, i32)> {
    let (x, y) = grid.spot(centre);
    let offsets = (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy)));
    let cells = offsets.map(|(dx, dy)| (grid.inner(x + dx, y + dy), dx * dx + dy * dy));
    cells.filter_map(|(cell, square)| cell.map(|cell| (cell, square))).collect()
}
