//! Lists of the best, and who has beaten whom in an arena.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Asked, Problem};
use super::cache::Kind;
use super::{App, blocking};
use crate::game::catalog::arenas;
use crate::model::CharacterId;
use crate::store::{Board, Fought, Ranked};

/// Rows of a leaderboard.
const BOARD_ROWS: usize = 100;
/// Rows of a page of somebody's history.
const PAGE_ROWS: usize = 20;

const LEADERBOARD: Kind = Kind { name: "leaderboard", lasts: Duration::from_secs(30) };
const HISTORY: Kind = Kind { name: "history", lasts: Duration::from_secs(60) };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ByWhat {
    #[serde(default)]
    by: By,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    #[default]
    Depth,
    Gold,
    Level,
    Rating,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The number of the last row of the page before.
    before: Option<i64>,
}

pub(super) async fn leaderboard(
    State(app): State<Arc<App>>,
    Asked(ByWhat { by }): Asked<ByWhat>,
) -> Result<Response, Problem> {
    let board = match by {
        By::Depth => Board::Depth,
        By::Gold => Board::Gold,
        By::Level => Board::Level,
        By::Rating => Board::Rating,
    };
    let make = async {
        let rows = blocking(&app, move |store| store.leaderboard(board, BOARD_ROWS)).await?;
        Ok(rows.iter().map(ranked).collect::<Vec<_>>())
    };
    app.cache.answer(LEADERBOARD, format!("{by:?}"), make).await
}

pub(super) async fn history(
    State(app): State<Arc<App>>,
    Path(character): Path<String>,
    Asked(Page { before }): Asked<Page>,
) -> Result<Response, Problem> {
    let character = CharacterId(character.parse().map_err(|_| Problem::NotFound)?);
    let before = u64::try_from(before.unwrap_or(i64::MAX))
        .map_err(|_| Problem::Query("before is not negative".to_owned()))?;
    let make = async {
        let rows = blocking(&app, move |store| store.duels(character, before, PAGE_ROWS)).await?;
        let last = rows.last().filter(|_| rows.len() == PAGE_ROWS).map(|row| row.number);
        Ok(json!({ "duels": rows.iter().map(fought).collect::<Vec<_>>(), "before": last }))
    };
    app.cache.answer(HISTORY, format!("{character} {before}"), make).await
}

fn ranked(row: &Ranked) -> Value {
    json!({
        "character": row.character.to_string(), "name": row.name, "level": row.best.level,
        "depth": row.best.depth, "gold": row.best.gold, "rating": row.rating, "wins": row.wins,
        "losses": row.losses,
    })
}

fn fought(row: &Fought) -> Value {
    let arena = arenas::of_zone(row.arena).map(|arena| arena.name);
    json!({
        "number": row.number, "arena": arena, "opponent": row.opponent, "won": row.is_won,
        "change": row.change, "rating": row.rating, "at": row.at,
    })
}
