//! Undercroft: an authoritative multiplayer roguelike in which every zone is a log.

/// Identifiers, positions, commands, limits. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod model;

/// The wire protocol. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod protocol;

/// The rules: dungeon, actors, items, content tables. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod game;

/// Executes a tick: one kernel a file. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod sim;

/// Ends connections: sessions, limits, routing. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod gateway;

/// A player's side: numbering, resending, resume. Pure.
#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
pub mod client;

/// One file or folder a subcommand of `undercroft`.
#[cfg(feature = "network")]
pub mod cli;
