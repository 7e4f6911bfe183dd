//! Parties and matchmaking.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::accounts::Caller;
use super::answer::{self, Body, Problem};
use super::{App, blocking};
use crate::game::catalog::arenas::{self, ARENAS};
use crate::model::limits::FLOORS;
use crate::model::{AccountId, CharacterId, ZoneId};
use crate::nats::table::TableError;
use crate::services::Lobby;
use crate::services::lobby::{
    self, Allocation, LobbyError, Member, Mode, Party, Places, Progress, State as Stage, Ticket,
    Wanted,
};

/// Gateways that somebody may have measured, and bytes of the name of each.
const LATENCIES_MAX: usize = 16;
const GATEWAY_BYTES_MAX: usize = 256;
const LATENCY_MS_MAX: f64 = 60_000.0;
/// Bytes of what names a wish.
const KEY_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    character: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    character: String,
    mode: Mode,
    /// Milliseconds to gateways, by the address that `/api/info` gives for WebSocket.
    #[serde(default)]
    latencies: BTreeMap<String, f64>,
}

pub(super) async fn make_party(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
    Body(Who { character }): Body<Who>,
) -> Result<Response, Problem> {
    let leader = own(&app, account, &character).await?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| Problem::Internal)?;
    let code = lobby::code(u64::from_le_bytes(random));
    let shown = change(&app, move |lobby, now| {
        lobby.make_party(now, &code, leader.clone())?;
        shown(lobby, now, &code, account)
    });
    Ok(answer::json(StatusCode::CREATED, &shown.await?))
}

pub(super) async fn party(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
    Path(code): Path<String>,
) -> Result<Response, Problem> {
    let shown = change(&app, move |lobby, now| shown(lobby, now, &code, account));
    Ok(answer::json(StatusCode::OK, &shown.await?))
}

pub(super) async fn join_party(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
    Path(code): Path<String>,
    Body(Who { character }): Body<Who>,
) -> Result<Response, Problem> {
    let member = own(&app, account, &character).await?;
    let shown = change(&app, move |lobby, now| {
        lobby.join_party(now, &code, member.clone())?;
        shown(lobby, now, &code, account)
    });
    Ok(answer::json(StatusCode::OK, &shown.await?))
}

pub(super) async fn leave_party(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
    Path(code): Path<String>,
    Body(Who { character }): Body<Who>,
) -> Result<Response, Problem> {
    let member = own(&app, account, &character).await?;
    change(&app, move |lobby, now| lobby.leave_party(now, &code, member.character)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn request(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
    headers: HeaderMap,
    Body(Wish { character, mode, latencies }): Body<Wish>,
) -> Result<Response, Problem> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let is_plain = |key: &&str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
    let key = key.filter(is_plain).filter(|key| key.len() <= KEY_BYTES_MAX);
    let key = key.ok_or(Problem::NoIdempotencyKey)?.to_owned();
    let latencies = checked(latencies)?;
    let asking = own(&app, account, &character).await?;
    let company = change(&app, {
        let asking = asking.clone();
        move |lobby, _| Ok(lobby.company(asking.character).map(<[Member]>::to_vec))
    });
    let members = match mode {
        Mode::Duel => vec![asking],
        Mode::Dungeon | Mode::Teams => company.await?.unwrap_or(vec![asking]),
    };
    let ids: Vec<CharacterId> = members.iter().map(|member| member.character).collect();
    let (ratings, depth) = blocking(&app, move |store| {
        let (mut ratings, mut depth) = (Vec::new(), FLOORS);
        for id in ids {
            ratings.push(store.rating(id)?);
            depth = store.character(id)?.map_or(depth, |(it, _)| depth.min(it.summary.depth));
        }
        Ok((ratings, depth))
    })
    .await?;
    let rating = ratings.iter().sum::<i32>() / i32::try_from(ratings.len().max(1)).unwrap_or(1);
    let floor = ZoneId(depth.clamp(1, FLOORS));
    let (number, is_new) = change(&app, move |lobby, now| {
        let (key, members, latencies) = (key.clone(), members.clone(), latencies.clone());
        let wanted = Wanted { account, key, mode, members, rating, floor, latencies };
        lobby.request(now, wanted)
    })
    .await?;
    // Only the next moment brings it together with others.
    let shown = change(&app, move |lobby, now| {
        lobby.ticket(now, number, account).map(|ticket| show_ticket(number, ticket))
    });
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer::json(status, &shown.await?))
}

pub(super) async fn ticket(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let number = number.parse().map_err(|_| Problem::NotFound)?;
    Ok(answer::json(StatusCode::OK, &call(&app, number, account).await?))
}

pub(super) async fn take_up(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let number = number.parse().map_err(|_| Problem::NotFound)?;
    change(&app, move |lobby, now| lobby.take_up(now, number, account)).await?;
    Ok(answer::json(StatusCode::OK, &call(&app, number, account).await?))
}

