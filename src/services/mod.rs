//! Decisions about accounts and their characters: which names and passwords are taken, who holds a
//! token, how good somebody is in an arena, who is brought together with whom.
//!
//! [`accounts`], [`Tokens`], [`ratings`] and [`Lobby`] decide from their arguments alone: time and randomness are given to
//! them, nothing is read, written or remembered. The store keeps what they decide.

pub mod accounts;
pub mod lobby;
pub mod ratings;
pub mod tokens;

pub use lobby::Lobby;
pub use tokens::{Claims, KeyError, Kind, SessionClaims, TokenError, Tokens};
