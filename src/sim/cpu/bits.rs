//! Bytes to bits: the planes of a zone are bytes, several kernels work on bits.

/// Bit i of the result says whether byte i is not 0.
#[inline(always)]
pub(super) fn pack(bytes: &[u8; 8]) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let bytes = u64::from_le_bytes(*bytes);
    // The top bit of each byte that is not 0, moved to bit 0 and gathered by a product.
    let ones = ((((bytes & LOW) + LOW) | bytes) & !LOW) >> 7;
    ones.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The same for at most 64 bytes.
#[inline(always)]
pub(super) fn pack_row(bytes: &[u8]) -> u64 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut word = 0;
    for (i, eight) in eights.iter().enumerate() {
        word |= pack(eight) << (8 * i);
    }
    for (i, &byte) in rest.iter().enumerate() {
        word |= u64::from(byte != 0) << (8 * eights.len() + i);
    }
    word
}

/// The same for 64 bytes, in the instructions that every x86-64 has.
#[inline(always)]
pub(super) fn pack_block(bytes: &[u8; 64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_setzero_si128,
        };
        let (parts, _) = bytes.as_chunks::<16>();
        let quiet = parts.iter().rev().fold(0, |word, part| {
            // SAFETY: every x86-64 has SSE2; the load is of 16 bytes and needs no alignment.
            let mask = unsafe {
                let part = _mm_loadu_si128(part.as_ptr().cast());
                _mm_movemask_epi8(_mm_cmpeq_epi8(part, _mm_setzero_si128()))
            };
            word << 16 | u64::from(mask as u16)
        });
        !quiet
    }
    #[cfg(not(target_arch = "x86_64"))]
    pack_row(bytes)
}

/// The numbers of the bits that are set, lowest first.
#[inline(always)]
pub(super) fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(bit as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::{ones, pack, pack_block, pack_row};

    #[test]
    fn every_byte_but_0_is_a_1() {
        for byte in 0..=255_u8 {
            for i in 0..8 {
                let mut bytes = [0; 8];
                bytes[i] = byte;
                assert_eq!(pack(&bytes), u64::from(byte != 0) << i);
                assert_eq!(pack(&[byte; 8]), if byte == 0 { 0 } else { 255 });
            }
        }
    }

    #[test]
    fn rows_of_any_length_are_packed_and_unpacked() {
        for length in 0..=64 {
            let bytes: Vec<u8> = (0..length).map(|i| u8::from(i % 3 == 1) * 7).collect();
            let expected: Vec<usize> = (1..length).step_by(3).collect();
            assert_eq!(ones(pack_row(&bytes)).collect::<Vec<_>>(), expected);
            let mut block = [0; 64];
            block[..length].copy_from_slice(&bytes);
            assert_eq!(ones(pack_block(&block)).collect::<Vec<_>>(), expected);
        }
    }
}
