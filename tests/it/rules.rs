//! What admins settle for all processes, while people play: bans and flags; and limits that hold over
//! all gateways.

use serde_json::{Value, json};
use undercroft::cli::http::Login;
use undercroft::client::{Client, Credentials, GiveUp};
use undercroft::model::CharacterId;
use undercroft::net::Transport;
use undercroft::protocol::{CloseReason, ServerMessage};

use crate::admin::{audit, done, refused, rows};
use crate::rig::cluster::{Cluster, Part};
use crate::rig::player::Player;
use crate::rig::server::Addresses;
use crate::rig::wire::{Wire, hello};
use crate::rig::{DEADLINE, eventually, play, within};

const BANNED: GiveUp = GiveUp::Closed(CloseReason::Banned);

fn gateways(cluster: &Cluster) -> [Addresses; 2] {
    [1, 2].map(|number| cluster.admin_of(Part::Gateway(number)))
}

/// Tries to come in until it is over.
async fn turned_away(at: Addresses, login: &Login) -> (GiveUp, String) {
    let mut player = Player::new(at, Transport::WebSocket, credentials(login));
    let why = player.end().await;
    (why, player.client.farewell(why))
}

fn credentials(login: &Login) -> Credentials {
    Credentials { token: login.token.clone(), character: login.character, resume: String::new() }
}

/// Asks until there is an answer: each process hears of what admins settle by itself.
async fn soon<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(DEADLINE, asked).await.expect("not within the deadline")
}

#[test]
fn a_ban_closes_and_keeps_out_everywhere_until_it_ends_or_is_taken_back() {
    let Some(cluster) = Cluster::start("bans", 1, 2) else { return };
    let [one, two] = gateways(&cluster);
    let http = cluster.at().http();
    play(async {
        let (ada, bob) = (http.guest().await.unwrap(), http.guest().await.unwrap());
        let body = json!({ "name": "second" });
        let made = http.ask("POST", "/api/characters", Some(&ada.token), Some(&body)).await;
        let second = made.unwrap()["id"].as_str().unwrap().parse().unwrap();
        let second = Login { character: CharacterId(second), ..ada.clone() };
        let mut here = Player::join_as(one, Transport::WebSocket, &ada).await;
        let mut there = Player::join_as(two, Transport::Quic, &second).await;
        let mut other = Player::join_as(two, Transport::WebSocket, &bob).await;

        let ban = format!("ban add --player {} --reason cheating", here.name());
        let said = done(&cluster, &ban);
        assert!(said.contains("is banned"), "{said}");
        for player in [&mut here, &mut there] {
            let why = player.end().await;
            assert_eq!(why, BANNED);
            assert!(player.client.farewell(why).ends_with(": cheating"), "{player}");
        }
        other.frames(5).await;
        for at in [one, two] {
            let (why, said) = turned_away(at, &ada).await;
            assert!(why == BANNED && said.contains("cheating"), "{why} {said}");
        }
        let said = soon(async || {
            let refresh = http.ask("POST", "/api/refresh", Some(&ada.token), None).await;
            refresh.err().map(|error| error.to_string())
        });
        let said = said.await;
        assert!(said.contains("you are banned: cheating"), "{said}");
        eventually("the gateway has counted", || {
            (one.metrics().closes("banned") >= 2.0).then_some(())
        });
        let api = "game_server_requests_refused_total{reason=\"banned\"}";
        assert_eq!(cluster.at().metrics().value(api), 1.0);

        let bans = rows(&cluster, "ban list");
        let account = bans[0]["target"]["account"].clone();
        assert!(bans.len() == 1 && account.is_u64() && bans[0]["reason"] == "cheating", "{bans:?}");
        done(&cluster, &format!("ban remove --account {account}"));
        assert_eq!(rows(&cluster, "ban list"), [] as [Value; 0]);
        let said = refused(&cluster, &format!("ban remove --account {account}"));
        assert!(said.contains("is not banned") && said.contains("ban list"), "{said}");
        Player::join_as(one, Transport::WebSocket, &ada).await.leave().await;

        // One that ends by itself.
        done(&cluster, &format!("ban add --account {account} --for 2s --reason cheating"));
        let (why, said) = turned_away(two, &ada).await;
        assert!(why == BANNED && said.contains("for another 1 minutes"), "{why} {said}");
        let mut player = loop {
            let mut player = Player::new(two, Transport::WebSocket, credentials(&ada));
            player.welcome_or_end().await;
            if player.over.is_none() {
                break player;
            }
            assert_eq!(player.over, Some(BANNED));
        };
        player.frames(1).await;

        // All addresses that these players come from.
        done(&cluster, "ban add --address 127.0.0.0/8 --reason maintenance");
        assert_eq!((other.end().await, player.end().await), (BANNED, BANNED));
        let said = soon(async || http.info().await.err().map(|error| error.to_string())).await;
        assert!(said.contains("banned"), "{said}");
        done(&cluster, "ban remove --address 127.0.0.0/8");
        soon(async || http.info().await.ok()).await;
    });
    let acts: Vec<_> = audit(&cluster).into_iter().map(|(_, entry)| entry).collect();
    let count = |act: &str| acts.iter().filter(|entry| entry["act"] == act).count();
    assert_eq!((count("ban"), count("unban")), (6, 6), "{acts:?}");
    let said = refused(&cluster, "ban add --player nobody --reason spam");
    assert!(said.contains("nobody") && said.contains("whole name"), "{said}");
}

