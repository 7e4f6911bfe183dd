//! The store in one SQLite file.

mod results;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{Account, Applied, Character, Death, Fame, Sheet, StoreError, Summary};
use crate::disk::sqlite::{integer, natural};
use crate::disk::{DataFolder, OpenError, sqlite};
use crate::model::limits::CHARACTERS_PER_ACCOUNT_MAX;
use crate::model::{AccountId, CharacterId, SessionId};

pub use sqlite::Config;

/// The name of the store's file in the data folder.
pub const STORE_FILE: &str = "store.sqlite";

/// Names are unique without regard to case; SQLite folds ASCII only, so the folded name is kept.
const FORMAT: sqlite::Format = sqlite::Format {
    what: "store",
    mark: 0x5553_544f,
    version: 3,
    migrations: &[FIRST, SECOND, THIRD],
};

pub(super) const FIRST: &str = "
        CREATE TABLE accounts(
            id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, folded TEXT UNIQUE,
            password_hash TEXT, created INTEGER NOT NULL
        );
        CREATE TABLE characters(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account INTEGER NOT NULL REFERENCES accounts(id),
            name TEXT NOT NULL, folded TEXT NOT NULL,
            level INTEGER NOT NULL, depth INTEGER NOT NULL, gold INTEGER NOT NULL,
            alive INTEGER NOT NULL DEFAULT 1, created INTEGER NOT NULL,
            sheet BLOB NOT NULL DEFAULT x'', sheet_version INTEGER NOT NULL DEFAULT 0
        );
        CREATE UNIQUE INDEX living_names ON characters(folded) WHERE alive;
        CREATE INDEX characters_of_account ON characters(account);
        -- Keys of events as new as a character's sheet; older ones its version keeps out.
        CREATE TABLE applied(
            character INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL,
            PRIMARY KEY(character, key)
        ) WITHOUT ROWID;
        CREATE TABLE hall_of_fame(
            event_key TEXT PRIMARY KEY, name TEXT NOT NULL, level INTEGER NOT NULL,
            depth INTEGER NOT NULL, gold INTEGER NOT NULL, cause TEXT NOT NULL, at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX fame_by_gold ON hall_of_fame(gold DESC, depth DESC, at);
";

/// Everybody is alive, sessions can end, and sheets end with the commands that wait: none.
const SECOND: &str = "
        DROP INDEX living_names;
        ALTER TABLE characters DROP COLUMN alive;
        CREATE UNIQUE INDEX names ON characters(folded);
        ALTER TABLE characters ADD COLUMN session INTEGER NOT NULL DEFAULT 0;
        UPDATE characters SET sheet = CAST(sheet || x'00' AS BLOB) WHERE length(sheet) > 0;
";

/// What characters have achieved, and who has beaten whom in an arena.
const THIRD: &str = "
        ALTER TABLE characters ADD COLUMN best_level INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE characters ADD COLUMN best_depth INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE characters ADD COLUMN best_gold INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE characters ADD COLUMN rating INTEGER NOT NULL DEFAULT 1500;
        ALTER TABLE characters ADD COLUMN wins INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE characters ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
        UPDATE characters SET best_level = level, best_depth = depth, best_gold = gold;
        CREATE INDEX by_level ON characters(best_level DESC, id) WHERE best_level > 1;
        CREATE INDEX by_depth ON characters(best_depth DESC, id) WHERE best_depth > 1;
        CREATE INDEX by_gold ON characters(best_gold DESC, id) WHERE best_gold > 0;
        CREATE INDEX by_rating ON characters(rating DESC, id) WHERE wins + losses > 0;
        CREATE TABLE duels(
            number INTEGER PRIMARY KEY AUTOINCREMENT, event_key TEXT NOT NULL UNIQUE,
            arena INTEGER NOT NULL, winner INTEGER NOT NULL, loser INTEGER NOT NULL,
            winner_rating INTEGER NOT NULL, loser_rating INTEGER NOT NULL,
            points INTEGER NOT NULL, at INTEGER NOT NULL
        );
        CREATE INDEX duels_of_winner ON duels(winner, number);
        CREATE INDEX duels_of_loser ON duels(loser, number);
";

const CHARACTER: &str = "SELECT id, account, name, level, depth, gold, created FROM characters";

/// Keeps the ledger in one file, of which this process is the only user.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Mutex<Connection>,
    file: PathBuf,
    _folder: Option<DataFolder>,
}

