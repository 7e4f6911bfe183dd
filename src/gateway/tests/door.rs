//! Who comes in, who has to wait and who has to go.

use super::*;

/// What the last message to a connection says as it is closed.
fn farewell(gateway: &mut Gateway, id: ConnectionId) -> Option<(CloseReason, Duration, String)> {
    outputs(gateway).into_iter().find_map(|output| {
        let Output::Send { connection, message, .. } = output else { return None };
        let Ok(ServerMessage::Close { reason, retry_after_ms, detail }) =
            ServerMessage::decode(&message)
        else {
            return None;
        };
        (connection == id).then(|| (reason, Duration::from_millis(retry_after_ms.into()), detail))
    })
}

fn ban(target: Target, until: Option<u64>) -> Bans {
    let reason = "for cheating".to_owned();
    Bans::new(vec![Ban { target, reason, until: until.map(Duration::from_secs) }])
}

fn account(number: u64) -> Target {
    Target::Account(AccountId(number))
}

#[test]
fn a_ban_closes_at_once_and_keeps_out_until_it_ends() {
    let mut gateway = Gateway::new(Config::default());
    join(&mut gateway, 1, 5);
    join(&mut gateway, 2, 6);
    ask_in(&mut gateway, 3, 5);
    outputs(&mut gateway);
    gateway.handle_bans(T0, ban(account(5), Some(90)));
    let said = (CloseReason::Banned, Duration::from_secs(90), "for cheating".to_owned());
    let out = outputs(&mut gateway);
    for id in [1, 3] {
        let reason = CloseReason::Banned;
        assert!(out.contains(&Output::Close { connection: id, reason }), "{id}: {out:?}");
    }
    assert_eq!(gateway.population(), (1, 1), "the other plays on");
    gateway.handle_admission(T0, 3, Ok(admission(5)));
    assert_eq!(outputs(&mut gateway), [], "what was asked before is of no use");
    ask_in(&mut gateway, 4, 5);
    assert_eq!(farewell(&mut gateway, 4), Some(said));
    assert_eq!(gateway.counters().closes[&CloseReason::Banned], 3);

    let later = Duration::from_secs(90);
    gateway.handle_opened(later, 5, HERE, true);
    gateway.handle_message(later, 5, &hello());
    outputs(&mut gateway);
    gateway.handle_verified(later, 5, Ok(identity(5)));
    assert!(matches!(outputs(&mut gateway)[..], [Output::Admit { connection: 5, .. }]));
    gateway.handle_bans(later, Bans::default());
    assert_eq!(outputs(&mut gateway), []);
}

#[test]
fn a_banned_address_is_closed_before_it_says_anything() {
    let mut gateway = Gateway::new(Config::default());
    join(&mut gateway, 1, 5);
    let network = Target::Address("127.0.0.0/8".parse().unwrap());
    gateway.handle_bans(T0, ban(network, None));
    let said = (CloseReason::Banned, Duration::ZERO, "for cheating".to_owned());
    assert_eq!(farewell(&mut gateway, 1), Some(said.clone()));
    gateway.handle_opened(T0, 2, HERE, true);
    assert_eq!(farewell(&mut gateway, 2), Some(said));
    let elsewhere = "192.0.2.1".parse().unwrap();
    gateway.handle_opened(T0, 3, elsewhere, true);
    assert_eq!(outputs(&mut gateway), []);
}

#[test]
fn whoever_plays_is_told_the_notice_when_it_changes_and_others_once_they_are_welcome() {
    fn told(gateway: &mut Gateway) -> Vec<(ConnectionId, String)> {
        let told = |output| {
            let Output::Send { connection, message, .. } = output else { return None };
            let Ok(ServerMessage::Notice { text }) = ServerMessage::decode(&message) else {
                return None;
            };
            Some((connection, text))
        };
        outputs(gateway).into_iter().filter_map(told).collect()
    }
    let mut gateway = Gateway::new(Config::default());
    join(&mut gateway, 1, 5);
    ask_in(&mut gateway, 2, 6);
    gateway.handle_notice("");
    assert_eq!(told(&mut gateway), [], "there was none before");
    gateway.handle_notice("Noon");
    gateway.handle_notice("Noon");
    assert_eq!(told(&mut gateway), [(1, "Noon".to_owned())]);
    gateway.handle_admission(T0, 2, Ok(admission(6)));
    let (character, attach) = (CharacterId(6), 1 << REATTACH_BITS | 1);
    let attached = FromZone::Attached { character, attach, last_command: 7, name: "Bo".into() };
    assert_eq!(told(&mut gateway), []);
    gateway.handle_bundle(T0, Bundle { zone: ZoneId(1), tick: 1, items: vec![attached] });
    assert_eq!(told(&mut gateway), [(2, "Noon".to_owned())]);
    gateway.handle_notice("");
    assert_eq!(told(&mut gateway), [(1, String::new()), (2, String::new())]);
}

