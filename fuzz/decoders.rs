//! Every decoder of bytes that somebody else wrote, as the fuzz targets and the tests call it.
//!
//! A decoder takes any bytes, tells whether it accepts them, and never panics. What it accepts
//! must survive being encoded again.

#![allow(dead_code, reason = "a fuzz target uses one of them")]

use undercroft::game::state::Input;
use undercroft::model::limits::ACTORS_IN_VIEW_MAX;
use undercroft::protocol::bus::{Bundle, ToZone};
use undercroft::protocol::frame::FrameReader;
use undercroft::protocol::{ClientMessage, ServerMessage};

/// A decoder: whether it accepts the bytes.
pub(crate) type Decoder = fn(&[u8]) -> bool;

/// Every decoder, by the name of its fuzz target and of its folder in `corpus`.
pub(crate) const DECODERS: &[(&str, Decoder)] = &[
    ("client_message", client_message),
    ("server_message", server_message),
    ("frame", frame),
    ("bus", bus),
    ("journal_entry", journal_entry),
];

/// What a client sends to a server.
pub(crate) fn client_message(bytes: &[u8]) -> bool {
    let Ok(message) = ClientMessage::decode(bytes) else { return false };
    assert_eq!(ClientMessage::decode(&message.encode()), Ok(message));
    true
}

/// What a server sends to a client.
pub(crate) fn server_message(bytes: &[u8]) -> bool {
    let Ok(message) = ServerMessage::decode(bytes) else { return false };
    assert_eq!(ServerMessage::decode(&message.encode()), Ok(message));
    true
}

/// A run of frames on one connection, each preceded by its length as `u16`; accepted if every
/// frame is applied.
pub(crate) fn frame(bytes: &[u8]) -> bool {
    let mut reader = FrameReader::default();
    let mut rest = bytes;
    let mut is_accepted = !rest.is_empty();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(tail.len());
        let (frame, tail) = tail.split_at(length);
        rest = tail;
        is_accepted &= matches!(reader.apply(frame), Ok(Some(_)));
        if let Some(view) = reader.view() {
            assert!(view.actors.len() <= ACTORS_IN_VIEW_MAX);
            let _ = view.hash();
        }
    }
    is_accepted
}

/// What gateways and instances say to each other.
pub(crate) fn bus(bytes: &[u8]) -> bool {
    let to_zone = postcard::from_bytes::<ToZone>(bytes);
    let bundle = postcard::from_bytes::<Bundle>(bytes);
    if let Ok(message) = &to_zone {
        let again = postcard::to_stdvec(message).expect("messages are plain data");
        assert_eq!(postcard::from_bytes::<ToZone>(&again).as_ref(), Ok(message));
    }
    to_zone.is_ok() || bundle.is_ok()
}

/// The inputs of one tick in a journal.
pub(crate) fn journal_entry(bytes: &[u8]) -> bool {
    postcard::from_bytes::<Vec<Input>>(bytes).is_ok()
}
