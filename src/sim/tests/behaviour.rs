//! Each kind of behaviour, shown by a small scene in an empty hall.

use super::{World, check_invariants};
use crate::game::catalog::monsters::{MONSTERS, flags as is};
use crate::game::catalog::{Effect, Gas, Kind, Monster, Note, Terrain};
use crate::game::state::{Arrive, Cause, Mode, ZoneKind};
use crate::game::turn::Turn;
use crate::model::{Command, Direction, Pos};

/// Whether a scene shows what it should: of the player's slot, and of a friend of the monster's.
type Shows = fn(&World, u16) -> bool;
type ShowsTwo = fn(&World, u16, u16) -> bool;

/// A hall with a player of great health at (20, 16) and a monster of each kind where it is said.
fn scene(monsters: &[(Monster, (u16, u16), Mode)]) -> (World, u16, Vec<u16>) {
    let mut world = World::hall(ZoneKind::Floor);
    let me = world.join(1, Arrive::Up);
    world.put(me, Pos::new(20, 16));
    let body = world.state.actor_mut(me);
    (body.hp, body.hp_max) = (5_000, 5_000);
    world.state.player_mut(me).unwrap().sheet.hp_max = 5_000;
    let slots = monsters.iter().map(|&(kind, at, mode)| spawn(&mut world, kind, at, mode));
    let slots = slots.collect();
    (world, me, slots)
}

fn spawn(world: &mut World, kind: Monster, (x, y): (u16, u16), mode: Mode) -> u16 {
    let cell = world.state.cell(Pos::new(x, y));
    let mut events = Vec::new();
    let turn = &mut Turn { state: &mut world.state, events: &mut events };
    turn.spawn_monster(kind as u8, cell, mode).expect("the cell is free")
}

/// Draws terrain over a box of cells, corners included.
fn paint(world: &mut World, (x0, y0): (u16, u16), (x1, y1): (u16, u16), terrain: Terrain) {
    for y in y0..=y1 {
        for x in x0..=x1 {
            let cell = world.state.cell(Pos::new(x, y));
            world.state.terrain[cell as usize] = terrain;
        }
    }
    crate::sim::restore(&mut world.state);
    world.scratch.forget();
}

fn hurt(world: &mut World, slot: u16, amount: i32, by: u16) {
    let source = world.state.subject(by);
    let mut events = Vec::new();
    let turn = &mut Turn { state: &mut world.state, events: &mut events };
    turn.damage(slot, amount, source, Cause::Blow);
}

/// Steps until `done`, at most `ticks` times, and says whether it came to that.
fn within(world: &mut World, ticks: usize, mut done: impl FnMut(&World) -> bool) -> bool {
    (0..ticks).any(|_| {
        world.step(&[]);
        check_invariants(&world.state);
        done(world)
    })
}

fn gap(world: &World, a: u16, b: u16) -> u16 {
    world.state.gap(world.state.actor(a).cell, world.state.actor(b).cell)
}

#[test]
fn a_hunter_comes_and_bites() {
    let (mut world, me, slots) = scene(&[(Monster::Jackal, (30, 16), Mode::Hunting)]);
    assert!(within(&mut world, 200, |w| w.state.actor(me).hp < 5_000));
    assert_eq!(gap(&world, me, slots[0]), 1);
}

#[test]
fn a_sleeper_wakes_up_when_somebody_comes_near_and_not_for_those_far_away() {
    let (mut world, me, slots) = scene(&[(Monster::Goblin, (24, 16), Mode::Asleep)]);
    assert!(within(&mut world, 2_000, |w| w.state.actor(slots[0]).mode == Mode::Hunting));
    let (mut world, _, slots) = scene(&[(Monster::Goblin, (37, 29), Mode::Asleep)]);
    world.put(me, Pos::new(3, 3));
    assert!(!within(&mut world, 1_000, |w| w.state.actor(slots[0]).mode != Mode::Asleep));
}

