//! Sockets: QUIC, WebTransport, WebSocket and HTTP, for the server's side and the client's.
//!
//! Entry types: [`quic::Pool`], [`websocket::Pool`], [`http::serve`] and [`client::Connector`].
//! The gateway thread owns both pools: it reads them at tick boundaries, and what it gives them to
//! send they take or refuse, rather than queue without bound. It must never look into a message,
//! know a session or hold a rule: bytes in, bytes out, and a `CloseReason`.

#[cfg(feature = "server")]
pub mod certificate;
pub mod client;
mod framer;
#[cfg(feature = "server")]
pub mod http;
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
    /// A TCP connection that speaks WebSocket from here on: for the [`websocket::Pool`], which
    /// chooses its id.
    Upgraded(Upgraded),
    /// The certificate to show from now on: for the [`quic::Pool`].
    Renewed(tls::Identity),
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The kernel or QUIC has it.
    Sent,
    /// It waits, with this many bytes in all.
    Queued { bytes: usize },
    /// It was dropped: the peer takes too little.
    Slow,
    /// There is no such connection any more.
    Gone,
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
