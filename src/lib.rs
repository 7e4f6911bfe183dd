//! Undercroft: an authoritative multiplayer roguelike in which every zone is a log.

#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod model;

/// The rules: dungeon, actors, items, content tables. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod game;

/// Executes a tick: one kernel a file. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod sim;

/// The wire protocol. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod protocol;

/// Decisions about accounts and tokens. Pure.
#[cfg(feature = "server")]
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod services;

/// Metrics, health and logging.
#[cfg(feature = "server")]
pub mod telemetry;

/// The data folder and the careful opening of files in it.
#[cfg(feature = "server")]
pub mod disk;

/// The log of every zone.
#[cfg(feature = "server")]
pub mod journal;

/// The ledger: accounts, characters, results.
#[cfg(feature = "server")]
pub mod store;

/// Composition: where cores and adapters meet.
#[cfg(feature = "server")]
pub mod app;
