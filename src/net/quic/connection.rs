//! One connection: from the handshake over its control stream to its last words.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn_proto::crypto::rustls::HandshakeData;
use quinn_proto::{Connection as Proto, Dir, SendDatagramError, StreamId, VarInt, WriteError};

use super::browser::{Begun, Browser};
use super::stream::{CHUNKS_PER_PASS_MAX, Ended, Read, read_stream};
use super::webtransport;
use crate::model::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::net::framer::{Framer, append};
use crate::net::slots::Slot;
use crate::net::{SendOutcome, Transport};
use crate::protocol::{ALPN, CloseReason};

/// Bytes that may wait for the control stream.
const UNWRITTEN_BYTES_MAX: usize = 64 * 1024;
/// How long last words may take to arrive, and the peer to go after them.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// What became of a connection that had no control stream yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Pending,
    Opened,
    Failed,
}

/// Where a connection is in its life.
#[derive(Debug)]
enum Stage {
    /// No control stream yet.
    Opening {
        until: Instant,
        browser: Option<Box<Browser>>,
    },
    Open(Control),
    /// Nothing more is said to it; what was said before has until then to arrive.
    Flushing {
        control: Control,
        reason: CloseReason,
        until: Instant,
    },
    /// The peer knows that it is over, and ends it before that.
    Leaving {
        session: Option<u64>,
        reason: CloseReason,
        until: Instant,
    },
    /// Over, but for what QUIC itself has to say.
    Over,
}

/// The stream that carries messages, and the WebTransport session it is of.
#[derive(Clone, Copy, Debug)]
struct Control {
    stream: StreamId,
    session: Option<StreamId>,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) quic: Proto,
    /// 0 before it has its control stream.
    pub(super) id: u64,
    /// Its place among all, held while it lasts.
    pub(super) place: Option<Slot>,
    /// Its place among those without a control stream.
    pub(super) unfinished: Option<Slot>,
    stage: Stage,
    framer: Framer,
    /// What the control stream has not taken yet.
    unwritten: Vec<u8>,
    /// More has come than one pass takes.
    pub(super) has_more: bool,
    /// The control stream was read to its end when it was found.
    is_finished: bool,
}

impl Connection {
    pub(super) fn new(quic: Proto, unfinished: Slot, until: Instant) -> Self {
        Self {
            quic,
            id: 0,
            place: None,
            unfinished: Some(unfinished),
            stage: Stage::Opening { until, browser: None },
            framer: Framer::new(CLIENT_MESSAGE_BYTES_MAX),
            unwritten: Vec::new(),
            has_more: false,
            is_finished: false,
        }
    }

    pub(super) fn peer_ip(&self) -> IpAddr {
        self.quic.remote_address().ip()
    }

