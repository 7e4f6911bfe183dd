//! Sockets: QUIC, WebTransport, WebSocket and HTTP, for the server's side and the client's.
//!
//! Entry types: [`quic::QuicServer`], [`websocket::Pool`], [`http::serve`] and
//! [`client::Connector`]. What arrives leaves this room as [`NetEvent`] (or from the pool, which
//! the gateway thread reads itself at tick boundaries); what a peer is sent goes through a
//! [`Link`] or the pool, both of which refuse rather than queue without bound. It must never look
//! into a message, know a session or hold a rule: bytes in, bytes out, and a `CloseReason`.

#[cfg(feature = "server")]
pub mod certificate;
pub mod client;
#[cfg(feature = "server")]
pub mod http;
mod link;
mod pump;
#[cfg(feature = "server")]
pub mod quic;
#[cfg(feature = "server")]
mod slots;
pub mod tls;
#[cfg(feature = "server")]
pub mod websocket;

#[cfg(test)]
#[cfg(feature = "server")]
mod tests;

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::protocol::CloseReason;

pub use link::{Link, LinkError};

/// Path of the WebTransport endpoint.
pub const WEBTRANSPORT_PATH: &str = "/wt";
/// Path of the WebSocket endpoint.
pub const WEBSOCKET_PATH: &str = "/ws";
/// The WebSocket close code of close reason 0.
pub const WEBSOCKET_CLOSE_BASE: u16 = 4000;

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    WebSocket,
    Quic,
    WebTransport,
}

impl Transport {
    /// Every transport.
    pub const ALL: &'static [Self] = &[Self::WebSocket, Self::Quic, Self::WebTransport];

    /// The value of the `transport` label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Quic => "quic",
            Self::WebTransport => "webtransport",
        }
    }
}

/// What the asynchronous side tells the gateway thread.
#[derive(Debug)]
pub enum NetEvent {
    /// A QUIC or WebTransport connection has its control stream.
    Opened { id: u64, peer: SocketAddr, transport: Transport, link: Link },
    /// One message, without its length prefix; 1 to `CLIENT_MESSAGE_BYTES_MAX` bytes.
    Message { id: u64, bytes: Bytes },
    /// The connection is over; nothing of this id follows. With the reason where this side ended it.
    Closed { id: u64, reason: Option<CloseReason> },
    /// A TCP connection that speaks WebSocket from here on: the gateway thread gives it to its
    /// [`websocket::Pool`], which chooses the id.
    Upgraded(Upgraded),
}

/// A TCP connection after the WebSocket handshake.
#[derive(Debug)]
pub struct Upgraded {
    /// Non-blocking, and registered with no reactor.
    pub stream: TcpStream,
    /// What the peer sent behind its handshake.
    pub leftover: Vec<u8>,
    pub peer: SocketAddr,
}

/// Numbers connections; one counter serves every transport of a process.
#[derive(Debug)]
pub struct ConnectionIds(AtomicU64);

impl Default for ConnectionIds {
    fn default() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl ConnectionIds {
    /// A number that was not given out before; never 0.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
