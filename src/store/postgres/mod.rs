//! The store in a PostgreSQL database.

mod connect;
mod pool;
mod results;
mod schema;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Error, PgConnection, query, query_as, query_scalar};
use tokio::runtime::Handle;

use super::{Account, Applied, Character, Death, Fame, Sheet, StoreError, Summary};
use crate::disk::sqlite::{integer, natural};
use crate::model::limits::CHARACTERS_PER_ACCOUNT_MAX;
use crate::model::{AccountId, CharacterId, SessionId};
use pool::{Failure, Pool};

pub use connect::ConnectError;

/// Number, name, hash of the password, time.
type AccountRow = (i64, Option<String>, Option<String>, i64);
/// Number, account, name, level, depth, gold, time.
type CharacterRow = (i64, i64, String, i64, i64, i64, i64);
/// The same with its sheet's version and bytes.
type SheetRow = (i64, i64, String, i64, i64, i64, i64, i64, Vec<u8>);

pub(super) const CHARACTERS: &str = "
        SELECT id, account, name, level, depth, gold, created FROM characters
        WHERE account = $1 ORDER BY id DESC";
pub(super) const HALL_OF_FAME: &str = "
        SELECT name, level, depth, gold, cause, at FROM hall_of_fame
        ORDER BY gold DESC, depth DESC, at LIMIT $1";

/// Keeps the ledger in a database, of which several processes may be users. While the server is
/// away each call fails in a moment, and works again as soon as the server does.
pub struct PostgresStore {
    runtime: Handle,
    options: PgConnectOptions,
    pool: Pool,
    /// Whether its tables are known to be as this version wants them.
    is_prepared: AtomicBool,
}

impl PostgresStore {
    /// Opens the store in a database that is there, and makes its tables where there are none.
    /// `url` is `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; what it leaves out is looked for as
    /// psql does (`PGPASSFILE` and so on). Must not be called on a thread of the runtime.
    pub fn open(runtime: &Handle, url: &str) -> Result<Self, ConnectError> {
        let store = Self::unprepared(runtime, url)?;
        store.prepare()?;
        Ok(store)
    }

    /// The same without looking for the server: until [`PostgresStore::prepare`] has succeeded,
    /// each call fails as if the server were away.
    pub fn unprepared(runtime: &Handle, url: &str) -> Result<Self, ConnectError> {
        let options = connect::parse(url)?;
        let pool = Pool::new(options.clone(), connect::describe(&options));
        Ok(Self { runtime: runtime.clone(), options, pool, is_prepared: AtomicBool::new(false) })
    }

    /// Finds out whether the database can be used; the first time that it can, its tables are made
    /// or brought up to date. Must not be called on a thread of the runtime.
    pub fn prepare(&self) -> Result<(), ConnectError> {
        self.runtime.block_on(connect::prepare(&self.options, self.pool.server()))?;
        self.is_prepared.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether the server answers; anything but a yes is said as a call would.
    pub fn ping(&self) -> Result<(), StoreError> {
        self.call(async |c| Ok(query("SELECT 1").execute(c).await.map(drop)?))
    }

    #[must_use]
    pub fn is_prepared(&self) -> bool {
        self.is_prepared.load(Ordering::Acquire)
    }

    pub(super) fn create_guest(&self, now: u64) -> Result<Account, StoreError> {
        self.call(async |c| Ok(new_account(c, None, None, now).await?.expect("it has no name")))
    }

    pub(super) fn register(
        &self,
        name: &str,
        password_hash: &str,
        now: u64,
    ) -> Result<Account, StoreError> {
        self.call(async |c| {
            let account = new_account(c, Some(name), Some(password_hash), now).await?;
            Ok(account.ok_or_else(|| StoreError::NameTaken { name: name.into() })?)
        })
    }

    pub(super) fn claim_guest(
        &self,
        account: AccountId,
        name: &str,
        password_hash: &str,
    ) -> Result<Account, StoreError> {
        self.call(async |c| {
            let folded = name.to_lowercase();
            let is_taken = || StoreError::NameTaken { name: name.into() };
            let claimed: Result<Option<AccountRow>, Error> = query_as(
                "UPDATE accounts SET name = $2, folded = $3, password_hash = $4
                 WHERE id = $1 AND name IS NULL RETURNING id, name, password_hash, created",
            )
            .bind(integer(account.0))
            .bind(name)
            .bind(&folded)
            .bind(password_hash)
            .fetch_optional(&mut *c)
            .await;
            match claimed {
                Ok(Some(row)) => return Ok(read_account(row)),
                Ok(None) => {}
                Err(Error::Database(error)) if error.is_unique_violation() => {
                    return Err(is_taken().into());
                }
                Err(error) => return Err(error.into()),
            }
            let holder: Option<i64> = query_scalar("SELECT id FROM accounts WHERE folded = $1")
                .bind(&folded)
                .fetch_optional(c)
                .await?;
            Err(holder.map_or(StoreError::NoAccount { account }, |_| is_taken()).into())
        })
    }

    pub(super) fn account_by_name(&self, name: &str) -> Result<Option<Account>, StoreError> {
        if name.contains('\0') {
            // No name holds it, and PostgreSQL takes no text that does.
            return Ok(None);
        }
        self.call(async |c| {
            let row: Option<AccountRow> =
                query_as("SELECT id, name, password_hash, created FROM accounts WHERE folded = $1")
                    .bind(name.to_lowercase())
                    .fetch_optional(c)
                    .await?;
            Ok(row.map(read_account))
        })
    }

    pub(super) fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.call(async |c| {
            let row: Option<AccountRow> =
                query_as("SELECT id, name, password_hash, created FROM accounts WHERE id = $1")
                    .bind(integer(id.0))
                    .fetch_optional(c)
                    .await?;
            Ok(row.map(read_account))
        })
    }

