//! A player's side of a connection: what to say, what is known, where to walk.
//!
//! Entry type: [`Client`], a state machine without sockets or clocks. The caller feeds it
//! `handle_*` with the time since its own start and carries out what [`Client::poll_output`]
//! says. [`Knowledge`], [`PathFinder`] and [`Brain`] read what it shows; bots, the terminal client
//! and tests share them. It must never know a rule of the game: the meaning of numbers comes as a
//! [`Legend`] made from the content tables.

pub mod brain;
pub mod draws;
pub mod knowledge;
mod machine;
mod outbox;
pub mod path;
mod retry;
mod shape;
mod stats;
#[cfg(test)]
mod tests;

pub use brain::{Behaviour, Brain};
pub use draws::Draws;
pub use knowledge::{Knowledge, Legend};
pub use machine::Client;
pub use path::PathFinder;
pub use shape::{Config, Credentials, GiveUp, Output, Session};
pub use stats::{Samples, Stats};
