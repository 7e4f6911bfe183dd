//! Opens SQLite files, and says in words why one cannot be used.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::OpenError;

/// What makes a file ours: its mark, its format and its tables.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The noun for messages.
    pub what: &'static str,
    /// SQLite's `application_id`.
    pub mark: i32,
    /// SQLite's `user_version`; the version of the last migration.
    pub version: i32,
    /// `migrations[n]` brings format `n` to `n + 1`.
    pub migrations: &'static [&'static str],
}

/// What a commit promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// A commit survives a loss of power, as far as the disk honours a flush: every commit waits
    /// for the disk.
    #[default]
    Full,
    /// A commit survives the death of the process (kill -9, a panic), not a loss of power or a
    /// crash of the kernel: the last moments before may be gone then. The file stays whole.
    Normal,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub synchronous: Synchronous,
    /// Whether the whole file is read and checked first (about a second for each gigabyte).
    pub check: bool,
    /// The most that the file may grow to, in bytes; none: the disk decides.
    pub size_bytes_max: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self { synchronous: Synchronous::Full, check: true, size_bytes_max: None }
    }
}

/// Opens a file for reading and writing, makes it where there is none, and checks it. The folder
/// is held by the caller: nobody else writes.
pub fn open(file: &Path, format: Format, config: Config) -> Result<Connection, OpenError> {
    let mut connection = Connection::open(file).map_err(|e| cause(file, format, e))?;
    prepare(&mut connection, file, format, config)?;
    Ok(connection)
}

/// Opens a database that lives as long as its connection.
pub fn open_in_memory(format: Format) -> Result<Connection, OpenError> {
    let file = Path::new(":memory:");
    let mut connection = Connection::open_in_memory().map_err(|e| cause(file, format, e))?;
    prepare(&mut connection, file, format, Config::default())?;
    Ok(connection)
}

/// Opens a second connection that only reads; a writer never waits for it, nor it for a writer.
pub fn open_reader(file: &Path, format: Format) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(file, flags).map_err(|e| cause(file, format, e))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|e| cause(file, format, e))?;
    identify(&connection, file, format)?;
    Ok(connection)
}

/// Limits the size of the file from now on.
pub fn limit_size(connection: &Connection, bytes: Option<u64>) -> rusqlite::Result<()> {
    let page = natural(connection.pragma_query_value(None, "page_size", |row| row.get(0))?);
    let pages = bytes.map_or(PAGES_MAX, |b| (b / page.max(1)).clamp(1, PAGES_MAX));
    connection.pragma_update_and_check(None, "max_page_count", integer(pages), |_| Ok(()))
}

/// Bytes of the database, without its write-ahead log.
pub fn size_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let page = natural(connection.pragma_query_value(None, "page_size", |row| row.get(0))?);
    let pages = natural(connection.pragma_query_value(None, "page_count", |row| row.get(0))?);
    Ok(page * pages)
}

/// A count as databases have it: signed; what is larger than they know is as large as they know.
pub fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A count from a database.
#[must_use]
pub fn natural(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}

/// Whether an error means that there is no room left.
#[must_use]
pub fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages that a connection keeps: journal and ledger are written at their end and seldom read.
const CACHE_KIBIBYTES: i32 = 256;
const PAGES_MAX: u64 = 1_073_741_823;

fn prepare(
    connection: &mut Connection,
    file: &Path,
    format: Format,
    config: Config,
) -> Result<(), OpenError> {
    let known = identify(connection, file, format)?;
    let failed = |e| cause(file, format, e);
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).map_err(failed)?;
    let synchronous = match config.synchronous {
        Synchronous::Full => "full",
        Synchronous::Normal => "normal",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(failed)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES).map_err(failed)?;
    if config.check && known > 0 {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if verdict != "ok" {
            return Err(OpenError::Corrupt { file: file.to_owned(), detail: verdict });
        }
    }
    migrate(connection, format, known).map_err(failed)?;
    limit_size(connection, config.size_bytes_max).map_err(failed)
}

/// The format the file has; 0 for a new one.
fn identify(connection: &Connection, file: &Path, format: Format) -> Result<i32, OpenError> {
    let failed = |e| cause(file, format, e);
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let mark = number("application_id").map_err(failed)?;
    let version = number("user_version").map_err(failed)?;
    let table = connection
        .query_row("SELECT name FROM sqlite_schema LIMIT 1", [], |row| row.get::<_, String>(0))
        .optional()
        .map_err(failed)?;
    let is_new = mark == 0 && version == 0 && table.is_none();
    if mark != format.mark && !is_new {
        return Err(OpenError::Foreign { file: file.to_owned(), what: format.what });
    }
    if version > format.version {
        let known = format.version;
        return Err(OpenError::Newer { file: file.to_owned(), found: version, known });
    }
    Ok(version.max(0))
}

