//! Wall clocks that are set while people play: time goes on as before.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use undercroft::net::Transport;

use crate::cluster::{all_go_on, finish, populate};
use crate::rig::clock;
use crate::rig::cluster::{Cluster, Part};
use crate::rig::player::Player;
use crate::rig::{eventually, play};

const PARTS: [Part; 3] = [Part::Instance(1), Part::Gateway(1), Part::Services];
const DAY: i64 = 24 * 3_600;
const TICKS_PER_SECOND: f64 = 20.0;
/// More ticks than those of the time that passed: of two looks that take a moment.
const TICKS_SPARE: f64 = 40.0;

/// By how many seconds a process's clock is wrong, as the newest line of its log tells.
fn wrong_by(cluster: &Cluster, part: Part) -> i64 {
    let log = cluster.process(part).log();
    let line = log.lines().rfind(|line| line.starts_with('[')).unwrap();
    let time = &line[line.find('T').unwrap() + 1..];
    let mut numbers = time[..8].split(':').map(|number| number.parse::<i64>().unwrap());
    let mut number = || numbers.next().unwrap();
    let said = number() * 3_600 + number() * 60 + number();
    // Midnight may lie between the two.
    (said - unix_now() + DAY / 2).rem_euclid(DAY) - DAY / 2
}

/// Has somebody new come in and go again, of which instance and gateway leave a line. By how many
/// seconds the clock of the services is wrong, as the token tells.
fn visit(cluster: &Cluster) -> i64 {
    let at = cluster.admin_of(Part::Gateway(1));
    let login = play(cluster.at().http().guest()).unwrap();
    play(async { Player::join_as(at, Transport::WebSocket, &login).await.leave().await });
    let claims = URL_SAFE_NO_PAD.decode(login.token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    claims["iat"].as_i64().unwrap() - unix_now()
}

fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap()
}

#[test]
fn a_clock_that_is_set_neither_stops_time_nor_lets_it_run() {
    let Some(library) = clock::library() else { return };
    let Some(mut cluster) = Cluster::start("clocks", 1, 1) else { return };
    PARTS.into_iter().for_each(|part| cluster.run_with_clock(part, &library));
    let bots = populate(&cluster, 1);
    let at = cluster.admin_of(Part::Instance(1));
    let ticks = || at.metrics().value("game_server_tick_duration_seconds_count");
    for part in PARTS {
        for seconds in [5.0, -3_600.02, 3_600.02] {
            let (began, before) = (Instant::now(), ticks());
            cluster.clock(part).set(seconds);
            eventually("it is set", || {
                let of_services = visit(&cluster);
                let wrong = match part {
                    Part::Services => of_services,
                    Part::Instance(_) | Part::Gateway(_) => wrong_by(&cluster, part),
                };
                // What was just said may be of the second before.
                (wrong.abs_diff(seconds as i64) <= 2).then_some(())
            });
            all_go_on(&bots);
            let most = began.elapsed().as_secs_f64() * TICKS_PER_SECOND + TICKS_SPARE;
            let ticks = ticks() - before;
            assert!(ticks <= most, "{part:?} by {seconds}: {ticks} ticks, {most} at most");
        }
    }
    finish(cluster, bots, 0..=0);
}
