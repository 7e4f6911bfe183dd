//! The journal in one SQLite file.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::checkpoint::{Checkpointer, checkpoint};
use super::{
    BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Entry, Keep, PRUNE_STEP_TICKS, ReadError,
    SNAPSHOT_PART_BYTES, Snapshot, SnapshotHead, WriteError,
};
use crate::disk::sqlite::{integer, natural};
use crate::disk::{DataFolder, OpenError, sqlite};
use crate::model::{Tick, ZoneId};

/// The name of the journal's file in the data folder.
pub const JOURNAL_FILE: &str = "journal.sqlite";

pub use sqlite::{Config, Synchronous};

const FORMAT: sqlite::Format = sqlite::Format {
    what: "journal",
    mark: 0x554a_524e,
    version: 1,
    migrations: &["
        CREATE TABLE entries(
            zone INTEGER NOT NULL, tick INTEGER NOT NULL, version INTEGER NOT NULL,
            hash INTEGER, bytes BLOB NOT NULL, PRIMARY KEY(zone, tick)
        ) WITHOUT ROWID;
        CREATE TABLE snapshots(
            zone INTEGER NOT NULL, tick INTEGER NOT NULL, version INTEGER NOT NULL,
            hash INTEGER, size INTEGER NOT NULL, PRIMARY KEY(zone, tick)
        ) WITHOUT ROWID;
        CREATE TABLE snapshot_parts(
            zone INTEGER NOT NULL, tick INTEGER NOT NULL, part INTEGER NOT NULL,
            bytes BLOB NOT NULL, PRIMARY KEY(zone, tick, part)
        );
        -- A part with no snapshot is left from one that was never finished.
        CREATE VIEW loose_parts AS SELECT zone, tick, part FROM snapshot_parts p
            WHERE NOT EXISTS(SELECT 1 FROM snapshots s WHERE s.zone = p.zone AND s.tick = p.tick);
    "],
};

const LAST_TICK: &str = "SELECT max(
    ifnull((SELECT max(tick) FROM entries WHERE zone = ?1), -1),
    ifnull((SELECT max(tick) FROM snapshots WHERE zone = ?1), -1))";

/// Bytes written between two checkpoints.
const CHECKPOINT_BYTES: usize = 4 << 20;

/// Writes the journal's file.
#[derive(Debug)]
pub struct SqliteJournal {
    connection: Connection,
    file: PathBuf,
    since_checkpoint: usize,
    checkpointer: Checkpointer,
    _folder: DataFolder,
}

impl SqliteJournal {
    /// Opens the journal of a data folder, and makes it where there is none.
    pub fn open(folder: &DataFolder, config: Config) -> Result<Self, OpenError> {
        let file = folder.file(JOURNAL_FILE);
        let connection = sqlite::open(&file, FORMAT, config)?;
        let failed = |source| OpenError::Sqlite { file: file.clone(), source };
        connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(failed)?;
        connection
            .execute("DELETE FROM snapshot_parts WHERE (zone, tick, part) IN loose_parts", [])
            .map_err(failed)?;
        let checkpointer = Checkpointer::spawn(&file)?;
        let folder = folder.clone();
        Ok(Self { connection, file, since_checkpoint: 0, checkpointer, _folder: folder })
    }

    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), WriteError> {
        let bytes = entries.iter().map(|e| e.bytes.len() + 64).sum();
        let written = insert(&mut self.connection, entries);
        self.finish(written, bytes)
    }

    pub(super) fn save_part(
        &mut self,
        snapshot: &Snapshot,
        offset: usize,
    ) -> Result<usize, WriteError> {
        let end = snapshot.bytes.len().min(offset + SNAPSHOT_PART_BYTES);
        let written = insert_part(&mut self.connection, snapshot, offset, end);
        self.finish(written, end - offset)?;
        Ok(end)
    }

    pub(super) fn prune_step(&mut self, zone: ZoneId, keep: Keep) -> Result<bool, WriteError> {
        let written = delete_some(&mut self.connection, zone, keep);
        self.finish(written, SNAPSHOT_PART_BYTES)
    }

    pub(super) fn size_bytes(&self) -> Result<u64, ReadError> {
        sqlite::size_bytes(&self.connection)
            .map_err(|source| ReadError::Failed { file: self.file.clone(), source })
    }

    pub(super) fn reader(&self) -> Result<SqliteReader, OpenError> {
        SqliteReader::open(&self.file)
    }

    /// Limits the size of the file from now on.
    pub fn limit_size(&mut self, bytes: Option<u64>) -> Result<(), WriteError> {
        sqlite::limit_size(&self.connection, bytes).map_err(|e| self.cause(e))
    }

    fn finish<T>(&mut self, written: Result<T, Failure>, bytes: usize) -> Result<T, WriteError> {
        let value = written.map_err(|failure| match failure {
            Failure::OutOfSequence { zone, expected, got } => {
                WriteError::OutOfSequence { zone, expected, got }
            }
            Failure::Sqlite(error) => self.cause(error),
        })?;
        self.since_checkpoint += bytes;
        if self.since_checkpoint >= CHECKPOINT_BYTES {
            self.since_checkpoint = 0;
            self.checkpointer.wake();
        }
        if self.checkpointer.is_log_long() {
            // What was written is durable already: an error here shows again at the next write.
            let _ = checkpoint(&self.connection, "RESTART");
        }
        Ok(value)
    }

    fn cause(&self, error: rusqlite::Error) -> WriteError {
        let file = self.file.clone();
        if sqlite::is_full(&error) {
            let folder = file.parent().unwrap_or(Path::new("."));
            let free_bytes = fs4::available_space(folder).unwrap_or(0);
            return WriteError::Full { file, free_bytes };
        }
        WriteError::Failed { file, source: error }
    }
}

