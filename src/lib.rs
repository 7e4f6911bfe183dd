//! Undercroft: an authoritative multiplayer roguelike in which every zone is a log.

// Identifiers, positions, commands, limits. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod model;

// The wire protocol. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod protocol;

// The rules: dungeon, actors, items, content tables. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod game;

// Executes a tick: one kernel a file. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod sim;

// A zone is a log: ticks, entries, frames, moves. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod zone;

// Ends connections: sessions, limits, routing. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod gateway;

// Who runs which zone. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod lease;

// A player's side: numbering, resending, resume. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod client;

// Decisions about accounts and tokens. Pure.
#[cfg(feature = "server")]
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod services;

// Metrics, health and logging.
#[cfg(feature = "server")]
pub mod telemetry;

// The data folder and the careful opening of files in it.
#[cfg(feature = "server")]
pub mod disk;

// The connection to NATS.
#[cfg(feature = "server")]
pub mod nats;

// The log of every zone.
#[cfg(feature = "server")]
pub mod journal;

// The ledger: accounts, characters, results.
#[cfg(feature = "server")]
pub mod store;

// The browser client's files.
pub mod web;

// Composition: the only room that sees cores and adapters.
#[cfg(feature = "server")]
pub mod app;

// The command line.
#[cfg(all(feature = "server", feature = "terminal"))]
pub mod cli;

// Sockets of server and client: QUIC, WebTransport, WebSocket, HTTP.
#[cfg(feature = "network")]
pub mod net;
