//! Messages between a client and a gateway. One WebSocket message or one QUIC datagram holds one;
//! on a stream each is preceded by its length as `u16`.

use super::wire::{Reader, Writer};
use super::{CloseReason, DecodeError};
use crate::model::limits::{
    CHAT_BYTES_MAX, CLIENT_MESSAGE_BYTES_MAX, COMMANDS_PER_MESSAGE_MAX, DETAIL_BYTES_MAX,
    INVENTORY_SLOTS, NAME_BYTES_MAX, NOTICE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX, TOKEN_BYTES_MAX,
    ZONE_SIDE_MAX,
};
use crate::model::{CharacterId, Command, Direction, Pos, SessionId};

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// Must come first. `resume` goes on with a session and wins over `token` and `character`;
    /// character 0 is the account's first. `datagrams`: frames may come as datagrams, so that one
    /// may be lost.
    Hello {
        version: u16,
        token: String,
        character: CharacterId,
        resume: String,
        datagrams: bool,
    },
    /// Commands numbered from `first`, and what the client has: the newest frame it applied (0:
    /// none) and whether it needs a keyframe.
    Input {
        last_frame: u32,
        keyframe: bool,
        first: u32,
        commands: Vec<Command>,
    },
    Ping {
        nonce: u32,
    },
    /// The player leaves; the session ends at once and the character goes to rest.
    Bye,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// Answers Hello. Commands go on after `last_command`; `resume` is the token of this session.
    Welcome {
        version: u16,
        session: SessionId,
        character: CharacterId,
        last_command: u32,
        ticks_per_second: u8,
        name: String,
        resume: String,
    },
    /// One frame, see [`super::frame`].
    Frame(Vec<u8>),
    Pong {
        nonce: u32,
    },
    /// The last message of a connection. `detail`: a sentence or nothing, for the player.
    Close {
        reason: CloseReason,
        retry_after_ms: u32,
        detail: String,
    },
    /// What the admins tell all players: one line, empty if they take it back.
    Notice {
        text: String,
    },
}

/// First byte of a [`ServerMessage::Frame`].
pub const TAG_FRAME: u8 = 2;

impl ClientMessage {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Self::Hello { version, token, character, resume, datagrams } => {
                w.u8(1);
                w.u16(*version);
                w.text(token);
                w.u64(character.0);
                w.text(resume);
                w.u8((*datagrams).into());
            }
            Self::Input { last_frame, keyframe, first, commands } => {
                w.u8(2);
                w.u32(*last_frame);
                w.u8((*keyframe).into());
                w.u32(*first);
                w.varint(commands.len() as u64);
                for command in commands {
                    write_command(&mut w, command);
                }
            }
            Self::Ping { nonce } => {
                w.u8(3);
                w.u32(*nonce);
            }
            Self::Bye => w.u8(4),
        }
        w.bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > CLIENT_MESSAGE_BYTES_MAX {
            return Err(DecodeError::TooLong(CLIENT_MESSAGE_BYTES_MAX));
        }
        let mut r = Reader::new(bytes);
        let message = match r.u8()? {
            1 => Self::decode_hello(&mut r)?,
            2 => {
                let last_frame = r.u32()?;
                let keyframe = boolean(r.u8()?)?;
                let first = r.u32()?;
                let count = r.varint32()? as usize;
                if count > COMMANDS_PER_MESSAGE_MAX {
                    return Err(DecodeError::TooLong(COMMANDS_PER_MESSAGE_MAX));
                }
                let commands: Result<_, _> = (0..count).map(|_| read_command(&mut r)).collect();
                Self::Input { last_frame, keyframe, first, commands: commands? }
            }
            3 => Self::Ping { nonce: r.u32()? },
            4 => Self::Bye,
            tag => return Err(DecodeError::Unknown { what: "message", number: tag.into() }),
        };
        r.finish()?;
        Ok(message)
    }

    /// The version comes first and alone decides: another version may lay out the rest differently.
    fn decode_hello(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = r.u16()?;
        if version != super::VERSION {
            r.take(r.rest().len())?;
            return Ok(Self::Hello {
                version,
                token: String::new(),
                character: CharacterId(0),
                resume: String::new(),
                datagrams: false,
            });
        }
        Ok(Self::Hello {
            version,
            token: r.text(TOKEN_BYTES_MAX)?.to_owned(),
            character: CharacterId(r.u64()?),
            resume: r.text(TOKEN_BYTES_MAX)?.to_owned(),
            datagrams: boolean(r.u8()?)?,
        })
    }
}

