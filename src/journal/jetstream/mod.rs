//! The journal in NATS: a stream with a subject for each zone, and an object store for snapshots.
//!
//! An entry is one message. It is accepted only if the newest message of its subject is the one
//! that the writer knows of: a writer that somebody else has overtaken is refused by the server,
//! whatever it believes. An acknowledged entry is on the server's disk as its `sync_interval` says.
//!
//! The newest message of a subject is never purged, for the fence hangs on it: where all entries
//! of a zone are pruned, a mark takes their place.

mod orphans;
mod reader;
mod record;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::object_store::{InfoErrorKind, ObjectInfo, ObjectMetadata, ObjectStore};
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, RawMessageError, RawMessageErrorKind, StorageType, Stream,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use futures_util::TryStreamExt;
pub use reader::JetStreamReader;
use record::Record;
pub use tail::{Tail, Tailed};
pub use writer::JetStreamJournal;

use super::{ReadError, SnapshotHead};
use crate::model::{Tick, ZoneId};
use crate::nats::{Nats, in_words, streams};

/// What is written into the streams' metadata: whose they are and how they are encoded.
const FORMAT_KEY: &str = "undercroft-journal";
const FORMAT: u32 = 1;
/// Bytes of a message that carries a part of a snapshot.
const CHUNK_BYTES: usize = 512 * 1_024;

/// Why the journal in NATS cannot be used; one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error(
        "the stream {name} in NATS at {servers} is not the journal of this game; choose another \
         prefix or remove the stream"
    )]
    Foreign { servers: String, name: String },
    #[error(
        "the stream {name} in NATS at {servers} was written by a newer version (format {found}, \
         this one knows up to {FORMAT}); update this program"
    )]
    Newer { servers: String, name: String, found: u32 },
    #[error("JetStream in NATS at {servers} cannot be used: {detail}; check that it is enabled")]
    Unavailable { servers: String, detail: String },
}

/// Both streams, as the writer and the readers use them.
struct Log {
    nats: Nats,
    entries: Stream,
    snapshots: ObjectStore,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("nats", &self.nats).finish_non_exhaustive()
    }
}

impl Log {
    /// Opens the streams, and makes them where there are none.
    async fn open(nats: Nats) -> Result<Arc<Self>, StreamError> {
        let name = format!("{}-journal", nats.prefix());
        let unavailable =
            |detail| StreamError::Unavailable { servers: nats.servers().to_owned(), detail };
        let config = Config {
            name: name.clone(),
            subjects: vec![format!("{}.journal.*", nats.prefix())],
            storage: StorageType::File,
            // A full store refuses what is new; by default it would forget what is old.
            discard: DiscardPolicy::New,
            deny_delete: true,
            metadata: HashMap::from([(FORMAT_KEY.to_owned(), FORMAT.to_string())]),
            ..Config::default()
        };
        let entries = streams::open_as_is(&nats, config).await.map_err(unavailable)?;
        let found = entries.cached_info().config.metadata.get(FORMAT_KEY);
        let Some(found) = found.and_then(|found| found.parse::<u32>().ok()) else {
            return Err(StreamError::Foreign { servers: nats.servers().to_owned(), name });
        };
        if found > FORMAT {
            return Err(StreamError::Newer { servers: nats.servers().to_owned(), name, found });
        }
        let entries = streams::bring(&nats, entries).await.map_err(unavailable)?;
        let bucket = bucket(&nats);
        // An object store, but for what `streams` wants otherwise than the library.
        let config = Config {
            name: format!("OBJ_{bucket}"),
            subjects: vec![format!("$O.{bucket}.C.>"), format!("$O.{bucket}.M.>")],
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            ..Config::default()
        };
        streams::open(&nats, config).await.map_err(unavailable)?;
        let snapshots = nats.jetstream().get_object_store(&bucket).await;
        let snapshots = snapshots.map_err(|error| unavailable(in_words(&error)))?;
        Ok(Arc::new(Self { nats, entries, snapshots }))
    }

    fn subject(&self, zone: ZoneId) -> String {
        format!("{}.journal.{zone}", self.nats.prefix())
    }

    /// The newest message of a zone.
    async fn last(&self, zone: ZoneId) -> Result<Option<Found>, ReadError> {
        self.found(zone, self.entries.get_last_raw_message_by_subject(&self.subject(zone)).await)
    }

    /// The first message of a zone from a place in the stream on.
    async fn next(&self, zone: ZoneId, sequence: u64) -> Result<Option<Found>, ReadError> {
        let subject = self.subject(zone);
        let next = self.entries.get_first_raw_message_by_subject(subject, sequence.max(1)).await;
        self.found(zone, next)
    }

    fn found(
        &self,
        zone: ZoneId,
        answer: Result<StreamMessage, RawMessageError>,
    ) -> Result<Option<Found>, ReadError> {
        match answer {
            Ok(message) => self.decode(zone, message.sequence, &message.payload).map(Some),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(self.unavailable(&error)),
        }
    }

    fn decode(&self, zone: ZoneId, sequence: u64, payload: &[u8]) -> Result<Found, ReadError> {
        let record = Record::decode(zone, payload)
            .ok_or_else(|| self.broken(&format!("message {sequence} of zone {zone}")))?;
        Ok(Found { sequence, record })
    }

