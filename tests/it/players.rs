//! Who plays on a cluster, as admins see it: lists, kicks, `undercroft top`, a wrong prefix.

use std::process::Command;

use serde_json::json;
use undercroft::client::GiveUp;
use undercroft::net::Transport;
use undercroft::protocol::CloseReason;

use crate::admin::{audit, done, refused, rows};
use crate::rig::cluster::{Cluster, Part};
use crate::rig::player::Player;
use crate::rig::server::PROGRAM;
use crate::rig::{eventually, play};

#[test]
fn players_are_found_and_kicked_wherever_they_are() {
    let Some(cluster) = Cluster::start("players", 1, 2) else { return };
    let http = cluster.at().http();
    let [one, two] = [1, 2].map(|number| cluster.admin_of(Part::Gateway(number)));
    play(async {
        let (ada, bob) = (http.guest().await.unwrap(), http.guest().await.unwrap());
        let mut ada = Player::join_as(one, Transport::WebSocket, &ada).await;
        let mut bob = Player::join_as(two, Transport::Quic, &bob).await;
        let list = rows(&cluster, "player list");
        assert_eq!(list.len(), 2, "{list:?}");
        let find = |name: &str| list.iter().find(|row| row["name"] == name).unwrap();
        let (first, second) = (find(&ada.name()), find(&bob.name()));
        assert_ne!(first["connected"]["gateway"], second["connected"]["gateway"]);
        for row in [first, second] {
            assert_eq!(
                (&row["connected"]["address"], &row["zone"]),
                (&json!("127.0.0.1"), &json!(1))
            );
        }
        // What they did is in the logs of the gateway and the instance, under one identifier.
        let account = first["account"].as_u64().unwrap();
        let log = cluster.process(Part::Gateway(1)).log();
        let begins = |line: &&str| {
            line.contains("a session begins") && line.contains(&format!("player_id={account} "))
        };
        let line = log.lines().find(begins).unwrap_or_else(|| panic!("not in {log}"));
        let field = |name: &str| {
            let word = line.split([' ', '{', '}']).find(|word| word.starts_with(name));
            word.unwrap_or_else(|| panic!("{name} is not in {line}")).to_owned()
        };
        let (join, session) = (field("correlation_id="), field("session_id="));
        let log = cluster.process(Part::Instance(1)).log();
        let player = format!("player_id={account} ");
        let is_it = |line: &str| {
            [&join, &session, &player, "zone=1", "instance=1"].iter().all(|it| line.contains(*it))
        };
        assert!(log.lines().any(is_it), "{join} is not in {log}");
        // How the account was made is in the log of the services.
        let log = cluster.process(Part::Services).log();
        let is_it = |line: &str| {
            let is_named = line.contains("correlation_id=") && line.contains("status=201");
            line.contains("guest: done")
                && line.contains(&format!("player_id={account}"))
                && is_named
        };
        assert!(log.lines().any(is_it), "{log}");

        let shouted = ada.name().to_uppercase();
        let shown = rows(&cluster, &format!("player show {shouted}"));
        assert_eq!(shown.first(), Some(first));

        done(&cluster, &format!("player kick {} --reason idle", ada.name()));
        let why = ada.end().await;
        assert_eq!(why, GiveUp::Closed(CloseReason::Kicked));
        assert!(ada.client.farewell(why).ends_with(": idle"), "{ada}");
        bob.frames(3).await;
        let shown = rows(&cluster, &format!("player show {}", ada.name()));
        assert_eq!((&shown[0]["connected"], &shown[0]["name"]), (&json!(null), &first["name"]));
        let said = refused(&cluster, &format!("player kick {}", ada.name()));
        assert!(said.contains("is not connected") && said.contains("player list"), "{said}");
        let (_, last) = audit(&cluster).pop().unwrap();
        assert_eq!((&last["act"], &last["outcome"]), (&json!("kick"), &json!("failed")));
        bob.frames(1).await;
    });
}

/// What `undercroft` says, and whether it did what it was told.
fn said(cluster: &Cluster, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(PROGRAM);
    let output = command.env_clear().args(args).args(["--nats", &cluster.nats.url()]).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.success(), said.concat())
}

#[test]
fn top_shows_who_does_what() {
    let Some(cluster) = Cluster::start("top", 2, 1) else { return };
    let http = cluster.at().http();
    let gateway = cluster.admin_of(Part::Gateway(1));
    play(async {
        let login = http.guest().await.unwrap();
        let mut player = Player::join_as(gateway, Transport::WebSocket, &login).await;
        player.frames(1).await;
        let web = format!(":{}", gateway.web.port());
        let text = eventually("the tables", || {
            let (is_done, text) = said(&cluster, &["top", "--once"]);
            assert!(is_done, "{text}");
            let lines: Vec<Vec<&str>> =
                text.lines().map(|line| line.split_whitespace().collect()).collect();
            let plays = lines.iter().any(|line| line.len() == 5 && line[1..4] == [&*web, "1", "1"]);
            let ticks = |line: &&Vec<&str>| {
                line.len() == 6 && line[2] == "1" && line[3].parse::<f64>().is_ok()
            };
            let instances =
                lines.iter().filter(|line| line.len() == 6 && line[0] != "zone").count();
            let is_there = plays && lines.iter().any(|line| ticks(&line)) && instances == 2;
            is_there.then_some(text)
        });
        assert!(text.lines().any(|line| line.starts_with("zone  instance  players")), "{text}");
    });
}

#[test]
fn a_wrong_prefix_is_named() {
    let Some(cluster) = Cluster::start("prefix", 1, 0) else { return };
    for command in [&["admin", "zone", "list"][..], &["admin", "ban", "list"], &["top", "--once"]] {
        let args = [command, &["--prefix", "elsewhere"]].concat();
        let (is_done, text) = said(&cluster, &args);
        assert!(!is_done && text.contains("\"elsewhere\"") && text.contains("--prefix"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let (is_done, text) = said(&cluster, &["admin", "flag", "set", "colour", "true"]);
    assert!(!is_done && text.contains("admit_new_players, register_accounts"), "{text}");
}
