//! Giving a zone away while one runs it.

use std::time::Duration;

use super::{Leases, Owner, ZoneRecord};
use crate::model::{InstanceId, ZoneId};

/// Why a zone stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    #[error("zone {zone} is not run by this instance")]
    NotHere { zone: ZoneId },
    #[error("the record of zone {zone} is just being written or read anew; try again")]
    Unsettled { zone: ZoneId },
    #[error("instance {to} is this one")]
    ToItself { to: InstanceId },
    #[error("there is no instance {to}")]
    UnknownTarget { to: InstanceId },
    #[error("instance {to} has not renewed its record lately")]
    SilentTarget { to: InstanceId },
    #[error("instance {to} is draining; name another, or start it anew")]
    DrainingTarget { to: InstanceId },
    #[error("instance {to} runs version {theirs} of the simulation, but the zone is of {zones}")]
    OtherVersion { to: InstanceId, theirs: u32, zones: u32 },
}

impl Leases {
    /// Gives a zone to another instance, even a full one, or back for anybody to take. From now on
    /// the caller says nothing more of it, unless it gains it again, because the store did not
    /// take this.
    ///
    /// # Errors
    /// Where the zone cannot be given away now, or not to this instance; nothing has changed then.
    pub fn hand_over(
        &mut self,
        now: Duration,
        zone: ZoneId,
        to: Option<InstanceId>,
    ) -> Result<(), HandOverError> {
        let before = self.settled_record(zone)?;
        let owner = to.map(|id| self.target(id, &before, now)).transpose()?;
        self.mine.remove(&zone);
        self.write(now, zone, ZoneRecord { owner, epoch: self.next_epoch(zone), ..before });
        Ok(())
    }

    /// The record of a zone of this instance, unless it is just being written.
    pub(super) fn settled_record(&self, zone: ZoneId) -> Result<ZoneRecord, HandOverError> {
        if !self.mine.contains_key(&zone) {
            return Err(HandOverError::NotHere { zone });
        }
        let is_written = self.writing.contains_key(&zone);
        let row = self.zones.get(&zone).filter(|_| !is_written);
        Ok(row.ok_or(HandOverError::Unsettled { zone })?.record)
    }

    /// Whether [`Leases::hand_over`] would do it now.
    ///
    /// # Errors
    /// As there.
    pub fn check_hand_over(
        &self,
        now: Duration,
        zone: ZoneId,
        to: InstanceId,
    ) -> Result<(), HandOverError> {
        if !self.mine.contains_key(&zone) {
            return Err(HandOverError::NotHere { zone });
        }
        let row = self.zones.get(&zone).ok_or(HandOverError::Unsettled { zone })?;
        self.target(to, &row.record, now).map(drop)
    }

    /// The process that has this name, if a zone can be given to it.
    pub(super) fn target(
        &self,
        to: InstanceId,
        zone: &ZoneRecord,
        now: Duration,
    ) -> Result<Owner, HandOverError> {
        if to == self.config.me.instance {
            return Err(HandOverError::ToItself { to });
        }
        let known = self.instances.get(&to).ok_or(HandOverError::UnknownTarget { to })?;
        if known.is_silent(now) {
            return Err(HandOverError::SilentTarget { to });
        }
        if known.record.is_draining {
            return Err(HandOverError::DrainingTarget { to });
        }
        let (theirs, zones) = (known.record.version, zone.version);
        if !zone.can_go_to(theirs) {
            return Err(HandOverError::OtherVersion { to, theirs, zones });
        }
        Ok(Owner { instance: to, boot: known.record.boot })
    }
}
