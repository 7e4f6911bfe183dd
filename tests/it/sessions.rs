//! Sessions outlive connections, transports and servers.

use std::collections::BTreeMap;
use std::fs;

use undercroft::cli::http::Login;
use undercroft::client::{Client, Credentials, GiveUp};
use undercroft::model::{AccountId, CharacterId, Command, Direction, SessionId};
use undercroft::net::Transport;
use undercroft::protocol::view::state;
use undercroft::protocol::{ClientMessage, CloseReason, Event, ServerMessage};
use undercroft::services::{Claims, Kind, Tokens};

use crate::rig::player::Player;
use crate::rig::server::{Addresses, Local, Process};
use crate::rig::wire::{CARRIERS, Wire, hello};
use crate::rig::{Scratch, eventually, play};

/// A few steps, so that the character is somewhere and numbers have moved on.
async fn walk(player: &mut Player) {
    for direction in [Direction::North, Direction::East, Direction::South] {
        player.act(Command::Move(direction)).await;
    }
    player.act(Command::Search).await;
}

/// What a character carries, without the letters: slots and how many of which look.
fn belongings(player: &Player) -> (u32, Vec<(u8, u8)>) {
    let view = player.view();
    (view.me.gold, view.inventory.iter().map(|i| (i.look, i.count)).collect())
}

/// Waits until the observer sees `name` with or without a guard.
async fn sees_guarded(observer: &mut Player, name: &str, guarded: bool) {
    observer
        .until("the other player's guard", |client| {
            let view = client.view()?;
            let other = view.actors.iter().find(|actor| &*actor.name == name)?;
            ((other.state & state::GUARDED != 0) == guarded).then_some(())
        })
        .await;
}

#[test]
fn a_session_goes_on_after_a_cut_and_over_another_transport() {
    let server = Local::start("cut", "monsters_per_zone = 0\n");
    play(async {
        let mut player = Player::join(server.at, Transport::WebSocket).await;
        let mut observer = Player::join(server.at, Transport::Quic).await;
        let name = player.name();
        sees_guarded(&mut observer, &name, false).await;
        let ways = [Transport::WebSocket, Transport::Quic, Transport::WebTransport];
        for (resumes, transport) in (1..).zip(ways) {
            walk(&mut player).await;
            // Acknowledged commands wait for their turn.
            player.frames(30).await;
            let (at, last) = (player.view().me.pos, player.client.last_acknowledged());
            let session = player.client.session().unwrap().id;
            player.cut();
            sees_guarded(&mut observer, &name, true).await;
            player.change(transport);
            let is_back = |client: &mut Client| {
                (client.stats().resumes == resumes && client.is_playing()).then_some(())
            };
            player.until("the way back", is_back).await;
            player.frames(2).await;
            assert_eq!(player.view().me.pos, at, "over {transport:?}");
            assert_eq!(player.client.session().unwrap().id, session);
            assert_eq!(player.client.session().unwrap().last_command, last);
            assert_eq!(player.command(Command::Search).await, last + 1, "numbers go on");
            sees_guarded(&mut observer, &name, false).await;
        }
        assert_eq!(player.client.stats().rollbacks, 0);
    });
}

#[test]
fn commands_given_just_before_a_cut_are_done_once() {
    let server = Local::start("resend", "monsters_per_zone = 0\n");
    play(async {
        let mut observer = Player::join(server.at, Transport::WebSocket).await;
        for transport in CARRIERS {
            let mut player = Player::join(server.at, transport).await;
            let lines = ["one", "two", "three", "four"];
            let mut last = 0;
            for (number, text) in lines.into_iter().enumerate() {
                last = player.command(Command::Chat { text: text.into() }).await;
                if number % 2 == 1 {
                    player.cut();
                }
            }
            let done = |client: &mut Client| (client.last_acknowledged() >= last).then_some(());
            player.until("every command", done).await;
            let name = player.name();
            let mut heard = Vec::new();
            observer
                .until("every line", |client| {
                    for event in client.take_events() {
                        if let Event::Chat { from, text } = event
                            && from == name
                        {
                            heard.push(text);
                        }
                    }
                    (heard.len() >= lines.len()).then_some(())
                })
                .await;
            observer.frames(5).await;
            let more = observer.client.take_events();
            assert!(!more.iter().any(|e| matches!(e, Event::Chat { from, .. } if *from == name)));
            assert_eq!(heard, lines, "over {transport:?}");
        }
    });
}

#[test]
fn what_was_acknowledged_is_done_although_the_connection_was_lost() {
    let server = Local::start("queued", "monsters_per_zone = 0\n");
    play(async {
        for transport in CARRIERS {
            let mut player = Player::join(server.at, transport).await;
            let slots: Vec<u8> = player.view().inventory.iter().map(|i| i.slot).collect();
            assert!(slots.len() >= 3, "a new character has something to drop");
            let mut last = 0;
            for slot in slots {
                last = player.command(Command::Drop { slot }).await;
            }
            let known = |client: &mut Client| (client.last_acknowledged() >= last).then_some(());
            player.until("the acknowledgement", known).await;
            player.cut();
            let empty = |client: &mut Client| {
                (client.stats().resumes == 1 && client.view()?.inventory.is_empty()).then_some(())
            };
            player.until("empty hands", empty).await;
        }
    });
}