enum Failure {
    OutOfSequence { zone: ZoneId, expected: Tick, got: Tick },
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn insert(connection: &mut Connection, entries: &[Entry]) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut last_tick = transaction.prepare_cached(LAST_TICK)?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO entries(zone, tick, version, hash, bytes) VALUES(?1, ?2, ?3, ?4, ?5)",
        )?;
        for entry in entries {
            let Entry { zone, tick, version, hash, bytes } = entry;
            let last: i64 = last_tick.query_row([zone.0], |row| row.get(0))?;
            let expected = Tick(natural(last) + 1);
            if last >= 0 && expected != *tick {
                return Err(Failure::OutOfSequence { zone: *zone, expected, got: *tick });
            }
            insert.execute(params![zone.0, integer(tick.0), version, signed(*hash), bytes])?;
        }
    }
    Ok(transaction.commit()?)
}

fn insert_part(
    connection: &mut Connection,
    snapshot: &Snapshot,
    offset: usize,
    end: usize,
) -> Result<(), Failure> {
    let Snapshot { zone, tick, version, hash, bytes } = snapshot;
    let (tick, size) = (integer(tick.0), integer(bytes.len()));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let is_there = transaction
        .prepare_cached("SELECT 1 FROM snapshots WHERE zone = ?1 AND tick = ?2")?
        .exists(params![zone.0, tick])?;
    if is_there {
        return Ok(());
    }
    if end > offset {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO snapshot_parts(zone, tick, part, bytes)
                 VALUES(?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                zone.0,
                tick,
                integer(offset / SNAPSHOT_PART_BYTES),
                &bytes[offset..end]
            ])?;
    }
    if end == bytes.len() {
        transaction
            .prepare_cached(
                "INSERT INTO snapshots(zone, tick, version, hash, size) VALUES(?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![zone.0, tick, version, signed(*hash), size])?;
    }
    Ok(transaction.commit()?)
}

/// One step of pruning: a snapshot that is not kept, or else a stretch of entries before the
/// oldest that is.
fn delete_some(connection: &mut Connection, zone: ZoneId, keep: Keep) -> Result<bool, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ticks = heads(&transaction, zone)?.iter().rev().map(|head| head.tick).collect::<Vec<_>>();
    let last: i64 = transaction.prepare_cached(LAST_TICK)?.query_row([zone.0], |row| row.get(0))?;
    let kept = keep.kept(&ticks, Tick(natural(last)));
    let Some(&oldest) = kept.first() else { return Ok(false) };
    if let Some(&tick) = ticks.iter().find(|tick| kept.binary_search(tick).is_err()) {
        for table in ["snapshots", "snapshot_parts"] {
            transaction
                .prepare_cached(&format!("DELETE FROM {table} WHERE zone = ?1 AND tick = ?2"))?
                .execute(params![zone.0, integer(tick.0)])?;
        }
        transaction.commit()?;
        return Ok(true);
    }
    let first: Option<i64> = transaction
        .prepare_cached("SELECT min(tick) FROM entries WHERE zone = ?1")?
        .query_row([zone.0], |row| row.get(0))?;
    let Some(first) = first.filter(|&first| first <= integer(oldest.0)) else { return Ok(false) };
    let end = integer(oldest.0).min(first.saturating_add(integer(PRUNE_STEP_TICKS)));
    transaction
        .prepare_cached("DELETE FROM entries WHERE zone = ?1 AND tick <= ?2")?
        .execute(params![zone.0, end])?;
    transaction.commit()?;
    Ok(end < integer(oldest.0))
}

/// Reads the journal's file, also from another process.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
    file: PathBuf,
}

