//! Which zone holds which character, for one process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{CharacterId, ZoneId};

/// The directory. Worked out from the zones at start, kept up as characters move.
#[derive(Debug, Default)]
pub struct Directory {
    zones: Mutex<HashMap<CharacterId, ZoneId>>,
}

impl Directory {
    fn lock(&self) -> MutexGuard<'_, HashMap<CharacterId, ZoneId>> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The zone that holds the character or is about to.
    pub fn find(&self, character: CharacterId) -> Option<ZoneId> {
        self.lock().get(&character).copied()
    }

    /// The character is in this zone now.
    pub fn place(&self, character: CharacterId, zone: ZoneId) {
        self.lock().insert(character, zone);
    }

    /// The character is in this zone, unless another one is known to have it.
    pub fn place_if_absent(&self, character: CharacterId, zone: ZoneId) {
        self.lock().entry(character).or_insert(zone);
    }

    /// Claims an absent character for `zone`; false if some zone has it already.
    pub fn claim(&self, character: CharacterId, zone: ZoneId) -> bool {
        let mut zones = self.lock();
        let absent = !zones.contains_key(&character);
        if absent {
            zones.insert(character, zone);
        }
        absent
    }

    /// The character rests in the store.
    pub fn remove(&self, character: CharacterId) {
        self.lock().remove(&character);
    }

    /// Characters in any zone.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
