//! What lies in the two tables.

use serde::{Deserialize, Serialize};

use crate::model::InstanceId;

/// What an instance says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// A random number that tells this process from another of the same name.
    pub boot: u64,
    /// Counts the renewals, so that each changes the record.
    pub beat: u64,
    /// Zones that it takes at most.
    pub capacity: u32,
    /// The version of its simulation.
    pub version: u32,
    /// It takes no more zones.
    pub is_draining: bool,
}

/// Who runs a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRecord {
    /// Nobody yet, where a zone was asked for or given back.
    pub owner: Option<Owner>,
    /// Rises with every owner.
    pub epoch: u64,
    /// The version of the simulation that wrote the zone's journal: no other may go on with it.
    pub version: u32,
    /// Whether another instance is to follow it, ready to take over.
    #[serde(default)]
    pub has_standby: bool,
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub instance: InstanceId,
    pub boot: u64,
}

impl ZoneRecord {
    /// A zone that somebody asks for and nobody has run yet.
    pub const WANTED: Self = Self { owner: None, epoch: 0, version: 0, has_standby: false };

    /// Whether an instance of this version can go on with it.
    #[must_use]
    pub fn can_go_to(&self, version: u32) -> bool {
        self.version == 0 || self.version == version
    }
}
