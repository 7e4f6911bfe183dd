//! Decisions about accounts: which names and passwords are taken, who holds a token.
//!
//! [`accounts`] and [`Tokens`] decide from their arguments alone: time and randomness are given to
//! them, nothing is read, written or remembered. The store keeps what they decide.

pub mod accounts;
pub mod tokens;

pub use tokens::{Claims, KeyError, Kind, SessionClaims, TokenError, Tokens};
