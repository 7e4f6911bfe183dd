//! The thread that owns the journal.
//!
//! All entries that wait are one transaction: the more zones there are, the more share the wait
//! for the disk. Snapshots and pruning are cut into steps that run between the commits, so entries
//! wait for one step at most.
//!
//! Nothing that was taken is given up: when the disk fails, the worker tries the same transaction
//! again until it succeeds or the server stops. Nobody is told that it is durable meanwhile, so
//! the simulation stands still by itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};

use super::{Entry, Journal, Keep, Snapshot, WriteError};
use crate::model::{Tick, ZoneId};
use crate::telemetry::Metrics;

/// Entries of one transaction, about; what waits beyond them makes the next.
const GROUP_ENTRIES_MAX: usize = 4_096;

/// What the journal's thread is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Make entries durable, those of a zone all or none. The token comes back with the report, of
    /// which there is one for each zone; for no entries there is none.
    Append { entries: Vec<Entry>, token: u64 },
    /// Save a snapshot, when there is time between the entries.
    Snapshot(Snapshot),
    /// Forget what need not be kept, when there is time between the entries.
    Prune { zone: ZoneId, keep: Keep },
    /// Finish what was asked of a zone before and let go of it, since somebody else may write it
    /// now. Entries may follow once the zone is read anew from the journal; a snapshot or a
    /// pruning that comes before them is late, and left out.
    Release { zone: ZoneId },
}

/// What the journal's thread tells.
#[derive(Debug)]
pub enum Report {
    /// Entries of a zone up to a tick are durable.
    Durable {
        zone: ZoneId,
        tick: Tick,
        token: u64,
    },
    /// No later try can write the zone's entries, mostly because somebody else writes it. Other
    /// zones of the request have reports of their own.
    Refused {
        zone: ZoneId,
        token: u64,
        error: WriteError,
    },
    SnapshotSaved {
        zone: ZoneId,
        tick: Tick,
    },
    /// The disk does not take what it is given; one line for the operator. Told once for each
    /// cause; the worker goes on trying.
    Failing {
        error: String,
    },
    /// The disk works again.
    Recovered,
}

/// How the worker runs.
#[derive(Clone, Copy, Debug)]
pub struct WorkerConfig {
    /// Requests that may wait; a sender beyond waits.
    pub queue_max: usize,
    /// The wait between two tries while the disk fails.
    pub retry_after: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { queue_max: 1_024, retry_after: Duration::from_secs(1) }
    }
}

/// What the worker counts.
pub type WorkerMetrics = Arc<Metrics>;

/// The worker has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal's thread has stopped")]
pub struct Stopped;

/// The disk failed until the end: entries that nobody was told to be durable were given up.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entries} entries could not be written: {error}")]
pub struct Abandoned {
    pub entries: usize,
    pub error: String,
}

enum Message {
    Request(Request),
    Stop,
}

/// Sends requests to the worker; clones share it.
#[derive(Clone, Debug)]
pub struct Requests(Sender<Message>);

impl Requests {
    /// Sends a request, and waits while as many wait as may.
    pub fn send(&self, request: Request) -> Result<(), Stopped> {
        self.0.send(Message::Request(request)).map_err(|_| Stopped)
    }

    /// Sends a request unless as many wait as may: then it comes back.
    pub fn try_send(&self, request: Request) -> Result<Option<Request>, Stopped> {
        match self.0.try_send(Message::Request(request)) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(Message::Request(request))) => Ok(Some(request)),
            Err(TrySendError::Full(Message::Stop) | TrySendError::Disconnected(_)) => Err(Stopped),
        }
    }
}

/// Holds the thread.
#[derive(Debug)]
pub struct Worker {
    requests: Requests,
    is_stopping: Arc<AtomicBool>,
    thread: JoinHandle<Result<Journal, Abandoned>>,
}

impl Worker {
    /// Starts the thread. `report` is called on it and must not wait.
    pub fn spawn(
        journal: Journal,
        config: WorkerConfig,
        metrics: WorkerMetrics,
        report: impl FnMut(Report) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(config.queue_max.max(1));
        let is_stopping = Arc::new(AtomicBool::new(false));
        let state = State {
            journal,
            receiver,
            chores: VecDeque::new(),
            released: BTreeSet::new(),
            refused: BTreeMap::new(),
            releasing: None,
            is_stopping: is_stopping.clone(),
            is_over: false,
            retry_after: config.retry_after,
            failure: None,
            metrics,
            report: Box::new(report),
        };
        let thread = thread::Builder::new().name("journal".into()).spawn(move || state.run())?;
        Ok(Self { requests: Requests(sender), is_stopping, thread })
    }

