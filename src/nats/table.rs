//! A table of records in NATS's key-value store, each replaced only where its revision is expected.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::kv::{self, Operation};
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use super::{Nats, in_words, is_refusal, streams};

/// The wait before something is tried again that the server did not do.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The table cannot be used; one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
#[error("the table {name} in NATS at {servers} cannot be used: {detail}")]
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

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    Row(Row),
    /// It tells no more: open it anew, and all is told again.
    Ended,
}

/// A table; clones share it.
#[derive(Clone)]
pub struct Table {
    nats: Nats,
    store: Arc<kv::Store>,
}

impl Table {
    /// Opens a table, and makes it where there is none.
    pub fn open(nats: &Nats, name: &str) -> Result<Self, TableError> {
        let bucket = format!("{}-{name}", nats.prefix());
        // A key-value store, but for what `streams` wants otherwise than the library.
        let config = Config {
            name: format!("KV_{bucket}"),
            subjects: vec![format!("$KV.{bucket}.>")],
            max_messages_per_subject: 1,
            // On the disk: one in memory would be gone with the server's process.
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            deny_delete: true,
            ..Config::default()
        };
        let store = nats.wait(async {
            streams::open(nats, config).await?;
            let store = nats.jetstream().get_key_value(bucket).await;
            store.map_err(|error| in_words(&error))
        });
        let store = store.map_err(|detail| TableError {
            name: name.to_owned(),
            servers: nats.servers().to_owned(),
            detail,
        })?;
        Ok(Self { nats: nats.clone(), store: Arc::new(store) })
    }

    /// Opens a table that is there; where there is none, the prefix is most likely wrong.
    pub fn open_known(nats: &Nats, name: &str) -> Result<Self, TableError> {
        let bucket = format!("{}-{name}", nats.prefix());
        let store = nats.wait(nats.jetstream().get_key_value(bucket)).map_err(|error| {
            let cause = error.source().and_then(|it| it.downcast_ref::<GetStreamError>());
            let is_missing = cause.is_some_and(|cause| match cause.kind() {
                GetStreamErrorKind::JetStream(it) => it.error_code() == ErrorCode::STREAM_NOT_FOUND,
                GetStreamErrorKind::EmptyName
                | GetStreamErrorKind::Request
                | GetStreamErrorKind::InvalidStreamName => false,
            });
            let detail = if is_missing {
                format!("nothing there has the prefix {:?}; correct --prefix", nats.prefix())
            } else {
                in_words(&error)
            };
            TableError { name: name.to_owned(), servers: nats.servers().to_owned(), detail }
        })?;
        Ok(Self { nats: nats.clone(), store: Arc::new(store) })
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

    /// A record as it is now. Must not be called on a thread of the runtime.
    pub fn get(&self, key: &str) -> Result<Option<Row>, TableError> {
        let entry = self.nats.wait(self.store.entry(key));
        Ok(entry.map_err(|error| self.failed(&error))?.and_then(row))
    }

    /// All records. Must not be called on a thread of the runtime.
    pub fn all(&self) -> Result<Vec<Row>, TableError> {
        let failed = |error: &dyn Error| self.failed(error);
        self.nats.wait(async {
            let mut rows = Vec::new();
            let info = self.store.stream.get_info().await.map_err(|error| failed(&error))?;
            if info.state.messages == 0 {
                return Ok(rows);
            }
            // The consumer may run where the newest is not known yet.
            let newest = info.state.last_sequence;
            let watch = self.store.watch_with_history(">").await;
            let mut watch = watch.map_err(|error| failed(&error))?;
            while let Some(entry) = watch.next().await {
                let entry = entry.map_err(|error| failed(&error))?;
                let is_last = entry.revision >= newest;
                rows.extend(row(entry));
                if is_last {
                    break;
                }
            }
            Ok(rows)
        })
    }

    fn failed(&self, error: &dyn Error) -> TableError {
        let (name, servers) = (self.store.name.clone(), self.nats.servers().to_owned());
        TableError { name, servers, detail: in_words(error) }
    }

    /// Replaces a record if it has this revision, 0 for none; false if it has another. After an
    /// error it may be written or not. Must not be called on a thread of the runtime.
    pub fn replace_now(&self, key: &str, value: Bytes, expected: u64) -> Result<bool, TableError> {
        match self.nats.wait(self.store.update(key, value, expected)) {
            Ok(_) => Ok(true),
            Err(error) if is_refusal(&error) => Ok(false),
            Err(error) => Err(self.failed(&error)),
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

    /// Tells all records by their keys, and all of them again whenever one is replaced, for as long
    /// as the runtime lives; an empty table is not told.
    pub fn follow(&self, tell: impl Fn(&BTreeMap<String, Bytes>) + Send + 'static) {
        let store = self.store.clone();
        self.nats.0.runtime.spawn(async move {
            loop {
                let mut rows = BTreeMap::new();
                match store.watch_with_history(">").await {
                    Ok(mut watch) => {
                        while let Some(Ok(entry)) = watch.next().await {
                            let is_last = entry.delta == 0;
                            if let Some(Row { key, value, .. }) = row(entry) {
                                rows.insert(key, value);
                            }
                            if is_last {
                                tell(&rows);
                            }
                        }
                    }
                    Err(error) => {
                        log::debug!("{} is not watched: {}", store.name, in_words(&error));
                    }
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        });
    }

    /// Writes a record, whatever it was. Must not be called on a thread of the runtime.
    pub fn put(&self, key: &str, value: Bytes) -> Result<(), TableError> {
        let put = self.nats.wait(self.store.put(key, value));
        put.map(drop).map_err(|error| self.failed(&error))
    }

    /// Tells each record, then each that is replaced, in the order of the writes, until it cannot
    /// be told what follows: then it ends. A record that is replaced quickly may be left out; the
    /// newest never is. Aborting the task ends it without a word.
    pub fn watch(&self, tell: impl Fn(Watched) + Send + 'static) -> JoinHandle<()> {
        let store = self.store.clone();
        self.nats.0.runtime.spawn(async move {
            match store.watch_with_history(">").await {
                Ok(mut watch) => {
                    while let Some(Ok(entry)) = watch.next().await {
                        if let Some(row) = row(entry) {
                            tell(Watched::Row(row));
                        }
                    }
                }
                Err(error) => log::debug!("{} is not watched: {}", store.name, in_words(&error)),
            }
            tell(Watched::Ended);
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
