//! Where items come from: floors, vaults, monsters and the pack one sets out with.

use std::collections::BTreeMap;

use super::inventory::{blows_to_know, staff_power};

use crate::game::catalog::items::{Category, Kind, flags};
use crate::game::item::Item;
use crate::game::rng::Rng;

/// How often each category is found among the items that nothing guarantees.
const SHARES: [(Category, u32); 6] = [
    (Category::Potion, 38),
    (Category::Scroll, 30),
    (Category::Weapon, 14),
    (Category::Armor, 10),
    (Category::Staff, 5),
    (Category::Charm, 3),
];

/// What every `every`-th floor holds for sure, counted from floor `first`: (kind, pieces, first,
/// every). So a party that searches everything is never left without.
const GUARANTEED: [(Kind, u32, u8, u8); 8] = [
    (Kind::Enchanting, 1, 1, 1),
    (Kind::Enchanting, 1, 1, 1),
    (Kind::Enchanting, 1, 2, 3),
    (Kind::Healing, 1, 1, 1),
    (Kind::Healing, 1, 2, 2),
    (Kind::Strength, 1, 3, 3),
    (Kind::Life, 1, 4, 4),
    (Kind::Identify, 1, 1, 2),
];

/// Further items of a floor, and heaps of gold.
const ITEMS_PER_FLOOR: (i32, i32) = (6, 9);
const HEAPS_PER_FLOOR: (i32, i32) = (3, 5);

/// Everything that lies about on a floor, in no order. Whoever lays it down enters it in the
/// ledger.
#[must_use]
pub fn floor_loot(rng: &mut Rng, depth: u8) -> Vec<Item> {
    let mut loot: Vec<Item> = GUARANTEED
        .iter()
        .filter(|(_, _, first, every)| depth >= *first && (depth - first).is_multiple_of(*every))
        .map(|&(kind, pieces, ..)| kind.item(pieces))
        .collect();
    let (least, most) = ITEMS_PER_FLOOR;
    // The first floors help newcomers along.
    let welcome = if depth <= 2 { 2 } else { 0 };
    for _ in 0..rng.between(least, most) + welcome {
        loot.extend(random(rng, depth));
    }
    for _ in 0..rng.between(HEAPS_PER_FLOOR.0, HEAPS_PER_FLOOR.1) {
        loot.push(gold(rng, depth));
    }
    if depth == 26 {
        loot.push(Kind::Heart.item(1));
    }
    loot
}

/// What a monster of a floor carries, if anything.
#[must_use]
pub fn monster_loot(rng: &mut Rng, depth: u8) -> Option<Item> {
    if rng.chance(40) { Some(gold(rng, depth)) } else { random(rng, depth) }
}

/// `count` treasures of different kinds to choose one from, unenchanted by malice and known.
#[must_use]
pub fn vault_treasure(rng: &mut Rng, depth: u8, count: usize) -> Vec<Item> {
    let mut choices: Vec<Kind> = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| {
            let row = kind.kind().row();
            let heavy = row.is_gear() && !row.has(flags::THROWN) && row.depths.0 >= 2;
            row.frequency > 0 && (row.has(flags::TREASURE) || heavy)
        })
        .collect();
    let mut treasure = Vec::new();
    while treasure.len() < count && !choices.is_empty() {
        let at = rng.below(u32::try_from(choices.len()).unwrap_or(u32::MAX)) as usize;
        let kind = choices.swap_remove(at);
        let mut item = make(rng, kind, depth);
        item.enchant = item.enchant.max(1) + i8::from(depth >= 8);
        item.identified = true;
        if kind.kind().row().category == Category::Staff {
            item.charge = staff_power(&item);
        } else {
            item.charge = 0;
        }
        treasure.push(item);
    }
    treasure
}

/// What a new character sets out with: the pack, and the slots of weapon and armour in use.
#[must_use]
pub fn starting_kit() -> (BTreeMap<u8, Item>, Option<u8>, Option<u8>) {
    let pack = [
        (0, Kind::Dagger.item(1)),
        (1, Kind::Leather.item(1)),
        (2, Kind::Dart.item(12)),
        (3, Kind::Healing.item(1)),
    ];
    (BTreeMap::from(pack), Some(0), Some(1))
}

/// A fresh item of a kind as it may be found on a floor.
#[must_use]
pub fn make(rng: &mut Rng, kind: Kind, depth: u8) -> Item {
    let row = kind.kind().row();
    let mut item = kind.item(1);
    match row.category {
        Category::Weapon if row.has(flags::THROWN) => {
            item.count = rng.between(3, 9).unsigned_abs();
        }
        Category::Weapon | Category::Armor => {
            // Four in ten are plain, of the others a third is cursed.
            let power = 1 + i8::from(rng.chance(30)) + i8::from(rng.chance(10 + u32::from(depth)));
            if rng.chance(60) {
                item.enchant = if rng.chance(33) { -power } else { power };
            }
            item.identified = false;
            item.charge = blows_to_know(row.gear);
        }
        Category::Staff => {
            item.enchant = 2 + i8::from(rng.chance(15)) + i8::from(rng.chance(u32::from(depth)));
            item.charge = staff_power(&item);
            item.identified = false;
        }
        Category::Charm => item.enchant = 1 + i8::from(rng.chance(10 + u32::from(depth))),
        Category::Gold | Category::Key | Category::Potion | Category::Scroll | Category::Prize => {}
    }
    item
}

