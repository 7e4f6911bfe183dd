//! What a player is told besides the picture: notes for the log, flashes for the eye, chat.

use super::DecodeError;
use super::bits::{BitReader, BitWriter};
use super::view::{read_pos, write_pos};
use crate::model::Pos;
use crate::model::limits::{CHAT_BYTES_MAX, NAME_BYTES_MAX};

/// Somebody in an event, as far as the player can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Nobody,
    You,
    /// An actor the player saw: its id and kind as in [`super::ActorView`].
    Actor {
        id: u16,
        kind: u8,
    },
    /// An actor the player could not see.
    Something,
}

/// Something that happened. Codes and looks are rows of the content tables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A line for the log: the note template `code` filled with `{who}`, `{other}`, `{item}`
    /// (look 0: none) and `{n}`.
    Note { code: u8, who: Who, other: Who, look: u8, number: i32 },
    /// Something flies from one cell to another.
    Bolt { look: u8, from: Pos, to: Pos },
    /// Something flashes around a cell; the radius is in cells, at most 15.
    Burst { look: u8, at: Pos, radius: u8 },
    /// Somebody on the floor says a line.
    Chat { from: String, text: String },
}

impl Event {
    /// An upper bound of the bits it takes on the wire.
    #[must_use]
    pub(super) fn bits_max(&self) -> usize {
        match self {
            Self::Note { .. } => 2 + 8 + 2 * 26 + 9 + 64,
            Self::Bolt { .. } => 2 + 8 + 40,
            Self::Burst { .. } => 2 + 8 + 24,
            Self::Chat { from, text } => 2 + 8 * (2 + from.len() + text.len()),
        }
    }

    pub(super) fn write(&self, w: &mut BitWriter) {
        match self {
            Self::Note { code, who, other, look, number } => {
                w.bits(0, 2);
                w.bits((*code).into(), 8);
                write_who(w, *who);
                write_who(w, *other);
                w.flag(*look != 0);
                if *look != 0 {
                    w.bits((*look).into(), 8);
                }
                w.signed(*number);
            }
            Self::Bolt { look, from, to } => {
                w.bits(1, 2);
                w.bits((*look).into(), 8);
                write_pos(w, *from);
                write_pos(w, *to);
            }
            Self::Burst { look, at, radius } => {
                w.bits(2, 2);
                w.bits((*look).into(), 8);
                write_pos(w, *at);
                w.bits((*radius).min(15).into(), 4);
            }
            Self::Chat { from, text } => {
                w.bits(3, 2);
                write_text(w, from);
                write_text(w, text);
            }
        }
    }

    pub(super) fn read(r: &mut BitReader<'_>) -> Result<Self, DecodeError> {
        Ok(match r.bits(2)? {
            0 => {
                let code = r.bits(8)? as u8;
                let who = read_who(r)?;
                let other = read_who(r)?;
                let look = if r.flag()? { r.bits(8)? as u8 } else { 0 };
                Self::Note { code, who, other, look, number: r.signed()? }
            }
            1 => Self::Bolt { look: r.bits(8)? as u8, from: read_pos(r)?, to: read_pos(r)? },
            2 => {
                let look = r.bits(8)? as u8;
                Self::Burst { look, at: read_pos(r)?, radius: r.bits(4)? as u8 }
            }
            _ => Self::Chat {
                from: read_text(r, NAME_BYTES_MAX)?,
                text: read_text(r, CHAT_BYTES_MAX)?,
            },
        })
    }
}

fn write_who(w: &mut BitWriter, who: Who) {
    match who {
        Who::Nobody => w.bits(0, 2),
        Who::You => w.bits(1, 2),
        Who::Actor { id, kind } => {
            w.bits(2, 2);
            w.bits(id.into(), 16);
            w.bits(kind.into(), 8);
        }
        Who::Something => w.bits(3, 2),
    }
}

fn read_who(r: &mut BitReader<'_>) -> Result<Who, DecodeError> {
    Ok(match r.bits(2)? {
        0 => Who::Nobody,
        1 => Who::You,
        2 => Who::Actor { id: r.bits(16)? as u16, kind: r.bits(8)? as u8 },
        _ => Who::Something,
    })
}

/// Eight bits of length, then the bytes.
pub(super) fn write_text(w: &mut BitWriter, text: &str) {
    let length = u8::try_from(text.len()).expect("texts are bounded below 256 bytes");
    w.bits(length.into(), 8);
    for byte in text.bytes() {
        w.bits(byte.into(), 8);
    }
}

pub(super) fn read_text(r: &mut BitReader<'_>, bytes_max: usize) -> Result<String, DecodeError> {
    let length = r.bits(8)? as usize;
    if length > bytes_max {
        return Err(DecodeError::TooLong(bytes_max));
    }
    let bytes: Result<Vec<u8>, _> = (0..length).map(|_| r.bits(8).map(|b| b as u8)).collect();
    String::from_utf8(bytes?).map_err(|_| DecodeError::Text)
}
