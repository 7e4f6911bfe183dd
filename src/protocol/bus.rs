//! Messages between gateways and instances.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::{AccountId, CharacterId, Command, SessionId, ZoneId};

/// What a gateway tells the instance that holds a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToZone {
    /// A session takes hold of a character. `attach` rises with every take-over, by whichever
    /// gateway, and tells frames and commands of different connections apart. `ordered`: frames arrive all and in order, so
    /// each may build on the one sent before. `sheet`: the character as the store has it, for a
    /// zone it is not in yet (encoded by the game).
    Attach {
        character: CharacterId,
        account: AccountId,
        session: SessionId,
        attach: u64,
        ordered: bool,
        sheet: Option<Vec<u8>>,
    },
    /// The connection is gone. `leave`: the player said goodbye.
    Detach { character: CharacterId, attach: u64, leave: bool },
    /// What a client sent: its newest frame, whether it needs a keyframe, commands from `first` on.
    Input {
        character: CharacterId,
        attach: u64,
        last_frame: u32,
        keyframe: bool,
        first: u32,
        commands: Vec<Command>,
    },
}

/// What an instance tells a gateway, at most one bundle per zone and tick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    pub zone: ZoneId,
    pub tick: u64,
    pub items: Vec<FromZone>,
}

/// One item of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromZone {
    /// The character is held; commands go on after `last_command`.
    Attached { character: CharacterId, attach: u64, last_command: u32, name: String },
    /// The zone does not hold this character and was given no sheet.
    NotHere { character: CharacterId, attach: u64 },
    /// An encoded [`crate::protocol::ServerMessage::Frame`].
    Frame { character: CharacterId, attach: u64, message: Bytes },
    /// The character is on its way to another zone; the gateway attaches there.
    Moved { character: CharacterId, attach: u64, zone: ZoneId },
    /// The character has left the world.
    Left { character: CharacterId, attach: u64 },
    /// Another connection has the character.
    Superseded { character: CharacterId, attach: u64 },
}
