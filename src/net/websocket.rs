//! The server's WebSocket connections, owned by one thread that reads and writes them at tick
//! boundaries.
//!
//! The sockets belong to no reactor: commands wait for the tick anyway, and a wake-up for each
//! costs several times what reading it does. tungstenite parses what peers send; what is sent is
//! framed here, since a frame from a server is a header of two or four bytes and then the payload.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tungstenite::error::CapacityError;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::{ConnectionIds, SendOutcome, Upgraded, WEBSOCKET_CLOSE_BASE};
use crate::model::limits::{CLIENT_MESSAGE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use crate::protocol::CloseReason;

/// Bytes a socket is read into; most messages of a client have fewer than forty.
const READ_BYTES: usize = 512;
/// Answers to pings and closing frames may exceed the queue by so much.
const CONTROL_BYTES_MAX: usize = 1_024;
/// Bytes of the header of the largest message.
const HEADER_BYTES_MAX: usize = 4;

/// Limits of a pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolConfig {
    /// Bytes that may wait for one socket before frames are dropped.
    pub queue_bytes_max: usize,
    /// Bytes the kernel may hold for one socket, so that a slow reader is noticed soon.
    pub kernel_bytes: usize,
    /// Messages taken from one socket in one pass; the rest waits for the next.
    pub messages_per_pass_max: usize,
    /// Passes that a peer has to answer a closing handshake.
    pub closing_passes_max: u32,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            queue_bytes_max: 2 * (SERVER_MESSAGE_BYTES_MAX + HEADER_BYTES_MAX),
            kernel_bytes: 16 * 1024,
            messages_per_pass_max: 16,
            closing_passes_max: 40,
        }
    }
}

/// What a pass over the sockets found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolRead {
    /// One message; 1 to `CLIENT_MESSAGE_BYTES_MAX` bytes.
    Message(Bytes),
    /// A socket that was [`SendOutcome::Slow`] has taken everything that waited.
    Drained,
    /// The connection is over, with the reason where this side found one. Nothing of it follows.
    Closed(Option<CloseReason>),
}

/// All WebSocket connections of a gateway.
#[derive(Debug)]
pub struct Pool {
    config: PoolConfig,
    ids: Arc<ConnectionIds>,
    sockets: Vec<Socket>,
    /// Where in `sockets` an open connection is.
    index: HashMap<u64, usize>,
    /// One frame, header and payload together: one write, one packet.
    scratch: Vec<u8>,
}

impl Pool {
    #[must_use]
    pub fn new(config: PoolConfig, ids: Arc<ConnectionIds>) -> Self {
        Self { config, ids, sockets: Vec::new(), index: HashMap::new(), scratch: Vec::new() }
    }

