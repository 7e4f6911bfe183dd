//! What a simulation thread needs where other processes run zones too.

use std::sync::Arc;

use super::leases::Keeper;
use super::mail::{self, ToZoneMail};
use super::post::Post;
use crate::app::clock::Clock;
use crate::app::instance::{Message, Threads};
use crate::game::state::ZoneState;
use crate::gateway::Join;
use crate::model::{InstanceId, ZoneId};
use crate::nats::{Bus, Subscription};
use crate::protocol::bus::ToZone;
use crate::telemetry::Metrics;

/// The zones that this process runs, and how it comes by them; clones share it.
#[derive(Clone, Debug)]
pub struct Tenancy {
    pub instance: InstanceId,
    pub keeper: Keeper,
    pub bus: Bus,
    pub post: Post,
    pub threads: Threads,
    pub clock: Arc<Clock>,
    pub metrics: Arc<Metrics>,
}

/// Leaves a line of each attach, which has an identifier in common with those of its gateway.
fn log_attaches(instance: InstanceId, zone: ZoneId, messages: &[ToZone]) {
    for message in messages {
        let ToZone::Attach { character, account, session, attach, .. } = message else { continue };
        log::info!(
            player_id = account.0,
            session_id = session.0,
            correlation_id:% = Join::of_attach(*session, *attach),
            character = character.0,
            zone = zone.0,
            instance = instance.0;
            "a session attaches"
        );
    }
}

impl Tenancy {
    /// Whether this process may speak for a zone at this moment.
    #[must_use]
    pub fn holds(&self, zone: ZoneId) -> bool {
        self.keeper.tenure().holds(zone, self.clock.elapsed())
    }

    /// Takes what is said to a zone to its thread.
    #[must_use]
    pub fn listen(&self, zone: ZoneId) -> Subscription {
        let (threads, heard) = (self.threads.clone(), self.metrics.bus_received.clone());
        let instance = self.instance;
        self.bus.subscribe(&mail::zone(zone), move |bytes| {
            let (kind, message) = match mail::decode(&bytes) {
                Some(ToZoneMail::Gateway { gateway, messages }) => {
                    heard.with_label_values(&["commands"]).inc();
                    log_attaches(instance, zone, &messages);
                    return threads.send_batch(gateway, zone, messages);
                }
                Some(ToZoneMail::Arrival(departure)) => ("moves", Message::Arrival(departure)),
                Some(ToZoneMail::Confirmed(key)) => ("moves", Message::Confirmed(key)),
                Some(ToZoneMail::Call { character, to, arrive }) => {
                    ("moves", Message::Call { zone, character, to, arrive })
                }
                Some(ToZoneMail::Recorded { tick, loser }) => {
                    ("bouts", Message::Recorded { zone, tick, loser })
                }
                None => return log::warn!(zone = zone.0; "a message of another version is lost"),
            };
            heard.with_label_values(&[kind]).inc();
            threads.send(zone, message);
        })
    }

    /// The zone runs here from now on.
    pub fn announce(&self, state: &ZoneState) {
        self.post.zone_up(state);
    }

    /// The zone stops here, to go on elsewhere: what players say had better wait.
    pub fn stop(&self, zone: ZoneId) {
        self.post.zone_down(zone);
    }

    pub fn hand_over(&self, zone: ZoneId, to: Option<InstanceId>) {
        self.keeper.hand_over(zone, to);
    }
}
