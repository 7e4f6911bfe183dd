//! What both journals must do, and what only the file can.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

use rusqlite::Connection;

use super::*;
use crate::disk::scratch::Scratch;
use crate::disk::{DataFolder, sqlite::Synchronous};
use crate::nats::tests::server::Server;

const Z: ZoneId = ZoneId(3);

pub(super) fn entry(zone: ZoneId, tick: u64) -> Entry {
    Entry {
        zone,
        tick: Tick(tick),
        version: 7,
        hash: tick.is_multiple_of(20).then_some(u64::MAX - tick),
        bytes: format!("{zone}/{tick}").into_bytes(),
    }
}

pub(super) fn snapshot(zone: ZoneId, tick: u64, size: usize) -> Snapshot {
    let bytes = (0..size).map(|i| (i as u64 * 31 + tick) as u8).collect();
    Snapshot { zone, tick: Tick(tick), version: 7, hash: Some(tick << 60 | 5), bytes }
}

pub(super) fn all(reader: &Reader, zone: ZoneId, after: Option<u64>) -> Vec<Entry> {
    reader.entries(zone, after.map(Tick)).flat_map(|batch| batch.unwrap()).collect()
}

fn file_journal(scratch: &Scratch) -> Journal {
    let folder = DataFolder::open(&scratch.0).unwrap();
    Journal::open(&folder, Config::default()).unwrap()
}

/// Runs a test over the file, over its twin and over NATS.
fn check(name: &str, test: impl Fn(&mut Journal)) {
    let scratch = Scratch::new(name);
    test(&mut file_journal(&scratch));
    test(&mut Journal::Memory(MemoryDisk::default().open()));
    if let Some(server) = Server::start(name) {
        test(&mut Journal::JetStream(JetStreamJournal::open(&server.connect(), 1).unwrap()));
    }
}

#[test]
fn what_was_appended_is_read_in_order() {
    check("order", |journal| {
        let reader = journal.reader().unwrap();
        assert!(reader.zones().unwrap().is_empty());
        let other = ZoneId(9);
        let mixed: Vec<Entry> =
            (5..30).flat_map(|tick| [entry(Z, tick), entry(other, tick + 100)]).collect();
        journal.append(&mixed).unwrap();
        journal.append(&[]).unwrap();
        journal.append(&[entry(Z, 30)]).unwrap();
        assert_eq!(reader.zones().unwrap(), [Z, other]);
        assert_eq!(all(&reader, Z, None), (5..31).map(|t| entry(Z, t)).collect::<Vec<_>>());
        assert_eq!(all(&reader, Z, Some(28)), [entry(Z, 29), entry(Z, 30)]);
        assert_eq!(all(&reader, other, Some(129)), []);
        assert_eq!(reader.last_tick(Z).unwrap(), Some(Tick(30)));
        assert_eq!(reader.last_tick(ZoneId(1)).unwrap(), None);
    });
}

#[test]
fn an_entry_out_of_sequence_is_refused_with_all_beside_it() {
    check("fence", |journal| {
        journal.append(&[entry(Z, 0), entry(Z, 1)]).unwrap();
        for wrong in [0, 1, 3, 99] {
            let error = journal.append(&[entry(ZoneId(8), 4), entry(Z, wrong)]).unwrap_err();
            let WriteError::OutOfSequence { zone, expected, got } = error else {
                panic!("{error}");
            };
            assert_eq!((zone, expected, got), (Z, Tick(2), Tick(wrong)));
            assert!(!error.is_temporary());
        }
        assert!(journal.append(&[entry(Z, 2), entry(Z, 2)]).is_err());
        assert!(journal.append(&[entry(ZoneId(4), 8), entry(ZoneId(4), 10)]).is_err());
        let reader = journal.reader().unwrap();
        assert_eq!(reader.zones().unwrap(), [Z]);
        assert_eq!(all(&reader, Z, None).len(), 2);
        journal.append(&[entry(Z, 2)]).unwrap();
    });
}

