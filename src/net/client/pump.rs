//! Moves messages between a QUIC session and the program.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use web_transport_quinn::{ReadError, RecvStream, SendStream, Session, SessionError};
use web_transport_quinn::{WebTransportError, WriteError};

use crate::model::limits::SERVER_MESSAGE_BYTES_MAX;
use crate::net::framer::{Framer, append};
use crate::protocol::CloseReason;

/// Bytes taken from the stream at a time.
const CHUNK_BYTES_MAX: usize = 2_048;
/// Bytes copied from the outbox before the stream has to take some.
const UNWRITTEN_BYTES_MAX: usize = 4_096;
/// How long a closing connection may take to deliver what was sent.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(1);

/// Tells a connection to close, past whatever waits for its stream.
#[derive(Debug, Default)]
pub(super) struct Closing {
    reason: OnceLock<CloseReason>,
    told: Notify,
}

impl Closing {
    /// The first reason counts.
    pub(super) fn tell(&self, reason: CloseReason) {
        let _ = self.reason.set(reason);
        self.told.notify_one();
    }

    /// Waits for the first reason.
    pub(super) async fn told(&self) -> CloseReason {
        loop {
            if let Some(&reason) = self.reason.get() {
                return reason;
            }
            self.told.notified().await;
        }
    }
}

/// What a pump and its links share.
#[derive(Debug)]
pub(super) struct Line {
    pub session: Session,
    pub closing: Closing,
}

impl Line {
    /// Ends the session at once.
    pub(super) fn close(&self, reason: CloseReason) {
        self.session.close(u32::from(reason as u8), reason.text().as_bytes());
    }
}

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    Stream,
    Datagram,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// This side closed it.
    Local(CloseReason),
    /// The peer closed it or finished its stream; with its reason where it gave one.
    Peer(Option<CloseReason>),
}

/// One connection with its control stream.
pub(super) struct Pump {
    pub line: Arc<Line>,
    pub send: SendStream,
    pub recv: RecvStream,
    pub outbox: mpsc::Receiver<Bytes>,
}

impl Pump {
    /// Runs until either side closes. `deliver` refuses a message by naming the reason to close.
    pub(super) async fn run<F>(self, mut deliver: F) -> End
    where
        F: FnMut(Bytes, Via) -> Result<(), CloseReason>,
    {
        let Self { line, mut send, mut recv, mut outbox } = self;
        let Line { session, closing } = &*line;
        let mut framer = Framer::new(SERVER_MESSAGE_BYTES_MAX);
        let mut unwritten: Vec<u8> = Vec::new();
        let mut written = 0;
        let reason = loop {
            tokio::select! {
                chunk = recv.read_chunk(CHUNK_BYTES_MAX, true) => {
                    let bytes = match chunk {
                        Ok(Some(chunk)) => chunk.bytes,
                        Ok(None) => return finished(&line).await,
                        Err(ReadError::SessionError(error)) => return End::Peer(reason_of(&error)),
                        Err(_) => break CloseReason::Malformed,
                    };
                    let result = framer.push(bytes, |message| deliver(message, Via::Stream));
                    if let Err(reason) = result {
                        break reason;
                    }
                }
                datagram = session.read_datagram() => {
                    let message = match datagram {
                        Ok(message) => message,
                        Err(error) => return End::Peer(reason_of(&error)),
                    };
                    let result = match message.len() {
                        0 => Err(CloseReason::Malformed),
                        n if n > SERVER_MESSAGE_BYTES_MAX => Err(CloseReason::TooLarge),
                        _ => deliver(message, Via::Datagram),
                    };
                    if let Err(reason) = result {
                        break reason;
                    }
                }
                next = outbox.recv(), if unwritten.len() < UNWRITTEN_BYTES_MAX => {
                    let Some(mut message) = next else {
                        flush(&mut send, &unwritten[written..]).await;
                        // Whoever closes lets go of the link as well: both are noticed at once.
                        break closing.reason.get().copied().unwrap_or(CloseReason::Goodbye);
                    };
                    loop {
                        append(&mut unwritten, &message);
                        if unwritten.len() >= UNWRITTEN_BYTES_MAX {
                            break;
                        }
                        let Ok(more) = outbox.try_recv() else { break };
                        message = more;
                    }
                }
                reason = closing.told() => {
                    outbox.close();
                    while let Ok(message) = outbox.try_recv() {
                        append(&mut unwritten, &message);
                    }
                    flush(&mut send, &unwritten[written..]).await;
                    break reason;
                }
                result = send.write(&unwritten[written..]), if written < unwritten.len() => {
                    match result {
                        Ok(bytes) => written += bytes,
                        Err(WriteError::SessionError(error)) => {
                            return End::Peer(reason_of(&error));
                        }
                        Err(_) => break CloseReason::Malformed,
                    }
                    if written == unwritten.len() {
                        unwritten.clear();
                        unwritten.shrink_to(UNWRITTEN_BYTES_MAX);
                        written = 0;
                    }
                }
            }
        };
        line.close(reason);
        End::Local(reason)
    }
}

/// Waits until the peer has everything, or long enough.
async fn flush(send: &mut SendStream, rest: &[u8]) {
    let delivered = async {
        if send.write_all(rest).await.is_ok() && send.finish().is_ok() {
            // Only the wait matters: a lost connection ends it just as well.
            let _ = send.stopped().await;
        }
    };
    // A peer that takes nothing is closed without the rest.
    let _ = timeout(FLUSH_TIME_MAX, delivered).await;
}

/// The peer finished its stream, so its reason is on the way.
async fn finished(line: &Line) -> End {
    match timeout(FLUSH_TIME_MAX, line.session.closed()).await {
        Ok(error) => End::Peer(reason_of(&error)),
        Err(_) => {
            line.close(CloseReason::Goodbye);
            End::Peer(None)
        }
    }
}

fn reason_of(error: &SessionError) -> Option<CloseReason> {
    match error {
        SessionError::WebTransportError(WebTransportError::Closed(code, _)) => {
            u8::try_from(*code).ok().and_then(|n| CloseReason::from_number(n).ok())
        }
        SessionError::WebTransportError(_)
        | SessionError::ConnectionError(_)
        | SessionError::SendDatagramError(_) => None,
    }
}
