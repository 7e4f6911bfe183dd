//! The thread that joins the leases to their tables in NATS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use serde::de::DeserializeOwned;

use crate::app::clock::Clock;
use crate::lease::{self, Answer, HandOverError, InstanceRecord, Leases, Output, ZoneRecord};
use crate::model::{InstanceId, ZoneId};
use crate::nats::table::{Replaced, Row, Table, TableError, Watched};
use crate::nats::{ConnectionState, Nats};

/// How often the leases are told what time it is.
const STEP: Duration = Duration::from_millis(50);
/// The wait before a watch is opened anew that has ended.
const REOPEN_AFTER: Duration = Duration::from_millis(100);

/// The tables' names.
pub const INSTANCES: &str = "instances";
pub const ZONES: &str = "zones";

/// What becomes of the leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Gained(ZoneId),
    Lost(ZoneId),
    /// Stop the zone, then [`Keeper::hand_over`] it.
    Leave(ZoneId, Option<InstanceId>),
    /// The zones of others that this process is to follow from now on.
    Follow(BTreeSet<ZoneId>),
    /// Another process has this instance's name.
    NameTaken,
}

/// The zones that this process may speak for, as every thread may ask at any time.
#[derive(Debug, Default)]
pub struct Tenure {
    zones: Mutex<BTreeSet<ZoneId>>,
    changed: Condvar,
    /// Nanoseconds of the clock until which that is true.
    until: AtomicU64,
}

impl Tenure {
    #[must_use]
    pub fn holds(&self, zone: ZoneId, now: Duration) -> bool {
        now.as_nanos() < u128::from(self.until.load(Ordering::Acquire))
            && self.lock().contains(&zone)
    }

    #[must_use]
    pub fn zones(&self) -> BTreeSet<ZoneId> {
        self.lock().clone()
    }

    /// Waits until this process is known to the others.
    pub fn wait_until_known(&self) {
        let unknown = |_: &mut BTreeSet<ZoneId>| self.until.load(Ordering::Acquire) == 0;
        drop(self.changed.wait_while(self.lock(), unknown));
    }

    /// Waits until it holds none, or until the time is over.
    pub fn wait_until_empty(&self, longest: Duration) {
        let waits = |zones: &mut BTreeSet<ZoneId>| !zones.is_empty();
        // What is still held then, others take when this process is gone.
        let _ = self.changed.wait_timeout_while(self.lock(), longest, waits);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<ZoneId>> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, zones: BTreeSet<ZoneId>, until: Duration) {
        let mut held = self.lock();
        let until = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
        let was_until = self.until.swap(until, Ordering::AcqRel);
        if *held != zones || was_until == 0 && until > 0 {
            *held = zones;
            self.changed.notify_all();
        }
    }
}

#[derive(Debug)]
enum Message {
    Connection(ConnectionState),
    /// What a watch of this opening tells.
    Instance(u64, Watched),
    Zone(u64, Watched),
    Renewed(Replaced),
    Claimed(ZoneId, ZoneRecord, Replaced),
    Move(ZoneId, InstanceId, Sender<Result<(), HandOverError>>),
    HandOver(ZoneId, Option<InstanceId>),
    TakeOver(ZoneId),
    SetStandby(ZoneId, bool, Sender<Result<(), HandOverError>>),
    Drain,
}

/// Speaks to the thread; clones share it.
#[derive(Clone, Debug)]
pub struct Keeper {
    messages: Sender<Message>,
    tenure: Arc<Tenure>,
}

impl Keeper {
    #[must_use]
    pub fn tenure(&self) -> &Arc<Tenure> {
        &self.tenure
    }

    /// Begins to move a zone to another instance, if it can go there.
    pub fn begin_move(&self, zone: ZoneId, to: InstanceId) -> Result<(), HandOverError> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.tell(Message::Move(zone, to, answer));
        answered.recv().unwrap_or(Err(HandOverError::NotHere { zone }))
    }

    /// Gives a zone that has stopped to another instance; if it cannot go there, or no instance is
    /// named, to the one with the most room.
    pub fn hand_over(&self, zone: ZoneId, to: Option<InstanceId>) {
        self.tell(Message::HandOver(zone, to));
    }

    /// Takes a zone over that this process follows.
    pub fn take_over(&self, zone: ZoneId) {
        self.tell(Message::TakeOver(zone));
    }

    /// Says whether a zone of this process is to have a standby.
    pub fn set_standby(&self, zone: ZoneId, has_standby: bool) -> Result<(), HandOverError> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.tell(Message::SetStandby(zone, has_standby, answer));
        answered.recv().unwrap_or(Err(HandOverError::NotHere { zone }))
    }

    /// Takes no more zones from now on, and gives those that it has to others.
    pub fn drain(&self) {
        self.tell(Message::Drain);
    }

    fn tell(&self, message: Message) {
        // The thread ends with the process.
        let _ = self.messages.send(message);
    }
}

