//! 64 neighbouring cells of a row, a byte each, at once: what fire does to them in masks.

use crate::sim::cpu::{bits, noise};

/// Cells done at a time; bit i of a mask is for the i-th of them.
pub(super) const BLOCK: usize = 64;

/// A block of cells in registers, or what a plane holds of them.
pub(super) trait Lanes: Copy {
    /// At most a block; the cells after the last one are 0.
    fn load(cells: &[u8]) -> Self;
    fn store(self, cells: &mut [u8]);
    /// The cells that are not 0.
    fn holding(self) -> u64;
    /// Each cell one lower, but not below 0.
    fn lowered(self) -> Self;
    /// The cells that are above those of `other`.
    fn above(self, other: Self) -> u64;
    /// The cells of `mask` as in `other` but at least 1, the rest as they are.
    fn with(self, mask: u64, other: Self) -> Self;

    /// The draws of a block whose first four cells have those of `word`.
    fn draws(key: u32, word: u32) -> Self;
}

/// In the instructions that every processor has.
impl Lanes for [u8; BLOCK] {
    #[inline(always)]
    fn load(cells: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        block[..cells.len()].copy_from_slice(cells);
        block
    }

    #[inline(always)]
    fn store(self, cells: &mut [u8]) {
        cells.copy_from_slice(&self[..cells.len()]);
    }

    #[inline(always)]
    fn holding(self) -> u64 {
        bits::pack_block(&self)
    }

    #[inline(always)]
    fn lowered(mut self) -> Self {
        for cell in &mut self {
            *cell = cell.saturating_sub(1);
        }
        self
    }

    #[inline(always)]
    fn above(mut self, other: Self) -> u64 {
        for (cell, other) in self.iter_mut().zip(other) {
            *cell = cell.saturating_sub(other);
        }
        self.holding()
    }

    #[inline(always)]
    fn with(mut self, mask: u64, other: Self) -> Self {
        for i in bits::ones(mask) {
            self[i] = other[i].max(1);
        }
        self
    }

    #[inline(always)]
    fn draws(key: u32, word: u32) -> Self {
        let mut draws = [[0; 4]; BLOCK / 4];
        for (i, draws) in draws.iter_mut().enumerate() {
            *draws = noise::bits(key, word.wrapping_add(i as u32)).to_le_bytes();
        }
        draws.as_flattened().try_into().expect("four bytes a word")
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Lanes};

    /// A block in two AVX2 registers. Its methods must only run where AVX2 was detected:
    /// `fire::burn_avx2` alone names this type.
    #[derive(Clone, Copy)]
    pub(in crate::sim::cpu::fire) struct Avx2([__m256i; 2]);

    /// Each byte of 32 all ones where its bit of `mask` is set.
    #[inline(always)]
    fn spread(mask: u32) -> __m256i {
        // SAFETY: see the type.
        unsafe {
            let bytes = _mm256_setr_epi64x(
                0,
                0x0101_0101_0101_0101,
                0x0202_0202_0202_0202,
                0x0303_0303_0303_0303,
            );
            let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
            let mask = _mm256_shuffle_epi8(_mm256_set1_epi32(mask.cast_signed()), bytes);
            _mm256_cmpeq_epi8(_mm256_and_si256(mask, bit), bit)
        }
    }

    /// `noise::bits` of the eight words from `word` on.
    #[inline(always)]
    fn draws_of_half(key: u32, word: u32) -> __m256i {
        // SAFETY: see the type.
        unsafe {
            let all = |word: u32| _mm256_set1_epi32(word.cast_signed());
            let words = _mm256_add_epi32(all(word), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
            let h = _mm256_xor_si256(_mm256_mullo_epi32(words, all(0x9e37_79b9)), all(key));
            let h = _mm256_xor_si256(h, _mm256_srli_epi32::<16>(h));
            let h = _mm256_mullo_epi32(h, all(0x7feb_352d));
            let h = _mm256_xor_si256(h, _mm256_srli_epi32::<15>(h));
            let h = _mm256_mullo_epi32(h, all(0x846c_a68b));
            _mm256_xor_si256(h, _mm256_srli_epi32::<16>(h))
        }
    }

    // SAFETY (all blocks below): the processor has AVX2, see the type; loads and stores are of
    // whole blocks in arrays and need no alignment.
    impl Lanes for Avx2 {
        #[inline(always)]
        fn load(cells: &[u8]) -> Self {
            let mut part = [0; BLOCK];
            let block = cells.as_array().unwrap_or_else(|| {
                part[..cells.len()].copy_from_slice(cells);
                &part
            });
            let [low, high] = [&block[..BLOCK / 2], &block[BLOCK / 2..]];
            unsafe { Self([low, high].map(|half| _mm256_loadu_si256(half.as_ptr().cast()))) }
        }

        #[inline(always)]
        fn store(self, cells: &mut [u8]) {
            let mut block = [0; BLOCK];
            for (half, from) in block.chunks_exact_mut(BLOCK / 2).zip(self.0) {
                unsafe { _mm256_storeu_si256(half.as_mut_ptr().cast(), from) }
            }
            cells.copy_from_slice(&block[..cells.len()]);
        }

        #[inline(always)]
        fn holding(self) -> u64 {
            let quiet = |half| unsafe {
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, _mm256_setzero_si256()))
            };
            let [low, high] = self.0;
            !(u64::from(quiet(low).cast_unsigned()) | u64::from(quiet(high).cast_unsigned()) << 32)
        }

