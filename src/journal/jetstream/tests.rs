//! What the journal in NATS has to do beside what every journal does, against the real server.

use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use crate::journal::tests::{all, entry, snapshot};
use crate::journal::{
    Entry, JetStreamJournal, JetStreamReader, Journal, Keep, ReadError, Reader, Report, Request,
    StreamError, Tailed, Worker, WorkerConfig, WriteError,
};
use crate::model::{Tick, ZoneId};
use crate::nats::tests::server::{Server, runtime};
use crate::nats::{ConnectError, Nats};

const Z: ZoneId = ZoneId(3);
const PATIENCE: Duration = Duration::from_secs(30);

fn open(nats: &Nats, writer: u64) -> Journal {
    Journal::JetStream(JetStreamJournal::open(nats, writer).unwrap())
}

#[test]
fn of_two_writers_of_a_zone_the_slower_is_refused_for_good() {
    let Some(server) = Server::start("fence") else { return };
    let nats = server.connect();
    let (mut old, mut new) = (open(&nats, 1), open(&nats, 2));
    old.append(&[entry(Z, 1), entry(Z, 2)]).unwrap();
    new.append(&[entry(Z, 3)]).unwrap();
    for tick in [3, 4, 5] {
        let error = old.append(&[entry(Z, tick)]).unwrap_err();
        assert!(matches!(error, WriteError::OutOfSequence { zone: Z, .. }), "{error}");
    }
    let error = old.save_snapshot(&snapshot(Z, 2, 10)).unwrap_err();
    assert!(matches!(error, WriteError::OutOfSequence { .. }), "{error}");
    // Other zones are still its own.
    old.append(&[entry(ZoneId(9), 7)]).unwrap();
    new.append(&[entry(Z, 4)]).unwrap();
    let ticks: Vec<u64> =
        all(&new.reader().unwrap(), Z, None).iter().map(|entry| entry.tick.0).collect();
    assert_eq!(ticks, [1, 2, 3, 4]);
}

#[test]
fn a_zone_that_comes_back_is_gone_on_with_where_others_left_it() {
    let Some(server) = Server::start("back") else { return };
    let nats = server.connect();
    let (mut first, mut second) = (open(&nats, 1), open(&nats, 2));
    first.append(&[entry(Z, 50)]).unwrap();
    second.append(&[entry(Z, 51)]).unwrap();
    first.append(&[entry(Z, 51)]).unwrap_err();
    second.release(Z);
    first.release(Z);
    // The tick alone tells this one, which was not written the first time.
    let error = first.append(&[entry(Z, 51)]).unwrap_err();
    assert!(matches!(error, WriteError::OutOfSequence { expected: Tick(52), .. }), "{error}");
    first.append(&[entry(Z, 52)]).unwrap();
    first.append(&[entry(Z, 53)]).unwrap();
    let error = second.append(&[entry(Z, 52)]).unwrap_err();
    assert!(matches!(error, WriteError::OutOfSequence { expected: Tick(54), .. }), "{error}");
    let expected: Vec<_> = (50..=53).map(|tick| entry(Z, tick)).collect();
    assert_eq!(all(&first.reader().unwrap(), Z, None), expected);
}

#[test]
fn a_zone_that_is_refused_does_not_keep_others_from_being_written() {
    let Some(server) = Server::start("beside") else { return };
    let nats = server.connect();
    let (mut old, mut new) = (open(&nats, 1), open(&nats, 2));
    old.append(&[entry(Z, 1), entry(ZoneId(4), 1)]).unwrap();
    new.append(&[entry(Z, 2)]).unwrap();
    let (told, reports) = crossbeam_channel::unbounded();
    let worker = Worker::spawn(old, WorkerConfig::default(), Default::default(), move |report| {
        told.send(report).unwrap();
    })
    .unwrap();
    for (zone, token) in [(ZoneId(4), 1), (Z, 2), (ZoneId(4), 3)] {
        let tick = if token == 3 { 3 } else { 2 };
        let entries = vec![entry(zone, tick)];
        worker.requests().send(Request::Append { entries, token }).unwrap();
    }
    worker.shutdown().unwrap();
    let mut tokens = Vec::new();
    for report in reports {
        if let Report::Durable { token, .. } = report {
            tokens.push((token, true));
        } else if let Report::Refused { token, .. } = report {
            tokens.push((token, false));
        }
    }
    tokens.sort_unstable();
    assert_eq!(tokens, [(1, true), (2, false), (3, true)]);
    assert_eq!(all(&new.reader().unwrap(), ZoneId(4), None).len(), 3);
}

