//! The tables, and the steps that lead to them.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, SqlStr};

/// `MIGRATIONS[n]` brings format `n` to `n + 1`. What has been released stays as it is: a database
/// remembers a hash of each step.
const MIGRATIONS: &[&str] = &[FIRST, SECOND];

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

/// What characters have achieved, and who has beaten whom in an arena.
const SECOND: &str = r#"
        ALTER TABLE characters
            ADD COLUMN best_level BIGINT NOT NULL DEFAULT 1,
            ADD COLUMN best_depth BIGINT NOT NULL DEFAULT 1,
            ADD COLUMN best_gold BIGINT NOT NULL DEFAULT 0,
            ADD COLUMN rating BIGINT NOT NULL DEFAULT 1500,
            ADD COLUMN wins BIGINT NOT NULL DEFAULT 0,
            ADD COLUMN losses BIGINT NOT NULL DEFAULT 0;
        UPDATE characters SET best_level = level, best_depth = depth, best_gold = gold;
        CREATE INDEX by_level ON characters(best_level DESC, id) WHERE best_level > 1;
        CREATE INDEX by_depth ON characters(best_depth DESC, id) WHERE best_depth > 1;
        CREATE INDEX by_gold ON characters(best_gold DESC, id) WHERE best_gold > 0;
        CREATE INDEX by_rating ON characters(rating DESC, id) WHERE wins + losses > 0;
        CREATE TABLE duels(
            number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event_key TEXT COLLATE "C" NOT NULL UNIQUE,
            arena BIGINT NOT NULL, winner BIGINT NOT NULL, loser BIGINT NOT NULL,
            winner_rating BIGINT NOT NULL, loser_rating BIGINT NOT NULL,
            points BIGINT NOT NULL, at BIGINT NOT NULL
        );
        CREATE INDEX duels_of_winner ON duels(winner, number);
        CREATE INDEX duels_of_loser ON duels(loser, number);
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
