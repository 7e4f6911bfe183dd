mod door;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;
use crate::model::Command;
use crate::protocol::bus::{Bundle, FromZone};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const T0: Duration = Duration::ZERO;

fn hello() -> Vec<u8> {
    ClientMessage::Hello {
        version: crate::protocol::VERSION,
        token: "t".into(),
        character: CharacterId(0),
        resume: String::new(),
        datagrams: false,
    }
    .encode()
}

fn input(first: u32, count: usize) -> Vec<u8> {
    let commands = vec![Command::Rest; count];
    ClientMessage::Input { last_frame: 0, keyframe: false, first, commands }.encode()
}

fn outputs(gateway: &mut Gateway) -> Vec<Output> {
    gateway.flush();
    std::iter::from_fn(|| gateway.poll_output()).collect()
}

fn admission(character: u64) -> Admission {
    Admission {
        session: SessionId(character * 10),
        take_over: 1,
        character: CharacterId(character),
        resume: "resume".into(),
        located: Located { zone: ZoneId(1), sheet: Some(vec![1]) },
    }
}

/// Whose the tokens of a Hello are that has its own session; the account's number is the
/// character's.
fn identity(account: u64) -> Identity {
    Identity { account: AccountId(account), resumes: None }
}

/// Opens connection `id` and has it say Hello for somebody who may come in.
fn ask_in(gateway: &mut Gateway, id: ConnectionId, account: u64) {
    gateway.handle_opened(T0, id, HERE, true);
    gateway.handle_message(T0, id, &hello());
    assert!(outputs(gateway).iter().any(|o| matches!(o, Output::Verify { .. })));
    gateway.handle_verified(T0, id, Ok(identity(account)));
}

/// Lets connection `id` in and returns its attach number.
fn join(gateway: &mut Gateway, id: ConnectionId, character: u64) -> u64 {
    ask_in(gateway, id, character);
    assert!(outputs(gateway).iter().any(|o| matches!(o, Output::Admit { .. })));
    gateway.handle_admission(T0, id, Ok(admission(character)));
    let attach = outputs(gateway)
        .into_iter()
        .find_map(|o| match o {
            Output::ToZone { messages, .. } => messages.into_iter().find_map(|m| match m {
                ToZone::Attach { attach, .. } => Some(attach),
                ToZone::Detach { .. } | ToZone::Input { .. } => None,
            }),
            Output::Send { .. }
            | Output::Close { .. }
            | Output::Verify { .. }
            | Output::Admit { .. }
            | Output::End { .. }
            | Output::Locate { .. } => None,
        })
        .unwrap();
    let character = CharacterId(character);
    let attached = FromZone::Attached { character, attach, last_command: 7, name: "Ada".into() };
    let bundle = Bundle { zone: ZoneId(1), tick: 1, items: vec![attached] };
    gateway.handle_bundle(T0, bundle);
    let sent = outputs(gateway);
    let Output::Send { connection, message, .. } = &sent[0] else { panic!("{sent:?}") };
    assert_eq!(*connection, id);
    let welcome = ServerMessage::decode(message).unwrap();
    assert!(matches!(welcome, ServerMessage::Welcome { last_command: 7, .. }), "{welcome:?}");
    attach
}

fn closed_with(gateway: &mut Gateway, id: ConnectionId) -> Option<CloseReason> {
    outputs(gateway).into_iter().find_map(|output| {
        let Output::Close { connection, reason } = output else { return None };
        (connection == id).then_some(reason)
    })
}

#[test]
fn commands_of_many_players_travel_as_one_batch_a_zone() {
    let mut gateway = Gateway::new(Config::default());
    for id in 1..=3 {
        join(&mut gateway, id, id);
    }
    for id in 1..=3 {
        gateway.handle_message(T0, id, &input(8, 2));
    }
    let out = outputs(&mut gateway);
    assert_eq!(out.len(), 1);
    assert!(matches!(&out[0], Output::ToZone { zone: ZoneId(1), messages } if messages.len() == 3));
}