    /// Where requests go.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Finishes everything that was sent before, and gives the journal back. A disk that fails is
    /// tried once more only.
    pub fn shutdown(self) -> Result<Journal, Abandoned> {
        self.is_stopping.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // An error: the thread gave up already, which joining tells.
        let _ = self.requests.0.send(Message::Stop);
        drop(self.requests);
        self.thread.join().unwrap_or_else(|_| {
            Err(Abandoned { entries: 0, error: "the journal's thread panicked".into() })
        })
    }
}

struct Batch {
    entries: Vec<Entry>,
    token: u64,
}

enum Chore {
    Save { snapshot: Snapshot, offset: usize },
    Prune { zone: ZoneId, keep: Keep },
}

impl Chore {
    fn zone(&self) -> ZoneId {
        match self {
            Self::Save { snapshot, .. } => snapshot.zone,
            Self::Prune { zone, .. } => *zone,
        }
    }
}

struct State {
    journal: Journal,
    receiver: Receiver<Message>,
    chores: VecDeque<Chore>,
    /// Zones that were released and have had no entries since.
    released: BTreeSet<ZoneId>,
    /// Zones of which an entry was refused, and its tick.
    refused: BTreeMap<ZoneId, Tick>,
    /// The zone of the release that was met last: nothing after it is taken before it is done.
    releasing: Option<ZoneId>,
    is_stopping: Arc<AtomicBool>,
    /// The stop message or the end of all senders was met.
    is_over: bool,
    retry_after: Duration,
    /// The last failure that was told.
    failure: Option<String>,
    metrics: WorkerMetrics,
    report: Box<dyn FnMut(Report) + Send>,
}

impl State {
    fn run(mut self) -> Result<Journal, Abandoned> {
        loop {
            let batches = self.take();
            self.commit(batches)?;
            if let Some(zone) = self.releasing.take() {
                self.release(zone)?;
            }
            if let Some(chore) = self.chores.pop_front() {
                self.step(chore)?;
            } else if self.is_over {
                return Ok(self.journal);
            }
        }
    }

    /// Takes what waits, and waits for something only if there is nothing else to do.
    fn take(&mut self) -> Vec<Batch> {
        let mut batches = Vec::new();
        let mut entries = 0;
        while !self.is_over && self.releasing.is_none() && entries < GROUP_ENTRIES_MAX {
            let is_idle = batches.is_empty() && self.chores.is_empty();
            let received = if is_idle {
                self.receiver.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.receiver.try_recv()
            };
            match received {
                Ok(Message::Request(Request::Append { entries: new, token })) => {
                    entries += new.len();
                    for entry in &new {
                        self.released.remove(&entry.zone);
                    }
                    batches.push(Batch { entries: new, token });
                }
                Ok(Message::Request(Request::Snapshot(snapshot))) => {
                    self.put_off(Chore::Save { snapshot, offset: 0 });
                }
                Ok(Message::Request(Request::Prune { zone, keep })) => {
                    self.put_off(Chore::Prune { zone, keep });
                }
                Ok(Message::Request(Request::Release { zone })) => self.releasing = Some(zone),
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => self.is_over = true,
                Err(TryRecvError::Empty) => break,
            }
        }
        batches
    }

    /// Keeps a chore for later. One of a zone that was released is left out: what it was made from
    /// may never have come to be in the log that others have written since.
    fn put_off(&mut self, chore: Chore) {
        let zone = chore.zone();
        if self.released.contains(&zone) || self.refused.contains_key(&zone) {
            log::debug!("a chore for zone {zone} came after its release or refusal");
        } else {
            self.chores.push_back(chore);
        }
    }

    /// Lets go of a zone. All that was asked of it before is written or refused by now, as what was
    /// known of the zone then demands: an entry that was still tried cannot be taken for the next
    /// of a log that somebody else has gone on with. Where a copy of it is still on its way to the
    /// server, that refuses it, for it names the message that it follows.
    fn release(&mut self, zone: ZoneId) -> Result<(), Abandoned> {
        while let Some(at) = self.chores.iter().position(|chore| chore.zone() == zone)
            && let Some(chore) = self.chores.remove(at)
        {
            self.step(chore)?;
        }
        self.journal.release(zone);
        self.refused.remove(&zone);
        self.released.insert(zone);
        Ok(())
    }

