use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};

use super::tests::{all, entry, snapshot};
use super::*;
use crate::disk::DataFolder;
use crate::disk::scratch::Scratch;
use crate::nats::tests::server::Server;
use crate::telemetry::Metrics;

const WAIT: Duration = Duration::from_secs(20);

struct Fixture {
    worker: Worker,
    reports: Receiver<Report>,
    metrics: Arc<Metrics>,
}

fn spawn(journal: Journal) -> Fixture {
    let (sender, reports) = unbounded();
    let metrics = Arc::new(Metrics::new());
    let config = WorkerConfig { queue_max: 64, retry_after: Duration::from_millis(2) };
    let worker = Worker::spawn(journal, config, metrics.clone(), move |report| {
        let _ = sender.send(report);
    });
    Fixture { worker: worker.unwrap(), reports, metrics }
}

fn append(zone: u32, ticks: std::ops::Range<u64>, token: u64) -> Request {
    Request::Append { entries: ticks.map(|tick| entry(ZoneId(zone), tick)).collect(), token }
}

impl Fixture {
    fn send(&self, request: Request) {
        self.worker.requests().send(request).unwrap();
    }

    fn next(&self) -> Report {
        self.reports.recv_timeout(WAIT).unwrap()
    }

    fn expect_durable(&self, zone: u32, tick: u64, token: u64) {
        let report = self.next();
        let expected = (ZoneId(zone), Tick(tick), token);
        assert!(
            matches!(report, Report::Durable { zone, tick, token } if (zone, tick, token) == expected),
            "{report:?} instead of {expected:?}"
        );
    }
}

#[test]
fn everything_is_told_once_and_is_there_afterwards() {
    let scratch = Scratch::new("worker");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let journal = SqliteJournal::open(&folder, Config::default()).unwrap();
    let fixture = spawn(Journal::Sqlite(journal));
    for round in 0..50 {
        fixture.send(append(1, round..round + 1, round));
        fixture.send(append(2, round * 2..round * 2 + 2, round + 1_000));
    }
    for round in 0..50 {
        fixture.expect_durable(1, round, round);
        fixture.expect_durable(2, round * 2 + 1, round + 1_000);
    }
    fixture.send(Request::Snapshot(snapshot(ZoneId(1), 49, 1_000_000)));
    fixture.send(Request::Prune { zone: ZoneId(1), keep: Keep { snapshots: 1, history_ticks: 0 } });
    fixture.send(append(1, 50..51, 7));
    let metrics = fixture.metrics.clone();
    let reports = fixture.reports.clone();
    let journal = fixture.worker.shutdown().unwrap();
    let left: Vec<Report> = reports.try_iter().collect();
    assert!(left.iter().any(|r| matches!(r, Report::SnapshotSaved { tick: Tick(49), .. })));
    assert!(left.iter().any(|r| matches!(r, Report::Durable { tick: Tick(50), token: 7, .. })));
    let reader = journal.reader().unwrap();
    assert_eq!(all(&reader, ZoneId(1), None), [entry(ZoneId(1), 50)]);
    assert_eq!(all(&reader, ZoneId(2), None).len(), 100);
    let saved = reader.snapshot(ZoneId(1), Tick(49)).unwrap();
    assert_eq!(saved, Some(snapshot(ZoneId(1), 49, 1_000_000)));
    assert_eq!(metrics.journal_entries.get(), 151);
    assert!((1..=101).contains(&metrics.journal_commit.get_sample_count()));
    assert!(metrics.journal_size.get() > 0);
}

#[test]
fn a_zone_out_of_sequence_harms_no_other() {
    let fixture = spawn(Journal::Memory(MemoryDisk::default().open()));
    fixture.send(append(1, 0..3, 1));
    fixture.expect_durable(1, 2, 1);
    for (zone, ticks) in [(2, 0..1), (1, 7..8), (3, 0..1)] {
        fixture.send(append(zone, ticks, u64::from(zone)));
    }
    fixture.expect_durable(2, 0, 2);
    let report = fixture.next();
    assert!(matches!(report, Report::Refused { zone: ZoneId(1), token: 1, .. }), "{report:?}");
    fixture.expect_durable(3, 0, 3);
    fixture.worker.shutdown().unwrap();
}

