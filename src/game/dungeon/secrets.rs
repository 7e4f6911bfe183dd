//! Hides doors that nobody needs, fills the vaults and drops their keys.

use super::character::Character;
use super::draft::{Draft, Strongroom};
use super::grid::{Grid, SEALED, UNREACHED, roll};
use super::{Vault, stairs};
use crate::game::catalog::Terrain;
use crate::game::rng::Rng;

/// A side room that may be hidden has at most this many cells.
const HIDDEN_CELLS_MAX: u32 = 90;
/// A key lies at the farthest of this many random places.
const KEY_PLACES: usize = 5;

/// Turns doors of loops and of side rooms into secret doors, as many as the depth asks for.
pub(super) fn hide(draft: &mut Draft, character: &Character, rng: &mut Rng) {
    let grid = &mut draft.grid;
    let mut hidden = Vec::new();
    for (doors, chance) in
        [(&draft.loops, character.secret_loops), (&draft.doors, character.secret_rooms)]
    {
        let fits = |&&door: &&usize| grid.cells[door] == Terrain::Door && grid.fits_door(door);
        let chosen = doors.iter().filter(fits);
        hidden.extend(chosen.filter(|_| rng.chance(chance)).copied());
    }
    for &door in &hidden {
        grid.cells[door] = Terrain::SecretDoor;
    }
    let (labels, sizes) = grid.groups();
    let mut parents: Vec<u32> = (0..sizes.len() as u32).collect();
    // A door that is the only way to more than a side room must not stay a secret: a lake may have
    // made a loop's door such a way.
    let mut links = vec![0_u32; sizes.len()];
    for &door in &hidden {
        for label in beside(grid, &labels, door) {
            links[label as usize] += 1;
        }
    }
    let mut vital = vec![false; sizes.len()];
    for cell in draft.strongrooms.iter().map(|room| room.front).chain([draft.up, draft.down]) {
        vital[labels[cell] as usize] = true;
    }
    let side_room = |label: u32| {
        let label = label as usize;
        links[label] == 1 && !vital[label] && sizes[label] <= HIDDEN_CELLS_MAX
    };
    for &door in &hidden {
        let [a, b] = beside(grid, &labels, door);
        let (root_a, root_b) = (root(&mut parents, a), root(&mut parents, b));
        if root_a != root_b && !side_room(a) && !side_room(b) {
            parents[root_a as usize] = root_b;
            grid.cells[door] = Terrain::Door;
        }
    }
}

/// The labels of the open cells on both sides of a hidden door.
fn beside(grid: &Grid, labels: &[u32], door: usize) -> [u32; 2] {
    let [north, east, south, west] = grid.sides(door).map(|n| labels[n]);
    if north == UNREACHED { [east, west] } else { [north, south] }
}

fn root(parents: &mut [u32], mut label: u32) -> u32 {
    while parents[label as usize] != label {
        let above = parents[parents[label as usize] as usize];
        parents[label as usize] = above;
        label = above;
    }
    label
}

/// Sets altars in a vault and finds a place for its key among the cells that can be walked to;
/// `None` if there is none.
pub(super) fn furnish_vault(
    grid: &mut Grid,
    room: &Strongroom,
    walk: &[usize],
    taken: &[Vault],
    rng: &mut Rng,
) -> Option<Vault> {
    let (low, high) = super::bounds(grid, &room.cells);
    let inner = (0..4).map(|heading| grid.toward(room.door, heading));
    let entry: Vec<usize> = inner.filter(|cell| room.cells.contains(cell)).collect();
    // Along the walls, never on the cell behind the door, so that one can walk among them.
    let mut places: Vec<usize> = room.cells.clone();
    places.retain(|&cell| {
        let (x, y) = grid.spot(cell);
        let corner = x == low.0 || x == high.0 || y == low.1 || y == high.1;
        corner && !entry.contains(&cell) && (x + y - low.0 - low.1) % 2 == 0
    });
    let wanted = rng.between(2, 5) as usize;
    let mut altars = Vec::new();
    while altars.len() < wanted && !places.is_empty() {
        altars.push(places.swap_remove(roll(rng, places.len())));
    }
    altars.sort_unstable();
    for &altar in &altars {
        grid.cells[altar] = Terrain::Altar;
    }
    let door = grid.spot(room.door);
    let is_free = |cell: usize| {
        matches!(grid.cells[cell], Terrain::Floor | Terrain::Carpet | Terrain::Grass)
            && grid.marks[cell] & SEALED == 0
            && taken.iter().all(|vault| vault.key != grid.pos(cell))
    };
    let drawn = (0..200).filter_map(|_| walk.get(roll(rng, walk.len())).copied());
    let places: Vec<usize> = drawn.filter(|&cell| is_free(cell)).take(KEY_PLACES).collect();
    let far = |cell: &usize| stairs::distance(grid, *cell, door);
    let key = places
        .into_iter()
        .max_by_key(far)
        .or_else(|| walk.iter().copied().find(|&cell| is_free(cell)))?;
    Some(Vault {
        door: grid.pos(room.door),
        interior: room.cells.iter().map(|&cell| grid.pos(cell)).collect(),
        altars: altars.iter().map(|&cell| grid.pos(cell)).collect(),
        key: grid.pos(key),
    })
}