#[test]
fn noise_wakes_sleepers_and_draws_them() {
    let (mut world, me, slots) = scene(&[(Monster::Goblin, (36, 28), Mode::Asleep)]);
    world.put(me, Pos::new(2, 2));
    let cell = world.state.cell(Pos::new(10, 28));
    let mut events = Vec::new();
    Turn { state: &mut world.state, events: &mut events }.make_noise(cell, 60);
    assert_eq!(world.state.actor(slots[0]).mode, Mode::Wandering);
    assert!(within(&mut world, 400, |w| w.state.gap(w.state.actor(slots[0]).cell, cell) <= 4));
}

#[test]
fn what_is_hurt_flees_and_comes_back_when_it_has_recovered() {
    let (mut world, me, slots) = scene(&[(Monster::Wraith, (22, 16), Mode::Hunting)]);
    world.step(&[]);
    hurt(&mut world, slots[0], 40, me);
    assert_eq!(world.state.actor(slots[0]).mode, Mode::Fleeing);
    assert!(within(&mut world, 300, |w| gap(w, me, slots[0]) >= 10));
    world.state.actor_mut(slots[0]).hp = 49;
    assert!(within(&mut world, 100, |w| w.state.actor(slots[0]).mode == Mode::Hunting));
}

#[test]
fn a_band_follows_its_leader() {
    let (mut world, me, slots) = scene(&[
        (Monster::Goblin, (30, 8), Mode::Wandering),
        (Monster::Goblin, (36, 28), Mode::Wandering),
    ]);
    world.put(me, Pos::new(2, 30));
    world.state.actor_mut(slots[1]).leader = slots[0];
    assert!(within(&mut world, 600, |w| gap(w, slots[0], slots[1]) <= 4));
}

#[test]
fn an_archer_shoots_and_keeps_its_distance() {
    let (mut world, me, slots) = scene(&[(Monster::GoblinArcher, (22, 16), Mode::Hunting)]);
    let mut shot = false;
    let kept = within(&mut world, 400, |w| {
        shot |= w.noted(Note::Shoots) || w.noted(Note::ShotMisses);
        shot && gap(w, me, slots[0]) > 3
    });
    assert!(kept);
}

#[test]
fn a_wall_stops_arrows() {
    let (mut world, me, _) = scene(&[(Monster::Turret, (28, 16), Mode::Hunting)]);
    paint(&mut world, (24, 1), (24, 30), Terrain::Wall);
    world.state.actors.iter_mut().for_each(|a| a.noticed = 1);
    assert!(!within(&mut world, 200, |w| w.state.actor(me).hp < 5_000));
}

#[test]
fn a_swimmer_never_leaves_the_water_and_hides_in_it() {
    let (mut world, me, slots) = scene(&[]);
    paint(&mut world, (18, 10), (30, 15), Terrain::DeepWater);
    let eel = spawn(&mut world, Monster::Eel, (28, 12), Mode::Hunting);
    assert!(slots.is_empty() && world.state.is_hidden(eel));
    let mut bitten = false;
    let stayed = !within(&mut world, 400, |w| {
        bitten |= w.state.actor(me).hp < 5_000;
        let cell = w.state.actor(eel).cell;
        w.state.actor(eel).alive && w.state.terrain[cell as usize] != Terrain::DeepWater
    });
    assert!(stayed && bitten);
}

#[test]
fn a_burrower_comes_through_the_wall_and_leaves_a_tunnel() {
    let (mut world, me, _) = scene(&[(Monster::Worm, (34, 16), Mode::Hunting)]);
    paint(&mut world, (24, 1), (30, 30), Terrain::Wall);
    assert!(within(&mut world, 900, |w| w.state.actor(me).hp < 5_000));
    assert!(world.state.terrain.contains(&Terrain::Rubble));
}