        #[inline(always)]
        fn lowered(self) -> Self {
            let [low, high] = self.0;
            unsafe {
                let one = _mm256_set1_epi8(1);
                Self([_mm256_subs_epu8(low, one), _mm256_subs_epu8(high, one)])
            }
        }

        #[inline(always)]
        fn above(self, other: Self) -> u64 {
            let ([low, high], [other_low, other_high]) = (self.0, other.0);
            unsafe {
                let low = _mm256_subs_epu8(low, other_low);
                Self([low, _mm256_subs_epu8(high, other_high)]).holding()
            }
        }

        #[inline(always)]
        fn with(self, mask: u64, other: Self) -> Self {
            let ([low, high], [other_low, other_high]) = (self.0, other.0);
            let put = |cells, other, mask| unsafe {
                let other = _mm256_max_epu8(other, _mm256_set1_epi8(1));
                _mm256_blendv_epi8(cells, other, spread(mask))
            };
            Self([put(low, other_low, mask as u32), put(high, other_high, (mask >> 32) as u32)])
        }

        #[inline(always)]
        fn draws(key: u32, word: u32) -> Self {
            Self([draws_of_half(key, word), draws_of_half(key, word.wrapping_add(8))])
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Lanes};

    /// A block in one AVX-512 register. Its methods must only run where AVX-512 F and BW were
    /// detected: `fire::burn_avx512` alone names this type.
    #[derive(Clone, Copy)]
    pub(in crate::sim::cpu::fire) struct Avx512(__m512i);

    /// The first `count` of a block.
    #[inline(always)]
    fn first(count: usize) -> u64 {
        assert!(0 < count && count <= BLOCK);
        !0 >> (BLOCK - count)
    }

    // SAFETY (all blocks below): the processor has AVX-512 F and BW, see the type; loads and
    // stores go through slices, touch only the bytes of their mask and need no alignment.
    impl Lanes for Avx512 {
        #[inline(always)]
        fn load(cells: &[u8]) -> Self {
            unsafe { Self(_mm512_maskz_loadu_epi8(first(cells.len()), cells.as_ptr().cast())) }
        }

        #[inline(always)]
        fn store(self, cells: &mut [u8]) {
            let mask = first(cells.len());
            unsafe { _mm512_mask_storeu_epi8(cells.as_mut_ptr().cast(), mask, self.0) }
        }

        #[inline(always)]
        fn holding(self) -> u64 {
            unsafe { _mm512_test_epi8_mask(self.0, self.0) }
        }

        #[inline(always)]
        fn lowered(self) -> Self {
            unsafe { Self(_mm512_subs_epu8(self.0, _mm512_set1_epi8(1))) }
        }

        #[inline(always)]
        fn above(self, other: Self) -> u64 {
            unsafe { _mm512_cmpgt_epu8_mask(self.0, other.0) }
        }

        #[inline(always)]
        fn with(self, mask: u64, other: Self) -> Self {
            unsafe { Self(_mm512_mask_max_epu8(self.0, mask, other.0, _mm512_set1_epi8(1))) }
        }

        /// `noise::bits` of 16 words, which the compiler does not make vector code of.
        #[inline(always)]
        fn draws(key: u32, word: u32) -> Self {
            unsafe {
                let all = |word: u32| _mm512_set1_epi32(word.cast_signed());
                let ahead = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
                let words = _mm512_add_epi32(all(word), ahead);
                let h = _mm512_xor_si512(_mm512_mullo_epi32(words, all(0x9e37_79b9)), all(key));
                let h = _mm512_xor_si512(h, _mm512_srli_epi32::<16>(h));
                let h = _mm512_mullo_epi32(h, all(0x7feb_352d));
                let h = _mm512_xor_si512(h, _mm512_srli_epi32::<15>(h));
                let h = _mm512_mullo_epi32(h, all(0x846c_a68b));
                Self(_mm512_xor_si512(h, _mm512_srli_epi32::<16>(h)))
            }
        }
    }
}
