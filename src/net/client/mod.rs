//! The client's side: one connector for bots, the terminal client and tests.

mod link;
mod pump;
mod websocket;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Endpoint, TransportConfig, VarInt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use web_transport_quinn::Session;
use web_transport_quinn::proto::ConnectRequest;

use self::link::Link;
use self::pump::{Closing, End, Pump, Via};
use super::tls::{Trust, client_config};
use super::{Transport, WEBTRANSPORT_PATH};
use crate::protocol::{ALPN, CloseReason};

/// Messages that may wait for the program; datagrams beyond are lost, anything else closes.
const INBOX_MESSAGES_MAX: usize = 256;
/// How long a connection may take to stand.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Below what a server counts as idle, also through a home router's memory.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const IDLE_TIME_MAX_MS: u32 = 15_000;
/// Bytes that may be under way to us.
const WINDOW_BYTES: u32 = 64 * 1024;
/// Connections of one UDP socket. Frames come to all of them at once, and the kernel's usual buffer
/// of 208 KiB holds about 160 small packets.
const CONNECTIONS_PER_SOCKET_MAX: usize = 64;
/// Streams that an HTTP/3 server opens of its own.
const H3_UNI_STREAMS: u32 = 4;

pub use self::link::LinkError;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{address:?} is no address: give host:port")]
    Address { address: String },
    #[error("wss:// is spoken by browsers only: give host:port or ws://host:port/path")]
    Encrypted,
    #[error("{address} is not a loopback address: give the hash of the server's certificate")]
    NotLoopback { address: SocketAddr },
    #[error("opening a socket failed")]
    Socket(#[from] io::Error),
    #[error("{address} does not answer within {CONNECT_TIME_MAX:?}")]
    TimedOut { address: String },
    #[error("the QUIC settings do not fit")]
    Settings(#[from] quinn::ConnectError),
    #[error("the QUIC handshake failed")]
    Handshake(#[from] quinn::ConnectionError),
    #[error("the WebTransport handshake failed")]
    WebTransport(#[from] web_transport_quinn::ClientError),
    #[error("the control stream did not open")]
    Stream(#[from] web_transport_quinn::SessionError),
    #[error("the WebSocket handshake failed")]
    WebSocket(#[from] Box<tungstenite::Error>),
}

/// Connects clients; QUIC connections of one connector share UDP sockets.
#[derive(Debug)]
pub struct Connector {
    trust: Trust,
    endpoints: Mutex<Vec<Endpoint>>,
    native: quinn::ClientConfig,
    browser: quinn::ClientConfig,
}

/// An open connection.
#[derive(Debug)]
pub struct Connected {
    pub link: ClientLink,
    /// Encoded server messages; ends when the connection does. [`ClientLink::closed`] says why.
    pub messages: mpsc::Receiver<Bytes>,
}

/// Sends to the server; the connection closes when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct ClientLink {
    way: Way,
    end: Arc<OnceLock<Option<CloseReason>>>,
}

#[derive(Clone, Debug)]
enum Way {
    Quic(Link),
    WebSocket { outbox: mpsc::Sender<Bytes>, closing: Arc<Closing> },
}

impl ClientLink {
    /// Sends one message, in order.
    pub fn send(&self, message: Bytes) -> Result<(), LinkError> {
        match &self.way {
            Way::Quic(link) => link.send_reliable(message),
            Way::WebSocket { outbox, .. } => {
                outbox.try_send(message).map_err(|error| match error {
                    mpsc::error::TrySendError::Full(_) => LinkError::Full,
                    mpsc::error::TrySendError::Closed(_) => LinkError::Closed,
                })
            }
        }
    }

    /// Sends one message that may get lost, where the carrier can; otherwise like [`Self::send`].
    pub fn send_datagram(&self, message: Bytes) -> Result<(), LinkError> {
        match &self.way {
            Way::Quic(link) => link.send_datagram(message),
            Way::WebSocket { .. } => self.send(message),
        }
    }

    /// Ends the connection after what was sent before.
    pub fn close(&self) {
        match &self.way {
            Way::Quic(link) => link.close(CloseReason::Goodbye),
            Way::WebSocket { closing, .. } => closing.tell(CloseReason::Goodbye),
        }
    }

    /// Whether the connection is over, and with which reason of the server's, if it gave one.
    #[must_use]
    pub fn closed(&self) -> Option<Option<CloseReason>> {
        self.end.get().copied()
    }

    /// The round-trip time as QUIC measures it.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        match &self.way {
            Way::Quic(link) => Some(link.rtt()),
            Way::WebSocket { .. } => None,
        }
    }
}

impl Connector {
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        let native = quic_config(&trust, ALPN);
        let browser = quic_config(&trust, web_transport_quinn::ALPN.as_bytes());
        Self { trust, endpoints: Mutex::default(), native, browser }
    }

    /// Connects to `host:port`; for WebSocket also `ws://host:port/path`. Must be called inside a
    /// tokio runtime, the same one for the whole life of the connector.
    pub async fn connect(
        &self,
        transport: Transport,
        address: &str,
    ) -> Result<Connected, ConnectError> {
        let connecting = async {
            match transport {
                Transport::WebSocket => websocket::connect(address).await,
                Transport::Quic => {
                    let connection = self.handshake(address, &self.native).await?;
                    open(Session::raw(connection)).await
                }
                Transport::WebTransport => {
                    let connection = self.handshake(address, &self.browser).await?;
                    let url = format!("https://{address}{WEBTRANSPORT_PATH}");
                    let url = parse_as(&url, |request: ConnectRequest| request.url)
                        .ok_or_else(|| bad_address(address))?;
                    let request = ConnectRequest::from(url);
                    open(Session::connect(connection, request).await?).await
                }
            }
        };
        let too_late = |_| ConnectError::TimedOut { address: address.to_owned() };
        timeout(CONNECT_TIME_MAX, connecting).await.map_err(too_late)?
    }

    /// Waits until the peers know of every closed connection.
    pub async fn wait_closed(&self) {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for endpoint in endpoints {
            endpoint.wait_idle().await;
        }
    }

    async fn handshake(
        &self,
        address: &str,
        config: &quinn::ClientConfig,
    ) -> Result<quinn::Connection, ConnectError> {
        let (host, _) = address.rsplit_once(':').ok_or_else(|| bad_address(address))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let resolved = resolve(address).await?;
        if self.trust == Trust::AnyOnLoopback && !resolved.ip().to_canonical().is_loopback() {
            return Err(ConnectError::NotLoopback { address: resolved });
        }
        let endpoint = self.endpoint()?;
        Ok(endpoint.connect_with(config.clone(), resolved, host)?.await?)
    }

    /// A socket with room: the newest, or another one.
    fn endpoint(&self) -> io::Result<Endpoint> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = endpoints.last()
            && newest.open_connections() < CONNECTIONS_PER_SOCKET_MAX
        {
            return Ok(newest.clone());
        }
        // A machine without IPv6 cannot bind the socket that serves both.
        let bound = Endpoint::client((Ipv6Addr::UNSPECIFIED, 0).into())
            .or_else(|_| Endpoint::client((Ipv4Addr::UNSPECIFIED, 0).into()))?;
        endpoints.push(bound.clone());
        Ok(bound)
    }
}

