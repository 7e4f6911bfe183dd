//! The store: the ledger of what outlives a zone (accounts, characters, results).
//!
//! [`Store`] keeps it in one SQLite file; in memory it is its own twin. What zones tell it carries
//! a key and may be told again after a crash: the second time changes nothing. It never decides
//! who may do what, and never looks into a sheet.

mod sqlite;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use sqlite::{Config, STORE_FILE, Store};

use crate::model::{AccountId, CharacterId};

/// One who plays: registered under a name, or a guest without one. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub name: Option<String>,
    pub password_hash: Option<String>,
    pub created: u64,
}

/// What lists show of a character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Character {
    pub id: CharacterId,
    pub account: AccountId,
    pub name: String,
    pub summary: Summary,
    pub created: u64,
}

/// How far a character has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub level: u32,
    pub depth: u32,
    pub gold: u64,
}

impl Default for Summary {
    fn default() -> Self {
        Self { level: 1, depth: 1, gold: 0 }
    }
}

/// A character as the game encoded it; `bytes` is empty and `version` 0 for one that has not been
/// in the world yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    pub version: u64,
    pub bytes: Vec<u8>,
}

/// How a life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    pub summary: Summary,
    /// A phrase such as "killed by a jackal on depth 2".
    pub cause: String,
    /// Seconds since 1970.
    pub at: u64,
}

/// A row of the hall of fame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fame {
    pub name: String,
    pub death: Death,
}

/// Whether something that may be told twice was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Now,
    /// It was told before, or something newer was: nothing changed.
    Before,
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the name {name} is taken")]
    NameTaken { name: String },
    #[error("account {account} does not exist")]
    NoAccount { account: AccountId },
    #[error("character {character} does not exist")]
    NoCharacter { character: CharacterId },
    #[error("the account has {max} characters already")]
    TooManyCharacters { max: usize },
    #[error(
        "the disk of {} is full ({free_bytes} bytes are free); free some space",
        file.display()
    )]
    Full { file: PathBuf, free_bytes: u64 },
    #[error("cannot use {}: {source}", file.display())]
    Failed { file: PathBuf, source: rusqlite::Error },
}
