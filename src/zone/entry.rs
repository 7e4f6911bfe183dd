//! Journal entries: the inputs of one tick.

use serde::{Deserialize, Serialize};

use super::seal::{seal, unseal};
use crate::game::state::Input;
use crate::model::{Tick, ZoneId};
use crate::sim;

/// One tick in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub zone: ZoneId,
    /// The tick the inputs lead to.
    pub tick: Tick,
    /// The simulation version that may re-run it.
    pub version: u32,
    /// Hash of the state before this tick, now and then.
    pub hash: Option<u64>,
    /// The inputs, as [`Entry::inputs`] reads them, with a checksum.
    pub bytes: Vec<u8>,
}

/// Why an entry cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("journal entry of zone {zone} at tick {tick} is damaged")]
pub struct EntryError {
    pub zone: ZoneId,
    pub tick: Tick,
    #[source]
    pub source: postcard::Error,
}

impl Entry {
    pub(super) fn new(zone: ZoneId, tick: Tick, hash: Option<u64>, inputs: &[Input]) -> Self {
        let bytes = seal(postcard::to_stdvec(inputs).expect("inputs are plain data"));
        Self { zone, tick, version: sim::VERSION, hash, bytes }
    }

    /// The inputs of the tick.
    pub fn inputs(&self) -> Result<Vec<Input>, EntryError> {
        let inputs = unseal(&self.bytes).and_then(postcard::from_bytes);
        inputs.map_err(|source| EntryError { zone: self.zone, tick: self.tick, source })
    }
}
