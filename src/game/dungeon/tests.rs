use super::catalogue::{ARENAS, CATALOGUE, OTHERS, SEEDS};
use super::grid::walkable;
use super::{FloorPlan, FloorSpec, RoomKind, arena, floor, plain};
use crate::game::catalog::Terrain;
use crate::game::catalog::terrain::flags::LOCKED;
use crate::game::rng::mix;
use crate::model::geometry::{Direction, Pos};
use std::collections::BTreeSet;
use std::fmt::Write;

fn spec(seed: u64, depth: u8, width: u16, height: u16) -> FloorSpec {
    FloorSpec { seed, depth, width, height, is_last: depth == 26 }
}

/// What shares its glyph with another kind has its own in a picture.
static OWN: [(Terrain, char); 10] = [
    (Terrain::Granite, ' '),
    (Terrain::SecretDoor, 's'),
    (Terrain::LockedDoor, 'L'),
    (Terrain::Torch, '!'),
    (Terrain::Mud, 'm'),
    (Terrain::Lava, 'V'),
    (Terrain::ShallowWater, '-'),
    (Terrain::Fungus, 'f'),
    (Terrain::DeadGrass, '\''),
    (Terrain::Carpet, 'c'),
];

fn ascii(plan: &FloorPlan) -> String {
    let rows = plan.terrain.chunks(usize::from(plan.width));
    let mut text = String::new();
    for row in rows {
        for &terrain in row {
            let own = OWN.iter().find(|&&(kind, _)| kind == terrain);
            text.push(own.map_or(terrain.row().glyph, |&(_, glyph)| glyph));
        }
        text.push('\n');
    }
    text
}

fn hash(plan: &FloorPlan) -> u64 {
    let mut hash = mix(u64::from(plan.width) << 16 | u64::from(plan.height));
    let mut take = |number: u64| hash = mix(hash ^ number.wrapping_add(1));
    plan.terrain.iter().for_each(|&terrain| take(terrain as u64));
    let mut pos = |pos: Pos| take(u64::from(pos.x) << 16 | u64::from(pos.y));
    pos(plan.up);
    pos(plan.down);
    for vault in &plan.vaults {
        pos(vault.door);
        pos(vault.key);
        vault.altars.iter().chain(&vault.interior).for_each(|&cell| pos(cell));
    }
    for room in &plan.rooms {
        [room.centre, room.low, room.high].into_iter().for_each(&mut pos);
        pos(Pos::new(room.kind as u16, u16::from(room.hidden)));
    }
    hash
}

/// The cells that are reached in orthogonal steps. Stairs are entered but not crossed: whoever
/// steps on them has left.
fn reach(plan: &FloorPlan, passes: impl Fn(Terrain) -> bool) -> Vec<bool> {
    let mut reached = vec![false; plan.terrain.len()];
    let mut queue = vec![plan.up];
    reached[plan.up.index(plan.width)] = true;
    while let Some(at) = queue.pop() {
        for direction in Direction::ALL.into_iter().filter(|d| !d.is_diagonal()) {
            let Some(next) = at.step(direction, plan.width, plan.height) else { continue };
            let index = next.index(plan.width);
            if !reached[index] && passes(plan.terrain[index]) {
                reached[index] = true;
                if plan.terrain[index] != Terrain::StairsDown {
                    queue.push(next);
                }
            }
        }
    }
    reached
}

fn at(plan: &FloorPlan, pos: Pos) -> Terrain {
    plan.terrain[pos.index(plan.width)]
}

/// Everything that a floor promises.
fn check(plan: &FloorPlan, what: &str) {
    let fail = |why: &str, pos: Pos| -> ! {
        panic!("{what}: {why} at {},{}\n{}", pos.x, pos.y, ascii(plan))
    };
    assert_eq!(plan.terrain.len(), usize::from(plan.width) * usize::from(plan.height), "{what}");
    let interior: BTreeSet<Pos> = plan.vaults.iter().flat_map(|v| v.interior.clone()).collect();
    let walk = reach(plan, walkable);
    let search = reach(plan, |t| walkable(t) || t == Terrain::SecretDoor);
    let reached = |pos: Pos| walk[pos.index(plan.width)];
    for (index, &terrain) in plan.terrain.iter().enumerate() {
        let pos = Pos::from_index(index, plan.width);
        let border =
            pos.x == 0 || pos.y == 0 || pos.x + 1 == plan.width || pos.y + 1 == plan.height;
        if border && terrain != Terrain::Granite {
            fail("the border is not granite", pos);
        }
        if interior.contains(&pos) {
            if search[index] {
                fail("a vault is open", pos);
            }
        } else if walkable(terrain) && !search[index] {
            fail("a cell cannot be reached", pos);
        }
    }
    for pos in [plan.up, plan.down] {
        if !reached(pos) || !walkable(at(plan, pos)) {
            fail("no way", pos);
        }
    }
    check_hidden(plan, &walk, &search, what);
    check_vaults(plan, &interior, &walk, what);
    for room in &plan.rooms {
        let inside = (room.low.x..=room.high.x).contains(&room.centre.x)
            && (room.low.y..=room.high.y).contains(&room.centre.y);
        if !inside || !walkable(at(plan, room.centre)) || reached(room.centre) == room.hidden {
            fail("a room's centre is wrong", room.centre);
        }
    }
    assert!(!plan.rooms.is_empty(), "{what}: no rooms");
}

