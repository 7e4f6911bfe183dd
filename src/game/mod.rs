//! The rules of the dungeon: content tables, terrain, the generator, actors and items.
//!
//! Entry type: the zone's state. Pure: no clock, no input or output, randomness only from
//! [`rng`]. It must never see a connection, a frame or a journal.

pub mod catalog;
pub mod dungeon;
pub mod item;
pub mod rng;
pub mod state;
