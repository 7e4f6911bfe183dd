//! How long before a tick a gateway reads its sockets, so that what they hold makes it into the
//! tick and yet waits for it as shortly as can be.

use std::time::{Duration, Instant};

/// Longest reading that is allowed for, and longest time for what is read to reach the zones.
const MAX: Duration = Duration::from_millis(15);
/// How long before a tick all shall have been read that is for zones of this process.
const MARGIN_US: i64 = 1_000;
/// How long before a tick shall be there what is for zones of others.
const EARLY_US: i64 = 100;
/// The most that one late message makes the next ones earlier.
const STEP_MAX_US: i64 = 500;
/// How much later a tick is read than the one before, at least and as a part of what was too early.
/// With [`STEP_MAX_US`], less than one tick in a hundred comes late.
const STEP_BACK_MIN_US: i64 = 5;
const STEP_BACK_PART: i64 = 64;
/// What the way is believed to take before anything is heard of it.
const WAY_BEGIN_US: i64 = 3_000;

/// The time that reading takes is measured here. What the way to zones of other processes takes,
/// and by how much their clocks tell another time, is learned from what they say of it.
#[derive(Clone, Copy, Debug)]
pub struct Lead {
    reading: Duration,
    way_us: i64,
}

impl Lead {
    /// For zones of this process.
    #[must_use]
    pub fn local() -> Self {
        Self { reading: Duration::ZERO, way_us: MARGIN_US }
    }

    /// For zones of other processes.
    #[must_use]
    pub fn over_bus() -> Self {
        Self { way_us: WAY_BEGIN_US, ..Self::local() }
    }

    /// When to read for `tick`; after it, where the clocks of the zones are late.
    #[must_use]
    pub fn before(&self, tick: Instant) -> Instant {
        let way = Duration::from_micros(self.way_us.unsigned_abs());
        let tick = if self.way_us < 0 { tick + way } else { tick - way };
        tick - self.reading
    }

    /// Reading took so long this time.
    pub fn note_reading(&mut self, took: Duration) {
        self.reading = ((self.reading * 7 + took) / 8).min(MAX);
    }

    /// A zone of another process says that what was read was there so long before its tick, in
    /// microseconds; less than nothing if it was late.
    pub fn note_early(&mut self, early_us: i32) {
        let short = EARLY_US - i64::from(early_us);
        let back = (-short / STEP_BACK_PART).max(STEP_BACK_MIN_US);
        let step = if short > 0 { short.min(STEP_MAX_US) } else { -back };
        self.way_us = (self.way_us + step).clamp(-us(MAX), us(MAX));
    }
}

/// How long before the tick at `tick` something was there, in microseconds; less than nothing if
/// it came after the tick before, for which it was meant.
#[must_use]
pub fn early_us(tick: Instant, there: Instant, period: Duration) -> i32 {
    let early = us(tick.saturating_duration_since(there));
    let early = if early > us(period) / 2 { early - us(period) } else { early };
    i32::try_from(early).unwrap_or(0)
}

fn us(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(50);

    /// Ticks for a minute with a way that takes `way_us`, and up to eight times as long now and
    /// then, to zones whose clock is `ahead_us` before ours. How long what was read waited for its
    /// tick in the last half, in microseconds, and how many were late.
    fn minute(way_us: u64, ahead_us: i32) -> (i64, u32) {
        let mut lead = Lead::over_bus();
        let start = Instant::now() + PERIOD;
        let (mut waited, mut late) = (0, 0);
        for number in 0..1_200_u32 {
            let tick = start + number * PERIOD;
            let factor = if number % 150 == 149 { 8 } else { 1 + u64::from(number % 7) / 3 };
            let there = lead.before(tick) + Duration::from_micros(way_us * factor);
            // Measured as an instance does: before its tick, or before the next.
            let theirs = tick + Duration::from_micros(u64::from(ahead_us.unsigned_abs()));
            let theirs = if ahead_us < 0 { tick - (theirs - tick) } else { theirs };
            let next = if there > theirs { theirs + PERIOD } else { theirs };
            let early = early_us(next, there, PERIOD);
            lead.note_early(early);
            if number >= 600 {
                waited += i64::from(early.max(0));
                late += u32::from(early < 0);
            }
        }
        (waited / 600, late)
    }

    #[test]
    fn what_is_read_is_there_shortly_before_the_tick() {
        for ahead_us in [0, -9_000, 9_000] {
            for way_us in [150, 400] {
                let (waited, late) = minute(way_us, ahead_us);
                assert!(late <= 6, "{late} late, {way_us} {ahead_us}");
                assert!(waited <= 4 * i64::try_from(way_us).unwrap(), "{waited} us, {way_us}");
            }
        }
    }

    #[test]
    fn how_early_is_counted_to_the_nearest_tick() {
        let tick = Instant::now() + PERIOD;
        let check = |before_us, early| {
            let there = tick - Duration::from_micros(before_us);
            assert_eq!(early_us(tick, there, PERIOD), early);
        };
        check(0, 0);
        check(800, 800);
        check(49_200, -800);
        assert_eq!(early_us(tick, tick + PERIOD, PERIOD), 0);
    }

    #[test]
    fn reading_that_takes_long_begins_early() {
        let mut lead = Lead::local();
        let tick = Instant::now() + PERIOD;
        for _ in 0..100 {
            lead.note_reading(Duration::from_millis(6));
        }
        let before = tick - lead.before(tick);
        assert_eq!(before.as_millis(), 6, "{before:?}");
        for _ in 0..100 {
            lead.note_reading(Duration::from_secs(3));
        }
        assert_eq!((tick - lead.before(tick)).as_millis(), 16);
    }
}
