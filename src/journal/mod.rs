//! The journal: the log that every zone is.
//!
//! [`Journal`] appends entries (what came into a zone at a tick) and saves snapshots; [`Reader`]
//! gives them back without ever waiting for a writer, nor making one wait. [`Worker`] is the
//! thread that owns the journal while the server runs and commits for all zones at once.
//!
//! An entry is accepted only if it is the next of its zone: that check is the fence which keeps a
//! second writer out. The journal never looks into what an entry or a snapshot holds.

mod checkpoint;
mod jetstream;
mod memory;
mod prune;
mod sqlite;
#[cfg(test)]
mod tests;
mod worker;
#[cfg(test)]
mod worker_tests;

use std::path::PathBuf;

pub use jetstream::{JetStreamJournal, JetStreamReader, StreamError, Tail, Tailed};
pub use memory::{Fault, MemoryDisk, MemoryJournal, MemoryReader};
pub use prune::Keep;
pub use sqlite::{Config, JOURNAL_FILE, SqliteJournal, SqliteReader, Synchronous};
pub use worker::{
    Abandoned, Report, Request, Requests, Stopped, Worker, WorkerConfig, WorkerMetrics,
};

use crate::disk::{DataFolder, OpenError};
use crate::model::{Tick, ZoneId};

/// Bytes of one part of a snapshot: what one transaction writes, and entries wait for at most.
pub const SNAPSHOT_PART_BYTES: usize = 256 * 1_024;
/// Entries that one step of pruning removes at most.
const PRUNE_STEP_TICKS: u64 = 512;
/// Entries and bytes at which a batch that is read ends.
const BATCH_ENTRIES_MAX: usize = 1_024;
const BATCH_BYTES_MAX: usize = 1 << 20;

/// What came into a zone at a tick, encoded by the zone; `version` is that of the simulation,
/// `hash` that of the state after the tick where one was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub zone: ZoneId,
    pub tick: Tick,
    pub version: u32,
    pub hash: Option<u64>,
    pub bytes: Vec<u8>,
}

/// The state of a zone after a tick, encoded by the zone. Re-running goes on at the next tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub zone: ZoneId,
    pub tick: Tick,
    pub version: u32,
    pub hash: Option<u64>,
    pub bytes: Vec<u8>,
}

/// A snapshot without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHead {
    pub tick: Tick,
    pub version: u32,
    pub hash: Option<u64>,
    pub size_bytes: usize,
}

/// Why entries or a snapshot were not written. A failed call changes nothing, but for entries of
/// several zones in NATS: those of some may be written, which a later call with them knows.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another writer was faster, or entries are missing: this writer must stop.
    #[error("zone {zone} expects tick {expected} next, not {got}: it is written by somebody else")]
    OutOfSequence { zone: ZoneId, expected: Tick, got: Tick },
    /// The server of the journal has forgotten entries: this writer must stop, too.
    #[error(
        "NATS has lost what it had acknowledged of zone {zone} before tick {got}: {}; it keeps all \
         with sync_interval: always",
        newest.map_or("it has nothing of it".to_owned(), |newest| format!("its newest is {newest}"))
    )]
    Lost { zone: ZoneId, newest: Option<Tick>, got: Tick },
    #[error(
        "the disk of {} is full ({free_bytes} bytes are free); free some space, \
         the server then goes on by itself",
        file.display()
    )]
    Full { file: PathBuf, free_bytes: u64 },
    #[error("cannot write {}: {source}; check the disk, the server tries again by itself", file.display())]
    Failed { file: PathBuf, source: rusqlite::Error },
    #[error("the journal in NATS at {servers} does not answer: {detail}; the server tries again")]
    Unavailable { servers: String, detail: String },
    /// The end of a zone's log is damaged: this zone is not written, others are.
    #[error("nothing is written after what cannot be read: {0}; restore it from a backup")]
    Unreadable(Box<ReadError>),
    #[error(
        "the entry of zone {zone} at tick {tick} has {bytes} bytes: NATS takes no such message"
    )]
    TooLarge { zone: ZoneId, tick: Tick, bytes: usize },
    /// A fault that a test asked for.
    #[error("the disk was told to fail")]
    Injected,
}

impl WriteError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        !matches!(
            self,
            Self::OutOfSequence { .. }
                | Self::Lost { .. }
                | Self::TooLarge { .. }
                | Self::Unreadable(_)
        )
    }
}

/// Why the journal could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {}: {source}", file.display())]
    Failed { file: PathBuf, source: rusqlite::Error },
    #[error("the snapshot of zone {zone} at tick {tick} in {} is not whole", file.display())]
    Broken { file: PathBuf, zone: ZoneId, tick: Tick },
    #[error("in NATS at {servers} {what} is not whole")]
    BrokenMessage { servers: String, what: String },
    #[error("the journal in NATS at {servers} does not answer: {detail}")]
    Unavailable { servers: String, detail: String },
}

/// Writes the logs of all zones. One writer at a time: the data folder is held.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a process has one journal")]
pub enum Journal {
    Sqlite(SqliteJournal),
    JetStream(JetStreamJournal),
    Memory(MemoryJournal),
}

impl Journal {
    /// Opens the journal of a data folder, and makes it where there is none.
    pub fn open(folder: &DataFolder, config: Config) -> Result<Self, OpenError> {
        SqliteJournal::open(folder, config).map(Self::Sqlite)
    }

