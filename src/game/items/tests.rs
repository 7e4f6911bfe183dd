//! Scenes in a small room: every kind is picked up, laid down, used, pointed, thrown and equipped.

use std::collections::{BTreeMap, VecDeque};

use super::{Outcome, knows, make, starting_kit, stow};
use super::{drop, equip, pick_up, rest_clocks, start_clocks, throw, upkeep, use_at, use_item};
use crate::game::catalog::items::{Category, Gear, Kind, ROWS, flags};
use crate::game::catalog::monsters::Monster;
use crate::game::catalog::{Effect, Gas, Note, Terrain};
use crate::game::derive;
use crate::game::item::{Item, ItemKind};
use crate::game::ledger;
use crate::game::rng::Rng;
use crate::game::state::{
    Actor, Derived, Event, Happening, Ledger, Maps, Mode, Player, Sheet, VaultState, ZoneKind,
    ZoneState,
};
use crate::game::turn::Turn;
use crate::model::limits::NO_ACTOR;
use crate::model::{CellMap, CharacterId, Pos, Tick, ZoneId};

const SIDE: u16 = 32;
const HOME: Pos = Pos { x: 10, y: 10 };

/// A character that knows nothing and carries nothing.
pub(super) fn sheet(character: u64) -> Sheet {
    Sheet {
        character: CharacterId(character),
        name: format!("delver{character}"),
        version: 1,
        level: 1,
        xp: 0,
        gold: 0,
        hp: 40,
        hp_max: 40,
        strength: 12,
        items: BTreeMap::new(),
        weapon: None,
        armor: None,
        known: Vec::new(),
        last_command: 0,
        effects: [0; 16],
        deaths: 0,
        deepest: 1,
        home: ZoneId(1),
        queue: VecDeque::new(),
    }
}

/// A walled room with one player in it, some way from a wall of its own.
struct Scene {
    state: ZoneState,
    events: Vec<Event>,
    slot: u16,
}

impl Scene {
    fn new() -> Self {
        let area = usize::from(SIDE) * usize::from(SIDE);
        let mut state = ZoneState {
            zone: ZoneId(5),
            kind: ZoneKind::Floor,
            seed: 11,
            world_seed: 3,
            depth: 5,
            width: SIDE,
            height: SIDE,
            tick: Tick(1_000),
            up: Pos::new(2, 2),
            down: Pos::new(29, 29),
            terrain: vec![Terrain::Floor; area],
            gas: std::array::from_fn(|_| vec![0; area]),
            fire: vec![0; area],
            scent: vec![0; area],
            items: BTreeMap::new(),
            actors: Vec::new(),
            players: BTreeMap::new(),
            departures: Vec::new(),
            arrivals: BTreeMap::new(),
            ledger: Ledger::default(),
            noises: Vec::new(),
            vaults: Vec::new(),
            remembered: Vec::new(),
            maps: Maps::default(),
            derived: Derived::default(),
        };
        for at in 0..SIDE {
            for pos in [(at, 0), (at, SIDE - 1), (0, at), (SIDE - 1, at)] {
                state.terrain[Pos::new(pos.0, pos.1).index(SIDE)] = Terrain::Granite;
            }
            state.terrain[Pos::new(20, at).index(SIDE)] = Terrain::Wall;
        }
        state.terrain[Pos::new(20, 25).index(SIDE)] = Terrain::Door;
        derive::derive(&mut state);
        let mut scene = Self { state, events: Vec::new(), slot: 0 };
        scene.slot = scene.player(1, HOME);
        scene
    }

    fn player(&mut self, character: u64, pos: Pos) -> u16 {
        let sheet = sheet(character);
        let character = sheet.character;
        let cell = self.state.cell(pos);
        let body = Actor { cell, hp: 30, hp_max: 40, character, ..Actor::vacant() };
        let slot = self.state.place(body).unwrap();
        let player = Player {
            sheet,
            slot,
            connected: true,
            guarded_until: Tick(0),
            sneaking: false,
            respawn_at: Tick(0),
            death: None,
            fought_at: Tick(0),
            rested_at: Tick(0),
            memory: CellMap::new(SIDE, SIDE),
        };
        self.state.players.insert(character, player);
        slot
    }

    fn monster(&mut self, kind: Monster, pos: Pos, mode: Mode) -> u16 {
        let cell = self.state.cell(pos);
        self.turn().spawn_monster(kind as u8, cell, mode).unwrap()
    }

