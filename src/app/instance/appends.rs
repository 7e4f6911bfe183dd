//! Numbers what is handed to the journal, so that a late report is told from one of the zone as it
//! was loaded last.

use std::collections::BTreeMap;

use crate::model::ZoneId;

#[derive(Debug, Default)]
pub(super) struct Appends {
    newest: u64,
    /// The newest number when each zone was loaded.
    before: BTreeMap<ZoneId, u64>,
}

impl Appends {
    /// The number of the next request.
    pub(super) fn next(&mut self) -> u64 {
        self.newest += 1;
        self.newest
    }

    /// A zone is loaded: what was asked of it before is of ticks that may have gone otherwise.
    pub(super) fn begin(&mut self, zone: ZoneId) {
        self.before.insert(zone, self.newest);
    }

    /// Whether a request was of the zone as it is now.
    pub(super) fn is_current(&self, zone: ZoneId, number: u64) -> bool {
        self.before.get(&zone).is_none_or(|&before| number > before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_before_a_zone_was_loaded_anew_makes_none_of_its_ticks_durable() {
        let mut appends = Appends::default();
        let (one, other) = (ZoneId(1), ZoneId(2));
        let early = appends.next();
        assert!(appends.is_current(one, early), "it was there from the beginning");
        appends.begin(one);
        assert!(!appends.is_current(one, early) && appends.is_current(other, early));
        let late = appends.next();
        assert!(appends.is_current(one, late));
    }
}