#[test]
fn a_thief_takes_something_runs_and_drops_it_when_it_dies() {
    let (mut world, me, slots) = scene(&[(Monster::Monkey, (22, 16), Mode::Hunting)]);
    let thief = slots[0];
    assert!(within(&mut world, 600, |w| w.state.actor(thief).carried.is_some()));
    assert_eq!(world.state.actor(thief).mode, Mode::Fleeing);
    assert!(within(&mut world, 300, |w| gap(w, me, thief) > 6));
    let lying = world.state.items.len();
    hurt(&mut world, thief, 1_000, me);
    world.step(&[]);
    assert_eq!(world.state.items.len(), lying + 1);
    check_invariants(&world.state);
}

#[test]
fn bladders_burst_into_what_fills_them() {
    for (kind, gas) in [
        (Monster::SlagBloat, Gas::Methane),
        (Monster::PoisonBloat, Gas::Poison),
        (Monster::DizzyBloat, Gas::Confusion),
    ] {
        let (mut world, me, slots) = scene(&[(kind, (30, 16), Mode::Hunting)]);
        hurt(&mut world, slots[0], 100, me);
        world.steps(2);
        let total: u32 = world.state.gas[gas as usize].iter().map(|&g| u32::from(g)).sum();
        assert!(total > 300, "{kind:?}: {total}");
    }
    let (mut world, me, slots) = scene(&[(Monster::CinderBloat, (21, 16), Mode::Hunting)]);
    hurt(&mut world, slots[0], 100, me);
    world.steps(2);
    assert!(world.state.actor(me).hp < 5_000);
    assert!(world.state.fire.iter().any(|&f| f > 0));
}

#[test]
fn methane_explodes_at_a_flame() {
    let (mut world, me, _) = scene(&[]);
    let cell = world.state.actor(me).cell;
    let mut events = Vec::new();
    let turn = &mut Turn { state: &mut world.state, events: &mut events };
    turn.add_gas(Gas::Methane, cell, 1_500);
    world.steps(5);
    assert_eq!(world.state.actor(me).hp, 5_000);
    let mut events = Vec::new();
    Turn { state: &mut world.state, events: &mut events }.ignite(cell + 1);
    assert!(within(&mut world, 20, |w| w.noted(Note::MethaneExplodes)));
    assert!(world.state.actor(me).hp < 5_000);
}

#[test]
fn fire_runs_through_grass_and_burns_whoever_stands_in_it() {
    let (mut world, me, _) = scene(&[]);
    paint(&mut world, (10, 10), (30, 20), Terrain::Grass);
    let cell = world.state.cell(Pos::new(12, 15));
    let mut events = Vec::new();
    Turn { state: &mut world.state, events: &mut events }.ignite(cell);
    assert!(within(&mut world, 600, |w| w.state.is_affected(me, Effect::Burning)));
    assert!(within(&mut world, 900, |w| w.state.fire.iter().all(|&f| f == 0)));
    let ash = world.state.terrain.iter().filter(|&&t| t == Terrain::Ash).count();
    assert!(ash > 100, "{ash}");
}

#[test]
fn a_flier_crosses_lava_and_a_walker_goes_around() {
    for (kind, crosses) in [(Monster::Fury, true), (Monster::Ogre, false)] {
        let (mut world, me, slots) = scene(&[(kind, (34, 16), Mode::Hunting)]);
        paint(&mut world, (26, 1), (28, 30), Terrain::Lava);
        let came = within(&mut world, 400, |w| gap(w, me, slots[0]) <= 1);
        assert_eq!(came, crosses, "{kind:?}");
    }
}

#[test]
fn the_invisible_is_seen_only_from_beside_it() {
    let (mut world, me, slots) = scene(&[(Monster::Phantom, (26, 16), Mode::Asleep)]);
    world.step(&[]);
    let me_id = world.state.actor(me).character;
    let sees = |world: &mut World| {
        crate::sim::actor_visible_to(&world.state, &mut world.scratch, me_id, slots[0])
    };
    assert!(!sees(&mut world));
    world.put(slots[0], Pos::new(21, 16));
    assert!(sees(&mut world));
}