    fn turn(&mut self) -> Turn<'_> {
        Turn { state: &mut self.state, events: &mut self.events }
    }

    fn sheet(&mut self) -> &mut Sheet {
        &mut self.state.players.get_mut(&CharacterId(1)).unwrap().sheet
    }

    /// Puts an item into the pack, as if it had been made just now.
    fn give(&mut self, mut item: Item) -> u8 {
        self.state.ledger.make(&item);
        stow(self.sheet(), &mut item).unwrap()
    }

    fn used(&mut self, inv: u8) -> Outcome {
        let slot = self.slot;
        self.act(|turn| use_item(turn, slot, inv))
    }

    fn aimed(&mut self, inv: u8, x: u16, y: u16) -> Outcome {
        let slot = self.slot;
        self.act(|turn| use_at(turn, slot, inv, Pos::new(x, y)))
    }

    fn thrown(&mut self, inv: u8, x: u16, y: u16) -> Outcome {
        let slot = self.slot;
        self.act(|turn| throw(turn, slot, inv, Pos::new(x, y)))
    }

    fn equipped(&mut self, inv: u8) -> Outcome {
        let slot = self.slot;
        self.act(|turn| equip(turn, slot, inv))
    }

    fn dropped(&mut self, inv: u8) -> Outcome {
        let slot = self.slot;
        self.act(|turn| drop(turn, slot, inv))
    }

    fn picked_up(&mut self) -> Outcome {
        let slot = self.slot;
        self.act(|turn| pick_up(turn, slot))
    }

    /// Does something and checks what always holds: the books balance, a refusal says why and
    /// changes nothing.
    fn act(&mut self, what: impl Fn(&mut Turn<'_>) -> Outcome) -> Outcome {
        self.events.clear();
        let before = self.sheet().clone();
        let ground = self.state.items.clone();
        let outcome = what(&mut self.turn());
        if outcome == Outcome::Refused {
            assert!(!self.events.is_empty(), "a refusal says why");
            assert_eq!(*self.sheet(), before);
            assert_eq!(self.state.items, ground);
        }
        assert!(ledger::check(&self.state), "the books balance");
        outcome
    }

    fn notes(&self) -> Vec<u8> {
        let mut codes = Vec::new();
        for event in &self.events {
            if let Happening::Note { code, .. } = event.what {
                codes.push(code);
            }
        }
        codes
    }

    fn said(&self, note: Note) -> bool {
        self.notes().contains(&(note as u8))
    }

    fn hp(&self, slot: u16) -> i32 {
        self.state.actor(slot).hp
    }

    fn has(&self, slot: u16, effect: Effect) -> bool {
        self.state.is_affected(slot, effect)
    }

    fn gas(&self, gas: Gas) -> u32 {
        self.state.gas[gas as usize].iter().map(|&n| u32::from(n)).sum()
    }

    fn next_tick(&mut self) {
        self.state.tick = self.state.tick.next();
    }
}

fn staff(kind: Kind) -> Item {
    Item { enchant: 3, charge: 3, identified: false, ..kind.item(1) }
}

fn magic(kind: Kind) -> Item {
    let category = kind.kind().row().category;
    if category == Category::Staff {
        return staff(kind);
    }
    Item { enchant: i8::from(category == Category::Charm), ..kind.item(1) }
}

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

#[test]
fn gear_counts_and_becomes_familiar() {
    let mut scene = Scene::new();
    let plain = super::attack_of(scene.sheet());
    let cursed = Item { enchant: -2, identified: false, charge: 2, ..Kind::Sword.item(1) };
    let sword = scene.give(cursed);
    scene.equipped(sword);
    assert!(scene.said(Note::FeelsMalevolent) && scene.said(Note::TooHeavy));
    let armed = super::attack_of(scene.sheet());
    assert!(armed.damage > plain.damage && armed.accuracy < plain.accuracy);
    let slot = scene.slot;
    for _ in 0..2 {
        assert!(!scene.sheet().items[&sword].identified);
        super::weapon_used(&mut scene.turn(), slot);
    }
    assert!(scene.sheet().items[&sword].identified && scene.said(Note::LearnsEnchant));
    let mail = Item { enchant: 3, identified: false, charge: 1, ..Kind::Leather.item(1) };
    let mail = scene.give(mail);
    scene.equipped(mail);
    let shown = super::armor_shown(scene.sheet());
    assert_eq!(super::armor_of(scene.sheet()), shown + 30);
    super::armor_used(&mut scene.turn(), slot);
    assert_eq!(super::armor_of(scene.sheet()), super::armor_shown(scene.sheet()));
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

#[test]
fn the_dead_and_monsters_use_nothing() {
    let mut scene = Scene::new();
    let foe = scene.monster(Monster::Ogre, Pos::new(13, 10), Mode::Hunting);
    scene.events.clear();
    assert_eq!(pick_up(&mut scene.turn(), foe), Outcome::Refused);
    assert_eq!(use_item(&mut scene.turn(), 99, 0), Outcome::Refused);
    assert!(scene.events.is_empty());
}
