//! Every kind of item in every way it can be handled.

use super::{HOME, Scene, magic, staff};
use crate::game::catalog::Note;
use crate::game::catalog::items::{Category, Gear, Kind, flags};
use crate::game::catalog::monsters::Monster;
use crate::game::item::Item;
use crate::game::items::{Outcome, knows, pick_up, use_item};
use crate::game::state::Mode;
use crate::model::Pos;

#[test]
fn every_kind_can_be_picked_up_carried_and_laid_down() {
    for &kind in Kind::ALL {
        let mut scene = Scene::new();
        let cell = scene.state.cell(HOME);
        scene.state.items.insert(cell, kind.item(3));
        scene.state.ledger.make(&kind.item(3));
        assert_ne!(scene.picked_up(), Outcome::Refused, "{kind:?}");
        assert!(scene.state.items.is_empty());
        if kind == Kind::Gold {
            assert_eq!(scene.sheet().gold, 3);
            continue;
        }
        assert!(scene.said(Note::FindsMany));
        let slots: Vec<u8> = scene.sheet().items.keys().copied().collect();
        assert_eq!(slots.len(), if kind.kind().row().stacks() { 1 } else { 3 }, "{kind:?}");
        for inv in slots {
            assert_ne!(scene.dropped(inv), Outcome::Refused);
        }
        assert!(scene.sheet().items.is_empty());
    }
}

#[test]
fn every_kind_is_used_or_says_why_not() {
    for &kind in Kind::ALL.iter().filter(|&&kind| kind != Kind::Gold) {
        let mut scene = Scene::new();
        let row = kind.kind().row();
        let foe = scene.monster(Monster::Ogre, Pos::new(12, 10), Mode::Hunting);
        scene.give(Kind::Mace.item(1));
        scene.give(staff(Kind::SlowStaff));
        let inv = scene.give(magic(kind));
        let outcome = scene.used(inv);
        assert_eq!(outcome != Outcome::Refused, row.is_usable(), "{kind:?}: {:?}", scene.notes());
        if row.category.is_consumed() {
            assert_eq!(scene.state.ledger.items_used, 1, "{kind:?}");
            assert!(knows(scene.sheet(), kind.kind()), "{kind:?} was seen at work");
            assert!(scene.said(Note::LearnsItem), "{kind:?}");
        }
        if row.category == Category::Charm {
            assert_eq!(scene.used(inv), Outcome::Refused, "{kind:?} needs rest");
            assert!(scene.said(Note::StillRecharging));
        }
        assert!(scene.state.is_up(foe), "nothing here kills an ogre");
    }
}

#[test]
fn every_kind_is_pointed_or_says_why_not() {
    for &kind in Kind::ALL.iter().filter(|&&kind| kind != Kind::Gold) {
        let mut scene = Scene::new();
        let row = kind.kind().row();
        scene.monster(Monster::Ogre, Pos::new(13, 10), Mode::Hunting);
        let inv = scene.give(magic(kind));
        let target = if kind == Kind::TunnelStaff { Pos::new(24, 12) } else { Pos::new(13, 10) };
        if row.has(flags::SHOOTS) {
            assert_eq!(scene.aimed(inv, 13, 10), Outcome::Refused);
            assert!(scene.said(Note::MustWield));
            scene.equipped(inv);
        }
        let outcome = scene.aimed(inv, target.x, target.y);
        assert_eq!(outcome != Outcome::Refused, row.is_aimed(), "{kind:?}: {:?}", scene.notes());
        let here = scene.state.pos(scene.state.actor(scene.slot).cell);
        assert_eq!(scene.aimed(inv, here.x, here.y), Outcome::Refused);
        assert_eq!(scene.aimed(inv, 900, 900), Outcome::Refused);
        if row.category == Category::Staff {
            assert!(scene.sheet().items[&inv].charge == 2 && knows(scene.sheet(), kind.kind()));
            scene.sheet().items.get_mut(&inv).unwrap().charge = 0;
            assert_eq!(scene.aimed(inv, 20, 9), Outcome::Refused);
            assert!(scene.said(Note::OutOfCharges), "{kind:?}: {:?}", scene.notes());
        }
    }
}

