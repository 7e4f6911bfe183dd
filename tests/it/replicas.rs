//! Three servers of NATS that have the world between them: one of them may die at any moment.

use futures_util::TryStreamExt;
use undercroft::nats::Nats;
use undercroft::nats::trail::Trail;

use crate::cluster::{all_go_on, finish, populate};
use crate::rig::cluster::Cluster;
use crate::rig::eventually;

/// How often a bot may have had to come back: whoever was connected to the server that died has
/// heard nothing for a while.
const RESUMES_MAX: u64 = 10;

/// How many replicas each stream has.
fn replicas(nats: &Nats) -> Vec<(String, usize)> {
    // All servers have to answer for it.
    let streams: Vec<_> = eventually("a list of the streams", || {
        nats.wait(nats.jetstream().streams().try_collect()).ok()
    });
    streams.into_iter().map(|stream| (stream.config.name, stream.config.num_replicas)).collect()
}

#[test]
fn each_server_of_a_nats_cluster_is_killed_in_turn_and_nothing_is_lost() {
    let Some(mut cluster) = Cluster::start_on_three("three", 2, 1) else { return };
    let found = replicas(&cluster.connect());
    assert!(found.len() > 5 && found.iter().all(|(_, replicas)| *replicas == 3), "{found:?}");
    // One that is there is brought to what is asked for.
    for wanted in [1, 3] {
        let nats = cluster.connect_with(Some(wanted));
        Trail::open(&nats, "probe").unwrap();
        assert!(replicas(&nats).contains(&("undercroft-probe".to_owned(), wanted)));
    }
    let bots = populate(&cluster, 1);
    for number in 0..3 {
        let server = cluster.server(number);
        server.kill();
        all_go_on(&bots);
        let server = cluster.server(number);
        server.restart();
        server.wait_until_current();
        all_go_on(&bots);
    }
    finish(cluster, bots, 0..=RESUMES_MAX);
}
