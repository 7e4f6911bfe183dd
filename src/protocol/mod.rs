//! The wire: what clients, gateways and instances say to each other, and its encoding.
//!
//! Entry types: [`ClientMessage`], [`ServerMessage`] and [`frame`]. Pure; a decoder never panics
//! and never allocates more than the bounds of `model::limits` allow. It must never know a rule of
//! the game: looks, kinds and note codes are numbers here, explained by the content tables.

pub mod bits;
pub mod bus;
pub mod close;
pub mod event;
pub mod frame;
pub mod message;
pub mod view;
pub mod wire;

pub use close::CloseReason;
pub use event::{Event, Who};
pub use message::{ClientMessage, ServerMessage};
pub use view::{ActorView, EffectView, ItemView, Me, Place, View};

/// Version of everything in this room; a server refuses any other.
pub const VERSION: u16 = 2;
/// The ALPN name of the native QUIC protocol.
pub const ALPN: &[u8] = b"undercroft/1";

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("message ends early")]
    Truncated,
    #[error("message is longer than {0} bytes")]
    TooLong(usize),
    #[error("message has {0} bytes too many")]
    Trailing(usize),
    #[error("unknown {what} {number}")]
    Unknown { what: &'static str, number: u32 },
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    #[error("text is not valid UTF-8")]
    Text,
    #[error("frame builds on frame {0}, which is not at hand")]
    NoBaseline(u32),
    #[error("frame does not lead to the state the server has")]
    Hash,
}