#[test]
fn jelly_divides_when_it_is_cut() {
    let (mut world, _, slots) = scene(&[(Monster::Jelly, (21, 16), Mode::Hunting)]);
    for _ in 0..60 {
        world.tell(1, Command::Move(Direction::East));
    }
    check_invariants(&world.state);
    let jellies = |w: &World| w.state.actors.iter().filter(|a| a.alive && a.kind != 0).count();
    assert!(jellies(&world) > 1 || !world.state.actor(slots[0]).alive);
    let pieces: i32 =
        world.state.actors.iter().filter(|a| a.alive && a.kind != 0).map(|a| a.hp).sum();
    assert!(pieces < 50);
}

#[test]
fn a_spider_spins_webs_that_hold() {
    let (mut world, me, _) = scene(&[(Monster::Spider, (27, 16), Mode::Hunting)]);
    assert!(within(&mut world, 600, |w| w.state.is_affected(me, Effect::Held)));
    assert!(world.state.terrain.contains(&Terrain::Web));
}

#[test]
fn a_mimic_waits_until_somebody_stands_beside_it() {
    let (mut world, me, slots) = scene(&[(Monster::Mimic, (26, 16), Mode::Asleep)]);
    world.steps(200);
    assert!(world.state.is_hidden(slots[0]));
    world.put(me, Pos::new(25, 16));
    assert!(within(&mut world, 30, |w| !w.state.is_hidden(slots[0])));
}

#[test]
fn trolls_heal_and_others_hardly_do() {
    let (mut world, me, slots) =
        scene(&[(Monster::Troll, (36, 3), Mode::Asleep), (Monster::Ogre, (36, 28), Mode::Asleep)]);
    world.put(me, Pos::new(2, 16));
    for &slot in &slots {
        world.state.actor_mut(slot).hp = 10;
    }
    world.steps(200);
    let healed = |slot: u16| world.state.actor(slot).hp - 10;
    assert!(healed(slots[0]) > 40 && healed(slots[1]) < 10);
}

#[test]
fn casters_do_what_they_are_known_for() {
    let cases: [(Monster, ShowsTwo); 8] = [
        (Monster::OgreShaman, |w, _, _| w.noted(Note::CastsSpark)),
        (Monster::OgreShaman, |w, _, _| w.noted(Note::Summons)),
        (Monster::GoblinCaller, |w, _, _| w.noted(Note::Summons)),
        (Monster::Salamander, |w, me, _| w.state.is_affected(me, Effect::Burning)),
        (Monster::DarkPriest, |w, me, _| w.state.is_affected(me, Effect::Slowed)),
        (Monster::GoblinMystic, |w, _, friend| w.state.is_affected(friend, Effect::Shielded)),
        (Monster::Totem, |w, _, friend| w.state.is_affected(friend, Effect::Hasted)),
        (Monster::Imp, |w, _, _| w.noted(Note::Blinks)),
    ];
    for (number, (kind, shows)) in cases.into_iter().enumerate() {
        let helps = MONSTERS[kind as usize].has(is::HELPS & !is::CASTS_HEAL) && number > 4;
        let friend = if helps { (28, 17) } else { (4, 17) };
        let (mut world, me, slots) =
            scene(&[(Monster::Ogre, friend, Mode::Hunting), (kind, (28, 16), Mode::Hunting)]);
        assert!(within(&mut world, 1_200, |w| shows(w, me, slots[0])), "case {number}: {kind:?}");
    }
}

#[test]
fn what_is_called_does_not_last() {
    let (mut world, _, slots) = scene(&[(Monster::SpectralBlade, (36, 3), Mode::Hunting)]);
    assert!(within(&mut world, 400, |w| !w.state.actor(slots[0]).alive));
}

