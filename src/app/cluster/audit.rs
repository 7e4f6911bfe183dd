//! What admins did to the cluster, or tried to: written down before and after.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::flags::{Flag, Value};
use crate::app::process::Process;
use crate::app::registrar::unix_now;
use crate::gateway::Target;
use crate::model::{CharacterId, GatewayId, InstanceId, ZoneId};
use crate::nats::Nats;
use crate::nats::trail::{Trail, TrailError};

/// The trail's name.
pub const AUDIT: &str = "audit";

/// Something that an admin does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    Move {
        zone: ZoneId,
        to: InstanceId,
    },
    Drain {
        instance: InstanceId,
    },
    Standby {
        zone: ZoneId,
        has_standby: bool,
    },
    DrainGateway {
        gateway: GatewayId,
    },
    /// `until`: seconds since 1970.
    Ban {
        target: Target,
        until: Option<u64>,
        reason: String,
    },
    Unban {
        target: Target,
    },
    SetFlag {
        flag: Flag,
        value: Value,
    },
    UnsetFlag {
        flag: Flag,
    },
    Kick {
        character: CharacterId,
        name: String,
        reason: String,
    },
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// An entry that no other one follows is of an admin that was killed.
    Begun,
    Done,
    Failed {
        why: String,
    },
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since 1970.
    pub time: u64,
    pub who: String,
    #[serde(flatten)]
    pub act: Act,
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Move { zone, to } => write!(f, "move zone {zone} to instance {to}"),
            Self::Drain { instance } => write!(f, "drain instance {instance}"),
            Self::Standby { zone, has_standby: true } => write!(f, "give zone {zone} a standby"),
            Self::Standby { zone, has_standby: false } => {
                write!(f, "take the standby of zone {zone} away")
            }
            Self::DrainGateway { gateway } => write!(f, "drain gateway {gateway}"),
            Self::Ban { target, until: None, reason } => write!(f, "ban {target} ({reason})"),
            Self::Ban { target, until: Some(until), reason } => {
                write!(f, "ban {target} until {until} ({reason})")
            }
            Self::Unban { target } => write!(f, "end the ban of {target}"),
            Self::SetFlag { flag, value } => write!(f, "set flag {flag} to {value}"),
            Self::UnsetFlag { flag } => write!(f, "unset flag {flag}"),
            Self::Kick { name, reason, .. } => write!(f, "kick {name} ({reason})"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun => f.write_str("begun"),
            Self::Done => f.write_str("done"),
            Self::Failed { why } => write!(f, "failed: {why}"),
        }
    }
}

/// The log.
#[derive(Clone, Debug)]
pub struct Audit(Trail);

impl Audit {
    pub fn open(nats: &Nats) -> Result<Self, TrailError> {
        Ok(Self(Trail::open(nats, AUDIT)?))
    }

    /// Writes down what somebody does now; when it returns, it is kept.
    pub fn note(&self, who: &str, act: &Act, outcome: Outcome) -> Result<(), TrailError> {
        let time = unix_now();
        let entry = Entry { time, who: who.to_owned(), act: act.clone(), outcome };
        let text = serde_json::to_vec(&entry).expect("an entry is plain data");
        self.0.append(Bytes::from(text))
    }

    /// The newest entries, at most so many, the oldest of them first.
    pub fn newest(&self, count: u64) -> Result<Vec<Entry>, TrailError> {
        let read = |bytes: Bytes| {
            let entry = serde_json::from_slice(&bytes);
            if entry.is_err() {
                log::warn!("an entry of the audit log is not of this version and is passed over");
            }
            entry.ok()
        };
        Ok(self.0.newest(count)?.into_iter().filter_map(read).collect())
    }
}

/// The end of this process, if somebody asks for it over the administrative port.
#[derive(Clone, Debug)]
pub struct Ending {
    nats: Nats,
    act: Act,
    who: Arc<Mutex<Option<String>>>,
}

impl Ending {
    /// Lets whoever has the token end it, which is written down first.
    pub fn allow(process: &Process, nats: &Nats, act: Act) -> Self {
        let ending = Self { nats: nats.clone(), act, who: Arc::default() };
        let asked = ending.clone();
        process.allow_drain(move |who| asked.note_begun(who));
        ending
    }

    fn note(&self, who: &str, outcome: Outcome) -> Result<(), TrailError> {
        Audit::open(&self.nats)?.note(who, &self.act, outcome)
    }

    fn note_begun(&self, who: &str) -> Result<(), String> {
        let mut asked = self.asked();
        if asked.is_none() {
            let noted = self.note(who, Outcome::Begun);
            noted.map_err(|error| format!("nothing was done, for it cannot be logged: {error}"))?;
            log::info!("{who}: this process drains");
            *asked = Some(who.to_owned());
        }
        Ok(())
    }

    fn asked(&self) -> MutexGuard<'_, Option<String>> {
        self.who.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is drained.
    pub fn note_done(&self) {
        let Some(who) = self.asked().take() else { return };
        if let Err(error) = self.note(&who, Outcome::Done) {
            log::error!("{}: done, but {error}", self.act);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_flat_and_come_back() {
        let act = Act::Move { zone: ZoneId(3), to: InstanceId(2) };
        let outcome = Outcome::Failed { why: "no".to_owned() };
        let entry = Entry { time: 7, who: "a@b".to_owned(), act, outcome };
        let text = serde_json::to_string(&entry).unwrap();
        let flat =
            r#"{"time":7,"who":"a@b","act":"move","zone":3,"to":2,"outcome":"failed","why":"no"}"#;
        assert_eq!(text, flat);
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        let target = Target::Address("192.0.2.0/24".parse().unwrap());
        let act = Act::Ban { target, until: None, reason: "spam".to_owned() };
        let entry = Entry { act, outcome: Outcome::Done, ..entry };
        let text = serde_json::to_string(&entry).unwrap();
        let flat = r#"{"time":7,"who":"a@b","act":"ban","target":{"address":"192.0.2.0/24"},"until":null,"reason":"spam","outcome":"done"}"#;
        assert_eq!(text, flat);
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        let drain = r#"{"time":1,"who":"a","act":"drain","instance":4,"outcome":"done"}"#;
        let entry: Entry = serde_json::from_str(drain).unwrap();
        assert_eq!(format!("{}: {}", entry.act, entry.outcome), "drain instance 4: done");
    }
}
