//! Tables of what admins settle for all processes: records that are there or taken back.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::nats::Nats;
use crate::nats::table::{Table, TableError};

/// Such a table.
#[derive(Clone, Debug)]
pub struct Settled(Table);

impl Settled {
    pub fn open(nats: &Nats, name: &str) -> Result<Self, TableError> {
        Ok(Self(Table::open(nats, name)?))
    }

    /// Writes a record, or takes it back: then its row says so and stays.
    pub fn set(&self, key: &str, record: Option<&impl Serialize>) -> Result<(), TableError> {
        let value = serde_json::to_vec(&record).expect("a record is plain data");
        self.0.put(key, value.into())
    }

    /// All rows by their keys.
    pub fn rows(&self) -> Result<BTreeMap<String, Bytes>, TableError> {
        Ok(self.0.all()?.into_iter().map(|row| (row.key, row.value)).collect())
    }

    /// Tells all rows before it returns, and then whenever one changes.
    pub fn follow(
        &self,
        tell: impl Fn(&BTreeMap<String, Bytes>) + Send + 'static,
    ) -> Result<(), TableError> {
        tell(&self.rows()?);
        self.0.follow(tell);
        Ok(())
    }
}

/// The record of a row; none if it was taken back, or is not one of this version.
#[must_use]
pub fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).unwrap_or_else(|error| {
        log::error!("the record {key} in NATS cannot be read and does not count: {error}");
        None
    })
}
