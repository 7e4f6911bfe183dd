//! Randomness that is a function of a seed and a counter, for jitter and for bots.

/// Draws numbers; the same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Draws {
    seed: u64,
    count: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of splitmix64 (Steele, Lea and Flood 2014).
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Draws {
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed: mix(seed.wrapping_add(GOLDEN)), count: 0 }
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.count = self.count.wrapping_add(GOLDEN);
        mix(self.seed.wrapping_add(self.count))
    }

    /// A number from 0 to `bound - 1`; 0 if `bound` is 0.
    pub const fn below(&mut self, bound: u32) -> u32 {
        (((self.bits() >> 32) * bound as u64) >> 32) as u32
    }

    /// True once in `times` on average; never if `times` is 0.
    pub const fn one_in(&mut self, times: u32) -> bool {
        times != 0 && self.below(times) == 0
    }
}
