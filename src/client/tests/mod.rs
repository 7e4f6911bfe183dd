//! A client against a scripted server that speaks the real protocol over a bad link.

mod link;
mod walking;

use std::time::Duration;

use link::{Fault, World};

use super::outbox::WAITING_MAX;
use super::{Client, Config, Credentials, GiveUp, Output};
use crate::model::{CharacterId, Command, Direction, SessionId};
use crate::protocol::{ClientMessage, CloseReason, ServerMessage, VERSION};

fn client() -> Client {
    let credentials =
        Credentials { token: "t".into(), character: CharacterId(5), resume: String::new() };
    Client::new(Config::new(credentials, true, 7))
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn welcome(last_command: u32) -> Vec<u8> {
    ServerMessage::Welcome {
        version: VERSION,
        session: SessionId(1),
        character: CharacterId(5),
        last_command,
        ticks_per_second: 20,
        name: "Ada".into(),
        resume: "again".into(),
    }
    .encode()
}

fn close(reason: CloseReason) -> Vec<u8> {
    ServerMessage::Close { reason, retry_after_ms: 0, detail: String::new() }.encode()
}

/// What the client wants, with messages decoded.
fn outputs(client: &mut Client) -> (Vec<ClientMessage>, Vec<Output>) {
    let (mut sent, mut rest) = (Vec::new(), Vec::new());
    while let Some(output) = client.poll_output() {
        if let Output::Send(bytes) = output {
            sent.push(ClientMessage::decode(&bytes).unwrap());
        } else {
            rest.push(output);
        }
    }
    (sent, rest)
}

fn joined(client: &mut Client, now: Duration, last_command: u32) {
    let due = client.poll_timeout().unwrap().max(now);
    client.handle_timeout(due);
    client.handle_open(due);
    client.handle_message(due, &welcome(last_command));
    outputs(client);
    assert!(client.is_playing());
}

#[test]
fn hello_comes_first_and_commands_follow_the_number_of_the_welcome() {
    let mut client = client();
    assert_eq!(client.command(ms(0), Command::Rest), None, "no number is known yet");
    client.handle_timeout(ms(0));
    assert_eq!(outputs(&mut client).1, [Output::Connect { resume: false }]);
    client.handle_open(ms(1));
    let (sent, _) = outputs(&mut client);
    assert!(matches!(&sent[..], [ClientMessage::Hello { token, .. }] if token == "t"), "{sent:?}");
    client.handle_message(ms(2), &welcome(41));
    assert_eq!(client.command(ms(3), Command::Rest), Some(42));
    let (sent, _) = outputs(&mut client);
    let expected = ClientMessage::Input {
        last_frame: 0,
        keyframe: false,
        first: 42,
        commands: vec![Command::Rest],
    };
    assert_eq!(sent.last(), Some(&expected));
    for number in 43..50 {
        assert_eq!(client.command(ms(4), Command::Search), Some(number));
    }
    assert_eq!(client.waiting(), WAITING_MAX);
    assert_eq!(client.command(ms(4), Command::Search), None, "as many as a zone queues");
}

#[test]
fn what_was_not_acknowledged_is_sent_again_under_its_number() {
    let mut client = client();
    joined(&mut client, ms(0), 0);
    client.command(ms(1), Command::Rest);
    client.command(ms(1), Command::Move(Direction::East));
    client.command(ms(1), Command::Search);
    client.handle_closed(ms(50), None);
    client.command(ms(51), Command::PickUp);
    outputs(&mut client);
    let due = client.poll_timeout().unwrap();
    assert!(due > ms(50) && due < ms(400), "{due:?}");
    client.handle_timeout(due);
    assert_eq!(outputs(&mut client).1, [Output::Connect { resume: true }]);
    client.handle_open(due);
    client.handle_message(due, &welcome(1));
    let (sent, _) = outputs(&mut client);
    assert!(matches!(&sent[0], ClientMessage::Hello { resume, .. } if resume == "again"));
    let again = vec![Command::Move(Direction::East), Command::Search, Command::PickUp];
    let expected =
        ClientMessage::Input { last_frame: 0, keyframe: false, first: 2, commands: again };
    assert_eq!(sent[1], expected);
    assert_eq!((client.stats().resumes, client.last_acknowledged()), (1, 1));
}

#[test]
fn a_notice_is_told_once_though_every_connection_says_it() {
    let mut client = client();
    let notice = |text: &str| ServerMessage::Notice { text: text.to_owned() }.encode();
    joined(&mut client, ms(0), 0);
    assert_eq!(client.take_notice(), None);
    client.handle_message(ms(1), &notice("Noon"));
    assert_eq!(client.take_notice().as_deref(), Some("Noon"));
    client.handle_closed(ms(50), None);
    joined(&mut client, ms(60), 0);
    client.handle_message(ms(900), &notice("Noon"));
    assert_eq!(client.take_notice(), None);
    for (said, told) in [("Dusk", Some("Dusk")), ("", None), ("Dusk", Some("Dusk"))] {
        client.handle_message(ms(901), &notice(said));
        assert_eq!(client.take_notice().as_deref(), told);
    }
    assert_eq!(client.stats().broken_messages, 0);
}

#[test]
fn an_ended_session_falls_back_on_the_token_once() {
    let mut client = client();
    joined(&mut client, ms(0), 0);
    client.handle_closed(ms(10), None);
    let due = client.poll_timeout().unwrap();
    client.handle_timeout(due);
    client.handle_open(due);
    client.handle_message(due, &close(CloseReason::Unauthenticated));
    outputs(&mut client);
    let due = client.poll_timeout().expect("it tries again");
    client.handle_timeout(due);
    client.handle_open(due);
    let (sent, _) = outputs(&mut client);
    assert!(matches!(&sent[0], ClientMessage::Hello { token, .. } if token == "t"));
    client.handle_message(due, &close(CloseReason::Unauthenticated));
    let over = Output::GiveUp(GiveUp::Closed(CloseReason::Unauthenticated));
    assert_eq!(outputs(&mut client).1.last(), Some(&over));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn reasons_are_final_or_temporary_and_patience_ends() {
    for &reason in CloseReason::ALL {
        let mut client = client();
        joined(&mut client, ms(0), 0);
        client.handle_message(ms(20), &close(reason));
        assert_eq!(client.poll_timeout().is_some(), reason.is_temporary(), "{reason:?}");
    }
    let mut client = client();
    let mut attempts = 0;
    while let Some(due) = client.poll_timeout() {
        client.handle_timeout(due);
        client.handle_closed(due, None);
        attempts += 1;
    }
    let (_, rest) = outputs(&mut client);
    assert_eq!(rest.last(), Some(&Output::GiveUp(GiveUp::Unreachable)));
    assert!((15..60).contains(&attempts), "{attempts}");
}

#[test]
fn a_server_that_forgot_acknowledged_commands_is_noticed() {
    let mut client = client();
    joined(&mut client, ms(0), 10);
    client.command(ms(1), Command::Rest);
    client.handle_closed(ms(2), None);
    joined(&mut client, ms(3), 8);
    assert_eq!((client.stats().rollbacks, client.waiting()), (1, 0));
    assert_eq!(client.command(ms(900), Command::Rest), Some(9));
}

#[test]
fn silence_ends_a_connection() {
    let mut client = client();
    joined(&mut client, ms(0), 0);
    while let Some(due) = client.poll_timeout().filter(|_| client.is_playing()) {
        client.handle_timeout(due);
    }
    let (sent, rest) = outputs(&mut client);
    assert_eq!(rest, [Output::Disconnect]);
    let pings = sent.iter().filter(|m| matches!(m, ClientMessage::Ping { .. })).count();
    assert_eq!(pings, 3);
}

#[test]
fn no_command_is_lost_or_carried_out_twice() {
    let quiet = Fault::default();
    let lossy = Fault { loss: 20, twice: 10, late: 25, ..quiet };
    let cut = Fault { cut: 2, ..quiet };
    let forgetful = Fault { swallow: 20, cut: 1, ..lossy };
    for (seed, fault) in [quiet, lossy, cut, forgetful].into_iter().enumerate() {
        for round in 0..8 {
            let mut world = World::new(seed as u64 * 100 + round, fault);
            world.run(1_200);
            world.settle();
            world.check();
        }
    }
}
