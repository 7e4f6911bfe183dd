use super::*;
use crate::game::generate::{ZoneSpec, generate};
use crate::game::player::new_sheet;
use crate::game::turn::Turn;
use crate::model::limits::NO_ACTOR;
use crate::model::{AccountId, Command, Direction, SessionId};
use crate::protocol::frame::FrameReader;
use crate::protocol::message::TAG_FRAME;

const HERO: CharacterId = CharacterId(7);
const GATE: GatewayId = GatewayId(1);

fn zone(number: u32) -> Zone {
    let depth = u8::try_from(number).unwrap();
    Zone::new(generate(&ZoneSpec::floor(ZoneId(number), 11, depth, 64, 48)), "floor")
}

fn attach(zone: &mut Zone, attach: u64, with_sheet: bool) {
    attach_as(zone, HERO, attach, with_sheet);
}

fn attach_as(zone: &mut Zone, character: CharacterId, attach: u64, with_sheet: bool) {
    let sheet = postcard::to_stdvec(&new_sheet(character, "Ada", 11)).unwrap();
    let message = ToZone::Attach {
        character,
        account: AccountId(1),
        session: SessionId(1),
        attach,
        ordered: true,
        sheet: with_sheet.then_some(sheet),
    };
    zone.handle_message(GATE, message);
}

fn commands(zone: &mut Zone, attach: u64, first: u32, commands: &[Command]) {
    let message = ToZone::Input {
        character: HERO,
        attach,
        last_frame: 0,
        keyframe: false,
        first,
        commands: commands.to_vec(),
    };
    zone.handle_message(GATE, message);
}

fn outputs(zone: &mut Zone) -> Vec<Output> {
    std::iter::from_fn(|| zone.poll_output()).collect()
}

/// One tick that becomes durable at once.
fn tick(zone: &mut Zone) -> Vec<Output> {
    let entry = zone.begin_tick();
    zone.finish_tick();
    zone.handle_durable(entry.tick);
    outputs(zone)
}

fn items(outputs: &[Output]) -> Vec<FromZone> {
    let bundle = |output: &Output| match output {
        Output::Bundle { bundle, .. } => bundle.items.clone(),
        Output::Depart(_) | Output::Confirm { .. } | Output::Fought(_) => Vec::new(),
    };
    outputs.iter().flat_map(bundle).collect()
}

fn frames(outputs: &[Output]) -> Vec<Vec<u8>> {
    let frame = |item| match item {
        FromZone::Frame { message, .. } => Some(message.to_vec()),
        FromZone::Attached { .. }
        | FromZone::NotHere { .. }
        | FromZone::Moved { .. }
        | FromZone::Left { .. }
        | FromZone::Superseded { .. } => None,
    };
    items(outputs).into_iter().filter_map(frame).collect()
}

#[test]
fn nothing_leaves_before_its_entry_is_durable() {
    let mut zone = zone(1);
    assert!(zone.is_asleep());
    attach(&mut zone, 1, true);
    assert!(!zone.is_asleep());
    let first = zone.begin_tick();
    zone.finish_tick();
    let second = zone.begin_tick();
    zone.finish_tick();
    assert!(outputs(&mut zone).is_empty());
    assert_eq!(zone.ticks_in_flight(), 2);
    zone.handle_durable(first.tick);
    let out = outputs(&mut zone);
    assert!(matches!(out[0], Output::Confirm { character: HERO, .. }), "{out:?}");
    let told = items(&out);
    assert!(matches!(told[0], FromZone::Attached { last_command: 0, .. }), "{told:?}");
    assert_eq!(frames(&out).len(), 1);
    zone.handle_durable(second.tick);
    assert_eq!(frames(&outputs(&mut zone)).len(), 1);
}