    /// Open connections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// The round trip of each open connection, as the kernel measures it. To be called about once
    /// a second.
    pub fn round_trips(&self) -> impl Iterator<Item = Duration> + '_ {
        let open = self.sockets.iter().filter(|socket| socket.closing_passes.is_none());
        open.filter_map(|socket| round_trip(&socket.web.get_ref().stream))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Takes a connection over and numbers it.
    pub fn add(&mut self, upgraded: Upgraded) -> io::Result<u64> {
        let Upgraded { stream, leftover, peer } = upgraded;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let kernel = SockRef::from(&stream);
        kernel.set_send_buffer_size(self.config.kernel_bytes)?;
        #[cfg(target_os = "linux")]
        kernel.set_tcp_notsent_lowat(self.config.kernel_bytes as u32)?;
        let id = self.ids.next();
        let wire = Wire {
            stream,
            queue: Vec::new(),
            start: 0,
            dry: false,
            broken: false,
            queue_bytes_max: self.config.queue_bytes_max + CONTROL_BYTES_MAX,
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(CONTROL_BYTES_MAX)
            .max_message_size(Some(CLIENT_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(CLIENT_MESSAGE_BYTES_MAX));
        let web = WebSocket::from_partially_read(wire, leftover, Role::Server, Some(config));
        self.index.insert(id, self.sockets.len());
        let socket = Socket { id, peer, web, slow: false, closing_passes: None, unreadable: false };
        self.sockets.push(socket);
        Ok(id)
    }

    /// The address of an open connection's peer.
    #[must_use]
    pub fn peer(&self, id: u64) -> Option<SocketAddr> {
        self.index.get(&id).map(|&at| self.sockets[at].peer)
    }

    /// Reads every socket until it has nothing more or had its share, and writes what waits.
    pub fn read_all(&mut self, mut found: impl FnMut(u64, PoolRead)) {
        // Backwards, since removing one moves the last into its place.
        for at in (0..self.sockets.len()).rev() {
            let socket = &mut self.sockets[at];
            let id = socket.id;
            let was_open = socket.closing_passes.is_none();
            let end = socket.read(self.config.messages_per_pass_max, &mut found);
            let end = end.or_else(|| socket.push(&mut found));
            match end {
                None => {}
                Some(End::Gone) => {
                    self.remove(at);
                    if was_open {
                        found(id, PoolRead::Closed(None));
                    }
                }
                Some(End::Violation(reason)) => {
                    self.close(id, reason);
                    found(id, PoolRead::Closed(Some(reason)));
                }
            }
        }
    }

    /// Writes what waits without reading.
    pub fn flush_all(&mut self, mut found: impl FnMut(u64, PoolRead)) {
        for socket in &mut self.sockets {
            // A broken socket is found and removed by the next reading.
            let _ = socket.push(&mut found);
        }
    }

    /// Sends one message. After [`SendOutcome::Slow`], [`PoolRead::Drained`] says when to go on.
    pub fn send(&mut self, id: u64, message: &[u8]) -> SendOutcome {
        let Some(&at) = self.index.get(&id) else {
            return SendOutcome::Gone;
        };
        let socket = &mut self.sockets[at];
        let wire = socket.web.get_mut();
        if wire.waiting() > 0 {
            let bytes = wire.waiting() + HEADER_BYTES_MAX + message.len();
            if socket.slow || bytes > self.config.queue_bytes_max {
                socket.slow = true;
                return SendOutcome::Slow;
            }
        }
        self.scratch.clear();
        frame(&mut self.scratch, message);
        match wire.send(&self.scratch) {
            0 => SendOutcome::Sent,
            bytes => SendOutcome::Queued { bytes },
        }
    }

    /// Bytes that wait for a socket.
    #[must_use]
    pub fn waiting_bytes(&self, id: u64) -> usize {
        self.index.get(&id).map_or(0, |&at| self.sockets[at].web.get_ref().waiting())
    }

    /// Ends a connection: nothing of it is found any more, while its peer has a few passes to
    /// answer the closing frame.
    pub fn close(&mut self, id: u64, reason: CloseReason) {
        let Some(at) = self.index.remove(&id) else {
            return;
        };
        let socket = &mut self.sockets[at];
        socket.closing_passes = Some(self.config.closing_passes_max);
        let frame = CloseFrame {
            code: CloseCode::from(WEBSOCKET_CLOSE_BASE + u16::from(reason as u8)),
            reason: reason.text().into(),
        };
        // Whatever fails here is met again by the passes that wait for the answer.
        let _ = socket.web.close(Some(frame));
        socket.web.get_mut().push();
    }

    fn remove(&mut self, at: usize) {
        let socket = self.sockets.swap_remove(at);
        self.index.remove(&socket.id);
        if let Some(moved) = self.sockets.get(at)
            && let Some(place) = self.index.get_mut(&moved.id)
        {
            *place = at;
        }
    }
}

#[derive(Debug)]
struct Socket {
    id: u64,
    peer: SocketAddr,
    web: WebSocket<Wire>,
    /// A message was dropped, and the peer has not caught up since.
    slow: bool,
    /// How many passes a closing connection still has; `None`: it is open.
    closing_passes: Option<u32>,
    /// What comes makes no sense any more: tungstenite must not be asked again after an error (its
    /// buffers are then in a state that it asserts not to be in).
    unreadable: bool,
}

/// The smoothed round trip of a TCP connection; `None` before there is one.
fn round_trip(stream: &TcpStream) -> Option<Duration> {
    // SAFETY: the structure is plain numbers, for which all zeros is a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut bytes = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `bytes` bytes to the structure, which has as many.
    let answer = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut bytes,
        )
    };
    (answer == 0 && info.tcpi_rtt > 0).then(|| Duration::from_micros(info.tcpi_rtt.into()))
}

/// How a socket's life ends.
enum End {
    Gone,
    Violation(CloseReason),
}

