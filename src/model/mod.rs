//! The vocabulary every room shares: identifiers, ticks, positions, commands and limits.
//!
//! Nothing here does anything; a type lives here only when at least two rooms that may not see
//! each other have to speak of it. `limits` holds every bound of the system in one place.

pub mod cells;
pub mod command;
pub mod geometry;
pub mod ids;
pub mod limits;

pub use cells::{Cell, CellMap};
pub use command::Command;
pub use geometry::{Direction, Pos};
pub use ids::{AccountId, CharacterId, GatewayId, InstanceId, SessionId, Tick, ZoneId};
