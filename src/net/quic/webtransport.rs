//! What WebTransport adds to QUIC, as bytes: HTTP/3's settings, one CONNECT, and prefixes that say
//! which session a stream or a datagram is of.

use bytes::{Buf, Bytes, BytesMut};
use web_transport_proto::{
    Capsule, ConnectError, ConnectRequest, ConnectResponse, Frame, Settings, VarInt, error_to_http3,
};

use crate::net::WEBTRANSPORT_PATH;
use crate::protocol::CloseReason;

/// Bytes at the beginning of a stream in which it has to say what it is. Browsers take a few
/// hundred for the CONNECT.
pub(super) const HEAD_BYTES_MAX: usize = 4_096;

/// What a stream that the peer has opened turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// It cannot be told yet.
    Incomplete,
    /// A request for a session on our path.
    Connect,
    /// A stream of a session; what is said on it begins after `header_bytes`.
    Stream { session: u64, header_bytes: usize },
    /// It is nothing that is served here.
    Refused,
}

/// Tells from its first bytes what a bidirectional stream is.
pub(super) fn head(bytes: &[u8]) -> Head {
    if bytes.len() > HEAD_BYTES_MAX {
        return Head::Refused;
    }
    let mut rest = bytes;
    let Ok(frame) = Frame::decode(&mut rest) else { return Head::Incomplete };
    if frame == Frame::WEBTRANSPORT {
        return VarInt::decode(&mut rest).map_or(Head::Incomplete, |session| Head::Stream {
            session: session.into_inner(),
            header_bytes: bytes.len() - rest.len(),
        });
    }
    match ConnectRequest::decode(&mut &bytes[..]) {
        Ok(request) if request.url.path() == WEBTRANSPORT_PATH => Head::Connect,
        Err(ConnectError::UnexpectedEnd) => Head::Incomplete,
        Ok(_) | Err(_) => Head::Refused,
    }
}

/// What the server says first, on a unidirectional stream of its own that stays open.
pub(super) fn settings() -> Vec<u8> {
    let mut settings = Settings::default();
    settings.enable_webtransport(1);
    let mut bytes = Vec::new();
    settings.encode(&mut bytes);
    bytes
}

/// The answer to a CONNECT.
pub(super) fn response() -> Vec<u8> {
    let mut bytes = Vec::new();
    ConnectResponse::OK.encode(&mut bytes).expect("a status without headers always encodes");
    bytes
}

/// The last thing said on the stream of the CONNECT: why the session ends.
pub(super) fn farewell(reason: CloseReason) -> Vec<u8> {
    let (code, text) = (u32::from(reason as u8), reason.text().to_owned());
    let mut capsule = Vec::new();
    Capsule::CloseWebTransportSession { code, reason: text }.encode(&mut capsule);
    let mut bytes = Vec::new();
    Frame::DATA.encode(&mut bytes);
    VarInt::from_u32(capsule.len() as u32).encode(&mut bytes);
    bytes.extend_from_slice(&capsule);
    bytes
}

/// The code with which a connection ends for this reason.
pub(super) fn error_code(reason: CloseReason) -> u64 {
    error_to_http3(u32::from(reason as u8))
}

/// Puts in front of a datagram which session it is of: a quarter of the number of its stream.
pub(super) fn wrap(session: u64, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(VarInt::MAX_SIZE + message.len());
    VarInt::from_u64(session / 4).expect("it is a quarter of one").encode(&mut bytes);
    bytes.extend_from_slice(message);
    bytes.freeze()
}

/// The message of a datagram, if it is of this session.
pub(super) fn unwrap(session: u64, mut datagram: Bytes) -> Option<Bytes> {
    let mut rest = &datagram[..];
    let quarter = VarInt::decode(&mut rest).ok()?;
    let prefix_bytes = datagram.len() - rest.len();
    datagram.advance(prefix_bytes);
    (quarter.into_inner() == session / 4).then_some(datagram)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A CONNECT as RFC 9114 and RFC 9204 write it, every field spelt out.
    fn request(path: &str) -> Vec<u8> {
        let mut fields = vec![0, 0];
        let pairs = [
            (":method", "CONNECT"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", path),
            (":protocol", "webtransport"),
        ];
        for (name, value) in pairs {
            match name.len() as u8 {
                short @ 0..7 => fields.push(0x20 | short),
                long => fields.extend_from_slice(&[0x27, long - 7]),
            }
            fields.extend_from_slice(name.as_bytes());
            fields.push(value.len() as u8);
            fields.extend_from_slice(value.as_bytes());
        }
        let mut bytes = vec![1, 0x40 | (fields.len() >> 8) as u8, fields.len() as u8];
        bytes.extend_from_slice(&fields);
        bytes
    }

    #[test]
    fn streams_are_told_apart_however_little_has_come() {
        let connect = request(WEBTRANSPORT_PATH);
        for end in 0..connect.len() {
            assert_eq!(head(&connect[..end]), Head::Incomplete, "{end} bytes");
        }
        assert_eq!(head(&connect), Head::Connect);
        assert_eq!(head(&request("/elsewhere")), Head::Refused);
        let stream = [0x40, 0x41, 0x04, 9, 9];
        for end in 0..3 {
            assert_eq!(head(&stream[..end]), Head::Incomplete, "{end} bytes");
        }
        assert_eq!(head(&stream), Head::Stream { session: 4, header_bytes: 3 });
        assert_eq!(head(&vec![1; HEAD_BYTES_MAX + 1]), Head::Refused);
        assert_eq!(head(&[0, 1, 7]), Head::Refused, "data without a request");
    }

    #[test]
    fn datagrams_carry_their_session() {
        for session in [0, 4, 4_096, 1 << 40] {
            let wrapped = wrap(session, b"frame");
            assert_eq!(unwrap(session, wrapped.clone()).as_deref(), Some(&b"frame"[..]));
            assert_eq!(unwrap(session + 4, wrapped), None);
        }
        assert_eq!(unwrap(0, Bytes::new()), None);
    }
}
