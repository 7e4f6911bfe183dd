//! The server's QUIC endpoint: native clients and browsers on one UDP port, told apart by ALPN.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{Endpoint, EndpointConfig, IdleTimeout, Incoming, TransportConfig, VarInt};
use tokio::time::timeout;
use web_transport_quinn::http::StatusCode;
use web_transport_quinn::{Request, Session};

use super::pump::{End, Pace, Pump};
use super::slots::{Refused, Slot, Slots};
use super::tls::{Identity, TlsError};
use super::{ConnectionIds, Link, NetEvent, Transport, WEBTRANSPORT_PATH};
use crate::model::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::protocol::{ALPN, CloseReason};

/// Bytes one connection may have in flight towards us before they are read.
const RECEIVE_WINDOW_BYTES: u32 = 8 * 1024;
/// Bytes of a control stream that may be unacknowledged.
const SEND_WINDOW_BYTES: u64 = 16 * 1024;
/// Bytes of datagrams that may wait for the congestion controller: frames older than that are
/// better lost.
const DATAGRAM_BYTES_MAX: usize = 8 * 1024;
/// HTTP/3 needs three streams of the browser's own; Chrome opens no more.
const H3_UNI_STREAMS: u32 = 4;
/// The CONNECT request and the control stream.
const H3_BIDI_STREAMS: u32 = 2;

/// Limits of a QUIC endpoint.
#[derive(Clone, Debug)]
pub struct QuicConfig {
    /// Connections that are open.
    pub connections_max: usize,
    /// Connections of one address (IPv6: of one /64).
    pub per_address_max: usize,
    /// Connections that have not opened their control stream yet; more are refused.
    pub unfinished_max: usize,
    /// From how many unfinished ones a stranger must prove its address first (a Retry packet).
    pub retry_from: usize,
    /// How long a connection may take to open its control stream.
    pub handshake_timeout: Duration,
    /// A connection from which nothing comes for so long is over.
    pub idle_timeout: Duration,
    /// Messages a second that are read from one connection in the long run.
    pub messages_per_second_max: u32,
    /// Messages that are read at once.
    pub messages_burst_max: u32,
    /// Bytes asked of the kernel for each direction of the UDP socket.
    pub socket_buffer_bytes: usize,
}

impl Default for QuicConfig {
    fn default() -> Self {
        Self {
            connections_max: 4_000,
            per_address_max: 1_000,
            unfinished_max: 512,
            retry_from: 64,
            handshake_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(15),
            messages_per_second_max: 200,
            messages_burst_max: 100,
            socket_buffer_bytes: 4 * 1024 * 1024,
        }
    }
}

/// What happened at the door since the start.
#[derive(Debug, Default)]
pub struct QuicCounters {
    /// Connections that got their control stream.
    pub opened: AtomicU64,
    /// Refused: too many are unfinished.
    pub refused_unfinished: AtomicU64,
    /// Refused: the address has its share.
    pub refused_address: AtomicU64,
    /// Refused: the server is full.
    pub refused_full: AtomicU64,
    /// Refused: the server is draining.
    pub refused_draining: AtomicU64,
    /// Told to prove their address.
    pub retried: AtomicU64,
    /// Handshakes that failed.
    pub failed: AtomicU64,
    /// Handshakes that took too long.
    pub timed_out: AtomicU64,
    /// Connections closed for what they sent.
    pub violations: AtomicU64,
    /// Connections closed because the gateway did not keep up.
    pub overrun: AtomicU64,
}

/// Why a QUIC endpoint did not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("setting up the UDP socket failed")]
    Socket(#[from] io::Error),
    #[error("the TLS identity is unusable")]
    Tls(#[from] TlsError),
}

/// Bytes the kernel granted a UDP socket (Linux counts its own overhead and so doubles them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketBuffers {
    pub receive_bytes: usize,
    pub send_bytes: usize,
}

/// The server's endpoint; clones are the same one.
#[derive(Clone, Debug)]
pub struct QuicServer {
    endpoint: Endpoint,
    buffers: SocketBuffers,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: QuicConfig,
    counters: QuicCounters,
    unfinished: Arc<Slots>,
    connections: Arc<Slots>,
    events: Sender<NetEvent>,
    ids: Arc<ConnectionIds>,
}

