//! Accounts and characters.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{self, Body, Problem};
use super::{App, blocking, trace};
use crate::model::AccountId;
use crate::services::accounts::{self as rules, GUEST_PREFIX};
use crate::services::{Claims, Kind};
use crate::store::{Account, Character, Store, StoreError};

/// The address of a request was looked at before.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// Rows of the hall of fame.
const FAME_ROWS: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    name: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCharacter {
    name: String,
}

pub(super) async fn guest(
    State(app): State<Arc<App>>,
    _: Body<Nothing>,
) -> Result<Response, Problem> {
    app.admit_account()?;
    let now = app.now();
    let account = blocking(&app, move |store| store.create_guest(now)).await?;
    welcome(&app, StatusCode::CREATED, account, Vec::new())
}

/// Makes an account; with the token of a guest, the guest's account gets the name and stays what
/// it is otherwise.
pub(super) async fn register(
    State(app): State<Arc<App>>,
    caller: Option<Caller>,
    Body(Login { name, password }): Body<Login>,
) -> Result<Response, Problem> {
    app.admit_account()?;
    let name = rules::check_name(&name)?.to_owned();
    rules::check_password(&name, &password)?;
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Problem::Internal)?;
    let hash = hashing(&app, move || rules::hash_password(&password, &salt)).await?;
    let now = app.now();
    let (account, characters) = blocking(&app, move |store| {
        let account = match caller {
            Some(Caller(guest)) if is_guest(store, guest)? => {
                store.claim_guest(guest, &name, &hash)?
            }
            Some(_) | None => store.register(&name, &hash, now)?,
        };
        let characters = store.characters(account.id)?;
        Ok((account, characters))
    })
    .await?;
    welcome(&app, StatusCode::CREATED, account, characters)
}

pub(super) async fn login(
    State(app): State<Arc<App>>,
    Body(Login { name, password }): Body<Login>,
) -> Result<Response, Problem> {
    let account =
        blocking(&app, move |store| store.account_by_name(name.trim_matches(' '))).await?;
    let kept = account.as_ref().and_then(|a| a.password_hash.clone());
    let is_right =
        hashing(&app, move || rules::verify_password(kept.as_deref(), &password)).await?;
    let account = account.filter(|_| is_right).ok_or(Problem::WrongPassword)?;
    let id = account.id;
    app.admit(Some(id), NOWHERE)?;
    let characters = blocking(&app, move |store| store.characters(id)).await?;
    welcome(&app, StatusCode::OK, account, characters)
}

pub(super) async fn refresh(
    State(app): State<Arc<App>>,
    Caller(id): Caller,
) -> Result<Response, Problem> {
    let (account, characters) = blocking(&app, move |store| {
        let account = store.account(id)?.ok_or(StoreError::NoAccount { account: id })?;
        Ok((account, store.characters(id)?))
    })
    .await?;
    welcome(&app, StatusCode::OK, account, characters)
}

pub(super) async fn characters(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
) -> Result<Response, Problem> {
    let characters = blocking(&app, move |store| store.characters(account)).await?;
    Ok(answer::json(StatusCode::OK, &shown(&characters)))
}

pub(super) async fn create_character(
    State(app): State<Arc<App>>,
    Caller(account): Caller,
    Body(NewCharacter { name }): Body<NewCharacter>,
) -> Result<Response, Problem> {
    let name = rules::check_name(&name)?.to_owned();
    let now = app.now();
    let made = blocking(&app, move |store| store.create_character(account, &name, now)).await?;
    Ok(answer::json(StatusCode::CREATED, &show(&made)))
}

pub(super) async fn hall_of_fame(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let fame = blocking(&app, |store| store.hall_of_fame(FAME_ROWS)).await?;
    let rows: Vec<Value> = fame
        .into_iter()
        .map(|row| {
            let summary = row.death.summary;
            json!({
                "name": row.name, "level": summary.level, "depth": summary.depth,
                "gold": summary.gold, "cause": row.death.cause, "at": row.death.at,
            })
        })
        .collect();
    Ok(answer::json(StatusCode::OK, &rows))
}

/// The account whose token a request carries.
pub(super) struct Caller(pub(super) AccountId);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        std::future::ready(caller(parts, app)).await
    }
}

impl axum::extract::OptionalFromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    /// None without a token; a bad one is a problem all the same.
    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<Option<Self>, Problem> {
        let has_token = parts.headers.contains_key(header::AUTHORIZATION);
        std::future::ready(has_token.then(|| caller(parts, app)).transpose()).await
    }
}

fn caller(parts: &Parts, app: &App) -> Result<Caller, Problem> {
    let value = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).ok_or(Problem::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::NoToken);
    }
    let account = app.tokens.verify_access(app.now(), token.trim())?;
    trace::note_account(account);
    app.admit(Some(account), NOWHERE)?;
    Ok(Caller(account))
}

fn is_guest(store: &Store, id: AccountId) -> Result<bool, StoreError> {
    Ok(store.account(id)?.is_some_and(|account| account.name.is_none()))
}

fn welcome(
    app: &App,
    status: StatusCode,
    account: Account,
    characters: Vec<Character>,
) -> Result<Response, Problem> {
    trace::note_account(account.id);
    let issued = app.now();
    let expires = issued.saturating_add(app.config.token_lifetime_s);
    let claims = Claims { account: account.id, issued, expires, kind: Kind::Access };
    let body = json!({
        "account": account.id.to_string(),
        "name": account.name.unwrap_or_else(|| format!("{GUEST_PREFIX}{}", account.id)),
        "token": app.tokens.issue(&claims),
        "characters": shown(&characters),
    });
    Ok(answer::json(status, &body))
}

fn shown(characters: &[Character]) -> Vec<Value> {
    characters.iter().map(show).collect()
}

fn show(character: &Character) -> Value {
    json!({
        "id": character.id.to_string(), "name": character.name,
        "level": character.summary.level, "depth": character.summary.depth,
        "gold": character.summary.gold,
    })
}

/// Runs password work where waiting is allowed, a few at a time.
async fn hashing<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let seat = app.seats.clone().try_acquire_owned().map_err(|_| Problem::Busy)?;
    let permit = app.hashing.clone().acquire_owned().await.map_err(|_| Problem::Internal)?;
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        drop((permit, seat));
        result
    });
    done.await.map_err(|_| Problem::Internal)
}