#[test]
fn while_nobody_new_is_let_in_sessions_go_on() {
    let mut gateway = Gateway::new(Config::default());
    gateway.handle_admitting(false);
    ask_in(&mut gateway, 1, 5);
    let (reason, wait, _) = farewell(&mut gateway, 1).unwrap();
    assert!(reason == CloseReason::Later && wait >= Duration::from_secs(1), "{reason:?} {wait:?}");
    gateway.handle_opened(T0, 2, HERE, true);
    gateway.handle_message(T0, 2, &hello());
    outputs(&mut gateway);
    let resumes = Some((SessionId(50), CharacterId(5)));
    gateway.handle_verified(T0, 2, Ok(Identity { resumes, ..identity(5) }));
    assert!(matches!(outputs(&mut gateway)[..], [Output::Admit { connection: 2, .. }]));
    gateway.handle_admitting(true);
    ask_in(&mut gateway, 3, 6);
    assert!(matches!(outputs(&mut gateway)[..], [Output::Admit { connection: 3, .. }]));
}

#[test]
fn whoever_is_kicked_is_told_why_and_nobody_else_is_closed() {
    let mut gateway = Gateway::new(Config::default());
    let attach = join(&mut gateway, 1, 5);
    assert!(!gateway.handle_kick(CharacterId(6), "idle"));
    assert!(gateway.handle_kick(CharacterId(5), "idle"));
    let [ended] = gateway.take_ended()[..] else { panic!("one connection has ended") };
    assert_eq!((ended.present.account, ended.reason), (AccountId(5), Some(CloseReason::Kicked)));
    let join = Join::of_attach(SessionId(50), attach);
    assert_eq!((ended.join, join.to_string()), (join, "32-1".to_owned()));
    let said = (CloseReason::Kicked, Duration::ZERO, "idle".to_owned());
    assert_eq!(farewell(&mut gateway, 1), Some(said));
    assert!(!CloseReason::Kicked.is_temporary());
}

#[test]
fn goodbye_to_a_session_that_was_not_taken_up_yet_ends_it() {
    let mut gateway = Gateway::new(Config::default());
    for (id, resumes) in [(1, Some((SessionId(50), CharacterId(5)))), (2, None)] {
        gateway.handle_opened(T0, id, HERE, true);
        gateway.handle_message(T0, id, &hello());
        gateway.handle_message(T0, id, &ClientMessage::Bye.encode());
        outputs(&mut gateway);
        gateway.handle_verified(T0, id, Ok(Identity { resumes, ..identity(5) }));
        let out = outputs(&mut gateway);
        let ends = matches!(out[..], [Output::End { session: SessionId(50), .. }]);
        assert_eq!(ends, resumes.is_some(), "{out:?}");
    }
}

/// Joins until one has to wait; how many came in, and how long it has to wait.
fn crowd(
    gateway: &mut Gateway,
    now: Duration,
    mut join: impl FnMut(&mut Gateway, u64),
) -> (u64, Duration) {
    for count in 0.. {
        let id = now.as_millis() as u64 * 100_000 + count;
        gateway.handle_opened(now, id, HERE, true);
        gateway.handle_message(now, id, &hello());
        join(gateway, id);
        let out = outputs(gateway);
        let closed = out.iter().find_map(|output| {
            let Output::Send { message, .. } = output else { return None };
            ServerMessage::decode(message).ok()
        });
        if let Some(ServerMessage::Close { reason, retry_after_ms, .. }) = closed {
            assert_eq!(reason, CloseReason::Later);
            return (count, Duration::from_millis(retry_after_ms.into()));
        }
        gateway.handle_ended(id, None);
    }
    unreachable!("somebody has to wait")
}

