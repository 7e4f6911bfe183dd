//! Quantiles of many durations in little memory.

use serde::Serialize;

/// Counts durations of up to about 70 minutes by size, to within 1/64.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u32,
}

/// Values of one power of two share so many buckets.
const SPLIT_BITS: u32 = 6;
const BUCKETS: usize = (32 - SPLIT_BITS as usize + 1) << SPLIT_BITS;

/// In milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }
}

impl Histogram {
    pub fn add(&mut self, microseconds: u32) {
        self.counts[bucket(microseconds)] += 1;
        self.total += 1;
        self.max = self.max.max(microseconds);
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        Quantiles {
            p50: self.quantile(500),
            p95: self.quantile(950),
            p99: self.quantile(990),
            max: f64::from(self.max) / 1_000.0,
        }
    }

    /// The value that `thousandths` of all are not above.
    fn quantile(&self, thousandths: u64) -> f64 {
        let rank = (self.total * thousandths).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (number, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return f64::from(top(number).min(self.max)) / 1_000.0;
            }
        }
        0.0
    }
}

fn bucket(value: u32) -> usize {
    let shift = (32 - value.leading_zeros()).saturating_sub(SPLIT_BITS + 1);
    ((shift << SPLIT_BITS) + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn top(bucket: usize) -> u32 {
    let bucket = bucket as u64;
    let shift = (bucket >> SPLIT_BITS).saturating_sub(1);
    let head = bucket - (shift << SPLIT_BITS);
    u32::try_from(((head + 1) << shift) - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Histogram, bucket, top};

    #[test]
    fn buckets_are_tight_and_in_order() {
        for value in (0..1_000_000_u32).step_by(7).chain([u32::MAX - 1, u32::MAX]) {
            let top = top(bucket(value));
            assert!(top >= value && top - value <= value / 64, "{value} {top}");
        }
        assert!(bucket(u32::MAX) < super::BUCKETS);
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        for value in 1..=1_000 {
            histogram.add(value * 1_000);
        }
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        let q = twice.quantiles();
        assert!((q.p50 - 500.0).abs() < 9.0 && (q.p99 - 990.0).abs() < 17.0, "{q:?}");
        assert_eq!((q.max, twice.total()), (1_000.0, 2_000));
        assert_eq!(Histogram::default().quantiles().p99, 0.0);
    }
}
