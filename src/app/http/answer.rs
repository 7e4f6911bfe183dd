//! Answers and problems, as JSON.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{BODY_BYTES_MAX, trace};
use crate::services::TokenError;
use crate::services::accounts::{NameError, PasswordError};
use crate::services::lobby::LobbyError;
use crate::store::StoreError;

/// What a request asked and did not get: one sentence for people, one code for programs.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("the body is not the JSON that belongs here: {0}")]
    Malformed(String),
    #[error("what is asked for does not belong here: {0}")]
    Query(String),
    #[error("the body is longer than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    #[error("send the body as application/json")]
    NotJson,
    #[error("{0}")]
    Name(#[from] NameError),
    #[error("{0}")]
    Password(#[from] PasswordError),
    #[error("the name or the password is wrong")]
    WrongPassword,
    #[error("send a token: Authorization: Bearer TOKEN")]
    NoToken,
    #[error("{0}; log in again")]
    Token(#[from] TokenError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Lobby(String),
    #[error("{0}")]
    Refused(#[from] LobbyError),
    #[error("the account has no such character")]
    NoSuchCharacter,
    #[error("name the wish: Idempotency-Key, 1 to 64 plain characters")]
    NoIdempotencyKey,
    #[error("there is nothing here")]
    NotFound,
    #[error("this is not done here with that method")]
    MethodNotAllowed,
    #[error("too many requests; wait a moment")]
    TooMany { wait: Duration },
    #[error("you are banned: {reason}")]
    Banned { reason: String, wait: Duration },
    #[error("no new accounts are made at this moment; try again later")]
    Closed,
    #[error("too many ask for this at the moment; try again")]
    Busy,
    #[error("the server met a problem of its own; try again")]
    Internal,
}

impl Problem {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "bad_query"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json"),
            Self::Name(_) => (StatusCode::BAD_REQUEST, "bad_name"),
            Self::Password(_) => (StatusCode::BAD_REQUEST, "bad_password"),
            Self::WrongPassword => (StatusCode::UNAUTHORIZED, "wrong_password"),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "no_token"),
            Self::Token(_) => (StatusCode::UNAUTHORIZED, "bad_token"),
            Self::Store(StoreError::NameTaken { .. }) => (StatusCode::CONFLICT, "name_taken"),
            Self::Store(StoreError::TooManyCharacters { .. }) => {
                (StatusCode::CONFLICT, "too_many_characters")
            }
            // A token outlives its account only when the store was replaced.
            Self::Store(StoreError::NoAccount { .. }) => (StatusCode::UNAUTHORIZED, "no_account"),
            Self::Store(StoreError::NoCharacter { .. }) => (StatusCode::NOT_FOUND, "no_character"),
            Self::Store(
                StoreError::Full { .. }
                | StoreError::Failed { .. }
                | StoreError::Unavailable { .. },
            ) => (StatusCode::SERVICE_UNAVAILABLE, "store_failing"),
            Self::Lobby(_) => (StatusCode::SERVICE_UNAVAILABLE, "lobby_failing"),
            Self::Refused(LobbyError::NoParty) => (StatusCode::NOT_FOUND, "no_party"),
            Self::Refused(LobbyError::NoTicket) => (StatusCode::NOT_FOUND, "no_ticket"),
            Self::Refused(LobbyError::PartyFull) => (StatusCode::CONFLICT, "party_full"),
            Self::Refused(LobbyError::InParty) => (StatusCode::CONFLICT, "in_party"),
            Self::Refused(LobbyError::NotAllocated) => (StatusCode::CONFLICT, "not_allocated"),
            Self::Refused(LobbyError::HasTicket) => (StatusCode::CONFLICT, "has_ticket"),
            Self::Refused(LobbyError::WrongSize) => (StatusCode::CONFLICT, "wrong_size"),
            Self::Refused(LobbyError::Full) => (StatusCode::SERVICE_UNAVAILABLE, "lobby_full"),
            Self::NoSuchCharacter => (StatusCode::NOT_FOUND, "no_character"),
            Self::NoIdempotencyKey => (StatusCode::BAD_REQUEST, "no_idempotency_key"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            Self::Banned { .. } => (StatusCode::FORBIDDEN, "banned"),
            Self::Closed => (StatusCode::FORBIDDEN, "closed"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl Problem {
    fn retry_after(&self) -> Option<Duration> {
        if let Self::TooMany { wait } = self {
            return Some(*wait);
        }
        if let Self::Banned { wait, .. } = self {
            return Some(*wait).filter(|wait| !wait.is_zero());
        }
        let (status, _) = self.parts();
        (status == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(1))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = self.parts();
        let is_ours = status.is_server_error() && !matches!(self, Self::Busy | Self::Refused(_));
        trace::note_problem(is_ours, &self);
        let sentence = if is_ours {
            // Paths and causes are for the operator.
            Self::Internal.to_string()
        } else {
            self.to_string()
        };
        let mut response = json(status, &json!({ "error": sentence, "code": code }));
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after() {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An answer of JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(written) => bytes(status, written.into()),
        Err(error) => {
            trace::note_problem(true, &format!("an answer cannot be encoded: {error}"));
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// An answer that is JSON already.
pub(super) fn bytes(status: StatusCode, bytes: Bytes) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], bytes).into_response()
}

/// What comes behind the question mark.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let asked = Query::try_from_uri(&parts.uri).map(|Query(asked)| Self(asked));
        std::future::ready(asked.map_err(|error| Problem::Query(error.body_text()))).await
    }
}

/// A body of JSON, an object of bounded length.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/json") {
            return Err(Problem::NotJson);
        }
        let bytes =
            to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| Problem::TooLarge)?;
        // The fields of a structure are taken from an array as well.
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err(Problem::Malformed("an object belongs here, not an array".to_owned()));
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::Malformed(error.to_string()))
    }
}
