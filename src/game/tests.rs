//! The rules piece by piece: what zones are made of, chances, levels, lines.

use super::catalog::items::Category;
use super::catalog::{Kind, Terrain};
use super::generate::{ZoneSpec, generate};
use super::ledger;
use super::player::{LEVEL_MAX, xp_needed};
use super::state::{ZoneKind, ZoneState};
use crate::model::{Pos, ZoneId};

fn zone(seed: u64, depth: u8) -> ZoneState {
    generate(&ZoneSpec::floor(ZoneId(depth.into()), seed, depth, 96, 64))
}

#[test]
fn every_floor_is_furnished() {
    for seed in 1..4 {
        for depth in [1, 2, 5, 9, 14, 20, 26] {
            let state = zone(seed, depth);
            assert!(ledger::check(&state), "seed {seed} depth {depth}");
            assert!(state.derived.monsters >= 6, "seed {seed} depth {depth}");
            let of = |category: Category| {
                state.items.values().filter(|i| i.kind.row().category == category).count()
            };
            assert!(state.items.len() >= 6 && of(Category::Gold) >= 2);
            assert_eq!(of(Category::Key), state.vaults.len());
            assert_eq!(of(Category::Prize), usize::from(depth == 26));
            for vault in &state.vaults {
                assert_eq!(state.terrain[vault.door as usize], Terrain::LockedDoor);
                assert!(vault.altars.iter().all(|altar| state.items.contains_key(altar)));
                assert_eq!(state.items[&vault.key].opens, vault.door);
            }
            let up = state.cell(state.up);
            for actor in state.actors.iter().filter(|a| a.alive) {
                assert!(state.gap(actor.cell, up) > 8, "a monster beside the stairs");
            }
        }
    }
}

#[test]
fn the_same_specification_makes_the_same_zone() {
    let hash = |seed, depth| super::hash::hash(&zone(seed, depth));
    assert_eq!(hash(7, 3), hash(7, 3));
    assert_ne!(hash(7, 3), hash(8, 3));
    assert_ne!(hash(7, 3), hash(7, 4));
}

#[test]
fn arenas_are_empty_of_monsters() {
    let state = generate(&ZoneSpec::arena(ZoneId(100), 5));
    assert_eq!((state.kind, state.derived.monsters), (ZoneKind::Arena, 0));
    assert!(ledger::check(&state));
}

#[test]
fn levels_take_more_and_more_experience() {
    for level in 1..LEVEL_MAX {
        let step = xp_needed(level + 1) - xp_needed(level);
        assert!(step > xp_needed(level) - xp_needed(level - 1), "level {level}");
    }
    assert_eq!(xp_needed(1), 40);
}

#[test]
fn cells_around_come_nearest_first_and_stay_in_the_zone() {
    let state = zone(1, 1);
    for (pos, radius) in [((0, 0), 3), ((95, 63), 1), ((40, 30), 0), ((40, 62), 5), ((1, 9), 24)] {
        let centre = state.cell(Pos::new(pos.0, pos.1));
        let mut expected: Vec<(u16, u32)> = (0..state.area() as u32)
            .map(|cell| (state.gap(cell, centre), cell))
            .filter(|&(gap, _)| gap <= radius)
            .collect();
        expected.sort_unstable();
        let expected: Vec<u32> = expected.into_iter().map(|(_, cell)| cell).collect();
        assert_eq!(state.around(centre, radius).collect::<Vec<_>>(), expected, "{pos:?} {radius}");
    }
}

#[test]
fn a_line_is_straight_ends_where_it_should_and_mirrors() {
    let state = zone(1, 1);
    let cell = |x, y| state.cell(Pos::new(x, y));
    let line = state.line(cell(10, 10), cell(16, 13), 6);
    assert_eq!(line.len(), 6);
    assert_eq!(line.last(), Some(&cell(16, 13)));
    let on = state.line(cell(10, 10), cell(16, 13), 12);
    assert_eq!((on.len(), on[11]), (12, cell(22, 16)));
    let mirrored = state.line(cell(10, 30), cell(16, 27), 6);
    for (a, b) in line.iter().zip(&mirrored) {
        let (a, b) = (state.pos(*a), state.pos(*b));
        assert_eq!((a.x, a.y - 10), (b.x, 30 - b.y));
    }
    assert!(state.line(cell(10, 10), cell(10, 10), 5).is_empty());
}

#[test]
fn protection_lowers_the_chance_to_be_hit() {
    let state = zone(3, 12);
    let chances: Vec<i32> = (0..state.actors.len() as u16)
        .map(|slot| (state.row(slot).defence, state.chance_to_hit(100, slot)))
        .map(|(defence, chance)| chance + 45 * defence)
        .collect();
    assert!(chances.iter().all(|&c| (600..=1_100).contains(&c)), "{chances:?}");
    let slot = state.actors.iter().position(|a| a.alive).unwrap() as u16;
    assert!(state.chance_to_hit(50, slot) < state.chance_to_hit(150, slot));
    assert!(state.chance_to_hit(100_000, slot) <= 1_000);
}

#[test]
fn the_books_notice_a_missing_piece() {
    let mut state = zone(2, 2);
    let at = *state.items.keys().next().unwrap();
    state.items.remove(&at);
    assert!(!ledger::check(&state));
    let mut state = zone(2, 2);
    state.items.insert(at + 1, Kind::Gold.item(5));
    assert!(!ledger::check(&state));
}
