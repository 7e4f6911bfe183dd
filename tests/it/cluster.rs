//! Processes of a cluster that die, stop, are cut off or are told to go while people play: nobody
//! loses what was acknowledged, and nobody has to log in again.

use std::ops::RangeInclusive;
use std::process::Stdio;
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Config;
use undercroft::app::cluster::leases;
use undercroft::app::cluster::mail::{self, InstanceAnswer, InstanceOrder};
use undercroft::model::{InstanceId, ZoneId};
use undercroft::nats::Bus;

use crate::admin::done;
use crate::rig::bots::Bots;
use crate::rig::cluster::{Cluster, Part};
use crate::rig::postgres::Server as PostgresServer;
use crate::rig::{eventually, number, told};

const BOTS: usize = 30;
pub(crate) const FIRST: ZoneId = ZoneId(1);

/// Bots that play on a cluster.
pub(crate) fn populated(name: &str, instances: u32, gateways: u32) -> Option<(Cluster, Bots)> {
    let cluster = Cluster::start(name, instances, gateways)?;
    let bots = populate(&cluster, gateways);
    Some((cluster, bots))
}

/// Lets bots in, once so many gateways are there.
pub(crate) fn populate(cluster: &Cluster, gateways: u32) -> Bots {
    crowd(cluster, gateways, BOTS)
}

fn crowd(cluster: &Cluster, gateways: u32, count: usize) -> Bots {
    cluster.wait_for_gateways(gateways as usize);
    let bots = Bots::start(cluster.at(), count);
    eventually("every bot plays", || (bots.playing(1) == count).then_some(()));
    bots
}

/// Waits until every bot has had frames after this moment.
pub(crate) fn all_go_on(bots: &Bots) {
    let before = bots.frames();
    eventually("every bot goes on", || {
        let now = bots.frames();
        before.iter().zip(&now).all(|(before, now)| now > before).then_some(())
    });
}

/// Looks at the bots and the journals in the end. `resumes`: how often a bot may have had to come
/// back.
pub(crate) fn finish(cluster: Cluster, bots: Bots, resumes: RangeInclusive<u64>) {
    stop(bots, resumes);
    cluster.verify();
}

/// Has the bots leave, and looks whether any of them has missed something.
pub(crate) fn stop(bots: Bots, resumes: RangeInclusive<u64>) {
    all_go_on(&bots);
    for (number, outcome) in bots.stop().into_iter().enumerate() {
        let stats = outcome.stats;
        assert!(!outcome.over, "bot {number} gave up: {stats:?}");
        assert_eq!(stats.rollbacks, 0, "bot {number} lost what was acknowledged: {stats:?}");
        assert_eq!((stats.hash_errors, stats.broken_messages), (0, 0), "bot {number}: {stats:?}");
        assert!(stats.acknowledged > 0, "bot {number}: {stats:?}");
        assert!(resumes.contains(&stats.resumes), "bot {number}: {stats:?}");
    }
}

/// The instance that runs a zone, and another one that could.
pub(crate) fn owner_and_other(cluster: &Cluster, zone: ZoneId) -> (InstanceId, InstanceId) {
    let owner = cluster.owner(&cluster.connect(), zone);
    (owner, InstanceId(if owner.0 == 1 { 2 } else { 1 }))
}

/// Waits until another instance runs the zone.
pub(crate) fn wait_for_owner(cluster: &Cluster, zone: ZoneId, wanted: InstanceId) {
    let nats = cluster.connect();
    eventually("the other owner", || (cluster.owner(&nats, zone) == wanted).then_some(()));
}

#[test]
fn the_zones_of_an_instance_that_is_killed_go_on_elsewhere_and_nobody_is_disconnected() {
    let Some((mut cluster, bots)) = populated("kill-instance", 2, 2) else { return };
    let (owner, other) = owner_and_other(&cluster, FIRST);
    cluster.kill(Part::Instance(owner.0));
    wait_for_owner(&cluster, FIRST, other);
    all_go_on(&bots);
    // It comes back, and the other one dies.
    cluster.run(Part::Instance(owner.0));
    all_go_on(&bots);
    cluster.kill(Part::Instance(other.0));
    wait_for_owner(&cluster, FIRST, owner);
    finish(cluster, bots, 0..=0);
}

#[test]
fn an_instance_that_was_stopped_and_wakes_up_is_fenced() {
    let Some((cluster, bots)) = populated("zombie", 2, 1) else { return };
    let (owner, other) = owner_and_other(&cluster, FIRST);
    cluster.process(Part::Instance(owner.0)).signal("STOP");
    wait_for_owner(&cluster, FIRST, other);
    all_go_on(&bots);
    cluster.process(Part::Instance(owner.0)).signal("CONT");
    let lost = || cluster.process(Part::Instance(owner.0)).log().contains("zone lost");
    eventually("the zombie knows", || lost().then_some(()));
    finish(cluster, bots, 0..=0);
}

