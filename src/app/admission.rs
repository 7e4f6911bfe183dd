//! The admission thread: checks tokens and finds characters for the gateway.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::directory::Directory;
use super::gateway::Event;
use super::registrar::unix_now;
use super::world::{World, random};
use crate::game::player::new_sheet;
use crate::game::state::Sheet;
use crate::gateway::{Admission, ConnectionId, Located};
use crate::model::limits::ADMISSION_REQUESTS_MAX;
use crate::model::{AccountId, CharacterId, SessionId};
use crate::protocol::CloseReason;
use crate::services::{Claims, Kind, SessionClaims, Tokens};
use crate::store::{Store, StoreError};

/// How long a session may be resumed after it was last taken up.
const SESSION_SECONDS: u64 = 7 * 24 * 3_600;

/// What the gateway wants to know.
#[derive(Debug)]
pub enum Request {
    Admit { connection: ConnectionId, token: String, resume: String, character: CharacterId },
    Locate { connection: ConnectionId, character: CharacterId },
    End { connection: ConnectionId, character: CharacterId, session: SessionId },
}

/// Asks the admission thread; answers reach the gateway as events.
#[derive(Clone, Debug)]
pub struct Admitter {
    requests: Sender<Request>,
}

impl Admitter {
    /// The admitter and its thread's end.
    #[must_use]
    pub fn new() -> (Self, Receiver<Request>) {
        let (requests, inbox) = crossbeam_channel::unbounded();
        (Self { requests }, inbox)
    }

    /// Asks, without ever waiting; false if too many ask already. The end of a session is always
    /// taken: there is one a connection.
    #[must_use]
    pub fn ask(&self, request: Request) -> bool {
        let is_end = matches!(request, Request::End { .. });
        // The thread ends after the gateway: it cannot be gone.
        (is_end || self.requests.len() < ADMISSION_REQUESTS_MAX)
            && self.requests.send(request).is_ok()
    }
}

/// What the thread looks at.
#[derive(Clone, Debug)]
pub struct Parts {
    pub tokens: Arc<Tokens>,
    pub store: Arc<Store>,
    pub directory: Arc<Directory>,
    pub world: Arc<World>,
}

/// Starts the thread; it ends when the last [`Admitter`] is gone.
pub fn spawn(
    inbox: Receiver<Request>,
    parts: Parts,
    gateway: Sender<Event>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("admission".to_owned()).spawn(move || {
        for request in inbox {
            let event = match request {
                Request::Admit { connection, token, resume, character } => {
                    Event::Admission(connection, parts.admit(&token, &resume, character))
                }
                Request::Locate { connection, character } => match parts.locate(character) {
                    Ok(located) => Event::Located(connection, character, located),
                    Err(reason) => Event::Admission(connection, Err(reason)),
                },
                Request::End { connection, character, session } => {
                    let ended = parts.store.end_session(character, session);
                    let reason =
                        ended.map_or_else(|error| internal(&error), |()| CloseReason::Goodbye);
                    Event::Admission(connection, Err(reason))
                }
            };
            if gateway.send(event).is_err() {
                return;
            }
        }
    })
}

impl Parts {
    fn admit(
        &self,
        token: &str,
        resume: &str,
        character: CharacterId,
    ) -> Result<Admission, CloseReason> {
        let now = unix_now();
        let refused = |_| CloseReason::Unauthenticated;
        let (account, session, character, located) = if resume.is_empty() {
            let account = self.tokens.verify_access(now, token).map_err(refused)?;
            let character = self.choose(account, character)?;
            let session = random().map_err(|_| CloseReason::Internal)?;
            let session = SessionId(u64::from_le_bytes(session).max(1));
            let located = self.locate(character)?;
            // Last, so that a login that fails ends nobody's session.
            self.store.begin_session(character, session).map_err(|error| internal(&error))?;
            (account, session, character, located)
        } else {
            let claims = self.tokens.verify_session(now, resume).map_err(refused)?;
            self.check_current(&claims)?;
            let SessionClaims { account, session, character } = claims;
            (account, session, character, self.locate(character)?)
        };
        let resume = self.tokens.issue(&Claims {
            account,
            issued: now,
            expires: now + SESSION_SECONDS,
            kind: Kind::Session { session, character },
        });
        Ok(Admission { session, character, resume, located })
    }

    /// Whether the session is still the character's: neither ended nor replaced.
    fn check_current(&self, claims: &SessionClaims) -> Result<(), CloseReason> {
        let current = self.store.session(claims.character).map_err(|error| internal(&error))?;
        match current {
            Some(session) if session == claims.session => Ok(()),
            Some(_) => Err(CloseReason::Superseded),
            None => Err(CloseReason::Unauthenticated),
        }
    }

    /// The character asked for, if it is the account's; the account's first for 0.
    fn choose(
        &self,
        account: AccountId,
        character: CharacterId,
    ) -> Result<CharacterId, CloseReason> {
        let own = self.store.characters(account).map_err(|error| internal(&error))?;
        let mut matching = own.iter().filter(|c| character.0 == 0 || c.id == character);
        matching.next().map(|c| c.id).ok_or(CloseReason::NoCharacter)
    }

    fn locate(&self, character: CharacterId) -> Result<Located, CloseReason> {
        if let Some(zone) = self.directory.find(character) {
            return Ok(Located { zone, sheet: None });
        }
        let (known, kept) = self
            .store
            .character(character)
            .map_err(|error| internal(&error))?
            .ok_or(CloseReason::NoCharacter)?;
        let sheet = if kept.bytes.is_empty() {
            new_sheet(character, &known.name, self.world.seed())
        } else {
            postcard::from_bytes::<Sheet>(&kept.bytes).map_err(|error| {
                log::error!(character = character.0; "the stored sheet is damaged: {error}");
                CloseReason::Internal
            })?
        };
        let zone = sheet.home;
        let bytes = postcard::to_stdvec(&sheet).expect("a sheet is plain data");
        Ok(Located { zone, sheet: Some(bytes) })
    }
}

fn internal(error: &StoreError) -> CloseReason {
    log::error!("{error}");
    CloseReason::Internal
}
