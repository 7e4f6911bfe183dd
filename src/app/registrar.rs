//! The registrar thread: takes characters that leave a zone to where they go, by way of the store
//! where that has to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::instance::{Message, Threads};
use crate::game::state::{Bout, Departure, DepartureKey, Destination};
use crate::services::ratings;
use crate::store::{self, Store, StoreError, Summary};
use crate::telemetry::Metrics;

/// Wait between two attempts while the store takes nothing.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the store is told of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "they are few and gone at once")]
pub enum News {
    Departure(Departure),
    Bout(Bout),
}

/// Sends departures on, and the store what it has to know.
#[derive(Clone, Debug)]
pub struct Registrar {
    requests: Sender<News>,
    threads: Threads,
}

impl Registrar {
    /// The registrar and its thread's end.
    #[must_use]
    pub fn new(threads: Threads) -> (Self, Receiver<News>) {
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
                let _ = self.requests.send(News::Departure(departure));
            }
        }
    }

    /// Takes a bout, any number of times; the zone it came from hears [`Message::Recorded`] once the
    /// store has it.
    pub fn fought(&self, bout: Bout) {
        let _ = self.requests.send(News::Bout(bout));
    }
}

/// Starts the thread; it ends when the last [`Registrar`] is gone, or at once when `stopping` is
/// set while the store fails: what it did not do is done after the next start.
pub fn spawn(
    inbox: Receiver<News>,
    threads: Threads,
    store: Arc<Store>,
    directory: Arc<Directory>,
    metrics: Arc<Metrics>,
    stopping: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("registrar".to_owned()).spawn(move || {
        for news in &inbox {
            let mut failed = false;
            let at = unix_now();
            while let Err(error) = register(&store, &news, at) {
                if !std::mem::replace(&mut failed, true) {
                    metrics.errors.with_label_values(&["store"]).inc();
                    log::error!("{}: {error}; trying again", news.key());
                }
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                // Nothing is sent here: an empty channel is a wait that can be interrupted.
                let (_keep, never) = crossbeam_channel::bounded::<()>(0);
                let waited = never.recv_timeout(RETRY_AFTER);
                debug_assert_eq!(waited, Err(RecvTimeoutError::Timeout));
            }
            let departure = match news {
                News::Departure(departure) => departure,
                News::Bout(bout) => {
                    threads.recorded(&bout);
                    continue;
                }
            };
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

impl News {
    /// Names it for ever.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Departure(departure) => key_text(departure.key),
            Self::Bout(Bout { zone, tick, losers, .. }) => {
                let first = losers.first().copied().unwrap_or_default();
                format!("{zone}/{tick}/{first}/bout")
            }
        }
    }
}

/// Tells the store something that happened at a time, in seconds since 1970; any number of times.
pub(super) fn register(store: &Store, news: &News, at: u64) -> Result<(), StoreError> {
    let key = news.key();
    let departure = match news {
        News::Departure(departure) => departure,
        News::Bout(bout) => {
            let Bout { zone: arena, winners, losers, .. } = bout;
            let bout = store::Bout { arena: *arena, winners, losers, at };
            return store.record_bout(&key, &bout, ratings::points).map(drop);
        }
    };
    let sheet = &departure.sheet;
    if let Some(death) = &departure.death {
        let record = store::Death {
            summary: Summary {
                level: death.level.into(),
                depth: death.depth.into(),
                gold: death.gold.into(),
            },
            cause: death.cause.clone(),
            at,
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
fn key_text(key: DepartureKey) -> String {
    format!("{}/{}/{}", key.zone, key.tick, key.character)
}

/// Seconds since 1970.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
