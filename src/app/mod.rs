//! Composition: the only room that sees cores and adapters.
//!
//! [`dev::start`] makes the embedded default from a [`config::Config`]. Cores do not know each
//! other or any adapter; the loops here take an input, call `handle_*`, drain `poll_*` and hand
//! the outputs on. It must never decide anything about the game or the protocol.

pub mod admission;
pub mod calls;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod connection;
pub mod dev;
pub mod directory;
mod door;
pub mod game_instance;
pub mod gateway;
pub mod http;
pub mod instance;
pub mod keys;
pub mod lead;
pub mod loader;
pub mod lobby;
pub mod outlet;
pub mod process;
pub mod registrar;
pub mod roll;
pub mod rules;
mod serve;
pub mod services;
pub mod settings;
pub mod simulation;
pub mod world;
