//! Characters come, go, die and wake up exactly once.

use super::{World, check_invariants, key};
use crate::game::catalog::arenas::ARENAS;
use crate::game::catalog::{Kind, Note, Terrain};
use crate::game::player::{GRACE_TICKS, RESPAWN_TICKS};
use crate::game::state::{Arrive, Cause, Departure, Destination, Input, Subject, ZoneKind};
use crate::game::turn::Turn;
use crate::model::{CharacterId, Command, Direction, Pos, ZoneId};
use crate::sim::{ZoneSpec, new_sheet};

const ME: CharacterId = CharacterId(1);

#[test]
fn a_command_is_applied_once_however_often_it_comes() {
    let mut world = World::hall(ZoneKind::Floor);
    let slot = world.join(1, Arrive::Up);
    world.put(slot, Pos::new(10, 10));
    let input = world.command(1, Command::Move(Direction::East));
    world.step(&[input.clone(), input.clone()]);
    world.step(&[input]);
    world.steps(10);
    assert_eq!(world.state.pos(world.state.actor(slot).cell), Pos::new(11, 10));
    assert_eq!(world.state.players[&ME].sheet.last_command, 1);
}

#[test]
fn a_full_queue_refuses_and_says_so() {
    let mut world = World::hall(ZoneKind::Floor);
    let slot = world.join(1, Arrive::Up);
    world.put(slot, Pos::new(5, 10));
    let inputs: Vec<Input> =
        (0..20).map(|_| world.command(1, Command::Move(Direction::East))).collect();
    world.step(&inputs);
    assert!(world.noted(Note::Overloaded));
    assert_eq!(world.state.players[&ME].sheet.last_command, 20);
    world.steps(40);
    assert_eq!(world.state.pos(world.state.actor(slot).cell), Pos::new(13, 10));
}

#[test]
fn an_arrival_is_taken_once() {
    let mut world = World::hall(ZoneKind::Floor);
    world.join(1, Arrive::Up);
    world.step(&[Input::Leave { character: ME }]);
    assert!(world.state.players.is_empty());
    let departure = world.state.departures[0].clone();
    assert_eq!(departure.to, Destination::Store);
    let again = Input::Arrive { key: key(1, 0), at: Arrive::Up, sheet: departure.sheet.clone() };
    world.step(&[again]);
    assert!(world.state.players.is_empty(), "the same key a second time");
    world.step(&[Input::Arrived { key: departure.key }, Input::Arrived { key: departure.key }]);
    assert!(world.state.departures.is_empty());
    check_invariants(&world.state);
}

#[test]
fn stairs_lead_to_the_neighbour_and_the_departure_waits() {
    let mut world = World::hall(ZoneKind::Floor);
    let slot = world.join(1, Arrive::Up);
    let down = world.state.cell(Pos::new(10, 10));
    world.state.terrain[down as usize] = Terrain::StairsDown;
    world.put(slot, Pos::new(10, 10));
    world.tell(1, Command::UseStairs);
    world.steps(3);
    assert!(world.state.players.is_empty());
    let departure = &world.state.departures[0];
    assert_eq!(departure.to, Destination::Zone { zone: ZoneId(6), arrive: Arrive::Up });
    assert_eq!(departure.sheet.version, 1);
    world.steps(100);
    assert_eq!(world.state.departures.len(), 1);
    check_invariants(&world.state);
}

/// Sends a character down with two commands behind the stair and returns what is under way.
fn descend_with_plans(world: &mut World) -> Departure {
    let slot = world.join(1, Arrive::Up);
    let down = world.state.cell(Pos::new(10, 10));
    world.state.terrain[down as usize] = Terrain::StairsDown;
    world.put(slot, Pos::new(10, 10));
    let plans = [Command::UseStairs, Command::Search, Command::Move(Direction::South)];
    let inputs: Vec<Input> = plans.into_iter().map(|plan| world.command(1, plan)).collect();
    world.step(&inputs);
    world.state.departures[0].clone()
}

