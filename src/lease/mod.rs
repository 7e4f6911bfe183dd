//! Who runs which zone: each instance decides for itself, from what all have written down.
//!
//! Two tables lie in a store that replaces a record only where its revision is the expected one:
//! instances, each renewing its own record, and zones with their owners. Nobody leads. A zone
//! without a living owner goes to the instance with the most room, which all find alike; where two
//! do not agree, the store takes one of them.
//!
//! **What is promised.** No two instances believe in a zone at the same moment, however late,
//! silent or lossy the store, its answers and its watches are, unless one that follows the zone has
//! taken it over at once (`standby.rs`): the former owner then believes until the watch tells it.
//! - An instance believes for [`CONFIDENT_FOR`] after the last renewal that it began and the store
//!   took. Once it has stopped it writes each zone's record anew before it believes again.
//! - It judges another dead only by what the watch tells, never by silence alone: a renewal of its
//!   own, begun [`LAPSED_AFTER`] after the last sign of the other, has come back through the
//!   watch. Then every renewal of the other that was written before has been told too, and the
//!   other has stopped; should it start again, its new record of the zone makes the claim fail.
//!   What a zone's record tells of its owner is a sign as well, for that watch may be the faster.
//! - A store whose records may be others than before (the watches were opened anew, and this
//!   instance's own record is not there as it was) is watched for [`DEAD_AFTER`] before a zone is
//!   claimed in it, so that beliefs from before have ended. Zones that it has forgotten are put
//!   back by who ran them.
//!
//! **What it rests on.** A watch tells a table in the order of its writes, and may leave out only
//! what was replaced since. Clocks need not agree, but run equally fast to a tenth. What the store
//! said to be written stays, but for a wipe or a backup being restored; after a restored backup
//! that is older than a change of owner, two may believe for up to [`CONFIDENT_FOR`], if the
//! former owner was cut off at the change. And nothing here covers what was said a moment after it
//! was asked for (a process that is stopped between the two): that is the journal's fence, which
//! keeps two owners from both being heard whatever the clocks do.

mod choice;
mod hand_over;
mod life;
mod output;
mod records;
mod standby;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub use hand_over::HandOverError;
pub use output::{Answer, Output};
pub use records::{InstanceRecord, Owner, ZoneRecord};

use crate::model::{InstanceId, ZoneId};

/// How often an instance renews its record.
pub const RENEW_EVERY: Duration = Duration::from_millis(300);
/// How long after a renewal was begun an instance still speaks for its zones.
pub const CONFIDENT_FOR: Duration = Duration::from_secs(1);
/// How long after the last sign of it an instance has stopped to speak by any clock.
pub const LAPSED_AFTER: Duration = Duration::from_millis(1_100);
/// How long a record may stay the same before its instance counts as dead.
pub const DEAD_AFTER: Duration = Duration::from_millis(1_500);
/// How long a zone is free before it is claimed, so that all know the same by then.
pub const SETTLE: Duration = Duration::from_millis(100);
/// How long each instance leaves a free zone to the one that has more room.
pub const TURN: Duration = Duration::from_millis(300);
/// How long a renewal may stay away from the watch before the watches are opened anew.
pub const REOPEN_AFTER: Duration = Duration::from_secs(10);

const _: () = assert!(CONFIDENT_FOR.as_millis() * 11 <= LAPSED_AFTER.as_millis() * 10);
// The renewal that proves a death is mostly back by the time of the judgement.
const _: () = assert!(LAPSED_AFTER.as_millis() + RENEW_EVERY.as_millis() < DEAD_AFTER.as_millis());
const _: () = assert!(2 * RENEW_EVERY.as_millis() < CONFIDENT_FOR.as_millis());

/// Who this instance is.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub me: Owner,
    pub capacity: u32,
    pub version: u32,
}