impl ServerMessage {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Self::Welcome {
                version,
                session,
                character,
                last_command,
                ticks_per_second,
                name,
                resume,
            } => {
                w.u8(1);
                w.u16(*version);
                w.u64(session.0);
                w.u64(character.0);
                w.u32(*last_command);
                w.u8(*ticks_per_second);
                w.text(name);
                w.text(resume);
            }
            Self::Frame(frame) => {
                w.u8(TAG_FRAME);
                w.bytes.extend_from_slice(frame);
            }
            Self::Pong { nonce } => {
                w.u8(3);
                w.u32(*nonce);
            }
            Self::Close { reason, retry_after_ms, detail } => {
                w.u8(4);
                w.u8(*reason as u8);
                w.u32(*retry_after_ms);
                w.text(detail);
            }
            Self::Notice { text } => {
                w.u8(5);
                w.text(text);
            }
        }
        w.bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > SERVER_MESSAGE_BYTES_MAX {
            return Err(DecodeError::TooLong(SERVER_MESSAGE_BYTES_MAX));
        }
        let mut r = Reader::new(bytes);
        let message = match r.u8()? {
            1 => Self::Welcome {
                version: r.u16()?,
                session: SessionId(r.u64()?),
                character: CharacterId(r.u64()?),
                last_command: r.u32()?,
                ticks_per_second: r.u8()?,
                name: r.text(NAME_BYTES_MAX)?.to_owned(),
                resume: r.text(TOKEN_BYTES_MAX)?.to_owned(),
            },
            TAG_FRAME => Self::Frame(r.take(r.rest().len())?.to_vec()),
            3 => Self::Pong { nonce: r.u32()? },
            4 => {
                let reason = CloseReason::from_number(r.u8()?)?;
                let retry_after_ms = r.u32()?;
                let detail = r.text(DETAIL_BYTES_MAX)?.to_owned();
                Self::Close { reason, retry_after_ms, detail }
            }
            5 => Self::Notice { text: r.text(NOTICE_BYTES_MAX)?.to_owned() },
            tag => return Err(DecodeError::Unknown { what: "message", number: tag.into() }),
        };
        r.finish()?;
        Ok(message)
    }
}

fn boolean(byte: u8) -> Result<bool, DecodeError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::OutOfRange("flag")),
    }
}

/// Commands are a tag byte and their fields; positions are two `u16`.
fn write_command(w: &mut Writer, command: &Command) {
    let at = |w: &mut Writer, target: &Pos| {
        w.u16(target.x);
        w.u16(target.y);
    };
    match command {
        Command::Rest => w.u8(0),
        Command::Search => w.u8(1),
        Command::Move(direction) => w.u8(0x10 | *direction as u8),
        Command::UseStairs => w.u8(2),
        Command::PickUp => w.u8(3),
        Command::Drop { slot } => w.bytes.extend([4, *slot]),
        Command::Equip { slot } => w.bytes.extend([5, *slot]),
        Command::Use { slot } => w.bytes.extend([6, *slot]),
        Command::UseAt { slot, target } => {
            w.bytes.extend([7, *slot]);
            at(w, target);
        }
        Command::Throw { slot, target } => {
            w.bytes.extend([8, *slot]);
            at(w, target);
        }
        Command::Sneak { on } => w.bytes.extend([9, u8::from(*on)]),
        Command::Chat { text } => {
            w.u8(10);
            w.text(text);
        }
    }
}

