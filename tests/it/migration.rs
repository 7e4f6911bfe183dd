//! A zone that is handed over while people play, and a process that dies at each step of that.

use std::thread;

use undercroft::app::cluster::mail::{self, InstanceAnswer, InstanceOrder};
use undercroft::model::InstanceId;
use undercroft::nats::Bus;

use crate::cluster::{FIRST, all_go_on, finish, owner_and_other, populate};
use crate::rig::bots::Bots;
use crate::rig::cluster::{Cluster, Part};
use crate::rig::eventually;

/// What is said to NATS, or told by it, of each step. The owner says to all that the zone stops:
const DOWN: &str = "undercroft.gateways ";
/// it saves the zone as it is,
const SNAPSHOT: &str = "$O.undercroft-snapshots.C.";
/// and makes that its newest snapshot;
const SNAPSHOT_NAMED: &str = "$O.undercroft-snapshots.M.";
/// it writes down whose the zone is now.
const LEASE: &str = "$KV.undercroft-zones.1 ";
/// The other has loaded it and says to all that it goes on,
const UP: &str = "undercroft.gateways ";
/// appends to its journal,
const ENTRY: &str = "undercroft.journal.1 ";
/// and shows it to players.
const FRAMES: &str = "undercroft.gateway.";

/// Starts the move of the zone to another instance; says nothing of how that goes.
fn begin_move(cluster: &Cluster, from: InstanceId, to: InstanceId) {
    let bus = Bus::new(&cluster.connect());
    // Its answer may be among what is held back.
    thread::spawn(move || {
        eventually("the order is taken", || {
            let order = mail::encode(&InstanceOrder::Move { zone: FIRST, to });
            let Ok(answer) = bus.ask(&mail::instance(from), order) else { return Some(()) };
            mail::decode::<InstanceAnswer>(&answer).unwrap().ok()
        });
    });
}

/// Has the zone moved again and again, and kills a process each time as it says or hears the last
/// word of a step. `whom`: of the owner and of the other that the zone goes to.
fn check(
    cluster: &mut Cluster,
    bots: &Bots,
    steps: &[&[&str]],
    whom: impl Fn(InstanceId, InstanceId) -> Part,
) {
    for step in steps {
        let (owner, other) = owner_and_other(cluster, FIRST);
        let victim = whom(owner, other);
        cluster.relay(victim).hold_at(step);
        begin_move(cluster, owner, other);
        eventually("the step", || cluster.relay(victim).is_held().then_some(()));
        cluster.kill(victim);
        cluster.relay(victim).let_go();
        eprintln!("{victim:?} was killed at {step:?}");
        all_go_on(bots);
        cluster.run(victim);
    }
}

/// Two instances whose words can be held back, and bots.
fn behind_relays(name: &str) -> Option<(Cluster, Bots)> {
    let mut cluster = Cluster::start(name, 2, 1)?;
    for number in [1, 2] {
        cluster.run_behind_relay(Part::Instance(number));
    }
    let bots = populate(&cluster, 1);
    Some((cluster, bots))
}

#[test]
fn the_owner_may_die_at_each_step_of_a_move() {
    let Some((mut cluster, bots)) = behind_relays("move-owner-dies") else { return };
    let steps: [&[&str]; 4] = [
        &[DOWN],
        &[DOWN, SNAPSHOT],
        &[DOWN, SNAPSHOT, SNAPSHOT_NAMED],
        &[DOWN, SNAPSHOT, SNAPSHOT_NAMED, LEASE],
    ];
    check(&mut cluster, &bots, &steps, |owner, _| Part::Instance(owner.0));
    finish(cluster, bots, 0..=0);
}

#[test]
fn whoever_is_to_have_a_zone_may_die_at_each_step_of_a_move() {
    let Some((mut cluster, bots)) = behind_relays("move-other-dies") else { return };
    let steps: [&[&str]; 4] =
        [&[LEASE], &[LEASE, UP], &[LEASE, UP, ENTRY], &[LEASE, UP, ENTRY, FRAMES]];
    check(&mut cluster, &bots, &steps, |_, other| Part::Instance(other.0));
    finish(cluster, bots, 0..=0);
}

#[test]
fn a_gateway_may_die_at_each_step_of_a_move_that_it_is_told_of() {
    let Some(mut cluster) = Cluster::start("move-gateway-dies", 2, 0) else { return };
    cluster.run_behind_relay(Part::Gateway(1));
    cluster.run(Part::Gateway(2));
    let bots = populate(&cluster, 2);
    let steps: [&[&str]; 2] = [&[DOWN], &[DOWN, UP]];
    check(&mut cluster, &bots, &steps, |_, _| Part::Gateway(1));
    finish(cluster, bots, 0..=9);
}
