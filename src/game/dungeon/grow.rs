//! Grows the floor room by room: each new room is attached by a door to one that stands.

use super::character::Character;
use super::grid::{CLEAR, Grid, SEALED, Walker, roll, shuffle};
use super::stamp::Stamp;
use super::{RoomKind, draft::Chamber, draft::Draft, draft::Strongroom};
use crate::game::catalog::Terrain;
use crate::game::rng::Rng;

/// How often a design is offered to the floor before the next one is drawn.
const OFFERS: usize = 16;
/// How often a place in a wall may refuse a design before nobody asks it again.
const REFUSALS_MAX: u8 = 10;
/// A wall between two places farther apart than this, in steps, gets a door.
const DETOUR_STEPS: u32 = 26;

/// A place in a wall where another room may be attached.
#[derive(Clone, Copy)]
struct Site {
    cell: usize,
    heading: usize,
    refusals: u8,
}

struct Design {
    kind: RoomKind,
    stamp: Stamp,
    /// Lengths of the corridor before the room and after its bend.
    hall: (i32, i32),
    bend: usize,
}

/// Where a design would go.
struct Fit {
    hall: Vec<usize>,
    room: Vec<usize>,
}

/// Fills the floor with rooms, corridors and vaults.
pub(super) fn grow(draft: &mut Draft, character: &Character, rng: &mut Rng) {
    let mut sites = Vec::new();
    first_room(draft, character, rng, &mut sites);
    let vaults = character.vaults(draft.grid.area(), rng);
    let mut budget = draft.grid.area() * 4;
    while !sites.is_empty() && budget > 0 {
        let wants_vault = draft.strongrooms.len() < vaults
            && draft.chambers.len() >= 4 * (1 + draft.strongrooms.len());
        if wants_vault && rng.chance(30) {
            let design = vault_design(rng);
            offer(draft, character, rng, &mut sites, &design, true);
        } else {
            let design = design(character, rng);
            offer(draft, character, rng, &mut sites, &design, false);
        }
        budget = budget.saturating_sub(OFFERS);
    }
}

fn first_room(draft: &mut Draft, character: &Character, rng: &mut Rng, sites: &mut Vec<Site>) {
    let (width, height) = (draft.grid.width as i32, draft.grid.height as i32);
    let (kind, stamp) = if rng.chance(character.great_cave) {
        let (wide, tall) =
            (rng.between(26, 56).min(width - 4), rng.between(18, 30).min(height - 4));
        (RoomKind::Cave, Stamp::blob(rng, wide, tall))
    } else {
        (RoomKind::Cross, Stamp::cross(rng))
    };
    let left = rng.between(2, (width - stamp.width - 2).max(2));
    let top = rng.between(2, (height - stamp.height - 2).max(2));
    let spots = stamp.spots().filter_map(|(x, y)| draft.grid.inner(left + x, top + y));
    let fit = Fit { hall: Vec::new(), room: spots.collect() };
    carve(draft, rng, fit, kind, None, sites);
}

fn design(character: &Character, rng: &mut Rng) -> Design {
    let kind = character.room_kind(rng);
    let stamp = match kind {
        RoomKind::Cross => Stamp::cross(rng),
        RoomKind::Round => {
            let radius = if rng.chance(15) { rng.between(5, 8) } else { rng.between(2, 4) };
            Stamp::disc(rng, radius)
        }
        RoomKind::Cave | RoomKind::Shore | RoomKind::Bog | RoomKind::Brink => {
            let great = rng.chance(character.great_cave / 3);
            let (wide, tall) = if great { ((22, 44), (14, 26)) } else { ((8, 18), (7, 14)) };
            let (wide, tall) = (rng.between(wide.0, wide.1), rng.between(tall.0, tall.1));
            Stamp::blob(rng, wide, tall)
        }
        RoomKind::Hall => match rng.below(10) {
            0 => Stamp::rectangle(rng.between(9, 16), rng.between(7, 11)),
            1..=3 => Stamp::rectangle(rng.between(2, 4), rng.between(2, 4)),
            _ => Stamp::rectangle(rng.between(4, 10), rng.between(3, 6)),
        },
    };
    let hall = if rng.chance(character.corridors) {
        let bent = if rng.chance(45) { rng.between(2, 8) } else { 0 };
        (rng.between(2, 11), bent)
    } else {
        (0, 0)
    };
    Design { kind, stamp, hall, bend: if rng.chance(50) { 1 } else { 3 } }
}

fn vault_design(rng: &mut Rng) -> Design {
    let (wide, tall) = (rng.between(3, 6), rng.between(3, 4));
    let (wide, tall) = if rng.chance(50) { (wide, tall) } else { (tall, wide) };
    Design { kind: RoomKind::Hall, stamp: Stamp::rectangle(wide, tall), hall: (0, 0), bend: 1 }
}

/// Offers a design to some random sites; the first that has the space gets it.
fn offer(
    draft: &mut Draft,
    character: &Character,
    rng: &mut Rng,
    sites: &mut Vec<Site>,
    design: &Design,
    vault: bool,
) {
    for _ in 0..OFFERS {
        if sites.is_empty() {
            return;
        }
        let choice = roll(rng, sites.len());
        let site = sites[choice];
        if !is_free(&draft.grid, site) {
            sites.swap_remove(choice);
            continue;
        }
        let Some(fit) = fit(&draft.grid, rng, site, design) else {
            sites[choice].refusals += 1;
            if sites[choice].refusals > REFUSALS_MAX {
                sites.swap_remove(choice);
            }
            continue;
        };
        sites.swap_remove(choice);
        if vault {
            seal(draft, site, fit);
        } else {
            let kind = design.kind;
            let doors = if kind == RoomKind::Cave { character.doors / 4 } else { character.doors };
            let door = rng.chance(doors);
            draft.grid.cells[site.cell] = if door { Terrain::Door } else { Terrain::Floor };
            carve(draft, rng, fit, kind, door.then_some(site.cell), sites);
        }
        return;
    }
}