#[test]
fn snapshots_come_back_newest_first_and_only_when_whole() {
    check("snapshots", |journal| {
        let reader = journal.reader().unwrap();
        let big = snapshot(Z, 40, SNAPSHOT_PART_BYTES * 2 + 17);
        let offset = journal.save_part(&big, 0).unwrap();
        assert!(reader.snapshots(Z).unwrap().is_empty());
        assert_eq!(reader.snapshot(Z, Tick(40)).unwrap(), None);
        let offset = journal.save_part(&big, offset).unwrap();
        assert_eq!(journal.save_part(&big, offset).unwrap(), big.bytes.len());
        for size in [0, 1, SNAPSHOT_PART_BYTES] {
            journal.save_snapshot(&snapshot(Z, 10 + size as u64 % 9, size)).unwrap();
        }
        journal.save_snapshot(&snapshot(Z, 40, 3)).unwrap();
        let heads = reader.snapshots(Z).unwrap();
        assert!(heads.is_sorted_by(|a, b| a.tick > b.tick));
        assert_eq!(heads[0].size_bytes, big.bytes.len());
        assert_eq!(reader.snapshot(Z, Tick(40)).unwrap(), Some(big));
        assert_eq!(reader.snapshot(Z, Tick(10)).unwrap(), Some(snapshot(Z, 10, 0)));
        assert_eq!(reader.zones().unwrap(), [Z]);
        assert!(reader.snapshots(ZoneId(1)).unwrap().is_empty());
    });
}

#[test]
fn a_snapshot_alone_holds_the_fence() {
    check("snapshot-fence", |journal| {
        journal.save_snapshot(&snapshot(Z, 7, 10)).unwrap();
        assert!(journal.append(&[entry(Z, 9)]).is_err());
        journal.append(&[entry(Z, 8)]).unwrap();
        assert_eq!(journal.reader().unwrap().last_tick(Z).unwrap(), Some(Tick(8)));
    });
}

#[test]
fn pruning_keeps_what_recovery_and_the_fence_need() {
    check("prune", |journal| {
        let keep = Keep { snapshots: 2, history_ticks: 0 };
        let entries: Vec<Entry> = (1..=3_000).map(|tick| entry(Z, tick)).collect();
        journal.append(&entries).unwrap();
        journal.prune(Z, keep).unwrap();
        let reader = journal.reader().unwrap();
        assert_eq!(all(&reader, Z, None).len(), 3_000, "without a snapshot all stays");
        journal.append(&[entry(ZoneId(4), 1)]).unwrap();
        for tick in [1_000, 2_000, 2_500, 3_000] {
            journal.save_snapshot(&snapshot(Z, tick, 50)).unwrap();
        }
        journal.prune(Z, keep).unwrap();
        let kept: Vec<u64> = reader.snapshots(Z).unwrap().iter().map(|s| s.tick.0).collect();
        assert_eq!(kept, [3_000, 2_500]);
        assert_eq!(all(&reader, Z, None)[0].tick, Tick(2_501));
        journal.prune(Z, Keep { snapshots: 1, history_ticks: 0 }).unwrap();
        assert!(all(&reader, Z, None).is_empty());
        assert!(journal.append(&[entry(Z, 3_002)]).is_err());
        journal.append(&[entry(Z, 3_001)]).unwrap();
        assert_eq!(all(&reader, ZoneId(4), None).len(), 1);
    });
}

#[test]
fn long_logs_come_in_batches() {
    check("batches", |journal| {
        let mut entries: Vec<Entry> = (1..=2_500).map(|tick| entry(Z, tick)).collect();
        entries[3].bytes = vec![1; BATCH_BYTES_MAX];
        journal.append(&entries).unwrap();
        let reader = journal.reader().unwrap();
        let sizes: Vec<usize> = reader.entries(Z, None).map(|b| b.unwrap().len()).collect();
        assert_eq!(sizes, [4, 1_024, 1_024, 448]);
        assert_eq!(all(&reader, Z, None), entries);
    });
}