    /// What carries an open connection.
    pub(super) fn transport(&self) -> Option<Transport> {
        match &self.stage {
            Stage::Open(Control { session: None, .. }) => Some(Transport::Quic),
            Stage::Open(Control { session: Some(_), .. }) => Some(Transport::WebTransport),
            Stage::Opening { .. }
            | Stage::Flushing { .. }
            | Stage::Leaving { .. }
            | Stage::Over => None,
        }
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::Opening { .. })
    }

    /// Whether it has more to do than to last.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::Open(_) | Stage::Over)
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// When something has to be done even if nothing comes.
    pub(super) fn due(&mut self) -> Option<Instant> {
        let own = match self.stage {
            Stage::Opening { until, .. }
            | Stage::Flushing { until, .. }
            | Stage::Leaving { until, .. } => Some(until),
            Stage::Open(_) | Stage::Over => None,
        };
        [own, self.quic.poll_timeout()].into_iter().flatten().min()
    }

    /// The handshake of QUIC is done: a native client opens its control stream next, a browser
    /// first hears what HTTP/3 this is.
    pub(super) fn handle_connected(&mut self) {
        let data = self.quic.crypto_session().handshake_data();
        let native = data
            .and_then(|data| data.downcast::<HandshakeData>().ok())
            .is_some_and(|data| data.protocol.as_deref() == Some(ALPN));
        if native {
            self.quic.set_max_concurrent_streams(Dir::Bi, VarInt::from_u32(1));
            self.quic.set_max_concurrent_streams(Dir::Uni, VarInt::from_u32(0));
        } else if let Stage::Opening { browser, .. } = &mut self.stage {
            *browser = Some(Box::default());
            if let Some(stream) = self.quic.streams().open(Dir::Uni) {
                // A browser that lets us open no stream, or takes nothing, comes to nothing.
                let _ = self.quic.send_stream(stream).write(&webtransport::settings());
            }
        }
    }

    /// Looks for the control stream among what the peer has opened. What came on it is delivered
    /// by [`Self::read`], but for the bytes returned here.
    pub(super) fn open(&mut self) -> (Opening, Bytes) {
        let Stage::Opening { browser, .. } = &mut self.stage else {
            return (Opening::Pending, Bytes::new());
        };
        let found = match browser {
            None => self.quic.streams().accept(Dir::Bi).map(|stream| Begun {
                stream,
                bytes: Bytes::new(),
                read: Read::Dry,
            }),
            Some(browser) => match browser.find_control(&mut self.quic) {
                Ok(found) => found,
                Err(()) => return (Opening::Failed, Bytes::new()),
            },
        };
        let Some(Begun { stream, bytes, read }) = found else {
            self.has_more = browser.as_deref().is_some_and(Browser::has_more);
            return (Opening::Pending, Bytes::new());
        };
        let session = browser.as_ref().and_then(|browser| browser.session);
        self.is_finished = read == Read::Finished;
        self.stage = Stage::Open(Control { stream, session });
        self.unfinished = None;
        (Opening::Opened, bytes)
    }

    /// Delivers what came on the control stream and as datagrams, `begun` before it. The reason to
    /// close, or the end of what the peer says, comes back.
    pub(super) fn read(
        &mut self,
        begun: Bytes,
        mut deliver: impl FnMut(Bytes),
    ) -> Result<(), Ended> {
        let Stage::Open(control) = self.stage else { return Ok(()) };
        let mut taken = 0;
        let mut message = |bytes| {
            taken += 1;
            deliver(bytes);
            Ok(())
        };
        self.framer.push(begun, &mut message).map_err(Ended::Violation)?;
        let framer = &mut self.framer;
        let result = read_stream(&mut self.quic, control.stream, |chunk| {
            framer.push(chunk, &mut message).map_err(Ended::Violation)
        });
        match result? {
            Read::Dry if self.is_finished => return Err(Ended::Finished),
            Read::Dry => {}
            Read::Finished => return Err(Ended::Finished),
            Read::More => self.has_more = true,
        }
        while let Some(datagram) = self.quic.datagrams().recv() {
            let datagram = match control.session {
                None => Some(datagram),
                Some(session) => webtransport::unwrap(u64::from(session), datagram),
            };
            match datagram {
                None => {}
                Some(bytes) if bytes.is_empty() => {
                    return Err(Ended::Violation(CloseReason::Malformed));
                }
                Some(bytes) if bytes.len() > CLIENT_MESSAGE_BYTES_MAX => {
                    return Err(Ended::Violation(CloseReason::TooLarge));
                }
                Some(bytes) => deliver(bytes),
            }
            taken += 1;
            if taken >= CHUNKS_PER_PASS_MAX {
                self.has_more = true;
                break;
            }
        }
        self.read_around(control)
    }

    /// Reads past what else a browser says; the end of its CONNECT is the end of its session.
    fn read_around(&mut self, control: Control) -> Result<(), Ended> {
        let Some(session) = control.session else { return Ok(()) };
        while let Some(stream) = self.quic.streams().accept(Dir::Uni) {
            // Settings and tables of HTTP/3, which nothing here depends on.
            let _ = read_stream(&mut self.quic, stream, |_| Ok(()));
        }
        match read_stream(&mut self.quic, session, |_| Ok(())) {
            Ok(Read::Dry) => Ok(()),
            Ok(Read::More) => {
                self.has_more = true;
                Ok(())
            }
            Ok(Read::Finished) | Err(_) => Err(Ended::Finished),
        }
    }

    /// Sends one message as a datagram, or on the stream where the path or the peer has no room for
    /// it. Too many unsent datagrams push the oldest out.
    pub(super) fn send_datagram(&mut self, message: &Bytes) -> SendOutcome {
        let Stage::Open(control) = self.stage else { return SendOutcome::Gone };
        let datagram = match control.session {
            None => message.clone(),
            Some(session) => webtransport::wrap(u64::from(session), message),
        };
        match self.quic.datagrams().send(datagram, true) {
            Ok(()) => SendOutcome::Sent,
            Err(
                SendDatagramError::UnsupportedByPeer
                | SendDatagramError::Disabled
                | SendDatagramError::TooLarge
                | SendDatagramError::Blocked(_),
            ) => self.send_reliable(message),
        }
    }

    /// Sends one message on the control stream, in order.
    pub(super) fn send_reliable(&mut self, message: &[u8]) -> SendOutcome {
        if !matches!(self.stage, Stage::Open(_)) {
            return SendOutcome::Gone;
        }
        if self.unwritten.len() + message.len() > UNWRITTEN_BYTES_MAX {
            return SendOutcome::Slow;
        }
        append(&mut self.unwritten, message);
        self.write();
        match self.unwritten.len() {
            0 => SendOutcome::Sent,
            bytes => SendOutcome::Queued { bytes },
        }
    }

    /// Gives the control stream what it takes; its end too, if nothing more is said.
    pub(super) fn write(&mut self) {
        let (control, is_last) = match self.stage {
            Stage::Open(control) => (control, false),
            Stage::Flushing { control, .. } => (control, true),
            Stage::Opening { .. } | Stage::Leaving { .. } | Stage::Over => return,
        };
        let mut stream = self.quic.send_stream(control.stream);
        // Only a stream that has said it is full says when it is not any more.
        while !self.unwritten.is_empty() {
            match stream.write(&self.unwritten) {
                Ok(bytes) => drop(self.unwritten.drain(..bytes)),
                Err(WriteError::Blocked) => return,
                // The peer reads no more: it has gone, or will be found to.
                Err(WriteError::Stopped(_) | WriteError::ClosedStream) => self.unwritten.clear(),
            }
        }
        // Little is ever said on the stream: most connections hold no buffer.
        self.unwritten = Vec::new();
        if is_last {
            // A stream that was stopped is as good as finished.
            let _ = stream.finish();
        }
    }

    /// Says nothing more; what was said before has a moment to arrive.
    pub(super) fn close(&mut self, now: Instant, reason: CloseReason) {
        match self.stage {
            Stage::Open(control) => {
                let until = now + FAREWELL_TIME_MAX;
                self.stage = Stage::Flushing { control, reason, until };
                self.write();
            }
            Stage::Opening { .. } => self.end(now, None, reason),
            Stage::Flushing { .. } | Stage::Leaving { .. } | Stage::Over => {}
        }
    }

    /// The peer has said its last word and ends the connection itself.
    pub(super) fn await_end(&mut self, now: Instant) {
        if let Stage::Open(control) = self.stage {
            let (reason, until) = (CloseReason::Goodbye, now + FAREWELL_TIME_MAX);
            self.stage = Stage::Leaving { session: control.session.map(u64::from), reason, until };
        }
    }

    /// A stream has arrived whole.
    pub(super) fn handle_finished(&mut self, now: Instant, stream: StreamId) {
        if let Stage::Flushing { control, reason, .. } = self.stage
            && control.stream == stream
        {
            self.part(now, control, reason);
        }
    }

    /// Tells the peer why it is over: a browser on the stream of its session, which it then ends
    /// itself.
    fn part(&mut self, now: Instant, control: Control, reason: CloseReason) {
        let Some(session) = control.session else { return self.end(now, None, reason) };
        let mut stream = self.quic.send_stream(session);
        let said = stream.write(&webtransport::farewell(reason)).is_ok() && stream.finish().is_ok();
        let until = if said { now + FAREWELL_TIME_MAX } else { now };
        self.stage = Stage::Leaving { session: Some(u64::from(session)), reason, until };
    }

    /// Does what is due by now. Returns whether a handshake has taken too long.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.quic.handle_timeout(now);
        match self.stage {
            Stage::Opening { until, .. } if until <= now => {
                self.end(now, None, CloseReason::Idle);
                return true;
            }
            Stage::Flushing { control, reason, until } if until <= now => {
                self.part(now, control, reason);
            }
            Stage::Leaving { session, reason, until } if until <= now => {
                self.end(now, session, reason);
            }
            Stage::Opening { .. }
            | Stage::Open(_)
            | Stage::Flushing { .. }
            | Stage::Leaving { .. }
            | Stage::Over => {}
        }
        false
    }

    /// Ends the connection of QUIC.
    fn end(&mut self, now: Instant, session: Option<u64>, reason: CloseReason) {
        let code = match session {
            None => VarInt::from(reason as u8),
            Some(_) => VarInt::from_u64(webtransport::error_code(reason))
                .expect("the codes of WebTransport are variable-length integers"),
        };
        self.quic.close(now, code, Bytes::from_static(reason.text().as_bytes()));
        self.handle_lost();
    }

    /// The connection of QUIC is over.
    pub(super) fn handle_lost(&mut self) {
        self.stage = Stage::Over;
        self.unwritten = Vec::new();
        self.place = None;
        self.unfinished = None;
    }
}
