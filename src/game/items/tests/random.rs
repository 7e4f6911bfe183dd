//! Anything in any order.

use super::Scene;
use crate::game::catalog::items::{Gear, Kind};
use crate::game::catalog::monsters::Monster;
use crate::game::derive;
use crate::game::items::{make, upkeep};
use crate::game::rng::Rng;
use crate::game::state::{Mode, Sheet};
use crate::model::Pos;

#[test]
fn whatever_is_done_in_any_order_the_books_and_the_pack_stay_sound() {
    for seed in 0..60 {
        let mut scene = Scene::new();
        scene.state.seed = seed;
        scene.player(2, Pos::new(12, 12));
        scene.monster(Monster::Ogre, Pos::new(15, 10), Mode::Hunting);
        scene.monster(Monster::Jelly, Pos::new(8, 14), Mode::Asleep);
        let mut rng = Rng::new(seed, 0, 77);
        let (slot, kinds) = (scene.slot, Kind::ALL.len() as u32);
        for _ in 0..120 {
            scene.next_tick();
            if rng.chance(40) {
                let kind = Kind::ALL[rng.below(kinds) as usize];
                let item = make(&mut rng, kind, 9);
                scene.state.ledger.make(&item);
                let cell = scene.state.actor(slot).cell;
                scene.turn().drop_item(cell, item);
            }
            let inv = rng.below(12) as u8;
            let target = Pos::new(rng.below(34) as u16, rng.below(34) as u16);
            match rng.below(7) {
                0 | 1 => scene.picked_up(),
                2 => scene.dropped(inv),
                3 => scene.equipped(inv),
                4 => scene.used(inv),
                5 => scene.aimed(inv, target.x, target.y),
                _ => scene.thrown(inv, target.x, target.y),
            };
            upkeep(&mut scene.turn());
            check_pack(scene.sheet());
            let cell = scene.state.actor(slot).cell;
            assert_eq!(scene.state.actor_at(cell), Some(slot));
            assert!(derive::walkable(scene.state.terrain[cell as usize]));
        }
    }
}

fn check_pack(sheet: &Sheet) {
    assert!(sheet.known.is_sorted());
    for (&inv, item) in &sheet.items {
        assert!(inv < 26 && (1..=99).contains(&item.count));
        assert!(item.count == 1 || item.kind.row().stacks());
    }
    for (used, weapon) in [(sheet.weapon, true), (sheet.armor, false)] {
        if let Some(inv) = used {
            let gear = sheet.items[&inv].kind.row().gear;
            assert_eq!(matches!(gear, Gear::Weapon { .. }), weapon);
            assert_ne!(gear, Gear::None);
        }
    }
}