#[test]
fn commands_behind_a_stair_are_carried_out_beyond_it() {
    let departure = descend_with_plans(&mut World::hall(ZoneKind::Floor));
    assert_eq!(departure.sheet.last_command, 3);
    assert_eq!(departure.sheet.queue, [Command::Search, Command::Move(Direction::South)]);
    let mut lower = World::hall(ZoneKind::Floor);
    let Departure { key, sheet, .. } = departure;
    let arrive = Input::Arrive { key, at: Arrive::Up, sheet };
    lower.step(&[arrive.clone(), arrive]);
    lower.steps(20);
    let player = &lower.state.players[&ME];
    assert_eq!(player.sheet.queue.len(), 2, "nobody acts while its connection is away");
    let before = lower.state.pos(lower.state.actor(player.slot).cell);
    lower.step(&[Input::Connect { character: ME }]);
    lower.steps(20);
    let player = &lower.state.players[&ME];
    assert!(player.sheet.queue.is_empty());
    assert_eq!(player.sheet.last_command, 3);
    let after = lower.state.pos(lower.state.actor(player.slot).cell);
    assert_eq!(Some(after), before.step(Direction::South, 40, 32));
}

#[test]
fn what_was_meant_before_a_rest_is_refused_after_it() {
    let sheet = descend_with_plans(&mut World::hall(ZoneKind::Floor)).sheet;
    let mut world = World::hall(ZoneKind::Floor);
    let slot = world.join_as(sheet, Arrive::Up);
    assert!(world.noted(Note::Forgotten));
    let before = world.state.actor(slot).cell;
    world.steps(20);
    assert_eq!(world.state.actor(slot).cell, before);
    assert!(world.state.players[&ME].sheet.queue.is_empty());
}

#[test]
fn the_dead_are_told_what_is_not_done() {
    let mut world = World::hall(ZoneKind::Floor);
    let slot = world.join(1, Arrive::Up);
    let plans: Vec<Input> = (0..5).map(|_| world.command(1, Command::Search)).collect();
    world.step(&plans);
    let mut events = Vec::new();
    let turn = &mut Turn { state: &mut world.state, events: &mut events };
    turn.damage(slot, 1_000, Subject::Nobody, Cause::Fire);
    world.step(&[]);
    assert!(world.noted(Note::YouDie) && world.noted(Note::Forgotten));
    world.tell(1, Command::Rest);
    assert!(!world.noted(Note::DeadWait), "they do that anyway");
    for command in [Command::Search, Command::Sneak { on: true }] {
        world.tell(1, command);
        assert!(world.noted(Note::DeadWait));
    }
    assert_eq!(world.state.players[&ME].sheet.last_command, 8);
}

#[test]
fn the_absent_are_guarded_and_then_rest() {
    let mut world = World::hall(ZoneKind::Floor);
    let slot = world.join(1, Arrive::Up);
    world.step(&[Input::Disconnect { character: ME }]);
    let mut events = Vec::new();
    let turn = &mut Turn { state: &mut world.state, events: &mut events };
    assert_eq!(turn.damage(slot, 10, Subject::Nobody, Cause::Blow), 0);
    world.steps(GRACE_TICKS as usize - 5);
    assert!(world.state.players.contains_key(&ME));
    world.steps(10);
    assert!(!world.state.players.contains_key(&ME));
    assert_eq!(world.state.departures[0].to, Destination::Store);
}

