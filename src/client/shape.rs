//! What goes into the state machine and what comes out.

use std::time::Duration;

use crate::model::{CharacterId, SessionId};
use crate::protocol::CloseReason;

/// Who plays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The account's token.
    pub token: String,
    /// Its character; 0 is its first.
    pub character: CharacterId,
    /// A session to go on with, or empty. It wins over the rest until the server refuses it.
    pub resume: String,
}

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Config {
    pub credentials: Credentials,
    /// Whether frames may come as datagrams: lost, late or twice.
    pub datagrams: bool,
    /// Seeds the waits between attempts to connect.
    pub seed: u64,
    /// How long attempts to connect may fail before the client gives up.
    pub patience: Duration,
}

impl Config {
    /// The default behaviour.
    #[must_use]
    pub fn new(credentials: Credentials, datagrams: bool, seed: u64) -> Self {
        Self { credentials, datagrams, seed, patience: Duration::from_secs(120) }
    }
}

/// What the caller has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection, then say `handle_open` or `handle_closed`. `resume`: it goes on with a
    /// session.
    Connect { resume: bool },
    /// Send one message.
    Send(Vec<u8>),
    /// Drop the connection, after what was sent; nothing of it may be fed any more.
    Disconnect,
    /// It is over; nothing more comes.
    GiveUp(GiveUp),
}

/// Why a client stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GiveUp {
    #[error("{}", .0.text())]
    Closed(CloseReason),
    #[error("the server cannot be reached")]
    Unreachable,
}

/// What a Welcome said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub character: CharacterId,
    pub name: String,
    pub ticks_per_second: u8,
    /// The newest command the zone had.
    pub last_command: u32,
    /// The newest command that earlier connections had seen acknowledged; more than
    /// `last_command` means that the server lost some.
    pub acknowledged_before: u32,
    /// Lets a later client go on with this session.
    pub resume: String,
}
