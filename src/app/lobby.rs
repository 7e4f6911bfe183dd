//! Where the lobby is kept: in memory, or as one record in NATS that all services share.

use std::sync::{Mutex, PoisonError};

use crate::nats::Nats;
use crate::nats::table::{Table, TableError};
use crate::services::Lobby;

/// The table, and its one key.
const NAME: &str = "lobby";

/// Keeps the lobby.
#[derive(Debug)]
pub enum Keeper {
    /// For as long as the process lives.
    Memory(Mutex<Lobby>),
    /// Whatever becomes of the processes that use it.
    Shared(Table),
}

impl Default for Keeper {
    fn default() -> Self {
        Self::Memory(Mutex::default())
    }
}

impl Keeper {
    /// The lobby of all services of a cluster.
    pub fn shared(nats: &Nats) -> Result<Self, TableError> {
        Table::open(nats, NAME).map(Self::Shared)
    }

    /// Changes the lobby, as often as another process is faster. Waits for the server: must not be
    /// called on a thread of the runtime.
    pub fn change<T>(&self, mut change: impl FnMut(&mut Lobby) -> T) -> Result<T, TableError> {
        let table = match self {
            Self::Memory(lobby) => {
                return Ok(change(&mut lobby.lock().unwrap_or_else(PoisonError::into_inner)));
            }
            Self::Shared(table) => table,
        };
        loop {
            let row = table.get(NAME)?;
            let (revision, before) = row.map_or((0, None), |row| (row.revision, Some(row.value)));
            let mut lobby = before.as_deref().map_or_else(Lobby::default, read);
            let done = change(&mut lobby);
            let after = serde_json::to_vec(&lobby).expect("a lobby is plain data");
            if before.as_deref() == Some(&after[..]) {
                return Ok(done);
            }
            match table.replace_now(NAME, after.clone().into(), revision) {
                Ok(true) => return Ok(done),
                Ok(false) => {}
                // It may have been written all the same.
                Err(_) if table.get(NAME)?.is_some_and(|row| row.value == after) => {
                    return Ok(done);
                }
                Err(_) => {}
            }
        }
    }
}

fn read(bytes: &[u8]) -> Lobby {
    serde_json::from_slice(bytes).unwrap_or_else(|error| {
        log::error!("the lobby in NATS cannot be read and begins anew: {error}");
        Lobby::default()
    })
}
