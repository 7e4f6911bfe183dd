//! What the services make of bouts that arenas have told them of.

use serde_json::json;
use undercroft::app::cluster::clerk::EVENTS;
use undercroft::app::cluster::mail;
use undercroft::app::registrar::News;
use undercroft::game::state::Bout;
use undercroft::model::{Tick, ZoneId};
use undercroft::nats::Queue;

use crate::rig::cluster::{Cluster, Part};
use crate::rig::{eventually, play};

#[test]
fn a_bout_changes_two_ratings_once_and_is_in_both_histories() {
    let Some(mut cluster) = Cluster::start("results", 1, 0) else { return };
    let http = cluster.at().http();
    let [winner, loser] = [(); 2].map(|()| play(http.guest()).unwrap().character);
    let bout = |tick| {
        let (winners, losers) = (vec![winner], vec![loser]);
        News::Bout(Bout { zone: ZoneId(1_001), tick: Tick(tick), winners, losers })
    };
    let events = Queue::open(&cluster.connect(), EVENTS).unwrap();
    // They wait for services that are away; one is told again by a zone that was loaded anew.
    cluster.kill(Part::Services);
    for (time, tick) in [9, 9, 10].into_iter().enumerate() {
        let bout = bout(tick);
        events.keep(&format!("{} {time}", bout.key()), mail::encode(&bout)).unwrap();
    }
    cluster.run(Part::Services);
    let ask = |path: String| play(http.ask("GET", &path, None, None)).unwrap();
    // Another page each time: answers are kept for a while.
    let mut pages = 1_000..;
    let duels = eventually("the last duel", || {
        let before = pages.next().unwrap();
        let page = ask(format!("/api/characters/{loser}/duels?before={before}"));
        let rows = page["duels"].as_array().unwrap().clone();
        (rows.len() >= 2).then_some(rows)
    });
    let seen: Vec<_> = duels.iter().map(|row| [&row["change"], &row["rating"]]).collect();
    assert_eq!(seen, [[&json!(-15), &json!(1_469)], [&json!(-16), &json!(1_484)]]);
    assert_eq!((&duels[0]["won"], &duels[0]["arena"]), (&json!(false), &json!("The Sandpit")));
    let board = [(); 2].map(|()| ask("/api/leaderboard?by=rating".to_owned()));
    assert_eq!(board[0], board[1]);
    let ids: Vec<_> = board[0].as_array().unwrap().iter().map(|row| &row["character"]).collect();
    assert_eq!(ids, [&json!(winner.to_string()), &json!(loser.to_string())]);
    let metrics = cluster.at().metrics();
    assert_eq!(metrics.value("game_server_cache_hits_total{cache=\"leaderboard\"}"), 1.0);
}