#[test]
fn the_dead_leave_everything_behind_and_wake_up_on_the_first_floor() {
    let mut world = World::hall(ZoneKind::Floor);
    let mut sheet = new_sheet(ME, "p1", 1);
    (sheet.gold, sheet.xp, sheet.level) = (77, 100, 2);
    let pieces = sheet.items.len();
    let slot = world.join_as(sheet, Arrive::Up);
    let mut events = Vec::new();
    Turn { state: &mut world.state, events: &mut events }.damage(
        slot,
        1_000,
        Subject::Nobody,
        Cause::Fire,
    );
    world.step(&[]);
    assert!(world.noted(Note::YouDie));
    let gold: u32 =
        world.state.items.values().filter(|i| i.kind == Kind::Gold.kind()).map(|i| i.count).sum();
    assert_eq!((gold, world.state.items.len()), (77, pieces + 1));
    check_invariants(&world.state);
    world.steps(RESPAWN_TICKS as usize + 1);
    let departure = &world.state.departures[0];
    assert_eq!(departure.to, Destination::Zone { zone: ZoneId(1), arrive: Arrive::Up });
    let death = departure.death.as_ref().unwrap();
    assert_eq!((death.cause.as_str(), death.gold, death.depth), ("burnt to death", 77, 5));
    let sheet = &departure.sheet;
    assert_eq!((sheet.gold, sheet.deaths, sheet.level, sheet.xp), (0, 1, 2, 50));
    assert_eq!(sheet.hp, sheet.hp_max);
    check_invariants(&world.state);
}

#[test]
fn in_an_arena_the_fallen_keep_their_things_and_come_back() {
    let mut world = World::hall(ZoneKind::Arena);
    let one = world.join(1, Arrive::Up);
    let two = world.join(2, Arrive::Down);
    world.put(one, Pos::new(10, 10));
    world.put(two, Pos::new(11, 10));
    world.state.actor_mut(two).hp = 1;
    for _ in 0..60 {
        world.tell(1, Command::Move(Direction::East));
        if world.state.players[&CharacterId(2)].slot != two {
            break;
        }
    }
    let fallen = &world.state.players[&CharacterId(2)];
    assert_ne!(fallen.slot, two);
    assert!(!fallen.sheet.items.is_empty());
    world.steps(RESPAWN_TICKS as usize + 2);
    assert!(world.state.is_up(world.state.players[&CharacterId(2)].slot));
    check_invariants(&world.state);
}

#[test]
fn a_gate_leads_into_the_arena_and_back_to_the_floor() {
    let mut floor = World::new(&super::spec(77, 1));
    let slot = floor.join(1, Arrive::Up);
    let at = |world: &World, x: Terrain| world.state.terrain.iter().position(|&t| t == x).unwrap();
    let gate = at(&floor, Terrain::ArenaGate);
    assert!(floor.state.derived.walk[gate] != 0);
    let pos = floor.state.pos(gate as u32);
    floor.put(slot, pos);
    floor.tell(1, Command::UseStairs);
    assert!(floor.noted(Note::EntersGate));
    let Departure { key, to, sheet, death } = floor.state.departures[0].clone();
    let zone = ZoneId(1_001);
    assert_eq!((to, death), (Destination::Zone { zone, arrive: Arrive::Down }, None));
    check_invariants(&floor.state);

    let mut arena = World::new(&ZoneSpec::arena(zone, 77));
    let belongings = (sheet.items.clone(), sheet.gold);
    let arrive = Input::Arrive { key, at: Arrive::Down, sheet };
    arena.step(&[arrive, Input::Connect { character: ME }]);
    assert!(arena.noted(Note::ArenaWelcome));
    let player = &arena.state.players[&ME];
    assert_eq!(player.sheet.home, ZoneId(1), "who rests here wakes up on the floor");
    assert_eq!(player.sheet.deepest, 1);
    let (slot, entry) = (player.slot, arena.state.down);
    arena.put(slot, entry);
    arena.numbers.insert(ME, 1);
    arena.tell(1, Command::UseStairs);
    let Departure { key, to, sheet, .. } = arena.state.departures[0].clone();
    assert_eq!(to, Destination::Zone { zone: ZoneId(1), arrive: Arrive::Gate });
    assert_eq!((sheet.items.clone(), sheet.gold), belongings);
    check_invariants(&arena.state);

    floor.step(&[Input::Arrive { key, at: Arrive::Gate, sheet }]);
    let back = floor.state.actor(floor.state.players[&ME].slot).cell;
    assert!(floor.state.gap(back, gate as u32) <= 1);
}