#[test]
fn what_was_acknowledged_outlives_a_server_that_is_killed_and_the_writer_goes_on() {
    let Some(mut server) = Server::start("killed") else { return };
    let nats = server.connect();
    let mut journal = open(&nats, 1);
    let reader = journal.reader().unwrap();
    for tick in 1..=50 {
        journal.append(&[entry(Z, tick)]).unwrap();
    }
    server.kill();
    let error = journal.append(&[entry(Z, 51)]).unwrap_err();
    assert!(error.is_temporary() && matches!(error, WriteError::Unavailable { .. }), "{error}");
    let error = reader.last_tick(Z).unwrap_err();
    assert!(matches!(error, ReadError::Unavailable { .. }), "{error}");
    server.restart();
    // As the worker does: the same entry again until it is taken.
    while journal.append(&[entry(Z, 51)]).is_err() {}
    journal.append(&[entry(Z, 52)]).unwrap();
    let expected: Vec<_> = (1..=52).map(|tick| entry(Z, tick)).collect();
    assert_eq!(all(&reader, Z, None), expected);
}

#[test]
fn a_snapshot_of_what_never_came_to_be_is_refused() {
    let Some(server) = Server::start("future") else { return };
    let mut journal = open(&server.connect(), 1);
    journal.append(&[entry(Z, 5)]).unwrap();
    let error = journal.save_snapshot(&snapshot(Z, 6, 10)).unwrap_err();
    assert!(matches!(error, WriteError::OutOfSequence { .. }), "{error}");
    journal.save_snapshot(&snapshot(Z, 5, 10)).unwrap();
    assert_eq!(journal.reader().unwrap().snapshots(Z).unwrap().len(), 1);
}

#[test]
fn a_later_start_goes_on_and_reads_from_any_tick() {
    let Some(server) = Server::start("later") else { return };
    let nats = server.connect();
    let mut journal = open(&nats, 1);
    for tick in 10..200 {
        // The zones lie between each other in the stream, one of them rarely.
        let other = (tick % 7 == 0).then(|| entry(ZoneId(4), tick / 7));
        journal.append(&[entry(Z, tick)].into_iter().chain(other).collect::<Vec<_>>()).unwrap();
    }
    journal.save_snapshot(&snapshot(Z, 120, 700_000)).unwrap();
    drop(journal);
    let mut journal = open(&nats, 2);
    let reader = journal.reader().unwrap();
    for after in [0, 9, 10, 57, 120, 198] {
        let ticks: Vec<u64> = all(&reader, Z, Some(after)).iter().map(|e| e.tick.0).collect();
        assert_eq!(ticks, (10.max(after + 1)..200).collect::<Vec<_>>(), "after {after}");
        let ticks: Vec<u64> =
            all(&reader, ZoneId(4), Some(after)).iter().map(|e| e.tick.0).collect();
        assert_eq!(ticks, (2.max(after + 1)..29).collect::<Vec<_>>(), "after {after}");
    }
    assert_eq!(all(&reader, Z, Some(199)), []);
    assert_eq!(reader.snapshot(Z, Tick(120)).unwrap(), Some(snapshot(Z, 120, 700_000)));
    assert_eq!(reader.snapshot(Z, Tick(121)).unwrap(), None);
    let keep = Keep { snapshots: 1, history_ticks: 0 };
    journal.prune(Z, keep).unwrap();
    let left = all(&reader, Z, None);
    assert_eq!((left[0].tick, left.len()), (Tick(121), 79));
    journal.append(&[entry(Z, 200)]).unwrap();
    let error = journal.append(&[entry(Z, 202)]).unwrap_err();
    assert!(matches!(error, WriteError::OutOfSequence { expected: Tick(201), .. }), "{error}");
    assert!(journal.size_bytes().unwrap() > 700_000);
}

#[test]
fn a_message_too_large_is_refused_by_name() {
    let Some(server) = Server::start_with("large", "max_payload: 2MB") else { return };
    let mut journal = open(&server.connect(), 1);
    let mut large = entry(Z, 1);
    // What a message holds beside the entry counts too.
    for spare in [0, 80, 160] {
        large.bytes = vec![1; (2 << 20) - spare];
        let error = journal.append(&[large.clone()]).unwrap_err();
        assert!(matches!(error, WriteError::TooLarge { zone: Z, tick: Tick(1), .. }), "{error}");
        assert!(!error.is_temporary());
    }
    large.bytes.truncate((2 << 20) - 400);
    journal.append(&[large]).unwrap();
}

