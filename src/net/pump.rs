//! Moves messages between a QUIC session and the rest of the process: one loop for both ends.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use web_transport_quinn::{ReadError, RecvStream, SendStream, Session, SessionError};
use web_transport_quinn::{WebTransportError, WriteError};

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

/// Spaces messages out: a burst is free, then only so many a second are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval: Duration,
    burst: Duration,
    /// When the messages taken so far would have been due at the steady rate.
    due: Instant,
}

impl Pace {
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, burst: interval * burst, due: Instant::now() }
    }

    fn take(&mut self, messages: u32) {
        if messages > 0 {
            self.due = self.due.max(Instant::now()) + self.interval * messages;
        }
    }

    /// When reading may go on; `None`: at once.
    fn wait(&self) -> Option<Instant> {
        let resume = self.due.checked_sub(self.burst)?;
        (resume > Instant::now()).then_some(resume)
    }
}

/// One connection with its control stream.
pub(super) struct Pump {
    pub line: Arc<Line>,
    pub send: SendStream,
    pub recv: RecvStream,
    pub outbox: mpsc::Receiver<Bytes>,
    pub message_bytes_max: usize,
    pub pace: Option<Pace>,
}

impl Pump {
    /// Runs until either side closes. `deliver` refuses a message by naming the reason to close.
    pub(super) async fn run<F>(self, mut deliver: F) -> End
    where
        F: FnMut(Bytes, Via) -> Result<(), CloseReason>,
    {
        let Self { line, mut send, mut recv, mut outbox, message_bytes_max, mut pace } = self;
        let Line { session, closing } = &*line;
        let mut framer = Framer { partial: Vec::new(), message_bytes_max };
        let mut unwritten: Vec<u8> = Vec::new();
        let mut written = 0;
        let reason = loop {
            let pause = pace.as_ref().and_then(Pace::wait);
            let mut taken = 0;
            tokio::select! {
                chunk = recv.read_chunk(CHUNK_BYTES_MAX, true), if pause.is_none() => {
                    let bytes = match chunk {
                        Ok(Some(chunk)) => chunk.bytes,
                        Ok(None) => return finished(&line).await,
                        Err(ReadError::SessionError(error)) => return End::Peer(reason_of(&error)),
                        Err(_) => break CloseReason::Malformed,
                    };
                    let result = framer.push(bytes, |message| {
                        taken += 1;
                        deliver(message, Via::Stream)
                    });
                    if let Err(reason) = result {
                        break reason;
                    }
                }
                datagram = session.read_datagram(), if pause.is_none() => {
                    let message = match datagram {
                        Ok(message) => message,
                        Err(error) => return End::Peer(reason_of(&error)),
                    };
                    taken = 1;
                    let result = match message.len() {
                        0 => Err(CloseReason::Malformed),
                        n if n > message_bytes_max => Err(CloseReason::TooLarge),
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
                () = sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() => {}
            }
            if let Some(pace) = &mut pace {
                pace.take(taken);
            }
        };
        line.close(reason);
        End::Local(reason)
    }
}

/// Puts a message with its length behind what waits.
fn append(unwritten: &mut Vec<u8>, message: &[u8]) {
    let length = u16::try_from(message.len()).expect("no message has more than 4096 bytes");
    unwritten.extend_from_slice(&length.to_le_bytes());
    unwritten.extend_from_slice(message);
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

/// Cuts a stream into messages; a message that lies whole in one chunk is not copied.
struct Framer {
    partial: Vec<u8>,
    message_bytes_max: usize,
}

impl Framer {
    fn push<F>(&mut self, mut chunk: Bytes, mut deliver: F) -> Result<(), CloseReason>
    where
        F: FnMut(Bytes) -> Result<(), CloseReason>,
    {
        while !chunk.is_empty() {
            if self.partial.is_empty() && chunk.len() >= 2 {
                let length = self.length([chunk[0], chunk[1]])?;
                if chunk.len() >= 2 + length {
                    chunk.advance(2);
                    deliver(chunk.split_to(length))?;
                    continue;
                }
            }
            let wanted = match self.partial[..] {
                [] | [_] => 2,
                [a, b, ..] => 2 + self.length([a, b])?,
            };
            let taken = chunk.len().min(wanted - self.partial.len());
            self.partial.extend_from_slice(&chunk[..taken]);
            chunk.advance(taken);
            if let [a, b, ..] = self.partial[..]
                && self.partial.len() == 2 + self.length([a, b])?
            {
                let mut message = Bytes::from(std::mem::take(&mut self.partial));
                message.advance(2);
                deliver(message)?;
            }
        }
        Ok(())
    }

    fn length(&self, prefix: [u8; 2]) -> Result<usize, CloseReason> {
        match usize::from(u16::from_le_bytes(prefix)) {
            0 => Err(CloseReason::Malformed),
            n if n > self.message_bytes_max => Err(CloseReason::TooLarge),
            n => Ok(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the stream in pieces of every size and returns the messages.
    fn cut(stream: &[u8], piece: usize, max: usize) -> Result<Vec<Vec<u8>>, CloseReason> {
        let mut framer = Framer { partial: Vec::new(), message_bytes_max: max };
        let mut messages = Vec::new();
        for part in stream.chunks(piece) {
            framer.push(Bytes::copy_from_slice(part), |message| {
                messages.push(message.to_vec());
                Ok(())
            })?;
        }
        Ok(messages)
    }

    #[test]
    fn any_cutting_gives_the_same_messages() {
        let mut stream = Vec::new();
        let messages: Vec<Vec<u8>> = (1..40_u8).map(|n| vec![n; usize::from(n) * 7]).collect();
        for message in &messages {
            append(&mut stream, message);
        }
        for piece in 1..400 {
            assert_eq!(cut(&stream, piece, 300).as_ref(), Ok(&messages), "pieces of {piece}");
        }
    }

    #[test]
    fn bad_lengths_are_refused() {
        for piece in 1..4 {
            assert_eq!(cut(&[0, 0, 0], piece, 300), Err(CloseReason::Malformed));
            assert_eq!(cut(&[45, 1, 0], piece, 300), Err(CloseReason::TooLarge));
        }
    }

    #[test]
    fn a_burst_is_free_and_then_reading_waits() {
        let mut pace = Pace::new(100, 10);
        pace.take(9);
        assert!(pace.wait().is_none());
        pace.take(100);
        assert!(pace.wait().is_some());
    }
}