impl SqliteStore {
    /// Opens the store of a data folder, and makes it where there is none.
    pub fn open(folder: &DataFolder, config: Config) -> Result<Self, OpenError> {
        let file = folder.file(STORE_FILE);
        let connection = Mutex::new(sqlite::open(&file, FORMAT, config)?);
        Ok(Self { connection, file, _folder: Some(folder.clone()) })
    }

    /// A store that is gone with its last use.
    pub fn in_memory() -> Result<Self, OpenError> {
        let connection = Mutex::new(sqlite::open_in_memory(FORMAT)?);
        Ok(Self { connection, file: ":memory:".into(), _folder: None })
    }

    pub(super) fn create_guest(&self, now: u64) -> Result<Account, StoreError> {
        self.write(|t| new_account(t, None, None, now))
    }

    pub(super) fn register(
        &self,
        name: &str,
        password_hash: &str,
        now: u64,
    ) -> Result<Account, StoreError> {
        self.write(|t| {
            let taken = t
                .prepare_cached("SELECT 1 FROM accounts WHERE folded = ?1")?
                .exists([name.to_lowercase()])?;
            if taken {
                return Err(StoreError::NameTaken { name: name.into() }.into());
            }
            new_account(t, Some(name), Some(password_hash), now)
        })
    }

    pub(super) fn claim_guest(
        &self,
        account: AccountId,
        name: &str,
        password_hash: &str,
    ) -> Result<Account, StoreError> {
        self.write(|t| {
            let folded = name.to_lowercase();
            let taken =
                t.prepare_cached("SELECT 1 FROM accounts WHERE folded = ?1")?.exists([&folded])?;
            if taken {
                return Err(StoreError::NameTaken { name: name.into() }.into());
            }
            let changed = t
                .prepare_cached(
                    "UPDATE accounts SET name = ?2, folded = ?3, password_hash = ?4
                     WHERE id = ?1 AND name IS NULL",
                )?
                .execute(params![integer(account.0), name, folded, password_hash])?;
            if changed == 0 {
                return Err(StoreError::NoAccount { account }.into());
            }
            Ok(t.query_row(
                "SELECT id, name, password_hash, created FROM accounts WHERE id = ?1",
                [integer(account.0)],
                read_account,
            )?)
        })
    }

    pub(super) fn account_by_name(&self, name: &str) -> Result<Option<Account>, StoreError> {
        self.read(|c| {
            c.prepare_cached(
                "SELECT id, name, password_hash, created FROM accounts WHERE folded = ?1",
            )?
            .query_row([name.to_lowercase()], read_account)
            .optional()
        })
    }

