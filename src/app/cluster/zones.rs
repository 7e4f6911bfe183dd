//! Zones that somebody wants to go to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::leases;
use crate::lease::ZoneRecord;
use crate::model::ZoneId;
use crate::nats::Nats;
use crate::nats::table::{Table, TableError};

/// Writes down which zones are wanted, so that an instance takes them; clones share it.
#[derive(Clone, Debug)]
pub struct Wanted {
    table: Table,
    /// The zones that are known to have a record.
    known: Arc<Mutex<BTreeSet<ZoneId>>>,
}

impl Wanted {
    pub fn open(nats: &Nats) -> Result<Self, TableError> {
        Ok(Self { table: Table::open(nats, leases::ZONES)?, known: Arc::default() })
    }

    /// If nobody runs this zone, somebody will. Waits for NATS the first time.
    pub fn want(&self, zone: ZoneId) {
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&zone) {
            return;
        }
        let value = serde_json::to_vec(&ZoneRecord::WANTED).expect("a record is plain data");
        // After an error it is wanted again: whoever asks has to go there all the same.
        if self.table.replace_now(&zone.to_string(), Bytes::from(value), 0).is_ok() {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(zone);
        }
    }
}
