//! Keys of tokens that are changed while people play.

use std::process::Command;

use serde_json::json;
use undercroft::net::Transport;

use crate::cluster::{all_go_on, finish, populated};
use crate::rig::cluster::{Cluster, Part};
use crate::rig::server::{Addresses, PROGRAM};
use crate::rig::wire::{Wire, hello};
use crate::rig::{eventually, play};

fn rotate(cluster: &Cluster, keep: &str) {
    let mut command = Command::new(PROGRAM);
    command.env_clear().args(["admin", "keys", "rotate", "--keep", keep, "--token-keys"]);
    let output = command.arg(cluster.data("token-key")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The header of a token, which names its key.
fn key(token: &str) -> String {
    token.split('.').next().unwrap().to_owned()
}

/// Whether a gateway lets the owner of a token in; the key that signed the session's.
async fn enter(at: &Addresses, login: &undercroft::cli::http::Login) -> String {
    let mut wire = Wire::connect(at, Transport::WebSocket).await;
    wire.send(&hello(&login.token, login.character, ""));
    let undercroft::protocol::ServerMessage::Welcome { resume, .. } = wire.welcome().await else {
        unreachable!("a welcome was waited for")
    };
    key(&resume)
}

#[test]
fn keys_are_changed_without_a_restart_and_nobody_has_to_log_in() {
    let Some((cluster, bots)) = populated("keys", 1, 2) else { return };
    let (services, http) = (cluster.at(), cluster.at().http());
    let gateways = [1, 2].map(|number| cluster.admin_of(Part::Gateway(number)));
    let old = play(http.guest()).unwrap();
    rotate(&cluster, "8");
    // A gateway that sees the new key first in somebody's token, and one that has to sign first.
    let new = play(http.guest()).unwrap();
    assert_ne!(key(&new.token), key(&old.token));
    for (gateway, login) in [(&gateways[0], &new), (&gateways[1], &old)] {
        assert_eq!(play(enter(gateway, login)), key(&new.token));
    }
    let refreshed = play(http.ask("POST", "/api/refresh", Some(&old.token), None)).unwrap();
    assert_eq!(key(refreshed["token"].as_str().unwrap()), key(&new.token));
    all_go_on(&bots);

    // A file that cannot be read changes nothing, and is told of.
    let path = cluster.data("token-key");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, "nonsense").unwrap();
    assert_eq!(key(&play(http.guest()).unwrap().token), key(&new.token));
    let log = || cluster.process(Part::Services).log();
    eventually("the log names the line", || log().contains("line 1 is not a key").then_some(()));
    std::fs::write(&path, text).unwrap();
    play(http.guest()).unwrap();

    // What was signed with a key that is gone opens nothing any more.
    rotate(&cluster, "0");
    let last = play(http.guest()).unwrap();
    assert_ne!(key(&last.token), key(&new.token));
    let refused = play(http.ask("GET", "/api/characters", Some(&old.token), None)).unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
    let body = json!({ "name": "Late" });
    play(http.ask("POST", "/api/characters", Some(&last.token), Some(&body))).unwrap();
    assert_eq!(services.metrics().value("game_server_errors_total{room=\"http\"}"), 0.0);
    finish(cluster, bots, 0..=0);
}