    pub(super) fn create_character(
        &self,
        account: AccountId,
        name: &str,
        now: u64,
    ) -> Result<Character, StoreError> {
        self.change(async |c| {
            // Locked, the account gets its characters one after the other.
            query_scalar::<_, i64>("SELECT id FROM accounts WHERE id = $1 FOR UPDATE")
                .bind(integer(account.0))
                .fetch_optional(&mut *c)
                .await?
                .ok_or(StoreError::NoAccount { account })?;
            let count: i64 = query_scalar("SELECT count(*) FROM characters WHERE account = $1")
                .bind(integer(account.0))
                .fetch_one(&mut *c)
                .await?;
            let max = CHARACTERS_PER_ACCOUNT_MAX;
            if count >= integer(max) {
                return Err(StoreError::TooManyCharacters { max }.into());
            }
            let Summary { level, depth, gold } = Summary::default();
            let id: Option<i64> = query_scalar(
                "INSERT INTO characters(account, name, folded, level, depth, gold, created)
                 VALUES($1, $2, $3, $4, $5, $6, $7) ON CONFLICT(folded) DO NOTHING RETURNING id",
            )
            .bind(integer(account.0))
            .bind(name)
            .bind(name.to_lowercase())
            .bind(i64::from(level))
            .bind(i64::from(depth))
            .bind(integer(gold))
            .bind(integer(now))
            .fetch_optional(c)
            .await?;
            let id = id.ok_or_else(|| StoreError::NameTaken { name: name.into() })?;
            let (id, name, summary) = (CharacterId(natural(id)), name.into(), Summary::default());
            Ok(Character { id, account, name, summary, created: now })
        })
    }

    pub(super) fn characters(&self, account: AccountId) -> Result<Vec<Character>, StoreError> {
        self.call(async |c| {
            let rows: Vec<CharacterRow> =
                query_as(CHARACTERS).bind(integer(account.0)).fetch_all(c).await?;
            Ok(rows.into_iter().map(read_character).collect())
        })
    }

    pub(super) fn character(
        &self,
        id: CharacterId,
    ) -> Result<Option<(Character, Sheet)>, StoreError> {
        self.call(async |c| {
            let row: Option<SheetRow> = query_as(
                "SELECT id, account, name, level, depth, gold, created, sheet_version, sheet
                 FROM characters WHERE id = $1",
            )
            .bind(integer(id.0))
            .fetch_optional(c)
            .await?;
            Ok(row.map(|(id, account, name, level, depth, gold, created, version, bytes)| {
                let character = (id, account, name, level, depth, gold, created);
                (read_character(character), Sheet { version: natural(version), bytes })
            }))
        })
    }

    pub(super) fn begin_session(
        &self,
        character: CharacterId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        self.call(async |c| {
            let done = query("UPDATE characters SET session = $2 WHERE id = $1")
                .bind(integer(character.0))
                .bind(session.0.cast_signed())
                .execute(c)
                .await?;
            if done.rows_affected() == 0 {
                return Err(StoreError::NoCharacter { character }.into());
            }
            Ok(())
        })
    }

    pub(super) fn end_session(
        &self,
        character: CharacterId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        self.call(async |c| {
            query("UPDATE characters SET session = 0 WHERE id = $1 AND session = $2")
                .bind(integer(character.0))
                .bind(session.0.cast_signed())
                .execute(c)
                .await?;
            Ok(())
        })
    }