impl QuicServer {
    /// Takes over a bound UDP socket; must be called inside a tokio runtime.
    pub fn bind(
        socket: UdpSocket,
        identity: &Identity,
        config: QuicConfig,
        events: Sender<NetEvent>,
        ids: Arc<ConnectionIds>,
    ) -> Result<Self, BindError> {
        let server_config = server_config(identity, &config)?;
        let buffers = enlarge(&socket, config.socket_buffer_bytes)?;
        let endpoint = Endpoint::new(
            EndpointConfig::default(),
            Some(server_config),
            socket,
            Arc::new(quinn::TokioRuntime),
        )?;
        let shared = Shared {
            unfinished: Slots::new(config.unfinished_max, config.unfinished_max),
            connections: Slots::new(config.connections_max, config.per_address_max),
            counters: QuicCounters::default(),
            config,
            events,
            ids,
        };
        Ok(Self { endpoint, buffers, shared: Arc::new(shared) })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    #[must_use]
    pub fn buffers(&self) -> SocketBuffers {
        self.buffers
    }

    #[must_use]
    pub fn counters(&self) -> &QuicCounters {
        &self.shared.counters
    }

    /// Connections that have not opened their control stream yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.shared.unfinished.held()
    }

    /// Shows new connections another certificate; open ones go on.
    pub fn set_identity(&self, identity: &Identity) -> Result<(), TlsError> {
        let server_config = server_config(identity, &self.shared.config)?;
        self.endpoint.set_server_config(Some(server_config));
        Ok(())
    }

    /// Accepts until `shutdown`, then refuses newcomers and returns when the last connection is
    /// gone: whoever holds the links closes them, and decides how long that may take.
    pub async fn serve(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => self.admit(incoming),
                    None => return,
                },
                () = &mut shutdown => break,
            }
        }
        let mut gone = pin!(self.endpoint.wait_idle());
        loop {
            tokio::select! {
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => {
                        count(&self.shared.counters.refused_draining);
                        incoming.refuse();
                    }
                    None => return,
                },
                () = &mut gone => return,
            }
        }
    }

    fn admit(&self, incoming: Incoming) {
        let (shared, counters) = (&self.shared, &self.shared.counters);
        let address = incoming.remote_address().ip();
        if shared.unfinished.held() >= shared.config.retry_from
            && !incoming.remote_address_validated()
        {
            count(&counters.retried);
            // An address that is not validated may always be asked to retry.
            let _ = incoming.retry();
            return;
        }
        if shared.connections.is_full_for(address) {
            count(&counters.refused_address);
            return incoming.refuse();
        }
        let Ok(unfinished) = shared.unfinished.hold(address) else {
            count(&counters.refused_unfinished);
            return incoming.refuse();
        };
        tokio::spawn(Arc::clone(shared).connection(incoming, unfinished));
    }
}

/// A connection with its control stream, not yet known to the gateway.
struct Opened {
    link: Link,
    pump: Pump,
    transport: Transport,
    place: Slot,
}

/// Why a connection came to nothing; the cause is the peer's and worth a count only.
enum Failed {
    Handshake,
    Full,
    Address,
}

impl From<quinn::ConnectionError> for Failed {
    fn from(_: quinn::ConnectionError) -> Self {
        Self::Handshake
    }
}

impl Shared {
    async fn connection(self: Arc<Self>, incoming: Incoming, unfinished: Slot) {
        // On the heap, so that the long life afterwards does not keep room for the handshake.
        let opening = Box::pin(self.open(incoming));
        let opened = timeout(self.config.handshake_timeout, opening).await;
        drop(unfinished);
        match opened {
            Ok(Ok(opened)) => self.run(opened).await,
            Ok(Err(Failed::Handshake)) => count(&self.counters.failed),
            Ok(Err(Failed::Full)) => count(&self.counters.refused_full),
            Ok(Err(Failed::Address)) => count(&self.counters.refused_address),
            Err(_) => count(&self.counters.timed_out),
        }
    }