/// An address of `host:port`: an IPv4 one where there is a choice, since a QUIC client learns only
/// by waiting that nobody listens at the other.
async fn resolve(address: &str) -> Result<SocketAddr, ConnectError> {
    let found = tokio::net::lookup_host(address).await.map_err(|_| bad_address(address))?;
    found.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| bad_address(address))
}

/// Parses text as the type of a field, here one whose crate is not ours to name.
pub(super) fn parse_as<T: FromStr, U>(text: &str, _field: impl Fn(U) -> T) -> Option<T> {
    text.parse().ok()
}

fn bad_address(address: &str) -> ConnectError {
    ConnectError::Address { address: address.to_owned() }
}

/// Opens the control stream and starts the task that serves it.
async fn open(session: Session) -> Result<Connected, ConnectError> {
    let (send, recv) = session.open_bi().await?;
    let (link, line, outbox) = Link::new(session);
    let (inbox, messages) = mpsc::channel(INBOX_MESSAGES_MAX);
    let end = Arc::new(OnceLock::new());
    let ended = Arc::clone(&end);
    let pump = Pump { line, send, recv, outbox };
    tokio::spawn(async move {
        let result = pump.run(|message, via| match (inbox.try_send(message), via) {
            (Ok(()), _) | (Err(_), Via::Datagram) => Ok(()),
            (Err(_), Via::Stream) => Err(CloseReason::TooSlow),
        });
        let reason = match result.await {
            End::Peer(reason) => reason,
            End::Local(_) => None,
        };
        // Told before the inbox ends, so that whoever sees the end can ask why.
        let _ = ended.set(reason);
        drop(inbox);
    });
    Ok(Connected { link: ClientLink { way: Way::Quic(link), end }, messages })
}

pub(super) fn quic_config(trust: &Trust, alpn: &[u8]) -> quinn::ClientConfig {
    let tls = QuicClientConfig::try_from(client_config(trust, alpn));
    let tls = tls.expect("ring has the suite of initial packets");
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(H3_UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(WINDOW_BYTES))
        .receive_window(VarInt::from_u32(2 * WINDOW_BYTES))
        .datagram_receive_buffer_size(Some(WINDOW_BYTES as usize))
        .mtu_discovery_config(None)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_TIME_MAX_MS).into()));
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport));
    config
}