#[test]
fn an_account_that_joins_too_often_comes_in_again_when_it_was_told() {
    let mut gateway = Gateway::new(Config::default());
    let again = |gateway: &mut Gateway, now: Duration| {
        crowd(gateway, now, |gateway, id| gateway.handle_verified(now, id, Ok(identity(5))))
    };
    let (count, wait) = again(&mut gateway, T0);
    assert_eq!((count, wait), (30, Duration::from_secs(1)));
    assert_eq!(gateway.counters().joins_refused, 1);
    ask_in(&mut gateway, 1, 6);
    assert!(matches!(outputs(&mut gateway)[..], [Output::Admit { .. }]), "others come in");
    assert_eq!(again(&mut gateway, wait).0, 1);
}

#[test]
fn limits_hold_over_two_gateways() {
    let config =
        |id| Config { id: GatewayId(id), connections_per_address_max: 32, ..Config::default() };
    let [mut one, mut two] = [1, 2].map(|id| Gateway::new(config(id)));
    let tell = |from: &mut Gateway, to: &mut Gateway, now| {
        let told = from.tell_usage(now);
        to.handle_usage(now, from.config.id, told.clone());
        told
    };
    // Joins of an address: all are used up at one, so none is left at the other.
    let (count, _) = crowd(&mut one, T0, |_, _| {});
    assert_eq!(count, 32);
    tell(&mut one, &mut two, T0);
    let (count, wait) = crowd(&mut two, T0, |_, _| {});
    assert_eq!((count, wait), (0, Duration::from_millis(1_875)));
    assert_eq!(tell(&mut one, &mut two, T0), [], "what was told is not told again");

    // Connections: those at one count at the other, for as long as they are told.
    let later = Duration::from_secs(300);
    for id in 0..30 {
        one.handle_opened(later, 7_000 + id, HERE, true);
    }
    tell(&mut one, &mut two, later);
    for (id, reason) in [(1, None), (2, None), (3, Some(CloseReason::Full))] {
        two.handle_opened(later, id, HERE, true);
        assert_eq!(closed_with(&mut two, id), reason, "{id}");
    }
    let silent = later + Duration::from_secs(5);
    two.handle_opened(silent, 4, HERE, true);
    assert_eq!(closed_with(&mut two, 4), None, "the other gateway is gone");

    // Commands of an account.
    let [mut one, mut two] = [1, 2].map(|id| Gateway::new(config(id)));
    for id in 1..=4 {
        join(&mut one, id, id);
        join(&mut two, id, id + 10);
    }
    for gateway in [&mut one, &mut two] {
        let all = gateway.connections.values_mut();
        all.for_each(|connection| connection.account = Some(AccountId(1)));
    }
    for (id, round) in (1..=4).flat_map(|id| [(id, 0), (id, 1)]) {
        one.handle_message(T0, id, &input(8 + 32 * round, 32));
    }
    assert_eq!(closed_with(&mut one, 4), None);
    tell(&mut one, &mut two, T0);
    two.handle_message(T0, 1, &input(8, 32));
    two.handle_message(T0, 2, &input(8, 32));
    assert_eq!(closed_with(&mut two, 2), None);
    two.handle_message(T0, 3, &input(8, 32));
    assert_eq!(closed_with(&mut two, 3), Some(CloseReason::Flooding));
}

#[test]
fn little_use_is_not_told_and_nothing_is_remembered_of_who_is_gone() {
    let mut gateway = Gateway::new(Config::default());
    join(&mut gateway, 1, 5);
    // One of the 30 joins of an account is told, one of the 2,000 of an address is not.
    let told = gateway.tell_usage(T0);
    let user = User::Account(AccountId(5));
    let amounts = Amounts { joins: 1, ..told[0].amounts };
    assert_eq!(told, [Used { user, connections: 1, amounts }]);
    gateway.handle_message(T0, 1, &input(8, 1));
    assert_eq!(gateway.tell_usage(T0), []);
    gateway.handle_ended(1, None);
    gateway.tell_usage(Duration::from_secs(60));
    assert_eq!(gateway.usage.users(), 0);
}