    /// Commits all batches at once. Where something in them can never be written they are tried
    /// one by one, and that one zone by zone: a zone that is refused harms no other.
    fn commit(&mut self, mut batches: Vec<Batch>) -> Result<(), Abandoned> {
        self.refuse_again(&mut batches);
        let mut group = Vec::new();
        let counts: Vec<usize> = batches.iter().map(|batch| batch.entries.len()).collect();
        for batch in &mut batches {
            group.append(&mut batch.entries);
        }
        let Some(&Entry { zone, .. }) = group.first() else { return Ok(()) };
        let Err(error) = self.append(&group)? else {
            let mut rest = group.as_slice();
            for (batch, count) in batches.iter().zip(counts) {
                let (own, others) = rest.split_at(count);
                rest = others;
                self.tell_durable(own, batch.token);
            }
            return Ok(());
        };
        if let [Batch { token, .. }] = *batches {
            if let [first, ..] = group.as_slice()
                && group.iter().all(|entry| entry.zone == zone)
            {
                self.refused.insert(zone, first.tick);
                self.chores.retain(|chore| chore.zone() != zone);
                (self.report)(Report::Refused { zone, token, error });
                return Ok(());
            }
            let mut by_zone: BTreeMap<ZoneId, Vec<Entry>> = BTreeMap::new();
            for entry in group {
                by_zone.entry(entry.zone).or_default().push(entry);
            }
            for entries in by_zone.into_values() {
                self.commit(vec![Batch { entries, token }])?;
            }
            return Ok(());
        }
        let mut rest = group.into_iter();
        for (batch, count) in batches.into_iter().zip(counts) {
            let entries = rest.by_ref().take(count).collect();
            self.commit(vec![Batch { entries, ..batch }])?;
        }
        Ok(())
    }

    /// Takes out what follows an entry that was refused, until the zone is let go of: it is of
    /// another future than the log, even where its tick would be the next of what somebody else has
    /// written.
    fn refuse_again(&mut self, batches: &mut [Batch]) {
        if self.refused.is_empty() {
            return;
        }
        for Batch { entries, token } in batches {
            let mut again = BTreeMap::new();
            entries.retain(|entry| match self.refused.get(&entry.zone) {
                Some(&expected) => {
                    again.entry(entry.zone).or_insert((expected, entry.tick));
                    false
                }
                None => true,
            });
            for (zone, (expected, got)) in again {
                let error = WriteError::OutOfSequence { zone, expected, got };
                (self.report)(Report::Refused { zone, token: *token, error });
            }
        }
    }

    /// The inner result is an error only for what no later try can change.
    fn append(&mut self, entries: &[Entry]) -> Result<Result<(), WriteError>, Abandoned> {
        loop {
            let begun = Instant::now();
            let error = match self.journal.append(entries) {
                Ok(()) => {
                    self.metrics.journal_commit.observe(begun.elapsed().as_secs_f64());
                    self.metrics.journal_entries.inc_by(entries.len() as u64);
                    self.tell_recovered();
                    return Ok(Ok(()));
                }
                Err(error) if error.is_temporary() => error,
                Err(error) => return Ok(Err(error)),
            };
            self.wait_after(&error, entries.len())?;
        }
    }

    fn step(&mut self, chore: Chore) -> Result<(), Abandoned> {
        let done = match &chore {
            Chore::Save { snapshot, offset } => {
                self.journal.save_part(snapshot, *offset).map(|end| end == snapshot.bytes.len())
            }
            Chore::Prune { zone, keep } => self.journal.prune_step(*zone, *keep).map(|more| !more),
        };
        let is_done = match done {
            Ok(is_done) => is_done,
            Err(error) if !error.is_temporary() => {
                log::warn!("a snapshot or its pruning was given up: {error}");
                return Ok(());
            }
            Err(error) => {
                // Entries that came meanwhile have their turn before the next try.
                self.wait_after(&error, 0)?;
                self.chores.push_front(chore);
                return Ok(());
            }
        };
        self.tell_recovered();
        match chore {
            Chore::Save { snapshot: Snapshot { zone, tick, .. }, .. } if is_done => {
                self.metrics.snapshots.inc();
                (self.report)(Report::SnapshotSaved { zone, tick });
            }
            Chore::Save { snapshot, offset } => {
                let offset = offset + super::SNAPSHOT_PART_BYTES;
                self.chores.push_front(Chore::Save { snapshot, offset });
            }
            Chore::Prune { .. } if is_done => self.measure(),
            Chore::Prune { .. } => self.chores.push_front(chore),
        }
        Ok(())
    }

    fn measure(&self) {
        if let Ok(bytes) = self.journal.size_bytes() {
            self.metrics.journal_size.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    fn wait_after(&mut self, error: &WriteError, entries: usize) -> Result<(), Abandoned> {
        self.metrics.journal_failures.inc();
        let text = error.to_string();
        if self.failure.as_ref() != Some(&text) {
            log::error!("{text}");
            (self.report)(Report::Failing { error: text.clone() });
            self.failure = Some(text.clone());
        }
        if self.is_stopping.load(Ordering::Acquire) {
            return Err(Abandoned { entries, error: text });
        }
        thread::park_timeout(self.retry_after);
        Ok(())
    }

    fn tell_recovered(&mut self) {
        if self.failure.take().is_some() {
            log::info!("the journal is written again");
            (self.report)(Report::Recovered);
        }
    }

    fn tell_durable(&mut self, entries: &[Entry], token: u64) {
        let newest: BTreeMap<ZoneId, Tick> = entries.iter().map(|e| (e.zone, e.tick)).collect();
        for (zone, tick) in newest {
            (self.report)(Report::Durable { zone, tick, token });
        }
    }
}