#[test]
fn blows_poison_weaken_corrode_grab_and_daze() {
    let cases: [(Monster, Shows); 5] = [
        (Monster::Toad, |w, me| w.state.is_affected(me, Effect::Poisoned)),
        (Monster::Centipede, |w, me| w.state.is_affected(me, Effect::Weakened)),
        (Monster::AcidSlug, |w, me| {
            w.state.player(me).is_some_and(|p| p.sheet.items.values().any(|i| i.enchant < 0))
        }),
        (Monster::Horror, |w, me| w.state.is_affected(me, Effect::Held)),
        (Monster::MarshLight, |w, me| w.state.is_affected(me, Effect::Burning)),
    ];
    for (kind, shows) in cases {
        let (mut world, me, _) = scene(&[(kind, (21, 16), Mode::Hunting)]);
        assert!(within(&mut world, 1_500, |w| shows(w, me)), "{kind:?}");
    }
}

#[test]
fn hunters_follow_a_scent_and_lose_track_in_the_end() {
    let (mut world, me, slots) = scene(&[(Monster::Goblin, (30, 16), Mode::Hunting)]);
    paint(&mut world, (25, 1), (25, 30), Terrain::Wall);
    paint(&mut world, (25, 4), (25, 4), Terrain::Floor);
    world.state.actor_mut(slots[0]).noticed = 1;
    world.put(me, Pos::new(2, 30));
    assert!(within(&mut world, 1_500, |w| w.state.actor(slots[0]).mode == Mode::Wandering));
}

#[test]
fn an_ally_fights_for_its_master() {
    let (mut world, me, slots) = scene(&[(Monster::Rat, (25, 16), Mode::Hunting)]);
    let ally = spawn(&mut world, Monster::Ogre, (19, 16), Mode::Ally);
    world.state.actor_mut(ally).leader = me;
    assert!(within(&mut world, 600, |w| !w.state.actor(slots[0]).alive));
    assert!(world.state.players[&world.state.actor(me).character].sheet.xp > 0);
}

#[test]
fn a_blow_from_behind_counts_three_or_five_times() {
    let (mut world, _, slots) = scene(&[(Monster::Troll, (21, 16), Mode::Asleep)]);
    world.tell(1, Command::Move(Direction::East));
    assert!(world.noted(Note::SneakAttack));
    assert!(world.state.actor(slots[0]).hp <= 65 - 10);
}

#[test]
fn players_near_by_share_what_they_learn() {
    let (mut world, me, slots) = scene(&[(Monster::Ogre, (21, 16), Mode::Asleep)]);
    world.join(2, Arrive::Up);
    world.join(3, Arrive::Down);
    hurt(&mut world, slots[0], 1_000, me);
    world.step(&[]);
    let xp = |n: u64| world.state.players[&crate::model::CharacterId(n)].sheet.xp;
    let whole = MONSTERS[Monster::Ogre as usize].experience();
    assert_eq!(xp(1), whole * 4 / 6);
    assert_eq!((xp(2), xp(3)), (xp(1), xp(1)));
}

#[test]
fn a_key_opens_its_vault_and_taking_one_treasure_closes_the_others() {
    let (mut world, me, _) = scene(&[]);
    paint(&mut world, (24, 13), (28, 19), Terrain::Wall);
    paint(&mut world, (25, 14), (27, 18), Terrain::Floor);
    paint(&mut world, (24, 16), (24, 16), Terrain::LockedDoor);
    let at = |x, y| Pos::new(x, y).index(40) as u32;
    let door = at(24, 16);
    let altars = vec![at(26, 15), at(26, 16), at(26, 17)];
    world.state.vaults.push(crate::game::state::VaultState {
        door,
        key: at(5, 5),
        altars: altars.clone(),
    });
    for (&altar, kind) in altars.iter().zip([Kind::Sword, Kind::FireStaff, Kind::HealthCharm]) {
        world.state.ledger.make(&kind.item(1));
        world.state.items.insert(altar, kind.item(1));
    }
    world.put(me, Pos::new(23, 16));
    world.tell(1, Command::Move(Direction::East));
    assert!(world.noted(Note::DoorLocked));
    let key = crate::game::item::Item { opens: door, ..Kind::VaultKey.item(1) };
    world.state.ledger.make(&key);
    let sheet = &mut world.state.player_mut(me).unwrap().sheet;
    sheet.items.insert(20, key);
    for command in [
        Command::Move(Direction::East),
        Command::Move(Direction::East),
        Command::Move(Direction::East),
        Command::Move(Direction::East),
        Command::PickUp,
    ] {
        world.tell(1, command);
        world.steps(6);
    }
    check_invariants(&world.state);
    assert!(altars.iter().all(|altar| !world.state.items.contains_key(altar)));
    let sheet = &world.state.player(me).unwrap().sheet;
    assert!(sheet.items.values().any(|i| i.kind == Kind::FireStaff.kind()));
    assert!(!sheet.items.values().any(|i| i.kind == Kind::VaultKey.kind()));
}

