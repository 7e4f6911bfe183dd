//! Makes a zone: its floor plan, who lives there, and what lies about.

use super::catalog::items::{Category, Kind};
use super::catalog::monsters::{MONSTERS, Monster, flags as is};
use super::catalog::terrain::flags;
use super::catalog::{Terrain, arenas};
use super::derive;
use super::dungeon::{self, FloorPlan, FloorSpec};
use super::item::Item;
use super::items as loot;
use super::rng::{Rng, mix};
use super::state::{GASES, Mode, VaultState, ZoneKind, ZoneState};
use super::turn::Turn;
use crate::model::limits::{ACTORS_MAX, FLOORS};
use crate::model::{Direction, Pos, Tick, ZoneId};

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneSpec {
    pub zone: ZoneId,
    pub world_seed: u64,
    /// 1 to 26; arenas have the depth that their loot would have.
    pub depth: u8,
    /// Sides in cells, 32 to 1024.
    pub width: u16,
    pub height: u16,
    pub kind: ZoneKind,
    /// So many monsters, all of them awake, in place of the usual inhabitants: for benchmarks.
    pub monsters: Option<u32>,
}

/// Sides of an arena, in cells.
const ARENA_SIDES: (u16, u16) = (48, 40);
/// The depth that the loot of arenas has.
const ARENA_DEPTH: u8 = 5;

impl ZoneSpec {
    /// A floor of the dungeon.
    #[must_use]
    pub const fn floor(zone: ZoneId, world_seed: u64, depth: u8, width: u16, height: u16) -> Self {
        Self { zone, world_seed, depth, width, height, kind: ZoneKind::Floor, monsters: None }
    }

    /// An arena, where players fight each other.
    #[must_use]
    pub const fn arena(zone: ZoneId, world_seed: u64) -> Self {
        let (width, height) = ARENA_SIDES;
        let kind = ZoneKind::Arena;
        Self { zone, world_seed, depth: ARENA_DEPTH, width, height, kind, monsters: None }
    }
}

/// Cells kept free of monsters around the stairs up, in king's moves.
const QUIET_RADIUS: u16 = 14;

