//! Which gateways there are: each says so every second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::mail::{self, Alive};
use crate::model::GatewayId;
use crate::nats::{Bus, Subscription};

/// How often a gateway says that it lives.
pub const SAY_EVERY: Duration = Duration::from_secs(1);
/// A gateway that has said nothing for so long is gone.
pub const GONE_AFTER: Duration = Duration::from_secs(5);

/// The gateways that were heard of late.
#[derive(Debug)]
pub struct Gateways {
    heard: Arc<Mutex<BTreeMap<GatewayId, (Alive, Instant)>>>,
    _subscription: Subscription,
}

impl Gateways {
    #[must_use]
    pub fn listen(bus: &Bus) -> Self {
        let heard: Arc<Mutex<BTreeMap<_, _>>> = Arc::default();
        let hearing = heard.clone();
        let subscription = bus.subscribe(mail::GATEWAYS_ALIVE, move |bytes| {
            if let Some(alive) = mail::decode::<Alive>(&bytes) {
                let mut heard = hearing.lock().unwrap_or_else(PoisonError::into_inner);
                heard.insert(alive.gateway, (alive, Instant::now()));
            }
        });
        Self { heard, _subscription: subscription }
    }

    /// Those that take players, the emptiest first.
    #[must_use]
    pub fn open(&self) -> Vec<Alive> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open: Vec<Alive> = heard
            .values()
            .filter(|(alive, at)| !alive.is_draining && at.elapsed() < GONE_AFTER)
            .map(|(alive, _)| alive.clone())
            .collect();
        open.sort_by_key(|alive| (alive.players, alive.gateway));
        open
    }

    /// Forgets those that are gone and gives them. `since`: when anything could be heard again; no
    /// silence before that counts.
    #[must_use]
    pub fn take_gone(&self, since: Instant) -> Vec<GatewayId> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = heard.extract_if(.., |_, (_, at)| (*at).max(since).elapsed() >= GONE_AFTER);
        gone.map(|(gateway, _)| gateway).collect()
    }
}
