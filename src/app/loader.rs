//! The loader thread: brings zones in from the journal or the generator and saves snapshots, so
//! that no simulation thread ever waits for either.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::cluster::standby::Standby;
use super::instance::{Message, Threads};
use super::world::World;
use crate::game::generate::generate;
use crate::game::state::ZoneState;
use crate::journal::{self, Keep, ReadError, Reader, Requests, Snapshot};
use crate::model::limits::SNAPSHOTS_WAITING_MAX;
use crate::model::{Tick, ZoneId};
use crate::sim;
use crate::zone::{Entry, ReplayError, Replayer, Zone, encode_snapshot};

/// Snapshots of a zone that are always kept.
const SNAPSHOTS_KEPT: usize = 3;

/// Why a zone cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(
        "no snapshot of zone {zone} can be read and its journal does not begin at the beginning: restore a backup of the data folder"
    )]
    NoStart { zone: ZoneId },
}

#[derive(Debug)]
enum Request {
    Load(ZoneId),
    Save(Box<ZoneState>),
}

/// Sends requests to the loader thread.
#[derive(Clone, Debug)]
pub struct Loader {
    requests: Sender<Request>,
}

impl Loader {
    /// The loader and the thread's end of it, for [`spawn`].
    #[must_use]
    pub fn new() -> (Self, Inbox) {
        let (requests, inbox) = crossbeam_channel::unbounded();
        (Self { requests }, Inbox(inbox))
    }

    /// Loads a zone; it arrives at its simulation thread as [`Message::Loaded`].
    pub fn load(&self, zone: ZoneId) {
        // The loader ends after the simulation.
        let _ = self.requests.send(Request::Load(zone));
    }

    /// Encodes and saves a snapshot, and forgets what is too old. If many wait already, this one is
    /// left out: the journal has what it would have had.
    pub fn save_snapshot(&self, state: &ZoneState) {
        if self.requests.len() >= SNAPSHOTS_WAITING_MAX {
            log::debug!(zone = state.zone.0; "a snapshot is left out: too many wait");
            return;
        }
        let _ = self.requests.send(Request::Save(Box::new(state.clone())));
    }
}

/// What the loader thread reads.
#[derive(Debug)]
pub struct Inbox(Receiver<Request>);

/// Starts the loader thread; it ends when the last [`Loader`] is gone.
pub fn spawn(
    inbox: Inbox,
    reader: Reader,
    journal: Requests,
    threads: Threads,
    world: Arc<World>,
    history_ticks: u64,
    standby: Option<Standby>,
) -> std::io::Result<JoinHandle<()>> {
    let keep = Keep { snapshots: SNAPSHOTS_KEPT, history_ticks };
    std::thread::Builder::new().name("loader".to_owned()).spawn(move || {
        for request in inbox.0 {
            match request {
                Request::Load(id) => {
                    let warm = standby.as_ref().and_then(|standby| standby.take(id));
                    let message = match load_from(&reader, &world, id, warm) {
                        Ok(zone) => Message::Loaded(Box::new(zone)),
                        Err(error) => {
                            log::error!(zone = id.0; "{error}");
                            Message::Unloadable(id)
                        }
                    };
                    threads.send(id, message);
                }
                Request::Save(state) => save(&journal, &state, keep),
            }
        }
    })
}

fn save(journal: &Requests, state: &ZoneState, keep: Keep) {
    let (zone, tick) = (state.zone, state.tick);
    let snapshot = Snapshot {
        zone,
        tick,
        version: sim::VERSION,
        hash: Some(sim::hash(state)),
        bytes: encode_snapshot(state),
    };
    let asked = journal.send(journal::Request::Snapshot(snapshot));
    if asked.and_then(|()| journal.send(journal::Request::Prune { zone, keep })).is_err() {
        log::warn!(zone = zone.0, tick = tick.0; "a snapshot came too late: the journal is closed");
    }
}

/// Brings a zone to where its journal ends: from the newest snapshot that can be read, or, if it
/// is young, from the generator.
pub fn load(reader: &Reader, world: &World, id: ZoneId) -> Result<Zone, LoadError> {
    load_from(reader, world, id, None)
}

/// As [`load`], from where somebody has re-run the zone to already, if that leads anywhere.
fn load_from(
    reader: &Reader,
    world: &World,
    id: ZoneId,
    warm: Option<Replayer>,
) -> Result<Zone, LoadError> {
    let warm = warm.and_then(|replayer| {
        let tick = replayer.state().tick;
        let followed = follow(reader, replayer, Some(tick));
        followed.inspect_err(|error| log::warn!(zone = id.0; "{error}; loading it anew")).ok()
    });
    let replayer = warm.map_or_else(|| rerun(reader, world, id), Ok)?;
    Ok(Zone::new(replayer.into_state(), &world.zone_name(id)))
}

/// Re-runs a zone to where its journal ends.
pub(super) fn rerun(reader: &Reader, world: &World, id: ZoneId) -> Result<Replayer, LoadError> {
    for head in reader.snapshots(id)? {
        let damaged = |error: &dyn std::fmt::Display| {
            log::error!(
                zone = id.0, tick = head.tick.0;
                "a snapshot is damaged, the one before it is tried: {error}"
            );
        };
        let snapshot = match reader.snapshot(id, head.tick) {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => continue,
            Err(error @ (ReadError::Broken { .. } | ReadError::BrokenMessage { .. })) => {
                damaged(&error);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match Replayer::from_snapshot(id, snapshot.tick, snapshot.version, &snapshot.bytes) {
            Ok(replayer) if snapshot.hash.is_none_or(|h| h == sim::hash(replayer.state())) => {
                return follow(reader, replayer, Some(snapshot.tick));
            }
            Ok(_) => damaged(&"its hash is not the recorded one"),
            Err(error @ ReplayError::Snapshot { .. }) => damaged(&error),
            Err(error) => return Err(error.into()),
        }
    }
    let state = generate(&world.spec(id));
    let replayer = Replayer::new(state);
    follow(reader, replayer, None).map_err(|error| {
        let gap = matches!(error, LoadError::Replay(ReplayError::Gap { .. }));
        if gap { LoadError::NoStart { zone: id } } else { error }
    })
}

fn follow(
    reader: &Reader,
    mut replayer: Replayer,
    after: Option<Tick>,
) -> Result<Replayer, LoadError> {
    for batch in reader.entries(replayer.state().zone, after) {
        for entry in batch? {
            replayer.apply(&from_journal(entry))?;
        }
    }
    Ok(replayer)
}

/// An entry as the journal keeps it.
#[must_use]
pub fn to_journal(entry: Entry) -> journal::Entry {
    let Entry { zone, tick, version, hash, bytes } = entry;
    journal::Entry { zone, tick, version, hash, bytes }
}

/// An entry as the zone reads it.
#[must_use]
pub fn from_journal(entry: journal::Entry) -> Entry {
    let journal::Entry { zone, tick, version, hash, bytes } = entry;
    Entry { zone, tick, version, hash, bytes }
}
