//! The table of flags, which processes follow: what holds for all of them, without a restart.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::settled::{self, Settled};
use crate::nats::Nats;
use crate::nats::table::TableError;

/// The table's name.
pub const FLAGS: &str = "flags";

/// A flag that some process looks at. Each is true or false, and true where nobody has set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Whether gateways let those in that resume no session.
    AdmitNewPlayers,
    /// Whether services make new accounts, guests' among them.
    RegisterAccounts,
}

/// Why a text names no flag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no flag {name:?}; there are {}", known())]
pub struct FlagError {
    name: String,
}

fn known() -> String {
    Flag::ALL.map(|flag| flag.to_string()).join(", ")
}

impl Flag {
    pub const ALL: [Self; 2] = [Self::AdmitNewPlayers, Self::RegisterAccounts];

    /// What it is for, in a phrase.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::AdmitNewPlayers => "gateways let those in that resume no session",
            Self::RegisterAccounts => "services make new accounts, guests' among them",
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdmitNewPlayers => "admit_new_players",
            Self::RegisterAccounts => "register_accounts",
        })
    }
}

impl FromStr for Flag {
    type Err = FlagError;

    fn from_str(name: &str) -> Result<Self, FlagError> {
        let found = Self::ALL.into_iter().find(|flag| flag.to_string() == name);
        found.ok_or_else(|| FlagError { name: name.to_owned() })
    }
}

/// What holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    pub admit_new_players: bool,
    pub register_accounts: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self { admit_new_players: true, register_accounts: true }
    }
}

/// Sets a flag, or takes back what was set.
pub fn set(nats: &Nats, flag: Flag, value: Option<bool>) -> Result<(), TableError> {
    Settled::open(nats, FLAGS)?.set(&flag.to_string(), value.as_ref())
}

/// The flags that somebody has set.
pub fn list(nats: &Nats) -> Result<BTreeMap<String, bool>, TableError> {
    let rows = Settled::open(nats, FLAGS)?.rows()?;
    let read = |(key, value): (String, Bytes)| Some((settled::read(&key, &value)?, key));
    Ok(rows.into_iter().filter_map(read).map(|(value, key)| (key, value)).collect())
}

/// Tells what holds, now and whenever that changes.
pub fn follow(nats: &Nats, tell: impl Fn(Flags) + Send + 'static) -> Result<(), TableError> {
    Settled::open(nats, FLAGS)?.follow(move |rows| tell(read(rows)))
}

fn read(rows: &BTreeMap<String, Bytes>) -> Flags {
    let value = |flag: Flag| {
        let key = flag.to_string();
        rows.get(&key).and_then(|value| settled::read(&key, value)).unwrap_or(true)
    };
    Flags {
        admit_new_players: value(Flag::AdmitNewPlayers),
        register_accounts: value(Flag::RegisterAccounts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_true_unless_somebody_has_set_them() {
        let rows = |rows: &[(&str, &'static str)]| {
            let row = |&(key, value): &(&str, &'static str)| (key.to_owned(), Bytes::from(value));
            read(&rows.iter().map(row).collect())
        };
        let closed = Flags { admit_new_players: false, ..Flags::default() };
        assert_eq!(rows(&[]), Flags::default());
        assert_eq!(rows(&[("admit_new_players", "false"), ("of_tomorrow", "7")]), closed);
        assert_eq!(rows(&[("admit_new_players", "null")]), Flags::default());
        assert_eq!(rows(&[("admit_new_players", "maybe")]), Flags::default());
    }

    #[test]
    fn names_come_back_and_others_are_answered_with_those_there_are() {
        for flag in Flag::ALL {
            assert_eq!(flag.to_string().parse(), Ok(flag));
            assert_eq!(serde_json::to_string(&flag).unwrap(), format!("\"{flag}\""));
        }
        let said = "colour".parse::<Flag>().unwrap_err().to_string();
        assert!(said.contains("admit_new_players, register_accounts"), "{said}");
    }
}
