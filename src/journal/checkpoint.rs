//! The thread that folds the write-ahead log into the main file.
//!
//! The writer never does so itself, for a checkpoint waits for the disk twice; this thread has a
//! connection of its own and works beside the commits.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;

use crate::disk::OpenError;

/// Pages in the write-ahead log at which the writer stops to let it start over.
const LOG_PAGES_MAX: i64 = 32_768;

/// Folds the write-ahead log into the main file; gives the pages in the log and those folded.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(i64, i64)> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    connection.query_row(&sql, [], |row| Ok((row.get(1)?, row.get(2)?)))
}

/// The thread that checkpoints while the writer goes on.
#[derive(Debug)]
pub(super) struct Checkpointer {
    wake: Option<Sender<()>>,
    is_log_long: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn spawn(file: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Sqlite { file: file.to_owned(), source };
        let connection = Connection::open(file).map_err(failed)?;
        let (wake, woken) = bounded(1);
        let is_log_long = Arc::new(AtomicBool::new(false));
        let flag = is_log_long.clone();
        let thread = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || run_checkpoints(&connection, &woken, &flag))
            .map_err(|source| OpenError::NotWritable { folder: file.to_owned(), source })?;
        Ok(Self { wake: Some(wake), is_log_long, thread: Some(thread) })
    }

    pub(super) fn wake(&self) {
        if let Some(wake) = &self.wake {
            // Full: it is woken already.
            let _ = wake.try_send(());
        }
    }

    /// Whether the writer should stop for a moment to let the log start over; asked once.
    pub(super) fn is_log_long(&self) -> bool {
        self.is_log_long.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook; the file stays whole without it.
            let _ = thread.join();
        }
    }
}

/// A log can start over only when all of it is folded while nobody writes. So each round is done
/// twice: the second has only what came during the first, and mostly ends between two commits.
fn run_checkpoints(connection: &Connection, woken: &Receiver<()>, is_log_long: &AtomicBool) {
    for () in woken {
        for _ in 0..2 {
            match checkpoint(connection, "PASSIVE") {
                Ok((pages, folded)) => {
                    let is_long = pages > LOG_PAGES_MAX && folded < pages;
                    is_log_long.store(is_long, Ordering::Release);
                }
                Err(error) => log::warn!("the journal's log was not folded: {error}"),
            }
        }
    }
}
