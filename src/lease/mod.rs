//! Who runs which zone: each instance decides for itself, from what all have written down.
//!
//! Two tables lie in a store that replaces a record only where its revision is the expected one:
//! instances, each renewing its own record, and zones with their owners. Nobody leads. A zone
//! without a living owner goes to the instance with the most room, which all find alike; where two
//! do not agree, the store takes one of them.
//!
//! No clock but one's own is believed. An instance counts as dead when its record has not changed
//! for [`DEAD_AFTER`] while the store answered; it has stopped to believe in its leases before,
//! [`CONFIDENT_FOR`] after the last renewal that it began and that was acknowledged. Once it has
//! stopped it writes each zone's record anew before it believes again, for another may just be
//! taking the zone. What keeps two owners from both being heard whatever the clocks do is the
//! journal's fence.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{InstanceId, ZoneId};

/// How often an instance renews its record.
pub const RENEW_EVERY: Duration = Duration::from_millis(300);
/// How long after a renewal was begun an instance still speaks for its zones.
pub const CONFIDENT_FOR: Duration = Duration::from_secs(1);
/// How long a record may stay the same before its instance counts as dead.
pub const DEAD_AFTER: Duration = Duration::from_millis(1_500);
/// How long a zone is free before it is claimed, so that all know the same by then.
pub const SETTLE: Duration = Duration::from_millis(100);
/// How long each instance leaves a free zone to the one that has more room.
pub const TURN: Duration = Duration::from_millis(300);

const _: () = assert!(CONFIDENT_FOR.as_millis() < DEAD_AFTER.as_millis());
const _: () = assert!(2 * RENEW_EVERY.as_millis() < CONFIDENT_FOR.as_millis());

/// What an instance says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// A random number that tells this process from another of the same name.
    pub boot: u64,
    /// Counts the renewals, so that each changes the record.
    pub beat: u64,
    /// Zones that it takes at most.
    pub capacity: u32,
    /// The version of its simulation.
    pub version: u32,
    /// It takes no more zones.
    pub is_draining: bool,
}

/// Who runs a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRecord {
    /// Nobody yet, where a zone was asked for or given back.
    pub owner: Option<Owner>,
    /// Rises with every owner.
    pub epoch: u64,
    /// The version of the simulation that wrote the zone's journal: no other may go on with it.
    pub version: u32,
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub instance: InstanceId,
    pub boot: u64,
}

/// Who this instance is.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub me: Owner,
    pub capacity: u32,
    pub version: u32,
}

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Replace this instance's record if it has this revision, 0 for none; the answer goes to
    /// [`Leases::handle_renewed`].
    Renew { record: InstanceRecord, expected: u64 },
    /// Replace a zone's record likewise; the answer goes to [`Leases::handle_claimed`].
    Claim { zone: ZoneId, record: ZoneRecord, expected: u64 },
    /// The zone is this instance's: bring it up. `epoch` goes into what it says.
    Gained { zone: ZoneId, epoch: u64 },
    /// Somebody else runs the zone: drop it and say nothing more of it.
    Lost { zone: ZoneId },
    /// Another process has this instance's name: stop.
    NameTaken,
}

/// How the store answered a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Written, with this revision.
    Written(u64),
    /// The record has another revision, of which the watch tells.
    Refused,
    /// Nobody knows whether it was written; what is there now was looked up and told.
    Unknown,
}

/// The leases of one instance.
#[derive(Debug)]
pub struct Leases {
    config: Config,
    instances: BTreeMap<InstanceId, Instance>,
    zones: BTreeMap<ZoneId, Zone>,
    mine: BTreeMap<ZoneId, Lease>,
    beat: u64,
    is_draining: bool,
    is_connected: bool,
    /// When the renewal was begun that is under way.
    renewing_since: Option<Duration>,
    /// The revision that this process gave its record.
    registered: Option<u64>,
    next_renewal: Duration,
    /// Begins with the renewal that ended the last doubt.
    confident_since: Duration,
    confident_until: Duration,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Instance {
    record: InstanceRecord,
    revision: u64,
    /// When the record was seen to change, or the store to answer again.
    changed: Duration,
}

#[derive(Debug)]
struct Zone {
    record: ZoneRecord,
    revision: u64,
    /// Since when it has no living owner.
    free_since: Option<Duration>,
    /// When the write was begun that is under way.
    writing_since: Option<Duration>,
}

/// A zone of this instance.
#[derive(Debug)]
struct Lease {
    epoch: u64,
    /// When the last write was begun that the store took.
    confirmed: Option<Duration>,
}

impl Leases {
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            instances: BTreeMap::new(),
            zones: BTreeMap::new(),
            mine: BTreeMap::new(),
            beat: 0,
            is_draining: false,
            is_connected: false,
            renewing_since: None,
            registered: None,
            next_renewal: Duration::ZERO,
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

