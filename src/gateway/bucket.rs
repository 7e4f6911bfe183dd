//! A token bucket.

use std::time::Duration;

/// Lets `rate` units a second through, and twice as many at once after a pause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    rate: u64,
    /// Thousandths of a unit.
    level: u64,
    filled: Duration,
}

impl Bucket {
    pub(super) fn new(rate: u32, now: Duration) -> Self {
        let rate = u64::from(rate);
        Self { rate, level: rate * 2_000, filled: now }
    }

    /// Takes `units` if they are there.
    pub(super) fn take(&mut self, now: Duration, units: usize) -> bool {
        let passed = now.saturating_sub(self.filled).as_millis().min(2_000) as u64;
        if passed > 0 {
            self.filled = now;
            self.level = (self.level + passed * self.rate).min(self.rate * 2_000);
        }
        let cost = units as u64 * 1_000;
        let enough = self.level >= cost;
        if enough {
            self.level -= cost;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use std::time::Duration;

    #[test]
    fn a_burst_then_the_rate() {
        let at = Duration::from_millis;
        let mut bucket = Bucket::new(10, at(0));
        assert!(bucket.take(at(0), 20));
        assert!(!bucket.take(at(0), 1));
        assert!(!bucket.take(at(99), 1));
        assert!(bucket.take(at(199), 1));
        assert!(bucket.take(at(60_000), 20));
        assert!(!bucket.take(at(60_000), 1));
    }
}
