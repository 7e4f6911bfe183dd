//! When bots last had a frame, for whoever watches them while they play.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The newest frame of each bot, the longest wait for one, and whether they are wanted any longer.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    /// Microseconds from `began`; 0 before the first.
    newest: Vec<AtomicU64>,
    longest: AtomicU64,
    is_over: AtomicBool,
}

impl Pulse {
    #[must_use]
    pub fn new(bots: u32) -> Self {
        let newest = (0..bots).map(|_| AtomicU64::new(0)).collect();
        Self {
            began: Instant::now(),
            newest,
            longest: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// A bot has a frame.
    pub(super) fn beat(&self, bot: u32) {
        let now = self.micros(Instant::now());
        let Some(newest) = self.newest.get(bot as usize) else { return };
        let before = newest.swap(now, Ordering::Relaxed);
        if before > 0 {
            self.longest.fetch_max(now.saturating_sub(before), Ordering::Relaxed);
        }
    }

    /// Whether every bot has had a frame after this moment.
    #[must_use]
    pub fn all_since(&self, moment: Instant) -> bool {
        let moment = self.micros(moment);
        self.newest.iter().all(|newest| newest.load(Ordering::Relaxed) > moment)
    }

    /// The longest time between two frames of a bot since this was asked last.
    pub fn take_longest(&self) -> Duration {
        Duration::from_micros(self.longest.swap(0, Ordering::Relaxed))
    }

    /// Has the bots end before their time.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn micros(&self, moment: Instant) -> u64 {
        let passed = moment.saturating_duration_since(self.began).as_micros();
        u64::try_from(passed).unwrap_or(u64::MAX).max(1)
    }
}
