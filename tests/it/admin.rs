//! `undercroft admin` on a cluster whose processes are real, while people play.

use std::process::{Command, Output};

use serde_json::{Value, json};
use undercroft::app::cluster::leases::{self, INSTANCES};
use undercroft::lease::InstanceRecord;
use undercroft::nats::table::Table;
use undercroft::sim;

use crate::cluster::{FIRST, all_go_on, finish, owner_and_other, populated};
use crate::rig::cluster::{Cluster, Part};
use crate::rig::eventually;
use crate::rig::server::PROGRAM;

fn admin(cluster: &Cluster, words: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("USER", "root").env("SUDO_USER", "ada").arg("admin");
    command.args(words.split(' ')).args(["--nats", &cluster.nats.url()]).output().unwrap()
}

/// What it says where it does what it is told.
pub(crate) fn done(cluster: &Cluster, words: &str) -> String {
    let output = admin(cluster, words);
    assert!(output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line that says why it did not do it.
pub(crate) fn refused(cluster: &Cluster, words: &str) -> String {
    let output = admin(cluster, words);
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()), "{words}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

pub(crate) fn rows(cluster: &Cluster, words: &str) -> Vec<Value> {
    serde_json::from_str(&done(cluster, &format!("{words} --json"))).unwrap()
}

fn row(cluster: &Cluster, words: &str, key: &str, number: u32) -> Value {
    let row = rows(cluster, words).into_iter().find(|row| row[key] == json!(number));
    row.unwrap_or_else(|| panic!("{words}: no {key} {number}"))
}

/// The audit log without its times, which are none of the test's.
pub(crate) fn audit(cluster: &Cluster) -> Vec<(String, Value)> {
    let entry = |mut entry: Value| {
        let entry = entry.as_object_mut().unwrap();
        assert!(entry.remove("time").unwrap().as_u64() > Some(1_700_000_000));
        let who = entry.remove("who").unwrap().as_str().unwrap().to_owned();
        (who, Value::Object(std::mem::take(entry)))
    };
    rows(cluster, "audit").into_iter().map(entry).collect()
}

#[test]
fn zones_are_moved_or_it_is_said_why_not_and_all_of_it_is_in_the_audit_log() {
    let Some((mut cluster, bots)) = populated("admin-move", 2, 1) else { return };
    let (owner, other) = owner_and_other(&cluster, FIRST);
    let before = row(&cluster, "zone list", "zone", FIRST.0);
    assert_eq!(before["owner"], json!(owner));
    let words = format!("zone move {FIRST} {other}");
    let said = done(&cluster, &words);
    assert_eq!(said, format!("zone {FIRST} is with instance {other} now\n"));
    let after = row(&cluster, "zone list", "zone", FIRST.0);
    assert_eq!(after["owner"], json!(other));
    assert!(after["epoch"].as_u64() > before["epoch"].as_u64(), "{before} {after}");
    all_go_on(&bots);

    let begun = json!({ "act": "move", "zone": FIRST, "to": other, "outcome": "begun" });
    let mut is_done = begun.clone();
    is_done["outcome"] = json!("done");
    let entries = audit(&cluster);
    assert_eq!(entries.iter().map(|(_, it)| it).collect::<Vec<_>>(), [&begun, &is_done]);
    assert!(entries.iter().all(|(who, _)| who.starts_with("ada@")), "{entries:?}");

    let (nats, version) = (cluster.connect(), sim::VERSION + 1);
    let foreign = InstanceRecord { boot: 1, beat: 1, capacity: 0, version, is_draining: false };
    let foreign = serde_json::to_vec(&foreign).unwrap();
    let written = Table::open(&nats, INSTANCES).unwrap().replace_now("9", foreign.into(), 0);
    assert!(written.unwrap());
    for (words, cause, remedy) in [
        ("zone move 99 1", "there is no zone 99", "zone list"),
        (&words, "already", "nothing to do"),
        (&format!("zone move {FIRST} 77"), "there is no instance 77", "instance list"),
        (&format!("zone move {FIRST} 9"), "runs version", "name an instance of that version"),
        ("instance drain 77", "there is no instance 77", "instance list"),
        ("instance drain 9", "instance 9 was silent", "by themselves"),
    ] {
        let said = refused(&cluster, words);
        assert!(said.contains(cause) && said.contains(remedy), "{words}: {said}");
        let (_, last) = audit(&cluster).pop().unwrap();
        assert_eq!(last["outcome"], "failed", "{words}: {last}");
        assert!(said.contains(last["why"].as_str().unwrap()), "{words}: {said} {last}");
    }
    cluster.kill(Part::Instance(owner.0));
    let said = refused(&cluster, &format!("zone move {FIRST} {owner}"));
    assert!(said.contains("was silent") && said.contains("start it"), "{said}");
    let plain = done(&cluster, "audit --last 1");
    assert!(plain.contains(&format!("move zone {FIRST} to instance {owner}: failed: ")), "{plain}");
    finish(cluster, bots, 0..=0);
}

#[test]
fn an_instance_is_drained_and_the_last_one_is_not() {
    let Some((cluster, bots)) = populated("admin-drain", 2, 1) else { return };
    let nats = cluster.connect();
    let (owner, other) = owner_and_other(&cluster, FIRST);
    let both = rows(&cluster, "instance list");
    let expected = |row: &Value| row["is_living"] == json!(true) && row["capacity"] == json!(64);
    assert!(both.len() == 2 && both.iter().all(expected), "{both:?}");

    let said = done(&cluster, &format!("instance drain {owner}"));
    assert_eq!(said, format!("instance {owner} has no zone left\n"));
    let owners = leases::owners(&nats).unwrap();
    assert!(owners.values().all(|it| it.owner.is_none_or(|by| by.instance == other)), "{owners:?}");
    all_go_on(&bots);
    eventually("the record says so", || {
        let row = row(&cluster, "instance list", "instance", owner.0);
        (row["is_draining"] == json!(true) && row["zones"] == json!([])).then_some(())
    });
    let plain = done(&cluster, "instance list");
    let line = plain.lines().find(|line| line.starts_with(&owner.to_string())).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    let version = sim::VERSION.to_string();
    assert_eq!(cells, [&*owner.to_string(), "draining", "64", &version, "0"], "{plain}");

    let said = refused(&cluster, &format!("instance drain {other}"));
    assert!(said.contains("no other instance can take zone") && said.contains("start one"));
    let said = refused(&cluster, &format!("zone move {FIRST} {owner}"));
    assert!(said.contains("is draining") && said.contains("name another"), "{said}");
    finish(cluster, bots, 0..=0);
}

#[test]
fn what_cannot_be_logged_is_not_done() {
    let Some((cluster, bots)) = populated("admin-log", 2, 1) else { return };
    let nats = cluster.connect();
    let (owner, other) = owner_and_other(&cluster, FIRST);
    let words = format!("zone move {FIRST} {other}");
    // A log without room.
    let full = async_nats::jetstream::stream::Config {
        name: "undercroft-audit".to_owned(),
        subjects: vec!["undercroft.audit".to_owned()],
        discard: async_nats::jetstream::stream::DiscardPolicy::New,
        max_bytes: 1,
        ..Default::default()
    };
    nats.wait(nats.jetstream().create_stream(&full)).unwrap();
    let said = refused(&cluster, &words);
    assert!(said.contains("nothing was done") && said.contains("has room"), "{said}");
    assert_eq!(cluster.owner(&nats, FIRST), owner);
    nats.wait(nats.jetstream().delete_stream(full.name)).unwrap();
    done(&cluster, &words);
    assert_eq!(cluster.owner(&nats, FIRST), other);
    finish(cluster, bots, 0..=0);
}

#[test]
fn without_nats_it_says_what_to_start() {
    let mut command = Command::new(PROGRAM);
    command.env_clear().args(["admin", "zone", "list", "--nats", "nats://127.0.0.1:1"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be reached") && said.lines().count() == 1, "{said}");
}