#[test]
fn the_file_is_the_same_after_it_was_opened_again() {
    let scratch = Scratch::new("again");
    for round in 0..3 {
        let mut journal = file_journal(&scratch);
        journal.append(&[entry(Z, round)]).unwrap();
        journal.save_snapshot(&snapshot(Z, round, 600_000)).unwrap();
        assert_eq!(all(&journal.reader().unwrap(), Z, None).len() as u64, round + 1);
    }
    let unfinished = snapshot(Z, 90, SNAPSHOT_PART_BYTES * 3);
    file_journal(&scratch).save_part(&unfinished, 0).unwrap();
    let journal = file_journal(&scratch);
    assert_eq!(journal.reader().unwrap().snapshots(Z).unwrap().len(), 3);
    let parts: u32 = Connection::open(scratch.0.join(JOURNAL_FILE))
        .unwrap()
        .query_row("SELECT count(*) FROM snapshot_parts WHERE tick = 90", [], |row| row.get(0))
        .unwrap();
    assert_eq!(parts, 0, "parts of a snapshot that was never finished are removed");
}

#[test]
fn what_was_appended_survives_a_process_that_is_killed() {
    for synchronous in [Synchronous::Full, Synchronous::Normal] {
        let scratch = Scratch::new("killed");
        let folder = DataFolder::open(&scratch.0).unwrap();
        let config = Config { synchronous, ..Config::default() };
        let mut journal = Journal::open(&folder, config).unwrap();
        journal.append(&[entry(Z, 1), entry(Z, 2)]).unwrap();
        // The files as a killed process leaves them: nothing closed, nothing folded.
        let copy = Scratch::new("killed-copy");
        fs::create_dir_all(&copy.0).unwrap();
        for name in [JOURNAL_FILE.to_owned(), format!("{JOURNAL_FILE}-wal")] {
            fs::copy(scratch.0.join(&name), copy.0.join(&name)).unwrap();
        }
        // The last transaction was cut off in the middle of its write.
        let log = fs::OpenOptions::new()
            .write(true)
            .open(copy.0.join(format!("{JOURNAL_FILE}-wal")))
            .unwrap();
        let end = log.metadata().unwrap().len();
        log.write_all_at(&[0x5a; 1_500], end).unwrap();
        let mut journal = file_journal(&copy);
        let reader = journal.reader().unwrap();
        assert_eq!(all(&reader, Z, None), [entry(Z, 1), entry(Z, 2)]);
        journal.append(&[entry(Z, 3)]).unwrap();
    }
}

#[test]
fn a_full_disk_is_named_and_nothing_is_half_written() {
    let scratch = Scratch::new("full");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let config = Config { size_bytes_max: Some(256 * 1_024), ..Config::default() };
    let mut journal = SqliteJournal::open(&folder, config).unwrap();
    let big = |tick| Entry { bytes: vec![9; 20_000], ..entry(Z, tick) };
    let mut tick = 0;
    let error = loop {
        match journal.append(&[big(tick), entry(ZoneId(50), tick)]) {
            Ok(()) => tick += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, WriteError::Full { .. }), "{error}");
    assert!(error.is_temporary());
    let text = error.to_string();
    assert!(text.contains(JOURNAL_FILE) && text.contains("free some space"), "{text}");
    assert!(tick > 3);
    let reader = Reader::Sqlite(journal.reader().unwrap());
    assert_eq!(reader.last_tick(Z).unwrap(), Some(Tick(tick - 1)));
    assert_eq!(reader.last_tick(ZoneId(50)).unwrap(), Some(Tick(tick - 1)));
    journal.limit_size(None).unwrap();
    journal.append(&[big(tick), entry(ZoneId(50), tick)]).unwrap();
}

