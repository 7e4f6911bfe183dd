//! 256 neighbouring cells of a row as bits: cell x of the block is bit x % 64 of word x / 64.

/// A block of bits in memory.
pub(super) type Block = [u64; 4];

/// A block of bits in registers.
pub(super) trait Lanes: Copy {
    fn load(block: &Block) -> Self;
    fn store(self, block: &mut Block);
    fn and(self, other: Self) -> Self;
    /// `self` without `other`.
    fn without(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    /// Every cell moved one column to the right; bit 0 of `carry` comes in.
    fn right(self, carry: u64) -> Self;
    /// Every cell moved one column to the left; bit 63 of `carry` comes in.
    fn left(self, carry: u64) -> Self;
    fn any(self) -> bool;
    /// Reads 64 columns of binary digits, the lowest digit first, as numbers; those of the columns
    /// in `missing` are `u16::MAX`.
    fn numbers(missing: u64, digits: &[u64]) -> [u16; 64];
}

impl Lanes for Block {
    #[inline(always)]
    fn load(block: &Block) -> Self {
        *block
    }

    #[inline(always)]
    fn store(self, block: &mut Block) {
        *block = self;
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] & other[i])
    }

    #[inline(always)]
    fn without(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] & !other[i])
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] | other[i])
    }

    #[inline(always)]
    fn right(self, carry: u64) -> Self {
        let [a, b, c, d] = self;
        [a << 1 | carry & 1, b << 1 | a >> 63, c << 1 | b >> 63, d << 1 | c >> 63]
    }

    #[inline(always)]
    fn left(self, carry: u64) -> Self {
        let [a, b, c, d] = self;
        let top = carry & 1 << 63;
        [a >> 1 | b << 63, b >> 1 | c << 63, c >> 1 | d << 63, d >> 1 | top]
    }

    #[inline(always)]
    fn any(self) -> bool {
        self[0] | self[1] | self[2] | self[3] != 0
    }

    #[inline(always)]
    fn numbers(missing: u64, digits: &[u64]) -> [u16; 64] {
        let bit = |word: u64, i: usize| (word >> i & 1) as u16;
        std::array::from_fn(|i| {
            let digits = digits.iter().rev();
            let number = digits.fold(0, |sum, &digit| sum << 1 | bit(digit, i));
            number | bit(missing, i).wrapping_neg()
        })
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Block, Lanes};

    /// A block in one AVX2 register. Its methods must only run where AVX2 was detected:
    /// `search::fill_avx2` alone names this type.
    #[derive(Clone, Copy)]
    pub(in crate::sim::cpu::distance) struct Avx2(__m256i);

    // SAFETY (all blocks below): the processor has AVX2, see the type; loads and stores go through
    // references to 32 bytes and need no alignment.
    impl Lanes for Avx2 {
        #[inline(always)]
        fn load(block: &Block) -> Self {
            unsafe { Self(_mm256_loadu_si256(block.as_ptr().cast())) }
        }

        #[inline(always)]
        fn store(self, block: &mut Block) {
            unsafe { _mm256_storeu_si256(block.as_mut_ptr().cast(), self.0) }
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            unsafe { Self(_mm256_and_si256(self.0, other.0)) }
        }

        #[inline(always)]
        fn without(self, other: Self) -> Self {
            unsafe { Self(_mm256_andnot_si256(other.0, self.0)) }
        }

        #[inline(always)]
        fn or(self, other: Self) -> Self {
            unsafe { Self(_mm256_or_si256(self.0, other.0)) }
        }

        #[inline(always)]
        fn right(self, carry: u64) -> Self {
            unsafe {
                let moved = _mm256_permute4x64_epi64::<0b10_01_00_00>(self.0);
                let first = _mm256_zextsi128_si256(_mm_cvtsi64_si128((carry << 63) as i64));
                let below = _mm256_blend_epi32::<0b0000_0011>(moved, first);
                Self(_mm256_or_si256(
                    _mm256_slli_epi64::<1>(self.0),
                    _mm256_srli_epi64::<63>(below),
                ))
            }
        }

        #[inline(always)]
        fn left(self, carry: u64) -> Self {
            unsafe {
                let moved = _mm256_permute4x64_epi64::<0b11_11_10_01>(self.0);
                let last = _mm256_set1_epi64x((carry >> 63) as i64);
                let above = _mm256_blend_epi32::<0b1100_0000>(moved, last);
                Self(_mm256_or_si256(
                    _mm256_srli_epi64::<1>(self.0),
                    _mm256_slli_epi64::<63>(above),
                ))
            }
        }

        #[inline(always)]
        fn any(self) -> bool {
            unsafe { _mm256_testz_si256(self.0, self.0) == 0 }
        }

        #[inline(always)]
        fn numbers(missing: u64, digits: &[u64]) -> [u16; 64] {
            let mut numbers = [0; 64];
            let (parts, _) = numbers.as_chunks_mut::<16>();
            for (part, numbers) in parts.iter_mut().enumerate() {
                unsafe {
                    let column = _mm256_setr_epi16(
                        1 << 0,
                        1 << 1,
                        1 << 2,
                        1 << 3,
                        1 << 4,
                        1 << 5,
                        1 << 6,
                        1 << 7,
                        1 << 8,
                        1 << 9,
                        1 << 10,
                        1 << 11,
                        1 << 12,
                        1 << 13,
                        1 << 14,
                        i16::MIN,
                    );
                    // All ones where the bit is 1: the number -1, or u16::MAX.
                    let ones = |word: u64| {
                        let bits = _mm256_set1_epi16((word >> (16 * part)) as i16);
                        _mm256_cmpeq_epi16(_mm256_and_si256(bits, column), column)
                    };
                    let mut sum = _mm256_setzero_si256();
                    for &digit in digits.iter().rev() {
                        sum = _mm256_sub_epi16(_mm256_add_epi16(sum, sum), ones(digit));
                    }
                    let sum = _mm256_or_si256(sum, ones(missing));
                    _mm256_storeu_si256(numbers.as_mut_ptr().cast(), sum);
                }
            }
            numbers
        }
    }
}
