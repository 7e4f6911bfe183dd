//! What potions, scrolls, staffs and charms do.

use super::{SIDE, Scene, magic, staff};
use crate::game::catalog::items::{Kind, ROWS};
use crate::game::catalog::monsters::Monster;
use crate::game::catalog::{Effect, Gas, Note, Terrain};
use crate::game::item::ItemKind;
use crate::game::items::{Outcome, knows, rest_clocks, start_clocks, starting_kit, upkeep};
use crate::game::state::Mode;
use crate::model::limits::NO_ACTOR;
use crate::model::{CharacterId, Pos, Tick};

#[test]
fn potions_do_what_they_say() {
    let mut scene = Scene::new();
    let slot = scene.slot;
    for kind in [Kind::Healing, Kind::Life, Kind::Strength, Kind::Haste, Kind::Mending] {
        let inv = scene.give(kind.item(1));
        scene.used(inv);
    }
    assert_eq!((scene.hp(slot), scene.sheet().hp_max, scene.sheet().strength), (50, 50, 13));
    assert!(scene.has(slot, Effect::Hasted));
    assert_eq!(scene.gas(Gas::Healing), 700);
    let inv = scene.give(Kind::Paralysis.item(1));
    let near = scene.monster(Monster::Ogre, Pos::new(11, 11), Mode::Hunting);
    let far = scene.monster(Monster::Ogre, Pos::new(16, 11), Mode::Hunting);
    scene.used(inv);
    let stiff = [slot, near, far].map(|slot| scene.has(slot, Effect::Paralysed));
    assert_eq!(stiff, [true, true, false]);
}

#[test]
fn thrown_potions_work_where_they_break() {
    let mut scene = Scene::new();
    let friend = scene.player(2, Pos::new(14, 10));
    let inv = scene.give(Kind::Haste.item(2));
    scene.thrown(inv, 14, 11);
    assert!(scene.has(friend, Effect::Hasted) && !scene.has(scene.slot, Effect::Hasted));
    let inv = scene.give(Kind::Strength.item(1));
    scene.thrown(inv, 14, 10);
    assert_eq!(scene.state.players[&CharacterId(2)].sheet.strength, 13);
    let inv = scene.give(Kind::Healing.item(1));
    scene.thrown(inv, 14, 10);
    assert_eq!(scene.gas(Gas::Healing), 700);
    let inv = scene.give(Kind::Caustic.item(1));
    scene.thrown(inv, 15, 15);
    assert_eq!(scene.gas(Gas::Poison), 900);
    assert!(scene.state.gas[Gas::Poison as usize][Pos::new(15, 15).index(SIDE)] > 200);
    let inv = scene.give(Kind::Incineration.item(1));
    scene.thrown(inv, 5, 5);
    assert!(scene.state.fire[Pos::new(5, 5).index(SIDE)] > 0);
    let inv = scene.give(Kind::Telepathy.item(1));
    scene.thrown(inv, 5, 15);
    assert!(!knows(scene.sheet(), Kind::Telepathy.kind()), "nobody was there to tell");
}

#[test]
fn scrolls_do_what_they_say() {
    let mut scene = Scene::new();
    let slot = scene.slot;
    let foe = scene.monster(Monster::Ogre, Pos::new(13, 10), Mode::Hunting);
    let start = scene.state.actor(slot).cell;
    let read = |scene: &mut Scene, kind: Kind| {
        scene.next_tick();
        let inv = scene.give(kind.item(1));
        scene.used(inv);
    };
    read(&mut scene, Kind::Dread);
    read(&mut scene, Kind::Discord);
    assert!(scene.has(foe, Effect::Terrified) && scene.has(foe, Effect::Discordant));
    read(&mut scene, Kind::Protection);
    assert!(scene.has(slot, Effect::Shielded));
    read(&mut scene, Kind::Negation);
    assert!(!scene.has(foe, Effect::Terrified) && !scene.has(slot, Effect::Shielded));
    read(&mut scene, Kind::MagicMapping);
    let corner = u32::try_from(Pos::new(29, 29).index(SIDE)).unwrap();
    assert!(scene.state.derived.revealed.contains(&(CharacterId(1), corner)));
    let monsters = scene.state.derived.monsters;
    read(&mut scene, Kind::Summoning);
    assert!(scene.state.derived.monsters >= monsters + 2);
    read(&mut scene, Kind::Teleportation);
    let now = scene.state.actor(slot).cell;
    assert!(scene.state.gap(start, now) > 5 && scene.state.actor_at(now) == Some(slot));
    assert_eq!(scene.state.derived.occupant[start as usize], NO_ACTOR);
}

#[test]
fn shattering_and_tunneling_open_walls_but_not_the_rim() {
    let mut scene = Scene::new();
    let cell = |x, y| Pos::new(x, y).index(SIDE);
    let inv = scene.give(staff(Kind::TunnelStaff));
    scene.aimed(inv, 25, 10);
    assert_eq!(scene.state.terrain[cell(20, 10)], Terrain::Rubble);
    assert!(knows(scene.sheet(), Kind::TunnelStaff.kind()));
    scene.aimed(inv, 10, 1);
    assert_eq!(scene.state.terrain[cell(10, 0)], Terrain::Granite);
    let slot = scene.slot;
    let beside = scene.state.cell(Pos::new(18, 16));
    scene.turn().relocate(slot, beside);
    let inv = scene.give(Kind::Shattering.item(1));
    scene.used(inv);
    assert_eq!(scene.state.terrain[cell(20, 16)], Terrain::Rubble);
    assert_eq!(scene.state.terrain[cell(20, 22)], Terrain::Wall);
}

