//! Weapons, armour, missiles, and the treasure of a vault.

use super::{Scene, magic};
use crate::game::catalog::Note;
use crate::game::catalog::items::Kind;
use crate::game::catalog::monsters::Monster;
use crate::game::item::Item;
use crate::game::items::{Outcome, armor_of, armor_shown, armor_used, attack_of, weapon_used};
use crate::game::state::{Mode, VaultState};
use crate::model::Pos;

#[test]
fn gear_counts_and_becomes_familiar() {
    let mut scene = Scene::new();
    let plain = attack_of(scene.sheet());
    let cursed = Item { enchant: -2, identified: false, charge: 2, ..Kind::Sword.item(1) };
    let sword = scene.give(cursed);
    scene.equipped(sword);
    assert!(scene.said(Note::FeelsMalevolent) && scene.said(Note::TooHeavy));
    let armed = attack_of(scene.sheet());
    assert!(armed.damage > plain.damage && armed.accuracy < plain.accuracy);
    let slot = scene.slot;
    for _ in 0..2 {
        assert!(!scene.sheet().items[&sword].identified);
        weapon_used(&mut scene.turn(), slot);
    }
    assert!(scene.sheet().items[&sword].identified && scene.said(Note::LearnsEnchant));
    let mail = Item { enchant: 3, identified: false, charge: 1, ..Kind::Leather.item(1) };
    let mail = scene.give(mail);
    scene.equipped(mail);
    let shown = armor_shown(scene.sheet());
    assert_eq!(armor_of(scene.sheet()), shown + 30);
    armor_used(&mut scene.turn(), slot);
    assert_eq!(armor_of(scene.sheet()), armor_shown(scene.sheet()));
}

#[test]
fn darts_hit_sleepers_hard_and_pass_friends() {
    let mut scene = Scene::new();
    let friend = scene.player(2, Pos::new(12, 10));
    let foe = scene.monster(Monster::Ogre, Pos::new(15, 10), Mode::Asleep);
    let inv = scene.give(Kind::Dart.item(12));
    let (hurt, friendly) = (scene.hp(foe), scene.hp(friend));
    scene.thrown(inv, 15, 10);
    assert!(hurt - scene.hp(foe) >= 6 && scene.hp(friend) == friendly);
    assert_eq!(scene.sheet().items[&inv].count, 11);
    let lying: Vec<&Item> = scene.state.items.values().collect();
    assert_eq!(lying, [&Kind::Dart.item(1)]);
}

#[test]
fn one_treasure_of_a_vault_is_all_one_gets() {
    let mut scene = Scene::new();
    let altars: Vec<u32> =
        [(10, 10), (12, 10), (14, 10)].map(|(x, y)| scene.state.cell(Pos::new(x, y))).into();
    for (&altar, kind) in altars.iter().zip([Kind::FireStaff, Kind::Plate, Kind::FearCharm]) {
        scene.state.items.insert(altar, magic(kind));
        scene.state.ledger.items_made += 1;
    }
    scene.state.vaults.push(VaultState { door: 1, key: 2, altars });
    assert_ne!(scene.picked_up(), Outcome::Refused);
    assert!(scene.said(Note::OpensCage));
    assert!(scene.state.items.is_empty() && scene.state.vaults.is_empty());
    assert_eq!(scene.state.ledger.items_used, 2);
}
