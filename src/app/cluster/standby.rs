//! The thread that follows zones of other instances: it re-runs their journals as they are written,
//! and takes a zone over as soon as its owner falls silent.
//!
//! Whether the owner is dead it does not know. A takeover that was not needed harms nobody: the
//! journal takes the entries of one of the two, and what follows is loaded from there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::leases::Keeper;
use crate::app::loader::{self, LoadError};
use crate::app::world::World;
use crate::journal::{JetStreamReader, Reader, Tail, Tailed};
use crate::model::{Tick, ZoneId};
use crate::nats::{ConnectionState, Nats};
use crate::telemetry::Metrics;
use crate::zone::Replayer;

/// Ticks without an entry after which an owner counts as silent.
const SILENT_TICKS: u32 = 3;
/// How long a zone has to be followed before it is taken over, so that two instances that both
/// have too much to do do not pass it back and forth.
const FOLLOWED_FOR: Duration = Duration::from_secs(2);
/// How long is waited after a takeover was asked for, or for a zone that is being handed over.
const PATIENCE: Duration = Duration::from_secs(5);
/// The wait before a zone is followed anew that could not be.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long the state of a zone is kept that is followed no more: mostly it is this instance's now.
const KEPT_FOR: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum Message {
    Follow(BTreeSet<ZoneId>),
    /// What the tail of this opening tells.
    Tailed(ZoneId, u64, Tailed),
    HandedOver(ZoneId),
}

/// Speaks to the thread; clones share it.
#[derive(Clone, Debug)]
pub struct Standby {
    messages: Sender<Message>,
    followed: Arc<Mutex<BTreeMap<ZoneId, Followed>>>,
}

/// A zone as far as its journal has been heard.
#[derive(Debug)]
struct Followed {
    replayer: Replayer,
    /// Nothing where it is followed no more.
    tail: Option<Tail>,
    opening: u64,
    /// When the last entry was heard.
    heard: Instant,
    patient_until: Instant,
}

/// What the thread works with.
#[derive(Debug)]
pub struct Parts {
    pub nats: Nats,
    pub reader: JetStreamReader,
    pub world: Arc<World>,
    pub keeper: Keeper,
    pub ticks_per_second: u32,
    pub metrics: Arc<Metrics>,
}

/// What the thread reads.
#[derive(Debug)]
pub struct Inbox(Receiver<Message>);

impl Standby {
    /// The standby and the thread's end of it, for [`spawn`].
    #[must_use]
    pub fn new() -> (Self, Inbox) {
        let (messages, inbox) = crossbeam_channel::unbounded();
        (Self { messages, followed: Arc::default() }, Inbox(inbox))
    }

    /// Follows these zones from now on, and no others.
    pub fn follow(&self, zones: BTreeSet<ZoneId>) {
        self.tell(Message::Follow(zones));
    }

    /// A zone is silent because it is being handed over.
    pub fn handed_over(&self, zone: ZoneId) {
        self.tell(Message::HandedOver(zone));
    }

    /// A zone that is or was followed, as far as its journal has been heard.
    #[must_use]
    pub fn take(&self, zone: ZoneId) -> Option<Replayer> {
        self.lock().remove(&zone).map(|followed| followed.replayer)
    }