fn read_command(r: &mut Reader<'_>) -> Result<Command, DecodeError> {
    fn slot(r: &mut Reader<'_>) -> Result<u8, DecodeError> {
        let slot = r.u8()?;
        if usize::from(slot) < INVENTORY_SLOTS {
            Ok(slot)
        } else {
            Err(DecodeError::OutOfRange("slot"))
        }
    }
    fn target(r: &mut Reader<'_>) -> Result<Pos, DecodeError> {
        let pos = Pos::new(r.u16()?, r.u16()?);
        if pos.x < ZONE_SIDE_MAX && pos.y < ZONE_SIDE_MAX {
            Ok(pos)
        } else {
            Err(DecodeError::OutOfRange("target"))
        }
    }
    Ok(match r.u8()? {
        0 => Command::Rest,
        1 => Command::Search,
        2 => Command::UseStairs,
        3 => Command::PickUp,
        4 => Command::Drop { slot: slot(r)? },
        5 => Command::Equip { slot: slot(r)? },
        6 => Command::Use { slot: slot(r)? },
        7 => Command::UseAt { slot: slot(r)?, target: target(r)? },
        8 => Command::Throw { slot: slot(r)?, target: target(r)? },
        9 => Command::Sneak { on: boolean(r.u8()?)? },
        10 => Command::Chat { text: r.text(CHAT_BYTES_MAX)?.to_owned() },
        tag @ 0x10..=0x17 => {
            Command::Move(Direction::from_number(tag & 7).expect("three bits are a direction"))
        }
        tag => return Err(DecodeError::Unknown { what: "command", number: tag.into() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn command() -> impl Strategy<Value = Command> {
        let pos = (0..ZONE_SIDE_MAX, 0..ZONE_SIDE_MAX).prop_map(|(x, y)| Pos::new(x, y));
        let slot = 0_u8..26;
        prop_oneof![
            Just(Command::Rest),
            Just(Command::Search),
            Just(Command::UseStairs),
            Just(Command::PickUp),
            (0_u8..8).prop_map(|d| Command::Move(Direction::from_number(d).unwrap())),
            slot.clone().prop_map(|slot| Command::Drop { slot }),
            slot.clone().prop_map(|slot| Command::Equip { slot }),
            slot.clone().prop_map(|slot| Command::Use { slot }),
            (slot.clone(), pos.clone()).prop_map(|(slot, target)| Command::UseAt { slot, target }),
            (slot, pos).prop_map(|(slot, target)| Command::Throw { slot, target }),
            any::<bool>().prop_map(|on| Command::Sneak { on }),
            "\\PC{0,40}".prop_map(|text| Command::Chat { text }),
        ]
    }

    proptest! {
        #[test]
        fn client_messages_survive_the_wire(
            last_frame in any::<u32>(), keyframe in any::<bool>(), first in any::<u32>(),
            commands in prop::collection::vec(command(), 0..8), token in "[a-z]{0,50}",
        ) {
            for message in [
                ClientMessage::Input { last_frame, keyframe, first, commands },
                ClientMessage::Hello {
                    version: super::super::VERSION, token: token.clone(),
                    character: CharacterId(9), resume: token, datagrams: keyframe,
                },
                ClientMessage::Ping { nonce: first },
                ClientMessage::Bye,
            ] {
                let bytes = message.encode();
                prop_assert_eq!(&ClientMessage::decode(&bytes), &Ok(message));
                for cut in 0..bytes.len() {
                    let _ = ClientMessage::decode(&bytes[..cut]);
                }
            }
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = ClientMessage::decode(&bytes);
            let _ = ServerMessage::decode(&bytes);
        }
    }

    #[test]
    fn another_version_is_understood_as_far_as_its_version() {
        let hello = [1, 9, 9, 0xff, 0xff];
        assert!(matches!(
            ClientMessage::decode(&hello),
            Ok(ClientMessage::Hello { version: 0x0909, .. })
        ));
    }
}
