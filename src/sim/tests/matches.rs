//! Matches in arenas: who comes, who fights whom, how they end.

use super::{World, check_invariants, key, new_sheet};
use crate::game::catalog::Note;
use crate::game::matches::FIGHTING_TICKS;
use crate::game::player::GRACE_TICKS;
use crate::game::state::{
    Arrive, Bout, Departure, DepartureKey, Destination, Input, Seat, Stage, ZoneKind,
};
use crate::model::limits::NO_ACTOR;
use crate::model::{CharacterId, Command, Direction, Pos, ZoneId};

const ONE: CharacterId = CharacterId(1);
const TWO: CharacterId = CharacterId(2);

fn seat(side: u8, size: u8) -> Arrive {
    Arrive::Match(Seat { number: 9, side, size })
}

/// Lets somebody in whose home is floor 3.
fn enter(world: &mut World, character: u64, at: Arrive) -> u16 {
    let mut sheet = new_sheet(CharacterId(character), &format!("p{character}"), 1);
    sheet.home = ZoneId(3);
    sheet.hp = 7;
    world.join_as(sheet, at)
}

fn duel() -> (World, u16, u16) {
    let mut world = World::hall(ZoneKind::Arena);
    let one = enter(&mut world, 1, seat(0, 1));
    assert!(world.noted(Note::MatchWaits));
    let two = enter(&mut world, 2, seat(1, 1));
    assert!(world.noted(Note::MatchBegins));
    (world, one, two)
}

fn went_home(world: &World) -> Vec<CharacterId> {
    let home = Destination::Zone { zone: ZoneId(3), arrive: Arrive::Up };
    let gone = world.state.departures.iter().filter(|it| it.to == home);
    gone.map(|it| it.key.character).collect()
}

/// Steps one into the other until something has happened.
fn fight(world: &mut World, slots: [u16; 2], until: impl Fn(&World) -> bool) {
    world.put(slots[0], Pos::new(10, 10));
    world.put(slots[1], Pos::new(11, 10));
    for _ in 0..400 {
        world.tell(1, Command::Move(Direction::East));
        if until(world) {
            return;
        }
    }
    panic!("nothing came of it");
}

#[test]
fn a_duel_is_fought_whole_against_one_alone_and_ends_at_home() {
    let (mut world, one, two) = duel();
    let whole = |world: &World, slot| world.state.actor(slot).hp == world.state.actor(slot).hp_max;
    assert!(whole(&world, one) && whole(&world, two));
    // A bystander has nothing to do with it.
    let three = enter(&mut world, 3, Arrive::Up);
    assert!(world.state.is_hostile(one, two) && world.state.is_hostile(two, one));
    assert!(!world.state.is_hostile(one, three) && !world.state.is_hostile(three, two));
    world.state.actor_mut(two).hp = 1;
    fight(&mut world, [one, two], |world| !world.state.bouts.is_empty());
    let (zone, tick) = (world.state.zone, world.state.tick);
    let bout = Bout { zone, tick, winners: vec![ONE], losers: vec![TWO] };
    assert_eq!(world.state.bouts, [bout]);
    assert!(world.noted(Note::MatchWon) && world.noted(Note::MatchLost));
    assert!(!world.state.is_hostile(one, three));
    world.steps(200);
    assert_eq!(went_home(&world), [ONE, TWO]);
    assert!(world.state.players.contains_key(&CharacterId(3)));
    check_invariants(&world.state);

    world.step(&[Input::Recorded { tick, loser: ONE }]);
    assert_eq!(world.state.bouts.len(), 1);
    world.step(&[Input::Recorded { tick, loser: TWO }]);
    assert_eq!(world.state.bouts, []);
    // Whoever is late, or comes again, finds it over and is sent home; by the gate anybody may come.
    let (sheet, at) = (new_sheet(CharacterId(4), "p4", 1), seat(0, 1));
    world.step(&[Input::Arrive { key: key(4, 50), at, sheet }]);
    assert!(!world.state.players.contains_key(&CharacterId(4)));
    let (mut sheet, at) = (new_sheet(ONE, "p1", 1), Arrive::Gate);
    sheet.version = 99;
    let key = DepartureKey { zone: ZoneId(3), ..key(1, 99) };
    world.step(&[Input::Arrive { key, at, sheet }, Input::Connect { character: ONE }]);
    world.steps(20);
    assert!(world.state.players.contains_key(&ONE));
    world.steps(3_000);
    assert_eq!(world.state.matches, []);
}

