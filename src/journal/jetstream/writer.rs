use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use futures_util::future::join_all;

use super::orphans::{self, ORPHANED_AFTER};
use super::record::{HEAD_BYTES, Record};
use super::{JetStreamReader, Log, StreamError, metadata, object};
use crate::journal::{
    Entry, Keep, ReadError, SNAPSHOT_PART_BYTES, Snapshot, SnapshotHead, WriteError,
};
use crate::model::{Tick, ZoneId};
use crate::nats::{Nats, error_code, in_words, is_refusal};

/// Bytes of a message beside those of an entry: the record's head, then the header that
/// [`JetStreamJournal::publish`] sets, a name and a value that is no longer than 96 bytes. The
/// subject does not count.
const OVERHEAD_BYTES: usize =
    HEAD_BYTES + "NATS/1.0\r\n\r\n".len() + "Nats-Expected-Last-Subject-Sequence: \r\n".len() + 96;

/// Writes the journal in NATS. Any number of processes may hold one; for each zone the server
/// accepts the entries of one.
#[derive(Debug)]
pub struct JetStreamJournal {
    log: Arc<Log>,
    /// This writer's number.
    writer: u64,
    zones: BTreeMap<ZoneId, End>,
    /// How old chunks without a snapshot are before they are removed.
    pub(super) orphaned_after: Duration,
    /// When such were last looked for.
    swept: Option<Instant>,
}

/// How often chunks without a snapshot are looked for in the time after which they are removed.
const SWEEPS: u32 = 6;

/// Where the log of a zone ends, as this writer knows it.
#[derive(Clone, Copy, Debug)]
struct End {
    /// The place of the newest message in the stream; 0 where there is none.
    sequence: u64,
    /// The newest entry, mark or snapshot.
    last: Option<Tick>,
    /// The newest entry that an append has told of: those between it and `last` were written by
    /// one that failed in another zone, and are passed over when they come again.
    settled: Option<Tick>,
    /// Nothing more can be written here, and why.
    ended: Option<Ended>,
}

/// Why a writer has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Somebody else has written here since.
    Overtaken,
    /// The server no longer has what it acknowledged, and this is the newest it has.
    Lost { newest: Option<Tick> },
}

impl JetStreamJournal {
    /// Opens the journal, and makes its streams where there are none. `writer` is a random number
    /// that tells this writer from every other.
    pub fn open(nats: &Nats, writer: u64) -> Result<Self, StreamError> {
        let log = nats.wait(Log::open(nats.clone()))?;
        Ok(Self {
            log,
            writer,
            zones: BTreeMap::new(),
            orphaned_after: ORPHANED_AFTER,
            swept: None,
        })
    }

    pub(in crate::journal) fn reader(&self) -> JetStreamReader {
        JetStreamReader { log: self.log.clone() }
    }

    /// Forgets what is known of a zone: the next call looks anew.
    pub(in crate::journal) fn release(&mut self, zone: ZoneId) {
        self.zones.remove(&zone);
    }

    /// All entries of a zone or none of them; where a zone is refused or the server does not
    /// answer, other zones may be written already, which the next try then knows.
    pub(in crate::journal) fn append(&mut self, entries: &[Entry]) -> Result<(), WriteError> {
        let nats = self.log.nats.clone();
        nats.wait(self.append_all(entries))
    }

    async fn append_all(&mut self, entries: &[Entry]) -> Result<(), WriteError> {
        let mut by_zone: BTreeMap<ZoneId, Vec<&Entry>> = BTreeMap::new();
        for entry in entries {
            by_zone.entry(entry.zone).or_default().push(entry);
        }
        for (&zone, entries) in &by_zone {
            self.know(zone).await?.check(zone, entries)?;
        }
        let bytes_max = self.log.nats.message_bytes_max().saturating_sub(OVERHEAD_BYTES);
        if let Some(entry) = entries.iter().find(|entry| entry.bytes.len() > bytes_max) {
            let Entry { zone, tick, ref bytes, .. } = *entry;
            return Err(WriteError::TooLarge { zone, tick, bytes: bytes.len() });
        }
        let written = join_all(by_zone.iter().map(|(&zone, entries)| {
            let end = self.zones.get(&zone).copied();
            let end = end.expect("the zone was looked up above");
            self.append_zone(zone, end, entries)
        }))
        .await;
        let mut failure = None;
        for (&zone, (end, result)) in by_zone.keys().zip(written) {
            self.zones.insert(zone, end);
            failure = failure.or(result.err());
        }
        if let Some(error) = failure {
            return Err(error);
        }
        for entry in entries {
            if let Some(end) = self.zones.get_mut(&entry.zone) {
                end.settled = Some(entry.tick);
            }
        }
        Ok(())
    }

