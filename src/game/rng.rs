//! Counter-based randomness: a draw is a pure function of (zone seed, tick, actor, draw).
//!
//! There is no generator state to keep, order or lose: re-running a tick draws the same numbers,
//! in any order and on any device.

/// A source of draws for one actor (or cell, or purpose) in one tick.
#[derive(Clone, Copy, Debug)]
pub struct Rng {
    key: u64,
    draw: u64,
}

/// Finalizer of splitmix64 (Steele, Lea and Flood 2014): a bijection that spreads every input bit.
#[must_use]
pub const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Rng {
    /// The draws of `actor` at `tick` in the zone seeded with `seed`.
    #[must_use]
    pub const fn new(seed: u64, tick: u64, actor: u64) -> Self {
        let key = mix(mix(seed.wrapping_add(GOLDEN)) ^ tick.wrapping_mul(GOLDEN));
        Self { key: mix(key ^ actor.wrapping_mul(0xd6e8_feb8_6659_fd93)), draw: 0 }
    }

    /// The next 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.draw = self.draw.wrapping_add(GOLDEN);
        mix(self.key.wrapping_add(self.draw))
    }

    /// A number from 0 to `bound - 1`; 0 if `bound` is 0.
    pub const fn below(&mut self, bound: u32) -> u32 {
        // Multiply-shift (Lemire 2019); the bias is under bound / 2^64.
        ((self.bits() as u128 * bound as u128) >> 64) as u32
    }

    /// A number from `low` to `high`, both included.
    pub const fn between(&mut self, low: i32, high: i32) -> i32 {
        if high <= low {
            return low;
        }
        low.wrapping_add(self.below(high.wrapping_sub(low) as u32 + 1) as i32)
    }

    /// True `percent` times in a hundred.
    pub const fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// An element of `choices`, or `None` if there is none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(u32::try_from(choices.len()).unwrap_or(u32::MAX)) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn draws_depend_on_every_coordinate_and_nothing_else() {
        let first = |seed, tick, actor| Rng::new(seed, tick, actor).bits();
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        assert_ne!(first(1, 2, 3), first(2, 2, 3));
        assert_ne!(first(1, 2, 3), first(1, 3, 3));
        assert_ne!(first(1, 2, 3), first(1, 2, 4));
    }

    #[test]
    fn bounded_draws_cover_their_range_and_stay_inside() {
        let mut seen = [0_u32; 6];
        let mut rng = Rng::new(7, 0, 0);
        for _ in 0..6_000 {
            seen[rng.below(6) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1_200).contains(&n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.between(3, 3), 3);
        assert!((0..100).all(|_| (-2..=2).contains(&rng.between(-2, 2))));
    }
}