    /// Appends entries, all or none; when it returns they are durable as
    /// [`Synchronous`] promises. Each must carry the tick after
    /// its zone's newest entry or snapshot; the first of a zone may carry any.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), WriteError> {
        match self {
            Self::Sqlite(journal) => journal.append(entries),
            Self::JetStream(journal) => journal.append(entries),
            Self::Memory(journal) => journal.append(entries),
        }
    }

    /// Lets go of a zone that somebody else may write from now on. Entries may follow after those
    /// that the others wrote; where only one can write, nothing changes.
    pub fn release(&mut self, zone: ZoneId) {
        match self {
            Self::JetStream(journal) => journal.release(zone),
            Self::Sqlite(_) | Self::Memory(_) => {}
        }
    }

    /// Writes the part of a snapshot that begins at `offset` and gives the offset of the next;
    /// with the last part the snapshot comes into being. One that is there already stays.
    pub fn save_part(&mut self, snapshot: &Snapshot, offset: usize) -> Result<usize, WriteError> {
        match self {
            Self::Sqlite(journal) => journal.save_part(snapshot, offset),
            Self::JetStream(journal) => journal.save_part(snapshot, offset),
            Self::Memory(journal) => journal.save_part(snapshot, offset),
        }
    }

    /// Writes a snapshot as a whole.
    pub fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), WriteError> {
        let mut offset = self.save_part(snapshot, 0)?;
        while offset < snapshot.bytes.len() {
            offset = self.save_part(snapshot, offset)?;
        }
        Ok(())
    }

    /// Removes some of what `keep` does not keep; whether more is left to remove. A zone can be
    /// recovered at any time in between.
    pub fn prune_step(&mut self, zone: ZoneId, keep: Keep) -> Result<bool, WriteError> {
        match self {
            Self::Sqlite(journal) => journal.prune_step(zone, keep),
            Self::JetStream(journal) => journal.prune_step(zone, keep),
            Self::Memory(journal) => journal.prune_step(zone, keep),
        }
    }

    /// Removes all that `keep` does not keep.
    pub fn prune(&mut self, zone: ZoneId, keep: Keep) -> Result<(), WriteError> {
        while self.prune_step(zone, keep)? {}
        Ok(())
    }

    /// Bytes on the disk, without what is not yet folded into the main file.
    pub fn size_bytes(&self) -> Result<u64, ReadError> {
        match self {
            Self::Sqlite(journal) => journal.size_bytes(),
            Self::JetStream(journal) => journal.size_bytes(),
            Self::Memory(journal) => Ok(journal.size_bytes()),
        }
    }

    /// A reader of its own.
    pub fn reader(&self) -> Result<Reader, OpenError> {
        Ok(match self {
            Self::Sqlite(journal) => Reader::Sqlite(journal.reader()?),
            Self::JetStream(journal) => Reader::JetStream(journal.reader()),
            Self::Memory(journal) => Reader::Memory(journal.reader()),
        })
    }
}

/// Reads the logs of all zones, beside the writer and without it.
#[derive(Debug)]
pub enum Reader {
    Sqlite(SqliteReader),
    JetStream(JetStreamReader),
    Memory(MemoryReader),
}

impl Reader {
    /// Every zone that has an entry or a snapshot, in order.
    pub fn zones(&self) -> Result<Vec<ZoneId>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.zones(),
            Self::JetStream(reader) => reader.zones(),
            Self::Memory(reader) => Ok(reader.zones()),
        }
    }

    /// The tick of a zone's newest entry or snapshot.
    pub fn last_tick(&self, zone: ZoneId) -> Result<Option<Tick>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.last_tick(zone),
            Self::JetStream(reader) => reader.last_tick(zone),
            Self::Memory(reader) => Ok(reader.last_tick(zone)),
        }
    }

    /// The snapshots of a zone, newest first.
    pub fn snapshots(&self, zone: ZoneId) -> Result<Vec<SnapshotHead>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.snapshots(zone),
            Self::JetStream(reader) => reader.snapshots(zone),
            Self::Memory(reader) => Ok(reader.snapshots(zone)),
        }
    }

    /// One snapshot.
    pub fn snapshot(&self, zone: ZoneId, tick: Tick) -> Result<Option<Snapshot>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.snapshot(zone, tick),
            Self::JetStream(reader) => reader.snapshot(zone, tick),
            Self::Memory(reader) => Ok(reader.snapshot(zone, tick)),
        }
    }

    /// The entries of a zone after a tick, oldest first, as batches that fit in memory.
    pub fn entries(&self, zone: ZoneId, after: Option<Tick>) -> Batches<'_> {
        Batches { reader: self, zone, after, is_over: false }
    }

    fn batch(&self, zone: ZoneId, after: Option<Tick>) -> Result<Vec<Entry>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.batch(zone, after),
            Self::JetStream(reader) => reader.batch(zone, after),
            Self::Memory(reader) => Ok(reader.batch(zone, after)),
        }
    }
}

/// Gives the entries of a zone a batch at a time; no batch is empty, and an error is the last.
#[derive(Debug)]
pub struct Batches<'a> {
    reader: &'a Reader,
    zone: ZoneId,
    after: Option<Tick>,
    is_over: bool,
}

impl Iterator for Batches<'_> {
    type Item = Result<Vec<Entry>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let batch = self.reader.batch(self.zone, self.after);
        match &batch {
            Ok(entries) => self.after = Some(entries.last()?.tick),
            Err(_) => self.is_over = true,
        }
        Some(batch)
    }
}
