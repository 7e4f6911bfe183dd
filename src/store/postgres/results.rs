//! What characters have achieved, in PostgreSQL.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Error, PgConnection, query, query_as, query_scalar};

use super::{PostgresStore, read_summary};
use crate::disk::sqlite::{integer, natural};
use crate::model::{CharacterId, ZoneId};
use crate::store::results::Rated;
use crate::store::{Applied, Board, Bout, Fought, Ranked, StoreError, Summary};

/// Number, name, best level, depth and gold, rating, wins, losses.
type RankedRow = (i64, String, i64, i64, i64, i64, i64, i64);
/// Number, arena, opponent, whether it was won, points, rating, time.
type FoughtRow = (i64, i64, String, bool, i64, i64, i64);

/// Each half by its own index, newest first.
const DUELS: &str = "
        SELECT number, arena, name, won, points, mine, at FROM (
            (SELECT number, arena, loser AS other, TRUE AS won, points, winner_rating AS mine, at
                FROM duels WHERE winner = $1 AND number < $2 ORDER BY number DESC LIMIT $3)
            UNION ALL
            (SELECT number, arena, winner AS other, FALSE AS won, -points, loser_rating AS mine, at
                FROM duels WHERE loser = $1 AND number < $2 ORDER BY number DESC LIMIT $3)
        ) AS fought JOIN characters ON id = other ORDER BY number DESC LIMIT $3";

impl PostgresStore {
    pub(in crate::store) fn record_bout(
        &self,
        key: &str,
        bout: &Bout<'_>,
        points: fn(i32, i32) -> i32,
    ) -> Result<Applied, StoreError> {
        self.change(async |c| {
            // Locked in one order, so that of two bouts of the same none waits for the other.
            let mut ratings: BTreeMap<_, _> = bout.fighters().map(|who| (who, 0)).collect();
            for (&character, kept) in &mut ratings {
                let rating = rating(c, character, "FOR UPDATE").await?;
                *kept = rating.ok_or(StoreError::NoCharacter { character })?;
            }
            let is_known: Option<i64> =
                query_scalar("SELECT number FROM duels WHERE event_key = $1")
                    .bind(key)
                    .fetch_optional(&mut *c)
                    .await?;
            if is_known.is_some() {
                return Ok(Applied::Before);
            }
            for duel in bout.rate(key, &ratings, points) {
                record_duel(c, bout, &duel).await?;
            }
            Ok(Applied::Now)
        })
    }

    pub(in crate::store) fn leaderboard(
        &self,
        by: Board,
        limit: usize,
    ) -> Result<Vec<Ranked>, StoreError> {
        let (column, has_any) = by.column();
        self.call(async |c| {
            let sql = AssertSqlSafe(format!(
                "SELECT id, name, best_level, best_depth, best_gold, rating, wins, losses
                 FROM characters WHERE {has_any} ORDER BY {column} DESC, id LIMIT $1"
            ));
            let rows: Vec<RankedRow> = query_as(sql).bind(integer(limit)).fetch_all(c).await?;
            let read = |(id, name, level, depth, gold, rating, wins, losses): RankedRow| Ranked {
                character: CharacterId(natural(id)),
                name,
                best: read_summary(level, depth, gold),
                rating: narrow(rating),
                wins: u32::try_from(wins).unwrap_or(u32::MAX),
                losses: u32::try_from(losses).unwrap_or(u32::MAX),
            };
            Ok(rows.into_iter().map(read).collect())
        })
    }

    pub(in crate::store) fn duels(
        &self,
        character: CharacterId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Fought>, StoreError> {
        self.rating(character)?;
        self.call(async |c| {
            let rows: Vec<FoughtRow> = query_as(DUELS)
                .bind(integer(character.0))
                .bind(integer(before))
                .bind(integer(limit))
                .fetch_all(c)
                .await?;
            let read = |(number, arena, opponent, is_won, change, rating, at): FoughtRow| Fought {
                number: natural(number),
                arena: ZoneId(u32::try_from(arena).unwrap_or(u32::MAX)),
                opponent,
                is_won,
                change: narrow(change),
                rating: narrow(rating),
                at: natural(at),
            };
            Ok(rows.into_iter().map(read).collect())
        })
    }

    pub(in crate::store) fn rating(&self, character: CharacterId) -> Result<i32, StoreError> {
        self.call(async |c| {
            let rating = rating(c, character, "").await?;
            Ok(rating.ok_or(StoreError::NoCharacter { character })?)
        })
    }
}

async fn record_duel(
    connection: &mut PgConnection,
    bout: &Bout<'_>,
    duel: &Rated,
) -> Result<(), Error> {
    let [winner, loser] = [duel.winner, duel.loser].map(|(who, _)| integer(who.0));
    let [winner_rating, loser_rating] = [duel.winner, duel.loser].map(|(_, it)| i64::from(it));
    query(
        "INSERT INTO duels(
             event_key, arena, winner, loser, winner_rating, loser_rating, points, at)
         VALUES($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&duel.key)
    .bind(i64::from(bout.arena.0))
    .bind(winner)
    .bind(loser)
    .bind(winner_rating)
    .bind(loser_rating)
    .bind(i64::from(duel.points))
    .bind(integer(bout.at))
    .execute(&mut *connection)
    .await?;
    query("UPDATE characters SET rating = $2, wins = wins + 1 WHERE id = $1")
        .bind(winner)
        .bind(winner_rating)
        .execute(&mut *connection)
        .await?;
    query("UPDATE characters SET rating = $2, losses = losses + 1 WHERE id = $1")
        .bind(loser)
        .bind(loser_rating)
        .execute(connection)
        .await?;
    Ok(())
}

async fn rating(
    connection: &mut PgConnection,
    character: CharacterId,
    lock: &'static str,
) -> Result<Option<i32>, Error> {
    let sql = AssertSqlSafe(format!("SELECT rating FROM characters WHERE id = $1 {lock}"));
    let rating: Option<i64> =
        query_scalar(sql).bind(integer(character.0)).fetch_optional(connection).await?;
    Ok(rating.map(narrow))
}

/// Keeps the best of a character.
pub(super) async fn achieved(
    connection: &mut PgConnection,
    id: i64,
    best: Summary,
) -> Result<(), Error> {
    query(
        "UPDATE characters SET best_level = greatest(best_level, $2),
             best_depth = greatest(best_depth, $3), best_gold = greatest(best_gold, $4)
         WHERE id = $1",
    )
    .bind(id)
    .bind(i64::from(best.level))
    .bind(i64::from(best.depth))
    .bind(integer(best.gold))
    .execute(connection)
    .await
    .map(drop)
}

fn narrow(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}
