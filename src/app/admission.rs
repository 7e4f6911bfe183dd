//! The admission thread: checks tokens and finds characters for the gateway.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::gateway::Event;
use super::keys::Keys;
use super::registrar::unix_now;
use super::roll::{Found, Roll};
use super::world::random;
use crate::game::player::new_sheet;
use crate::game::state::Sheet;
use crate::gateway::{Admission, ConnectionId, Identity, Join, Located};
use crate::model::limits::ADMISSION_REQUESTS_MAX;
use crate::model::{CharacterId, SessionId};
use crate::nats::CALL_TIMEOUT;
use crate::protocol::CloseReason;
use crate::services::{Claims, Kind, SessionClaims};

/// How long a session may be resumed after it was last taken up.
const SESSION_SECONDS: u64 = 7 * 24 * 3_600;

/// What the gateway wants to know.
#[derive(Debug)]
pub enum Request {
    Verify { connection: ConnectionId, token: String, resume: String },
    Admit { connection: ConnectionId, identity: Identity, character: CharacterId },
    Locate { connection: ConnectionId, character: CharacterId, take_over: u64 },
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
    pub tokens: Arc<Keys>,
    pub roll: Roll,
    /// The seed of the world, which decides how a character begins.
    pub world_seed: u64,
}

/// Starts the thread; it ends when the last [`Admitter`] is gone.
pub fn spawn(
    inbox: Receiver<Request>,
    parts: Parts,
    gateway: Sender<Event>,
) -> std::io::Result<JoinHandle<()>> {
    let run = move || {
        for request in &inbox {
            let begun = Instant::now();
            let answer = parts.answer(request);
            // Those behind somebody who got no answer would wait as long again, one after another.
            let is_failed =
                matches!(answer, None | Some(Event::Admission(_, Err(CloseReason::Internal))));
            let is_silent = is_failed && parts.roll.is_shared() && begun.elapsed() >= CALL_TIMEOUT;
            let waiting = if is_silent { inbox.len() } else { 0 };
            let refused = inbox.try_iter().take(waiting).map(|request| parts.refuse(request));
            for event in std::iter::once(answer).chain(refused).flatten() {
                if gateway.send(event).is_err() {
                    return;
                }
            }
        }
    };
    std::thread::Builder::new().name("admission".to_owned()).spawn(run)
}

impl Parts {
    /// What the gateway is told; nothing where it asks again by itself.
    fn answer(&self, request: Request) -> Option<Event> {
        Some(match request {
            Request::Verify { connection, token, resume } => {
                Event::Verified(connection, self.verify(&token, &resume))
            }
            Request::Admit { connection, identity, character } => {
                Event::Admission(connection, self.admit(identity, character))
            }
            Request::Locate { connection, character, take_over } => {
                match self.locate(character, Some(take_over)) {
                    Ok(located) => Event::Located(connection, character, located),
                    // It does while the zone is silent.
                    Err(CloseReason::Internal) if self.roll.is_shared() => return None,
                    Err(reason) => Event::Admission(connection, Err(reason)),
                }
            }
            Request::End { connection, character, session } => {
                let ended = self.roll.end_session(character, session);
                let reason = ended.err().unwrap_or(CloseReason::Goodbye);
                Event::Admission(connection, Err(reason))
            }
        })
    }

    /// The same where nobody can be asked.
    fn refuse(&self, request: Request) -> Option<Event> {
        match request {
            Request::Verify { .. } => self.answer(request),
            Request::Admit { connection, .. } | Request::End { connection, .. } => {
                Some(Event::Admission(connection, Err(CloseReason::Internal)))
            }
            Request::Locate { .. } => None,
        }
    }

    /// Whose the tokens of a Hello are.
    fn verify(&self, token: &str, resume: &str) -> Result<Identity, CloseReason> {
        let now = unix_now();
        let refused = |_| CloseReason::Unauthenticated;
        if resume.is_empty() {
            let account = self.tokens.verify_access(now, token).map_err(refused)?;
            return Ok(Identity { account, resumes: None });
        }
        let claims = self.tokens.verify_session(now, resume).map_err(refused)?;
        let SessionClaims { account, session, character } = claims;
        Ok(Identity { account, resumes: Some((session, character)) })
    }