#[test]
fn every_arena_has_a_gate_on_its_floor() {
    for arena in &ARENAS {
        for seed in [1, 77, 0xdead_beef] {
            let state = crate::sim::generate(&super::spec(seed, arena.floor));
            let gates = state.terrain.iter().filter(|&&t| t == Terrain::ArenaGate).count();
            assert_eq!(gates, 1, "floor {} of {seed}", arena.floor);
        }
    }
}

#[test]
fn friends_swap_places() {
    let mut world = World::hall(ZoneKind::Floor);
    let one = world.join(1, Arrive::Up);
    let two = world.join(2, Arrive::Down);
    world.put(one, Pos::new(10, 10));
    world.put(two, Pos::new(11, 10));
    world.tell(1, Command::Move(Direction::East));
    assert_eq!(world.state.pos(world.state.actor(one).cell), Pos::new(11, 10));
    assert_eq!(world.state.pos(world.state.actor(two).cell), Pos::new(10, 10));
    check_invariants(&world.state);
}

#[test]
fn a_known_floor_is_remembered() {
    let mut world = World::hall(ZoneKind::Floor);
    world.join(1, Arrive::Up);
    world.steps(3);
    let sum = world.state.players[&ME].memory.sum();
    world.step(&[Input::Leave { character: ME }]);
    let sheet = world.state.departures[0].sheet.clone();
    let arrive = Input::Arrive { key: key(1, 500), at: Arrive::Up, sheet };
    world.step(&[arrive, Input::Connect { character: ME }]);
    assert_eq!(world.state.players[&ME].memory.sum(), sum);
}

#[test]
fn every_floor_can_be_walked_from_stairs_to_stairs() {
    for depth in [1, 4, 8, 13, 19, 25] {
        let mut state = crate::sim::generate(&super::spec(77, depth));
        // Nobody in the way, and what they carried is not missed.
        state.actors.clear();
        crate::sim::restore(&mut state);
        let held = crate::game::ledger::recount(&state);
        (state.ledger.items_made, state.ledger.gold_made) = (held.items, held.gold);
        let mut world = World::of(state);
        let slot = world.join(1, Arrive::Up);
        let player = world.state.players.get_mut(&ME).unwrap();
        player.sheet.hp_max = 1_000_000;
        let body = world.state.actor_mut(slot);
        (body.hp, body.hp_max) = (1_000_000, 1_000_000);
        let mut steps = 0;
        while world.state.departures.is_empty() {
            steps += 1;
            assert!(steps < 6_000, "depth {depth}: stuck at {:?}", world.state.actor(slot));
            let cell = world.state.actor(slot).cell as usize;
            if world.state.cell(world.state.down) as usize == cell {
                world.tell(1, Command::UseStairs);
            } else if world.state.players[&ME].sheet.queue.is_empty() {
                let direction = towards_down(&world, cell);
                world.tell(1, Command::Move(direction));
            } else {
                world.step(&[]);
            }
            check_invariants(&world.state);
        }
        let to = Destination::Zone { zone: ZoneId(u32::from(depth) + 1), arrive: Arrive::Up };
        assert_eq!(world.state.departures[0].to, to);
    }
}

/// The first step of a shortest way to the stairs down.
fn towards_down(world: &World, cell: usize) -> Direction {
    use crate::sim::cpu::distance;
    let state = &world.state;
    let (width, height) = (usize::from(state.width), usize::from(state.height));
    let mut map = vec![0; state.area()];
    let goals = [state.cell(state.down)];
    let mut buffers = distance::Scratch::default();
    let walk = &state.derived.walk;
    distance::fill(&mut map, walk, width, height, &goals, u16::MAX, &mut buffers);
    distance::downhill(&map, walk, width, cell, 0, |_| true).unwrap_or(Direction::North)
}
