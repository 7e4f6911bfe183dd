use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::OpenError;

/// The file whose lock says who uses the folder; it holds the process number of the owner.
pub const LOCK_FILE: &str = "undercroft.lock";

/// Holds the data folder for this process; clones share the hold, the last one dropped ends it.
///
/// The kernel drops the lock of a killed process, so no stale lock can keep a server from starting.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: Arc<File>,
}

impl DataFolder {
    /// Makes the folder where there is none (only its owner may look inside), and locks it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| OpenError::NoFolder { folder: path.to_owned(), source })?;
        let not_writable = |source| OpenError::NotWritable { folder: path.to_owned(), source };
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK_FILE))
            .map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&mut lock).map(|id| format!(" (process {id})"));
                return Err(OpenError::InUse {
                    folder: path.to_owned(),
                    holder: holder.unwrap_or_default(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(not_writable(source)),
        }
        record_holder(&mut lock).map_err(not_writable)?;
        Ok(Self { path: path.to_owned(), _lock: Arc::new(lock) })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a small file that only its owner may read, whole or not at all.
    pub fn write_secret(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        write_secret(&self.file(name), bytes)
    }
}

/// Writes a small file that only its owner may read, whole or not at all.
pub fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn record_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    writeln!(lock, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::disk::scratch::Scratch;

    #[test]
    fn a_second_server_is_kept_out_until_the_last_hold_is_gone() {
        let scratch = Scratch::new("lock");
        let first = DataFolder::open(&scratch.0).unwrap();
        let clone = first.clone();
        let text = DataFolder::open(&scratch.0).unwrap_err().to_string();
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
        drop(first);
        assert!(matches!(DataFolder::open(&scratch.0), Err(OpenError::InUse { .. })));
        drop(clone);
        DataFolder::open(&scratch.0).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let scratch = Scratch::new("file");
        fs::write(&scratch.0, "in the way").unwrap();
        let inside = scratch.0.join("data");
        let text = DataFolder::open(&inside).unwrap_err().to_string();
        assert!(text.contains(&inside.display().to_string()), "{text}");
        fs::remove_file(&scratch.0).unwrap();

        fs::create_dir_all(scratch.0.join(LOCK_FILE)).unwrap();
        assert!(matches!(DataFolder::open(&scratch.0), Err(OpenError::NotWritable { .. })));
    }

    #[test]
    fn secrets_are_for_the_owner_alone() {
        let scratch = Scratch::new("secret");
        let folder = DataFolder::open(&scratch.0).unwrap();
        folder.write_secret("keys", b"one").unwrap();
        folder.write_secret("keys", b"two").unwrap();
        assert_eq!(fs::read(folder.file("keys")).unwrap(), b"two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.file("keys")), 0o600);
        assert_eq!(mode(folder.path()), 0o700);
    }
}
