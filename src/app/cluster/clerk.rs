//! The clerk's thread: takes characters that leave a zone to where they go, and notes where they
//! are. What fails is done again: a zone says every second what nobody has confirmed.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::characters::{Characters, Place};
use super::mail::{self, ToZoneMail};
use super::zones::Wanted;
use crate::app::registrar::News;
use crate::game::state::{Bout, Departure, Destination};
use crate::model::{CharacterId, ZoneId};
use crate::nats::{Bus, Queue, QueueError};

/// The queue of what instances keep for the store.
pub const EVENTS: &str = "events";
/// How often what could not be noted is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "departures are few and gone at once")]
enum Request {
    Depart(Departure),
    Fought(Bout),
    /// A character is in a zone, with a sheet of this version.
    Placed {
        character: CharacterId,
        version: u64,
        zone: ZoneId,
    },
}

/// Speaks to the thread; clones share it.
#[derive(Clone, Debug)]
pub struct Clerk {
    requests: Sender<Request>,
}

impl Clerk {
    /// Takes a departure, any number of times.
    pub fn depart(&self, departure: Departure) {
        // The thread ends after the simulation.
        let _ = self.requests.send(Request::Depart(departure));
    }

    /// Takes a bout, any number of times.
    pub fn fought(&self, bout: Bout) {
        let _ = self.requests.send(Request::Fought(bout));
    }

    /// A character is in a zone for good.
    pub fn placed(&self, character: CharacterId, version: u64, zone: ZoneId) {
        let _ = self.requests.send(Request::Placed { character, version, zone });
    }
}

/// What the thread works with.
#[derive(Debug)]
pub struct Parts {
    pub bus: Bus,
    pub characters: Characters,
    /// What the store has to be told.
    pub events: Queue,
    pub wanted: Wanted,
}

/// Starts the thread; it ends when the last [`Clerk`] is gone.
pub fn spawn(parts: Parts) -> std::io::Result<(Clerk, JoinHandle<()>)> {
    let (requests, inbox) = crossbeam_channel::unbounded();
    let thread = Thread { inbox, placing: BTreeMap::new(), parts };
    let handle = std::thread::Builder::new().name("clerk".to_owned());
    Ok((Clerk { requests }, handle.spawn(move || thread.run())?))
}

struct Thread {
    inbox: Receiver<Request>,
    /// Where characters are that the table does not know yet.
    placing: BTreeMap<CharacterId, (u64, ZoneId)>,
    parts: Parts,
}

impl Thread {
    fn run(mut self) {
        loop {
            match self.inbox.recv_timeout(RETRY_AFTER) {
                Ok(Request::Depart(departure)) => self.depart(&departure),
                Ok(Request::Fought(bout)) => self.keep_bout(bout),
                Ok(Request::Placed { character, version, zone }) => {
                    self.placing.insert(character, (version, zone));
                    self.place(character);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let waiting: Vec<_> = self.placing.keys().copied().collect();
                    waiting.into_iter().all(|character| self.place(character));
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Notes where a character is; false if that failed.
    fn place(&mut self, character: CharacterId) -> bool {
        let Some(&(version, zone)) = self.placing.get(&character) else { return true };
        let noted = self.parts.characters.place(character, version, &Place::Zone(zone));
        match &noted {
            Ok(()) => drop(self.placing.remove(&character)),
            Err(error) => log::warn!(character = character.0; "{error}; trying again"),
        }
        noted.is_ok()
    }

    /// Keeps a bout for the store, and tells its zone so.
    fn keep_bout(&self, bout: Bout) {
        let Some(&loser) = bout.losers.first() else { return };
        let (zone, tick) = (bout.zone, bout.tick);
        if let Err(error) = self.keep(&News::Bout(bout)) {
            return log::warn!(zone = zone.0; "{error}; it will be told again");
        }
        let mail = mail::encode(&ToZoneMail::Recorded { tick, loser });
        self.parts.bus.publish(&mail::zone(zone), mail);
    }

    fn keep(&self, news: &News) -> Result<(), QueueError> {
        self.parts.events.keep(&news.key(), mail::encode(news))
    }

    fn depart(&self, departure: &Departure) {
        if let Err(error) = self.tell_store(departure) {
            log::warn!(character = departure.key.character.0; "{error:#}; it will be told again");
            return;
        }
        let (zone, mail) = match departure.to {
            Destination::Zone { zone, .. } => {
                self.parts.wanted.want(zone);
                (zone, ToZoneMail::Arrival(departure.clone()))
            }
            Destination::Store => (departure.key.zone, ToZoneMail::Confirmed(departure.key)),
        };
        self.parts.bus.publish(&mail::zone(zone), mail::encode(&mail));
    }

    /// Keeps for the store what it has to know: deaths, and sheets that go to rest.
    fn tell_store(&self, departure: &Departure) -> anyhow::Result<()> {
        let is_rest = departure.to == Destination::Store;
        if departure.death.is_some() || is_rest {
            self.keep(&News::Departure(departure.clone()))?;
        }
        if is_rest {
            let sheet = &departure.sheet;
            let bytes = postcard::to_stdvec(sheet).expect("a sheet is plain data");
            let place = Place::rest(&bytes);
            self.parts.characters.place(sheet.character, sheet.version, &place)?;
        }
        Ok(())
    }
}
