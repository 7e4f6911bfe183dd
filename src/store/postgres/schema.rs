//! The tables, and the steps that lead to them.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, SqlStr};

/// `MIGRATIONS[n]` brings format `n` to `n + 1`. What has been released stays as it is: a database
/// remembers a hash of each step.
const MIGRATIONS: &[&str] = &[FIRST];

/// Names are unique without regard to case, and folded as in SQLite, by this program. The order of
/// letters in "C" is nobody's language, so no update of the system's languages breaks an index.
const FIRST: &str = r#"
        CREATE TABLE accounts(
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name TEXT, folded TEXT COLLATE "C" UNIQUE,
            password_hash TEXT, created BIGINT NOT NULL
        );
        CREATE TABLE characters(
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            account BIGINT NOT NULL REFERENCES accounts(id),
            name TEXT NOT NULL, folded TEXT COLLATE "C" NOT NULL UNIQUE,
            level BIGINT NOT NULL, depth BIGINT NOT NULL, gold BIGINT NOT NULL,
            created BIGINT NOT NULL, session BIGINT NOT NULL DEFAULT 0,
            sheet BYTEA NOT NULL DEFAULT '', sheet_version BIGINT NOT NULL DEFAULT 0
        );
        CREATE INDEX characters_of_account ON characters(account);
        -- Keys of events as new as a character's sheet; older ones its version keeps out.
        CREATE TABLE applied(
            character BIGINT NOT NULL, key TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL,
            PRIMARY KEY(character, key)
        );
        CREATE TABLE hall_of_fame(
            event_key TEXT COLLATE "C" PRIMARY KEY, name TEXT NOT NULL, level BIGINT NOT NULL,
            depth BIGINT NOT NULL, gold BIGINT NOT NULL, cause TEXT NOT NULL, at BIGINT NOT NULL
        );
        CREATE INDEX fame_by_gold ON hall_of_fame(gold DESC, depth DESC, at);
"#;

/// The newest format that this program knows.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Brings the tables up to date; several processes may do so at once.
pub(super) async fn bring_up_to_date(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let step = |(sql, version): (&&'static str, i64)| {
        let (name, sql) = (Cow::Borrowed("ledger"), SqlStr::from_static(sql));
        Migration::new(version, name, MigrationType::Simple, sql, false)
    };
    let migrations = MIGRATIONS.iter().zip(1..).map(step).collect();
    Migrator::with_migrations(migrations).run(connection).await
}
