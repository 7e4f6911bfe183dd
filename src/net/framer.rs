//! Messages on a stream: two bytes of length, little-endian, before each.

use bytes::{Buf, Bytes};

use crate::protocol::CloseReason;

/// Puts a message with its length behind what waits.
pub(super) fn append(unwritten: &mut Vec<u8>, message: &[u8]) {
    let length = u16::try_from(message.len()).expect("no message has more than 4096 bytes");
    unwritten.extend_from_slice(&length.to_le_bytes());
    unwritten.extend_from_slice(message);
}

/// Cuts a stream into messages; a message that lies whole in one chunk is not copied.
#[derive(Debug)]
pub(super) struct Framer {
    partial: Vec<u8>,
    message_bytes_max: usize,
}

impl Framer {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self { partial: Vec::new(), message_bytes_max }
    }

    /// Takes what came next on the stream and delivers the messages that are complete.
    pub(super) fn push<F>(&mut self, mut chunk: Bytes, mut deliver: F) -> Result<(), CloseReason>
    where
        F: FnMut(Bytes) -> Result<(), CloseReason>,
    {
        while !chunk.is_empty() {
            if self.partial.is_empty() && chunk.len() >= 2 {
                let length = self.length([chunk[0], chunk[1]])?;
                if chunk.len() >= 2 + length {
                    chunk.advance(2);
                    deliver(chunk.split_to(length))?;
                    continue;
                }
            }
            let wanted = match self.partial[..] {
                [] | [_] => 2,
                [a, b, ..] => 2 + self.length([a, b])?,
            };
            let taken = chunk.len().min(wanted - self.partial.len());
            self.partial.extend_from_slice(&chunk[..taken]);
            chunk.advance(taken);
            if let [a, b, ..] = self.partial[..]
                && self.partial.len() == 2 + self.length([a, b])?
            {
                let mut message = Bytes::from(std::mem::take(&mut self.partial));
                message.advance(2);
                deliver(message)?;
            }
        }
        Ok(())
    }

    fn length(&self, prefix: [u8; 2]) -> Result<usize, CloseReason> {
        match usize::from(u16::from_le_bytes(prefix)) {
            0 => Err(CloseReason::Malformed),
            n if n > self.message_bytes_max => Err(CloseReason::TooLarge),
            n => Ok(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the stream in pieces of every size and returns the messages.
    fn cut(stream: &[u8], piece: usize, max: usize) -> Result<Vec<Vec<u8>>, CloseReason> {
        let mut framer = Framer::new(max);
        let mut messages = Vec::new();
        for part in stream.chunks(piece) {
            framer.push(Bytes::copy_from_slice(part), |message| {
                messages.push(message.to_vec());
                Ok(())
            })?;
        }
        Ok(messages)
    }

    #[test]
    fn any_cutting_gives_the_same_messages() {
        let mut stream = Vec::new();
        let messages: Vec<Vec<u8>> = (1..40_u8).map(|n| vec![n; usize::from(n) * 7]).collect();
        for message in &messages {
            append(&mut stream, message);
        }
        for piece in 1..400 {
            assert_eq!(cut(&stream, piece, 300).as_ref(), Ok(&messages), "pieces of {piece}");
        }
    }

    #[test]
    fn bad_lengths_are_refused() {
        for piece in 1..4 {
            assert_eq!(cut(&[0, 0, 0], piece, 300), Err(CloseReason::Malformed));
            assert_eq!(cut(&[45, 1, 0], piece, 300), Err(CloseReason::TooLarge));
        }
    }
}