    /// The first message of a zone after a tick: messages are in the order of ticks, so it is found
    /// by halving.
    async fn first_after(&self, zone: ZoneId, tick: Tick) -> Result<Option<Found>, ReadError> {
        let Some(last) = self.last(zone).await? else { return Ok(None) };
        if last.record.tick() <= tick {
            return Ok(None);
        }
        let Some(first) = self.next(zone, 1).await? else { return Ok(None) };
        let (mut low, mut best) = (first.sequence, last);
        while low < best.sequence {
            let middle = low.midpoint(best.sequence);
            match self.next(zone, middle).await? {
                Some(found) if found.record.tick() <= tick => low = found.sequence + 1,
                Some(found) if found.sequence < best.sequence => best = found,
                // Between the middle and the best there is nothing of this zone.
                Some(_) | None => {
                    if middle == low {
                        break;
                    }
                    let Some(earlier) = self.next(zone, low).await? else { break };
                    if earlier.record.tick() > tick {
                        best = earlier;
                        break;
                    }
                    low = earlier.sequence + 1;
                }
            }
        }
        Ok(Some(best))
    }

    /// The snapshots of a zone, newest first.
    async fn heads(&self, zone: ZoneId) -> Result<Vec<SnapshotHead>, ReadError> {
        let own = format!("{zone}.");
        let mut heads = Vec::new();
        for name in self.object_names().await?.iter().filter(|name| name.starts_with(&own)) {
            let info = self.object_info(name).await?;
            heads.extend(info.as_ref().and_then(named).map(|(_, head)| head));
        }
        heads.sort_unstable_by_key(|head| std::cmp::Reverse(head.tick));
        Ok(heads)
    }

    fn bucket(&self) -> String {
        bucket(&self.nats)
    }

    /// The stream that the store of snapshots lies in.
    async fn object_stream(&self) -> Result<Stream<()>, ReadError> {
        let name = format!("OBJ_{}", self.bucket());
        let stream = self.nats.jetstream().get_stream_no_info(name).await;
        stream.map_err(|error| self.unavailable(&error))
    }

    /// The names of the snapshots there are. Taken from the subjects that the server has: the
    /// client's own list waits for ever for one that is removed meanwhile.
    async fn object_names(&self) -> Result<Vec<String>, ReadError> {
        let prefix = format!("$O.{}.M.", self.bucket());
        let listed = self.object_stream().await?.info_with_subjects(format!("{prefix}*")).await;
        let listed = listed.map_err(|error| self.unavailable(&error))?;
        let subjects: Vec<(String, usize)> =
            listed.try_collect().await.map_err(|error| self.unavailable(&error))?;
        let name = |subject: &str| {
            let bytes = URL_SAFE.decode(subject.strip_prefix(&prefix)?).ok()?;
            String::from_utf8(bytes).ok()
        };
        Ok(subjects.iter().filter_map(|(subject, _)| name(subject)).collect())
    }

    /// What is said of a snapshot that is there.
    async fn object_info(&self, name: &str) -> Result<Option<ObjectInfo>, ReadError> {
        match self.snapshots.info(name).await {
            Ok(info) => Ok(Some(info).filter(|info| !info.deleted)),
            Err(error) if error.kind() == InfoErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unavailable(&error)),
        }
    }

    fn broken(&self, what: &str) -> ReadError {
        ReadError::BrokenMessage { servers: self.nats.servers().to_owned(), what: what.to_owned() }
    }

    fn unavailable(&self, error: &dyn std::error::Error) -> ReadError {
        ReadError::Unavailable { servers: self.nats.servers().to_owned(), detail: in_words(error) }
    }
}

/// A message and its place in the stream.
#[derive(Debug)]
struct Found {
    sequence: u64,
    record: Record,
}

fn bucket(nats: &Nats) -> String {
    format!("{}-snapshots", nats.prefix())
}

/// The name of a snapshot's object.
fn object(zone: ZoneId, tick: Tick) -> String {
    format!("{zone}.{tick}")
}

/// What is said of a snapshot beside its bytes.
fn metadata(zone: ZoneId, head: SnapshotHead) -> ObjectMetadata {
    let mut metadata = HashMap::from([("version".to_owned(), head.version.to_string())]);
    metadata.extend(head.hash.map(|hash| ("hash".to_owned(), format!("{hash:016x}"))));
    let name = object(zone, head.tick);
    ObjectMetadata { name, chunk_size: Some(CHUNK_BYTES), metadata, ..ObjectMetadata::default() }
}

/// What is known of the snapshot in an object; nothing if it is none.
fn named(info: &ObjectInfo) -> Option<(ZoneId, SnapshotHead)> {
    let (zone, tick) = info.name.split_once('.')?;
    let hash = info.metadata.get("hash").map(|hash| u64::from_str_radix(hash, 16));
    let head = SnapshotHead {
        tick: Tick(tick.parse().ok()?),
        version: info.metadata.get("version")?.parse().ok()?,
        hash: hash.transpose().ok()?,
        size_bytes: info.size,
    };
    Some((ZoneId(zone.parse().ok()?), head))
}