#[test]
fn a_session_goes_on_after_the_server_was_stopped_and_started() {
    let scratch = Scratch::new("restart");
    let data = scratch.file("data");
    let server = Process::start(&data, Addresses::lasting(), &["--monsters-per-zone", "0"]);
    let at = server.at;
    play(async {
        let mut players = Vec::new();
        for transport in CARRIERS {
            let mut player = Player::join(at, transport).await;
            walk(&mut player).await;
            players.push(player);
        }
        // What is acknowledged may still wait for its turn, and whoever came later may push past
        // the others: until nothing moves any more.
        let stand = |players: &[Player]| -> Vec<_> {
            let stand = |p: &Player| (p.view().me.pos, p.client.last_acknowledged(), belongings(p));
            players.iter().map(stand).collect()
        };
        let mut before = stand(&players);
        loop {
            for player in &mut players {
                player.frames(20).await;
            }
            let now = stand(&players);
            if std::mem::replace(&mut before, now.clone()) == now {
                break;
            }
        }
        let stopping = tokio::task::spawn_blocking(move || server.terminate());
        for player in &mut players {
            player.until("the loss", |client| (!client.is_playing()).then_some(())).await;
        }
        let status = stopping.await.unwrap();
        assert!(status.success(), "{status}");
        let server = Process::start(&data, at, &[]);
        for (player, before) in players.iter_mut().zip(before) {
            let is_back = |client: &mut Client| {
                (client.stats().resumes >= 1 && client.is_playing()).then_some(())
            };
            player.until("the way back", is_back).await;
            player.frames(2).await;
            let last = player.client.last_acknowledged();
            assert_eq!((player.view().me.pos, last, belongings(player)), before);
            assert_eq!(player.command(Command::Search).await, before.1 + 1);
            assert_eq!(player.client.stats().rollbacks, 0);
            assert_eq!(player.over, None);
        }
        assert!(server.log().contains("zone recovered"));
    });
}

#[test]
fn a_second_connection_takes_over() {
    let server = Local::start("takeover", "");
    play(async {
        for (old, new) in [
            (Transport::WebSocket, Transport::Quic),
            (Transport::Quic, Transport::WebTransport),
            (Transport::WebTransport, Transport::WebSocket),
        ] {
            let mut first = Player::join(server.at, old).await;
            walk(&mut first).await;
            let last = first.client.last_acknowledged();
            let credentials = Credentials { resume: first.resume(), ..Credentials::default() };
            let mut second = Player::new(server.at, new, credentials);
            second.frames(1).await;
            second.until("its welcome", |client| client.is_playing().then_some(())).await;
            assert_eq!(first.end().await, GiveUp::Closed(CloseReason::Superseded), "{old:?}");
            second.frames(3).await;
            assert_eq!(second.command(Command::Search).await, last + 1);
            assert_eq!(second.name(), first.name());
        }
    });
    eventually("the count", || (server.at.metrics().closes("superseded") == 3.0).then_some(()));
}

#[test]
fn tokens_that_are_not_good_are_refused_with_their_reason() {
    let server = Local::start("tokens", "");
    let at = server.at;
    let own = Tokens::from_text(&fs::read_to_string(server.data.join("token-key")).unwrap());
    let (own, other) = (own.unwrap(), Tokens::new(&[7; 32]));
    play(async {
        let alice = login(&at).await;
        let bob = login(&at).await;
        let account = AccountId(1);
        let access = |tokens: &Tokens, issued, expires| {
            tokens.issue(&Claims { account, issued, expires, kind: Kind::Access })
        };
        let session = |tokens: &Tokens, issued, expires| {
            let kind = Kind::Session { session: SessionId(9), character: alice.character };
            tokens.issue(&Claims { account, issued, expires, kind })
        };
        const FAR: u64 = 1 << 40;
        let nobody = CharacterId(0);
        let cases = BTreeMap::from([
            ("1 no token", (String::new(), nobody, String::new())),
            ("2 no token at all", ("nonsense".into(), nobody, String::new())),
            ("3 expired", (access(&own, 1, 2), nobody, String::new())),
            ("4 forged", (access(&other, 1, FAR), nobody, String::new())),
            ("5 expired session", (String::new(), nobody, session(&own, 1, 2))),
            ("6 forged session", (String::new(), nobody, session(&other, 1, FAR))),
            ("7 a session as access", (session(&own, 1, FAR), nobody, String::new())),
            ("8 access as a session", (String::new(), nobody, alice.token.clone())),
            ("9 a stranger's character", (bob.token.clone(), alice.character, String::new())),
        ]);
        for transport in CARRIERS {
            for (what, (token, character, resume)) in &cases {
                let mut wire = Wire::connect(&at, transport).await;
                wire.send(&hello(token, *character, resume));
                let expected = match what.as_bytes()[0] {
                    b'9' => CloseReason::NoCharacter,
                    _ => CloseReason::Unauthenticated,
                };
                assert_eq!(wire.reason().await, expected, "{what} over {transport:?}");
            }
        }
        // The same with a good token works.
        let mut wire = Wire::connect(&at, Transport::Quic).await;
        wire.send(&hello(&alice.token, alice.character, ""));
        let welcome = wire.welcome().await;
        assert!(
            matches!(welcome, ServerMessage::Welcome { character, .. } if character == alice.character)
        );
    });
    eventually("the counts", || {
        let metrics = at.metrics();
        let counts = (metrics.closes("unauthenticated"), metrics.closes("no_character"));
        (counts == (24.0, 3.0)).then_some(())
    });
}

