//! To whom a zone goes: to the instance with the most room, which all find alike.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::{Instance, Leases, SETTLE, TURN, Zone, ZoneRecord};
use crate::model::{InstanceId, ZoneId};

impl Leases {
    /// To whom this instance best gives a zone: the other with the most room that can go on with
    /// it. What is being handed over already counts, so zones may be given away one after another.
    #[must_use]
    pub fn best_target(&self, zone: ZoneId, now: Duration) -> Option<InstanceId> {
        let record = self.zones.get(&zone)?.record;
        let able = self.able(zone, &record, &self.loads(now));
        able.into_iter().find(|&id| self.target(id, &record, now).is_ok())
    }

    /// Goes through the free zones in their order, gives each in thought to the instance with the
    /// most room, and claims those whose turn for this instance has come.
    pub(super) fn claim(&mut self, now: Duration) {
        let mut loads = self.loads(now);
        let me = self.config.me.instance;
        if self.is_draining || !loads.contains_key(&me) {
            return;
        }
        let is_written = |zone: &ZoneId| self.writing.contains_key(zone);
        let free = |(&zone, row): (&ZoneId, &Zone)| Some((zone, row.record, row.free_since?));
        let free = self.zones.iter().filter(|(zone, _)| !is_written(zone)).filter_map(free);
        for (zone, record, since) in free.collect::<Vec<_>>() {
            let able = self.able(zone, &record, &loads);
            let Some(&first) = able.first() else { continue };
            *loads.entry(first).or_default() += 1;
            let turn = able.iter().position(|&id| id == me);
            let Some(turn) = turn.and_then(|turn| u32::try_from(turn).ok()) else { continue };
            if now < since + SETTLE + TURN * turn {
                continue;
            }
            if first != me {
                *loads.entry(me).or_default() += 1;
            }
            let record = ZoneRecord {
                owner: Some(self.config.me),
                epoch: self.next_epoch(zone),
                version: self.config.version,
                ..record
            };
            self.write(now, zone, record);
        }
    }

    /// How many zones each has that takes zones, as if every write under way were taken.
    fn loads(&self, now: Duration) -> BTreeMap<InstanceId, u32> {
        let takes = |it: &Instance| !it.record.is_draining && !self.is_dead(it, now);
        let takers = self.instances.iter().filter(|(_, instance)| takes(instance));
        let mut loads: BTreeMap<InstanceId, u32> = takers.map(|(&id, _)| (id, 0)).collect();
        for (zone, row) in &self.zones {
            let owner = self.writing.get(zone).map_or(row.record.owner, |write| write.owner);
            if let Some(owner) = owner
                && let Some(load) = loads.get_mut(&owner.instance)
            {
                *load += u32::from(self.instances[&owner.instance].record.boot == owner.boot);
            }
        }
        loads
    }

    /// Who can take a zone, the one with the most room first.
    fn able(
        &self,
        zone: ZoneId,
        zone_record: &ZoneRecord,
        loads: &BTreeMap<InstanceId, u32>,
    ) -> Vec<InstanceId> {
        let mut able: Vec<_> = loads
            .iter()
            .map(|(&id, &load)| (id, self.instances[&id].record, load))
            .filter(|(_, it, load)| *load < it.capacity && zone_record.can_go_to(it.version))
            .map(|(id, it, load)| {
                let share = u64::from(load) * 1_000_000 / u64::from(it.capacity);
                (share, Reverse(rendezvous(zone, id)), id)
            })
            .collect();
        able.sort_unstable();
        able.into_iter().map(|(.., id)| id).collect()
    }
}

/// A number that spreads zones over instances of the same load, the same for everybody.
pub(super) fn rendezvous(zone: ZoneId, instance: InstanceId) -> u64 {
    let mut z = u64::from(zone.0) << 32 | u64::from(instance.0);
    // The finaliser of MurmurHash3, which is public.
    z = (z ^ z >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    z = (z ^ z >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    z ^ z >> 33
}
