//! The server's QUIC connections, native clients and browsers on one UDP port, owned by one thread
//! that reads and writes them at tick boundaries.
//!
//! quinn-proto is the protocol without its input and output: [`Pool`] brings it the packets of a
//! whole tick at once and sends what it has to say when the frames leave, acknowledgements with
//! them. The socket belongs to no reactor, and no connection has a task, a lock or a timer of its
//! own: a tick is how often all of them are looked at.

mod admit;
mod browser;
mod connection;
mod pass;
mod socket;
mod stream;
mod webtransport;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn_proto::{Endpoint, Incoming};

use self::connection::Connection;
use self::socket::Socket;
use super::slots::{Slot, Slots};
use super::tls::{Identity, TlsError};
use super::{ConnectionIds, SendOutcome, Transport};
use crate::protocol::CloseReason;

/// Packets read in one pass: more than that is a flood, and waits in the kernel or is lost there.
const PACKETS_PER_PASS_MAX: usize = 8_192;
/// How soon connections that come or go are looked at again.
const RESTLESS_PERIOD: Duration = Duration::from_millis(5);

/// Limits of a QUIC endpoint.
#[derive(Clone, Debug)]
pub struct QuicConfig {
    /// Connections that are open.
    pub connections_max: usize,
    /// Connections of one address (IPv6: of one /64).
    pub per_address_max: usize,
    /// Connections that have not opened their control stream yet; more are refused.
    pub unfinished_max: usize,
    /// The share of one address in them.
    pub unfinished_per_address_max: usize,
    /// From how many unfinished ones a stranger must prove its address first (a Retry packet).
    pub retry_from: usize,
    /// Handshakes begun in one pass; the others wait for the next.
    pub handshakes_per_pass_max: usize,
    /// How long a connection may take to open its control stream.
    pub handshake_timeout: Duration,
    /// A connection from which nothing comes for so long is over.
    pub idle_timeout: Duration,
    /// Bytes asked of the kernel for each direction of the UDP socket.
    pub socket_buffer_bytes: usize,
}

impl Default for QuicConfig {
    fn default() -> Self {
        Self {
            connections_max: 4_000,
            per_address_max: 1_000,
            unfinished_max: 512,
            unfinished_per_address_max: 128,
            retry_from: 64,
            handshakes_per_pass_max: 16,
            handshake_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(15),
            socket_buffer_bytes: 4 * 1024 * 1024,
        }
    }
}

/// What connections of a server that is gone are ended with: secret, the server's own, and the same
/// after each start.
pub type ResetKey = [u8; 32];

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
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Why a QUIC endpoint did not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("setting up the UDP socket failed")]
    Socket(#[from] io::Error),
    #[error("the TLS identity is unusable")]
    Tls(#[from] TlsError),
}

/// What a pass over the connections found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolRead {
    /// A connection has its control stream.
    Opened { peer: SocketAddr, transport: Transport },
    /// One message, without its length prefix; 1 to `CLIENT_MESSAGE_BYTES_MAX` bytes.
    Message(Bytes),
    /// The connection is over, with the reason where this side found one. Nothing of it follows.
    Closed(Option<CloseReason>),
}

/// All QUIC and WebTransport connections of a gateway.
#[derive(Debug)]
pub struct Pool {
    config: QuicConfig,
    counters: Arc<QuicCounters>,
    ids: Arc<ConnectionIds>,
    socket: Socket,
    endpoint: Endpoint,
    unfinished: Arc<Slots>,
    places: Arc<Slots>,
    /// Strangers whose handshake has not begun.
    waiting: VecDeque<(Incoming, Slot)>,
    /// By handle.
    entries: Vec<Option<Entry>>,
    /// The handles of open connections.
    index: HashMap<u64, usize>,
    /// Handles of connections to which something happened in this pass.
    touched: Vec<usize>,
    /// Handles of connections that have something to say at the next [`Pool::flush`].
    talkative: Vec<usize>,
    /// When connections that come or go are looked at again.
    restless_until: Option<Instant>,
    draining: bool,
    packet: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    connection: Box<Connection>,
    /// When it has to be looked at even if nothing comes.
    due: Option<Instant>,
    is_touched: bool,
    /// What it has to say cannot wait for the next frame.
    is_urgent: bool,
    /// What it has to say has not been asked for since something happened to it.
    is_unasked: bool,
    is_talkative: bool,
}