async fn login(at: &Addresses) -> Login {
    at.http().guest().await.unwrap()
}

#[test]
fn goodbye_puts_the_character_to_rest_and_it_comes_back_with_its_belongings() {
    let server = Local::start("goodbye", "monsters_per_zone = 0\n");
    let at = server.at;
    let population = || at.metrics().value("game_server_zone_population{zone=\"1\"}");
    play(async {
        for transport in CARRIERS {
            let login = login(&at).await;
            let mut player = Player::join_as(at, transport, &login).await;
            let fresh = belongings(&player);
            assert!(fresh.1.len() >= 2, "a new character has something to carry: {fresh:?}");
            let slot = player.view().inventory.last().unwrap().slot;
            player.act(Command::Drop { slot }).await;
            let left = |client: &mut Client| {
                let is_gone = client.view()?.inventory.iter().all(|i| i.slot != slot);
                is_gone.then_some(())
            };
            player.until("the drop", left).await;
            walk(&mut player).await;
            let kept = belongings(&player);
            let last = player.client.last_acknowledged();
            player.leave().await;
            eventually("rest", || (population() == 0.0).then_some(()));

            let mut back = Player::join_as(at, transport, &login).await;
            back.frames(2).await;
            assert_eq!(belongings(&back), kept, "over {transport:?}");
            assert_eq!(back.command(Command::Search).await, last + 1, "numbers go on for life");
            back.leave().await;
            eventually("rest", || (population() == 0.0).then_some(()));
        }
        // Goodbye before hello ends a connection as well.
        let mut wire = Wire::connect(&at, Transport::WebSocket).await;
        wire.send(&ClientMessage::Bye);
        assert_eq!(wire.reason().await, CloseReason::Goodbye);
    });
}

/// Says Hello with a resume token and gives what comes of it: a new token, or why not.
async fn resumed(at: &Addresses, transport: Transport, token: &str) -> Result<String, CloseReason> {
    let mut wire = Wire::connect(at, transport).await;
    wire.send(&hello("", CharacterId(0), token));
    loop {
        match wire.next().await {
            Some(ServerMessage::Welcome { resume, .. }) => return Ok(resume),
            Some(
                ServerMessage::Frame(_) | ServerMessage::Pong { .. } | ServerMessage::Notice { .. },
            ) => {}
            Some(ServerMessage::Close { reason, .. }) => return Err(reason),
            None => panic!("neither welcome nor reason"),
        }
    }
}

/// A session that was said goodbye to, one that a fresh login replaced, and the one that did.
struct Tried {
    transport: Transport,
    left: String,
    replaced: String,
    newest: String,
}

#[test]
fn sessions_that_ended_or_were_replaced_are_not_resumed_even_after_a_kill() {
    let scratch = Scratch::new("revoked");
    let data = scratch.file("data");
    let server = Process::start(&data, Addresses::lasting(), &["--monsters-per-zone", "0"]);
    let at = server.at;
    let mut tried = Vec::new();
    play(async {
        for transport in CARRIERS {
            let leaver = Player::join_as(at, transport, &login(&at).await).await;
            let left = leaver.resume();
            leaver.leave().await;

            let known = login(&at).await;
            let mut first = Player::join_as(at, transport, &known).await;
            let replaced = first.resume();
            let mut second = Player::join_as(at, transport, &known).await;
            assert_eq!(first.end().await, GiveUp::Closed(CloseReason::Superseded));
            second.cut();
            let back = |client: &mut Client| {
                (client.stats().resumes == 1 && client.is_playing()).then_some(())
            };
            second.until("the way back", back).await;
            tried.push(Tried { transport, left, replaced, newest: second.resume() });
        }
    });
    let check = |tried: &mut [Tried]| {
        play(async {
            for Tried { transport, left, replaced, newest } in tried {
                let unknown = resumed(&at, *transport, left).await;
                assert_eq!(unknown, Err(CloseReason::Unauthenticated), "{transport:?}");
                let replaced = resumed(&at, *transport, replaced).await;
                assert_eq!(replaced, Err(CloseReason::Superseded), "{transport:?}");
                *newest = resumed(&at, *transport, newest).await.unwrap();
            }
        });
    };
    check(&mut tried);
    server.kill();
    let server = Process::start(&data, at, &[]);
    check(&mut tried);
    drop(server);
}
