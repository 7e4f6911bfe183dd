//! Who lives, as far as this instance has been told, and which zones have nobody.

use std::time::Duration;

use super::{DEAD_AFTER, Instance, LAPSED_AFTER, Leases, Zone};
use crate::model::ZoneId;

impl Leases {
    pub(super) fn note_free(&mut self, now: Duration) {
        for row in self.zones.values_mut() {
            row.seen.get_or_insert(now);
        }
        let is_free = |(&zone, row): (&ZoneId, &Zone)| (!self.is_run(row, now)).then_some(zone);
        let free: Vec<ZoneId> = self.zones.iter().filter_map(is_free).collect();
        for (zone, row) in &mut self.zones {
            if free.binary_search(zone).is_err() {
                row.free_since = None;
            } else {
                row.free_since.get_or_insert(now);
            }
        }
    }

    /// Whether a zone has an owner that may be living.
    fn is_run(&self, row: &Zone, now: Duration) -> bool {
        let Some(owner) = row.record.owner else { return false };
        if owner.instance == self.config.me.instance {
            return owner == self.config.me;
        }
        let seen = row.seen.unwrap_or(now);
        let known = self.instances.get(&owner.instance);
        // An owner that is not told of has been replaced, or is newer than what the watch has told.
        let known = known.filter(|known| known.record.boot == owner.boot);
        let sign = known.map_or(seen, |known| known.changed.max(seen));
        !self.has_died(sign, now)
    }

    pub(super) fn is_dead(&self, instance: &Instance, now: Duration) -> bool {
        self.has_died(instance.changed, now)
    }

    /// Whether a process that gave its last sign then has stopped.
    fn has_died(&self, sign: Duration, now: Duration) -> bool {
        now >= sign + DEAD_AFTER && self.told_up_to >= Some(sign + LAPSED_AFTER)
    }
}

impl Instance {
    pub(super) fn is_silent(&self, now: Duration) -> bool {
        now >= self.changed + DEAD_AFTER
    }
}
