//! The journal: a log a zone, whose server takes an entry behind the one that its writer expects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use undercroft::game::rng::Rng;
use undercroft::game::state::ZoneState;
use undercroft::model::{Tick, ZoneId};
use undercroft::sim;
use undercroft::zone::{Entry, Replayer, encode_snapshot};

use crate::server::fresh;

/// The server.
pub struct Journal {
    seed: u64,
    /// What zones begin as.
    pub fresh: fn(u64, ZoneId) -> ZoneState,
    rng: Rng,
    /// Each entry with the process that wrote it.
    logs: BTreeMap<ZoneId, Vec<(u64, Entry)>>,
    snapshots: BTreeMap<ZoneId, (Tick, Vec<u8>)>,
    /// Entries on their way, with the length of the log that they expect.
    under_way: Vec<(Duration, u64, Entry, usize)>,
    answers: Vec<(Duration, u64, ZoneId, Tick, Option<usize>)>,
    pub stalled_until: Duration,
    pub is_calm: bool,
    pub refused: u32,
}

impl Journal {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            fresh,
            rng: Rng::new(seed, 4, 0),
            logs: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            under_way: Vec::new(),
            answers: Vec::new(),
            stalled_until: Duration::ZERO,
            is_calm: false,
            refused: 0,
        }
    }

    fn delay(&mut self) -> Duration {
        let late = !self.is_calm && self.rng.below(100) == 0;
        Duration::from_millis(u64::from(1 + self.rng.below(if late { 600 } else { 12 })))
    }

    fn publish(&mut self, now: Duration, writer: u64, entry: Entry, expected: usize) {
        let at = now + self.delay();
        self.under_way.push((at, writer, entry, expected));
    }

    /// Takes what has arrived, of the living and the dead.
    pub fn serve(&mut self, now: Duration) {
        if now < self.stalled_until {
            return;
        }
        let due: Vec<_> = self.under_way.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, writer, entry, expected) in due {
            let (zone, tick) = (entry.zone, entry.tick);
            let log = self.logs.entry(zone).or_default();
            let known = log.iter().rposition(|(by, it)| (*by, it) == (writer, &entry));
            let answer = match known {
                Some(at) => Some(at + 1),
                None if log.len() == expected => {
                    log.push((writer, entry));
                    Some(expected + 1)
                }
                None => None,
            };
            self.refused += u32::from(answer.is_none());
            if self.is_calm || self.rng.below(100) > 0 {
                let at = now + self.delay();
                self.answers.push((at, writer, zone, tick, answer));
            }
        }
    }

    pub fn entries(&self, zone: ZoneId) -> Vec<Entry> {
        self.logs.get(&zone).into_iter().flatten().map(|(_, entry)| entry.clone()).collect()
    }

    fn end(&self, zone: ZoneId) -> (usize, Option<Tick>) {
        let log = self.logs.get(&zone).map_or(&[][..], Vec::as_slice);
        (log.len(), log.last().map(|(_, entry)| entry.tick))
    }

    /// A zone as it is where its journal ends.
    pub fn load(&self, zone: ZoneId) -> ZoneState {
        let (mut replayer, after) = match self.snapshots.get(&zone) {
            Some((tick, bytes)) => {
                let read = Replayer::from_snapshot(zone, *tick, sim::VERSION, bytes);
                (read.unwrap(), Some(*tick))
            }
            None => (Replayer::new((self.fresh)(self.seed, zone)), None),
        };
        for (_, entry) in self.logs.get(&zone).into_iter().flatten() {
            if Some(entry.tick) > after {
                let applied = replayer.apply(entry);
                applied.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
            }
        }
        replayer.into_state()
    }
}

#[expect(clippy::large_enum_variant, reason = "snapshots are few and gone at once")]
pub enum Request {
    /// With the number of the request.
    Append(Vec<Entry>, u64),
    Snapshot(ZoneState),
    Release(ZoneId),
}

/// What a writer reports.
pub enum Report {
    /// With the number of the request.
    Durable(ZoneId, Tick, u64),
    Refused(ZoneId, u64),
    Saved(ZoneId, Tick),
}

#[derive(Clone, Copy)]
struct End {
    length: usize,
    last: Option<Tick>,
    is_overtaken: bool,
}