#[test]
fn a_second_connection_takes_the_character_over_and_old_frames_go_nowhere() {
    let mut gateway = Gateway::new(Config::default());
    let old = join(&mut gateway, 1, 5);
    ask_in(&mut gateway, 2, 5);
    outputs(&mut gateway);
    gateway.handle_admission(T0, 2, Ok(Admission { take_over: 2, ..admission(5) }));
    let out = outputs(&mut gateway);
    assert!(out.contains(&Output::Close { connection: 1, reason: CloseReason::Superseded }));
    let Some(Output::ToZone { messages, .. }) = out.last() else { panic!("{out:?}") };
    assert!(matches!(messages[0], ToZone::Detach { attach, leave: false, .. } if attach == old));
    assert!(matches!(messages[1], ToZone::Attach { .. }));
    let character = CharacterId(5);
    let frame = FromZone::Frame { character, attach: old, message: Bytes::from_static(&[2]) };
    gateway.handle_bundle(T0, Bundle { zone: ZoneId(1), tick: 2, items: vec![frame] });
    assert_eq!(outputs(&mut gateway), []);
}

#[test]
fn every_mistake_of_a_peer_has_its_close_reason() {
    let cases: [(&str, Vec<u8>, CloseReason); 5] = [
        ("random bytes", vec![99, 1, 2], CloseReason::Malformed),
        ("truncated", hello()[..5].to_vec(), CloseReason::Malformed),
        ("oversized", vec![1; 3_000], CloseReason::TooLarge),
        ("input before hello", input(1, 1), CloseReason::OutOfOrder),
        ("another version", vec![1, 0xff, 0xff], CloseReason::Version),
    ];
    for (what, bytes, reason) in cases {
        let mut gateway = Gateway::new(Config::default());
        gateway.handle_opened(T0, 1, HERE, true);
        gateway.handle_message(T0, 1, &bytes);
        assert_eq!(closed_with(&mut gateway, 1), Some(reason), "{what}");
        assert_eq!(gateway.counters().closes[&reason], 1, "{what}");
        assert_eq!(gateway.population(), (0, 0));
    }
    let mut gateway = Gateway::new(Config::default());
    gateway.handle_opened(T0, 1, HERE, true);
    gateway.handle_message(T0, 1, &hello());
    outputs(&mut gateway);
    gateway.handle_verified(T0, 1, Err(CloseReason::Unauthenticated));
    assert_eq!(closed_with(&mut gateway, 1), Some(CloseReason::Unauthenticated));
    let mut gateway = Gateway::new(Config::default());
    join(&mut gateway, 1, 5);
    gateway.handle_message(T0, 1, &hello());
    assert_eq!(closed_with(&mut gateway, 1), Some(CloseReason::OutOfOrder), "a second hello");
}

#[test]
fn floods_are_cut_off_and_only_the_flooder_notices() {
    let mut gateway = Gateway::new(Config::default());
    join(&mut gateway, 1, 5);
    join(&mut gateway, 2, 6);
    for n in 0..4 {
        gateway.handle_message(T0, 1, &input(8 + n * 32, 32));
        gateway.handle_message(T0, 2, &input(8 + n, 1));
    }
    assert_eq!(closed_with(&mut gateway, 1), Some(CloseReason::Flooding));
    assert_eq!(gateway.population(), (1, 1));
    assert_eq!(gateway.counters().rate_limited, 1);
}

#[test]
fn half_open_connections_are_bounded_and_expire() {
    let config = Config { connections_per_address_max: 3, ..Config::default() };
    let mut gateway = Gateway::new(config);
    for id in 1..=4 {
        gateway.handle_opened(T0, id, HERE, true);
    }
    assert_eq!(closed_with(&mut gateway, 4), Some(CloseReason::Full));
    gateway.handle_timeout(Duration::from_secs(5));
    assert_eq!(gateway.population().0, 3);
    gateway.handle_timeout(Duration::from_millis(5_001));
    assert_eq!(gateway.population().0, 0);
    assert_eq!(gateway.counters().closes[&CloseReason::Idle], 3);
}