/// Places behind a secret door are small and hold nothing that a visitor must reach.
fn check_hidden(plan: &FloorPlan, walk: &[bool], search: &[bool], what: &str) {
    let mut seen = vec![false; walk.len()];
    let hidden = |index: usize| search[index] && !walk[index] && walkable(plan.terrain[index]);
    for start in 0..walk.len() {
        let mut queue = vec![start];
        let mut size = 0;
        while let Some(index) = queue.pop() {
            if seen[index] || !hidden(index) {
                continue;
            }
            seen[index] = true;
            size += 1;
            let width = usize::from(plan.width);
            queue.extend([index - width, index + 1, index + width, index - 1]);
        }
        assert!(size <= 90, "{what}: {size} cells need a secret door\n{}", ascii(plan));
    }
}

fn check_vaults(plan: &FloorPlan, interior: &BTreeSet<Pos>, walk: &[bool], what: &str) {
    let doors: Vec<Pos> = (0..plan.terrain.len())
        .filter(|&index| plan.terrain[index].has(LOCKED))
        .map(|index| Pos::from_index(index, plan.width))
        .collect();
    assert_eq!(doors.len(), plan.vaults.len(), "{what}");
    let keys: BTreeSet<Pos> = plan.vaults.iter().map(|vault| vault.key).collect();
    assert_eq!(keys.len(), plan.vaults.len(), "{what}: two keys in one place");
    for vault in &plan.vaults {
        assert!(doors.contains(&vault.door), "{what}: {vault:?}");
        assert!((2..=5).contains(&vault.altars.len()), "{what}: {vault:?}");
        assert!(walk[vault.key.index(plan.width)], "{what}: the key is out of reach: {vault:?}");
        assert!(!interior.contains(&vault.key), "{what}: {vault:?}");
        for altar in &vault.altars {
            assert!(vault.interior.contains(altar) && at(plan, *altar) == Terrain::Altar);
        }
        let beside: Vec<Pos> = Direction::ALL
            .into_iter()
            .filter(|d| !d.is_diagonal())
            .filter_map(|d| vault.door.step(d, plan.width, plan.height))
            .collect();
        let inside = beside.iter().any(|pos| vault.interior.contains(pos));
        let outside = beside.iter().any(|pos| walk[pos.index(plan.width)]);
        assert!(inside && outside, "{what}: the door leads nowhere: {vault:?}");
        for &cell in &vault.interior {
            assert!(walkable(at(plan, cell)), "{what}: {vault:?}");
            for direction in Direction::ALL {
                let near = cell.step(direction, plan.width, plan.height).unwrap();
                let closed = vault.interior.contains(&near)
                    || near == vault.door
                    || at(plan, near) == Terrain::Granite;
                assert!(closed, "{what}: the vault's wall is breached at {near:?}");
            }
        }
    }
}

#[test]
fn floors_for_play_keep_their_promises() {
    for seed in 0..10 {
        for depth in 1..=26 {
            let plan = floor(spec(seed, depth, 96, 64));
            check(&plan, &format!("seed {seed} depth {depth}"));
            let down = if depth == 26 { Terrain::Altar } else { Terrain::StairsDown };
            assert_eq!((at(&plan, plan.up), at(&plan, plan.down)), (Terrain::StairsUp, down));
        }
    }
}

#[test]
fn floors_of_every_size_keep_their_promises() {
    let sizes = [(32, 32), (33, 47), (32, 128), (200, 32), (64, 64), (150, 90), (256, 256)];
    for (seed, (width, height)) in (100..108).flat_map(|seed| sizes.map(|size| (seed, size))) {
        let depth = (seed * 7 + u64::from(width)) % 26 + 1;
        let plan = floor(spec(seed, depth as u8, width, height));
        assert_eq!((plan.width, plan.height), (width, height));
        check(&plan, &format!("seed {seed} depth {depth}, {width} by {height}"));
    }
}

#[test]
fn the_largest_floor_keeps_its_promises() {
    let plan = floor(spec(9, 14, 1_024, 1_024));
    check(&plan, "the largest floor");
    assert!(plan.rooms.len() > 3_000, "{} rooms", plan.rooms.len());
    assert!(plan.vaults.len() > 50, "{} vaults", plan.vaults.len());
}

#[test]
fn the_hall_that_stands_in_keeps_its_promises() {
    for (width, height) in [(32, 32), (37, 90), (1_024, 64)] {
        for depth in [1, 26] {
            for pillars in [true, false] {
                let plan = plain::hall(&spec(0, depth, width, height), pillars);
                check(&plan, "the plain hall");
            }
        }
    }
}

