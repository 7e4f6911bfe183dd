//! Calls characters from where they are to where matchmaking has a place for them.

use std::sync::Arc;

use super::cluster::characters::{Characters, Place};
use super::cluster::mail::{self, ToZoneMail};
use super::directory::Directory;
use super::instance::{Message, Threads};
use crate::game::state::{Arrive, Seat};
use crate::model::{CharacterId, ZoneId};
use crate::nats::Bus;
use crate::nats::table::TableError;
use crate::services::lobby::{Allocation, Progress};

/// How zones are told.
#[derive(Clone, Debug)]
pub enum Calls {
    /// They are in this process.
    Local { threads: Threads, directory: Arc<Directory> },
    /// Whoever runs them hears it on the bus.
    Shared { bus: Bus, characters: Characters },
}

impl Calls {
    /// Has a character called to where an allocation leads, `size` to a side, and says how far it
    /// is then. A zone that is not told, or whose character cannot follow, is told again by the
    /// next who asks. Waits for the server.
    pub fn call(
        &self,
        character: CharacterId,
        progress: Progress,
        allocation: &Allocation,
        size: usize,
    ) -> Result<Progress, TableError> {
        let to = allocation.zone;
        // One that rests is called when it is in the world.
        let Some(zone) = self.find(character)? else { return Ok(progress) };
        // Who is in an arena already, and was not called yet, has no seat there.
        if zone == to && (allocation.seat.is_none() || progress == Progress::Called) {
            return Ok(Progress::Arrived);
        }
        let arrive = allocation.seat.map_or(Arrive::Up, |seat| {
            let size = u8::try_from(size).unwrap_or(u8::MAX);
            Arrive::Match(Seat { number: seat.number, side: seat.side, size })
        });
        match self {
            Self::Local { threads, .. } => {
                threads.send(zone, Message::Call { zone, character, to, arrive });
            }
            Self::Shared { bus, .. } => {
                let call = ToZoneMail::Call { character, to, arrive };
                bus.publish(&mail::zone(zone), mail::encode(&call));
            }
        }
        Ok(Progress::Called)
    }

    fn find(&self, character: CharacterId) -> Result<Option<ZoneId>, TableError> {
        match self {
            Self::Local { directory, .. } => Ok(directory.find(character)),
            Self::Shared { characters, .. } => {
                let record = characters.get(character)?;
                Ok(record.and_then(|record| match record.place {
                    Place::Zone(zone) => Some(zone),
                    Place::Rest(_) => None,
                }))
            }
        }
    }
}
