//! One random word for each (seed, tick, cell), in 32-bit arithmetic only.
//!
//! Planes draw from here instead of `game::rng`, because shader languages have no 64-bit
//! multiplication and a kernel and its twin must draw the same bits.

use crate::game::rng::mix;

/// The key of all cells of one plane in one tick; computed once, outside the kernel.
#[must_use]
pub const fn key(seed: u64, tick: u64) -> u32 {
    (mix(mix(seed) ^ tick.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32) as u32
}

/// The random word of `cell` under `key`.
#[must_use]
pub const fn bits(key: u32, cell: u32) -> u32 {
    // Two rounds of multiply and xor-shift with the constants of Wellons' low-bias search (2018).
    let mut h = cell.wrapping_mul(0x9e37_79b9) ^ key;
    h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
    h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
    h ^ (h >> 16)
}

/// The number of the word whose four bytes are the draws of the cell in column `x`, a multiple of
/// four, and row `y` and of the three cells to the right of it, the lowest byte first.
///
/// A byte is enough for a chance in 256, and a word for four cells a quarter of the work.
#[must_use]
pub const fn word(x: usize, y: usize, width: usize) -> u32 {
    (y * width.div_ceil(4) + x / 4) as u32
}

#[cfg(test)]
mod tests {
    use super::{bits, key};

    #[test]
    fn every_coordinate_counts() {
        assert_ne!(key(1, 2), key(2, 1));
        assert_ne!(key(1, 2), key(1, 3));
        assert_ne!(bits(key(1, 2), 5), bits(key(1, 2), 6));
        assert_ne!(bits(key(1, 2), 5), bits(key(1, 3), 5));
    }

    #[test]
    fn every_byte_is_spread_evenly() {
        let mut seen = [[0_u32; 256]; 4];
        for word in 0..256_000 {
            for (seen, byte) in seen.iter_mut().zip(bits(key(9, 9), word).to_le_bytes()) {
                seen[usize::from(byte)] += 1;
            }
        }
        assert!(seen.as_flattened().iter().all(|n| (800..1_200).contains(n)), "{seen:?}");
    }
}
