//! The bus: what one says arrives in order, if at all; what two say in any order.

use std::collections::BTreeMap;
use std::time::Duration;

use undercroft::app::cluster::mail::{ToGatewayMail, ToZoneMail};
use undercroft::game::rng::Rng;
use undercroft::model::{GatewayId, ZoneId};

/// What is said under one subject.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "gone at once")]
pub enum Mail {
    Zone(ZoneId, ToZoneMail),
    Gateway(GatewayId, ToGatewayMail),
    /// Heard by all gateways and instances.
    Gateways(ToGatewayMail),
    Alive(GatewayId),
}

/// How much oftener a confirmation is lost: a departure is told again then, when the character may
/// be elsewhere already.
const CONFIRMED_LOSS_TIMES: u32 = 20;

pub struct Bus {
    rng: Rng,
    /// Chance in a thousand that a message is lost.
    pub loss: u32,
    under_way: BTreeMap<(Duration, u64), Mail>,
    /// When the last message of each sender is there.
    last: BTreeMap<u64, Duration>,
    sent: u64,
    pub lost: u64,
}

impl Bus {
    pub fn new(seed: u64, loss: u32) -> Self {
        let rng = Rng::new(seed, 2, 0);
        Self { rng, loss, under_way: BTreeMap::new(), last: BTreeMap::new(), sent: 0, lost: 0 }
    }

    pub fn send(&mut self, now: Duration, from: u64, mail: Mail) {
        let is_confirmation = matches!(mail, Mail::Zone(_, ToZoneMail::Confirmed(_)));
        let times = if is_confirmation { CONFIRMED_LOSS_TIMES } else { 1 };
        if self.rng.below(1_000) < self.loss * times {
            self.lost += 1;
            return;
        }
        let most = if self.loss > 0 && self.rng.below(200) == 0 { 400 } else { 8 };
        let at = now + Duration::from_millis(u64::from(1 + self.rng.below(most)));
        let last = self.last.entry(from).or_default();
        *last = at.max(*last);
        self.sent += 1;
        self.under_way.insert((*last, self.sent), mail);
    }

    pub fn arrived(&mut self, now: Duration) -> Option<Mail> {
        let entry = self.under_way.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
