//! The table of flags, which processes follow: what holds for all of them, without a restart.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::settled::{self, Settled};
use crate::model::limits::NOTICE_BYTES_MAX;
use crate::nats::Nats;
use crate::nats::table::TableError;

/// The table's name.
pub const FLAGS: &str = "flags";

/// A flag that some process looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Whether gateways let those in that resume no session.
    AdmitNewPlayers,
    /// Whether services make new accounts, guests' among them.
    RegisterAccounts,
    /// What gateways tell all players.
    MessageOfTheDay,
}

/// What a flag is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Switch(bool),
    Text(String),
}

/// Why a text names no flag, or is no value of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("there is no flag {name:?}; there are {}", known())]
    Name { name: String },
    #[error("{flag} is true or false, not {value:?}")]
    Switch { flag: Flag, value: String },
    #[error("{flag} is one line of 1 to {NOTICE_BYTES_MAX} bytes; `unset` takes it back")]
    Text { flag: Flag },
}

fn known() -> String {
    Flag::ALL.map(|flag| flag.to_string()).join(", ")
}

impl Flag {
    pub const ALL: [Self; 3] =
        [Self::AdmitNewPlayers, Self::RegisterAccounts, Self::MessageOfTheDay];

    /// What it is for, in a phrase.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::AdmitNewPlayers => "whether gateways let those in that resume no session",
            Self::RegisterAccounts => "whether services make new accounts, guests' among them",
            Self::MessageOfTheDay => "what gateways tell all players",
        }
    }

    /// What holds where nobody has set it.
    #[must_use]
    pub fn default_value(self) -> Value {
        match self {
            Self::AdmitNewPlayers | Self::RegisterAccounts => Value::Switch(true),
            Self::MessageOfTheDay => Value::Text(String::new()),
        }
    }

    /// The value that somebody has typed.
    pub fn parse_value(self, text: &str) -> Result<Value, FlagError> {
        match self.default_value() {
            Value::Switch(_) => text
                .parse()
                .map(Value::Switch)
                .map_err(|_| FlagError::Switch { flag: self, value: text.to_owned() }),
            Value::Text(_) if is_notice(text) => Ok(Value::Text(text.to_owned())),
            Value::Text(_) => Err(FlagError::Text { flag: self }),
        }
    }
}

fn is_notice(text: &str) -> bool {
    (1..=NOTICE_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(value) => value.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdmitNewPlayers => "admit_new_players",
            Self::RegisterAccounts => "register_accounts",
            Self::MessageOfTheDay => "message_of_the_day",
        })
    }
}

impl FromStr for Flag {
    type Err = FlagError;

    fn from_str(name: &str) -> Result<Self, FlagError> {
        let found = Self::ALL.into_iter().find(|flag| flag.to_string() == name);
        found.ok_or_else(|| FlagError::Name { name: name.to_owned() })
    }
}

/// What holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    pub admit_new_players: bool,
    pub register_accounts: bool,
    /// Empty where there is none.
    pub message_of_the_day: String,
}

impl Default for Flags {
    fn default() -> Self {
        Self { admit_new_players: true, register_accounts: true, message_of_the_day: String::new() }
    }
}

/// Sets a flag, or takes back what was set.
pub fn set(nats: &Nats, flag: Flag, value: Option<&Value>) -> Result<(), TableError> {
    Settled::open(nats, FLAGS)?.set(&flag.to_string(), value)
}

/// The flags that somebody has set.
pub fn list(nats: &Nats) -> Result<BTreeMap<String, Value>, TableError> {
    let rows = Settled::open(nats, FLAGS)?.rows()?;
    let read = |(key, value): (String, Bytes)| Some((settled::read(&key, &value)?, key));
    Ok(rows.into_iter().filter_map(read).map(|(value, key)| (key, value)).collect())
}

/// Tells what holds, now and whenever that changes.
pub fn follow(nats: &Nats, tell: impl Fn(Flags) + Send + 'static) -> Result<(), TableError> {
    Settled::open(nats, FLAGS)?.follow(move |rows| tell(read(rows)))
}

fn read(rows: &BTreeMap<String, Bytes>) -> Flags {
    fn value<T: DeserializeOwned>(rows: &BTreeMap<String, Bytes>, flag: Flag) -> Option<T> {
        let key = flag.to_string();
        rows.get(&key).and_then(|value| settled::read(&key, value))
    }
    let text = value(rows, Flag::MessageOfTheDay).filter(|text: &String| is_notice(text));
    Flags {
        admit_new_players: value(rows, Flag::AdmitNewPlayers).unwrap_or(true),
        register_accounts: value(rows, Flag::RegisterAccounts).unwrap_or(true),
        message_of_the_day: text.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_as_by_default_unless_somebody_has_set_them() {
        let rows = |rows: &[(&str, &'static str)]| {
            let row = |&(key, value): &(&str, &'static str)| (key.to_owned(), Bytes::from(value));
            read(&rows.iter().map(row).collect())
        };
        let closed = Flags { admit_new_players: false, ..Flags::default() };
        assert_eq!(rows(&[]), Flags::default());
        assert_eq!(rows(&[("admit_new_players", "false"), ("of_tomorrow", "7")]), closed);
        assert_eq!(rows(&[("admit_new_players", "null")]), Flags::default());
        assert_eq!(rows(&[("admit_new_players", "maybe")]), Flags::default());
        let told = Flags { message_of_the_day: "Noon".to_owned(), ..Flags::default() };
        assert_eq!(rows(&[("message_of_the_day", "\"Noon\"")]), told);
        for bad in ["\"\"", "\"two\\nlines\"", "true", "7", "null"] {
            assert_eq!(rows(&[("message_of_the_day", bad)]), Flags::default(), "{bad}");
        }
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

    #[test]
    fn a_value_is_one_of_its_flag() {
        let check = |flag: Flag, text: &str, expected: Option<Value>| {
            assert_eq!(flag.parse_value(text).ok(), expected, "{flag} {text:?}");
        };
        check(Flag::AdmitNewPlayers, "false", Some(Value::Switch(false)));
        check(Flag::RegisterAccounts, "true", Some(Value::Switch(true)));
        check(Flag::RegisterAccounts, "Noon", None);
        check(Flag::RegisterAccounts, "", None);
        let message = Flag::MessageOfTheDay;
        for text in ["true", "Back at noon.", "Mittags zurück", &"a".repeat(NOTICE_BYTES_MAX)] {
            check(message, text, Some(Value::Text(text.to_owned())));
        }
        for text in ["", "two\nlines", "\u{1b}[2J", &"ü".repeat(NOTICE_BYTES_MAX / 2 + 1)] {
            check(message, text, None);
        }
        let said = message.parse_value("").unwrap_err().to_string();
        assert!(said.contains("message_of_the_day is one line of 1 to 200 bytes"), "{said}");
    }
}
