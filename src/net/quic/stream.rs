//! Reading of streams, a pass at a time.

use bytes::Bytes;
use quinn_proto::{Connection as Proto, ReadError, StreamId};

use crate::protocol::CloseReason;

/// Bytes taken from a stream at a time.
const CHUNK_BYTES_MAX: usize = 2_048;
/// Chunks of a stream, and datagrams, taken in one pass; the rest waits for the next.
pub(super) const CHUNKS_PER_PASS_MAX: usize = 16;

/// Why nothing more is read of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Violation(CloseReason),
    /// The peer has finished.
    Finished,
}

/// How reading of a stream stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Dry,
    Finished,
    /// There may be more than was taken.
    More,
}

/// Reads a stream as far as one pass takes.
pub(super) fn read_stream(
    quic: &mut Proto,
    stream: StreamId,
    mut take: impl FnMut(Bytes) -> Result<(), Ended>,
) -> Result<Read, Ended> {
    let mut stream = quic.recv_stream(stream);
    // Closed: it was read to its end before.
    let Ok(mut chunks) = stream.read(true) else { return Ok(Read::Dry) };
    let mut result = Ok(Read::More);
    for _ in 0..CHUNKS_PER_PASS_MAX {
        match chunks.next(CHUNK_BYTES_MAX) {
            Ok(Some(chunk)) => {
                if let Err(ended) = take(chunk.bytes) {
                    result = Err(ended);
                    break;
                }
            }
            // Who resets a stream says no more on it either.
            Ok(None) | Err(ReadError::Reset(_)) => {
                result = Ok(Read::Finished);
                break;
            }
            Err(ReadError::Blocked) => {
                result = Ok(Read::Dry);
                break;
            }
        }
    }
    // What there is to send goes with the next packet.
    let _ = chunks.finalize();
    result
}