#[test]
fn only_who_holds_the_heart_of_the_deep_goes_out() {
    let (mut world, me, _) = scene(&[]);
    world.state.zone = crate::model::ZoneId(1);
    paint(&mut world, (20, 16), (20, 16), Terrain::StairsUp);
    world.tell(1, Command::UseStairs);
    assert!(world.noted(Note::StairsEnd));
    world.state.ledger.make(&Kind::Heart.item(1));
    let sheet = &mut world.state.player_mut(me).unwrap().sheet;
    sheet.items.insert(20, Kind::Heart.item(1));
    world.tell(1, Command::UseStairs);
    let departure = &world.state.departures[0];
    assert!(departure.death.as_ref().unwrap().cause.contains("heart"));
    check_invariants(&world.state);
}

#[test]
fn every_flag_of_the_table_is_some_monsters() {
    let used = MONSTERS.iter().fold(0, |all, row| all | row.flags);
    assert_eq!(used.count_ones(), 44);
    assert_eq!(used & is::RANGED, is::RANGED);
}

#[test]
fn a_cell_that_two_want_goes_to_the_smaller_slot() {
    let (mut world, _, slots) = scene(&[
        (Monster::Ogre, (21, 18), Mode::Hunting),
        (Monster::Ogre, (19, 18), Mode::Hunting),
    ]);
    paint(&mut world, (18, 17), (22, 17), Terrain::Wall);
    paint(&mut world, (20, 17), (20, 17), Terrain::Floor);
    paint(&mut world, (18, 19), (22, 19), Terrain::Wall);
    let gate = world.state.cell(Pos::new(20, 18));
    assert!(within(&mut world, 60, |w| w.state.actor_at(gate).is_some()));
    assert_eq!(world.state.actor_at(gate), Some(slots[0]));
}

#[test]
fn nothing_hurts_or_hunts_the_guarded() {
    let (mut world, me, slots) = scene(&[(Monster::Ogre, (30, 16), Mode::Hunting)]);
    let character = world.state.actor(me).character;
    world.step(&[crate::game::state::Input::Disconnect { character }]);
    assert!(!within(&mut world, 400, |w| w.state.actor(me).hp < 5_000));
    world.step(&[crate::game::state::Input::Connect { character }]);
    world.state.actor_mut(slots[0]).mode = Mode::Hunting;
    assert!(within(&mut world, 400, |w| w.state.actor(me).hp < 5_000));
}

#[test]
fn strangers_wander_in_while_somebody_is_there_and_not_without_end() {
    let (mut world, me, _) = scene(&[]);
    world.put(me, Pos::new(2, 16));
    world.steps(6_000);
    let monsters = world.state.derived.monsters;
    assert!((1..=8).contains(&monsters), "{monsters}");
}

#[test]
fn the_largest_zone_steps_too() {
    let spec = crate::sim::ZoneSpec { width: 1_024, height: 1_024, ..super::spec(3, 10) };
    let mut world = World::new(&spec);
    world.join(1, Arrive::Up);
    world.steps(12);
    check_invariants(&world.state);
    let known = world.state.players[&crate::model::CharacterId(1)].memory.iter().count();
    assert!(known > 5 && world.state.derived.monsters > 500);
}