/// Starts the thread; `event` is called on it and must not wait.
pub fn spawn(
    nats: &Nats,
    config: lease::Config,
    clock: Arc<Clock>,
    event: impl FnMut(Event) + Send + 'static,
) -> anyhow::Result<(Keeper, JoinHandle<()>)> {
    let instances = Table::open(nats, INSTANCES)?;
    let zones = Table::open(nats, ZONES)?;
    let (messages, inbox) = crossbeam_channel::unbounded();
    let keeper = Keeper { messages: messages.clone(), tenure: Arc::default() };
    let state = nats.state();
    let told = messages.clone();
    nats.spawn(async move {
        let mut state = state;
        loop {
            let now = *state.borrow_and_update();
            if told.send(Message::Connection(now)).is_err() || state.changed().await.is_err() {
                return;
            }
        }
    });
    let thread = Thread {
        nats: nats.clone(),
        me: config.me.instance,
        leases: Leases::new(config),
        instances,
        zones,
        is_up: false,
        watches: Vec::new(),
        opening: 0,
        reopen_at: None,
        clock,
        messages,
        inbox,
        tenure: keeper.tenure.clone(),
        followed: BTreeSet::new(),
        unsettled: BTreeMap::new(),
        event: Box::new(event),
    };
    let handle = std::thread::Builder::new().name("leases".to_owned());
    Ok((keeper, handle.spawn(move || thread.run())?))
}

struct Thread {
    nats: Nats,
    me: InstanceId,
    leases: Leases,
    instances: Table,
    zones: Table,
    is_up: bool,
    watches: Vec<tokio::task::JoinHandle<()>>,
    /// Counts how often the watches were opened: what older ones tell is not heard.
    opening: u64,
    /// When the watches are to be opened anew.
    reopen_at: Option<Duration>,
    clock: Arc<Clock>,
    messages: Sender<Message>,
    inbox: Receiver<Message>,
    tenure: Arc<Tenure>,
    followed: BTreeSet<ZoneId>,
    /// Zones to be given away once their records are settled.
    unsettled: BTreeMap<ZoneId, Option<InstanceId>>,
    event: Box<dyn FnMut(Event) + Send>,
}

