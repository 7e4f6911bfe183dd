//! The post of an instance: what its zones say to gateways, to other zones and to the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::clerk::Clerk;
use super::mail::{self, ToGatewayMail, ToZoneMail};
use crate::game::state::{DepartureKey, ZoneState};
use crate::model::{GatewayId, ZoneId};
use crate::nats::Bus;
use crate::protocol::bus::{Bundle, FromZone};
use crate::telemetry::Metrics;

/// Sends; clones share it.
#[derive(Clone, Debug)]
pub struct Post {
    bus: Bus,
    /// Tells this process from every other.
    sender: u64,
    /// The number of the newest message to each gateway.
    numbers: Arc<Mutex<HashMap<GatewayId, u64>>>,
    pub clerk: Clerk,
    metrics: Arc<Metrics>,
}

impl Post {
    #[must_use]
    pub fn new(bus: Bus, sender: u64, clerk: Clerk, metrics: Arc<Metrics>) -> Self {
        Self { bus, sender, numbers: Arc::default(), clerk, metrics }
    }

    /// Sends what zones say to gateways: one message to each, as far as they fit into one. With it
    /// goes how early the gateway's inputs were, out of `early_us`.
    pub fn bundles(
        &self,
        bundles: BTreeMap<GatewayId, Vec<Bundle>>,
        early_us: &mut BTreeMap<GatewayId, i32>,
    ) {
        let most = self.bus.message_bytes_max() / 2;
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        for (gateway, bundles) in bundles {
            for bundles in parts(bundles, most) {
                let number = numbers.entry(gateway).or_default();
                *number += 1;
                let message = ToGatewayMail::Bundles {
                    sender: self.sender,
                    number: *number,
                    early_us: early_us.remove(&gateway),
                    bundles,
                };
                self.bus.publish(&mail::gateway(gateway), mail::encode(&message));
                self.metrics.bus_sent.with_label_values(&["frames"]).inc();
            }
        }
    }

    /// Tells the zone that a character has come from that it is here.
    pub fn confirm(&self, key: DepartureKey) {
        let mail = mail::encode(&ToZoneMail::Confirmed(key));
        self.bus.publish(&mail::zone(key.zone), mail);
    }

    /// A zone stops here, to go on elsewhere.
    pub fn zone_down(&self, zone: ZoneId) {
        self.bus.publish(mail::GATEWAYS, mail::encode(&ToGatewayMail::ZoneDown(zone)));
    }

    /// A zone begins here: gateways attach anew, and its characters are found in it.
    pub fn zone_up(&self, state: &ZoneState) {
        for (&character, player) in &state.players {
            self.clerk.placed(character, player.sheet.version, state.zone);
        }
        self.bus.publish(mail::GATEWAYS, mail::encode(&ToGatewayMail::ZoneUp(state.zone)));
    }
}

/// Cuts bundles into messages of about `most` bytes.
fn parts(bundles: Vec<Bundle>, most: usize) -> Vec<Vec<Bundle>> {
    let mut parts: Vec<Vec<Bundle>> = vec![Vec::new()];
    let mut size = 0;
    for bundle in bundles {
        let Bundle { zone, tick, items } = bundle;
        let mut part = Bundle { zone, tick, items: Vec::new() };
        for item in items {
            let bytes =
                64 + if let FromZone::Frame { message, .. } = &item { message.len() } else { 0 };
            if size > 0 && size + bytes > most {
                let full = std::mem::take(&mut part.items);
                parts.last_mut().expect("there is one").push(Bundle { zone, tick, items: full });
                parts.push(Vec::new());
                size = 0;
            }
            size += bytes;
            part.items.push(item);
        }
        parts.last_mut().expect("there is one").push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::CharacterId;

    #[test]
    fn bundles_are_cut_where_they_do_not_fit_and_nothing_is_left_out() {
        let frame = |number: u64| FromZone::Frame {
            character: CharacterId(number),
            attach: 1,
            message: Bytes::from(vec![0; 100]),
        };
        let bundle = |zone: u32, count| Bundle {
            zone: ZoneId(zone),
            tick: 3,
            items: (0..count).map(frame).collect(),
        };
        let parts = parts(vec![bundle(1, 5), bundle(2, 5)], 500);
        assert_eq!(parts.len(), 4);
        let mut count = [0; 3];
        for bundle in parts.iter().flatten() {
            count[bundle.zone.0 as usize] += bundle.items.len();
        }
        assert_eq!(count, [0, 5, 5]);
        assert_eq!(super::parts(vec![bundle(1, 5)], 10_000).len(), 1);
    }
}
