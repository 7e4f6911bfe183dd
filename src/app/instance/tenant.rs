//! Zones that come and go: what a simulation thread does where other processes run zones too.

use std::time::{Duration, Instant};

use super::{Message, Thread};
use crate::game::state::Destination;
use crate::journal;
use crate::model::{InstanceId, Tick, ZoneId};
use crate::zone::Zone;

/// How often a zone that cannot be loaded is tried again, and what nobody has confirmed is said
/// again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Longest time that a zone waits for its last snapshot before it is handed over without.
const SNAPSHOT_WAIT_MAX: Duration = Duration::from_secs(2);

/// A zone that stops here.
#[derive(Debug)]
pub(super) struct Leaving {
    to: Option<InstanceId>,
    since: Instant,
    /// Its last tick, once all is durable and the snapshot is being saved.
    saving: Option<Tick>,
}

impl Thread {
    /// This process runs a zone from now on: listen first, so that nothing said meanwhile is lost.
    pub(super) fn gain(&mut self, zone: ZoneId) {
        let Some(tenancy) = &self.parts.tenancy else { return };
        if self.loading.contains_key(&zone) {
            return;
        }
        self.listening.entry(zone).or_insert_with(|| tenancy.listen(zone));
        // One that is here may have been elsewhere since.
        self.forget(zone);
        self.load(zone);
    }

    /// Has a zone loaded from where its journal ends now.
    fn load(&mut self, zone: ZoneId) {
        // An error: the journal has stopped, and the process with it.
        let _ = self.parts.journal.send(journal::Request::Release { zone });
        self.loading.entry(zone).or_default();
        self.parts.loader.load(zone);
    }

    /// This process runs a zone no more: nothing more is said of it.
    pub(super) fn lose(&mut self, zone: ZoneId) {
        self.listening.remove(&zone);
        self.forget(zone);
        self.loading.remove(&zone);
        self.failed.remove(&zone);
        let _ = self.parts.journal.send(journal::Request::Release { zone });
    }

    fn forget(&mut self, zone: ZoneId) {
        if self.zones.remove(&zone).is_some() {
            let label = [zone.to_string()];
            // An error: the zone was never seen.
            let _ = self.parts.metrics.zone_population.remove_label_values(&[&label[0]]);
        }
        self.leaving.remove(&zone);
        self.commanded.remove(&zone);
        self.bundles.values_mut().for_each(|bundles| bundles.retain(|it| it.zone != zone));
    }

    /// The journal takes no more of a zone. Where this process still has the lease, it goes on from
    /// what the other writer has written.
    pub(super) fn refuse(&mut self, zone: ZoneId) {
        self.forget(zone);
        if self.listening.contains_key(&zone) && !self.loading.contains_key(&zone) {
            self.load(zone);
        } else {
            // Until then it refuses all that follows.
            let _ = self.parts.journal.send(journal::Request::Release { zone });
        }
    }

    /// Stops a zone, so that another process can go on with it.
    pub(super) fn begin_hand_over(&mut self, zone: ZoneId, to: Option<InstanceId>) {
        let Some(tenancy) = &self.parts.tenancy else { return };
        if self.zones.contains_key(&zone) {
            tenancy.stop(zone);
            let leaving = Leaving { to, since: Instant::now(), saving: None };
            self.leaving.insert(zone, leaving);
            self.go_on_leaving(zone);
        } else if self.listening.contains_key(&zone) {
            self.lose(zone);
            if let Some(tenancy) = &self.parts.tenancy {
                tenancy.hand_over(zone, to);
            }
        }
    }

    /// A zone that leaves is saved once all of it is durable.
    pub(super) fn go_on_leaving(&mut self, zone: ZoneId) {
        let Some(leaving) = self.leaving.get_mut(&zone) else { return };
        let Some(held) = self.zones.get(&zone) else { return };
        if leaving.saving.is_none() && held.ticks_in_flight() == 0 {
            leaving.saving = Some(held.state().tick);
            self.parts.loader.save_snapshot(held.state());
        }
    }

    /// A snapshot is saved: a zone that waits for it goes.
    pub(super) fn saved(&mut self, zone: ZoneId, tick: Tick) {
        if self.leaving.get(&zone).is_some_and(|leaving| leaving.saving == Some(tick)) {
            self.end_hand_over(zone);
        }
    }

    fn end_hand_over(&mut self, zone: ZoneId) {
        let Some(leaving) = self.leaving.remove(&zone) else { return };
        self.lose(zone);
        if let Some(tenancy) = &self.parts.tenancy {
            tenancy.hand_over(zone, leaving.to);
        }
    }

    /// Does again what may have failed or been lost.
    pub(super) fn do_again(&mut self, now: Instant) {
        if self.parts.tenancy.is_none() || now < self.again_at {
            return;
        }
        self.again_at = now + AGAIN_AFTER;
        for zone in std::mem::take(&mut self.failed) {
            if self.listening.contains_key(&zone) {
                self.load(zone);
            }
        }
        self.depart_again(|_| true);
        let unrecorded = self.zones.values().flat_map(Zone::unrecorded);
        unrecorded.for_each(|bout| self.parts.outlet.fought(bout.clone()));
        let late = |leaving: &Leaving| now.duration_since(leaving.since) > SNAPSHOT_WAIT_MAX;
        let is_late = |(&zone, leaving): (&ZoneId, &Leaving)| {
            (late(leaving) && leaving.saving.is_some()).then_some(zone)
        };
        let late: Vec<_> = self.leaving.iter().filter_map(is_late).collect();
        for zone in late {
            self.end_hand_over(zone);
        }
    }

    /// Sends off again who has not arrived, of those that this is true of.
    fn depart_again(&self, is_meant: impl Fn(&Destination) -> bool) {
        let waiting = self.zones.values().flat_map(Zone::unconfirmed);
        for departure in waiting.filter(|departure| is_meant(&departure.to)) {
            self.parts.outlet.depart(departure.clone());
        }
    }

    /// Whether a message for a zone that is not here has to wait for it, rather than be lost.
    pub(super) fn waits_for(&self, zone: ZoneId) -> bool {
        self.parts.tenancy.is_none() || self.loading.contains_key(&zone)
    }

    /// Whether this process may let time pass in a zone.
    pub(super) fn may_tick(&self, zone: ZoneId) -> bool {
        !self.leaving.contains_key(&zone)
            && self.parts.tenancy.as_ref().is_none_or(|tenancy| tenancy.holds(zone))
    }

    pub(super) fn handle_tenancy(&mut self, message: Message) {
        match message {
            // A late one is of the zone as it was before.
            Message::Refused { zone, token } if self.appends.is_current(zone, token) => {
                self.refuse(zone);
            }
            Message::Refused { .. } => {}
            Message::SnapshotSaved { zone, tick } => self.saved(zone, tick),
            Message::Gained(zone) => self.gain(zone),
            Message::Lost(zone) => self.lose(zone),
            Message::HandOver { zone, to } => self.begin_hand_over(zone, to),
            Message::GatewayLost(gateway) => {
                for zone in self.zones.values_mut() {
                    zone.handle_gateway_lost(gateway);
                }
            }
            Message::ZoneUp(up) => {
                self.depart_again(|to| matches!(to, Destination::Zone { zone, .. } if *zone == up));
            }
            Message::Gateway { .. }
            | Message::Arrival(_)
            | Message::Confirmed(_)
            | Message::Call { .. }
            | Message::Recorded { .. }
            | Message::Durable { .. }
            | Message::Loaded(_)
            | Message::Unloadable(_)
            | Message::Stop => {}
        }
    }
}
