//! The roll of characters: whose each is, whose session it is in, and where it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cluster::characters::{self, Characters, Place};
use super::cluster::mail::{self, AccountAnswer, AccountQuestion};
use super::cluster::zones::Wanted;
use super::directory::Directory;
use crate::model::{AccountId, CharacterId, SessionId, ZoneId};
use crate::nats::Bus;
use crate::nats::table::TableError;
use crate::protocol::CloseReason;
use crate::store::{Store, StoreError};

/// Where it is written down.
#[derive(Clone, Debug)]
pub enum Roll {
    /// In this process: the store, and the directory of its zones.
    Local { store: Arc<Store>, directory: Arc<Directory>, take_overs: Arc<AtomicU64> },
    /// In NATS, for all gateways; the services fill in what is missing.
    Shared { characters: Characters, bus: Bus, wanted: Wanted },
}

/// Where a character is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    In(ZoneId),
    /// In no zone; without a sheet if it was never in one.
    Resting {
        name: String,
        sheet: Vec<u8>,
    },
}

impl Roll {
    /// The roll of a process that does all by itself.
    #[must_use]
    pub fn local(store: Arc<Store>, directory: Arc<Directory>) -> Self {
        Self::Local { store, directory, take_overs: Arc::default() }
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared { .. })
    }

    /// The character asked for, if it is the account's; the account's newest for 0.
    pub(super) fn choose(
        &self,
        account: AccountId,
        character: CharacterId,
    ) -> Result<CharacterId, CloseReason> {
        match self {
            Self::Local { store, .. } => {
                let own = store.characters(account).map_err(|error| internal(&error))?;
                let mut matching = own.iter().filter(|c| character.0 == 0 || c.id == character);
                matching.next().map(|c| c.id).ok_or(CloseReason::NoCharacter)
            }
            Self::Shared { characters, bus, .. } => {
                let is_own = |id: CharacterId| {
                    let record = characters.get(id).map_err(|error| unavailable(&error))?;
                    Ok(record.is_some_and(|record| record.account == account))
                };
                if character.0 != 0 && is_own(character)? {
                    return Ok(character);
                }
                let known = characters.of_account(account).map_err(|error| unavailable(&error))?;
                if let Some(newest) =
                    known.filter(|_| character.0 == 0).and_then(|k| k.first().copied())
                {
                    return Ok(newest);
                }
                let own = ask_services(bus, account)?;
                let mut matching = own.into_iter().filter(|&c| character.0 == 0 || c == character);
                matching.next().ok_or(CloseReason::NoCharacter)
            }
        }
    }

    /// Makes this session the one of a character: any other ends. Gives the number of the take-over.
    pub(super) fn begin_session(
        &self,
        character: CharacterId,
        session: SessionId,
    ) -> Result<u64, CloseReason> {
        match self {
            Self::Local { store, take_overs, .. } => {
                store.begin_session(character, session).map_err(|error| internal(&error))?;
                Ok(next(take_overs))
            }
            Self::Shared { characters, .. } => {
                let changed = characters.change(character, |record| {
                    record.session = session;
                    record.take_over += 1;
                    true
                });
                let record = changed.map_err(|error| unavailable(&error))?;
                Ok(record.ok_or(CloseReason::NoCharacter)?.take_over)
            }
        }
    }

    /// Goes on with a session, if it is still the character's: neither ended nor replaced.
    pub(super) fn resume_session(
        &self,
        character: CharacterId,
        session: SessionId,
    ) -> Result<u64, CloseReason> {
        let check = |current: SessionId| match current {
            current if current == session => Ok(()),
            SessionId(0) => Err(CloseReason::Unauthenticated),
            _ => Err(CloseReason::Superseded),
        };
        match self {
            Self::Local { store, take_overs, .. } => {
                let current = store.session(character).map_err(|error| internal(&error))?;
                check(current.unwrap_or_default())?;
                Ok(next(take_overs))
            }
            Self::Shared { characters, .. } => {
                let changed = characters.change(character, |record| {
                    let is_current = check(record.session).is_ok();
                    record.take_over += u64::from(is_current);
                    is_current
                });
                let record = changed.map_err(|error| unavailable(&error))?;
                let record = record.ok_or(CloseReason::NoCharacter)?;
                check(record.session)?;
                Ok(record.take_over)
            }
        }
    }

    pub(super) fn end_session(
        &self,
        character: CharacterId,
        session: SessionId,
    ) -> Result<(), CloseReason> {
        match self {
            Self::Local { store, .. } => {
                store.end_session(character, session).map_err(|error| internal(&error))
            }
            Self::Shared { characters, .. } => {
                let changed = characters.change(character, |record| {
                    let is_current = record.session == session;
                    if is_current {
                        record.session = SessionId(0);
                    }
                    is_current
                });
                changed.map(drop).map_err(|error| unavailable(&error))
            }
        }
    }

    /// Where a character is; refused if another connection has taken it since `take_over`.
    pub(super) fn find(
        &self,
        character: CharacterId,
        take_over: Option<u64>,
    ) -> Result<Found, CloseReason> {
        match self {
            Self::Local { store, directory, .. } => {
                if let Some(zone) = directory.find(character) {
                    return Ok(Found::In(zone));
                }
                let (known, kept) = store
                    .character(character)
                    .map_err(|error| internal(&error))?
                    .ok_or(CloseReason::NoCharacter)?;
                Ok(Found::Resting { name: known.name, sheet: kept.bytes })
            }
            Self::Shared { characters, .. } => {
                let record = characters.get(character).map_err(|error| unavailable(&error))?;
                let record = record.ok_or(CloseReason::NoCharacter)?;
                if take_over.is_some_and(|own| own < record.take_over) {
                    return Err(CloseReason::Superseded);
                }
                Ok(match record.place {
                    Place::Zone(zone) => Found::In(zone),
                    Place::Rest(text) => {
                        let sheet = characters::sheet(&text).ok_or(CloseReason::Internal)?;
                        Found::Resting { name: record.name, sheet }
                    }
                })
            }
        }
    }

    /// A character is about to go to this zone: somebody has to run it.
    pub(super) fn want(&self, zone: ZoneId) {
        match self {
            Self::Local { .. } => {}
            Self::Shared { wanted, .. } => wanted.want(zone),
        }
    }
}

fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

fn ask_services(bus: &Bus, account: AccountId) -> Result<Vec<CharacterId>, CloseReason> {
    let question = mail::encode(&AccountQuestion { account });
    let answer = bus.ask(mail::ACCOUNT, question).map_err(|error| {
        log::warn!("{error}");
        CloseReason::Internal
    })?;
    match mail::decode(&answer) {
        Some(AccountAnswer::Characters(own)) => Ok(own),
        Some(AccountAnswer::Unavailable) | None => Err(CloseReason::Internal),
    }
}

fn internal(error: &StoreError) -> CloseReason {
    log::error!("{error}");
    CloseReason::Internal
}

fn unavailable(error: &TableError) -> CloseReason {
    log::error!("{error}");
    CloseReason::Internal
}