    fn tell(&self, message: Message) {
        // The thread ends with the process.
        let _ = self.messages.send(message);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ZoneId, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread.
pub fn spawn(standby: Standby, inbox: Inbox, parts: Parts) -> std::io::Result<JoinHandle<()>> {
    let thread = Thread {
        standby,
        inbox: inbox.0,
        reader: Reader::JetStream(parts.reader.clone()),
        silence: Duration::from_secs(1) * SILENT_TICKS / parts.ticks_per_second,
        wanted: BTreeMap::new(),
        opening: 0,
        parts,
    };
    std::thread::Builder::new().name("standby".to_owned()).spawn(move || thread.run())
}

struct Thread {
    standby: Standby,
    inbox: Receiver<Message>,
    reader: Reader,
    /// How long an owner that lives says nothing, at most.
    silence: Duration,
    /// The zones to be followed, and when those that are not are to be tried next.
    wanted: BTreeMap<ZoneId, Instant>,
    opening: u64,
    parts: Parts,
}

impl Thread {
    fn run(mut self) {
        loop {
            let next = self.next_look();
            match self.inbox.recv_deadline(next) {
                Ok(message) => {
                    self.handle(message);
                    while let Ok(message) = self.inbox.try_recv() {
                        self.handle(message);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.open_missing();
            self.look();
        }
    }

    /// When something may have to be done, if nothing is heard.
    fn next_look(&self) -> Instant {
        let followed = self.standby.lock();
        let silent = followed.values().map(|it| (it.heard + self.silence).max(it.patient_until));
        let latest = Instant::now() + AGAIN_AFTER;
        silent.min().map_or(latest, |silent| silent.min(latest))
    }

    fn handle(&mut self, message: Message) {
        let now = Instant::now();
        match message {
            Message::Follow(zones) => {
                for (zone, followed) in &mut *self.standby.lock() {
                    if !zones.contains(zone) && followed.tail.take().is_some() {
                        followed.patient_until = now + KEPT_FOR;
                    }
                }
                self.wanted.retain(|zone, _| zones.contains(zone));
                for zone in zones {
                    self.wanted.entry(zone).or_insert(now);
                }
            }
            Message::HandedOver(zone) => self.be_patient(zone, PATIENCE),
            Message::Tailed(zone, opening, tailed) => {
                let mut all = self.standby.lock();
                let current = all.get_mut(&zone).filter(|it| it.opening == opening);
                let Some(followed) = current else { return };
                let failure = match tailed {
                    Tailed::Entry(entry) if entry.tick <= followed.replayer.state().tick => return,
                    Tailed::Entry(entry) => {
                        followed.heard = now;
                        let applied = followed.replayer.apply(&loader::from_journal(entry));
                        applied.err().map(LoadError::from)
                    }
                    Tailed::Ended(error) => Some(error.into()),
                };
                if let Some(error) = failure {
                    log::warn!(zone = zone.0; "the zone is followed no more: {error}");
                    all.remove(&zone);
                    self.wanted.entry(zone).and_modify(|at| *at = now + AGAIN_AFTER);
                }
            }
        }
    }

    /// Begins to follow the zones that are to be followed and are not.
    fn open_missing(&mut self) {
        let now = Instant::now();
        let is_open = |zone: &ZoneId| {
            self.standby.lock().get(zone).is_some_and(|followed| followed.tail.is_some())
        };
        let due: Vec<ZoneId> = self
            .wanted
            .iter()
            .filter(|(zone, at)| **at <= now && !is_open(zone))
            .map(|(&zone, _)| zone)
            .collect();
        for zone in due {
            if let Err(error) = self.open(zone) {
                log::warn!(zone = zone.0; "the zone cannot be followed: {error}; trying again");
                self.wanted.insert(zone, now + AGAIN_AFTER);
            }
        }
    }

    fn open(&mut self, zone: ZoneId) -> Result<(), LoadError> {
        let replayer = loader::rerun(&self.reader, &self.parts.world, zone)?;
        let (opening, tail) = self.open_tail(zone, replayer.state().tick);
        let now = Instant::now();
        let patient_until = now + FOLLOWED_FOR;
        let followed = Followed { replayer, tail: Some(tail), opening, heard: now, patient_until };
        self.standby.lock().insert(zone, followed);
        log::debug!(zone = zone.0; "the zone is followed");
        Ok(())
    }

    fn open_tail(&mut self, zone: ZoneId, after: Tick) -> (u64, Tail) {
        self.opening += 1;
        let (messages, opening) = (self.standby.messages.clone(), self.opening);
        let tail = self.parts.reader.tail(zone, after, move |tailed| {
            // An error: the thread is gone, and the process with it.
            let _ = messages.send(Message::Tailed(zone, opening, tailed));
        });
        (opening, tail)
    }

    /// Takes over what is silent, and lets go of what was kept for long enough.
    fn look(&mut self) {
        let now = Instant::now();
        let mut all = self.standby.lock();
        all.retain(|_, it| it.tail.is_some() || it.patient_until > now);
        let is_up = *self.parts.nats.state().borrow() == ConnectionState::Up;
        let is_ready = |it: &&Followed| it.tail.is_some() && it.patient_until <= now;
        let ready = all.values().filter(is_ready).count();
        self.parts.metrics.zones_followed.set(i64::try_from(ready).unwrap_or(i64::MAX));
        let mut silent = Vec::new();
        for (&zone, it) in &mut *all {
            if now < (it.heard + self.silence).max(it.patient_until) {
                continue;
            }
            it.heard = now;
            // In a zone without players no time passes.
            let state = it.replayer.state();
            if is_up && it.tail.is_some() && !state.players.is_empty() {
                silent.push((zone, state.tick));
            }
        }
        drop(all);
        for (zone, tick) in silent {
            match self.parts.reader.newest(zone) {
                Ok(Some(newest)) if newest == tick => {
                    log::info!(zone = zone.0, tick = tick.0; "the zone is silent: taking it over");
                    self.parts.metrics.takeovers.inc();
                    self.parts.keeper.take_over(zone);
                    self.be_patient(zone, PATIENCE);
                }
                Ok(_) => self.renew_tail(zone, tick),
                Err(error) => {
                    // Whoever owns it cannot write either, and may go on when NATS does.
                    log::debug!(zone = zone.0; "is it silent? {error}");
                    self.be_patient(zone, AGAIN_AFTER);
                }
            }
        }
    }

    /// It was the tail that was silent, not the zone.
    fn renew_tail(&mut self, zone: ZoneId, after: Tick) {
        let (opening, tail) = self.open_tail(zone, after);
        if let Some(followed) = self.standby.lock().get_mut(&zone) {
            (followed.opening, followed.tail) = (opening, Some(tail));
        }
        self.be_patient(zone, AGAIN_AFTER);
    }

    fn be_patient(&self, zone: ZoneId, time: Duration) {
        if let Some(followed) = self.standby.lock().get_mut(&zone) {
            followed.patient_until = Instant::now() + time;
        }
    }
}
