//! When to try again.

use std::time::Duration;

use super::Draws;

const FIRST: Duration = Duration::from_millis(250);
const DOUBLINGS_MAX: u32 = 5;

/// Waits longer after each failure, each time by a random share, so that the clients of a server
/// that went away do not all come back at once.
#[derive(Debug)]
pub(super) struct Retry {
    failures: u32,
    since: Option<Duration>,
    patience: Duration,
    draws: Draws,
}

impl Retry {
    pub(super) fn new(seed: u64, patience: Duration) -> Self {
        Self { failures: 0, since: None, patience, draws: Draws::new(seed) }
    }

    /// When to try next, no earlier than `at_least` from now; `None` once nothing has worked for
    /// as long as the client's patience.
    pub(super) fn failed(&mut self, now: Duration, at_least: Duration) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) >= self.patience {
            return None;
        }
        let most = FIRST * (1 << self.failures.min(DOUBLINGS_MAX));
        self.failures += 1;
        let share = most / 2 * self.draws.below(1_000) / 1_000;
        Some(now + (most / 2 + share).max(at_least + share / 2))
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.since = None;
    }
}