#[test]
fn whoever_goes_away_has_lost() {
    let (mut world, _, two) = duel();
    world.step(&[Input::Disconnect { character: TWO }]);
    world.steps(GRACE_TICKS as usize - 2);
    assert!(world.state.bouts.is_empty(), "a lost connection has a minute to come back");
    world.steps(3);
    assert_eq!(world.state.bouts[0].losers, [TWO]);
    assert!(!world.state.is_up(two));
    world.steps(70);
    assert_eq!(went_home(&world), [ONE]);
}

#[test]
fn teams_fight_on_until_one_has_nobody_left_and_time_ends_what_does_not_end() {
    let mut world = World::hall(ZoneKind::Arena);
    let slots = [(1, 0), (2, 1), (3, 0), (4, 1)].map(|(who, side)| {
        let slot = enter(&mut world, who, seat(side, 2));
        assert_ne!(slot, NO_ACTOR);
        slot
    });
    assert_eq!(world.state.matches[0].stage, Stage::Fighting);
    assert!(!world.state.is_hostile(slots[0], slots[2]));
    world.state.actor_mut(slots[1]).hp = 1;
    let has_fallen = |world: &World| world.state.matches[0].fighters[&TWO].is_out;
    fight(&mut world, [slots[0], slots[1]], has_fallen);
    assert!(world.state.bouts.is_empty());
    world.steps(FIGHTING_TICKS as usize - 500);
    assert_eq!(went_home(&world), [TWO]);
    assert!(world.state.bouts.is_empty());
    world.steps(500);
    assert_eq!(world.state.bouts[0].winners, [ONE, CharacterId(3)]);
    assert_eq!(world.state.bouts[0].losers, [TWO, CharacterId(4)]);
    world.steps(70);
    assert_eq!(went_home(&world).len(), 4);
    check_invariants(&world.state);
}

#[test]
fn nobody_wins_a_match_that_time_ends_even_or_that_somebody_misses() {
    let (mut world, ..) = duel();
    world.steps(FIGHTING_TICKS as usize);
    assert!(world.state.bouts.is_empty());
    world.steps(70);
    assert_eq!(went_home(&world), [ONE, TWO]);

    // One of them never gets a picture of it.
    let mut world = World::hall(ZoneKind::Arena);
    enter(&mut world, 1, seat(0, 1));
    let (sheet, at) = (new_sheet(TWO, "p2", 1), seat(1, 1));
    world.step(&[Input::Arrive { key: key(2, 50), at, sheet }]);
    assert_eq!(world.state.matches[0].stage, Stage::Gathering);
    world.steps(1_300);
    assert_eq!((went_home(&world), world.state.bouts.len()), (vec![ONE], 0));
}

#[test]
fn a_call_takes_nobody_out_of_danger() {
    let mut world = World::hall(ZoneKind::Arena);
    let one = enter(&mut world, 1, Arrive::Up);
    let two = enter(&mut world, 2, Arrive::Down);
    let call = |character| Input::Call { character, zone: ZoneId(1_001), arrive: seat(0, 1) };
    let is_here = |world: &World| world.state.players.contains_key(&ONE);
    fight(&mut world, [one, two], |world| world.state.players[&ONE].fought_at == world.state.tick);
    world.step(&[call(ONE)]);
    assert!(is_here(&world), "it has just fought");
    world.steps(50);
    world.step(&[Input::Disconnect { character: ONE }, call(ONE)]);
    assert!(is_here(&world), "it is away");
    world.step(&[Input::Connect { character: ONE }, call(ONE)]);
    assert!(!is_here(&world));
    let Departure { to, .. } = &world.state.departures[0];
    assert_eq!(*to, Destination::Zone { zone: ZoneId(1_001), arrive: seat(0, 1) });

    let (mut world, ..) = duel();
    world.step(&[call(ONE)]);
    assert!(is_here(&world), "it is in a match");
}
