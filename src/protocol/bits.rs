//! Bits, lowest first, for frames.

use super::DecodeError;

/// Appends bits to a buffer.
#[derive(Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl BitWriter {
    /// Goes on after the whole bytes of `bytes`.
    #[must_use]
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, pending: 0, count: 0 }
    }

    /// Appends the low `count` bits of `value`; `count` is at most 32 and `value` fits.
    pub fn bits(&mut self, value: u32, count: u32) {
        debug_assert!(count <= 32 && (count == 32 || value >> count == 0), "{value} in {count}");
        self.pending |= u64::from(value) << self.count;
        self.count += count;
        if self.count >= 32 {
            self.bytes.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.count -= 32;
        }
    }

    pub fn flag(&mut self, value: bool) {
        self.bits(u32::from(value), 1);
    }

    /// Elias gamma of `value + 1`: n zero bits, a one, then the low n bits.
    pub fn gamma(&mut self, value: u32) {
        debug_assert!(value < u32::MAX);
        let value = value + 1;
        let n = value.ilog2();
        let low = value & ((1 << n) - 1);
        if n < 16 {
            return self.bits((low << 1 | 1) << n, 2 * n + 1);
        }
        self.bits(0, n);
        self.bits(low << 1 | 1, n + 1);
    }

    /// A signed number as gamma: 0, -1, 1, -2, 2 ...
    pub fn signed(&mut self, value: i32) {
        self.gamma(((value << 1) ^ (value >> 31)) as u32);
    }

    /// Bits written so far, from the start of the buffer.
    #[must_use]
    pub fn bit_count(&self) -> usize {
        self.bytes.len() * 8 + self.count as usize
    }

    /// Fills the last byte with zeros and hands over the bytes.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let rest = self.count.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.pending.to_le_bytes()[..rest]);
        self.bytes
    }
}

/// Takes bits from a buffer.
#[derive(Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` bits, at most 32.
    pub fn bits(&mut self, count: u32) -> Result<u32, DecodeError> {
        let end = self.at + count as usize;
        if end > self.bytes.len() * 8 {
            return Err(DecodeError::Truncated);
        }
        let mut value = 0_u64;
        for (n, &byte) in self.bytes[self.at / 8..end.div_ceil(8)].iter().enumerate() {
            value |= u64::from(byte) << (8 * n);
        }
        value >>= self.at % 8;
        self.at = end;
        Ok((value & ((1 << count) - 1)) as u32)
    }

    pub fn flag(&mut self) -> Result<bool, DecodeError> {
        Ok(self.bits(1)? == 1)
    }

    /// The reverse of [`BitWriter::gamma`].
    pub fn gamma(&mut self) -> Result<u32, DecodeError> {
        let mut n = 0;
        while !self.flag()? {
            n += 1;
            if n > 31 {
                return Err(DecodeError::OutOfRange("gamma"));
            }
        }
        Ok(((1 << n) | self.bits(n)?) - 1)
    }

    /// The reverse of [`BitWriter::signed`].
    pub fn signed(&mut self) -> Result<i32, DecodeError> {
        let value = self.gamma()?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// The whole bytes after the current one.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at.div_ceil(8)..]
    }
}

#[cfg(test)]
mod tests {
    use super::{BitReader, BitWriter};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out(values in prop::collection::vec((any::<u32>(), 0_u32..=32, 0_u8..4), 0..50)) {
            let mut writer = BitWriter::default();
            let cut = |v: u32, n: u32| if n == 32 { v } else { v & ((1 << n) - 1) };
            for &(v, n, how) in &values {
                match how {
                    0 => writer.bits(cut(v, n), n),
                    1 => writer.gamma(cut(v, n).min(u32::MAX - 1)),
                    2 => writer.signed(cut(v, n.min(30)) as i32 - 5),
                    _ => writer.flag(v % 2 == 1),
                }
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for &(v, n, how) in &values {
                match how {
                    0 => prop_assert_eq!(reader.bits(n).unwrap(), cut(v, n)),
                    1 => prop_assert_eq!(reader.gamma().unwrap(), cut(v, n).min(u32::MAX - 1)),
                    2 => prop_assert_eq!(reader.signed().unwrap(), cut(v, n.min(30)) as i32 - 5),
                    _ => prop_assert_eq!(reader.flag().unwrap(), v % 2 == 1),
                }
            }
        }
    }
}
