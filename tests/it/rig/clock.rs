//! A wall clock of a process's own, which a test sets while the process runs.

use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// Debian's folders of libraries, one an architecture.
const LIBRARIES: &str = "/usr/lib";

pub(crate) struct Clock {
    library: PathBuf,
    /// By how much the clock is wrong.
    file: PathBuf,
}

/// The library that tells a process another time, if it is there. Where `REQUIRE_FAKETIME` is set it
/// must be.
pub(crate) fn library() -> Option<PathBuf> {
    let folders = fs::read_dir(LIBRARIES).into_iter().flatten().filter_map(Result::ok);
    let mut files = folders.map(|it| it.path().join("faketime/libfaketimeMT.so.1"));
    let found = files.find(|file| file.exists());
    if found.is_none() {
        assert!(std::env::var_os("REQUIRE_FAKETIME").is_none(), "there is no libfaketime");
        static SAID: Once = Once::new();
        // Past the harness, which keeps what a test prints.
        SAID.call_once(|| {
            stderr().write_all(b"skipped: clocks that are set: no libfaketime\n").unwrap();
        });
    }
    found
}

impl Clock {
    pub(super) fn new(library: &Path, file: PathBuf) -> Self {
        let clock = Self { library: library.to_owned(), file };
        clock.set(0.0);
        clock
    }

    /// Sets it wrong by so many seconds.
    pub(crate) fn set(&self, seconds: f64) {
        // Whole at once: it may be read at any moment.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    pub(super) fn give_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        // The file is read again each second. What a step of the clock leaves alone stays alone.
        command.env("FAKETIME_CACHE_DURATION", "1");
        command.envs([("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("NO_FAKE_STAT", "1")]);
    }
}