/// All steps are one transaction: a crash in between leaves the old format.
fn migrate(connection: &mut Connection, format: Format, from: i32) -> rusqlite::Result<()> {
    if from == format.version {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in format.migrations.iter().skip(usize::try_from(from).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", format.mark)?;
    transaction.pragma_update(None, "user_version", format.version)?;
    transaction.commit()
}

fn cause(file: &Path, format: Format, error: rusqlite::Error) -> OpenError {
    let file = file.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { file, what: format.what },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { file, detail: error.to_string() },
        _ => OpenError::Sqlite { file, source: error },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt;
    use std::path::PathBuf;

    use super::*;
    use crate::disk::scratch::Scratch;

    const ONE: Format = Format {
        what: "box",
        mark: 0x0b0c,
        version: 1,
        migrations: &["CREATE TABLE boxes(id INTEGER PRIMARY KEY, bytes BLOB)"],
    };
    const TWO: Format = Format {
        version: 2,
        migrations: &[ONE.migrations[0], "ALTER TABLE boxes ADD COLUMN color TEXT"],
        ..ONE
    };

    fn file(scratch: &Scratch) -> PathBuf {
        fs::create_dir_all(&scratch.0).unwrap();
        scratch.0.join("box.sqlite")
    }

    fn filled(file: &Path) {
        let connection = open(file, ONE, Config::default()).unwrap();
        for _ in 0..50 {
            connection.execute("INSERT INTO boxes(bytes) VALUES(zeroblob(4000))", []).unwrap();
        }
    }

    #[test]
    fn an_old_file_is_brought_up_to_date_and_a_newer_one_is_refused() {
        let scratch = Scratch::new("versions");
        let file = file(&scratch);
        filled(&file);
        let connection = open(&file, TWO, Config::default()).unwrap();
        let rows: u32 = connection
            .query_row("SELECT count(*) FROM boxes WHERE color IS NULL", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 50);
        drop(connection);
        let error = open(&file, ONE, Config::default()).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error}");
        assert!(error.to_string().contains("update the server"));
    }

    #[test]
    fn a_file_of_somebody_else_is_refused_and_left_alone() {
        let scratch = Scratch::new("foreign");
        let file = file(&scratch);
        fs::write(&file, "these are my notes, not a database, and they are long enough").unwrap();
        let before = fs::read(&file).unwrap();
        let error = open(&file, ONE, Config::default()).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        assert_eq!(fs::read(&file).unwrap(), before);

        fs::remove_file(&file).unwrap();
        Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs(x)").unwrap();
        assert!(matches!(open(&file, ONE, Config::default()), Err(OpenError::Foreign { .. })));
        let other = Format { mark: 77, ..ONE };
        fs::remove_file(&file).unwrap();
        drop(open(&file, other, Config::default()).unwrap());
        assert!(matches!(open(&file, ONE, Config::default()), Err(OpenError::Foreign { .. })));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let scratch = Scratch::new("damaged");
        let file = file(&scratch);
        filled(&file);
        let bytes = fs::OpenOptions::new().write(true).open(&file).unwrap();
        bytes.write_all_at(&[0xff; 4096 * 8], 4096).unwrap();
        let error = open(&file, ONE, Config::default()).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("restore it from a backup"));

        bytes.set_len(4096 * 3 + 17).unwrap();
        assert!(open(&file, ONE, Config::default()).is_err());
    }

    #[test]
    fn a_size_limit_is_met_and_can_be_lifted() {
        let scratch = Scratch::new("limit");
        let config = Config { size_bytes_max: Some(64 * 1024), ..Config::default() };
        let connection = open(&file(&scratch), ONE, config).unwrap();
        let insert = || connection.execute("INSERT INTO boxes(bytes) VALUES(zeroblob(8000))", []);
        let error = (0..20).find_map(|_| insert().err()).expect("the limit is never met");
        assert!(is_full(&error), "{error}");
        assert!(size_bytes(&connection).unwrap() <= 64 * 1024);
        limit_size(&connection, None).unwrap();
        insert().unwrap();
    }

    #[test]
    fn a_path_that_is_no_file_is_named() {
        let scratch = Scratch::new("folder");
        let file = file(&scratch);
        fs::create_dir_all(&file).unwrap();
        let text = open(&file, ONE, Config::default()).unwrap_err().to_string();
        assert!(text.contains("box.sqlite"), "{text}");
    }
}