#[test]
fn every_kind_is_thrown_and_is_somewhere_afterwards() {
    for &kind in Kind::ALL.iter().filter(|&&kind| kind != Kind::Gold) {
        for target in [Pos::new(14, 10), Pos::new(12, 14), HOME, Pos::new(30, 10)] {
            let mut scene = Scene::new();
            scene.monster(Monster::Ogre, Pos::new(14, 10), Mode::Asleep);
            let inv = scene.give(Item { count: 1, ..magic(kind) });
            assert_ne!(scene.thrown(inv, target.x, target.y), Outcome::Refused, "{kind:?}");
            assert!(scene.sheet().items.is_empty());
            let row = kind.kind().row();
            let gone = row.category == Category::Potion || row.has(flags::INCENDIARY);
            assert_eq!(scene.state.items.is_empty(), gone, "{kind:?}");
            assert_eq!(scene.state.ledger.items_used, u64::from(gone));
        }
    }
}

#[test]
fn every_kind_is_equipped_or_says_why_not() {
    for &kind in Kind::ALL.iter().filter(|&&kind| kind != Kind::Gold) {
        let mut scene = Scene::new();
        let inv = scene.give(kind.item(1));
        let outcome = scene.equipped(inv);
        let gear = kind.kind().row().gear;
        assert_eq!(outcome != Outcome::Refused, gear != Gear::None, "{kind:?}");
        let (weapon, armor) = (scene.sheet().weapon, scene.sheet().armor);
        assert_eq!(weapon == Some(inv), matches!(gear, Gear::Weapon { .. }));
        assert_eq!(armor == Some(inv), matches!(gear, Gear::Armor { .. }));
        if outcome != Outcome::Refused {
            scene.equipped(inv);
            assert!(scene.said(Note::PutsAway));
            assert_eq!((scene.sheet().weapon, scene.sheet().armor), (None, None));
        }
    }
}

#[test]
fn refusals_say_why() {
    let mut scene = Scene::new();
    let check = |scene: &Scene, outcome: Outcome, why: Note| {
        assert_eq!(outcome, Outcome::Refused);
        assert!(scene.said(why), "{why:?}");
    };
    let outcome = scene.picked_up();
    check(&scene, outcome, Note::NothingHere);
    for outcome in [Scene::used, Scene::equipped, Scene::dropped] {
        let outcome = outcome(&mut scene, 9);
        check(&scene, outcome, Note::SlotEmpty);
    }
    let armor = scene.give(Kind::Leather.item(1));
    scene.equipped(armor);
    let outcome = scene.thrown(armor, 12, 10);
    check(&scene, outcome, Note::CannotThrowWorn);
    scene.sheet().known.push(Kind::Recharging.kind());
    let scroll = scene.give(Kind::Recharging.item(1));
    let outcome = scene.used(scroll);
    check(&scene, outcome, Note::NothingToRecharge);
    for _ in 0..24 {
        scene.give(Kind::Sword.item(1));
    }
    let cell = scene.state.cell(HOME);
    scene.state.items.insert(cell, Kind::Axe.item(1));
    scene.state.ledger.items_made += 1;
    let outcome = scene.picked_up();
    check(&scene, outcome, Note::PackFull);
}

#[test]
fn the_dead_and_monsters_use_nothing() {
    let mut scene = Scene::new();
    let foe = scene.monster(Monster::Ogre, Pos::new(13, 10), Mode::Hunting);
    scene.events.clear();
    assert_eq!(pick_up(&mut scene.turn(), foe), Outcome::Refused);
    assert_eq!(use_item(&mut scene.turn(), 99, 0), Outcome::Refused);
    assert!(scene.events.is_empty());
}
