//! `kill -9` at any moment: nobody loses what was acknowledged.

use std::path::Path;
use std::process::{Command, Output};

use rusqlite::{Connection, params};
use undercroft::journal::JOURNAL_FILE;

use crate::rig::bots::Bots;
use crate::rig::server::{Addresses, PROGRAM, Process};
use crate::rig::{Scratch, copy_files, eventually};

const BOTS: usize = 50;

fn verify(data: &Path) -> Output {
    Command::new(PROGRAM)
        .env_clear()
        .args(["replay", "--data"])
        .arg(data)
        .arg("verify")
        .output()
        .unwrap()
}

/// Hashes compared in all, from the lines of `replay verify`.
fn hashes_equal(text: &str) -> u64 {
    let count = |line: &str| -> Option<u64> {
        let (before, _) = line.split_once(" hashes equal")?;
        before.rsplit(' ').next()?.parse().ok()
    };
    text.lines().filter_map(count).sum()
}

#[test]
fn kill_9_three_times_under_fifty_bots_loses_nothing_acknowledged() {
    let scratch = Scratch::new("kill");
    let data = scratch.file("data");
    let start = |at| Process::start(&data, at, &["--snapshot-seconds", "2"]);
    let server = start(Addresses::lasting());
    let at = server.at;
    let bots = Bots::start(at, BOTS);
    let all_play = |welcomes| {
        eventually("every bot plays", || (bots.playing(welcomes) == BOTS).then_some(()));
    };

    // As soon as all are in.
    all_play(1);
    server.kill();
    let server = start(at);
    assert_eq!(server.at, at, "on the same ports");

    // Long after all came back, with snapshots meanwhile.
    all_play(2);
    let snapshots = "game_server_snapshots_total";
    eventually("snapshots", || (at.metrics().value(snapshots) >= 2.0).then_some(()));
    server.kill();
    let server = start(at);

    // While they are coming back.
    eventually("some are back", || (bots.playing(3) >= BOTS / 5).then_some(()));
    let back = bots.playing(3);
    server.kill();
    let server = start(at);
    let before = bots.welcomes();
    eventually("every bot is back", || {
        let now = bots.welcomes();
        let is_back = before.iter().zip(&now).all(|(before, now)| now > before || *now >= 3);
        let online = at.metrics().value("game_server_players_online");
        (is_back && online == BOTS as f64 && bots.playing(3) == BOTS).then_some(())
    });
    eprintln!("{back} of {BOTS} were back when the server was killed again");

    for (number, outcome) in bots.stop().into_iter().enumerate() {
        let stats = outcome.stats;
        assert!(!outcome.over, "bot {number} gave up: {stats:?}");
        assert_eq!(stats.rollbacks, 0, "bot {number} lost what was acknowledged: {stats:?}");
        assert_eq!((stats.hash_errors, stats.broken_messages), (0, 0), "bot {number}: {stats:?}");
        assert!(stats.acknowledged > 0 && stats.resumes >= 2, "bot {number}: {stats:?}");
    }
    server.kill();

    let verdict = verify(&data);
    let text = String::from_utf8_lossy(&verdict.stdout);
    assert!(verdict.status.success(), "{text}");
    assert!(hashes_equal(&text) >= 5, "{text}");
    tampering_is_found(&data, &scratch.file("tampered"));
}

/// Changes one entry of a copy and looks whether `verify` names the tick.
fn tampering_is_found(data: &Path, copy: &Path) {
    copy_files(data, copy);
    let journal = Connection::open(copy.join(JOURNAL_FILE)).unwrap();
    // The richest entry that is re-run and has a recorded hash behind it.
    let (zone, tick, hashed): (i64, i64, i64) = journal
        .query_row(
            "SELECT zone, tick,
                 (SELECT min(tick) FROM entries h
                  WHERE h.zone = e.zone AND h.tick > e.tick AND h.hash IS NOT NULL) AS hashed
             FROM entries e
             WHERE hashed NOT NULL AND tick >
                 ifnull((SELECT min(tick) FROM snapshots s WHERE s.zone = e.zone), 0)
             ORDER BY length(bytes) DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    // As if nobody had done anything: whole in itself, and wrong.
    let nothing: Vec<u8> = undercroft::zone::seal(vec![0]);
    journal
        .execute(
            "UPDATE entries SET bytes = ?3 WHERE zone = ?1 AND tick = ?2",
            params![zone, tick, nothing],
        )
        .unwrap();
    drop(journal);
    let verdict = verify(copy);
    let text = String::from_utf8_lossy(&verdict.stdout);
    assert_eq!(verdict.status.code(), Some(1), "{text}");
    let named = format!("zone {zone} differs from its journal before tick {hashed}");
    assert!(text.contains(&named), "{named} is not in:\n{text}");
}
