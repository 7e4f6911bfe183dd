//! What characters have achieved, in SQLite.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};

use super::{SqliteStore, summary};
use crate::disk::sqlite::{integer, natural};
use crate::model::{CharacterId, ZoneId};
use crate::store::results::Rated;
use crate::store::{Applied, Board, Bout, Fought, Ranked, StoreError, Summary};

impl SqliteStore {
    pub(in crate::store) fn record_bout(
        &self,
        key: &str,
        bout: &Bout<'_>,
        points: fn(i32, i32) -> i32,
    ) -> Result<Applied, StoreError> {
        self.write(|t| {
            let is_known =
                t.prepare_cached("SELECT 1 FROM duels WHERE event_key = ?1")?.exists([key])?;
            if is_known {
                return Ok(Applied::Before);
            }
            let mut ratings = BTreeMap::new();
            for character in bout.fighters() {
                let rating: Option<i32> = t
                    .prepare_cached("SELECT rating FROM characters WHERE id = ?1")?
                    .query_row([integer(character.0)], |row| row.get(0))
                    .optional()?;
                ratings.insert(character, rating.ok_or(StoreError::NoCharacter { character })?);
            }
            for duel in bout.rate(key, &ratings, points) {
                record_duel(t, bout, &duel)?;
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
        self.read(|c| {
            c.prepare_cached(&format!(
                "SELECT id, name, best_level, best_depth, best_gold, rating, wins, losses
                 FROM characters WHERE {has_any} ORDER BY {column} DESC, id LIMIT ?1"
            ))?
            .query_map([integer(limit)], |row| {
                Ok(Ranked {
                    character: CharacterId(natural(row.get(0)?)),
                    name: row.get(1)?,
                    best: summary(row, 2)?,
                    rating: row.get(5)?,
                    wins: row.get(6)?,
                    losses: row.get(7)?,
                })
            })?
            .collect()
        })
    }

    pub(in crate::store) fn duels(
        &self,
        character: CharacterId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Fought>, StoreError> {
        self.rating(character)?;
        self.read(|c| {
            // Each half by its own index, newest first.
            c.prepare_cached(
                "SELECT number, arena, name, won, points, mine, at FROM (
                     SELECT * FROM (SELECT number, arena, loser AS other, 1 AS won, points,
                         winner_rating AS mine, at FROM duels
                         WHERE winner = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3)
                     UNION ALL
                     SELECT * FROM (SELECT number, arena, winner AS other, 0 AS won, -points,
                         loser_rating AS mine, at FROM duels
                         WHERE loser = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3)
                 ) JOIN characters ON id = other ORDER BY number DESC LIMIT ?3",
            )?
            .query_map([integer(character.0), integer(before), integer(limit)], |row| {
                Ok(Fought {
                    number: natural(row.get(0)?),
                    arena: ZoneId(row.get(1)?),
                    opponent: row.get(2)?,
                    is_won: row.get(3)?,
                    change: row.get(4)?,
                    rating: row.get(5)?,
                    at: natural(row.get(6)?),
                })
            })?
            .collect()
        })
    }

    pub(in crate::store) fn rating(&self, character: CharacterId) -> Result<i32, StoreError> {
        let rating = self.read(|c| {
            c.prepare_cached("SELECT rating FROM characters WHERE id = ?1")?
                .query_row([integer(character.0)], |row| row.get(0))
                .optional()
        })?;
        rating.ok_or(StoreError::NoCharacter { character })
    }
}

/// Keeps the best of a character.
pub(super) fn achieved(t: &Transaction<'_>, id: i64, best: Summary) -> rusqlite::Result<()> {
    let Summary { level, depth, gold } = best;
    t.prepare_cached(
        "UPDATE characters SET best_level = max(best_level, ?2), best_depth = max(best_depth, ?3),
             best_gold = max(best_gold, ?4) WHERE id = ?1",
    )?
    .execute(params![id, level, depth, integer(gold)])?;
    Ok(())
}

fn record_duel(t: &Transaction<'_>, bout: &Bout<'_>, duel: &Rated) -> rusqlite::Result<()> {
    let [winner, loser] = [duel.winner, duel.loser].map(|(who, _)| integer(who.0));
    let (winner_rating, loser_rating) = (duel.winner.1, duel.loser.1);
    t.prepare_cached(
        "INSERT INTO duels(
             event_key, arena, winner, loser, winner_rating, loser_rating, points, at)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        duel.key,
        bout.arena.0,
        winner,
        loser,
        winner_rating,
        loser_rating,
        duel.points,
        integer(bout.at)
    ])?;
    t.prepare_cached("UPDATE characters SET rating = ?2, wins = wins + 1 WHERE id = ?1")?
        .execute(params![winner, winner_rating])?;
    t.prepare_cached("UPDATE characters SET rating = ?2, losses = losses + 1 WHERE id = ?1")?
        .execute(params![loser, loser_rating])?;
    Ok(())
}
