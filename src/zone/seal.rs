//! A checksum on what is stored: a damaged byte is found when it is read, not when it is run.

use crate::game::rng::mix;

/// Bytes of the checksum.
const SEAL_BYTES: usize = 4;

/// Puts a checksum after the bytes.
#[must_use]
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

/// The bytes before the checksum, if it fits them.
pub(super) fn unseal(bytes: &[u8]) -> Result<&[u8], postcard::Error> {
    let (bytes, sum) = bytes.split_last_chunk().ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
    if checksum(bytes) == *sum { Ok(bytes) } else { Err(postcard::Error::DeserializeBadCrc) }
}

/// Words of eight bytes, each stirred into all before; the length tells apart what zeros fill up.
fn checksum(bytes: &[u8]) -> [u8; SEAL_BYTES] {
    let stir =
        |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let words = bytes.chunks_exact(8);
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    let sum = words.fold(bytes.len() as u64, |sum, word| {
        stir(sum, u64::from_le_bytes(word.try_into().expect("chunks of eight")))
    });
    let sum = mix(stir(sum, u64::from_le_bytes(last)));
    sum.to_le_bytes()[..SEAL_BYTES].try_into().expect("half of eight")
}

#[cfg(test)]
mod tests {
    use super::{seal, unseal};

    #[test]
    fn every_damage_is_noticed() {
        for length in [0, 1, 7, 8, 9, 100] {
            let bytes: Vec<u8> = (0..length).map(|i: u8| i.wrapping_mul(37)).collect();
            let sealed = seal(bytes.clone());
            assert_eq!(unseal(&sealed), Ok(&bytes[..]));
            for at in 0..sealed.len() {
                assert!(unseal(&sealed[..at]).is_err(), "cut at {at} of {length}");
                for bit in 0..8 {
                    let mut damaged = sealed.clone();
                    damaged[at] ^= 1 << bit;
                    assert!(unseal(&damaged).is_err(), "bit {bit} of byte {at} of {length}");
                }
            }
        }
    }
}
