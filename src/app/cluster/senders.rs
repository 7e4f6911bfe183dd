//! The instances that a gateway hears, so that it notices what got lost on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::ZoneId;

/// An instance of which nothing was heard for so long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Senders {
    known: BTreeMap<u64, Sender>,
}

#[derive(Debug)]
struct Sender {
    number: u64,
    zones: BTreeSet<ZoneId>,
    heard: Duration,
}

impl Senders {
    /// A message came in. If others before it did not, gives the zones that they may have been of.
    pub fn note(
        &mut self,
        now: Duration,
        sender: u64,
        number: u64,
        zones: impl Iterator<Item = ZoneId>,
    ) -> Option<Vec<ZoneId>> {
        if !self.known.contains_key(&sender) {
            self.known.retain(|_, known| now.saturating_sub(known.heard) < FORGET_AFTER);
        }
        let new = Sender { number: 0, zones: BTreeSet::new(), heard: now };
        let known = self.known.entry(sender).or_insert(new);
        known.zones.extend(zones);
        known.heard = now;
        let expected = known.number + 1;
        known.number = known.number.max(number);
        (number > expected).then(|| known.zones.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_names_the_zones_that_were_heard_of_its_sender() {
        let mut senders = Senders::default();
        let at = Duration::from_secs;
        let mut note = |now, sender, number, zone| {
            senders.note(at(now), sender, number, [ZoneId(zone)].into_iter())
        };
        assert_eq!(note(0, 1, 1, 5), None);
        assert_eq!(note(0, 1, 2, 6), None);
        assert_eq!(note(0, 2, 1, 7), None);
        assert_eq!(note(0, 1, 4, 5), Some(vec![ZoneId(5), ZoneId(6)]));
        assert_eq!(note(0, 1, 3, 5), None, "one that comes late was counted as lost");
        assert_eq!(note(0, 1, 5, 5), None);
        assert_eq!(note(1, 3, 9, 8), Some(vec![ZoneId(8)]), "whose beginning was missed");
        assert_eq!(note(90, 4, 1, 8), None);
        assert_eq!(senders.known.len(), 1);
    }
}