    fn is_sure_of(&self, lease: &Lease, now: Duration) -> bool {
        self.is_confident(now) && lease.confirmed >= Some(self.confident_since)
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The store answers, or answers again; all its records are told next.
    pub fn handle_connected(&mut self, now: Duration) {
        self.is_connected = true;
        // Nobody could renew while it did not.
        for instance in self.instances.values_mut() {
            instance.changed = now;
        }
        for zone in self.zones.values_mut() {
            zone.free_since = None;
        }
    }

    pub fn handle_disconnected(&mut self) {
        self.is_connected = false;
    }

    /// A record of the table of instances is this.
    pub fn handle_instance(
        &mut self,
        now: Duration,
        id: InstanceId,
        revision: u64,
        record: InstanceRecord,
    ) {
        if self.instances.get(&id).is_some_and(|known| known.revision >= revision) {
            return;
        }
        self.instances.insert(id, Instance { record, revision, changed: now });
        if id != self.config.me.instance {
            return;
        }
        if record.boot == self.config.me.boot {
            self.registered = Some(revision);
        } else if self.registered.is_some() {
            self.confident_until = Duration::ZERO;
            self.outputs.push_back(Output::NameTaken);
        }
    }

    /// A record of the table of zones is this.
    pub fn handle_zone(&mut self, zone: ZoneId, revision: u64, record: ZoneRecord) {
        let known = self.zones.get(&zone);
        if known.is_some_and(|known| known.revision >= revision) {
            return;
        }
        let writing_since = known.and_then(|known| known.writing_since);
        self.zones.insert(zone, Zone { record, revision, free_since: None, writing_since });
        if record.owner == Some(self.config.me) {
            self.gain(zone, record.epoch);
        } else if self.mine.remove(&zone).is_some() {
            self.outputs.push_back(Output::Lost { zone });
        }
    }

    fn gain(&mut self, zone: ZoneId, epoch: u64) {
        if self.mine.get(&zone).is_none_or(|lease| lease.epoch != epoch) {
            self.mine.insert(zone, Lease { epoch, confirmed: None });
            self.outputs.push_back(Output::Gained { zone, epoch });
        }
    }

    /// The answer to [`Output::Renew`].
    pub fn handle_renewed(&mut self, answer: Answer, now: Duration) {
        let Some(begun) = self.renewing_since.take() else { return };
        if let Answer::Written(revision) = answer {
            self.handle_instance(now, self.config.me.instance, revision, self.record());
        }
        let current = self.instances.get(&self.config.me.instance).map(|known| known.record);
        // Without an answer, what was looked up shows whether it was written.
        let is_written =
            current.is_some_and(|it| (it.boot, it.beat) == (self.config.me.boot, self.beat));
        if is_written {
            if !self.is_confident(now) {
                self.confident_since = begun;
            }
            self.confident_until = self.confident_until.max(begun + CONFIDENT_FOR);
        }
    }

    /// The answer to [`Output::Claim`] of this record.
    pub fn handle_claimed(&mut self, zone: ZoneId, record: ZoneRecord, answer: Answer) {
        if let Answer::Written(revision) = answer {
            self.handle_zone(zone, revision, record);
        }
        let Some(row) = self.zones.get_mut(&zone) else { return };
        let begun = row.writing_since.take();
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
        self.next_renewal = Duration::ZERO;
    }

    /// Gives a zone to another instance, or back for anybody to take. From now on the caller says
    /// nothing more of it, unless it gains it again, because the store did not take this.
    pub fn hand_over(&mut self, now: Duration, zone: ZoneId, to: Option<InstanceId>) {
        let to = to.and_then(|id| {
            let boot = self.instances.get(&id)?.record.boot;
            Some(Owner { instance: id, boot })
        });
        if self.mine.remove(&zone).is_none() {
            return;
        }
        let Some(row) = self.zones.get_mut(&zone) else { return };
        let record = ZoneRecord { owner: to, epoch: row.record.epoch + 1, ..row.record };
        row.writing_since = Some(now);
        self.outputs.push_back(Output::Claim { zone, record, expected: row.revision });
    }

    /// Time has passed; to be called at least every tenth of a second.
    pub fn handle_timeout(&mut self, now: Duration) {
        if !self.is_connected {
            return;
        }
        self.renew(now);
        self.note_free(now);
        if self.registered.is_some() && self.is_confident(now) {
            self.confirm(now);
            self.claim(now);
        }
    }

    /// Writes the records of zones that this instance is not sure of.
    fn confirm(&mut self, now: Duration) {
        for (&zone, lease) in &self.mine {
            let Some(row) = self.zones.get_mut(&zone) else { continue };
            if lease.confirmed < Some(self.confident_since) && row.writing_since.is_none() {
                row.writing_since = Some(now);
                let (record, expected) = (row.record, row.revision);
                self.outputs.push_back(Output::Claim { zone, record, expected });
            }
        }
    }

    fn record(&self) -> InstanceRecord {
        let Config { me, capacity, version } = self.config;
        let is_draining = self.is_draining;
        InstanceRecord { boot: me.boot, beat: self.beat, capacity, version, is_draining }
    }

    fn renew(&mut self, now: Duration) {
        if self.renewing_since.is_some() || now < self.next_renewal {
            return;
        }
        let expected = match self.instances.get(&self.config.me.instance) {
            // Whoever had the name before, or has it still, is waited for.
            Some(other) if other.record.boot != self.config.me.boot && !other.is_dead(now) => {
                return;
            }
            Some(known) => known.revision,
            None => 0,
        };
        self.beat += 1;
        self.next_renewal = now + RENEW_EVERY;
        self.renewing_since = Some(now);
        self.outputs.push_back(Output::Renew { record: self.record(), expected });
    }

    fn is_living(&self, owner: Owner, now: Duration) -> bool {
        if owner.instance == self.config.me.instance {
            return owner == self.config.me;
        }
        let known = self.instances.get(&owner.instance);
        known.is_some_and(|known| known.record.boot == owner.boot && !known.is_dead(now))
    }

    fn note_free(&mut self, now: Duration) {
        let free: Vec<ZoneId> = self
            .zones
            .iter()
            .filter(|(_, row)| !row.record.owner.is_some_and(|owner| self.is_living(owner, now)))
            .map(|(&zone, _)| zone)
            .collect();
        for (zone, row) in &mut self.zones {
            if free.binary_search(zone).is_err() {
                row.free_since = None;
            } else {
                row.free_since.get_or_insert(now);
            }
        }
    }

    /// Goes through the free zones in their order, gives each in thought to the instance with the
    /// most room, and claims those whose turn for this instance has come.
    fn claim(&mut self, now: Duration) {
        let mut loads: BTreeMap<InstanceId, u32> = self
            .instances
            .iter()
            .filter(|(_, instance)| !instance.is_dead(now) && !instance.record.is_draining)
            .map(|(&id, _)| (id, 0))
            .collect();
        let me = self.config.me.instance;
        if self.is_draining || !loads.contains_key(&me) {
            return;
        }
        for owner in self.zones.values().filter_map(|row| row.record.owner) {
            if let Some(load) = loads.get_mut(&owner.instance) {
                *load += u32::from(self.instances[&owner.instance].record.boot == owner.boot);
            }
        }
        for (&zone, row) in &mut self.zones {
            let Some(since) = row.free_since else { continue };
            let mut able: Vec<(InstanceId, InstanceRecord, u32)> = loads
                .iter()
                .map(|(&id, &load)| (id, self.instances[&id].record, load))
                .filter(|(_, it, load)| *load < it.capacity && row.record.can_go_to(it.version))
                .collect();
            able.sort_unstable_by_key(|&(id, record, load)| {
                let share = u64::from(load) * 1_000_000 / u64::from(record.capacity);
                (share, Reverse(rendezvous(zone, id)))
            });
            let Some(&(first, ..)) = able.first() else { continue };
            *loads.entry(first).or_default() += 1;
            let turn = able.iter().position(|&(id, ..)| id == me);
            let Some(turn) = turn.and_then(|turn| u32::try_from(turn).ok()) else { continue };
            if row.writing_since.is_some() || now < since + SETTLE + TURN * turn {
                continue;
            }
            row.writing_since = Some(now);
            let record = ZoneRecord {
                owner: Some(self.config.me),
                epoch: row.record.epoch + 1,
                version: self.config.version,
            };
            self.outputs.push_back(Output::Claim { zone, record, expected: row.revision });
        }
    }
}

impl Instance {
    fn is_dead(&self, now: Duration) -> bool {
        now >= self.changed + DEAD_AFTER
    }
}

impl ZoneRecord {
    /// A zone that somebody asks for and nobody has run yet.
    pub const WANTED: Self = Self { owner: None, epoch: 0, version: 0 };

    fn can_go_to(&self, version: u32) -> bool {
        self.version == 0 || self.version == version
    }
}

/// A number that spreads zones over instances of the same load, the same for everybody.
fn rendezvous(zone: ZoneId, instance: InstanceId) -> u64 {
    let mut z = u64::from(zone.0) << 32 | u64::from(instance.0);
    // The finaliser of MurmurHash3, which is public.
    z = (z ^ z >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    z = (z ^ z >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    z ^ z >> 33
}