/// The journal's thread in one process.
pub struct Writer {
    boot: u64,
    queue: VecDeque<Request>,
    ends: BTreeMap<ZoneId, End>,
    /// The entry of each zone that waits for its answer, and since when.
    writing: BTreeMap<ZoneId, (Duration, Entry)>,
    batch: BTreeMap<ZoneId, (Tick, u64)>,
    refused: BTreeSet<ZoneId>,
    /// Zones that were let go of and have no new entry yet.
    released: BTreeSet<ZoneId>,
}

/// How long an answer may take before the entry is sent again.
const ANSWER_MAX: Duration = Duration::from_secs(2);

impl Writer {
    pub fn new(boot: u64) -> Self {
        Self {
            boot,
            queue: VecDeque::new(),
            ends: BTreeMap::new(),
            writing: BTreeMap::new(),
            batch: BTreeMap::new(),
            refused: BTreeSet::new(),
            released: BTreeSet::new(),
        }
    }

    pub fn send(&mut self, request: Request) {
        self.queue.push_back(request);
    }

    /// Does what can be done without waiting.
    pub fn step(&mut self, now: Duration, journal: &mut Journal) -> Vec<Report> {
        self.take_answers(now, journal);
        let mut reports = Vec::new();
        loop {
            if !self.writing.is_empty() {
                return reports;
            }
            for (zone, (tick, number)) in std::mem::take(&mut self.batch) {
                reports.push(if self.refused.remove(&zone) {
                    Report::Refused(zone, number)
                } else {
                    Report::Durable(zone, tick, number)
                });
            }
            if now < journal.stalled_until {
                return reports;
            }
            match self.queue.pop_front() {
                None => return reports,
                Some(Request::Release(zone)) => {
                    self.ends.remove(&zone);
                    self.released.insert(zone);
                }
                // It may be of a future that never came to be.
                Some(Request::Snapshot(state)) if self.released.contains(&state.zone) => {}
                Some(Request::Snapshot(state)) => {
                    let (zone, tick) = (state.zone, state.tick);
                    let end = self.know(zone, journal);
                    if !end.is_overtaken && (end.length == 0 || end.last >= Some(tick)) {
                        journal.snapshots.insert(zone, (tick, encode_snapshot(&state)));
                        reports.push(Report::Saved(zone, tick));
                    }
                }
                Some(Request::Append(entries, number)) => {
                    self.begin(now, entries, number, journal);
                }
            }
        }
    }

    fn know(&mut self, zone: ZoneId, journal: &Journal) -> End {
        let (length, last) = journal.end(zone);
        *self.ends.entry(zone).or_insert(End { length, last, is_overtaken: false })
    }

    fn begin(&mut self, now: Duration, entries: Vec<Entry>, number: u64, journal: &mut Journal) {
        for entry in entries {
            let (zone, tick) = (entry.zone, entry.tick);
            self.batch.insert(zone, (tick, number));
            self.released.remove(&zone);
            let end = self.know(zone, journal);
            let is_next = end.last.is_none_or(|last| last.next() == tick);
            if end.is_overtaken || !is_next {
                self.refused.insert(zone);
                // So is what follows, until the zone is let go of.
                self.ends.insert(zone, End { is_overtaken: true, ..end });
                continue;
            }
            journal.publish(now, self.boot, entry.clone(), end.length);
            self.writing.insert(zone, (now, entry));
        }
    }

    fn take_answers(&mut self, now: Duration, journal: &mut Journal) {
        let own = |(at, writer, ..): &mut (Duration, u64, ZoneId, Tick, Option<usize>)| {
            *writer == self.boot && *at <= now
        };
        let answers: Vec<_> = journal.answers.extract_if(.., own).collect();
        for (_, _, zone, tick, answer) in answers {
            let Some((_, entry)) = self.writing.get(&zone) else { continue };
            if entry.tick != tick {
                continue;
            }
            self.writing.remove(&zone);
            let Some(end) = self.ends.get_mut(&zone) else { continue };
            match answer {
                Some(length) => (end.length, end.last) = (length, Some(tick)),
                None => {
                    end.is_overtaken = true;
                    self.refused.insert(zone);
                }
            }
        }
        for (zone, (since, entry)) in &mut self.writing {
            if now >= *since + ANSWER_MAX {
                *since = now;
                let length = self.ends[zone].length;
                journal.publish(now, self.boot, entry.clone(), length);
            }
        }
    }
}