#[test]
fn frames_show_the_state_and_nothing_out_of_sight() {
    let mut zone = zone(1);
    attach(&mut zone, 1, true);
    let mut reader = FrameReader::default();
    for n in 0..100_u32 {
        let direction = Direction::ALL[n as usize * 5 % 8];
        commands(&mut zone, 1, n + 1, &[Command::Move(direction)]);
        for frame in frames(&tick(&mut zone)) {
            assert_eq!(frame[0], TAG_FRAME);
            reader.apply(&frame[1..]).unwrap();
        }
        let view = reader.view().unwrap();
        let player = &zone.state.players[&HERO];
        let body = &zone.state.actors[usize::from(player.slot)];
        assert_eq!(view.me.pos.index(64), body.cell as usize);
        let visible = sim::visible(&zone.state, &mut zone.scratch, HERO).unwrap();
        for actor in &view.actors {
            assert!(visible.contains(actor.pos), "{actor:?}");
        }
    }
    assert_eq!(reader.cells(), Some(&zone.state.players[&HERO].memory));
    assert_eq!(reader.view().unwrap().last_command, zone.state.players[&HERO].sheet.last_command);
}

#[test]
fn a_command_counts_once_however_often_it_comes() {
    let mut zone = zone(1);
    attach(&mut zone, 1, true);
    tick(&mut zone);
    let say = |text: &str| Command::Chat { text: text.into() };
    commands(&mut zone, 1, 1, &[say("a"), say("b")]);
    tick(&mut zone);
    attach(&mut zone, 2, false);
    commands(&mut zone, 1, 3, &[say("from the old connection")]);
    commands(&mut zone, 2, 1, &[say("a"), say("b"), say("c")]);
    let out = tick(&mut zone);
    assert!(matches!(items(&out)[0], FromZone::Attached { attach: 2, .. }));
    assert_eq!(zone.state.players[&HERO].sheet.last_command, 3);
    let chats = zone.step.events.iter().filter(|e| matches!(e.what, Happening::Chat { .. }));
    assert_eq!(chats.count(), 1);
}

#[test]
fn of_two_gateways_the_later_take_over_has_the_character() {
    let mut zone = zone(1);
    attach(&mut zone, 5, true);
    tick(&mut zone);
    let elsewhere = |attach| ToZone::Attach {
        character: HERO,
        account: AccountId(1),
        session: SessionId(1),
        attach,
        ordered: true,
        sheet: None,
    };
    zone.handle_message(GatewayId(2), elsewhere(4));
    let told = items(&tick(&mut zone));
    assert_eq!(told[0], FromZone::Frame { character: HERO, attach: 5, message: frame(&told, 5) });
    assert_eq!(told[1], FromZone::Superseded { character: HERO, attach: 4 });
    zone.handle_message(GatewayId(2), elsewhere(6));
    let told = items(&tick(&mut zone));
    assert!(told.contains(&FromZone::Superseded { character: HERO, attach: 5 }), "{told:?}");
    assert!(!frame(&told, 6).is_empty());
    zone.handle_gateway_lost(GatewayId(1));
    assert!(!frame(&items(&tick(&mut zone)), 6).is_empty());
    assert!(zone.state.players[&HERO].connected);
    zone.handle_gateway_lost(GatewayId(2));
    assert_eq!(items(&tick(&mut zone)), []);
    assert!(!zone.state.players[&HERO].connected);
}

/// The frame for an attach.
fn frame(told: &[FromZone], of: u64) -> bytes::Bytes {
    let frames = told.iter().filter_map(|item| {
        let FromZone::Frame { attach, message, .. } = item else { return None };
        (*attach == of).then(|| message.clone())
    });
    frames.last().unwrap_or_default()
}

#[test]
fn a_character_that_is_nowhere_is_not_here() {
    let mut zone = zone(1);
    attach(&mut zone, 4, false);
    let told = items(&tick(&mut zone));
    assert_eq!(told, [FromZone::NotHere { character: HERO, attach: 4 }]);
    assert!(zone.is_asleep());
}

