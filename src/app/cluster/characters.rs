//! The table of characters: whose each is, its session, and where it is or rests.
//!
//! It is filled from the store, and the store may be down while people play: what an admission
//! needs to know is all here.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::model::{AccountId, CharacterId, SessionId, ZoneId};
use crate::nats::Nats;
use crate::nats::table::{Row, Table, TableError};

const NAME: &str = "characters";
const ACCOUNTS: &str = "accounts";

/// A character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub account: AccountId,
    pub name: String,
    /// 0: none has begun, or it has ended.
    pub session: SessionId,
    /// Rises with every connection that takes the character.
    pub take_over: u64,
    /// The version of its sheet as it was when it came to where it is.
    pub version: u64,
    pub place: Place,
}

/// Where a character is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    Zone(ZoneId),
    /// Nowhere; its sheet in base64, empty for one that was never in the world.
    Rest(String),
}

impl Place {
    #[must_use]
    pub fn rest(sheet: &[u8]) -> Self {
        Self::Rest(STANDARD_NO_PAD.encode(sheet))
    }
}

/// The sheet in a [`Place::Rest`], if it is one.
#[must_use]
pub fn sheet(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

impl Record {
    /// Notes where the character is unless something newer is known; whether that changes it.
    /// From resting it goes into a zone with the same version, out of one with a higher.
    pub fn place(&mut self, version: u64, place: &Place) -> bool {
        let order = |version: u64, place: &Place| (version, matches!(place, Place::Zone(_)));
        let is_newer = order(version, place) > order(self.version, &self.place);
        if is_newer {
            (self.version, self.place) = (version, place.clone());
        }
        is_newer
    }
}

/// The table, and beside it each account's list of characters.
#[derive(Clone, Debug)]
pub struct Characters {
    table: Table,
    accounts: Table,
}

impl Characters {
    pub fn open(nats: &Nats) -> Result<Self, TableError> {
        Ok(Self { table: Table::open(nats, NAME)?, accounts: Table::open(nats, ACCOUNTS)? })
    }

    /// All characters.
    pub fn all(&self) -> Result<BTreeMap<CharacterId, Record>, TableError> {
        let numbered = |row: Row| {
            let character = CharacterId(row.key.parse().ok()?);
            read(&row).map(|(_, record)| (character, record))
        };
        Ok(self.table.all()?.into_iter().filter_map(numbered).collect())
    }

    pub fn get(&self, character: CharacterId) -> Result<Option<Record>, TableError> {
        Ok(self.row(character)?.map(|(_, record)| record))
    }

    fn row(&self, character: CharacterId) -> Result<Option<(u64, Record)>, TableError> {
        Ok(self.table.get(&character.to_string())?.and_then(|row| read(&row)))
    }

    /// Changes a record, as often as somebody else is faster; `None` if there is none. `change`
    /// says whether it changed anything.
    pub fn change(
        &self,
        character: CharacterId,
        mut change: impl FnMut(&mut Record) -> bool,
    ) -> Result<Option<Record>, TableError> {
        loop {
            let Some((revision, mut record)) = self.row(character)? else { return Ok(None) };
            if !change(&mut record) || self.write(character, &record, revision)? {
                return Ok(Some(record));
            }
        }
    }

    /// Notes where a character is, unless something newer is known.
    pub fn place(
        &self,
        character: CharacterId,
        version: u64,
        place: &Place,
    ) -> Result<(), TableError> {
        self.change(character, |record| record.place(version, place)).map(drop)
    }

    /// Makes a record where there is none.
    pub fn add(&self, character: CharacterId, record: &Record) -> Result<(), TableError> {
        self.write(character, record, 0).map(drop)
    }

    fn write(
        &self,
        character: CharacterId,
        record: &Record,
        expected: u64,
    ) -> Result<bool, TableError> {
        let value = serde_json::to_vec(record).expect("a record is plain data");
        self.table.replace_now(&character.to_string(), value.into(), expected)
    }

    /// The characters of an account as far as is known, newest first.
    pub fn of_account(&self, account: AccountId) -> Result<Option<Vec<CharacterId>>, TableError> {
        let row = self.accounts.get(&account.to_string())?;
        Ok(row.and_then(|row| serde_json::from_slice(&row.value).ok()))
    }

    pub fn set_account(
        &self,
        account: AccountId,
        characters: &[CharacterId],
    ) -> Result<(), TableError> {
        let key = account.to_string();
        let value = bytes::Bytes::from(
            serde_json::to_vec(characters).expect("numbers can be written as JSON"),
        );
        loop {
            let known = self.accounts.get(&key)?;
            if known.as_ref().is_some_and(|row| row.value == value) {
                return Ok(());
            }
            let expected = known.map_or(0, |row| row.revision);
            if self.accounts.replace_now(&key, value.clone(), expected)? {
                return Ok(());
            }
        }
    }
}

fn read(row: &Row) -> Option<(u64, Record)> {
    match serde_json::from_slice(&row.value) {
        Ok(record) => Some((row.revision, record)),
        Err(error) => {
            log::error!("the record of character {} in NATS cannot be read: {error}", row.key);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_late_does_not_undo_what_is_newer() {
        let mut record = Record {
            account: AccountId(1),
            name: "Ada".into(),
            session: SessionId(0),
            take_over: 0,
            version: 0,
            place: Place::rest(&[]),
        };
        let zone = |number| Place::Zone(ZoneId(number));
        // What is told, and whether it is news.
        for (version, place, is_news) in [
            (0, zone(1), true),
            (0, Place::rest(&[]), false),
            (2, zone(3), true),
            (1, zone(2), false),
            (3, Place::rest(&[7]), true),
            (2, zone(3), false),
            (3, zone(1), true),
        ] {
            assert_eq!(record.place(version, &place), is_news, "{version} {place:?}");
        }
        assert_eq!(record.place, zone(1));
    }
}