#[test]
fn a_message_that_the_stream_does_not_take_is_refused_by_name() {
    let Some(server) = Server::start("stream-large") else { return };
    let nats = server.connect();
    let mut journal = open(&nats, 1);
    nats.wait(async {
        let mut stream =
            nats.jetstream().get_stream(format!("{}-journal", nats.prefix())).await.unwrap();
        let mut config = stream.info().await.unwrap().config.clone();
        config.max_message_size = 1_000;
        nats.jetstream().update_stream(config).await.unwrap();
    });
    let large = Entry { bytes: vec![1; 1_000], ..entry(Z, 1) };
    let error = journal.append(&[large]).unwrap_err();
    assert!(matches!(error, WriteError::TooLarge { zone: Z, tick: Tick(1), .. }), "{error}");
    journal.append(&[entry(Z, 1)]).unwrap();
}

#[test]
fn streams_of_others_and_of_the_future_are_refused() {
    use async_nats::jetstream::stream;
    let Some(server) = Server::start("foreign") else { return };
    for (metadata, newer) in [(None, false), (Some("99"), true)] {
        let nats = server.connect();
        let config = stream::Config {
            name: format!("{}-journal", nats.prefix()),
            metadata: metadata
                .map(|format| (super::FORMAT_KEY.to_owned(), format.to_owned()))
                .into_iter()
                .collect(),
            ..stream::Config::default()
        };
        nats.wait(nats.jetstream().create_stream(config)).unwrap();
        let error = JetStreamJournal::open(&nats, 1).unwrap_err();
        let is_newer = matches!(error, StreamError::Newer { found: 99, .. });
        let is_foreign = matches!(error, StreamError::Foreign { .. });
        assert!(if newer { is_newer } else { is_foreign }, "{error}");
    }
}

#[test]
fn a_server_that_cannot_be_used_is_named_with_the_remedy() {
    let Some(mut server) = Server::start_with("refused", "authorization { token: right }") else {
        return;
    };
    let connect = |config| Nats::connect(runtime(), &config).unwrap_err();
    let mut config = server.config();
    assert!(matches!(connect(config.clone()), ConnectError::Refused { .. }));
    config.token = Some("wrong".to_owned());
    assert!(matches!(connect(config.clone()), ConnectError::Refused { .. }));
    config.token = Some("right".to_owned());
    let error = connect(config.clone());
    assert!(matches!(error, ConnectError::Payload { found: 1_048_576, .. }), "{error}");
    server.kill();
    let error = connect(config.clone());
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    config.servers = "nats://[bad".to_owned();
    let error = connect(config);
    assert!(matches!(error, ConnectError::Address { .. }), "{error}");
}

#[test]
fn a_damaged_message_is_named_and_stops_its_zone_alone() {
    let Some(server) = Server::start("damaged") else { return };
    let nats = server.connect();
    let journal = open(&nats, 1);
    let subject = format!("{}.journal.{Z}", nats.prefix());
    let published = nats.wait(async {
        nats.jetstream().publish(subject, "something else".into()).await.unwrap().await
    });
    published.unwrap();
    let reader: Reader = journal.reader().unwrap();
    let error = reader.entries(Z, None).next().unwrap().unwrap_err();
    assert!(matches!(error, ReadError::BrokenMessage { .. }), "{error}");
    let (told, reports) = crossbeam_channel::unbounded();
    let worker =
        Worker::spawn(journal, WorkerConfig::default(), Default::default(), move |report| {
            told.send(report).unwrap();
        })
        .unwrap();
    let entries = vec![entry(Z, 1), entry(ZoneId(4), 1)];
    worker.requests().send(Request::Append { entries, token: 1 }).unwrap();
    worker.shutdown().unwrap();
    let reports: Vec<Report> = reports.iter().collect();
    let [Report::Refused { zone: Z, error, .. }, Report::Durable { zone: ZoneId(4), .. }] =
        reports.as_slice()
    else {
        panic!("{reports:?}");
    };
    assert!(error.to_string().contains("message 1 of zone 3 is not whole"), "{error}");
}

