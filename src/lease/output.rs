//! What the leases want of the store and of their instance.

#[cfg(doc)]
use super::Leases;
use super::{InstanceRecord, ZoneRecord};
use crate::model::ZoneId;

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Replace this instance's record if it has this revision, 0 for none; the answer goes to
    /// [`Leases::handle_renewed`].
    Renew { record: InstanceRecord, expected: u64 },
    /// Replace a zone's record likewise; the answer goes to [`Leases::handle_claimed`].
    Claim { zone: ZoneId, record: ZoneRecord, expected: u64 },
    /// The zone is this instance's: bring it up, anew if it is up. `epoch` goes into what it says.
    Gained { zone: ZoneId, epoch: u64 },
    /// Somebody else runs the zone: drop it and say nothing more of it.
    Lost { zone: ZoneId },
    /// Another process has this instance's name: stop.
    NameTaken,
    /// The watch does not tell what this instance writes: open both tables anew, making them where
    /// they are gone, then [`Leases::handle_connected`].
    Reopen,
}

/// How the store answered a write; every write is answered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Written, with this revision.
    Written(u64),
    /// The record has another revision, of which the watch tells.
    Refused,
    /// Nobody knows whether it was written; what is there now was looked up and told, by
    /// [`Leases::handle_looked_up`] or [`Leases::handle_zone`].
    Unknown,
}
