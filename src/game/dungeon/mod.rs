//! Grows the floors of the dungeon and the arenas from a seed.
//!
//! Entry points: [`floor`], [`arena`] and [`hall`]. A floor is grown room by room, joined by loops,
//! given its stairs, flooded by lakes, mended where a lake cut it, furnished, overgrown, and last given
//! its secrets. The same specification gives the same cells everywhere. It never fails: a draw
//! that came out too cramped is drawn again, and a plain hall stands in when all draws did. It
//! must never look at actors or items; it only says where they may be.

mod arena;
mod character;
mod draft;
mod flora;
mod furnish;
mod grid;
mod grow;
mod lakes;
mod mend;
mod plain;
mod secrets;
mod stairs;
mod stamp;

#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod tests;

pub use arena::arena;

use crate::game::catalog::Terrain;
use crate::game::catalog::terrain::flags::TRAP;
use crate::game::rng::Rng;
use crate::model::geometry::Pos;
use crate::model::limits::{FLOORS, ZONE_SIDE_MAX, ZONE_SIDE_MIN};
use character::Character;
use draft::{Chamber, Draft};
use grid::{Grid, UNREACHED};

/// Draws of one floor before the plain hall stands in for it.
const DRAWS_MAX: u64 = 12;

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorSpec {
    pub seed: u64,
    /// 1 to 26.
    pub depth: u8,
    /// Sides in cells, 32 to 1024; others are brought into that range.
    pub width: u16,
    pub height: u16,
    /// The deepest floor has an altar in its farthest room in place of the stairs down.
    pub is_last: bool,
}

/// A generated floor: terrain row by row, and the places that the rules need.
///
/// The border is granite. Whatever can be walked on can be walked to from `up` in orthogonal
/// steps, without deep water, lava or locks; only hidden rooms need their secret door found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloorPlan {
    pub width: u16,
    pub height: u16,
    pub terrain: Vec<Terrain>,
    pub up: Pos,
    pub down: Pos,
    pub vaults: Vec<Vault>,
    pub rooms: Vec<Room>,
}

/// A locked room of treasures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    pub door: Pos,
    /// Every cell behind the door, altars included.
    pub interior: Vec<Pos>,
    /// Two to five altars, one for a treasure each.
    pub altars: Vec<Pos>,
    /// Where its key lies: outside all vaults and hidden rooms.
    pub key: Pos,
}

/// What a room is like, for choosing who lives there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoomKind {
    Hall,
    Cross,
    Round,
    Cave,
    /// Beside water.
    Shore,
    /// Mostly mud.
    Bog,
    /// Beside lava.
    Brink,
}

/// A place for monsters and items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// A cell of the room that can be walked on, free of traps unless all of them are trapped.
    pub centre: Pos,
    /// The corners of the box around its cells, both inside; other rooms may reach into it.
    pub low: Pos,
    pub high: Pos,
    pub kind: RoomKind,
    /// Only a secret door leads here.
    pub hidden: bool,
}

/// The phases of a draw; each has its own draws, so that a change in one leaves the others alone.
#[derive(Clone, Copy)]
enum Phase {
    Character = 1,
    Rooms,
    Loops,
    Decay,
    Stairs,
    Lakes,
    Bridges,
    Furniture,
    Flora,
    Traps,
    Secrets,
    Vaults,
}

/// Generates a floor.
#[must_use]
pub fn floor(spec: FloorSpec) -> FloorPlan {
    let spec = FloorSpec {
        depth: spec.depth.clamp(1, FLOORS as u8),
        width: side(spec.width),
        height: side(spec.height),
        ..spec
    };
    (0..DRAWS_MAX).find_map(|draw| attempt(&spec, draw)).unwrap_or_else(|| plain::hall(&spec, true))
}

/// An open hall of `width` by `height` cells, brought into the range of floors.
#[must_use]
pub fn hall(width: u16, height: u16) -> FloorPlan {
    let (width, height) = (side(width), side(height));
    plain::hall(&FloorSpec { seed: 0, depth: 1, width, height, is_last: false }, false)
}

/// A side of a zone within the limits.
fn side(cells: u16) -> u16 {
    cells.clamp(ZONE_SIDE_MIN, ZONE_SIDE_MAX)
}

fn attempt(spec: &FloorSpec, draw: u64) -> Option<FloorPlan> {
    let rng = |phase: Phase| Rng::new(spec.seed, u64::from(spec.depth), draw << 8 | phase as u64);
    let character = Character::draw(spec.depth, &mut rng(Phase::Character));
    let mut draft = Draft::new(spec.width, spec.height);
    grow::grow(&mut draft, &character, &mut rng(Phase::Rooms));
    grow::join(&mut draft, &character, &mut rng(Phase::Loops));
    grow::erode(&mut draft.grid, &character, &mut rng(Phase::Decay));
    stairs::place(&mut draft, spec.is_last, &mut rng(Phase::Stairs))?;
    lakes::flood(&mut draft, &character, &mut rng(Phase::Lakes));
    mend::mend(&mut draft);
    lakes::bridge(&mut draft.grid, &mut rng(Phase::Bridges));
    furnish::furnish(&mut draft, &character, &mut rng(Phase::Furniture));
    flora::cover(&mut draft.grid, &character, &mut rng(Phase::Flora));
    furnish::trap_rooms(&mut draft, &character, &mut rng(Phase::Traps));
    secrets::hide(&mut draft, &character, &mut rng(Phase::Secrets));
    finish(draft, &mut rng(Phase::Vaults))
}