#[test]
fn flags_hold_everywhere_at_once_and_sessions_go_on() {
    let Some(cluster) = Cluster::start("flags", 1, 2) else { return };
    let [one, two] = gateways(&cluster);
    let http = cluster.at().http();
    play(async {
        let (ada, bob) = (http.guest().await.unwrap(), http.guest().await.unwrap());
        let mut ada = Player::join_as(one, Transport::WebSocket, &ada).await;
        done(&cluster, "flag set admit_new_players false");
        for at in [one, two] {
            let mut wire = Wire::connect(&at, Transport::WebSocket).await;
            wire.send(&hello(&bob.token, bob.character, ""));
            let Some(ServerMessage::Close { reason, retry_after_ms, detail }) = wire.next().await
            else {
                panic!("it was let in")
            };
            assert!(reason == CloseReason::Later && retry_after_ms >= 1_000, "{reason:?}");
            assert!(detail.contains("nobody new"), "{detail}");
        }
        // A session goes on, here and at the other gateway.
        ada.cut();
        ada.frames(3).await;
        let resume = ada.resume();
        drop(ada);
        let mut wire = Wire::connect(&two, Transport::WebSocket).await;
        wire.send(&hello("", CharacterId(0), &resume));
        wire.welcome().await;
        done(&cluster, "flag set admit_new_players true");
        Player::join_as(one, Transport::Quic, &bob).await.leave().await;

        done(&cluster, "flag set register_accounts false");
        let refused = async {
            loop {
                if let Err(error) = http.guest().await {
                    return error.to_string();
                }
            }
        };
        let said = within("the services know", refused).await;
        assert!(said.contains("no new accounts"), "{said}");
        let set = |name: &str| {
            let rows = rows(&cluster, "flag list");
            rows.into_iter().find(|row| row["flag"] == name).unwrap()
        };
        let expected = json!({ "flag": "register_accounts", "value": false, "is_set": true });
        assert_eq!(set("register_accounts"), expected);
        done(&cluster, "flag unset register_accounts");
        within("the services know", async { while http.guest().await.is_err() {} }).await;
        assert_eq!(set("register_accounts")["is_set"], false);
    });
    let acts: Vec<_> = audit(&cluster).into_iter().map(|(_, entry)| entry).collect();
    let is_set = |it: &Value| it["act"] == "set_flag" && it["outcome"] == "done";
    assert_eq!(acts.iter().filter(|it| is_set(it)).count(), 3, "{acts:?}");
}

