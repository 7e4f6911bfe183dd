//! A table of records in NATS's key-value store, each replaced only where its revision is expected.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::kv::{self, Operation};
use async_nats::jetstream::stream::StorageType;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use super::{Nats, in_words, is_refusal};

/// The wait before something is tried again that the server did not do.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The table cannot be used; one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
#[error(
    "the table {name} in NATS at {servers} cannot be used: {detail}; check that JetStream is enabled"
)]
pub struct TableError {
    name: String,
    servers: String,
    detail: String,
}

/// A record as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: String,
    /// Rises with every write to the table.
    pub revision: u64,
    pub value: Bytes,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// Written, with this revision.
    Written(u64),
    /// The record has another revision.
    Refused,
    /// The server did not answer; this is there since it does again.
    Unknown(Option<Row>),
}

/// A table; clones share it.
#[derive(Clone)]
pub struct Table {
    nats: Nats,
    store: kv::Store,
}

impl Table {
    /// Opens a table, and makes it where there is none.
    pub fn open(nats: &Nats, name: &str) -> Result<Self, TableError> {
        let bucket = format!("{}-{name}", nats.prefix());
        // On the disk: one in memory would be gone with the server's process.
        let storage = StorageType::File;
        let config = kv::Config { bucket, history: 1, storage, ..kv::Config::default() };
        let store = nats.wait(nats.jetstream().create_key_value(config));
        let store = store.map_err(|error| TableError {
            name: name.to_owned(),
            servers: nats.servers().to_owned(),
            detail: in_words(&error),
        })?;
        Ok(Self { nats: nats.clone(), store })
    }

    /// Replaces a record if it has this revision, 0 for none, and says what became of it; that
    /// takes as long as the server does not answer.
    pub async fn replace(&self, key: &str, value: Bytes, expected: u64) -> Replaced {
        match self.store.update(key, value, expected).await {
            Ok(revision) => Replaced::Written(revision),
            Err(error) if is_refusal(&error) => Replaced::Refused,
            Err(error) => {
                log::debug!("a write to {} has no answer: {}", self.store.name, in_words(&error));
                Replaced::Unknown(self.look_up(key).await)
            }
        }
    }

    async fn look_up(&self, key: &str) -> Option<Row> {
        loop {
            match self.store.entry(key).await {
                Ok(entry) => return entry.and_then(row),
                Err(_) => tokio::time::sleep(RETRY_AFTER).await,
            }
        }
    }

    /// Tells each record, then each that is replaced, until the task is aborted. A record that is
    /// replaced quickly may be left out; the newest never is.
    pub fn watch(&self, tell: impl Fn(Row) + Send + 'static) -> JoinHandle<()> {
        let store = self.store.clone();
        self.nats.runtime.spawn(async move {
            loop {
                match store.watch_with_history(">").await {
                    Ok(mut watch) => {
                        while let Some(Ok(entry)) = watch.next().await {
                            if let Some(row) = row(entry) {
                                tell(row);
                            }
                        }
                    }
                    Err(error) => log::debug!("{} is not watched: {error}", store.name),
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        })
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.store.name).finish_non_exhaustive()
    }
}

/// Nothing for a record that was removed.
fn row(entry: kv::Entry) -> Option<Row> {
    let kv::Entry { key, revision, value, operation, .. } = entry;
    (operation == Operation::Put).then_some(Row { key, revision, value })
}
