//! What characters have achieved: their best, and who has beaten whom in an arena.

use std::collections::BTreeMap;

use super::{Applied, Store, StoreError, Summary};
use crate::model::{CharacterId, ZoneId};

/// The rating that everybody begins with, also in the tables.
pub const RATING_FIRST: i32 = 1_500;

/// What a list of characters goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Board {
    Depth,
    Gold,
    Level,
    Rating,
}

/// A row of such a list. `best` holds the deepest, the most and the highest of a whole life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    pub character: CharacterId,
    pub name: String,
    pub best: Summary,
    pub rating: i32,
    pub wins: u32,
    pub losses: u32,
}

/// Some have beaten others in an arena, as many on either side. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bout<'a> {
    pub arena: ZoneId,
    pub winners: &'a [CharacterId],
    pub losers: &'a [CharacterId],
    pub at: u64,
}

/// A duel as one of the two sees it. `number` rises with each duel of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fought {
    pub number: u64,
    pub arena: ZoneId,
    pub opponent: String,
    pub is_won: bool,
    /// What it brought to the rating, and what that was then.
    pub change: i32,
    pub rating: i32,
    pub at: u64,
}

/// The two of a duel, with the ratings that it leaves them, and the points that went over.
pub(super) struct Rated {
    /// The bout's for the first duel of it.
    pub(super) key: String,
    pub(super) winner: (CharacterId, i32),
    pub(super) loser: (CharacterId, i32),
    pub(super) points: i32,
}

impl Bout<'_> {
    /// Everybody in it.
    pub(super) fn fighters(&self) -> impl Iterator<Item = CharacterId> {
        self.winners.iter().chain(self.losers).copied()
    }

    /// The duels of a bout, from what everybody is rated before it.
    pub(super) fn rate(
        &self,
        key: &str,
        ratings: &BTreeMap<CharacterId, i32>,
        points: fn(i32, i32) -> i32,
    ) -> Vec<Rated> {
        let mean = |side: &[CharacterId]| {
            let sum: i64 = side.iter().map(|who| i64::from(ratings[who])).sum();
            i32::try_from(sum / side.len().max(1) as i64).unwrap_or(RATING_FIRST)
        };
        let points = points(mean(self.winners), mean(self.losers));
        let pairs = self.winners.iter().zip(self.losers).enumerate();
        let rate = |(at, (&winner, &loser)): (usize, (&CharacterId, &CharacterId))| Rated {
            key: if at == 0 { key.to_owned() } else { format!("{key}/{at}") },
            winner: (winner, ratings[&winner] + points),
            loser: (loser, ratings[&loser] - points),
            points,
        };
        pairs.map(rate).collect()
    }
}

impl Board {
    /// The column, and the rows that have anything to show in it.
    pub(super) fn column(self) -> (&'static str, &'static str) {
        match self {
            Self::Depth => ("best_depth", "best_depth > 1"),
            Self::Gold => ("best_gold", "best_gold > 0"),
            Self::Level => ("best_level", "best_level > 1"),
            Self::Rating => ("rating", "wins + losses > 0"),
        }
    }
}

impl Store {
    /// Keeps a bout; `points` says how much the losers' rating, the mean of theirs, gives to the
    /// winners'. Each of a team is in a duel with one of the other. `key` names the event; told
    /// again it changes nothing.
    pub fn record_bout(
        &self,
        key: &str,
        bout: &Bout<'_>,
        points: fn(i32, i32) -> i32,
    ) -> Result<Applied, StoreError> {
        match self {
            Self::Sqlite(store) => store.record_bout(key, bout, points),
            Self::Postgres(store) => store.record_bout(key, bout, points),
        }
    }

    /// The best by this measure; of those that are equal, the first to be made.
    pub fn leaderboard(&self, by: Board, limit: usize) -> Result<Vec<Ranked>, StoreError> {
        match self {
            Self::Sqlite(store) => store.leaderboard(by, limit),
            Self::Postgres(store) => store.leaderboard(by, limit),
        }
    }

    /// The duels of a character with a lower number than `before`, newest first.
    pub fn duels(
        &self,
        character: CharacterId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Fought>, StoreError> {
        match self {
            Self::Sqlite(store) => store.duels(character, before, limit),
            Self::Postgres(store) => store.duels(character, before, limit),
        }
    }

    /// The rating of a character in arenas.
    pub fn rating(&self, character: CharacterId) -> Result<i32, StoreError> {
        match self {
            Self::Sqlite(store) => store.rating(character),
            Self::Postgres(store) => store.rating(character),
        }
    }
}