#[test]
fn a_draw_hardly_ever_fails() {
    let stood_in = (0..300).filter(|&seed| {
        let spec = spec(seed, (seed % 26 + 1) as u8, 32, 32);
        floor(spec) == plain::hall(&spec, true)
    });
    assert_eq!(stood_in.count(), 0);
}

#[test]
fn the_same_specification_gives_the_same_floor_and_another_seed_another() {
    let plan = floor(spec(3, 9, 96, 64));
    assert_eq!(plan, floor(spec(3, 9, 96, 64)));
    assert_ne!(plan.terrain, floor(spec(4, 9, 96, 64)).terrain);
    assert_ne!(plan.terrain, floor(spec(3, 10, 96, 64)).terrain);
    assert_eq!(arena(3, 64, 64), arena(3, 64, 64));
    assert_ne!(arena(3, 64, 64), arena(4, 64, 64));
}

#[test]
fn sides_and_depths_are_brought_into_range() {
    let plan = floor(spec(1, 0, 3, 9_999));
    assert_eq!((plan.width, plan.height), (32, 1_024));
    assert_eq!(plan, floor(spec(1, 1, 32, 1_024)));
}

#[test]
fn depth_shows() {
    let count = |depth: u8, kinds: &[Terrain]| {
        let cells = (0..12).flat_map(|seed| floor(spec(seed, depth, 96, 64)).terrain);
        cells.filter(|terrain| kinds.contains(terrain)).count()
    };
    let caves = |depth: u8| {
        let rooms = (0..12).flat_map(|seed| floor(spec(seed, depth, 96, 64)).rooms);
        rooms.filter(|room| room.kind == RoomKind::Cave).count()
    };
    assert_eq!(count(5, &[Terrain::Lava]), 0);
    assert!(count(20, &[Terrain::Lava]) > 200);
    assert!(count(9, &[Terrain::Mud]) > 200);
    assert_eq!(count(20, &[Terrain::Mud]), 0);
    assert_eq!(count(1, &[Terrain::SecretDoor]), 0);
    assert!(count(15, &[Terrain::SecretDoor]) > 10);
    assert!(count(3, &[Terrain::Grass]) > 2 * count(16, &[Terrain::Grass]));
    assert!(count(16, &[Terrain::Fungus]) > 200);
    assert!(count(6, &[Terrain::Bridge, Terrain::StoneBridge]) > 10);
    assert!(caves(20) > caves(2));
}

#[test]
fn an_arena_is_the_same_from_both_entries() {
    for seed in 0..20 {
        for (width, height) in [(32, 32), (48, 32), (65, 41), (256, 128)] {
            let plan = arena(seed, width, height);
            check(&plan, &format!("arena {seed}, {width} by {height}"));
            assert!(plan.terrain.iter().eq(plan.terrain.iter().rev()));
            assert_eq!(plan.up.x + plan.down.x, width - 1);
            assert_eq!(plan.up.y + plan.down.y, height - 1);
            assert_eq!([at(&plan, plan.up), at(&plan, plan.down)], [Terrain::ArenaSand; 2]);
        }
    }
}

/// What changed in a table of pinned floors, and the table as it would be now.
#[derive(Default)]
struct Comparison {
    table: String,
    changed: Vec<String>,
    first: Option<FloorPlan>,
}

impl Comparison {
    fn take(&mut self, plan: FloorPlan, pinned: u64, what: String) -> u64 {
        let hash = hash(&plan);
        if hash != pinned {
            self.changed.push(what);
            self.first.get_or_insert(plan);
        }
        hash
    }

    fn finish(self) {
        if let Some(plan) = self.first {
            let (changed, picture, table) = (self.changed.join("\n"), ascii(&plan), self.table);
            panic!("changed:\n{changed}\nthe first is now\n{picture}\nThe table is now\n{table}");
        }
    }
}

#[test]
fn pinned_floors_have_not_changed() {
    let mut comparison = Comparison::default();
    for (row, depth) in CATALOGUE.iter().zip(1..) {
        let hashes = [0, 1, 2].map(|column| {
            let plan = floor(spec(SEEDS[column], depth, 96, 64));
            let what = format!("seed {} depth {depth}", SEEDS[column]);
            format!("{:#018x}", comparison.take(plan, row[column], what))
        });
        writeln!(comparison.table, "    [{}],", hashes.join(", ")).unwrap();
    }
    comparison.finish();
}

#[test]
fn pinned_sizes_and_arenas_have_not_changed() {
    let mut comparison = Comparison::default();
    for &(seed, depth, width, height, pinned) in &OTHERS {
        let plan = floor(spec(seed, depth, width, height));
        let key = format!("{seed}, {depth}, {width}, {height}");
        let hash = comparison.take(plan, pinned, format!("floor {key}"));
        writeln!(comparison.table, "    ({key}, {hash:#018x}),").unwrap();
    }
    for &(seed, width, height, pinned) in &ARENAS {
        let key = format!("{seed}, {width}, {height}");
        let hash = comparison.take(arena(seed, width, height), pinned, format!("arena {key}"));
        writeln!(comparison.table, "    ({key}, {hash:#018x}),").unwrap();
    }
    comparison.finish();
}