#[test]
fn staffs_do_what_they_say_and_spare_friends() {
    let mut scene = Scene::new();
    let friend = scene.player(2, Pos::new(12, 10));
    let foe = scene.monster(Monster::Horror, Pos::new(15, 10), Mode::Hunting);
    let point = |scene: &mut Scene, kind: Kind| {
        scene.next_tick();
        let inv = scene.give(staff(kind));
        assert_ne!(scene.aimed(inv, 15, 10), Outcome::Refused, "{kind:?}");
    };
    for kind in [Kind::LightningStaff, Kind::FireStaff] {
        let (hurt, friendly) = (scene.hp(foe), scene.hp(friend));
        point(&mut scene, kind);
        assert!(scene.hp(foe) < hurt && scene.hp(friend) == friendly, "{kind:?}");
    }
    for kind in [Kind::PoisonStaff, Kind::SlowStaff, Kind::TranceStaff] {
        point(&mut scene, kind);
    }
    for effect in [Effect::Poisoned, Effect::Slowed, Effect::Paralysed, Effect::Burning] {
        assert!(scene.has(foe, effect) && !scene.has(friend, effect), "{effect:?}");
    }
    for kind in [Kind::HealStaff, Kind::HasteStaff, Kind::ProtectStaff] {
        point(&mut scene, kind);
    }
    assert_eq!(scene.hp(friend), 40);
    for effect in [Effect::Regenerating, Effect::Hasted, Effect::Shielded] {
        assert!(scene.has(friend, effect), "{effect:?}");
    }
    let inv = scene.give(staff(Kind::BlinkStaff));
    scene.aimed(inv, 10, 20);
    assert_eq!(scene.state.pos(scene.state.actor(0).cell), Pos::new(10, 18));
    let inv = scene.give(staff(Kind::WebStaff));
    scene.aimed(inv, 15, 22);
    assert_eq!(scene.state.terrain[Pos::new(15, 22).index(SIDE)], Terrain::Web);
}

#[test]
fn staffs_and_charms_gather_strength_again() {
    let mut scene = Scene::new();
    let inv = scene.give(staff(Kind::SlowStaff));
    let charm = scene.give(magic(Kind::HealthCharm));
    scene.sheet().items.get_mut(&inv).unwrap().charge = 0;
    scene.used(charm);
    for _ in 0..1_020 {
        scene.next_tick();
        upkeep(&mut scene.turn());
    }
    assert_eq!(scene.sheet().items[&inv].charge, 3);
    assert_eq!(scene.used(charm), Outcome::Refused);
    let left = scene.sheet().items[&charm].charge - scene.state.tick.0;
    let mut sheet = scene.sheet().clone();
    rest_clocks(&mut sheet, scene.state.tick.0);
    assert_eq!(sheet.items[&charm].charge, left);
    start_clocks(&mut sheet, 7);
    assert_eq!(sheet.items[&charm].charge, left + 7);
    scene.state.tick = Tick(scene.state.tick.0 + left);
    assert_ne!(scene.used(charm), Outcome::Refused);
}

#[test]
fn enchanting_improves_the_weaker_of_what_is_in_use() {
    let mut scene = Scene::new();
    let (pack, weapon, armor) = starting_kit();
    for item in pack.values() {
        scene.give(item.clone());
    }
    scene.sheet().weapon = weapon;
    scene.sheet().armor = armor;
    let enchants =
        |scene: &mut Scene| [weapon, armor].map(|inv| scene.sheet().items[&inv.unwrap()].enchant);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let inv = scene.give(Kind::Enchanting.item(1));
        scene.used(inv);
        seen.push(enchants(&mut scene));
    }
    assert_eq!(seen, [[0, 1], [1, 1], [1, 2]]);
    scene.equipped(weapon.unwrap());
    scene.equipped(armor.unwrap());
    let inv = scene.give(staff(Kind::FireStaff));
    let scroll = scene.give(Kind::Enchanting.item(1));
    scene.used(scroll);
    assert_eq!((scene.sheet().items[&inv].enchant, scene.sheet().items[&inv].charge), (4, 4));
}

#[test]
fn identifying_learns_every_unknown_thing_in_turn() {
    let mut scene = Scene::new();
    let things = [Kind::Telepathy, Kind::Discord, Kind::FireStaff];
    for kind in things {
        scene.give(magic(kind));
    }
    for _ in 0..things.len() {
        scene.next_tick();
        let inv = scene.give(Kind::Identify.item(1));
        assert_ne!(scene.used(inv), Outcome::Refused);
    }
    let known: Vec<ItemKind> = scene.sheet().known.clone();
    assert!(things.iter().all(|kind| known.contains(&kind.kind())));
    assert!(known.is_sorted());
    let inv = scene.give(Kind::Identify.item(1));
    assert_eq!(scene.used(inv), Outcome::Refused);
    assert!(scene.said(Note::NothingToIdentify));
    assert!(ROWS.len() > known.len());
}
