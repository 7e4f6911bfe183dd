//! A recorded play of one floor, re-run: a change of the rules that nobody meant is a hash that
//! differs.

mod players;

use std::path::PathBuf;
use std::{env, fs};

use undercroft::game::state::{Destination, GASES, Input, ZoneState};
use undercroft::model::limits::HASH_INTERVAL_TICKS;
use undercroft::zone::{Entry, Recording};

/// Ticks of the recording. The last of its entries carries a hash, so no tick goes uncompared.
const TICKS: u64 = 100 * HASH_INTERVAL_TICKS + 1;
/// Bytes of the file at most.
const BYTES_MAX: usize = 100_000;

/// What has happened: a recording in which something is missing proves less than it should.
#[derive(Debug, Default)]
struct Seen {
    commands: u64,
    kills: u64,
    deaths: u64,
    stairs: u64,
    rests: u64,
    returns: u64,
    gas: [bool; GASES],
    fire: bool,
    items_used: u64,
}

impl Seen {
    /// Adds the tick that led from a state with so many monsters to this one.
    fn add(&mut self, entry: &Entry, monsters_before: u32, state: &ZoneState) {
        for input in entry.inputs().unwrap() {
            match input {
                Input::Command { .. } => self.commands += 1,
                Input::Arrive { sheet, .. } => self.returns += u64::from(sheet.version > 0),
                _ => {}
            }
        }
        for departure in state.departures.iter().filter(|d| d.key.tick == state.tick) {
            match (&departure.death, departure.to) {
                (Some(_), _) => self.deaths += 1,
                (None, Destination::Store) => self.rests += 1,
                (None, _) => self.stairs += 1,
            }
        }
        self.kills += u64::from(monsters_before.saturating_sub(state.derived.monsters));
        for (seen, plane) in self.gas.iter_mut().zip(&state.gas) {
            *seen |= plane.iter().any(|&level| level > 0);
        }
        self.fire |= state.fire.iter().any(|&ticks| ticks > 0);
        self.items_used = state.ledger.items_used;
    }

    fn is_everything(&self) -> bool {
        let is_lively = self.commands > TICKS / 2 && self.kills > 10 && self.items_used > 10;
        let is_moved = self.stairs > 2 && self.rests > 0 && self.returns > 5;
        is_lively && is_moved && self.deaths > 2 && self.fire && self.gas.iter().all(|&seen| seen)
    }
}

/// Re-runs a recording; every hash in it is compared.
fn rerun(recording: &Recording) -> Seen {
    let mut replayer = recording.replayer().unwrap_or_else(|e| panic!("{e}; or {RECORD}"));
    let mut seen = Seen::default();
    for entry in &recording.entries {
        let monsters = replayer.state().derived.monsters;
        replayer.apply(entry).unwrap_or_else(|e| {
            panic!("{e}. Where the rules were to change: raise `sim::VERSION` and {RECORD}")
        });
        seen.add(entry, monsters, replayer.state());
    }
    assert_eq!(replayer.hashes_compared(), TICKS.div_ceil(HASH_INTERVAL_TICKS));
    seen
}

const RECORD: &str = "record anew with `just recording`";

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/floor.recording")
}

/// `BLESS=1` records anew, with the first seed that shows everything.
#[test]
fn the_recorded_play_comes_to_the_same_states_again() {
    let path = file();
    if env::var_os("BLESS").is_some() {
        let mut fresh = (1..100).map(|seed| players::record(seed, TICKS));
        let lively = fresh.find(|recording| rerun(recording).is_everything()).unwrap();
        fs::write(&path, lively.encode()).unwrap();
    }
    let bytes = fs::read(path).unwrap();
    assert!(bytes.len() <= BYTES_MAX, "{} bytes", bytes.len());
    let seen = rerun(&Recording::decode(&bytes).unwrap());
    assert!(seen.is_everything(), "{seen:?}: {RECORD}");
}

#[cfg(feature = "gpu")]
#[test]
fn on_a_graphics_device_the_recorded_play_comes_to_the_same_state_after_every_tick() {
    use undercroft::sim::{Executor, Job, Scratch, StepOutput, hash};

    let Some(device) = crate::device::open() else { return };
    let mut executor = Executor::on(device).unwrap();
    let recording = Recording::decode(&fs::read(file()).unwrap()).unwrap();
    let mut reference = recording.replayer().unwrap();
    let mut state = recording.replayer().unwrap().into_state();
    let (mut scratch, mut out) = (Scratch::new(), StepOutput::default());
    for entry in &recording.entries {
        reference.apply(entry).unwrap();
        let inputs = entry.inputs().unwrap();
        let job = Job { state: &mut state, inputs: &inputs, scratch: &mut scratch, out: &mut out };
        executor.step(&mut [job]).unwrap();
        assert_eq!(hash(&state), hash(reference.state()), "tick {}", state.tick.0);
    }
}