/// Makes a zone at its tick 0. The same specification makes the same zone.
#[must_use]
pub fn generate(spec: &ZoneSpec) -> ZoneState {
    let seed = mix(spec.world_seed ^ u64::from(spec.zone.0).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let plan = match spec.kind {
        ZoneKind::Floor => dungeon::floor(FloorSpec {
            seed,
            depth: spec.depth,
            width: spec.width,
            height: spec.height,
            is_last: u32::from(spec.depth) >= FLOORS,
        }),
        ZoneKind::Arena => dungeon::arena(seed, spec.width, spec.height),
        ZoneKind::Hall => dungeon::hall(spec.width, spec.height),
    };
    let mut state = bare(spec, seed, &plan);
    open_gates(&mut state);
    derive::derive(&mut state);
    let mut rng = Rng::new(seed, 0, 0x6f70_756c_6174_6521);
    let mut turn = Turn { state: &mut state, events: &mut Vec::new() };
    if spec.kind == ZoneKind::Floor {
        lay_out(&mut turn, &plan, &mut rng);
    }
    match spec.monsters {
        Some(count) => crowd(&mut turn, count, &mut rng),
        None if spec.kind == ZoneKind::Floor => populate(&mut turn, &plan, &mut rng),
        None => {}
    }
    state.derived.changed.fill(0);
    state
}

fn bare(spec: &ZoneSpec, seed: u64, plan: &FloorPlan) -> ZoneState {
    let area = plan.terrain.len();
    let cell = |pos: Pos| pos.index(plan.width) as u32;
    let vaults = plan.vaults.iter().map(|vault| VaultState {
        door: cell(vault.door),
        key: cell(vault.key),
        altars: vault.altars.iter().map(|&altar| cell(altar)).collect(),
    });
    ZoneState {
        zone: spec.zone,
        kind: spec.kind,
        seed,
        world_seed: spec.world_seed,
        depth: spec.depth,
        width: plan.width,
        height: plan.height,
        tick: Tick(0),
        up: plan.up,
        down: plan.down,
        terrain: plan.terrain.clone(),
        gas: [const { Vec::new() }; GASES].map(|_: Vec<u8>| vec![0; area]),
        fire: vec![0; area],
        scent: vec![0; area],
        items: Default::default(),
        actors: Vec::new(),
        players: Default::default(),
        departures: Vec::new(),
        arrivals: Default::default(),
        ledger: Default::default(),
        matches: Vec::new(),
        bouts: Vec::new(),
        noises: Vec::new(),
        vaults: vaults.collect(),
        remembered: Vec::new(),
        maps: Default::default(),
        derived: Default::default(),
    }
}

/// The gate of a floor stands so far from its stairs up, in king's moves.
const GATE_GAP: (u16, u16) = (3, 24);

/// Makes the gates between floors and arenas: both entries of an arena, and a cell near the stairs
/// up of a floor that has one, with open ground all around.
fn open_gates(state: &mut ZoneState) {
    let gates = match state.kind {
        ZoneKind::Arena => vec![state.up, state.down],
        ZoneKind::Floor if arenas::behind(state.depth).is_some() => {
            let is_plain = |pos: Pos| state.terrain[pos.index(state.width)] == Terrain::Floor;
            let is_open = |pos: &Pos| {
                let step = |d: &Direction| pos.step(*d, state.width, state.height);
                is_plain(*pos) && Direction::ALL.iter().all(|d| step(d).is_some_and(is_plain))
            };
            let gap = |pos: &Pos| pos.chebyshev(state.up);
            let cells = (0..state.area()).map(|cell| Pos::from_index(cell, state.width));
            let near = cells.filter(|pos| (GATE_GAP.0..=GATE_GAP.1).contains(&gap(pos)));
            near.filter(is_open).min_by_key(|pos| (gap(pos), *pos)).into_iter().collect()
        }
        ZoneKind::Floor | ZoneKind::Hall => Vec::new(),
    };
    for gate in gates {
        state.terrain[gate.index(state.width)] = Terrain::ArenaGate;
    }
}

/// Makes an item and lays it down.
fn put(turn: &mut Turn<'_>, cell: u32, item: Item) {
    turn.state.ledger.make(&item);
    turn.drop_item(cell, item);
}

fn lay_out(turn: &mut Turn<'_>, plan: &FloorPlan, rng: &mut Rng) {
    let depth = turn.state.depth;
    let floor = open_cells(turn.state);
    // A floor larger than usual has more to find.
    let shares = (turn.state.area() / (96 * 64)).clamp(1, 16);
    for _ in 0..shares {
        for item in loot::floor_loot(rng, depth) {
            // The prize lies on the altar of the last floor, once.
            if item.kind.row().category != Category::Prize
                && let Some(&cell) = rng.pick(&floor)
            {
                put(turn, cell, item);
            }
        }
    }
    for vault in turn.state.vaults.clone() {
        let treasures = loot::vault_treasure(rng, depth, vault.altars.len());
        for (&altar, item) in vault.altars.iter().zip(treasures) {
            put(turn, altar, item);
        }
        put(turn, vault.key, Item { opens: vault.door, ..Kind::VaultKey.item(1) });
    }
    if u32::from(depth) >= FLOORS {
        let altar = turn.state.cell(plan.down);
        put(turn, altar, Kind::Heart.item(1));
    }
}

/// Cells that walkers can stand on, outside vaults.
fn open_cells(state: &ZoneState) -> Vec<u32> {
    let avoid = flags::STAIRS | flags::TRAP | flags::CLOSES | flags::BLOCKS_SIGHT;
    (0..state.area() as u32)
        .filter(|&cell| {
            state.derived.walk[cell as usize] != 0
                && !state.terrain_has(cell, avoid)
                && !state.vaults.iter().any(|v| v.altars.iter().any(|&a| state.gap(a, cell) < 4))
        })
        .collect()
}

fn populate(turn: &mut Turn<'_>, plan: &FloorPlan, rng: &mut Rng) {
    let area = turn.state.area() as u32;
    let up = turn.state.cell(plan.up);
    let count = area / 680 + u32::from(turn.state.depth) / 3;
    let cells = open_cells(turn.state);
    let far: Vec<u32> =
        cells.into_iter().filter(|&cell| turn.state.gap(up, cell) > QUIET_RADIUS).collect();
    for _ in 0..count {
        let Some(kind) = choose(rng, turn.state.depth) else { return };
        let Some(cell) = home(turn.state, kind, &far, rng) else { continue };
        let mode = if rng.chance(60) { Mode::Asleep } else { Mode::Wandering };
        band(turn, kind, cell, mode, rng);
    }
}

/// A weighted choice among the monsters of a depth; now and then of one a little deeper.
pub(super) fn choose(rng: &mut Rng, depth: u8) -> Option<Monster> {
    let depth = if rng.chance(5) { (depth + 3).min(FLOORS as u8) } else { depth };
    let weight = |kind: Monster| {
        let row = &MONSTERS[kind as usize];
        if (row.depths.0..=row.depths.1).contains(&depth) { row.frequency } else { 0 }
    };
    let total: u32 = Monster::ALL.iter().map(|&kind| weight(kind)).sum();
    let mut draw = rng.below(total);
    Monster::ALL.iter().copied().find(|&kind| {
        let weight = weight(kind);
        let chosen = draw < weight;
        draw = draw.wrapping_sub(weight);
        chosen
    })
}

/// A place for a monster among `cells`, or in its own element.
fn home(state: &ZoneState, kind: Monster, cells: &[u32], rng: &mut Rng) -> Option<u32> {
    let row = &MONSTERS[kind as usize];
    let element = if row.has(is::SWIMS) {
        flags::DEEP_WATER
    } else if row.has(is::BOG) {
        flags::METHANE_SOURCE
    } else {
        return rng.pick(cells).copied();
    };
    let own: Vec<u32> =
        (0..state.area() as u32).filter(|&cell| state.terrain_has(cell, element)).collect();
    rng.pick(&own).copied()
}

/// Makes a band somewhere at least `gap` cells from every player.
pub fn stray(turn: &mut Turn<'_>, gap: u16, mode: Mode, rng: &mut Rng) {
    let Some(kind) = choose(rng, turn.state.depth) else { return };
    for _ in 0..20 {
        let cell = rng.below(turn.state.area() as u32);
        let element = if MONSTERS[kind as usize].has(is::SWIMS) {
            turn.state.terrain_has(cell, flags::DEEP_WATER)
        } else {
            turn.state.derived.walk[cell as usize] != 0
                && turn.state.maps.hunt.get(cell as usize).is_none_or(|&d| d != u16::MAX)
        };
        let near =
            turn.state.bodies().any(|slot| turn.state.gap(turn.state.actor(slot).cell, cell) < gap);
        if element && !near {
            band(turn, kind, cell, mode, rng);
            return;
        }
    }
}

/// Makes a monster, and the rest of its band if it has one.
pub(super) fn band(turn: &mut Turn<'_>, kind: Monster, cell: u32, mode: Mode, rng: &mut Rng) {
    let row = &MONSTERS[kind as usize];
    let Some(leader) = turn.spawn_monster(kind as u8, cell, mode) else { return };
    if rng.chance(12) && !row.has(is::INANIMATE | is::CALLED | is::STEALS) || row.has(is::AMBUSHES)
    {
        let item = loot::monster_loot(rng, turn.state.depth);
        if let Some(item) = item {
            turn.state.ledger.make(&item);
            turn.state.actor_mut(leader).carried = Some(item);
        }
    }
    if !row.has(is::PACK) {
        return;
    }
    // A band of one glyph: goblins of all trades, or beasts of one kind.
    let kin: Vec<Monster> = Monster::ALL
        .iter()
        .copied()
        .filter(|&k| {
            let other = &MONSTERS[k as usize];
            other.has(is::PACK)
                && other.glyph == row.glyph
                && (k == kind || other.depths.0 <= turn.state.depth)
        })
        .collect();
    for _ in 0..rng.between(1, 3) {
        let Some(&other) = rng.pick(&kin) else { return };
        let Some(at) = turn.state.free_cell_for(other as u8, cell, 3) else { return };
        if let Some(slot) = turn.spawn_monster(other as u8, at, mode) {
            turn.state.actor_mut(slot).leader = leader;
        }
    }
}

/// Fills the floor with wide-awake monsters.
fn crowd(turn: &mut Turn<'_>, count: u32, rng: &mut Rng) {
    let cells = open_cells(turn.state);
    let mut made = 0;
    for _ in 0..count.min(ACTORS_MAX as u32) * 8 {
        if made == count {
            return;
        }
        let kind = match turn.state.kind {
            ZoneKind::Hall => Some(Monster::Moth),
            ZoneKind::Floor | ZoneKind::Arena => choose(rng, turn.state.depth),
        };
        let Some(kind) = kind else { return };
        let Some(cell) = home(turn.state, kind, &cells, rng) else { continue };
        made += u32::from(turn.spawn_monster(kind as u8, cell, Mode::Wandering).is_some());
    }
}