/// Checks the floor and describes it; `None` if something on it cannot be reached.
fn finish(mut draft: Draft, rng: &mut Rng) -> Option<FloorPlan> {
    let grid = &mut draft.grid;
    let steps = grid.distances(draft.up);
    let (labels, _) = grid.groups();
    let hidden = hidden_groups(grid, &labels, &steps);
    let mut walk = Vec::new();
    let locked: Vec<u32> = draft.strongrooms.iter().map(|room| labels[room.cells[0]]).collect();
    for cell in 0..grid.area() {
        if steps[cell] != UNREACHED {
            walk.push(cell);
        } else if labels[cell] != UNREACHED
            && !hidden.contains(&labels[cell])
            && !locked.contains(&labels[cell])
        {
            return None;
        }
    }
    if steps[draft.down] == UNREACHED {
        return None;
    }
    let mut vaults = Vec::new();
    for room in &draft.strongrooms {
        if steps[room.front] == UNREACHED {
            return None;
        }
        vaults.push(secrets::furnish_vault(grid, room, &walk, &vaults, rng)?);
    }
    let rooms = draft.chambers.iter().filter_map(|chamber| describe(grid, chamber, &steps));
    let rooms: Vec<Room> = rooms.collect();
    for cell in 0..grid.area() {
        if grid.cells[cell] == Terrain::Granite
            && grid.marks[cell] & grid::SEALED == 0
            && grid.is_inner(cell)
        {
            grid.cells[cell] = Terrain::Wall;
        }
    }
    let (up, down) = (grid.pos(draft.up), grid.pos(draft.down));
    let (width, height) = (grid.width as u16, grid.height as u16);
    let terrain = draft.grid.cells;
    Some(FloorPlan { width, height, terrain, up, down, vaults, rooms })
}

/// The groups that a secret door joins to what can be walked to, in order.
fn hidden_groups(grid: &Grid, labels: &[u32], steps: &[u32]) -> std::collections::BTreeSet<u32> {
    let mut hidden = std::collections::BTreeSet::new();
    for cell in 0..grid.area() {
        if grid.cells[cell] == Terrain::SecretDoor {
            let sides = grid.sides(cell);
            if sides.iter().any(|&n| steps[n] != UNREACHED) {
                let behind = sides.iter().filter(|&&n| steps[n] == UNREACHED);
                hidden.extend(behind.map(|&n| labels[n]).filter(|&label| label != UNREACHED));
            }
        }
    }
    hidden
}

/// The room that is left of a chamber, or `None` if a lake swallowed it.
fn describe(grid: &Grid, chamber: &Chamber, steps: &[u32]) -> Option<Room> {
    let middle = middle(grid, &chamber.cells);
    let open = || chamber.cells.iter().copied().filter(|&cell| grid.open(cell));
    let hidden = open().all(|cell| steps[cell] == UNREACHED);
    let standing = open().filter(|&cell| hidden || steps[cell] != UNREACHED);
    let centre = standing
        .min_by_key(|&cell| (grid.cells[cell].has(TRAP), stairs::distance(grid, cell, middle)))?;
    let count = |kinds: &[Terrain]| {
        chamber.cells.iter().filter(|&&cell| kinds.contains(&grid.cells[cell])).count() * 6
            > chamber.cells.len()
    };
    let kind = if count(&[Terrain::Lava]) {
        RoomKind::Brink
    } else if count(&[Terrain::Mud]) {
        RoomKind::Bog
    } else if count(&[Terrain::DeepWater, Terrain::ShallowWater]) {
        RoomKind::Shore
    } else {
        chamber.kind
    };
    let (low, high) = bounds(grid, &chamber.cells);
    let pos = |(x, y): (i32, i32)| Pos::new(x as u16, y as u16);
    Some(Room { centre: grid.pos(centre), low: pos(low), high: pos(high), kind, hidden })
}

/// The corners of the box around some cells.
fn bounds(grid: &Grid, cells: &[usize]) -> ((i32, i32), (i32, i32)) {
    let start = ((i32::MAX, i32::MAX), (i32::MIN, i32::MIN));
    cells.iter().map(|&cell| grid.spot(cell)).fold(start, |(low, high), (x, y)| {
        ((low.0.min(x), low.1.min(y)), (high.0.max(x), high.1.max(y)))
    })
}

/// The middle of the box around some cells.
fn middle(grid: &Grid, cells: &[usize]) -> (i32, i32) {
    let (low, high) = bounds(grid, cells);
    (i32::midpoint(low.0, high.0), i32::midpoint(low.1, high.1))
}