#[test]
fn whoever_was_on_a_gateway_that_is_killed_goes_on_over_another() {
    let Some((mut cluster, bots)) = populated("kill-gateway", 1, 2) else { return };
    cluster.kill(Part::Gateway(1));
    eventually("half the bots have come back", || {
        (bots.welcomes().iter().filter(|&&welcomes| welcomes >= 2).count() >= BOTS / 3)
            .then_some(())
    });
    all_go_on(&bots);
    cluster.run(Part::Gateway(1));
    cluster.terminate(Part::Gateway(2));
    finish(cluster, bots, 1..=9);
}

#[test]
fn nats_may_be_killed_and_be_gone_for_a_while() {
    let Some((mut cluster, bots)) = populated("nats", 2, 2) else { return };
    cluster.nats.kill();
    cluster.nats.restart();
    all_go_on(&bots);
    cluster.nats.signal("STOP");
    let is_failing = |part| {
        let metric = "game_server_journal_failures_total";
        cluster.admin_of(part).metrics().value(metric) > 0.0
    };
    let parts = [Part::Instance(1), Part::Instance(2)];
    eventually("the journal is missed", || parts.into_iter().any(is_failing).then_some(()));
    cluster.nats.signal("CONT");
    finish(cluster, bots, 0..=9);
}

#[test]
fn an_instance_that_is_cut_off_loses_its_zones_and_is_fenced_when_it_is_back() {
    let Some(mut cluster) = Cluster::start("cut-instance", 2, 1) else { return };
    for number in [1, 2] {
        cluster.run_behind_relay(Part::Instance(number));
    }
    let bots = populate(&cluster, 1);
    let (owner, other) = owner_and_other(&cluster, FIRST);
    cluster.relay(Part::Instance(owner.0)).cut();
    wait_for_owner(&cluster, FIRST, other);
    all_go_on(&bots);
    cluster.relay(Part::Instance(owner.0)).mend();
    let lost = || cluster.process(Part::Instance(owner.0)).log().contains("zone lost");
    eventually("it knows", || lost().then_some(()));
    finish(cluster, bots, 0..=0);
}

#[test]
fn whoever_is_on_a_gateway_that_is_cut_off_goes_on_over_another() {
    let Some(mut cluster) = Cluster::start("cut-gateway", 1, 0) else { return };
    cluster.run_behind_relay(Part::Gateway(1));
    cluster.run(Part::Gateway(2));
    let bots = populate(&cluster, 2);
    cluster.relay(Part::Gateway(1)).cut();
    all_go_on(&bots);
    cluster.relay(Part::Gateway(1)).mend();
    finish(cluster, bots, 0..=9);
}

#[test]
fn a_journal_without_room_stops_time_and_loses_nothing() {
    let Some((cluster, bots)) = populated("full", 1, 1) else { return };
    let nats = cluster.connect();
    let mut stream = nats.wait(nats.jetstream().get_stream("undercroft-journal")).unwrap();
    let info = nats.wait(stream.info()).unwrap();
    let (room, config) = (info.state.bytes, info.config.clone());
    let full = Config { max_bytes: i64::try_from(room).unwrap(), ..config.clone() };
    nats.wait(nats.jetstream().update_stream(full)).unwrap();
    let at = cluster.admin_of(Part::Instance(1));
    eventually("the journal is missed", || (at.admin("/health/ready").0 == 503).then_some(()));
    nats.wait(nats.jetstream().update_stream(config)).unwrap();
    all_go_on(&bots);
    eventually("it is ready again", || (at.admin("/health/ready").0 == 200).then_some(()));
    finish(cluster, bots, 0..=9);
}

#[test]
fn a_disk_that_is_full_stops_time_and_loses_nothing() {
    let Some(cluster) = Cluster::start_on_small_disk("full-disk") else { return };
    let bots = populate(&cluster, 1);
    cluster.nats.fill_disk();
    let at = cluster.admin_of(Part::Instance(1));
    eventually("the journal is missed", || (at.admin("/health/ready").0 == 503).then_some(()));
    cluster.nats.make_room();
    all_go_on(&bots);
    eventually("it is ready again", || (at.admin("/health/ready").0 == 200).then_some(()));
    finish(cluster, bots, 0..=9);
}

#[test]
fn the_services_are_not_missed_by_those_who_play() {
    let Some((mut cluster, bots)) = populated("kill-services", 1, 1) else { return };
    cluster.kill(Part::Services);
    all_go_on(&bots);
    cluster.kill(Part::Gateway(1));
    // Sessions are resumed without them.
    cluster.run(Part::Gateway(1));
    eventually("all have come back", || (bots.playing(2) == BOTS).then_some(()));
    cluster.run(Part::Services);
    finish(cluster, bots, 1..=9);
}

