//! The data folder and the SQLite files in it.
//!
//! [`DataFolder`] makes the folder, proves that it can be written and keeps every other server
//! out; [`sqlite::open`] opens a database file only after it has shown to be ours, whole and not
//! from the future. Each [`OpenError`] is one line that names the cause and the remedy.
//!
//! The journal and the store build on this room; it knows neither.

mod folder;
#[cfg(test)]
pub(crate) mod scratch;
pub mod sqlite;

use std::io;
use std::path::PathBuf;

pub use folder::{DataFolder, LOCK_FILE, write_secret};

/// Why the data folder or a file in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot make the data folder {}: {source}; choose another folder or its owner", folder.display())]
    NoFolder { folder: PathBuf, source: io::Error },
    #[error("cannot write in the data folder {}: {source}; give this user the right to write there", folder.display())]
    NotWritable { folder: PathBuf, source: io::Error },
    #[error("another server{holder} uses the data folder {}; stop it or choose another folder", folder.display())]
    InUse { folder: PathBuf, holder: String },
    #[error("{} is damaged ({detail}); restore it from a backup or move it away", file.display())]
    Corrupt { file: PathBuf, detail: String },
    #[error("{} is not the {what} of this game; move it away or choose another folder", file.display())]
    Foreign { file: PathBuf, what: &'static str },
    #[error(
        "{} was written by a newer version (format {found}, this one knows up to {known}); \
         update the server",
        file.display()
    )]
    Newer { file: PathBuf, found: i32, known: i32 },
    #[error("cannot open {}: {source}; check its owner and permissions", file.display())]
    Sqlite { file: PathBuf, source: rusqlite::Error },
}
