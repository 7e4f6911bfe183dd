//! The tick clock: absolute deadlines on one grid that all threads share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A grid of deadlines. Whoever falls behind by more than a tick moves the grid for all threads, or
/// waits for the next deadline where processes share it: time is dilated, no tick of a zone is
/// skipped and no lateness is carried over.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    period: Duration,
    /// Whether other processes share the grid, so that it must not move.
    is_shared: bool,
    /// Nanoseconds by which the grid has been moved.
    shift: AtomicU64,
}

impl Clock {
    /// Makes a grid of `ticks_per_second` that begins now.
    #[must_use]
    pub fn new(ticks_per_second: u32) -> Self {
        let period = Duration::from_secs(1) / ticks_per_second;
        Self { start: Instant::now(), period, is_shared: false, shift: AtomicU64::new(0) }
    }

    /// Makes a grid that all processes share whose hosts tell the same time: gateways read shortly
    /// before instances tick. A clock that tells another time costs latency, nothing else.
    #[must_use]
    pub fn shared(ticks_per_second: u32) -> Self {
        let own = Self::new(ticks_per_second);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let passed = since.as_nanos() % own.period.as_nanos();
        let passed = Duration::from_nanos(u64::try_from(passed).unwrap_or(0));
        let start = own.start.checked_sub(passed).unwrap_or(own.start);
        Self { start, is_shared: true, ..own }
    }

    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Time since the process made this clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The first deadline after `instant`.
    #[must_use]
    pub fn deadline_after(&self, instant: Instant) -> Instant {
        let grid = self.start + Duration::from_nanos(self.shift.load(Ordering::Relaxed));
        let passed = instant.saturating_duration_since(grid).as_nanos();
        let ticks = passed / self.period.as_nanos() + 1;
        let nanos = u64::try_from(ticks * self.period.as_nanos()).unwrap_or(u64::MAX);
        grid + Duration::from_nanos(nanos)
    }

    /// The deadline after the one at `deadline`, given that the work for it is done at `now`. More
    /// than a period late, the grid moves so that the next tick begins now; one that is shared
    /// stays, and the next tick begins at its next deadline.
    #[must_use]
    pub fn next(&self, deadline: Instant, now: Instant) -> Instant {
        let next = deadline + self.period;
        let late = now.saturating_duration_since(next);
        if late <= self.period {
            return next;
        }
        if self.is_shared {
            return self.deadline_after(now);
        }
        let late = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
        self.shift.fetch_add(late % self.period_nanos(), Ordering::Relaxed);
        now
    }

    fn period_nanos(&self) -> u64 {
        u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use std::time::Duration;

    #[test]
    fn deadlines_are_absolute_and_lateness_is_not_carried_over() {
        let clock = Clock::new(20);
        let first = clock.deadline_after(clock.start);
        assert_eq!(first - clock.start, Duration::from_millis(50));
        let second = clock.next(first, first + Duration::from_millis(10));
        assert_eq!(second - first, Duration::from_millis(50), "work does not move the grid");
        let late = second + Duration::from_millis(60);
        let third = clock.next(second, late);
        assert_eq!(third - second, Duration::from_millis(50), "a little late: catch up");
        let very_late = third + Duration::from_millis(430);
        let fourth = clock.next(third, very_late);
        assert_eq!(fourth, very_late, "very late: begin at once, on a new grid");
        let after = clock.deadline_after(fourth);
        assert_eq!(after - fourth, Duration::from_millis(50));
    }

    #[test]
    fn a_shared_grid_stays_where_it_is() {
        let one = Clock::shared(20);
        let first = one.deadline_after(std::time::Instant::now());
        let late = one.next(first, first + Duration::from_millis(180));
        assert_eq!(late - first, Duration::from_millis(200));
    }
}