impl Pool {
    /// Takes over a bound UDP socket.
    pub fn bind(
        socket: UdpSocket,
        identity: &Identity,
        reset_key: &ResetKey,
        config: QuicConfig,
        ids: Arc<ConnectionIds>,
    ) -> Result<Self, BindError> {
        let server_config = Arc::new(admit::server_config(identity, &config)?);
        enlarge(&socket, config.socket_buffer_bytes)?;
        let endpoint_config = Arc::new(admit::endpoint_config(reset_key));
        Ok(Self {
            socket: Socket::new(socket)?,
            endpoint: Endpoint::new(endpoint_config, Some(server_config), false, None),
            unfinished: Slots::new(config.unfinished_max, config.unfinished_per_address_max),
            places: Slots::new(config.connections_max, config.per_address_max),
            counters: Arc::default(),
            config,
            ids,
            waiting: VecDeque::new(),
            entries: Vec::new(),
            index: HashMap::new(),
            touched: Vec::new(),
            talkative: Vec::new(),
            restless_until: None,
            draining: false,
            packet: Vec::new(),
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    #[must_use]
    pub fn counters(&self) -> Arc<QuicCounters> {
        Arc::clone(&self.counters)
    }

    /// Connections that have not opened their control stream yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.unfinished.held()
    }

    /// Whether nobody is here and nobody has to be told anything any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let gone = |entry: &Entry| entry.connection.is_over() || entry.connection.is_opening();
        self.entries.iter().flatten().all(gone)
    }

    /// What carries each open connection, and its smallest round-trip time: the smoothed one would
    /// count the wait for the next reading.
    pub fn round_trips(&self) -> impl Iterator<Item = (Transport, Duration)> {
        self.entries.iter().flatten().filter_map(|entry| {
            Some((entry.connection.transport()?, entry.connection.quic.min_rtt()))
        })
    }

    /// Shows new connections another certificate; open ones go on.
    pub fn set_identity(&mut self, identity: &Identity) -> Result<(), TlsError> {
        let server_config = admit::server_config(identity, &self.config)?;
        self.endpoint.set_server_config(Some(Arc::new(server_config)));
        Ok(())
    }

    /// Lets nobody in any more.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// When to read again before the next tick: connections that come or go are not kept waiting.
    #[must_use]
    pub fn restless_until(&self) -> Option<Instant> {
        self.restless_until
    }

    /// Reads what has come for every connection and does what has become due. What that makes them
    /// say leaves with [`Pool::flush`], or with the next pass.
    pub fn read_all(&mut self, mut found: impl FnMut(u64, PoolRead)) {
        let now = Instant::now();
        for handle in 0..self.entries.len() {
            if self.entries[handle].as_ref().is_some_and(|entry| entry.is_unasked) {
                self.transmit(now, handle);
            }
        }
        self.receive(now);
        self.begin_handshakes(now);
        for handle in 0..self.entries.len() {
            let Some(entry) = &mut self.entries[handle] else { continue };
            if entry.due.is_some_and(|due| due <= now) {
                if entry.connection.handle_timeout(now) {
                    count(&self.counters.timed_out);
                }
                entry.is_urgent = true;
                self.touch(handle);
            } else if entry.connection.has_more {
                self.touch(handle);
            }
        }
        let mut touched = std::mem::take(&mut self.touched);
        for handle in touched.drain(..) {
            self.settle(now, handle, &mut found);
        }
        self.touched = touched;
        let settled = |entry: &Entry| entry.connection.is_settled();
        let restless = !self.waiting.is_empty() || !self.entries.iter().flatten().all(settled);
        self.restless_until = restless.then(|| now + RESTLESS_PERIOD);
    }

    /// Sends what connections have been given to say.
    pub fn flush(&mut self) {
        if self.talkative.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut talkative = std::mem::take(&mut self.talkative);
        for handle in talkative.drain(..) {
            self.transmit(now, handle);
        }
        self.talkative = talkative;
    }

    /// Sends one message as a datagram that may get lost. A message too large for the path, or for
    /// a peer without datagrams, goes on the stream.
    pub fn send_datagram(&mut self, id: u64, message: &Bytes) -> SendOutcome {
        self.say(id, |connection| connection.send_datagram(message))
    }

    /// Sends one message on the control stream, in order; [`SendOutcome::Slow`]: there is no room,
    /// and the connection has to be closed.
    pub fn send_reliable(&mut self, id: u64, message: &[u8]) -> SendOutcome {
        self.say(id, |connection| connection.send_reliable(message))
    }

    /// Whether this open connection is one of the pool.
    #[must_use]
    pub fn has(&self, id: u64) -> bool {
        self.index.contains_key(&id)
    }

    /// Ends a connection: nothing of it is found any more, while what was sent before has a moment
    /// to arrive.
    pub fn close(&mut self, id: u64, reason: CloseReason) {
        let now = Instant::now();
        self.say(id, |connection| {
            connection.close(now, reason);
            SendOutcome::Sent
        });
        if self.index.remove(&id).is_some() {
            self.restless_until.get_or_insert(now + RESTLESS_PERIOD);
        }
    }

    fn say(&mut self, id: u64, what: impl FnOnce(&mut Connection) -> SendOutcome) -> SendOutcome {
        let Some(&handle) = self.index.get(&id) else { return SendOutcome::Gone };
        let Some(entry) = &mut self.entries[handle] else { return SendOutcome::Gone };
        entry.is_unasked = true;
        if !std::mem::replace(&mut entry.is_talkative, true) {
            self.talkative.push(handle);
        }
        what(&mut entry.connection)
    }
}

/// Asks the kernel for large buffers; it gives less where `net.core.rmem_max` or `wmem_max` is
/// lower.
fn enlarge(socket: &UdpSocket, bytes: usize) -> io::Result<()> {
    let socket = socket2::SockRef::from(socket);
    socket.set_recv_buffer_size(bytes)?;
    socket.set_send_buffer_size(bytes)
}