    async fn open(&self, incoming: Incoming) -> Result<Opened, Failed> {
        let connection = incoming.await?;
        // Only now is the address proven, so that nobody can use up a stranger's share.
        let place = self.connections.hold(connection.remote_address().ip()).map_err(|refused| {
            let reason = CloseReason::Full;
            connection.close(VarInt::from(reason as u8), reason.text().as_bytes());
            match refused {
                Refused::All => Failed::Full,
                Refused::Address => Failed::Address,
            }
        })?;
        let native = connection
            .handshake_data()
            .and_then(|data| data.downcast::<HandshakeData>().ok())
            .is_some_and(|data| data.protocol.as_deref() == Some(ALPN));
        let (session, transport) = if native {
            connection.set_max_concurrent_bi_streams(VarInt::from_u32(1));
            connection.set_max_concurrent_uni_streams(VarInt::from_u32(0));
            (Session::raw(connection), Transport::Quic)
        } else {
            let request = Request::accept(connection).await.map_err(|_| Failed::Handshake)?;
            if request.url.path() != WEBTRANSPORT_PATH {
                // The peer sees the status or a closed connection: both mean the same.
                let _ = request.reject(StatusCode::NOT_FOUND).await;
                return Err(Failed::Handshake);
            }
            let session = request.ok().await.map_err(|_| Failed::Handshake)?;
            (session, Transport::WebTransport)
        };
        let (send, recv) = session.accept_bi().await.map_err(|_| Failed::Handshake)?;
        let pace = Pace::new(self.config.messages_per_second_max, self.config.messages_burst_max);
        let (link, line, outbox) = Link::new(session);
        let message_bytes_max = CLIENT_MESSAGE_BYTES_MAX;
        let pump = Pump { line, send, recv, outbox, message_bytes_max, pace: Some(pace) };
        Ok(Opened { link, pump, transport, place })
    }

    async fn run(&self, opened: Opened) {
        let Opened { link, pump, transport, place: _place } = opened;
        count(&self.counters.opened);
        let id = self.ids.next();
        let peer = link.peer();
        if let Err(reason) = self.tell(NetEvent::Opened { id, peer, transport, link }) {
            pump.line.close(reason);
            return;
        }
        let end = pump.run(|bytes, _| self.tell(NetEvent::Message { id, bytes })).await;
        let reason = match end {
            End::Local(reason) => Some(reason),
            End::Peer(_) => None,
        };
        if matches!(reason, Some(CloseReason::Malformed | CloseReason::TooLarge)) {
            count(&self.counters.violations);
        }
        self.tell_closed(id, reason).await;
    }

    /// The answer when the gateway is behind: this connection goes.
    fn tell(&self, event: NetEvent) -> Result<(), CloseReason> {
        self.events.try_send(event).map_err(|_| {
            count(&self.counters.overrun);
            CloseReason::Full
        })
    }

    /// The gateway must hear of every end, or it would keep the connection for ever.
    async fn tell_closed(&self, id: u64, reason: Option<CloseReason>) {
        let mut event = NetEvent::Closed { id, reason };
        while let Err(TrySendError::Full(back)) = self.events.try_send(event) {
            event = back;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Asks the kernel for large buffers and says what it gave: less than asked where
/// `net.core.rmem_max` or `wmem_max` is lower.
fn enlarge(socket: &UdpSocket, bytes: usize) -> io::Result<SocketBuffers> {
    let socket = socket2::SockRef::from(socket);
    socket.set_recv_buffer_size(bytes)?;
    socket.set_send_buffer_size(bytes)?;
    Ok(SocketBuffers {
        receive_bytes: socket.recv_buffer_size()?,
        send_bytes: socket.send_buffer_size()?,
    })
}

fn server_config(
    identity: &Identity,
    config: &QuicConfig,
) -> Result<quinn::ServerConfig, TlsError> {
    let tls = identity.server_config(&[ALPN, web_transport_quinn::ALPN.as_bytes()])?;
    let tls = QuicServerConfig::try_from(tls).expect("ring has the suite of initial packets");
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(H3_BIDI_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(H3_UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(2 * RECEIVE_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES_MAX))
        .datagram_send_buffer_size(DATAGRAM_BYTES_MAX)
        // Every frame fits the smallest packet, so larger ones need not be found out about.
        .mtu_discovery_config(None)
        // A packet a tick has nothing to segment.
        .enable_segmentation_offload(false)
        .keep_alive_interval(Some(config.idle_timeout / 3))
        .max_idle_timeout(Some(
            IdleTimeout::try_from(config.idle_timeout)
                .unwrap_or_else(|_| IdleTimeout::from(VarInt::MAX)),
        ));
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(tls));
    let mut tokens = quinn::ValidationTokenConfig::default();
    tokens.sent(0);
    server
        .transport_config(Arc::new(transport))
        .validation_token_config(tokens)
        .max_incoming(config.unfinished_max)
        .incoming_buffer_size(16 * 1024)
        .incoming_buffer_size_total(4 * 1024 * 1024);
    Ok(server)
}