    pub(super) fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.read(|c| {
            c.prepare_cached("SELECT id, name, password_hash, created FROM accounts WHERE id = ?1")?
                .query_row([integer(id.0)], read_account)
                .optional()
        })
    }

    pub(super) fn create_character(
        &self,
        account: AccountId,
        name: &str,
        now: u64,
    ) -> Result<Character, StoreError> {
        self.write(|t| {
            let id = integer(account.0);
            if !t.prepare_cached("SELECT 1 FROM accounts WHERE id = ?1")?.exists([id])? {
                return Err(StoreError::NoAccount { account }.into());
            }
            let count: i64 = t
                .prepare_cached("SELECT count(*) FROM characters WHERE account = ?1")?
                .query_row([id], |row| row.get(0))?;
            let max = CHARACTERS_PER_ACCOUNT_MAX;
            if count >= integer(max) {
                return Err(StoreError::TooManyCharacters { max }.into());
            }
            let folded = name.to_lowercase();
            let taken = t
                .prepare_cached("SELECT 1 FROM characters WHERE folded = ?1")?
                .exists([&folded])?;
            if taken {
                return Err(StoreError::NameTaken { name: name.into() }.into());
            }
            let Summary { level, depth, gold } = Summary::default();
            t.prepare_cached(
                "INSERT INTO characters(account, name, folded, level, depth, gold, created)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                id,
                name,
                folded,
                level,
                depth,
                integer(gold),
                integer(now)
            ])?;
            let id = CharacterId(natural(t.last_insert_rowid()));
            let (name, summary) = (name.into(), Summary::default());
            Ok(Character { id, account, name, summary, created: now })
        })
    }

    pub(super) fn characters(&self, account: AccountId) -> Result<Vec<Character>, StoreError> {
        self.read(|c| {
            c.prepare_cached(&format!("{CHARACTER} WHERE account = ?1 ORDER BY id DESC"))?
                .query_map([integer(account.0)], read_character)?
                .collect()
        })
    }

    pub(super) fn character(
        &self,
        id: CharacterId,
    ) -> Result<Option<(Character, Sheet)>, StoreError> {
        self.read(|c| {
            c.prepare_cached(
                "SELECT id, account, name, level, depth, gold, created, sheet_version, sheet
                 FROM characters WHERE id = ?1",
            )?
            .query_row([integer(id.0)], |row| {
                let version = natural(row.get(7)?);
                Ok((read_character(row)?, Sheet { version, bytes: row.get(8)? }))
            })
            .optional()
        })
    }

    pub(super) fn begin_session(
        &self,
        character: CharacterId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        self.write(|t| {
            let changed = t
                .prepare_cached("UPDATE characters SET session = ?2 WHERE id = ?1")?
                .execute(params![integer(character.0), session.0.cast_signed()])?;
            if changed == 0 { Err(StoreError::NoCharacter { character }.into()) } else { Ok(()) }
        })
    }

    pub(super) fn end_session(
        &self,
        character: CharacterId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        self.write(|t| {
            t.prepare_cached("UPDATE characters SET session = 0 WHERE id = ?1 AND session = ?2")?
                .execute(params![integer(character.0), session.0.cast_signed()])?;
            Ok(())
        })
    }

    pub(super) fn session(&self, character: CharacterId) -> Result<Option<SessionId>, StoreError> {
        self.read(|c| {
            let session: Option<i64> = c
                .prepare_cached("SELECT session FROM characters WHERE id = ?1 AND session != 0")?
                .query_row([integer(character.0)], |row| row.get(0))
                .optional()?;
            Ok(session.map(|session| SessionId(session.cast_unsigned())))
        })
    }

    pub(super) fn save_sheet(
        &self,
        key: &str,
        character: CharacterId,
        summary: Summary,
        deepest: u32,
        sheet: &Sheet,
    ) -> Result<Applied, StoreError> {
        self.write(|t| {
            let id = integer(character.0);
            let kept: Option<i64> = t
                .prepare_cached("SELECT sheet_version FROM characters WHERE id = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            let kept = kept.ok_or(StoreError::NoCharacter { character })?;
            let version = integer(sheet.version);
            let is_known = t
                .prepare_cached("SELECT 1 FROM applied WHERE character = ?1 AND key = ?2")?
                .exists(params![id, key])?;
            if version < kept || is_known {
                return Ok(Applied::Before);
            }
            t.prepare_cached("DELETE FROM applied WHERE character = ?1 AND version < ?2")?
                .execute([id, version])?;
            t.prepare_cached("INSERT INTO applied(character, key, version) VALUES(?1, ?2, ?3)")?
                .execute(params![id, key, version])?;
            let Summary { level, depth, gold } = summary;
            t.prepare_cached(
                "UPDATE characters
                 SET sheet = ?2, sheet_version = ?3, level = ?4, depth = ?5, gold = ?6
                 WHERE id = ?1",
            )?
            .execute(params![
                id,
                sheet.bytes,
                version,
                level,
                depth,
                integer(gold)
            ])?;
            results::achieved(t, id, Summary { depth: deepest.max(depth), ..summary })?;
            Ok(Applied::Now)
        })
    }

    pub(super) fn record_death(
        &self,
        key: &str,
        character: CharacterId,
        death: &Death,
    ) -> Result<Applied, StoreError> {
        self.write(|t| {
            let id = integer(character.0);
            let Death { summary: Summary { level, depth, gold }, cause, at } = death;
            let gold = integer(*gold);
            let name: Option<String> = t
                .prepare_cached("SELECT name FROM characters WHERE id = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            let name = name.ok_or(StoreError::NoCharacter { character })?;
            let new = t
                .prepare_cached(
                    "INSERT OR IGNORE INTO hall_of_fame(event_key, name, level, depth, gold, cause, at)
                     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![key, name, level, depth, gold, cause, integer(*at)])?;
            if new == 0 {
                return Ok(Applied::Before);
            }
            results::achieved(t, id, death.summary)?;
            Ok(Applied::Now)
        })
    }

    pub(super) fn hall_of_fame(&self, limit: usize) -> Result<Vec<Fame>, StoreError> {
        self.read(|c| {
            c.prepare_cached(
                "SELECT name, level, depth, gold, cause, at FROM hall_of_fame
                 ORDER BY gold DESC, depth DESC, at LIMIT ?1",
            )?
            .query_map([integer(limit)], |row| {
                let summary = summary(row, 1)?;
                let at = natural(row.get(5)?);
                Ok(Fame { name: row.get(0)?, death: Death { summary, cause: row.get(4)?, at } })
            })?
            .collect()
        })
    }

    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        query(&connection).map_err(|error| self.cause(error))
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let result = (|| {
            let behavior = TransactionBehavior::Immediate;
            let transaction = connection.transaction_with_behavior(behavior)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        result.map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::Sqlite(error) => self.cause(error),
        })
    }

    fn cause(&self, error: rusqlite::Error) -> StoreError {
        let file = self.file.clone();
        if sqlite::is_full(&error) {
            let folder = file.parent().unwrap_or(Path::new("."));
            let free_bytes = fs4::available_space(folder).unwrap_or(0);
            return StoreError::Full { file, free_bytes };
        }
        StoreError::Failed { file, source: error }
    }
}

