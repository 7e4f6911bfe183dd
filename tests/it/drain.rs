//! Processes that are told over their administrative port to go.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;
use undercroft::model::InstanceId;

use crate::admin::audit;
use crate::cluster::{FIRST, all_go_on, finish, owner_and_other, populated};
use crate::rig::cluster::Part;
use crate::rig::server::Process;

/// The status that a POST with this token is answered with.
fn drain(address: SocketAddr, token: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "POST /admin/drain HTTP/1.1\r\nhost: it\r\nconnection: close\r\ncontent-length: 0";
    write!(stream, "{head}\r\nauthorization: Bearer {token}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn whoever_has_the_token_drains_an_instance_and_nobody_is_disconnected() {
    let Some((mut cluster, bots)) = populated("post-drain", 1, 1) else { return };
    let owner = cluster.owner(&cluster.connect(), FIRST);
    let token = cluster.data("admin-token");
    fs::write(&token, "secret\n").unwrap();
    // Without a token nobody drains.
    let plain = cluster.process(Part::Instance(owner.0)).at;
    assert_eq!(drain(plain.admin, "secret"), 403);
    assert_eq!(plain.admin("/admin/drain"), (200, "serving\n".to_owned()));

    let mut command = cluster.command(Part::Instance(2));
    command.args(["--admin", "127.0.0.1:0", "--admin-token-file", token.to_str().unwrap()]);
    let second = Process::spawn(command, &cluster.data("second.log"));
    cluster.terminate(Part::Instance(owner.0));
    assert_eq!(cluster.owner(&cluster.connect(), FIRST), InstanceId(2));
    cluster.run(Part::Instance(owner.0));
    all_go_on(&bots);
    assert_eq!(drain(second.at.admin, "wrong"), 401);
    assert_eq!(second.at.metrics().value("game_server_drains_refused_total"), 1.0);
    assert_eq!(drain(second.at.admin, "secret"), 202);
    assert!(second.wait().success());
    assert_eq!(owner_and_other(&cluster, FIRST).0, owner);
    let entries = audit(&cluster);
    let entry = |outcome: &str| json!({ "act": "drain", "instance": 2, "outcome": outcome });
    let acts: Vec<_> = entries.iter().map(|(_, it)| it.clone()).collect();
    assert_eq!(acts, [entry("begun"), entry("done")]);
    let who = "POST /admin/drain from 127.0.0.1, request ";
    assert!(entries.iter().all(|(it, _)| it.starts_with(who)), "{entries:?}");
    finish(cluster, bots, 0..=0);
}