    fn admit(
        &self,
        Identity { account, resumes }: Identity,
        character: CharacterId,
    ) -> Result<Admission, CloseReason> {
        let (session, character, take_over) = if let Some((session, character)) = resumes {
            (session, character, self.roll.resume_session(character, session)?)
        } else {
            let character = self.roll.choose(account, character)?;
            let session = random().map_err(|_| CloseReason::Internal)?;
            let session = SessionId(u64::from_le_bytes(session).max(1));
            // A login that fails here ends nobody's session.
            self.locate(character, None)?;
            let take_over = self.roll.begin_session(character, session)?;
            (session, character, take_over)
        };
        let now = unix_now();
        let located = self.locate(character, Some(take_over))?;
        let resume = self.tokens.issue(&Claims {
            account,
            issued: now,
            expires: now + SESSION_SECONDS,
            kind: Kind::Session { session, character },
        });
        let join = Join { session, take_over };
        log::info!(
            player_id = account.0,
            session_id = session.0,
            correlation_id:% = join,
            character = character.0,
            zone = located.zone.0;
            "{}", if resumes.is_some() { "a session goes on" } else { "a session begins" }
        );
        Ok(Admission { session, character, resume, located, take_over })
    }

    /// Where a character is; refused if another connection has taken it since `take_over`.
    fn locate(
        &self,
        character: CharacterId,
        take_over: Option<u64>,
    ) -> Result<Located, CloseReason> {
        let (name, bytes) = match self.roll.find(character, take_over)? {
            Found::In(zone) => return Ok(Located { zone, sheet: None }),
            Found::Resting { name, sheet } => (name, sheet),
        };
        let sheet = if bytes.is_empty() {
            new_sheet(character, &name, self.world_seed)
        } else {
            postcard::from_bytes::<Sheet>(&bytes).map_err(|error| {
                log::error!(character = character.0; "the stored sheet is damaged: {error}");
                CloseReason::Internal
            })?
        };
        let zone = sheet.home;
        self.roll.want(zone);
        let bytes = postcard::to_stdvec(&sheet).expect("a sheet is plain data");
        Ok(Located { zone, sheet: Some(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::cluster::characters::{Characters, Place, Record};
    use crate::app::cluster::zones::Wanted;
    use crate::disk;
    use crate::disk::scratch::Scratch;
    use crate::model::AccountId;
    use crate::nats::Bus;
    use crate::nats::tests::server::Server;
    use crate::services::Tokens;

    const JOINS: u64 = 30;
    const ADA: CharacterId = CharacterId(1);

    #[test]
    fn those_who_wait_while_nats_is_silent_are_refused_together() {
        let Some(server) = Server::start("admission") else { return };
        let nats = server.connect();
        let scratch = Scratch::new("admission");
        std::fs::create_dir_all(&scratch.0).unwrap();
        let keys = scratch.0.join("keys");
        disk::write_secret(&keys, Tokens::key_line(&[9; 32]).as_bytes()).unwrap();
        let tokens = Arc::new(Keys::load(&keys).unwrap());
        let (characters, wanted) = (Characters::open(&nats).unwrap(), Wanted::open(&nats).unwrap());
        let account = AccountId(1);
        let record = Record {
            account,
            name: "Ada".to_owned(),
            session: SessionId(0),
            take_over: 0,
            version: 0,
            place: Place::rest(&[]),
        };
        characters.add(ADA, &record).unwrap();
        let roll = Roll::Shared { characters, bus: Bus::new(&nats), wanted };
        let (admitter, inbox) = Admitter::new();
        let (tell, told) = crossbeam_channel::unbounded();
        spawn(inbox, Parts { tokens, roll, world_seed: 1 }, tell).unwrap();
        let ask = |connection| {
            let identity = Identity { account, resumes: None };
            assert!(admitter.ask(Request::Admit { connection, identity, character: ADA }));
        };
        let answer = || {
            let event = told.recv_timeout(Duration::from_secs(30)).unwrap();
            let Event::Admission(connection, answer) = event else { panic!("{event:?}") };
            (connection, answer.map(drop))
        };
        ask(0);
        assert_eq!(answer(), (0, Ok(())));

        server.signal("STOP");
        (1..=JOINS).for_each(ask);
        assert_eq!(answer(), (1, Err(CloseReason::Internal)));
        // Were the others asked about one by one, they would be let in now.
        server.signal("CONT");
        for connection in 2..=JOINS {
            assert_eq!(answer(), (connection, Err(CloseReason::Internal)));
        }
        let is_let_in = |_| {
            ask(0);
            answer() == (0, Ok(()))
        };
        assert!((0..10).any(is_let_in), "nobody is let in any more");
    }
}
