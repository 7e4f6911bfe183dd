//! Who looks for whom: parties, and tickets that wait for an allocation.
//!
//! [`Lobby`] is plain data that is kept as one record, and all that changes it is here: times are
//! arguments, in seconds since 1970, and the same calls make the same lobby. What nobody asks after
//! ends by itself, see [`Lobby::advance`].

mod matchmaking;
mod party;
#[cfg(test)]
mod tests;
mod ticket;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use matchmaking::Places;
pub use party::{PARTY_MAX, Party, code};
pub use ticket::{Allocation, MatchSeat, Mode, Progress, State, Ticket, Wanted};

use crate::model::{AccountId, CharacterId};

/// The parties and tickets of a world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lobby {
    /// The number of the newest ticket.
    newest: u64,
    newest_match: u64,
    parties: BTreeMap<String, Party>,
    tickets: BTreeMap<u64, Ticket>,
}

/// A character with whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub account: AccountId,
    pub character: CharacterId,
    pub name: String,
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LobbyError {
    #[error("there is no such party, or this is not a member")]
    NoParty,
    #[error("a party has at most {PARTY_MAX} members")]
    PartyFull,
    #[error("the character is in a party already; leave that first")]
    InParty,
    #[error("there is no such ticket")]
    NoTicket,
    #[error("there is nothing to take up: the ticket waits or has ended")]
    NotAllocated,
    #[error("somebody of these has another ticket already; cancel that first")]
    HasTicket,
    #[error("a duel is for one, a fight of teams for a party of two or more")]
    WrongSize,
    #[error("too many look for others at this moment; try again")]
    Full,
}
