//! The rules of the dungeon: content tables, terrain, the generator, actors and items.
//!
//! Entry type: the zone's state. Pure: no clock, no input or output, randomness only from
//! [`rng`]. It must never see a connection, a frame or a journal.

pub mod act;
pub mod catalog;
pub mod combat;
pub mod derive;
pub mod dungeon;
pub mod field;
pub mod generate;
pub mod harm;
pub mod hash;
pub mod item;
pub mod items;
pub mod ledger;
pub mod matches;
pub mod movement;
pub mod player;
pub mod rng;
pub mod spells;
pub mod state;
pub mod turn;

#[cfg(test)]
mod tests;