    /// Writes the entries of a zone that are not written yet; gives where it ends afterwards.
    async fn append_zone(
        &self,
        zone: ZoneId,
        mut end: End,
        entries: &[&Entry],
    ) -> (End, Result<(), WriteError>) {
        for &entry in entries {
            if end.settled < Some(entry.tick) && end.last >= Some(entry.tick) {
                continue;
            }
            let record = Record::Entry { writer: self.writer, entry: entry.clone() };
            if let Err(error) = self.publish(zone, &mut end, &record).await {
                return (end, Err(error));
            }
        }
        (end, Ok(()))
    }

    /// Writes the next message of a zone, if nobody else has written there.
    async fn publish(
        &self,
        zone: ZoneId,
        end: &mut End,
        record: &Record,
    ) -> Result<(), WriteError> {
        let tick = record.tick();
        let message = PublishMessage::build()
            .payload(record.encode().into())
            .expected_last_subject_sequence(end.sequence);
        let published = self.log.nats.jetstream().send_publish(self.log.subject(zone), message);
        let answer = match published.await {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        let sequence = match answer {
            Ok(acknowledgement) => acknowledgement.sequence,
            Err(error) if is_refusal(&error) => {
                // It may be there already, if its acknowledgement was lost.
                let last = self.log.last(zone).await.map_err(from_read)?;
                match last {
                    Some(last) if last.record == *record => last.sequence,
                    last if last.as_ref().map_or(0, |last| last.sequence) == end.sequence => {
                        let detail = "a message of the zone is on its way to the replicas";
                        return Err(self.out_of_reach(detail.to_owned()));
                    }
                    last => {
                        let newest = last.as_ref().map(|last| last.record.tick());
                        // Where the newest is its own, nobody else is in the way: more was there.
                        let is_own = last.is_none_or(|last| last.record.writer() == self.writer);
                        let ended = if is_own { Ended::Lost { newest } } else { Ended::Overtaken };
                        end.ended = Some(ended);
                        let expected = newest.map_or(Tick(0), Tick::next);
                        return Err(ended.error(zone, expected, tick));
                    }
                }
            }
            Err(error) if is_too_large(&error) => {
                let bytes = record.encode().len().saturating_sub(HEAD_BYTES);
                return Err(WriteError::TooLarge { zone, tick, bytes });
            }
            Err(error) => return Err(self.out_of_reach(in_words(&error))),
        };
        end.sequence = sequence;
        end.last = end.last.max(Some(tick));
        Ok(())
    }

    /// Where a zone ends; asked once until it is released.
    async fn know(&mut self, zone: ZoneId) -> Result<End, WriteError> {
        if let Some(&end) = self.zones.get(&zone) {
            return Ok(end);
        }
        let last = self.log.last(zone).await.map_err(from_read)?;
        let (sequence, tick) = match last {
            // No snapshot is newer: see `save`.
            Some(last) => (last.sequence, Some(last.record.tick())),
            None => {
                let heads = self.log.heads(zone).await.map_err(from_read)?;
                (0, heads.first().map(|head| head.tick))
            }
        };
        let end = End { sequence, last: tick, settled: tick, ended: None };
        self.zones.insert(zone, end);
        Ok(end)
    }

    /// The whole snapshot is written with its last part. One of a tick that this writer does not
    /// know to be in the log is refused: it may be of a future that never came to be.
    pub(in crate::journal) fn save_part(
        &mut self,
        snapshot: &Snapshot,
        offset: usize,
    ) -> Result<usize, WriteError> {
        let end = snapshot.bytes.len().min(offset + SNAPSHOT_PART_BYTES);
        if end == snapshot.bytes.len() {
            let nats = self.log.nats.clone();
            nats.wait(self.save(snapshot))?;
        }
        Ok(end)
    }

    async fn save(&mut self, snapshot: &Snapshot) -> Result<(), WriteError> {
        let Snapshot { zone, tick, version, hash, ref bytes } = *snapshot;
        let end = self.know(zone).await?;
        let expected = end.last.map_or(Tick(0), Tick::next);
        if let Some(ended) = end.ended {
            return Err(ended.error(zone, expected, tick));
        }
        if end.sequence > 0 && end.last < Some(tick) {
            return Err(WriteError::OutOfSequence { zone, expected, got: tick });
        }
        if self.log.object_info(&object(zone, tick)).await.map_err(from_read)?.is_some() {
            return Ok(());
        }
        if self.swept.is_none_or(|at| at.elapsed() >= self.orphaned_after / SWEEPS) {
            self.swept = Some(Instant::now());
            orphans::sweep(&self.log, self.orphaned_after).await.map_err(from_read)?;
        }
        let head = SnapshotHead { tick, version, hash, size_bytes: bytes.len() };
        let put = self.log.snapshots.put(metadata(zone, head), &mut bytes.as_slice()).await;
        put.map_err(|error| self.unavailable(&error))?;
        if let Some(end) = self.zones.get_mut(&zone)
            && end.last < Some(tick)
        {
            (end.last, end.settled) = (Some(tick), Some(tick));
        }
        Ok(())
    }

    pub(in crate::journal) fn prune_step(
        &mut self,
        zone: ZoneId,
        keep: Keep,
    ) -> Result<bool, WriteError> {
        let nats = self.log.nats.clone();
        nats.wait(self.prune_some(zone, keep))
    }

    async fn prune_some(&mut self, zone: ZoneId, keep: Keep) -> Result<bool, WriteError> {
        let mut end = self.know(zone).await?;
        let heads = self.log.heads(zone).await.map_err(from_read)?;
        let ticks: Vec<Tick> = heads.iter().rev().map(|head| head.tick).collect();
        let kept = keep.kept(&ticks, end.last.unwrap_or_default());
        let Some(&oldest) = kept.first() else { return Ok(false) };
        if let Some(&tick) = ticks.iter().find(|tick| kept.binary_search(tick).is_err()) {
            self.forget(zone, tick).await?;
            return Ok(true);
        }
        let Some(first) = self.log.next(zone, 1).await.map_err(from_read)? else {
            return Ok(false);
        };
        let is_mark = matches!(first.record, Record::Pruned { .. });
        if first.record.tick() > oldest || is_mark && first.sequence == end.sequence {
            return Ok(false);
        }
        let stays = match self.log.first_after(zone, oldest).await.map_err(from_read)? {
            Some(stays) => stays.sequence,
            None => {
                let mark = Record::Pruned { writer: self.writer, tick: oldest };
                let marked = self.publish(zone, &mut end, &mark).await;
                self.zones.insert(zone, end);
                marked?;
                end.sequence
            }
        };
        let purge = self.log.entries.purge().filter(self.log.subject(zone)).sequence(stays);
        purge.await.map_err(|error| self.unavailable(&error))?;
        Ok(false)
    }

    /// Removes a snapshot, and what the store keeps of one that was removed.
    async fn forget(&self, zone: ZoneId, tick: Tick) -> Result<(), WriteError> {
        let name = object(zone, tick);
        let gone = self.log.snapshots.delete(&name).await;
        gone.map_err(|error| self.unavailable(&error))?;
        let stream = self.log.object_stream().await.map_err(from_read)?;
        let name = URL_SAFE.encode(name);
        let purge = stream.purge().filter(format!("$O.{}.M.{name}", self.log.bucket()));
        purge.await.map_err(|error| self.unavailable(&error))?;
        Ok(())
    }

    /// Bytes of both streams.
    pub(in crate::journal) fn size_bytes(&self) -> Result<u64, ReadError> {
        let log = &self.log;
        log.nats.wait(async {
            let mut bytes = 0;
            for name in ["journal", "snapshots"] {
                let kind = if name == "snapshots" { "OBJ_" } else { "" };
                let name = format!("{kind}{}-{name}", log.nats.prefix());
                let stream = log.nats.jetstream().get_stream(name).await;
                let stream = stream.map_err(|error| log.unavailable(&error))?;
                bytes += stream.cached_info().state.bytes;
            }
            Ok(bytes)
        })
    }

    fn unavailable(&self, error: &dyn std::error::Error) -> WriteError {
        self.out_of_reach(in_words(error))
    }

    fn out_of_reach(&self, detail: String) -> WriteError {
        WriteError::Unavailable { servers: self.log.nats.servers().to_owned(), detail }
    }
}

impl End {
    /// Whether these entries are the next of their zone.
    fn check(&self, zone: ZoneId, entries: &[&Entry]) -> Result<(), WriteError> {
        let mut expected = self.settled.map(Tick::next);
        for entry in entries {
            let got = entry.tick;
            let expects = expected.unwrap_or(got);
            if let Some(ended) = self.ended {
                return Err(ended.error(zone, expects, got));
            }
            if expects != got {
                return Err(WriteError::OutOfSequence { zone, expected: expects, got });
            }
            expected = Some(got.next());
        }
        Ok(())
    }
}

impl Ended {
    fn error(self, zone: ZoneId, expected: Tick, got: Tick) -> WriteError {
        match self {
            Self::Overtaken => WriteError::OutOfSequence { zone, expected, got },
            Self::Lost { newest } => WriteError::Lost { zone, newest, got },
        }
    }
}

/// Whether no server with these settings takes the message, be it the server's own setting or the
/// stream's.
fn is_too_large(error: &PublishError) -> bool {
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || error_code(error) == Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}

fn from_read(error: ReadError) -> WriteError {
    match error {
        ReadError::Unavailable { servers, detail } => WriteError::Unavailable { servers, detail },
        ReadError::Failed { file, source } => WriteError::Failed { file, source },
        broken @ (ReadError::Broken { .. } | ReadError::BrokenMessage { .. }) => {
            WriteError::Unreadable(Box::new(broken))
        }
    }
}