#[test]
fn damaged_foreign_and_newer_files_are_refused() {
    let scratch = Scratch::new("refused");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let file = folder.file(JOURNAL_FILE);
    let open = || SqliteJournal::open(&folder, Config::default());
    fs::write(&file, [b'x'; 3_000]).unwrap();
    assert!(matches!(open(), Err(OpenError::Foreign { .. })));
    fs::remove_file(&file).unwrap();

    let mut journal = open().unwrap();
    for tick in 0..200 {
        journal.append(&[Entry { bytes: vec![1; 2_000], ..entry(Z, tick) }]).unwrap();
    }
    drop(journal);
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = open().unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 1).unwrap();
    open().unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .write_all_at(&[0xee; 40_000], 8_192)
        .unwrap();
    let error = open().unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}

#[test]
fn the_folder_is_held_for_as_long_as_the_journal() {
    let scratch = Scratch::new("held");
    let journal = file_journal(&scratch);
    assert!(matches!(DataFolder::open(&scratch.0), Err(OpenError::InUse { .. })));
    drop(journal);
    file_journal(&scratch);
}

#[test]
fn the_log_is_folded_while_the_writer_goes_on() {
    let scratch = Scratch::new("fold");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let config = Config { synchronous: Synchronous::Normal, ..Config::default() };
    let mut journal = SqliteJournal::open(&folder, config).unwrap();
    for tick in 0..1_200 {
        journal.append(&[Entry { bytes: vec![tick as u8; 60_000], ..entry(Z, tick) }]).unwrap();
    }
    let log = fs::metadata(folder.file(&format!("{JOURNAL_FILE}-wal"))).unwrap().len();
    assert!(journal.size_bytes().unwrap() > 60_000_000);
    drop(journal);
    assert!(log < 300_000_000, "the log grew to {log} bytes");
    assert!(!folder.file(&format!("{JOURNAL_FILE}-wal")).exists());
}

/// Names the folder in which the test below appends as a process of its own.
const KILLED_FOLDER: &str = "UNDERCROFT_TEST_KILLED_FOLDER";

/// Appends for as long as it lives, and says after each that it is durable. Does nothing unless
/// the test after it started it.
#[test]
fn an_appender_to_be_killed() {
    let Some(path) = std::env::var_os(KILLED_FOLDER) else { return };
    let folder = DataFolder::open(path.as_ref()).unwrap();
    let mut journal = Journal::open(&folder, Config::default()).unwrap();
    for tick in 0.. {
        let bytes = vec![tick as u8; 3_000];
        journal.append(&[Entry { bytes, ..entry(Z, tick) }]).unwrap();
        println!("durable {tick}");
        if tick % 10 == 0 {
            journal.save_snapshot(&snapshot(Z, tick, 300_000)).unwrap();
        }
    }
}

#[test]
fn a_killed_process_takes_nothing_back() {
    let scratch = Scratch::new("kill");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::tests::an_appender_to_be_killed", "--nocapture"])
        .env(KILLED_FOLDER, &scratch.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = 0;
    for line in lines.map_while(Result::ok) {
        // The harness prints on the same lines.
        let Some((_, tick)) = line.split_once("durable ") else { continue };
        told = tick.parse().unwrap();
        if told == 137 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(told >= 137);
    let mut journal = file_journal(&scratch);
    let reader = journal.reader().unwrap();
    let last = reader.last_tick(Z).unwrap().unwrap();
    assert!(last.0 >= told && last.0 <= told + 1, "{last} after {told}");
    let entries = all(&reader, Z, None);
    assert_eq!(entries.len() as u64, last.0 + 1);
    for head in reader.snapshots(Z).unwrap() {
        let saved = reader.snapshot(Z, head.tick).unwrap();
        assert_eq!(saved, Some(snapshot(Z, head.tick.0, 300_000)));
    }
    journal.append(&[entry(Z, last.0 + 1)]).unwrap();
}