/// The leases of one instance.
#[derive(Debug)]
pub struct Leases {
    config: Config,
    instances: BTreeMap<InstanceId, Instance>,
    zones: BTreeMap<ZoneId, Zone>,
    mine: BTreeMap<ZoneId, Lease>,
    /// The highest epoch that was ever told of each zone: a store that is wiped begins anew, but
    /// those who listen to a zone do not.
    epochs: BTreeMap<ZoneId, u64>,
    /// The writes of zones under way.
    writing: BTreeMap<ZoneId, Write>,
    beat: u64,
    is_draining: bool,
    is_connected: bool,
    /// When the watches were last opened.
    connected: Duration,
    /// From when on the store's records may be acted on.
    settled_from: Duration,
    /// The renewal under way.
    renewing: Option<Write>,
    /// The newest renewal of this process that the store has shown.
    registered: Option<u64>,
    next_renewal: Duration,
    /// The first beat that the watch has not told, and when it was begun.
    untold: Option<(u64, Duration)>,
    /// When the newest renewal was begun that the watch has told: what others wrote before it,
    /// the watch has told too.
    told_up_to: Option<Duration>,
    /// Begins with the answer that ended the last doubt.
    confident_since: Duration,
    confident_until: Duration,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Instance {
    record: InstanceRecord,
    revision: u64,
    /// When the record was seen to change, or this instance to be heard by the store again.
    changed: Duration,
}

#[derive(Debug)]
struct Zone {
    record: ZoneRecord,
    revision: u64,
    /// When it was first looked at.
    seen: Option<Duration>,
    /// Since when it has no living owner.
    free_since: Option<Duration>,
}

/// A zone of this instance.
#[derive(Debug)]
struct Lease {
    epoch: u64,
    /// When the last write was begun that the store took.
    confirmed: Option<Duration>,
    has_standby: bool,
}

#[derive(Debug)]
struct Write {
    /// Nothing where the watches were opened since: the store that answers may be gone.
    begun: Option<Duration>,
    /// Whose the zone is then.
    owner: Option<Owner>,
}

impl Leases {
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            instances: BTreeMap::new(),
            zones: BTreeMap::new(),
            mine: BTreeMap::new(),
            epochs: BTreeMap::new(),
            writing: BTreeMap::new(),
            beat: 0,
            is_draining: false,
            is_connected: false,
            connected: Duration::ZERO,
            settled_from: Duration::ZERO,
            renewing: None,
            registered: None,
            next_renewal: Duration::ZERO,
            untold: None,
            told_up_to: None,
            confident_since: Duration::ZERO,
            confident_until: Duration::ZERO,
            outputs: VecDeque::new(),
        }
    }

    /// The zones that this instance may speak for now, with their epochs.
    pub fn zones(&self, now: Duration) -> impl Iterator<Item = (ZoneId, u64)> {
        let own = self.mine.iter().filter(move |(_, lease)| self.is_sure_of(lease, now));
        own.map(|(&zone, lease)| (zone, lease.epoch))
    }

    /// Whether this instance may speak for this zone now.
    #[must_use]
    pub fn holds(&self, zone: ZoneId, now: Duration) -> bool {
        self.mine.get(&zone).is_some_and(|lease| self.is_sure_of(lease, now))
    }

    /// Whether the store answers and this instance is known there.
    #[must_use]
    pub fn is_confident(&self, now: Duration) -> bool {
        now < self.confident_until
    }

    /// Until when what [`Leases::zones`] says is true, if nothing else happens.
    #[must_use]
    pub fn confident_until(&self) -> Duration {
        self.confident_until
    }

    /// Whether the store's records may be acted on.
    fn is_settled(&self, now: Duration) -> bool {
        self.registered.is_some() && self.is_confident(now) && now >= self.settled_from
    }

    fn is_sure_of(&self, lease: &Lease, now: Duration) -> bool {
        self.is_confident(now) && lease.confirmed >= Some(self.confident_since)
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The store answers, or answers again, and both watches were opened anew: all records are told
    /// next, and nothing more by the watches from before.
    ///
    /// It may be another store, with lower revisions, so nothing that was told is kept.
    pub fn handle_connected(&mut self, now: Duration) {
        self.is_connected = true;
        self.connected = now;
        self.settled_from = now + DEAD_AFTER;
        self.instances.clear();
        self.zones.clear();
        for write in self.writing.values_mut().chain(&mut self.renewing) {
            write.begun = None;
        }
        self.untold = None;
        self.told_up_to = None;
        // The watch tells this instance's record before, unless there is none.
        self.next_renewal = now + RENEW_EVERY;
    }

    pub fn handle_disconnected(&mut self) {
        self.is_connected = false;
    }

    /// The watch tells that a record of the table of instances is this.
    pub fn handle_instance(
        &mut self,
        now: Duration,
        id: InstanceId,
        revision: u64,
        record: InstanceRecord,
    ) {
        if (id, record.boot) == (self.config.me.instance, self.config.me.boot)
            && let Some((_, begun)) = self.untold.take_if(|(beat, _)| record.beat >= *beat)
        {
            self.told_up_to = Some(begun);
        }
        self.take_instance(now, id, revision, record);
    }

    /// This instance's own record was looked up, after a renewal without an answer; which proves
    /// nothing of the watch.
    pub fn handle_looked_up(&mut self, now: Duration, revision: u64, record: InstanceRecord) {
        // Another's is left to the watch, for this may be a store that is only just connected to.
        if record.boot == self.config.me.boot {
            self.take_instance(now, self.config.me.instance, revision, record);
        }
    }

    fn take_instance(
        &mut self,
        now: Duration,
        id: InstanceId,
        revision: u64,
        record: InstanceRecord,
    ) {
        let known = self.instances.get(&id).map(|known| known.revision);
        if known >= Some(revision) {
            return;
        }
        self.instances.insert(id, Instance { record, revision, changed: now });
        if id != self.config.me.instance {
            return;
        }
        if record.boot != self.config.me.boot {
            self.confident_until = Duration::ZERO;
            // What is told first may be a predecessor's, out of a backup; a twin renews it.
            if known.is_some() && self.registered.take().is_some() {
                self.outputs.push_back(Output::NameTaken);
            }
            return;
        }
        let before = self.registered.replace(record.beat);
        if known.is_none() {
            self.next_renewal = now;
            // In a store that was restored it is an older one, whatever the revision.
            if before.is_some_and(|before| record.beat >= before) {
                self.settled_from = now;
            } else {
                self.confident_until = Duration::ZERO;
            }
        }
    }

    /// A record of the table of zones is this.
    pub fn handle_zone(&mut self, zone: ZoneId, revision: u64, record: ZoneRecord) {
        if self.zones.get(&zone).is_some_and(|known| known.revision >= revision) {
            return;
        }
        self.zones.insert(zone, Zone { record, revision, seen: None, free_since: None });
        let epoch = self.epochs.entry(zone).or_default();
        *epoch = record.epoch.max(*epoch);
        if record.owner == Some(self.config.me) {
            self.gain(zone, record.epoch);
            if let Some(lease) = self.mine.get_mut(&zone) {
                lease.has_standby = record.has_standby;
            }
        } else if self.mine.remove(&zone).is_some() {
            self.outputs.push_back(Output::Lost { zone });
        }
    }

    fn gain(&mut self, zone: ZoneId, epoch: u64) {
        if self.mine.get(&zone).is_none_or(|lease| lease.epoch != epoch) {
            self.mine.insert(zone, Lease { epoch, confirmed: None, has_standby: false });
            self.outputs.push_back(Output::Gained { zone, epoch });
        }
    }

    fn next_epoch(&self, zone: ZoneId) -> u64 {
        self.epochs.get(&zone).map_or(1, |epoch| epoch + 1)
    }

    /// The answer to [`Output::Renew`].
    pub fn handle_renewed(&mut self, answer: Answer, now: Duration) {
        let Some(begun) = self.renewing.take().and_then(|write| write.begun) else { return };
        if let Answer::Written(revision) = answer {
            self.take_instance(now, self.config.me.instance, revision, self.record());
        }
        let current = self.instances.get(&self.config.me.instance).map(|known| known.record);
        // Without an answer, what was looked up shows whether it was written.
        let is_written =
            current.is_some_and(|it| (it.boot, it.beat) == (self.config.me.boot, self.beat));
        let until = begun + CONFIDENT_FOR;
        if is_written && until > now {
            if !self.is_confident(now) {
                self.begin_confidence(now);
            }
            self.confident_until = self.confident_until.max(until);
        }
    }

    /// Others may have been kept from renewing by what kept this instance.
    fn begin_confidence(&mut self, now: Duration) {
        self.confident_since = now;
        for instance in self.instances.values_mut() {
            instance.changed = now;
        }
        for zone in self.zones.values_mut() {
            zone.free_since = None;
        }
    }

    /// The answer to [`Output::Claim`] of this record.
    pub fn handle_claimed(&mut self, zone: ZoneId, record: ZoneRecord, answer: Answer) {
        let Some(Write { begun, .. }) = self.writing.remove(&zone) else { return };
        // What became of a write to a store that may be gone, the watch tells.
        let answer = if begun.is_some() { answer } else { Answer::Unknown };
        if let Answer::Written(revision) = answer {
            self.handle_zone(zone, revision, record);
        }
        let Some(row) = self.zones.get(&zone) else { return };
        let current = row.record;
        if current.owner != Some(self.config.me) {
            return;
        }
        match answer {
            Answer::Written(_) => {
                if let Some(lease) = self.mine.get_mut(&zone).filter(|it| it.epoch == record.epoch)
                {
                    lease.confirmed = begun;
                }
            }
            // It may have been given away, but the store did not take it.
            Answer::Unknown => self.gain(zone, current.epoch),
            // The watch tells what it is now.
            Answer::Refused => {}
        }
    }

    /// Takes no more zones from now on; those that it has are for the caller to hand over.
    pub fn drain(&mut self) {
        self.is_draining = true;
        if self.instances.contains_key(&self.config.me.instance) {
            self.next_renewal = Duration::ZERO;
        }
    }

    /// Time has passed; to be called at least every tenth of a second.
    pub fn handle_timeout(&mut self, now: Duration) {
        if !self.is_connected {
            return;
        }
        self.renew(now);
        self.note_free(now);
        if self.untold.take_if(|(_, begun)| now >= *begun + REOPEN_AFTER).is_some() {
            self.outputs.push_back(Output::Reopen);
        }
        if self.is_settled(now) {
            self.confirm(now);
            self.claim(now);
        }
    }

    /// Writes the records of zones that this instance is not sure of.
    fn confirm(&mut self, now: Duration) {
        let is_unsure = |lease: &Lease| lease.confirmed < Some(self.confident_since);
        let unsure = self
            .mine
            .iter()
            .filter(|(zone, lease)| is_unsure(lease) && !self.writing.contains_key(zone));
        let unsure = unsure.map(|(&zone, lease)| (zone, lease.has_standby));
        for (zone, has_standby) in unsure.collect::<Vec<_>>() {
            if let Some(row) = self.zones.get(&zone) {
                self.write(now, zone, row.record);
            } else if now >= self.connected + DEAD_AFTER {
                // A store that is wiped has forgotten it.
                let Config { me, version, .. } = self.config;
                let epoch = self.next_epoch(zone);
                let owner = Some(me);
                self.write(now, zone, ZoneRecord { owner, epoch, version, has_standby });
            }
        }
    }

    fn write(&mut self, now: Duration, zone: ZoneId, record: ZoneRecord) {
        let expected = self.zones.get(&zone).map_or(0, |row| row.revision);
        self.writing.insert(zone, Write { begun: Some(now), owner: record.owner });
        self.outputs.push_back(Output::Claim { zone, record, expected });
    }

    fn record(&self) -> InstanceRecord {
        let Config { me, capacity, version } = self.config;
        let is_draining = self.is_draining;
        InstanceRecord { boot: me.boot, beat: self.beat, capacity, version, is_draining }
    }

    fn renew(&mut self, now: Duration) {
        if self.renewing.is_some() || now < self.next_renewal {
            return;
        }
        let expected = match self.instances.get(&self.config.me.instance) {
            // Whoever had the name before, or has it still, is waited for.
            Some(other) if other.record.boot != self.config.me.boot && !other.is_silent(now) => {
                return;
            }
            Some(known) => known.revision,
            None => {
                // The store may have forgotten this process, so it is nobody there.
                self.registered = None;
                self.confident_until = Duration::ZERO;
                0
            }
        };
        self.beat += 1;
        self.next_renewal = now + RENEW_EVERY;
        self.renewing = Some(Write { begun: Some(now), owner: None });
        self.untold.get_or_insert((self.beat, now));
        self.outputs.push_back(Output::Renew { record: self.record(), expected });
    }
}
