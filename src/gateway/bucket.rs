//! A token bucket.

use std::time::Duration;

/// Parts of a unit that come back in a millisecond at one a minute.
const PARTS: i64 = 60_000;
/// A longer pause fills no more than this one: what any bucket holds is back by then.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// Lets units through: so many at once after a pause, and then so many a minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    per_minute: i64,
    at_once: i64,
    /// Parts of units; below nothing where more was taken elsewhere than there was.
    level: i64,
    filled: Duration,
}

impl Bucket {
    /// So many a second, and twice as many at once.
    pub(super) fn per_second(rate: u32, now: Duration) -> Self {
        Self::new(rate.saturating_mul(60), rate.saturating_mul(2), now)
    }

    pub(super) fn new(per_minute: u32, at_once: u32, now: Duration) -> Self {
        let at_once = i64::from(at_once) * PARTS;
        Self { per_minute: per_minute.into(), at_once, level: at_once, filled: now }
    }

    /// Takes `units` if they are there.
    pub(super) fn take(&mut self, now: Duration, units: usize) -> bool {
        self.fill(now);
        let cost = parts(units);
        let enough = self.level >= cost;
        if enough {
            self.level -= cost;
        }
        enough
    }

    /// Takes what was let through elsewhere, whether it is there or not.
    pub(super) fn owe(&mut self, now: Duration, units: usize) {
        self.fill(now);
        self.level = self.level.saturating_sub(parts(units));
    }

    /// How long until one unit is there.
    pub(super) fn wait(&mut self, now: Duration) -> Duration {
        self.fill(now);
        let missing = (PARTS - self.level).max(0).unsigned_abs();
        Duration::from_millis(missing.div_ceil(self.per_minute.max(1).unsigned_abs()))
    }

    pub(super) fn is_full(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.level == self.at_once
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled).min(PAUSE_MAX).as_millis();
        if let Ok(passed @ 1..) = i64::try_from(passed) {
            self.filled = now;
            self.level = (self.level + passed * self.per_minute).min(self.at_once);
        }
    }
}

fn parts(units: usize) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX).saturating_mul(PARTS)
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use std::time::Duration;

    const fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::per_second(10, at(0));
        assert!(bucket.take(at(0), 20));
        assert!(!bucket.take(at(0), 1));
        assert!(!bucket.take(at(99), 1));
        assert!(bucket.take(at(199), 1));
        assert!(bucket.take(at(60_000), 20));
        assert!(!bucket.take(at(60_000), 1));
    }

    #[test]
    fn whoever_waits_as_long_as_is_said_is_let_through_and_not_before() {
        let mut bucket = Bucket::new(60, 3, at(0));
        assert!(bucket.take(at(0), 3) && !bucket.take(at(0), 1));
        assert_eq!(bucket.wait(at(400)), at(600));
        assert!(!bucket.take(at(999), 1));
        assert!(bucket.take(at(1_000), 1));
    }

    #[test]
    fn what_was_taken_elsewhere_has_to_come_back_first() {
        let mut bucket = Bucket::new(60, 3, at(0));
        bucket.owe(at(0), 5);
        assert_eq!(bucket.wait(at(0)), at(3_000));
        assert!(!bucket.take(at(2_999), 1));
        assert!(bucket.take(at(3_000), 1));
        assert!(!bucket.is_full(at(5_000)) && bucket.is_full(at(6_000)));
    }
}
