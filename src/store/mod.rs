//! The store: the ledger of what outlives a zone (accounts, characters, results).
//!
//! [`Store`] keeps it in one SQLite file, which in memory is its own twin, or in a PostgreSQL
//! database, which several processes may share. What zones tell it carries a key and may be told
//! again after a crash: the second time changes nothing. It never decides who may do what, and
//! never looks into a sheet.

mod postgres;
mod results;
mod sqlite;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use postgres::{ConnectError, PostgresStore};
pub use results::{Board, Bout, Fought, RATING_FIRST, Ranked};
pub use sqlite::{Config, STORE_FILE, SqliteStore};

use crate::disk::{DataFolder, OpenError};
use crate::model::{AccountId, CharacterId, SessionId};

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
    #[error("the store in PostgreSQL at {server} cannot be used ({detail}); see to that server")]
    Unavailable { server: String, detail: String },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody asking for something else. The one
    /// that failed may have been carried out nevertheless, if a server's answer was lost.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::NameTaken { .. }
            | Self::NoAccount { .. }
            | Self::NoCharacter { .. }
            | Self::TooManyCharacters { .. } => false,
            Self::Full { .. } | Self::Failed { .. } | Self::Unavailable { .. } => true,
        }
    }
}

/// Keeps the ledger. Calls wait for each other, for a disk or for a server: never call from a
/// thread that ticks, serves sockets or runs a runtime's tasks.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a process has one store")]
pub enum Store {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

impl Store {
    /// Opens the store of a data folder, and makes it where there is none.
    pub fn open(folder: &DataFolder, config: Config) -> Result<Self, OpenError> {
        SqliteStore::open(folder, config).map(Self::Sqlite)
    }

    /// A store that is gone with its last use.
    pub fn in_memory() -> Result<Self, OpenError> {
        SqliteStore::in_memory().map(Self::Sqlite)
    }

    /// A new account without a name.
    pub fn create_guest(&self, now: u64) -> Result<Account, StoreError> {
        match self {
            Self::Sqlite(store) => store.create_guest(now),
            Self::Postgres(store) => store.create_guest(now),
        }
    }

    /// A new account with a name that passed the rules.
    pub fn register(
        &self,
        name: &str,
        password_hash: &str,
        now: u64,
    ) -> Result<Account, StoreError> {
        match self {
            Self::Sqlite(store) => store.register(name, password_hash, now),
            Self::Postgres(store) => store.register(name, password_hash, now),
        }
    }

    /// Gives a guest's account a name and a password; it keeps its characters. An account that has
    /// a name already, or is not there, does not exist for this purpose.
    pub fn claim_guest(
        &self,
        account: AccountId,
        name: &str,
        password_hash: &str,
    ) -> Result<Account, StoreError> {
        match self {
            Self::Sqlite(store) => store.claim_guest(account, name, password_hash),
            Self::Postgres(store) => store.claim_guest(account, name, password_hash),
        }
    }

    /// The account of a name, whatever its case.
    pub fn account_by_name(&self, name: &str) -> Result<Option<Account>, StoreError> {
        match self {
            Self::Sqlite(store) => store.account_by_name(name),
            Self::Postgres(store) => store.account_by_name(name),
        }
    }

    /// One account.
    pub fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        match self {
            Self::Sqlite(store) => store.account(id),
            Self::Postgres(store) => store.account(id),
        }
    }

    /// A new character, with a name that passed the rules and no other has.
    pub fn create_character(
        &self,
        account: AccountId,
        name: &str,
        now: u64,
    ) -> Result<Character, StoreError> {
        match self {
            Self::Sqlite(store) => store.create_character(account, name, now),
            Self::Postgres(store) => store.create_character(account, name, now),
        }
    }

    /// The characters of an account, newest first.
    pub fn characters(&self, account: AccountId) -> Result<Vec<Character>, StoreError> {
        match self {
            Self::Sqlite(store) => store.characters(account),
            Self::Postgres(store) => store.characters(account),
        }
    }

    /// A character and its sheet.
    pub fn character(&self, id: CharacterId) -> Result<Option<(Character, Sheet)>, StoreError> {
        match self {
            Self::Sqlite(store) => store.character(id),
            Self::Postgres(store) => store.character(id),
        }
    }

    /// Makes this session the one of a character: any other ends.
    pub fn begin_session(
        &self,
        character: CharacterId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.begin_session(character, session),
            Self::Postgres(store) => store.begin_session(character, session),
        }
    }

    /// Ends this session of a character, unless another has begun.
    pub fn end_session(
        &self,
        character: CharacterId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.end_session(character, session),
            Self::Postgres(store) => store.end_session(character, session),
        }
    }

    /// The session of a character, if one has begun and not ended.
    pub fn session(&self, character: CharacterId) -> Result<Option<SessionId>, StoreError> {
        match self {
            Self::Sqlite(store) => store.session(character),
            Self::Postgres(store) => store.session(character),
        }
    }

    /// Keeps a character as it left a zone; `deepest` is the deepest floor that it has seen. `key`
    /// names the event; told again it changes nothing, nor does a sheet that is older than the one
    /// kept.
    pub fn save_sheet(
        &self,
        key: &str,
        character: CharacterId,
        summary: Summary,
        deepest: u32,
        sheet: &Sheet,
    ) -> Result<Applied, StoreError> {
        match self {
            Self::Sqlite(store) => store.save_sheet(key, character, summary, deepest, sheet),
            Self::Postgres(store) => store.save_sheet(key, character, summary, deepest, sheet),
        }
    }

    /// Keeps that a character has died. `key` names the event; told again it changes nothing.
    pub fn record_death(
        &self,
        key: &str,
        character: CharacterId,
        death: &Death,
    ) -> Result<Applied, StoreError> {
        match self {
            Self::Sqlite(store) => store.record_death(key, character, death),
            Self::Postgres(store) => store.record_death(key, character, death),
        }
    }

    /// The richest of the dead, then the deepest, then the first.
    pub fn hall_of_fame(&self, limit: usize) -> Result<Vec<Fame>, StoreError> {
        match self {
            Self::Sqlite(store) => store.hall_of_fame(limit),
            Self::Postgres(store) => store.hall_of_fame(limit),
        }
    }
}