#[test]
fn of_a_request_each_zone_is_told_for_itself() {
    let scratch = Scratch::new("by-zone");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let file = SqliteJournal::open(&folder, Config::default()).unwrap();
    for journal in [Journal::Sqlite(file), Journal::Memory(MemoryDisk::default().open())] {
        check_by_zone(spawn(journal), 9, || {});
    }
    if let Some(server) = Server::start("by-zone") {
        let nats = server.connect();
        let mut other = JetStreamJournal::open(&nats, 2).unwrap();
        let journal = JetStreamJournal::open(&nats, 1).unwrap();
        // Zone 2 looks well to its writer until the server refuses it.
        let overtake = move || other.append(&[entry(ZoneId(2), 3)]).unwrap();
        check_by_zone(spawn(Journal::JetStream(journal)), 3, overtake);
    }
}

fn check_by_zone(fixture: Fixture, wrong: u64, overtake: impl FnOnce()) {
    let entries = |ticks: [u64; 3]| {
        let zones = (1..).map(ZoneId).zip(ticks);
        zones.map(|(zone, tick)| entry(zone, tick)).collect::<Vec<_>>()
    };
    fixture.send(Request::Append { entries: entries([2; 3]), token: 1 });
    for zone in 1..=3 {
        fixture.expect_durable(zone, 2, 1);
    }
    overtake();
    fixture.send(Request::Append { entries: entries([3, wrong, 3]), token: 2 });
    fixture.expect_durable(1, 3, 2);
    let report = fixture.next();
    assert!(matches!(report, Report::Refused { zone: ZoneId(2), token: 2, .. }), "{report:?}");
    fixture.expect_durable(3, 3, 2);
    fixture.send(append(3, 4..5, 3));
    fixture.expect_durable(3, 4, 3);
    let reader = fixture.worker.shutdown().unwrap().reader().unwrap();
    assert_eq!(all(&reader, ZoneId(1), None).len(), 2);
}

#[test]
fn a_zone_is_released_in_its_turn() {
    let Some(server) = Server::start("turn") else { return };
    let nats = server.connect();
    let mut other = JetStreamJournal::open(&nats, 2).unwrap();
    let fixture = spawn(Journal::JetStream(JetStreamJournal::open(&nats, 1).unwrap()));
    fixture.send(append(1, 50..51, 1));
    fixture.expect_durable(1, 50, 1);
    other.append(&[entry(ZoneId(1), 51)]).unwrap();
    // To a writer that has just looked, 52 would be the next.
    fixture.send(append(1, 51..52, 2));
    fixture.send(append(1, 52..53, 3));
    fixture.send(Request::Snapshot(snapshot(ZoneId(1), 51, 10)));
    fixture.send(Request::Release { zone: ZoneId(1) });
    fixture.send(Request::Snapshot(snapshot(ZoneId(1), 50, 10)));
    fixture.send(append(1, 52..53, 4));
    for expected in [2, 3] {
        let report = fixture.next();
        assert!(
            matches!(report, Report::Refused { zone: ZoneId(1), token, .. } if token == expected),
            "{report:?}"
        );
    }
    fixture.expect_durable(1, 52, 4);
    fixture.send(Request::Snapshot(snapshot(ZoneId(1), 52, 10)));
    fixture.send(Request::Release { zone: ZoneId(1) });
    let journal = fixture.worker.shutdown().unwrap();
    let saved = journal.reader().unwrap().snapshots(ZoneId(1)).unwrap();
    assert_eq!(saved.iter().map(|head| head.tick).collect::<Vec<_>>(), [Tick(52)]);
}

