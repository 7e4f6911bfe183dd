use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::model::limits::SIMULATION_THREADS_MAX;

/// The simulation is taken for dead after this long without a beat.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// Something that keeps the server from taking players.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Obstacle {
    /// Zones are being rebuilt from the journal.
    Recovering = 1,
    /// The journal cannot be written; time stands still until it can.
    JournalFailing = 2,
    /// The store cannot be used.
    StoreFailing = 4,
    /// The server is going away.
    Draining = 8,
    /// As many players as the server takes.
    Full = 16,
}

impl Obstacle {
    const ALL: [Self; 5] =
        [Self::Recovering, Self::JournalFailing, Self::StoreFailing, Self::Draining, Self::Full];

    /// One phrase for operators.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Recovering => "zones are being recovered from the journal",
            Self::JournalFailing => "the journal cannot be written",
            Self::StoreFailing => "the store cannot be used",
            Self::Draining => "the server is draining",
            Self::Full => "the server is full",
        }
    }
}

/// Gathers what the health checks answer; every method is cheap and never waits.
#[derive(Debug)]
pub struct Health {
    made: Instant,
    started: AtomicBool,
    obstacles: AtomicU32,
    /// Milliseconds from `made` to the last sign of life of each simulation thread; 0: none yet.
    beats: Box<[AtomicU64]>,
}

impl Health {
    /// Health of a server that has just begun to start.
    #[must_use]
    pub fn new() -> Self {
        Self {
            made: Instant::now(),
            started: AtomicBool::new(false),
            obstacles: AtomicU32::new(0),
            beats: (0..SIMULATION_THREADS_MAX).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Everything is built, bound and recovered.
    pub fn set_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// An obstacle is there.
    pub fn raise(&self, obstacle: Obstacle) {
        self.obstacles.fetch_or(obstacle as u32, Ordering::AcqRel);
    }

    /// An obstacle is gone.
    pub fn clear(&self, obstacle: Obstacle) {
        self.obstacles.fetch_and(!(obstacle as u32), Ordering::AcqRel);
    }

    /// A sign of life of a simulation thread: from its tick loop, also while ticks are held back.
    pub fn beat(&self, thread: usize) {
        let elapsed = self.made.elapsed().as_millis();
        if let Some(beat) = self.beats.get(thread) {
            beat.store(u64::try_from(elapsed).unwrap_or(u64::MAX).max(1), Ordering::Release);
        }
    }

    /// Whether start-up is over.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// What keeps the server from taking players; empty: it is ready.
    #[must_use]
    pub fn not_ready(&self) -> Vec<&'static str> {
        let bits = self.obstacles.load(Ordering::Acquire);
        let starting = (!self.is_started()).then_some("the server is starting");
        let raised = Obstacle::ALL.into_iter().filter(|&o| bits & o as u32 != 0);
        starting.into_iter().chain(raised.map(Obstacle::text)).collect()
    }

    /// What calls for a restart; empty: the server lives.
    #[must_use]
    pub fn not_live(&self) -> Vec<&'static str> {
        self.not_live_at(self.made.elapsed())
    }

    fn not_live_at(&self, elapsed: Duration) -> Vec<&'static str> {
        let is_stalled = self.beats.iter().any(|beat| {
            let beat = Duration::from_millis(beat.load(Ordering::Acquire));
            !beat.is_zero() && elapsed.saturating_sub(beat) > STALLED_AFTER
        });
        is_stalled.then_some("the simulation stands still").into_iter().collect()
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_every_obstacle() {
        let health = Health::new();
        assert_eq!(health.not_ready(), ["the server is starting"]);
        health.set_started();
        assert!(health.not_ready().is_empty());
        for obstacle in Obstacle::ALL {
            health.raise(obstacle);
            health.raise(obstacle);
        }
        assert_eq!(health.not_ready().len(), Obstacle::ALL.len());
        health.clear(Obstacle::Full);
        assert!(!health.not_ready().contains(&Obstacle::Full.text()));
        for obstacle in Obstacle::ALL {
            health.clear(obstacle);
        }
        assert!(health.not_ready().is_empty());
    }

    #[test]
    fn only_a_simulation_that_has_begun_can_stall() {
        let health = Health::new();
        assert!(health.not_live_at(STALLED_AFTER * 9).is_empty());
        health.beat(1);
        assert!(health.not_live_at(STALLED_AFTER).is_empty());
        assert_eq!(health.not_live_at(STALLED_AFTER * 2), ["the simulation stands still"]);
    }
}