impl Thread {
    fn run(mut self) {
        loop {
            match self.inbox.recv_timeout(STEP) {
                Ok(message) => {
                    self.handle(message);
                    while let Ok(message) = self.inbox.try_recv() {
                        self.handle(message);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = self.clock.elapsed();
            if self.is_up && self.reopen_at.take_if(|at| *at <= now).is_some() {
                self.watch(now);
            }
            // What settles a record has woken this thread.
            for (zone, to) in std::mem::take(&mut self.unsettled) {
                self.hand_over(now, zone, to);
            }
            self.leases.handle_timeout(now);
            let zones = self.leases.zones(now).map(|(zone, _)| zone).collect();
            self.tenure.set(zones, self.leases.confident_until());
            let followed = self.leases.followed(now);
            if followed != self.followed {
                self.followed.clone_from(&followed);
                (self.event)(Event::Follow(followed));
            }
            self.carry_out();
        }
    }

    fn handle(&mut self, message: Message) {
        let now = self.clock.elapsed();
        match message {
            Message::Connection(ConnectionState::Up) => {
                self.is_up = true;
                self.watch(now);
            }
            Message::Connection(ConnectionState::Lost) => {
                self.is_up = false;
                self.leases.handle_disconnected();
            }
            Message::Instance(opening, _) | Message::Zone(opening, _)
                if opening != self.opening => {}
            Message::Instance(_, Watched::Row(row)) => {
                if let Some((id, record)) = read(&row) {
                    self.leases.handle_instance(now, InstanceId(id), row.revision, record);
                }
            }
            Message::Zone(_, Watched::Row(row)) => self.handle_zone(&row),
            Message::Instance(_, Watched::Ended) | Message::Zone(_, Watched::Ended) => {
                self.reopen_at.get_or_insert(now + REOPEN_AFTER);
            }
            Message::Renewed(replaced) => {
                if let Replaced::Unknown(Some(row)) = &replaced
                    && let Some((_, record)) = read(row)
                {
                    self.leases.handle_looked_up(now, row.revision, record);
                }
                self.leases.handle_renewed(answer(&replaced), now);
            }
            Message::Claimed(zone, record, replaced) => {
                if let Replaced::Unknown(Some(row)) = &replaced {
                    self.handle_zone(row);
                }
                self.leases.handle_claimed(zone, record, answer(&replaced));
            }
            Message::Move(zone, to, told) => {
                let answer = self.leases.check_hand_over(now, zone, to);
                if answer.is_ok() {
                    (self.event)(Event::Leave(zone, Some(to)));
                }
                // Whoever asked may be gone.
                let _ = told.send(answer);
            }
            Message::HandOver(zone, to) => self.hand_over(now, zone, to),
            Message::TakeOver(zone) => {
                if !self.leases.take_over(now, zone) {
                    log::debug!(zone = zone.0; "the zone cannot be taken over now");
                }
            }
            Message::SetStandby(zone, has_standby, told) => {
                // Whoever asked may be gone.
                let _ = told.send(self.leases.set_standby(now, zone, has_standby));
            }
            Message::Drain => {
                self.leases.drain();
                let zones: Vec<_> = self.leases.zones(now).collect();
                for (zone, _) in zones {
                    (self.event)(Event::Leave(zone, None));
                }
            }
        }
    }

    /// Gives a zone that has stopped away; where that fails it goes on here.
    fn hand_over(&mut self, now: Duration, zone: ZoneId, to: Option<InstanceId>) {
        let to = to.filter(|&to| self.leases.check_hand_over(now, zone, to).is_ok());
        let to = to.or_else(|| self.leases.best_target(zone, now));
        match self.leases.hand_over(now, zone, to) {
            Ok(()) => log::info!(zone = zone.0; "zone handed over"),
            Err(HandOverError::Unsettled { .. }) => drop(self.unsettled.insert(zone, to)),
            Err(HandOverError::NotHere { .. }) => {}
            Err(error) => {
                log::warn!(zone = zone.0; "{error}");
                (self.event)(Event::Gained(zone));
            }
        }
    }

    /// Watches both tables from their present state on.
    fn watch(&mut self, now: Duration) {
        for watch in self.watches.drain(..) {
            watch.abort();
        }
        self.reopen_at = None;
        self.opening += 1;
        self.leases.handle_connected(now);
        let (messages, opening) = (self.messages.clone(), self.opening);
        let instances = self.instances.watch(move |watched| {
            // An error: the thread is gone, and the process with it.
            let _ = messages.send(Message::Instance(opening, watched));
        });
        let messages = self.messages.clone();
        let zones = self.zones.watch(move |watched| {
            let _ = messages.send(Message::Zone(opening, watched));
        });
        self.watches = vec![instances, zones];
    }

    /// Opens the tables anew, which may be gone.
    fn reopen(&mut self) {
        let opened = Table::open(&self.nats, INSTANCES)
            .and_then(|instances| Ok((instances, Table::open(&self.nats, ZONES)?)));
        match opened {
            Ok((instances, zones)) => (self.instances, self.zones) = (instances, zones),
            Err(error) => log::error!("{error}; trying again"),
        }
        self.reopen_at = Some(self.clock.elapsed());
    }

    fn handle_zone(&mut self, row: &Row) {
        if let Some((id, record)) = read(row) {
            self.leases.handle_zone(ZoneId(id), row.revision, record);
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.leases.poll_output() {
            match output {
                Output::Renew { record, expected } => {
                    let (table, value) = (self.instances.clone(), write(&record));
                    let (messages, key) = (self.messages.clone(), self.me.to_string());
                    self.nats.spawn(async move {
                        let replaced = table.replace(&key, value.into(), expected).await;
                        let _ = messages.send(Message::Renewed(replaced));
                    });
                }
                Output::Claim { zone, record, expected } => {
                    let (table, value) = (self.zones.clone(), write(&record));
                    let messages = self.messages.clone();
                    self.nats.spawn(async move {
                        let key = zone.to_string();
                        let replaced = table.replace(&key, value.into(), expected).await;
                        let _ = messages.send(Message::Claimed(zone, record, replaced));
                    });
                }
                Output::Gained { zone, epoch } => {
                    log::info!(zone = zone.0, epoch = epoch; "zone gained");
                    (self.event)(Event::Gained(zone));
                }
                Output::Lost { zone } => {
                    log::info!(zone = zone.0; "zone lost");
                    (self.event)(Event::Lost(zone));
                }
                Output::Reopen => self.reopen(),
                Output::NameTaken => (self.event)(Event::NameTaken),
            }
        }
    }
}

fn answer(replaced: &Replaced) -> Answer {
    match replaced {
        Replaced::Written(revision) => Answer::Written(*revision),
        Replaced::Refused => Answer::Refused,
        Replaced::Unknown(_) => Answer::Unknown,
    }
}

/// Number and record of a row; what is none of ours is passed over.
pub fn read<T: DeserializeOwned>(row: &Row) -> Option<(u32, T)> {
    let read = (row.key.parse().ok(), serde_json::from_slice(&row.value).ok());
    if let (Some(id), Some(record)) = read {
        return Some((id, record));
    }
    log::warn!("the record {} in NATS is not one of this version and is passed over", row.key);
    None
}

fn write(record: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("a record is plain data")
}

/// Who runs which zone, as it is written down now.
pub fn owners(nats: &Nats) -> Result<BTreeMap<ZoneId, ZoneRecord>, TableError> {
    let rows = Table::open(nats, ZONES)?.all()?;
    Ok(rows.iter().filter_map(read).map(|(id, record)| (ZoneId(id), record)).collect())
}

/// The instances that have written themselves down, those that are gone among them.
pub fn instances(nats: &Nats) -> Result<BTreeMap<InstanceId, InstanceRecord>, TableError> {
    let rows = Table::open(nats, INSTANCES)?.all()?;
    Ok(rows.iter().filter_map(read).map(|(id, record)| (InstanceId(id), record)).collect())
}