#[test]
fn a_failing_disk_loses_nothing_and_is_told_once() {
    let disk = MemoryDisk::default();
    let fixture = spawn(Journal::Memory(disk.open()));
    disk.inject(Fault::FailWrites(5));
    fixture.send(append(1, 0..3, 1));
    assert!(matches!(fixture.next(), Report::Failing { .. }));
    assert!(matches!(fixture.next(), Report::Recovered));
    fixture.expect_durable(1, 2, 1);
    assert_eq!(fixture.metrics.journal_failures.get(), 5);
    disk.inject(Fault::FailWrites(2));
    fixture.send(Request::Snapshot(snapshot(ZoneId(1), 2, 700_000)));
    assert!(matches!(fixture.next(), Report::Failing { .. }));
    assert!(matches!(fixture.next(), Report::Recovered));
    assert!(matches!(fixture.next(), Report::SnapshotSaved { .. }));
    fixture.worker.shutdown().unwrap();
}

#[test]
fn a_crash_takes_back_nothing_that_was_told() {
    for (fault, kept) in [(Fault::CrashBeforeCommit, 3), (Fault::CrashAfterCommit, 4)] {
        let disk = MemoryDisk::default();
        let fixture = spawn(Journal::Memory(disk.open()));
        fixture.send(append(1, 0..3, 1));
        fixture.expect_durable(1, 2, 1);
        disk.inject(fault);
        fixture.send(append(1, 3..4, 2));
        assert!(matches!(fixture.next(), Report::Failing { .. }));
        let abandoned = fixture.worker.shutdown().unwrap_err();
        assert_eq!(abandoned.entries, 1);
        assert!(!fixture.reports.try_iter().any(|r| matches!(r, Report::Durable { .. })));

        let mut journal = Journal::Memory(disk.open());
        let reader = journal.reader().unwrap();
        assert_eq!(all(&reader, ZoneId(1), None).len(), kept, "after {fault:?}");
        journal.append(&[entry(ZoneId(1), kept as u64)]).unwrap();
    }
}

#[test]
fn a_sender_learns_of_a_full_queue_and_of_the_end() {
    let disk = MemoryDisk::default();
    let fixture = spawn(Journal::Memory(disk.open()));
    disk.inject(Fault::FailWrites(u32::MAX));
    let requests = fixture.worker.requests();
    let refused =
        (0..1_000).find_map(|tick| requests.try_send(append(1, tick..tick + 1, tick)).unwrap());
    assert!(matches!(refused, Some(Request::Append { .. })));
    fixture.worker.shutdown().unwrap_err();
    assert_eq!(requests.send(append(1, 0..1, 1)), Err(Stopped));
    assert_eq!(requests.try_send(append(1, 0..1, 1)), Err(Stopped));
}

#[test]
fn what_follows_a_refused_entry_is_refused_until_the_zone_is_let_go_of() {
    let Some(server) = Server::start("follows") else { return };
    let nats = server.connect();
    let mut other = JetStreamJournal::open(&nats, 2).unwrap();
    // Somebody else writes 51 after the zone was read up to 50 and before the first look here.
    other.append(&[entry(ZoneId(1), 50), entry(ZoneId(1), 51)]).unwrap();
    let fixture = spawn(Journal::JetStream(JetStreamJournal::open(&nats, 1).unwrap()));
    for token in 1..=3 {
        // The second would be the next of the log, and is of another future.
        fixture.send(append(1, 50 + token..51 + token, token));
    }
    fixture.send(Request::Snapshot(snapshot(ZoneId(1), 51, 10)));
    for token in 1..=3 {
        let report = fixture.next();
        let Report::Refused { zone: ZoneId(1), token: of, .. } = report else {
            panic!("{report:?}")
        };
        assert_eq!(of, token);
    }
    fixture.send(Request::Release { zone: ZoneId(1) });
    fixture.send(append(1, 52..53, 4));
    fixture.expect_durable(1, 52, 4);
    let reader = fixture.worker.shutdown().unwrap().reader().unwrap();
    assert_eq!(all(&reader, ZoneId(1), None).len(), 3);
    assert_eq!(reader.snapshots(ZoneId(1)).unwrap(), []);
}