/// Puts the hero on the stairs down and lets it take them.
fn descend(zone: &mut Zone) -> Departure {
    attach(zone, 1, true);
    tick(zone);
    let slot = usize::from(zone.state.players[&HERO].slot);
    let stairs = zone.state.down.index(64);
    let cell = zone.state.actors[slot].cell as usize;
    if zone.state.derived.occupant[stairs] != NO_ACTOR {
        panic!("somebody stands on the stairs");
    }
    zone.state.derived.occupant[cell] = NO_ACTOR;
    zone.state.derived.occupant[stairs] = u16::try_from(slot).unwrap();
    zone.state.actors[slot].cell = u32::try_from(stairs).unwrap();
    zone.scratch.forget();
    commands(zone, 1, 1, &[Command::UseStairs]);
    for _ in 0..40 {
        for output in tick(zone) {
            if let Output::Depart(departure) = output {
                return departure;
            }
        }
    }
    panic!("the hero did not leave");
}

#[test]
fn a_move_between_zones_is_made_once_however_often_it_is_told() {
    let (mut upper, mut lower) = (zone(1), zone(2));
    let departure = descend(&mut upper);
    assert!(!upper.state.players.contains_key(&HERO));
    assert_eq!(departure.to, Destination::Zone { zone: ZoneId(2), arrive: Arrive::Up });
    // The owner of the lower zone hears it three times, before and after its own tick.
    lower.handle_arrival(departure.clone());
    lower.handle_arrival(departure.clone());
    let out = tick(&mut lower);
    assert!(matches!(out[0], Output::Confirm { key, .. } if key == departure.key));
    lower.handle_arrival(departure.clone());
    tick(&mut lower);
    assert_eq!(lower.state.players.len(), 1);
    assert!(crate::game::ledger::check(&lower.state) && crate::game::ledger::check(&upper.state));
    // A restart of the upper zone before it was told sends the departure again.
    let mut restarted = Zone::new(upper.state.clone(), "floor");
    assert!(matches!(&outputs(&mut restarted)[0], Output::Depart(d) if *d == departure));
    assert_eq!(upper.unconfirmed().collect::<Vec<_>>(), [&departure]);
    upper.handle_confirmed(departure.key);
    let told = items(&tick(&mut upper));
    assert_eq!(told, [FromZone::Moved { character: HERO, attach: 1, zone: ZoneId(2) }]);
    assert_eq!(upper.unconfirmed().count(), 0);
    upper.handle_confirmed(departure.key);
    assert!(upper.is_asleep());
}

#[test]
fn re_running_the_journal_gives_the_state_and_notices_every_change() {
    let mut zone = zone(1);
    let start = zone.state.clone();
    attach(&mut zone, 1, true);
    let mut entries = Vec::new();
    for n in 0..200_u32 {
        let direction = Direction::ALL[n as usize * 3 % 8];
        commands(&mut zone, 1, n + 1, &[Command::Move(direction)]);
        entries.push(zone.begin_tick());
        zone.finish_tick();
    }
    let rerun = |entries: &[Entry]| {
        let mut replayer = Replayer::new(start.clone());
        entries.iter().try_for_each(|entry| replayer.apply(entry))?;
        Ok::<_, ReplayError>((sim::hash(replayer.state()), replayer.hashes_compared()))
    };
    assert_eq!(rerun(&entries).unwrap(), (sim::hash(&zone.state), 10));

    let mut changed = entries.clone();
    changed[50].bytes = changed[0].bytes.clone();
    assert!(matches!(rerun(&changed), Err(ReplayError::Hash { .. })));
    let mut gap = entries.clone();
    gap.remove(70);
    assert!(matches!(rerun(&gap), Err(ReplayError::Gap { got: Tick(72), .. })));
    let mut damaged = entries.clone();
    damaged[90].bytes = vec![0xff; 9];
    assert!(matches!(rerun(&damaged), Err(ReplayError::Entry(_))));
    let mut newer = entries;
    newer[3].version += 1;
    let error = rerun(&newer).unwrap_err();
    assert!(error.to_string().contains("version"), "{error}");
}

