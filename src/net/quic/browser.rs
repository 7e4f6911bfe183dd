//! A browser on its way: from HTTP/3's first streams to the control stream.

use bytes::Bytes;
use quinn_proto::{Connection as Proto, Dir, StreamId};

use super::stream::{Read, read_stream};
use super::webtransport::{self, Head};

/// A browser between the handshake of QUIC and its control stream.
#[derive(Debug, Default)]
pub(super) struct Browser {
    /// The stream of its CONNECT, once it was answered.
    pub(super) session: Option<StreamId>,
    /// Streams that have not said what they are.
    unknown: Vec<Unknown>,
}

/// A stream of a browser, as far as it was read to learn what it is.
#[derive(Debug)]
struct Unknown {
    stream: StreamId,
    bytes: Vec<u8>,
    read: Read,
}

/// The control stream, what was read of it to find it, and how far.
pub(super) struct Begun {
    pub(super) stream: StreamId,
    pub(super) bytes: Bytes,
    pub(super) read: Read,
}

impl Browser {
    /// Answers the CONNECT and finds the stream that the session's client opens. An error: it says
    /// something else than that.
    pub(super) fn find_control(&mut self, quic: &mut Proto) -> Result<Option<Begun>, ()> {
        while let Some(stream) = quic.streams().accept(Dir::Uni) {
            let _ = read_stream(quic, stream, |_| Ok(()));
        }
        while let Some(stream) = quic.streams().accept(Dir::Bi) {
            self.unknown.push(Unknown { stream, bytes: Vec::new(), read: Read::Dry });
        }
        let mut at = 0;
        while at < self.unknown.len() {
            let Unknown { stream, bytes, read } = &mut self.unknown[at];
            let stream = *stream;
            let take = |chunk: Bytes| {
                bytes.extend_from_slice(&chunk);
                Ok(())
            };
            // What was read to its end gives nothing more, and is then dry.
            let now = read_stream(quic, stream, take).map_err(|_| ())?;
            if *read != Read::Finished {
                *read = now;
            }
            match (webtransport::head(bytes), self.session) {
                (Head::Connect, None) if *read != Read::Finished => {
                    let _ = quic.send_stream(stream).write(&webtransport::response());
                    self.session = Some(stream);
                    self.unknown.remove(at);
                    // What came before the CONNECT may be of its session.
                    at = 0;
                }
                (Head::Stream { session, header_bytes }, Some(own)) => {
                    if session != u64::from(own) {
                        return Err(());
                    }
                    let bytes = Bytes::copy_from_slice(&bytes[header_bytes..]);
                    return Ok(Some(Begun { stream, bytes, read: *read }));
                }
                (Head::Refused | Head::Connect, _) => return Err(()),
                (Head::Incomplete, _) if *read == Read::Finished => return Err(()),
                (Head::Incomplete, _) | (Head::Stream { .. }, None) => at += 1,
            }
        }
        Ok(None)
    }

    /// Whether more has come than one pass takes.
    pub(super) fn has_more(&self) -> bool {
        self.unknown.iter().any(|unknown| unknown.read == Read::More)
    }
}