#[test]
fn the_message_of_the_day_is_told_to_all_who_play_and_to_whoever_comes() {
    let Some(cluster) = Cluster::start("notice", 1, 2) else { return };
    let [one, two] = gateways(&cluster);
    let http = cluster.at().http();
    play(async {
        let (ada, bob) = (http.guest().await.unwrap(), http.guest().await.unwrap());
        let mut here = Player::join_as(one, Transport::WebSocket, &ada).await;
        done(&cluster, "flag set message_of_the_day Noon");
        let notice = |client: &mut Client| client.take_notice();
        assert_eq!(here.until("the message", notice).await, "Noon");
        let mut there = Player::join_as(two, Transport::Quic, &bob).await;
        assert_eq!(there.until("the message", notice).await, "Noon");

        let long = "a".repeat(201);
        let bad = [long.as_str(), "two\nlines", ""];
        for text in bad {
            let said = refused(&cluster, &format!("flag set message_of_the_day {text}"));
            assert!(said.contains("one line of 1 to 200 bytes"), "{said}");
        }
        let said = refused(&cluster, "flag set admit_new_players Noon");
        assert!(said.contains("is true or false"), "{said}");
        let row = |cluster: &Cluster| rows(cluster, "flag list").pop().unwrap();
        let expected = json!({ "flag": "message_of_the_day", "value": "Noon", "is_set": true });
        assert_eq!(row(&cluster), expected);

        // What was refused was told nobody: the next that they hear is this.
        done(&cluster, "flag set message_of_the_day Dusk");
        for player in [&mut here, &mut there] {
            assert_eq!(player.until("the message", notice).await, "Dusk");
        }
        done(&cluster, "flag unset message_of_the_day");
        assert_eq!(row(&cluster)["value"], "");
    });
}

#[test]
fn joins_of_an_account_are_limited_over_all_gateways_and_whoever_waits_comes_in() {
    let Some(cluster) = Cluster::start("joins", 1, 2) else { return };
    let [one, two] = gateways(&cluster);
    let http = cluster.at().http();
    play(async {
        let ada = http.guest().await.unwrap();
        // Joins come back one a second meanwhile, so that there have to be more than fit at once.
        let mut refused = None;
        for number in 0..200 {
            let mut wire = Wire::connect(&one, Transport::WebSocket).await;
            wire.send(&hello(&ada.token, ada.character, ""));
            match wire.next().await {
                Some(ServerMessage::Close { reason, retry_after_ms, detail }) => {
                    assert!(reason == CloseReason::Later && retry_after_ms > 0, "{reason:?}");
                    assert!(detail.contains("too often"), "{detail}");
                    refused = Some(number);
                    break;
                }
                message => assert!(matches!(message, Some(ServerMessage::Welcome { .. }))),
            }
        }
        assert!(refused >= Some(30), "{refused:?}");
        // The other gateway has let none in, and lets in no more than those it has not heard of.
        let mut count = 0;
        loop {
            let mut wire = Wire::connect(&two, Transport::WebSocket).await;
            wire.send(&hello(&ada.token, ada.character, ""));
            match wire.next().await {
                Some(ServerMessage::Close {
                    reason: CloseReason::Later, retry_after_ms, ..
                }) => {
                    assert!(retry_after_ms > 0);
                    break;
                }
                message => assert!(matches!(message, Some(ServerMessage::Welcome { .. }))),
            }
            count += 1;
            assert!(count < 15, "half a burst and more");
        }
        // A client waits as long as it is told, and is in.
        let mut player = Player::new(two, Transport::WebSocket, credentials(&ada));
        player.welcome_or_end().await;
        assert_eq!(player.over, None);
        player.frames(1).await;
    });
    eventually("the gateway has counted", || {
        let joins = "game_server_rate_limits_exceeded_total{limit=\"joins\"}";
        (one.metrics().value(joins) >= 1.0).then_some(())
    });
}