#[test]
fn a_snapshot_goes_on_like_the_original() {
    let mut original = zone(3);
    attach(&mut original, 1, true);
    for n in 0..60 {
        commands(&mut original, 1, n + 1, &[Command::Rest]);
        tick(&mut original);
    }
    let bytes = encode_snapshot(&original.state);
    let tick_now = original.state.tick;
    let copy = Replayer::from_snapshot(ZoneId(3), tick_now, sim::VERSION, &bytes).unwrap();
    let mut copy = copy.into_state();
    assert_eq!(sim::hash(&copy), sim::hash(&original.state));
    let mut scratch = Scratch::default();
    let mut out = StepOutput::default();
    for n in 60..160 {
        commands(&mut original, 1, n + 1, &[Command::Rest]);
        let entry = original.begin_tick();
        original.finish_tick();
        sim::step(&mut copy, &entry.inputs().unwrap(), &mut scratch, &mut out);
        assert_eq!(sim::hash(&copy), sim::hash(&original.state), "tick {}", entry.tick);
    }
    assert!(Replayer::from_snapshot(ZoneId(3), tick_now, sim::VERSION, &bytes[..99]).is_err());
    assert!(Replayer::from_snapshot(ZoneId(3), tick_now, 99, &bytes).is_err());
}

#[test]
fn a_bout_is_told_when_it_is_durable_and_until_it_is_recorded() {
    let foe = CharacterId(8);
    let mut zone = Zone::new(generate(&ZoneSpec::arena(ZoneId(1_001), 11)), "arena");
    attach(&mut zone, 1, true);
    attach_as(&mut zone, foe, 1, true);
    tick(&mut zone);
    // Side by side, and one of them hardly stands.
    let state = &mut zone.state;
    let slots = [HERO, foe].map(|character| state.players[&character].slot);
    let from = state.actor(slots[0]).cell;
    let to = state.free_cell_near(from, 1).unwrap();
    Turn { state, events: &mut Vec::new() }.relocate(slots[1], to);
    state.actor_mut(slots[1]).hp = 1;
    let towards = |d: &Direction| state.neighbour(from, *d) == Some(to);
    let direction = Direction::ALL.into_iter().find(towards).unwrap();
    let mut replayer = Replayer::new(zone.state.clone());

    let mut told = Vec::new();
    for n in 0..100 {
        commands(&mut zone, 1, n + 1, &[Command::Move(direction)]);
        let entry = zone.begin_tick();
        zone.finish_tick();
        replayer.apply(&entry).unwrap();
        let bouts = |out: Vec<Output>| -> Vec<Bout> {
            let bout = |output| if let Output::Fought(bout) = output { Some(bout) } else { None };
            out.into_iter().filter_map(bout).collect()
        };
        assert_eq!(bouts(outputs(&mut zone)), []);
        zone.handle_durable(entry.tick);
        told.extend(bouts(outputs(&mut zone)));
        if zone.state.players[&foe].slot == NO_ACTOR {
            let (winners, losers) = (vec![HERO], vec![foe]);
            let expected = Bout { zone: zone.id(), tick: entry.tick, winners, losers };
            assert_eq!(told, [expected]);
            break;
        }
    }
    assert_eq!(told.len(), 1);
    let told = told.remove(0);
    let mut restarted = Zone::new(replayer.into_state(), "arena");
    assert!(matches!(&outputs(&mut restarted)[..], [Output::Fought(bout)] if *bout == told));
    assert_eq!(restarted.unrecorded().collect::<Vec<_>>(), [&told]);
    restarted.handle_recorded(told.tick, HERO);
    tick(&mut restarted);
    assert_eq!(restarted.unrecorded().count(), 1, "another one");
    restarted.handle_recorded(told.tick, foe);
    tick(&mut restarted);
    assert_eq!(restarted.unrecorded().count(), 0);
}

#[test]
fn goodbye_takes_the_character_to_the_store() {
    let mut zone = zone(1);
    attach(&mut zone, 1, true);
    tick(&mut zone);
    zone.handle_message(GATE, ToZone::Detach { character: HERO, attach: 1, leave: true });
    let mut left = None;
    for _ in 0..2_000 {
        for output in tick(&mut zone) {
            if let Output::Depart(departure) = output {
                left = Some(departure);
            }
        }
        if left.is_some() {
            break;
        }
    }
    let left = left.expect("the character goes to rest");
    assert_eq!(left.to, Destination::Store);
    zone.handle_confirmed(left.key);
    tick(&mut zone);
    assert!(zone.is_asleep() && zone.state.departures.is_empty());
}
