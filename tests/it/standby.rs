//! A zone that a second instance follows: it goes on there as soon as its owner is silent.

use undercroft::model::InstanceId;

use crate::admin::done;
use crate::cluster::{FIRST, all_go_on, finish, owner_and_other, populated, wait_for_owner};
use crate::rig::cluster::{Cluster, Part};
use crate::rig::eventually;

fn metric(cluster: &Cluster, instance: InstanceId, name: &str) -> f64 {
    cluster.admin_of(Part::Instance(instance.0)).metrics().value(name)
}

/// Waits until an instance could take so many zones over.
fn wait_until_ready(cluster: &Cluster, instance: InstanceId, zones: f64) {
    eventually("the standby", || {
        (metric(cluster, instance, "game_server_zones_followed") == zones).then_some(())
    });
}

fn takeovers(cluster: &Cluster, instance: InstanceId) -> f64 {
    metric(cluster, instance, "game_server_takeovers_total")
}

#[test]
fn a_zone_with_a_standby_is_taken_over_from_an_owner_that_stops_and_from_one_that_dies() {
    let Some((mut cluster, bots)) = populated("standby", 2, 2) else { return };
    let (owner, other) = owner_and_other(&cluster, FIRST);
    let said = done(&cluster, &format!("zone standby {FIRST} on"));
    assert_eq!(said, format!("zone {FIRST} has a standby now\n"));
    wait_until_ready(&cluster, other, 1.0);
    cluster.process(Part::Instance(owner.0)).signal("STOP");
    wait_for_owner(&cluster, FIRST, other);
    assert_eq!(takeovers(&cluster, other), 1.0);
    all_go_on(&bots);

    // What it does when it wakes up is refused, and it follows in its turn.
    cluster.process(Part::Instance(owner.0)).signal("CONT");
    wait_until_ready(&cluster, owner, 1.0);
    assert!(cluster.process(Part::Instance(owner.0)).log().contains("zone lost"));
    cluster.kill(Part::Instance(other.0));
    wait_for_owner(&cluster, FIRST, owner);
    assert_eq!(takeovers(&cluster, owner), 1.0);
    all_go_on(&bots);

    cluster.run(Part::Instance(other.0));
    wait_until_ready(&cluster, other, 1.0);
    // Where the owner lives and is heard, nothing is taken over.
    done(&cluster, &format!("zone move {FIRST} {other}"));
    assert_eq!(takeovers(&cluster, other), 0.0);
    wait_until_ready(&cluster, owner, 1.0);
    let said = done(&cluster, &format!("zone standby {FIRST} off"));
    assert_eq!(said, format!("zone {FIRST} has no standby now\n"));
    wait_until_ready(&cluster, owner, 0.0);
    finish(cluster, bots, 0..=0);
}
