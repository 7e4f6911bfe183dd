//! The sending half of a client's QUIC or WebTransport connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};
use web_transport_quinn::{Session, SessionError, quinn::SendDatagramError};

use super::pump::{Closing, Line};
use crate::protocol::CloseReason;

/// Messages that may wait for the control stream of one connection.
pub(super) const OUTBOX_MESSAGES_MAX: usize = 32;

/// Why a link did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("the connection is closed")]
    Closed,
    #[error("the peer reads too slowly: {OUTBOX_MESSAGES_MAX} messages wait for its stream")]
    Full,
}

/// Sends on one connection from any thread, never waiting; the connection closes when its last
/// link is dropped.
#[derive(Clone)]
pub(super) struct Link {
    line: Arc<Line>,
    outbox: mpsc::Sender<Bytes>,
}

impl Link {
    /// The link, and the two ends that its [`super::pump::Pump`] takes.
    pub(super) fn new(session: Session) -> (Self, Arc<Line>, mpsc::Receiver<Bytes>) {
        let (outbox, queue) = mpsc::channel(OUTBOX_MESSAGES_MAX);
        let line = Arc::new(Line { session, closing: Closing::default() });
        (Self { line: Arc::clone(&line), outbox }, line, queue)
    }

    /// Sends one message as a datagram that may get lost. A message too large for the path, or for
    /// a peer without datagrams, goes on the stream. Too many unsent datagrams push the oldest out.
    pub(super) fn send_datagram(&self, message: Bytes) -> Result<(), LinkError> {
        match self.line.session.send_datagram(message.clone()) {
            Ok(()) => Ok(()),
            Err(SessionError::SendDatagramError(
                SendDatagramError::UnsupportedByPeer
                | SendDatagramError::Disabled
                | SendDatagramError::TooLarge,
            )) => self.send_reliable(message),
            Err(_) => Err(LinkError::Closed),
        }
    }

    /// Sends one message on the control stream, in order.
    pub(super) fn send_reliable(&self, message: Bytes) -> Result<(), LinkError> {
        self.outbox.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => LinkError::Full,
            TrySendError::Closed(_) => LinkError::Closed,
        })
    }

    /// Ends the connection; what was sent before has a second to arrive.
    pub(super) fn close(&self, reason: CloseReason) {
        self.line.closing.tell(reason);
    }

    /// The smoothed round-trip time.
    pub(super) fn rtt(&self) -> Duration {
        self.line.session.rtt()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Link").field(&self.line.session.stable_id()).finish()
    }
}