/// Shows a ticket, once those of the account have been called who are to be.
async fn call(app: &Arc<App>, number: u64, account: AccountId) -> Result<Value, Problem> {
    let seen = change(app, move |lobby, now| lobby.ticket(now, number, account).cloned()).await?;
    let (Stage::Allocated(allocation), Some(calls)) = (&seen.state, &app.config.calls) else {
        return Ok(show_ticket(number, &seen));
    };
    let own = seen.members.iter().filter(|member| member.account == account);
    let own = own.filter_map(|it| Some((it.character, *allocation.progress.get(&it.character)?)));
    let is_due = |(_, progress): &(CharacterId, Progress)| *progress != Progress::Arrived;
    let due: Vec<_> = own.filter(is_due).collect();
    if !allocation.is_called || due.is_empty() {
        return Ok(show_ticket(number, &seen));
    }
    let (calls, allocation, size) = (calls.clone(), allocation.clone(), seen.members.len());
    let called = tokio::task::spawn_blocking(move || {
        let call = |(character, progress)| {
            Ok((character, calls.call(character, progress, &allocation, size)?))
        };
        due.into_iter().map(call).collect::<Result<Vec<_>, TableError>>()
    });
    let called = called.await.map_err(|_| Problem::Internal)?;
    let called = called.map_err(|error| Problem::Lobby(error.to_string()))?;
    change(app, move |lobby, now| {
        for &(character, progress) in &called {
            lobby.note_progress(number, character, progress);
        }
        lobby.ticket(now, number, account).map(|ticket| show_ticket(number, ticket))
    })
    .await
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let number = number.parse().map_err(|_| Problem::NotFound)?;
    change(&app, move |lobby, now| lobby.cancel(now, number, account)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Whole milliseconds, as far as somebody could have measured them.
fn checked(latencies: BTreeMap<String, f64>) -> Result<BTreeMap<String, u32>, Problem> {
    let is_fine = |(name, ms): (&String, &f64)| {
        name.len() <= GATEWAY_BYTES_MAX && (0.0..=LATENCY_MS_MAX).contains(ms)
    };
    if latencies.len() > LATENCIES_MAX || !latencies.iter().all(is_fine) {
        let most = format!("at most {LATENCIES_MAX} latencies of 0 to {LATENCY_MS_MAX} ms");
        return Err(Problem::Malformed(most));
    }
    Ok(latencies.into_iter().map(|(name, ms)| (name, ms.round() as u32)).collect())
}

/// A character of an account, as the lobby knows it.
async fn own(app: &Arc<App>, account: AccountId, character: &str) -> Result<Member, Problem> {
    let character = CharacterId(character.parse().map_err(|_| Problem::NoSuchCharacter)?);
    let own = blocking(app, move |store| store.characters(account)).await?;
    let known = own.into_iter().find(|it| it.id == character).ok_or(Problem::NoSuchCharacter)?;
    Ok(Member { account, character, name: known.name })
}

/// Brings the lobby to this moment, and changes it; a few wait for that at a time.
async fn change<T: Send + 'static>(
    app: &Arc<App>,
    mut change: impl FnMut(&mut Lobby, u64) -> Result<T, LobbyError> + Send + 'static,
) -> Result<T, Problem> {
    let seat = app.lobby_seats.clone().try_acquire_owned().map_err(|_| Problem::Busy)?;
    let app = app.clone();
    let done = tokio::task::spawn_blocking(move || {
        let (now, gateways) = (app.now(), app.config.gateways.as_ref());
        let open = gateways.map(|gateways| gateways.open()).unwrap_or_default();
        let gateways: Vec<String> = open.into_iter().map(|alive| alive.websocket).collect();
        let arenas = ARENAS.each_ref().map(|arena| arena.zone);
        let places = Places { gateways: &gateways, arenas: &arenas };
        let changed = app.config.lobby.change(|lobby| {
            lobby.advance(now, places);
            let done = change(lobby, now);
            for (mode, count) in lobby.waiting() {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                app.metrics.matchmaking_queue.with_label_values(&[label(mode)]).set(count);
            }
            done
        });
        drop(seat);
        changed
    });
    let changed = done.await.map_err(|_| Problem::Internal)?;
    Ok(changed.map_err(|error| Problem::Lobby(error.to_string()))??)
}

fn label(mode: Mode) -> &'static str {
    match mode {
        Mode::Dungeon => "dungeon",
        Mode::Duel => "duel",
        Mode::Teams => "teams",
    }
}

fn show_members(members: &[Member]) -> Vec<Value> {
    let show = |it: &Member| json!({ "character": it.character.to_string(), "name": it.name });
    members.iter().map(show).collect()
}

/// A party, for those who are in it.
fn shown(lobby: &mut Lobby, now: u64, code: &str, account: AccountId) -> Result<Value, LobbyError> {
    lobby.party(now, code, account).map(|party| show_party(code, party))
}

fn show_party(code: &str, party: &Party) -> Value {
    json!({ "code": code, "members": show_members(&party.members) })
}

fn show_allocation(allocation: &Allocation) -> Value {
    let Allocation { zone, gateway, seat: _, against, progress, is_called: _, until } = allocation;
    let arena = arenas::of_zone(*zone).map(|arena| arena.name);
    json!({
        "zone": zone.0, "arena": arena, "gateway": gateway, "against": show_members(against),
        "progress": progress, "until": until,
    })
}

fn show_ticket(number: u64, ticket: &Ticket) -> Value {
    let (state, allocation) = match &ticket.state {
        Stage::Waiting => ("waiting", Value::Null),
        Stage::Expired { .. } => ("expired", Value::Null),
        Stage::Cancelled { .. } => ("cancelled", Value::Null),
        Stage::Over { .. } => ("over", Value::Null),
        Stage::Allocated(allocation) => {
            let state = if allocation.is_called { "called" } else { "allocated" };
            (state, show_allocation(allocation))
        }
    };
    json!({
        "ticket": number.to_string(), "mode": label(ticket.mode), "state": state,
        "rating": ticket.rating, "members": show_members(&ticket.members),
        "lease": ticket.lease(), "allocation": allocation,
    })
}