fn gold(rng: &mut Rng, depth: u8) -> Item {
    let depth = i32::from(depth);
    Kind::Gold.item(rng.between(5 + 4 * depth, 20 + 12 * depth).unsigned_abs())
}

/// Any item that nothing guarantees: a category by its share, then a kind by its frequency.
fn random(rng: &mut Rng, depth: u8) -> Option<Item> {
    let category = weighted(rng, &SHARES)?;
    let kinds: Vec<(Kind, u32)> = Kind::ALL
        .iter()
        .map(|&kind| (kind, kind.kind().row()))
        .filter(|(_, row)| row.category == category)
        .filter(|(_, row)| (row.depths.0..=row.depths.1).contains(&depth))
        .map(|(kind, row)| (kind, u32::from(row.frequency)))
        .collect();
    let kind = weighted(rng, &kinds)?;
    Some(make(rng, kind, depth))
}

fn weighted<T: Copy>(rng: &mut Rng, choices: &[(T, u32)]) -> Option<T> {
    let total = choices.iter().map(|(_, weight)| weight).sum();
    let mut draw = rng.below(total);
    for &(choice, weight) in choices {
        if draw < weight {
            return Some(choice);
        }
        draw -= weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{floor_loot, monster_loot, starting_kit, vault_treasure};

    use crate::game::catalog::items::{Category, Gear, Kind};
    use crate::game::item::Item;
    use crate::game::rng::Rng;

    fn count(loot: &[Item], kind: Kind) -> u32 {
        loot.iter().filter(|item| item.kind == kind.kind()).map(|item| item.count).sum()
    }

    #[test]
    fn a_seed_gives_the_same_floor_again() {
        for depth in 1..=26 {
            let floor = |seed| floor_loot(&mut Rng::new(seed, 0, 0), depth);
            assert_eq!(floor(3), floor(3));
            assert_ne!(floor(3), floor(4));
        }
    }

    #[test]
    fn the_guarantees_hold_on_every_floor_and_every_kind_turns_up() {
        let mut found: BTreeMap<u8, u32> = BTreeMap::new();
        for seed in 0..60 {
            let mut totals = BTreeMap::new();
            for depth in 1..=26_u8 {
                let loot = floor_loot(&mut Rng::new(seed, 0, depth.into()), depth);
                assert!(count(&loot, Kind::Enchanting) >= 2 && count(&loot, Kind::Healing) >= 1);
                assert!(loot.len() < 30, "{}", loot.len());
                for item in &loot {
                    assert!(item.count > 0);
                    let row = item.kind.row();
                    assert!((row.depths.0..=row.depths.1).contains(&depth), "{}", row.name);
                    *found.entry(item.kind.0).or_default() += 1;
                    *totals.entry(item.kind.0).or_insert(0) += item.count;
                }
            }
            assert_eq!(totals[&Kind::Enchanting.kind().0], 26 + 26 + 9);
            assert_eq!(totals[&Kind::Healing.kind().0], 26 + 13);
            assert_eq!(totals[&Kind::Heart.kind().0], 1);
        }
        for &kind in Kind::ALL {
            let expected = kind != Kind::VaultKey;
            assert_eq!(found.contains_key(&kind.kind().0), expected, "{kind:?}");
        }
    }

    #[test]
    fn vaults_offer_different_good_things() {
        for seed in 0..200 {
            let treasure = vault_treasure(&mut Rng::new(seed, 0, 0), 5, 4);
            let kinds: BTreeSet<_> = treasure.iter().map(|item| item.kind).collect();
            assert_eq!((treasure.len(), kinds.len()), (4, 4));
            assert!(treasure.iter().all(|item| item.identified && item.enchant > 0));
        }
        assert!(vault_treasure(&mut Rng::new(1, 0, 0), 5, 1_000).len() < 60);
    }

    #[test]
    fn monsters_carry_gold_or_one_thing_and_newcomers_a_dagger() {
        let carried: Vec<Item> =
            (0..200).filter_map(|n| monster_loot(&mut Rng::new(n, 0, 0), 3)).collect();
        assert!(carried.len() > 190);
        assert!(count(&carried, Kind::Gold) > 0);
        let (pack, weapon, armor) = starting_kit();
        let row = |inv: Option<u8>| pack[&inv.unwrap()].kind.row();
        assert!(matches!(row(weapon).gear, Gear::Weapon { .. }));
        assert_eq!(row(armor).category, Category::Armor);
    }
}