    pub(super) fn session(&self, character: CharacterId) -> Result<Option<SessionId>, StoreError> {
        self.call(async |c| {
            let session: Option<i64> =
                query_scalar("SELECT session FROM characters WHERE id = $1 AND session != 0")
                    .bind(integer(character.0))
                    .fetch_optional(c)
                    .await?;
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
        let (id, version) = (integer(character.0), integer(sheet.version));
        self.change(async |c| {
            let kept: Option<i64> =
                query_scalar("SELECT sheet_version FROM characters WHERE id = $1 FOR UPDATE")
                    .bind(id)
                    .fetch_optional(&mut *c)
                    .await?;
            let kept = kept.ok_or(StoreError::NoCharacter { character })?;
            if version < kept {
                return Ok(Applied::Before);
            }
            let new = query(
                "INSERT INTO applied(character, key, version) VALUES($1, $2, $3)
                 ON CONFLICT DO NOTHING",
            )
            .bind(id)
            .bind(key)
            .bind(version)
            .execute(&mut *c)
            .await?;
            if new.rows_affected() == 0 {
                return Ok(Applied::Before);
            }
            query("DELETE FROM applied WHERE character = $1 AND version < $2")
                .bind(id)
                .bind(version)
                .execute(&mut *c)
                .await?;
            query(
                "UPDATE characters
                 SET sheet = $2, sheet_version = $3, level = $4, depth = $5, gold = $6
                 WHERE id = $1",
            )
            .bind(id)
            .bind(&sheet.bytes)
            .bind(version)
            .bind(i64::from(summary.level))
            .bind(i64::from(summary.depth))
            .bind(integer(summary.gold))
            .execute(&mut *c)
            .await?;
            let best = Summary { depth: deepest.max(summary.depth), ..summary };
            results::achieved(c, id, best).await?;
            Ok(Applied::Now)
        })
    }

    pub(super) fn record_death(
        &self,
        key: &str,
        character: CharacterId,
        death: &Death,
    ) -> Result<Applied, StoreError> {
        self.change(async |c| {
            let Death { summary: Summary { level, depth, gold }, cause, at } = death;
            let name: Option<String> = query_scalar("SELECT name FROM characters WHERE id = $1")
                .bind(integer(character.0))
                .fetch_optional(&mut *c)
                .await?;
            let name = name.ok_or(StoreError::NoCharacter { character })?;
            let new = query(
                "INSERT INTO hall_of_fame(event_key, name, level, depth, gold, cause, at)
                 VALUES($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            )
            .bind(key)
            .bind(name)
            .bind(i64::from(*level))
            .bind(i64::from(*depth))
            .bind(integer(*gold))
            .bind(cause)
            .bind(integer(*at))
            .execute(&mut *c)
            .await?;
            if new.rows_affected() == 0 {
                return Ok(Applied::Before);
            }
            results::achieved(c, integer(character.0), death.summary).await?;
            Ok(Applied::Now)
        })
    }

    pub(super) fn hall_of_fame(&self, limit: usize) -> Result<Vec<Fame>, StoreError> {
        self.call(async |c| {
            let rows: Vec<(String, i64, i64, i64, String, i64)> =
                query_as(HALL_OF_FAME).bind(integer(limit)).fetch_all(c).await?;
            let read = |(name, level, depth, gold, cause, at)| {
                let summary = read_summary(level, depth, gold);
                Fame { name, death: Death { summary, cause, at: natural(at) } }
            };
            Ok(rows.into_iter().map(read).collect())
        })
    }

    fn call<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.known()?;
        self.runtime.block_on(self.pool.call(work))
    }

    fn change<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.known()?;
        self.runtime.block_on(self.pool.change(work))
    }

    fn known(&self) -> Result<(), StoreError> {
        if self.is_prepared() {
            return Ok(());
        }
        let (server, detail) = (self.pool.server().to_owned(), "no connection yet".to_owned());
        Err(StoreError::Unavailable { server, detail })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("server", &self.pool.server()).finish_non_exhaustive()
    }
}

/// None where the name is taken.
async fn new_account(
    connection: &mut PgConnection,
    name: Option<&str>,
    password_hash: Option<&str>,
    now: u64,
) -> Result<Option<Account>, Error> {
    let row: Option<AccountRow> = query_as(
        "INSERT INTO accounts(name, folded, password_hash, created) VALUES($1, $2, $3, $4)
         ON CONFLICT(folded) DO NOTHING RETURNING id, name, password_hash, created",
    )
    .bind(name)
    .bind(name.map(str::to_lowercase))
    .bind(password_hash)
    .bind(integer(now))
    .fetch_optional(connection)
    .await?;
    Ok(row.map(read_account))
}

fn read_account((id, name, password_hash, created): AccountRow) -> Account {
    Account { id: AccountId(natural(id)), name, password_hash, created: natural(created) }
}

fn read_character((id, account, name, level, depth, gold, created): CharacterRow) -> Character {
    Character {
        id: CharacterId(natural(id)),
        account: AccountId(natural(account)),
        name,
        summary: read_summary(level, depth, gold),
        created: natural(created),
    }
}

fn read_summary(level: i64, depth: i64, gold: i64) -> Summary {
    let narrow = |number| u32::try_from(natural(number)).unwrap_or(u32::MAX);
    Summary { level: narrow(level), depth: narrow(depth), gold: natural(gold) }
}
