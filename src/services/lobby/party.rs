//! Parties: characters that go together, found by a code that they tell each other.

use serde::{Deserialize, Serialize};

use super::{Lobby, LobbyError, Member};
use crate::model::{AccountId, CharacterId};

/// Members of a party.
pub const PARTY_MAX: usize = 4;
/// Parties at once.
const PARTIES_MAX: usize = 1_000;
/// Seconds after which a party that nobody asks after is forgotten.
const FORGOTTEN_AFTER: u64 = 3_600;
/// Letters of a code, without those that look alike or make words.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Characters that go together; the first leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    pub members: Vec<Member>,
    /// When somebody asked after it last.
    pub(super) asked: u64,
}

/// A code of a party, made from random bits.
#[must_use]
pub fn code(mut random: u64) -> String {
    let mut letter = || {
        let at = random % LETTERS.len() as u64;
        random /= LETTERS.len() as u64;
        char::from(LETTERS[at as usize])
    };
    (0..8).map(|_| letter()).collect()
}

impl Lobby {
    /// Makes a party of one.
    pub fn make_party(&mut self, now: u64, code: &str, leader: Member) -> Result<(), LobbyError> {
        if self.party_of(leader.character).is_some() {
            return Err(LobbyError::InParty);
        }
        if self.parties.len() >= PARTIES_MAX || self.parties.contains_key(code) {
            return Err(LobbyError::Full);
        }
        self.parties.insert(code.to_owned(), Party { members: vec![leader], asked: now });
        Ok(())
    }

    /// Takes somebody in; a second time changes nothing. Tickets of the party end: it is another
    /// one now.
    pub fn join_party(&mut self, now: u64, code: &str, member: Member) -> Result<(), LobbyError> {
        match self.party_of(member.character) {
            Some(own) if own == code => return Ok(()),
            Some(_) => return Err(LobbyError::InParty),
            None => {}
        }
        let party = self.parties.get_mut(code).ok_or(LobbyError::NoParty)?;
        if party.members.len() >= PARTY_MAX {
            return Err(LobbyError::PartyFull);
        }
        let changed: Vec<_> = party.members.iter().map(|it| it.character).collect();
        (party.asked, _) = (now, party.members.push(member));
        self.cancel_of(now, &changed);
        Ok(())
    }

    /// Lets somebody go; the next leads, and a party without members is gone.
    pub fn leave_party(
        &mut self,
        now: u64,
        code: &str,
        character: CharacterId,
    ) -> Result<(), LobbyError> {
        let party = self.parties.get_mut(code).ok_or(LobbyError::NoParty)?;
        let changed: Vec<_> = party.members.iter().map(|it| it.character).collect();
        if !changed.contains(&character) {
            return Err(LobbyError::NoParty);
        }
        party.members.retain(|member| member.character != character);
        if party.members.is_empty() {
            self.parties.remove(code);
        }
        self.cancel_of(now, &changed);
        Ok(())
    }

    /// A party, as one of its members asks after it.
    pub fn party(
        &mut self,
        now: u64,
        code: &str,
        account: AccountId,
    ) -> Result<&Party, LobbyError> {
        let party = self.parties.get_mut(code).ok_or(LobbyError::NoParty)?;
        if !party.members.iter().any(|member| member.account == account) {
            return Err(LobbyError::NoParty);
        }
        // As often as it matters: what is asked after is written down.
        if now >= party.asked + FORGOTTEN_AFTER / 10 {
            party.asked = now;
        }
        Ok(party)
    }

    /// Those that a character goes with, itself among them; nobody where it is in no party.
    #[must_use]
    pub fn company(&self, character: CharacterId) -> Option<&[Member]> {
        self.party_of(character).map(|code| &*self.parties[code].members)
    }

    pub(super) fn forget_parties(&mut self, now: u64) {
        self.parties.retain(|_, party| now < party.asked + FORGOTTEN_AFTER);
    }

    fn party_of(&self, character: CharacterId) -> Option<&str> {
        let is_in = |party: &Party| party.members.iter().any(|it| it.character == character);
        self.parties.iter().find(|(_, party)| is_in(party)).map(|(code, _)| code.as_str())
    }
}
