//! Gateway, zones and clients over a simulated network, from one seed.
//!
//! Each run is checked against a model of what the players did: every command given is in the
//! journal once, in its order, and is carried out or refused with a note, be it behind a stair; what
//! a player was told is never taken back; items
//! and gold are conserved; re-running the journals gives the states. Each run is done twice and
//! must come out the same. A failure names its seed; `SIM_SEED` runs one, `SIM_SEEDS` so many.
#![allow(clippy::unwrap_used, reason = "a broken run has failed")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one thing")]
#![allow(unreachable_pub, reason = "the modules of a test are private")]

mod cluster;
#[cfg(feature = "gpu")]
mod device;
mod network;
mod player;
mod recording;
mod reference;
mod server;
mod world;

use network::Weather;
use world::{Faults, Outcome, World};

/// Seeds that failed once.
const KEPT: &[u64] = &[];

fn faults(seed: u64) -> Faults {
    let bad = |n: u64, most: u64| u32::try_from(seed / n % (most + 1)).unwrap();
    Faults {
        weather: Weather { loss: bad(1, 30), duplicate: bad(3, 10), delay_ms: 1 + bad(7, 200) },
        crash: bad(5, 60),
        cut: bad(2, 200),
        snapshot: 50,
        stall: bad(11, 80),
        tear: bad(13, 80),
    }
}

fn run(seed: u64) -> Outcome {
    let outcome = World::new(seed, 4, faults(seed)).run(1_200);
    let again = World::new(seed, 4, faults(seed)).run(1_200);
    assert_eq!(outcome, again, "seed {seed}: two runs differ");
    outcome
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_or_doubled_whatever_happens() {
    if let Some(seed) = number("SIM_SEED") {
        println!("{:?}", run(seed));
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(60);
    let spread = (0..seeds).map(|n| n * 7_919 + 13);
    let mut commands = 0;
    let (mut crashes, mut cuts, mut carried, mut fights) = (0, 0, 0, 0);
    let (mut stalls, mut torn, mut bouts) = (0, 0, 0);
    for seed in KEPT.iter().copied().chain(spread) {
        let outcome = run(seed);
        commands += outcome.commands;
        crashes += outcome.crashes;
        cuts += outcome.cuts;
        carried += outcome.carried;
        fights += outcome.fights;
        stalls += outcome.stalls;
        torn += outcome.torn;
        bouts += outcome.bouts;
    }
    assert!(commands > seeds * 100 && crashes > 0 && cuts > 0, "{commands} {crashes} {cuts}");
    assert!(carried > 0, "no command ever waited behind a stair");
    assert!(stalls > 0 && torn > 0, "{stalls} stalls, {torn} torn");
    assert!(fights > 0 && bouts > 0, "{fights} times through a gate, {bouts} bouts");
    println!(
        "{seeds} seeds, {commands} commands, {crashes} crashes, {cuts} cuts, {carried} carried, {fights} fights, {bouts} bouts, {stalls} stalls, {torn} torn"
    );
}

#[test]
fn in_fair_weather_everybody_plays_on() {
    let weather = Weather { loss: 0, duplicate: 0, delay_ms: 5 };
    let faults = Faults { weather, crash: 0, cut: 0, snapshot: 20, stall: 0, tear: 0 };
    let outcome = World::new(1, 6, faults).run(2_000);
    assert!(outcome.commands > 1_000, "{outcome:?}");
    assert_eq!((outcome.crashes, outcome.cuts), (0, 0));
}
