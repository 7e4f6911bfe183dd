//! The registrar thread: takes characters that leave a zone to where they go, by way of the store
//! where that has to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::directory::Directory;
use super::instance::{Message, Threads};
use crate::game::state::{Departure, DepartureKey, Destination};
use crate::store::{self, Store, StoreError, Summary};
use crate::telemetry::Metrics;

/// Wait between two attempts while the store takes nothing.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Sends departures on.
#[derive(Clone, Debug)]
pub struct Registrar {
    requests: Sender<Departure>,
    threads: Threads,
}

impl Registrar {
    /// The registrar and its thread's end.
    #[must_use]
    pub fn new(threads: Threads) -> (Self, Receiver<Departure>) {
        let (requests, inbox) = crossbeam_channel::unbounded();
        (Self { requests, threads }, inbox)
    }

    /// Takes a departure, any number of times; the zone it came from hears
    /// [`Message::Confirmed`] once the other side has it.
    pub fn depart(&self, departure: Departure) {
        match departure.to {
            Destination::Zone { zone, .. } if departure.death.is_none() => {
                self.threads.send(zone, Message::Arrival(departure));
            }
            Destination::Zone { .. } | Destination::Store => {
                // The registrar ends after the simulation.
                let _ = self.requests.send(departure);
            }
        }
    }
}

/// Starts the thread; it ends when the last [`Registrar`] is gone, or at once when `stopping` is
/// set while the store fails: what it did not do is done after the next start.
pub fn spawn(
    inbox: Receiver<Departure>,
    threads: Threads,
    store: Arc<Store>,
    directory: Arc<Directory>,
    metrics: Arc<Metrics>,
    stopping: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("registrar".to_owned()).spawn(move || {
        for departure in &inbox {
            let mut failed = false;
            while let Err(error) = register(&store, &departure) {
                if !std::mem::replace(&mut failed, true) {
                    metrics.errors.with_label_values(&["store"]).inc();
                    log::error!(character = departure.key.character.0; "{error}; trying again");
                }
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                // Nothing is sent here: an empty channel is a wait that can be interrupted.
                let (_keep, never) = crossbeam_channel::bounded::<()>(0);
                let waited = never.recv_timeout(RETRY_AFTER);
                debug_assert_eq!(waited, Err(RecvTimeoutError::Timeout));
            }
            match departure.to {
                Destination::Zone { zone, .. } => threads.send(zone, Message::Arrival(departure)),
                Destination::Store => {
                    directory.remove(departure.key.character);
                    threads.send(departure.key.zone, Message::Confirmed(departure.key));
                }
            }
        }
    })
}

/// Tells the store of a departure, any number of times.
pub(super) fn register(store: &Store, departure: &Departure) -> Result<(), StoreError> {
    let key = key_text(departure.key);
    let sheet = &departure.sheet;
    if let Some(death) = &departure.death {
        let record = store::Death {
            summary: Summary {
                level: death.level.into(),
                depth: death.depth.into(),
                gold: death.gold.into(),
            },
            cause: death.cause.clone(),
            at: unix_now(),
        };
        store.record_death(&format!("{key}/death"), sheet.character, &record)?;
    }
    let summary =
        Summary { level: sheet.level.into(), depth: sheet.home.0, gold: sheet.gold.into() };
    let bytes = postcard::to_stdvec(sheet).expect("a sheet is plain data");
    let kept = store::Sheet { version: sheet.version, bytes };
    if departure.to == Destination::Store {
        store.save_sheet(&key, sheet.character, summary, sheet.deepest.into(), &kept)?;
    }
    Ok(())
}

/// A departure's key as the store knows it.
pub(super) fn key_text(key: DepartureKey) -> String {
    format!("{}/{}/{}", key.zone, key.tick, key.character)
}

/// Seconds since 1970.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
