use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::object_store::{GetErrorKind, Object};
use futures_util::TryStreamExt;
use tokio::io::AsyncReadExt;

use super::record::Record;
use super::tail::Messages;
use super::{Log, StreamError, named, object};
use crate::journal::{
    BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Entry, ReadError, Snapshot, SnapshotHead,
};
use crate::model::{Tick, ZoneId};
use crate::nats::{Nats, in_words};

/// Longest time that a snapshot may take to be read: one that is overwritten meanwhile never ends.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time that the next of the messages there are may take.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the journal in NATS.
#[derive(Clone, Debug)]
pub struct JetStreamReader {
    pub(super) log: Arc<Log>,
}

impl JetStreamReader {
    /// Opens the journal for reading; makes its streams where there are none.
    pub fn open(nats: &Nats) -> Result<Self, StreamError> {
        Ok(Self { log: nats.wait(Log::open(nats.clone()))? })
    }

    pub(in crate::journal) fn zones(&self) -> Result<Vec<ZoneId>, ReadError> {
        let log = &self.log;
        log.nats.wait(async {
            let all = format!("{}.journal.*", log.nats.prefix());
            let subjects = log.entries.info_with_subjects(&all).await;
            let subjects = subjects.map_err(|error| log.unavailable(&error))?;
            let subjects: Vec<(String, usize)> =
                subjects.try_collect().await.map_err(|error| log.unavailable(&error))?;
            let ids = subjects.iter().filter_map(|(subject, _)| subject.rsplit('.').next());
            let mut zones: Vec<ZoneId> = ids.filter_map(|id| id.parse().ok()).map(ZoneId).collect();
            let names = log.object_names().await?;
            let saved = names.iter().filter_map(|name| name.split_once('.')?.0.parse().ok());
            zones.extend(saved.map(ZoneId));
            zones.sort_unstable();
            zones.dedup();
            Ok(zones)
        })
    }

    pub(in crate::journal) fn last_tick(&self, zone: ZoneId) -> Result<Option<Tick>, ReadError> {
        self.log.nats.wait(async {
            let entry = self.log.last(zone).await?.map(|last| last.record.tick());
            let newest = self.log.heads(zone).await?.first().map(|head| head.tick);
            Ok(entry.max(newest))
        })
    }

    pub(in crate::journal) fn snapshots(
        &self,
        zone: ZoneId,
    ) -> Result<Vec<SnapshotHead>, ReadError> {
        self.log.nats.wait(self.log.heads(zone))
    }

    pub(in crate::journal) fn snapshot(
        &self,
        zone: ZoneId,
        tick: Tick,
    ) -> Result<Option<Snapshot>, ReadError> {
        let log = &self.log;
        let name = object(zone, tick);
        log.nats.wait(async {
            let object = match log.snapshots.get(&name).await {
                Ok(object) => object,
                Err(error) if error.kind() == GetErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(log.unavailable(&error)),
            };
            let broken = |why: &str| log.broken(&format!("the snapshot {name}: {why}"));
            let Some((_, head)) = named(object.info()) else {
                return Err(broken("it does not say what it is"));
            };
            let bytes = match tokio::time::timeout(SNAPSHOT_TIMEOUT, read(object)).await {
                Ok(Ok(bytes)) if bytes.len() == head.size_bytes => bytes,
                Ok(Ok(_)) => return Err(broken("it has another length")),
                Ok(Err(error)) => return Err(broken(&in_words(&error))),
                Err(_) => return Err(broken("it does not come to an end")),
            };
            let SnapshotHead { tick, version, hash, .. } = head;
            Ok(Some(Snapshot { zone, tick, version, hash, bytes }))
        })
    }

    pub(in crate::journal) fn batch(
        &self,
        zone: ZoneId,
        after: Option<Tick>,
    ) -> Result<Vec<Entry>, ReadError> {
        let log = &self.log;
        log.nats.wait(async {
            let (mut entries, mut size) = (Vec::new(), 0);
            let Some(last) = log.last(zone).await? else { return Ok(entries) };
            let start = match after {
                Some(after) => log.first_after(zone, after).await?,
                None => log.next(zone, 1).await?,
            };
            let Some(start) = start else { return Ok(entries) };
            let mut messages = Messages::from(log, zone, start.sequence).await?;
            loop {
                let next = tokio::time::timeout(MESSAGE_TIMEOUT, messages.next()).await;
                let found = next.map_err(|error| log.unavailable(&error))??;
                let is_last = found.sequence >= last.sequence;
                if let Record::Entry { entry, .. } = found.record {
                    size += entry.bytes.len();
                    entries.push(entry);
                }
                if is_last || size >= BATCH_BYTES_MAX || entries.len() == BATCH_ENTRIES_MAX {
                    return Ok(entries);
                }
            }
        })
    }
}

/// Reads an object to its end, where its digest is checked.
async fn read(mut object: Object) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    object.read_to_end(&mut bytes).await?;
    Ok(bytes)
}