impl SqliteReader {
    /// Opens a journal's file for reading alone.
    pub fn open(file: &Path) -> Result<Self, OpenError> {
        let connection = sqlite::open_reader(file, FORMAT)?;
        Ok(Self { connection, file: file.to_owned() })
    }

    pub(super) fn zones(&self) -> Result<Vec<ZoneId>, ReadError> {
        // A plain DISTINCT would read every entry; this seeks once for each zone.
        let sql = "WITH RECURSIVE z(zone) AS (
            SELECT min(zone) FROM entries UNION ALL
            SELECT (SELECT min(e.zone) FROM entries e WHERE e.zone > z.zone) FROM z
                WHERE z.zone IS NOT NULL
        ) SELECT zone FROM z WHERE zone IS NOT NULL UNION SELECT zone FROM snapshots ORDER BY 1";
        self.failed((|| {
            let mut statement = self.connection.prepare(sql)?;
            statement.query_map([], |row| row.get(0).map(ZoneId))?.collect()
        })())
    }

    pub(super) fn last_tick(&self, zone: ZoneId) -> Result<Option<Tick>, ReadError> {
        let last: i64 =
            self.failed(self.connection.query_row(LAST_TICK, [zone.0], |row| row.get(0)))?;
        Ok((last >= 0).then_some(Tick(natural(last))))
    }

    pub(super) fn snapshots(&self, zone: ZoneId) -> Result<Vec<SnapshotHead>, ReadError> {
        self.failed(heads(&self.connection, zone))
    }

    pub(super) fn snapshot(&self, zone: ZoneId, tick: Tick) -> Result<Option<Snapshot>, ReadError> {
        let read = (|| {
            // One transaction: pruning may not take the parts away in between.
            let transaction = self.connection.unchecked_transaction()?;
            let head = transaction
                .query_row(
                    "SELECT tick, version, hash, size FROM snapshots WHERE zone = ?1 AND tick = ?2",
                    params![zone.0, integer(tick.0)],
                    head,
                )
                .optional()?;
            let Some(head) = head else { return Ok(None) };
            let mut statement = transaction.prepare_cached(
                "SELECT bytes FROM snapshot_parts WHERE zone = ?1 AND tick = ?2 ORDER BY part",
            )?;
            let mut rows = statement.query(params![zone.0, integer(tick.0)])?;
            let mut bytes = Vec::with_capacity(head.size_bytes);
            while let Some(row) = rows.next()? {
                bytes.extend_from_slice(row.get_ref(0)?.as_blob()?);
            }
            Ok(Some((head, bytes)))
        })();
        let Some((head, bytes)) = self.failed(read)? else { return Ok(None) };
        if bytes.len() != head.size_bytes {
            return Err(ReadError::Broken { file: self.file.clone(), zone, tick });
        }
        let SnapshotHead { tick, version, hash, .. } = head;
        Ok(Some(Snapshot { zone, tick, version, hash, bytes }))
    }

    pub(super) fn batch(&self, zone: ZoneId, after: Option<Tick>) -> Result<Vec<Entry>, ReadError> {
        self.failed((|| {
            let mut statement = self.connection.prepare_cached(
                "SELECT tick, version, hash, bytes FROM entries
                 WHERE zone = ?1 AND tick > ?2 ORDER BY tick LIMIT ?3",
            )?;
            let after = after.map_or(-1, |tick| integer(tick.0));
            let mut rows = statement.query(params![zone.0, after, integer(BATCH_ENTRIES_MAX)])?;
            let mut entries = Vec::new();
            let mut size = 0;
            while let Some(row) = rows.next()? {
                let entry = Entry {
                    zone,
                    tick: Tick(natural(row.get(0)?)),
                    version: row.get(1)?,
                    hash: row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned),
                    bytes: row.get(3)?,
                };
                size += entry.bytes.len();
                entries.push(entry);
                if size >= BATCH_BYTES_MAX {
                    break;
                }
            }
            Ok(entries)
        })())
    }

    fn failed<T>(&self, result: rusqlite::Result<T>) -> Result<T, ReadError> {
        result.map_err(|source| ReadError::Failed { file: self.file.clone(), source })
    }
}

fn heads(connection: &Connection, zone: ZoneId) -> rusqlite::Result<Vec<SnapshotHead>> {
    connection
        .prepare_cached(
            "SELECT tick, version, hash, size FROM snapshots WHERE zone = ?1 ORDER BY tick DESC",
        )?
        .query_map([zone.0], head)?
        .collect()
}

fn head(row: &rusqlite::Row<'_>) -> rusqlite::Result<SnapshotHead> {
    Ok(SnapshotHead {
        tick: Tick(natural(row.get(0)?)),
        version: row.get(1)?,
        hash: row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned),
        size_bytes: usize::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
    })
}

fn signed(hash: Option<u64>) -> Option<i64> {
    hash.map(u64::cast_signed)
}
