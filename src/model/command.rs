//! What a player can ask a character to do.

use serde::{Deserialize, Serialize};

use super::{Direction, Pos};

/// One command. It costs a turn unless it says otherwise; a command that makes no sense when its
/// turn comes is answered with an event and costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Lets a turn pass; wounds close a little faster.
    Rest,
    /// Looks for secret doors and traps near by.
    Search,
    /// Walks, opens a door, swaps places with a friend, or attacks whoever is hostile there.
    Move(Direction),
    /// Takes the stairs the character stands on.
    UseStairs,
    /// Picks up what lies here.
    PickUp,
    /// Lays down one inventory slot, all of it.
    Drop { slot: u8 },
    /// Wields, wears or puts away one inventory slot.
    Equip { slot: u8 },
    /// Drinks, reads or rubs one inventory slot.
    Use { slot: u8 },
    /// Points a staff or a charm of one inventory slot at a cell.
    UseAt { slot: u8, target: Pos },
    /// Throws one piece of an inventory slot at a cell.
    Throw { slot: u8, target: Pos },
    /// Walks softly (slower, quieter) or not. Free.
    Sneak { on: bool },
    /// Says a line to everyone on the floor. Free. At most `limits::CHAT_BYTES_MAX` bytes.
    Chat { text: String },
}