#[test]
fn a_zone_is_moved_and_an_instance_is_drained_without_a_disconnect() {
    let Some((mut cluster, bots)) = populated("move", 2, 2) else { return };
    let nats = cluster.connect();
    let bus = Bus::new(&nats);
    let ask = |instance, order: InstanceOrder| -> InstanceAnswer {
        let answer = bus.ask(&mail::instance(instance), mail::encode(&order)).unwrap();
        mail::decode(&answer).unwrap()
    };
    for _ in 0..5 {
        let (owner, other) = owner_and_other(&cluster, FIRST);
        let order = InstanceOrder::Move { zone: FIRST, to: other };
        assert!(ask(other, order).unwrap_err().contains("not run by this instance"));
        let nowhere = InstanceOrder::Move { zone: FIRST, to: InstanceId(77) };
        assert!(ask(owner, nowhere).unwrap_err().contains("no instance 77"));
        ask(owner, order).unwrap();
        wait_for_owner(&cluster, FIRST, other);
        all_go_on(&bots);
    }
    let (owner, other) = owner_and_other(&cluster, FIRST);
    cluster.terminate(Part::Instance(owner.0));
    let owners = leases::owners(&nats).unwrap();
    assert!(owners.values().all(|it| it.owner.is_none_or(|by| by.instance == other)), "{owners:?}");
    finish(cluster, bots, 0..=0);
}

#[test]
fn of_two_instances_of_one_number_the_second_waits_and_the_first_plays_on() {
    let Some((cluster, bots)) = populated("twin", 1, 1) else { return };
    let mut twin = cluster.command(Part::Instance(1));
    let log = cluster.data("twin.log");
    let errors = std::fs::File::create(&log).unwrap();
    twin.args(["--admin", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(errors);
    let mut twin = twin.spawn().unwrap();
    let waits = || std::fs::read_to_string(&log).unwrap().contains("waiting to be known");
    eventually("the twin waits", || waits().then_some(()));
    all_go_on(&bots);
    all_go_on(&bots);
    assert_eq!(twin.try_wait().unwrap(), None);
    twin.kill().unwrap();
    let said = twin.wait_with_output().unwrap().stdout;
    assert_eq!(String::from_utf8(said).unwrap(), "", "it was never ready");
    finish(cluster, bots, 0..=0);
}

/// Numbers from a seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What may happen to a cluster.
const EVENTS: [&str; 7] = [
    "an instance is killed",
    "a gateway is killed",
    "the services are killed",
    "NATS is killed",
    "an instance stands still",
    "an instance is stopped",
    "the database is killed",
];

/// `CHAOS_EVENTS` and `CHAOS_SECONDS` make it longer, whichever is the longer; `CHAOS_SEED` makes
/// another one, and `CHAOS_BOTS` says how many play.
#[test]
fn whatever_dies_next_everybody_plays_on() {
    let postgres = PostgresServer::start();
    let Some(mut cluster) = Cluster::start_with(postgres, "chaos", 2, 2) else { return };
    let bots = crowd(&cluster, 2, number("CHAOS_BOTS", BOTS as u64) as usize);
    let mut draws = Draws(number("CHAOS_SEED", 1));
    done(&cluster, &format!("zone standby {FIRST} on"));
    let began = Instant::now();
    let until = began + Duration::from_secs(number("CHAOS_SECONDS", 0));
    let kinds = EVENTS.len() as u64 - u64::from(cluster.postgres().is_none());
    let mut events = 0;
    while events < number("CHAOS_EVENTS", 8) || Instant::now() < until {
        let which = 1 + draws.below(2) as u32;
        let event = EVENTS[draws.below(kinds) as usize];
        eprintln!("{:?}: {event}, {which}", began.elapsed());
        happen(&mut cluster, &bots, event, which);
        all_go_on(&bots);
        events += 1;
    }
    stop(bots, 0..=events * 3);
    if let Some(server) = cluster.postgres() {
        told::is_as_left(&cluster.connect(), server);
    }
    cluster.verify();
}

/// Has something happen to one of two, and takes it back once everybody plays on.
fn happen(cluster: &mut Cluster, bots: &Bots, event: &str, which: u32) {
    let (instance, gateway) = (Part::Instance(which), Part::Gateway(which));
    match event {
        "an instance is killed" => kill_for_a_while(cluster, bots, instance),
        "a gateway is killed" => kill_for_a_while(cluster, bots, gateway),
        "the services are killed" => kill_for_a_while(cluster, bots, Part::Services),
        "NATS is killed" => {
            cluster.nats.kill();
            cluster.nats.restart();
        }
        "an instance stands still" => {
            cluster.process(instance).signal("STOP");
            all_go_on(bots);
            cluster.process(instance).signal("CONT");
        }
        "an instance is stopped" => {
            cluster.terminate(instance);
            all_go_on(bots);
            cluster.run(instance);
        }
        _ => {
            let server = cluster.postgres().unwrap();
            server.kill();
            all_go_on(bots);
            server.start_again();
        }
    }
}

fn kill_for_a_while(cluster: &mut Cluster, bots: &Bots, part: Part) {
    cluster.kill(part);
    all_go_on(bots);
    cluster.run(part);
}