#[test]
fn a_slow_reader_misses_frames_gets_a_keyframe_and_is_let_go_in_the_end() {
    let mut gateway = Gateway::new(Config::default());
    let attach = join(&mut gateway, 1, 5);
    let character = CharacterId(5);
    let frame = || FromZone::Frame { character, attach, message: Bytes::from_static(&[2]) };
    let bundle = |tick| Bundle { zone: ZoneId(1), tick, items: vec![frame()] };
    gateway.handle_slow(T0, 1);
    gateway.handle_bundle(T0, bundle(2));
    assert_eq!(outputs(&mut gateway), []);
    assert_eq!(gateway.counters().frames_dropped, 2);
    gateway.handle_drained(1);
    let out = outputs(&mut gateway);
    let Output::ToZone { messages, .. } = &out[0] else { panic!("{out:?}") };
    assert!(matches!(messages[0], ToZone::Input { keyframe: true, .. }));
    gateway.handle_bundle(T0, bundle(3));
    assert_eq!(outputs(&mut gateway).len(), 1);
    gateway.handle_slow(T0, 1);
    gateway.handle_timeout(Duration::from_secs(11));
    assert_eq!(closed_with(&mut gateway, 1), Some(CloseReason::TooSlow));
}

#[test]
fn a_character_that_moves_is_followed_and_a_lost_one_is_looked_for() {
    let mut gateway = Gateway::new(Config::default());
    let attach = join(&mut gateway, 1, 5);
    let character = CharacterId(5);
    let moved = FromZone::Moved { character, attach, zone: ZoneId(2) };
    gateway.handle_bundle(T0, Bundle { zone: ZoneId(1), tick: 2, items: vec![moved] });
    let out = outputs(&mut gateway);
    let Output::ToZone { zone: ZoneId(2), messages } = &out[0] else { panic!("{out:?}") };
    let ToZone::Attach { attach, sheet: None, .. } = messages[0] else { panic!("{out:?}") };
    let not_here = FromZone::NotHere { character, attach };
    gateway.handle_bundle(T0, Bundle { zone: ZoneId(2), tick: 2, items: vec![not_here] });
    assert_eq!(outputs(&mut gateway), [Output::Locate { connection: 1, character, take_over: 1 }]);
    gateway.handle_located(T0, 1, character, Located { zone: ZoneId(3), sheet: None });
    let out = outputs(&mut gateway);
    assert!(matches!(out[0], Output::ToZone { zone: ZoneId(3), .. }), "{out:?}");
}

#[test]
fn draining_closes_everyone_with_a_reason_to_come_back() {
    let mut gateway = Gateway::new(Config::default());
    join(&mut gateway, 1, 5);
    gateway.handle_drain();
    assert_eq!(closed_with(&mut gateway, 1), Some(CloseReason::Draining));
    gateway.handle_opened(T0, 2, HERE, true);
    assert_eq!(closed_with(&mut gateway, 2), Some(CloseReason::Draining));
}

#[test]
fn who_hears_no_zone_sends_everybody_elsewhere_until_it_does_again() {
    let mut gateway = Gateway::new(Config::default());
    join(&mut gateway, 1, 5);
    gateway.handle_cut_off(true);
    assert_eq!(closed_with(&mut gateway, 1), Some(CloseReason::Draining));
    gateway.handle_opened(T0, 2, HERE, true);
    assert_eq!(closed_with(&mut gateway, 2), Some(CloseReason::Draining));
    gateway.handle_cut_off(false);
    join(&mut gateway, 3, 5);
    gateway.handle_cut_off(false);
    assert_eq!(closed_with(&mut gateway, 3), None);
}

#[test]
fn goodbye_before_the_hello_is_answered_ends_the_session_all_the_same() {
    let mut gateway = Gateway::new(Config::default());
    for (id, answer) in [(1, Ok(admission(5))), (2, Err(CloseReason::Superseded))] {
        ask_in(&mut gateway, id, 5);
        gateway.handle_message(T0, id, &ClientMessage::Bye.encode());
        assert_eq!(closed_with(&mut gateway, id), None, "its session is not known yet");
        let is_let_in = answer.is_ok();
        gateway.handle_admission(T0, id, answer);
        if is_let_in {
            let (character, session) = (CharacterId(5), SessionId(50));
            let end = Output::End { connection: id, character, session };
            assert_eq!(outputs(&mut gateway), [end]);
            gateway.handle_admission(T0, id, Err(CloseReason::Goodbye));
        }
        assert_eq!(closed_with(&mut gateway, id), Some(CloseReason::Goodbye));
    }
}