#[test]
fn a_tail_tells_what_is_written_from_a_tick_on_and_nothing_of_other_zones() {
    let Some(server) = Server::start("tail") else { return };
    let nats = server.connect();
    let mut journal = open(&nats, 1);
    journal.append(&[entry(Z, 5), entry(ZoneId(4), 1), entry(Z, 6), entry(Z, 7)]).unwrap();
    let reader = JetStreamReader::open(&nats).unwrap();
    let tail = |after| {
        let (told, heard) = crossbeam_channel::unbounded();
        // An error: the test has ended.
        let tail = reader.tail(Z, Tick(after), move |tailed| drop(told.send(tailed)));
        (tail, heard)
    };
    let ticks = |heard: &crossbeam_channel::Receiver<Tailed>, count: usize| -> Vec<u64> {
        let next = || match heard.recv_timeout(PATIENCE).unwrap() {
            Tailed::Entry(told) => {
                assert_eq!(told, entry(Z, told.tick.0));
                told.tick.0
            }
            Tailed::Ended(error) => panic!("{error}"),
        };
        (0..count).map(|_| next()).collect()
    };
    let (_some, from_six) = tail(5);
    let (end, from_eight) = tail(7);
    assert_eq!(ticks(&from_six, 2), [6, 7]);
    journal.append(&[entry(ZoneId(4), 2), entry(Z, 8)]).unwrap();
    assert_eq!((ticks(&from_six, 1), ticks(&from_eight, 1)), (vec![8], vec![8]));
    assert_eq!(reader.newest(Z).unwrap(), Some(Tick(8)));
    assert_eq!(reader.newest(ZoneId(9)).unwrap(), None);
    drop(end);
    let ended = from_eight.recv_timeout(PATIENCE);
    assert!(matches!(ended, Err(RecvTimeoutError::Disconnected)), "it is over: {ended:?}");
}

#[test]
fn a_writer_whose_acknowledged_entries_were_lost_is_told_so() {
    let Some(mut server) = Server::start("lost") else { return };
    let nats = server.connect();
    let mut journal = open(&nats, 1);
    journal.append(&[entry(Z, 1), entry(ZoneId(4), 1)]).unwrap();
    server.kill();
    let kept = server.keep();
    server.restart();
    while journal.append(&[entry(Z, 2), entry(ZoneId(4), 2)]).is_err() {}
    journal.append(&[entry(Z, 3)]).unwrap();
    server.kill();
    server.give_back(&kept);
    server.restart();
    let refused = |journal: &mut Journal, zone, tick| {
        loop {
            let error = journal.append(&[entry(zone, tick)]).unwrap_err();
            if !error.is_temporary() {
                return error;
            }
        }
    };
    for tick in [4, 5] {
        let error = refused(&mut journal, Z, tick);
        let is_told = error.to_string().contains("its newest is 1;");
        assert!(is_told && matches!(error, WriteError::Lost { zone: Z, .. }), "{error}");
    }
    let error = journal.save_snapshot(&snapshot(Z, 1, 10)).unwrap_err();
    assert!(matches!(error, WriteError::Lost { .. }), "{error}");
    // Where another has gone on from there, that is what has overtaken it.
    open(&nats, 2).append(&[entry(ZoneId(4), 2)]).unwrap();
    let error = refused(&mut journal, ZoneId(4), 3);
    assert!(matches!(error, WriteError::OutOfSequence { .. }), "{error}");
    journal.release(Z);
    journal.append(&[entry(Z, 2)]).unwrap();
}

#[test]
fn chunks_of_a_snapshot_that_was_broken_off_are_removed_with_the_next_one() {
    let Some(server) = Server::start("orphans") else { return };
    let nats = server.connect();
    let mut journal = JetStreamJournal::open(&nats, 1).unwrap();
    let bucket = format!("{}-snapshots", nats.prefix());
    let subjects = || -> Vec<String> {
        nats.wait(async {
            use futures_util::TryStreamExt;
            let stream = nats.jetstream().get_stream(format!("OBJ_{bucket}")).await.unwrap();
            let listed = stream.info_with_subjects(format!("$O.{bucket}.C.*")).await.unwrap();
            let listed: Vec<(String, usize)> = listed.try_collect().await.unwrap();
            listed.into_iter().map(|(subject, _)| subject).collect()
        })
    };
    let orphan = format!("$O.{bucket}.C.orphan");
    nats.wait(async {
        for _ in 0..2 {
            let chunk = nats.jetstream().publish(orphan.clone(), "a part".into()).await.unwrap();
            chunk.await.unwrap();
        }
    });
    let save = |journal: &mut JetStreamJournal, tick| {
        let mut offset = 0;
        let whole = snapshot(Z, tick, 700_000);
        while offset < whole.bytes.len() {
            offset = journal.save_part(&whole, offset).unwrap();
        }
    };
    save(&mut journal, 1);
    assert!(subjects().contains(&orphan), "somebody may be writing it");
    journal.orphaned_after = Duration::ZERO;
    save(&mut journal, 2);
    assert!(!subjects().contains(&orphan) && subjects().len() == 2, "{:?}", subjects());
    let reader = journal.reader();
    for tick in [1, 2] {
        assert_eq!(reader.snapshot(Z, Tick(tick)).unwrap(), Some(snapshot(Z, tick, 700_000)));
    }
}