/// Rock behind a wall is free if it is still granite: whatever is open is lined with wall.
fn is_free(grid: &Grid, site: Site) -> bool {
    let beyond = grid.toward(site.cell, site.heading);
    grid.cells[site.cell] == Terrain::Wall
        && grid.marks[site.cell] == 0
        && grid.open(grid.toward(site.cell, site.heading + 2))
        && is_untouched(grid, beyond)
}

fn is_untouched(grid: &Grid, cell: usize) -> bool {
    grid.cells[cell] == Terrain::Granite && grid.marks[cell] == 0 && grid.is_inner(cell)
}

fn fit(grid: &Grid, rng: &mut Rng, site: Site, design: &Design) -> Option<Fit> {
    let mut hall = Vec::new();
    let (mut cell, mut heading) = (site.cell, site.heading);
    let mut walk = |cell: &mut usize, heading: usize, length: i32| {
        for _ in 0..length {
            *cell = grid.toward(*cell, heading);
            if !is_untouched(grid, *cell) {
                return false;
            }
            hall.push(*cell);
        }
        true
    };
    if !walk(&mut cell, heading, design.hall.0) {
        return None;
    }
    if design.hall.1 > 0 {
        heading = (heading + design.bend) % 4;
        if !walk(&mut cell, heading, design.hall.1) {
            return None;
        }
    }
    let (x, y) = grid.spot(grid.toward(cell, heading));
    let (entry_x, entry_y) = design.stamp.entry(rng, heading)?;
    let mut room = Vec::new();
    for (spot_x, spot_y) in design.stamp.spots() {
        let cell = grid.inner(x + spot_x - entry_x, y + spot_y - entry_y)?;
        if !is_untouched(grid, cell) {
            return None;
        }
        room.push(cell);
    }
    (!room.is_empty()).then_some(Fit { hall, room })
}

fn carve(
    draft: &mut Draft,
    rng: &mut Rng,
    fit: Fit,
    kind: RoomKind,
    door: Option<usize>,
    sites: &mut Vec<Site>,
) {
    let grid = &mut draft.grid;
    for &cell in fit.hall.iter().chain(&fit.room) {
        grid.cells[cell] = Terrain::Floor;
    }
    for &cell in fit.hall.iter().chain(&fit.room) {
        for near in grid.ring(cell) {
            if is_untouched(grid, near) {
                grid.cells[near] = Terrain::Wall;
            }
        }
    }
    for (cells, chance) in [(&fit.hall, 15), (&fit.room, 100)] {
        for &cell in cells {
            for heading in 0..4 {
                let site = Site { cell: grid.toward(cell, heading), heading, refusals: 0 };
                if grid.is_inner(site.cell) && is_free(grid, site) && rng.chance(chance) {
                    sites.push(site);
                }
            }
        }
    }
    draft.doors.extend(door);
    draft.chambers.push(Chamber { kind, cells: fit.room });
}

/// Walls a vault in with granite, so that its door is the only way.
fn seal(draft: &mut Draft, site: Site, fit: Fit) {
    let grid = &mut draft.grid;
    for &cell in &fit.room {
        grid.cells[cell] = Terrain::Carpet;
    }
    for &cell in &fit.room {
        grid.mark(cell, 1, SEALED);
        for near in grid.ring(cell) {
            if grid.cells[near] == Terrain::Wall {
                grid.cells[near] = Terrain::Granite;
            }
        }
    }
    grid.cells[site.cell] = Terrain::LockedDoor;
    let front = grid.toward(site.cell, site.heading + 2);
    grid.marks[front] |= CLEAR;
    draft.strongrooms.push(Strongroom { door: site.cell, front, cells: fit.room });
}

/// Opens a wall wherever the way round it is long.
pub(super) fn join(draft: &mut Draft, character: &Character, rng: &mut Rng) {
    let grid = &mut draft.grid;
    let is_floor = |grid: &Grid, cell: usize| grid.cells[cell] == Terrain::Floor;
    let mut walls = Vec::new();
    for cell in 0..grid.area() {
        if grid.cells[cell] != Terrain::Wall || grid.marks[cell] != 0 || !grid.fits_door(cell) {
            continue;
        }
        let [north, east, south, west] = grid.sides(cell);
        for (from, to) in [(north, south), (west, east)] {
            if is_floor(grid, from) && is_floor(grid, to) && rng.chance(60) {
                walls.push((cell, from, to));
            }
        }
    }
    shuffle(rng, &mut walls);
    let mut walker = Walker::new(grid);
    for (cell, from, to) in walls {
        let beside_door = grid.sides(cell).iter().any(|&n| grid.cells[n] == Terrain::Door);
        if beside_door || !walker.is_far(grid, from, to, DETOUR_STEPS) {
            continue;
        }
        if rng.chance(character.doors + 15) {
            grid.cells[cell] = Terrain::Door;
            draft.loops.push(cell);
        } else {
            grid.cells[cell] = Terrain::Floor;
        }
    }
}

/// Lets thin walls fall here and there.
pub(super) fn erode(grid: &mut Grid, character: &Character, rng: &mut Rng) {
    if character.erosion == 0 {
        return;
    }
    for cell in 0..grid.area() {
        if grid.cells[cell] == Terrain::Wall && grid.marks[cell] == 0 {
            let open = grid.ring(cell).iter().filter(|&&n| grid.open(n)).count();
            if open >= 5 && rng.chance(character.erosion) {
                grid.cells[cell] = Terrain::Rubble;
            }
        }
    }
}