impl Socket {
    fn read(&mut self, messages_max: usize, found: &mut impl FnMut(u64, PoolRead)) -> Option<End> {
        self.web.get_mut().dry = false;
        if let Some(passes) = &mut self.closing_passes {
            *passes = passes.saturating_sub(1);
            if *passes == 0 {
                return Some(End::Gone);
            }
        }
        if self.unreadable {
            return self.discard(messages_max);
        }
        for _ in 0..messages_max {
            match self.web.read() {
                Ok(_) if self.closing_passes.is_some() => {}
                Ok(Message::Binary(bytes)) if !bytes.is_empty() => {
                    found(self.id, PoolRead::Message(bytes));
                }
                Ok(Message::Binary(_) | Message::Text(_) | Message::Frame(_)) => {
                    return Some(End::Violation(CloseReason::Malformed));
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => {}
                Err(error) => return self.end_of(&error),
            }
        }
        None
    }

    fn end_of(&mut self, error: &Error) -> Option<End> {
        let violation = match error {
            Error::Io(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Error::Capacity(CapacityError::MessageTooLong { .. }) => CloseReason::TooLarge,
            Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)
            | Error::Io(_)
            | Error::ConnectionClosed
            | Error::AlreadyClosed => {
                // The answer to the peer's closing frame, where there is one.
                self.web.get_mut().push();
                return Some(End::Gone);
            }
            Error::Capacity(_)
            | Error::Protocol(_)
            | Error::Utf8(_)
            | Error::AttackAttempt
            | Error::WriteBufferFull(_)
            | Error::Tls(_)
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => CloseReason::Malformed,
        };
        self.unreadable = true;
        let is_open = self.closing_passes.is_none();
        Some(if is_open { End::Violation(violation) } else { End::Gone })
    }

    /// Reads past whatever comes until the peer is gone: closing with bytes unread would reset the
    /// connection, and the peer would not see the reason.
    fn discard(&mut self, chunks_max: usize) -> Option<End> {
        let wire = self.web.get_mut();
        if wire.waiting() == 0 {
            // Nothing more is said, so a peer that reads sees the end. Said again it changes nothing.
            let _ = wire.stream.shutdown(Shutdown::Write);
        }
        let mut bytes = [0; READ_BYTES];
        for _ in 0..chunks_max {
            match wire.stream.read(&mut bytes) {
                Ok(0) => return Some(End::Gone),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => return Some(End::Gone),
            }
        }
        None
    }

    /// Writes what waits.
    fn push(&mut self, found: &mut impl FnMut(u64, PoolRead)) -> Option<End> {
        let wire = self.web.get_mut();
        wire.push();
        if wire.broken {
            return Some(End::Gone);
        }
        if self.slow && wire.waiting() == 0 {
            self.slow = false;
            if self.closing_passes.is_none() {
                found(self.id, PoolRead::Drained);
            }
        }
        None
    }
}

/// A socket and what waits for it. tungstenite's own frames go through the same queue, so that
/// they never land inside one of ours.
#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    queue: Vec<u8>,
    /// Bytes of the queue that the kernel has.
    start: usize,
    /// The socket had no more to read in this pass.
    dry: bool,
    broken: bool,
    queue_bytes_max: usize,
}

impl Wire {
    fn waiting(&self) -> usize {
        self.queue.len() - self.start
    }

    /// Writes a whole frame or queues what is left of it; returns how much waits.
    fn send(&mut self, frame: &[u8]) -> usize {
        let written = if self.waiting() > 0 { 0 } else { self.write_some(frame) };
        self.queue.extend_from_slice(&frame[written..]);
        self.waiting()
    }

    fn push(&mut self) {
        if self.waiting() == 0 {
            return;
        }
        let queue = std::mem::take(&mut self.queue);
        self.start += self.write_some(&queue[self.start..]);
        self.queue = queue;
        if self.start == self.queue.len() {
            // Most sockets never queue: those that did give the memory back.
            self.queue = Vec::new();
            self.start = 0;
        }
    }

    fn write_some(&mut self, bytes: &[u8]) -> usize {
        loop {
            match self.stream.write(bytes) {
                Ok(written) => return written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return 0,
                Err(_) => {
                    self.broken = true;
                    return 0;
                }
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.dry {
            return Err(ErrorKind::WouldBlock.into());
        }
        let result = self.stream.read(buffer);
        // Less than asked for: asking again would cost a system call to hear that there is none.
        self.dry = !matches!(result, Ok(bytes) if bytes == buffer.len());
        result
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting() + bytes.len() > self.queue_bytes_max {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        self.queue.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends one unmasked, final, binary frame.
fn frame(out: &mut Vec<u8>, payload: &[u8]) {
    let length = u16::try_from(payload.len()).expect("no message has more than 4096 bytes");
    match length.to_be_bytes() {
        [0, short @ 0..=125] => out.extend_from_slice(&[0x82, short]),
        [high, low] => out.extend_from_slice(&[0x82, 126, high, low]),
    }
    out.extend_from_slice(payload);
}
