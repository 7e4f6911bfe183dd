//! What a message of the journal holds.

use crate::journal::Entry;
use crate::model::{Tick, ZoneId};

/// A message of a zone's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// With who wrote it: a number that a journal draws when it is opened.
    Entry { writer: u64, entry: Entry },
    /// All entries up to this tick are pruned.
    Pruned { writer: u64, tick: Tick },
}

/// Bytes before those of an entry.
pub(super) const HEAD_BYTES: usize = 1 + 8 + 8 + 4 + 1 + 8;
const ENTRY: u8 = 1;
const PRUNED: u8 = 2;

impl Record {
    pub(super) fn tick(&self) -> Tick {
        match self {
            Self::Entry { entry, .. } => entry.tick,
            Self::Pruned { tick, .. } => *tick,
        }
    }

    pub(super) fn writer(&self) -> u64 {
        match self {
            Self::Entry { writer, .. } | Self::Pruned { writer, .. } => *writer,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Entry { writer, entry } => {
                let Entry { zone: _, tick, version, hash, bytes: inputs } = entry;
                bytes.reserve(HEAD_BYTES + inputs.len());
                bytes.push(ENTRY);
                bytes.extend(writer.to_le_bytes());
                bytes.extend(tick.0.to_le_bytes());
                bytes.extend(version.to_le_bytes());
                bytes.push(u8::from(hash.is_some()));
                bytes.extend(hash.unwrap_or(0).to_le_bytes());
                bytes.extend(inputs);
            }
            Self::Pruned { writer, tick } => {
                bytes.push(PRUNED);
                bytes.extend(writer.to_le_bytes());
                bytes.extend(tick.0.to_le_bytes());
            }
        }
        bytes
    }

    /// `None` for what no journal writes.
    pub(super) fn decode(zone: ZoneId, bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        let (&writer, rest) = rest.split_first_chunk()?;
        let (&tick, rest) = rest.split_first_chunk()?;
        let (writer, tick) = (u64::from_le_bytes(writer), Tick(u64::from_le_bytes(tick)));
        match kind {
            ENTRY => {
                let (&version, rest) = rest.split_first_chunk()?;
                let (&is_hashed, rest) = rest.split_first()?;
                let (&hash, inputs) = rest.split_first_chunk()?;
                let hash = match is_hashed {
                    0 => None,
                    1 => Some(u64::from_le_bytes(hash)),
                    _ => return None,
                };
                let version = u32::from_le_bytes(version);
                let entry = Entry { zone, tick, version, hash, bytes: inputs.to_vec() };
                Some(Self::Entry { writer, entry })
            }
            PRUNED if rest.is_empty() => Some(Self::Pruned { writer, tick }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_come_back_and_nothing_else_is_one(
            writer: u64, tick: u64, version: u32, hash: Option<u64>, bytes: Vec<u8>, cut in 0..29_usize,
        ) {
            let zone = ZoneId(7);
            let entry = Entry { zone, tick: Tick(tick), version, hash, bytes };
            let entry = Record::Entry { writer, entry };
            let mark = Record::Pruned { writer, tick: Tick(tick) };
            prop_assert_eq!(Record::decode(zone, &entry.encode()), Some(entry.clone()));
            prop_assert_eq!(Record::decode(zone, &mark.encode()), Some(mark.clone()));
            prop_assert_eq!(Record::decode(zone, &entry.encode()[..cut]), None);
            prop_assert_eq!(Record::decode(zone, &mark.encode()[..cut.min(16)]), None);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            if let Some(record) = Record::decode(ZoneId(1), &bytes) {
                prop_assert_eq!(record.encode().len(), bytes.len());
            }
        }
    }
}
