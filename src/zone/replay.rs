//! Re-running the journal: recovery after a crash, and the proof that the journal tells the truth.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, EntryError};
use super::seal::{seal, unseal};
use crate::game::state::ZoneState;
use crate::model::{Tick, ZoneId};
use crate::sim::{self, Scratch, StepOutput};

/// Why a journal cannot be re-run.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("snapshot of zone {zone} at tick {tick} is damaged")]
    Snapshot {
        zone: ZoneId,
        tick: Tick,
        #[source]
        source: postcard::Error,
    },
    #[error(
        "zone {zone} was written by simulation version {written} and this is version {own}: \
         start the version that wrote it, or begin with a new data folder"
    )]
    Version { zone: ZoneId, written: u32, own: u32 },
    #[error("journal of zone {zone} has tick {got} where tick {expected} belongs")]
    Gap { zone: ZoneId, expected: Tick, got: Tick },
    #[error(
        "zone {zone} differs from its journal before tick {tick}: \
         hash {got:016x}, recorded {recorded:016x}"
    )]
    Hash { zone: ZoneId, tick: Tick, recorded: u64, got: u64 },
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// Re-runs entries over a snapshot, comparing every recorded hash.
#[derive(Debug)]
pub struct Replayer {
    state: ZoneState,
    scratch: Scratch,
    output: StepOutput,
    hashes_compared: u64,
}

impl Replayer {
    /// Starts from a state at hand.
    #[must_use]
    pub fn new(mut state: ZoneState) -> Self {
        sim::restore(&mut state);
        Self {
            state,
            scratch: Scratch::default(),
            output: StepOutput::default(),
            hashes_compared: 0,
        }
    }

    /// Starts from an encoded snapshot, see [`encode_snapshot`].
    pub fn from_snapshot(
        zone: ZoneId,
        tick: Tick,
        version: u32,
        bytes: &[u8],
    ) -> Result<Self, ReplayError> {
        if version != sim::VERSION {
            return Err(ReplayError::Version { zone, written: version, own: sim::VERSION });
        }
        let state: ZoneState = unseal(bytes)
            .and_then(postcard::from_bytes)
            .map_err(|source| ReplayError::Snapshot { zone, tick, source })?;
        Ok(Self::new(state))
    }

    /// Re-runs one tick.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), ReplayError> {
        let zone = entry.zone;
        if entry.version != sim::VERSION {
            return Err(ReplayError::Version { zone, written: entry.version, own: sim::VERSION });
        }
        let expected = self.state.tick.next();
        if entry.tick != expected {
            return Err(ReplayError::Gap { zone, expected, got: entry.tick });
        }
        if let Some(recorded) = entry.hash {
            let got = sim::hash(&self.state);
            self.hashes_compared += 1;
            if got != recorded {
                return Err(ReplayError::Hash { zone, tick: entry.tick, recorded, got });
            }
        }
        sim::step(&mut self.state, &entry.inputs()?, &mut self.scratch, &mut self.output);
        Ok(())
    }

    #[must_use]
    pub fn state(&self) -> &ZoneState {
        &self.state
    }

    /// How many recorded hashes were equal.
    #[must_use]
    pub fn hashes_compared(&self) -> u64 {
        self.hashes_compared
    }

    #[must_use]
    pub fn into_state(self) -> ZoneState {
        self.state
    }
}

/// Encodes a state as a snapshot, with a checksum.
#[must_use]
pub fn encode_snapshot(state: &ZoneState) -> Vec<u8> {
    seal(postcard::to_stdvec(state).expect("a state is plain data"))
}

/// All it takes to re-run a zone anywhere: a snapshot and the entries behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    pub zone: ZoneId,
    /// The tick of the snapshot.
    pub tick: Tick,
    pub version: u32,
    pub snapshot: Vec<u8>,
    pub entries: Vec<Entry>,
}

/// The first bytes of a recording's file.
const MAGIC: &[u8] = b"undercroft-recording-1\n";

/// Why bytes are not a recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("this is no recording; make one with `undercroft replay export`")]
    Foreign,
    #[error("the recording is damaged")]
    Damaged(#[from] postcard::Error),
}

impl Recording {
    /// The bytes of a file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(postcard::to_stdvec(self).expect("a recording is plain data"));
        bytes
    }

    /// Reads the bytes of a file.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordingError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(RecordingError::Foreign)?;
        Ok(postcard::from_bytes(rest)?)
    }

    /// A replayer at the recording's beginning.
    pub fn replayer(&self) -> Result<Replayer, ReplayError> {
        Replayer::from_snapshot(self.zone, self.tick, self.version, &self.snapshot)
    }
}