/// What a flush sends to zone 1.
fn to_zone(gateway: &mut Gateway) -> Vec<ToZone> {
    let sent = outputs(gateway).into_iter().filter_map(|output| {
        let Output::ToZone { zone: ZoneId(1), messages } = output else { return None };
        Some(messages)
    });
    sent.flatten().collect()
}

fn losing() -> Gateway {
    Gateway::new(Config { zone_silence: Some(Duration::from_secs(1)), ..Config::default() })
}

#[test]
fn what_is_said_while_a_zone_moves_waits_and_follows_the_new_attach() {
    let mut gateway = losing();
    let old = join(&mut gateway, 1, 5);
    gateway.handle_zone_down(T0, ZoneId(1));
    gateway.handle_message(T0, 1, &input(8, 2));
    assert_eq!(to_zone(&mut gateway), []);
    gateway.handle_zone_up(T0, ZoneId(1));
    let sent = to_zone(&mut gateway);
    let [ToZone::Attach { attach, sheet: None, .. }, ToZone::Input { attach: of, first: 8, .. }] =
        &sent[..]
    else {
        panic!("{sent:?}")
    };
    assert!(attach > &old && of == attach);
}

#[test]
fn a_zone_that_never_comes_up_is_not_waited_for_for_ever() {
    let mut gateway = losing();
    join(&mut gateway, 1, 5);
    gateway.handle_zone_down(T0, ZoneId(1));
    gateway.handle_message(T0, 1, &input(8, 1));
    gateway.handle_timeout(Duration::from_millis(4_900));
    assert_eq!(to_zone(&mut gateway), []);
    gateway.handle_timeout(Duration::from_millis(5_000));
    assert!(matches!(to_zone(&mut gateway)[..], [ToZone::Input { .. }]));
}

#[test]
fn a_sheet_that_waits_for_a_zone_comes_with_the_new_attach() {
    let mut gateway = losing();
    ask_in(&mut gateway, 1, 5);
    gateway.handle_zone_down(T0, ZoneId(1));
    gateway.handle_admission(T0, 1, Ok(admission(5)));
    gateway.handle_zone_up(T0, ZoneId(1));
    let sent = to_zone(&mut gateway);
    assert!(matches!(&sent[..], [ToZone::Attach { sheet: Some(_), .. }]), "{sent:?}");
}

#[test]
fn a_silent_zone_is_asked_again_where_messages_get_lost() {
    for is_losing in [true, false] {
        let mut gateway = if is_losing { losing() } else { Gateway::new(Config::default()) };
        let attach = join(&mut gateway, 1, 5);
        let at = Duration::from_millis;
        let character = CharacterId(5);
        let frame = FromZone::Frame { character, attach, message: Bytes::from_static(&[2]) };
        let bundle = Bundle { zone: ZoneId(1), tick: 2, items: vec![frame] };
        gateway.handle_bundle(at(500), bundle);
        outputs(&mut gateway);
        gateway.handle_timeout(at(1_400));
        assert_eq!(outputs(&mut gateway), []);
        gateway.handle_timeout(at(1_500));
        let asks = Output::Locate { connection: 1, character, take_over: 1 };
        assert_eq!(outputs(&mut gateway), if is_losing { vec![asks] } else { Vec::new() });
    }
}

#[test]
fn a_zone_that_missed_a_goodbye_is_told_again_and_one_that_lost_the_character_is_believed() {
    let mut gateway = losing();
    let attach = join(&mut gateway, 1, 5);
    let character = CharacterId(5);
    let frame = FromZone::Frame { character: CharacterId(6), attach: 9, message: Bytes::new() };
    let superseded = FromZone::Superseded { character, attach };
    let items = vec![frame, superseded];
    gateway.handle_bundle(T0, Bundle { zone: ZoneId(1), tick: 2, items });
    let out = outputs(&mut gateway);
    let reason = CloseReason::Superseded;
    assert!(out.contains(&Output::Close { connection: 1, reason }), "{out:?}");
    let Some(Output::ToZone { messages, .. }) = out.last() else { panic!("{out:?}") };
    let gone = ToZone::Detach { character: CharacterId(6), attach: 9, leave: false };
    assert!(messages.contains(&gone), "{messages:?}");
}