enum Failure {
    Refused(StoreError),
    Sqlite(rusqlite::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn new_account(
    transaction: &Transaction<'_>,
    name: Option<&str>,
    password_hash: Option<&str>,
    now: u64,
) -> Result<Account, Failure> {
    transaction
        .prepare_cached(
            "INSERT INTO accounts(name, folded, password_hash, created) VALUES(?1, ?2, ?3, ?4)",
        )?
        .execute(params![name, name.map(str::to_lowercase), password_hash, integer(now)])?;
    let id = AccountId(natural(transaction.last_insert_rowid()));
    let (name, password_hash) = (name.map(Into::into), password_hash.map(Into::into));
    Ok(Account { id, name, password_hash, created: now })
}

fn read_account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: AccountId(natural(row.get(0)?)),
        name: row.get(1)?,
        password_hash: row.get(2)?,
        created: natural(row.get(3)?),
    })
}

fn read_character(row: &Row<'_>) -> rusqlite::Result<Character> {
    Ok(Character {
        id: CharacterId(natural(row.get(0)?)),
        account: AccountId(natural(row.get(1)?)),
        name: row.get(2)?,
        summary: summary(row, 3)?,
        created: natural(row.get(6)?),
    })
}

fn summary(row: &Row<'_>, first: usize) -> rusqlite::Result<Summary> {
    let gold = natural(row.get(first + 2)?);
    Ok(Summary { level: row.get(first)?, depth: row.get(first + 1)?, gold })
}
