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

/// The browser client's files.
pub mod web;
