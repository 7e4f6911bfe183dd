//! Zones that a second instance follows, to go on with them as soon as their owner is silent.
//!
//! A zone whose record asks for it has one standby: of those that could take it, the one that all
//! find alike. It hears the zone's journal, so it knows of a silence long before an instance counts
//! as dead, and takes the zone over without waiting for that. The owner may be living all the
//! same; then both believe in the zone until the watch has told the former owner. Of the two, the
//! journal takes the entries of one.

use std::collections::BTreeSet;
use std::time::Duration;

use super::choice::rendezvous;
use super::{DEAD_AFTER, HandOverError, Leases, ZoneRecord};
use crate::model::ZoneId;

impl Leases {
    /// The zones of others that this instance is to follow.
    #[must_use]
    pub fn followed(&self, now: Duration) -> BTreeSet<ZoneId> {
        let followed =
            self.zones.iter().filter(|(zone, row)| self.follows(**zone, &row.record, now));
        followed.map(|(&zone, _)| zone).collect()
    }

    fn follows(&self, zone: ZoneId, record: &ZoneRecord, now: Duration) -> bool {
        let Some(owner) = record.owner.filter(|_| record.has_standby) else { return false };
        let able = self.instances.iter().filter(|&(&id, it)| {
            let is_able = !it.record.is_draining && record.can_go_to(it.record.version);
            id != owner.instance && is_able && !self.is_dead(it, now)
        });
        let standby = able.map(|(&id, _)| id).max_by_key(|&id| (rendezvous(zone, id), id));
        standby == Some(self.config.me.instance)
    }

    /// Takes a zone over that this instance follows, whether its owner is living or not; false
    /// where it may not do so now. It is this instance's once it is gained.
    pub fn take_over(&mut self, now: Duration, zone: ZoneId) -> bool {
        let Some(row) = self.zones.get(&zone) else { return false };
        let record = row.record;
        // After a break the others had better have the time to be heard again.
        let may = self.is_connected && self.is_settled(now) && now >= self.connected + DEAD_AFTER;
        if !may || self.writing.contains_key(&zone) || !self.follows(zone, &record, now) {
            return false;
        }
        let owner = Some(self.config.me);
        self.write(now, zone, ZoneRecord { owner, epoch: self.next_epoch(zone), ..record });
        true
    }

    /// Says whether a zone of this instance is to have a standby.
    ///
    /// # Errors
    /// Where that cannot be written down now; nothing has changed then.
    pub fn set_standby(
        &mut self,
        now: Duration,
        zone: ZoneId,
        has_standby: bool,
    ) -> Result<(), HandOverError> {
        let before = self.settled_record(zone)?;
        self.write(now, zone, ZoneRecord { has_standby, ..before });
        Ok(())
    }
}
