//! Frames: what a player is shown at a tick, as the difference from a frame the client has.
//!
//! A frame is the tag byte [`super::message::TAG_FRAME`], its number (low 16 bits, little-endian),
//! the distance to its baseline (one byte, 0: a keyframe that builds on nothing), then bits, see
//! [`super::bits`]:
//!
//! | part | bits |
//! | --- | --- |
//! | keyframe only | number 32; tick 32 + 32 (low first); last command 32; zone 32; depth 8; width 11; height 11; name |
//! | else | gamma(tick - baseline's tick - 1), gamma(last command - baseline's) |
//! | me | flag; if set: flag and position; flag; if set: 10 flags, each followed by its field if set |
//! | actors | flag; if set: whether most move, per actor of the baseline its change, then gamma(new actors), each |
//! | inventory | flag; if set: gamma(changed slots), each: slot 5, present flag, fields |
//! | events | flag; if set: number of the first 16, gamma(count - 1), each |
//! | hash | flag; if set: covers cells flag, hash 32 |
//! | cells | per cell: 1, place after the cell before, value; then 0 |
//!
//! [`encode`] and [`FrameReader`] are the two ends. All cells that changed after the baseline are
//! in the frame, with their values of now, so a frame can be applied over any newer state too.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::{Applied, FrameReader};
pub use encode::{Encoded, Input, encode};

/// Bits of a coordinate relative to the player, offset by [`NEAR_OFFSET`].
const NEAR_BITS: u32 = 6;
const NEAR_OFFSET: i32 = 31;
/// Bits of a coordinate relative to where the actor was, offset by [`SHIFT_OFFSET`].
const SHIFT_BITS: u32 = 3;
const SHIFT_OFFSET: i32 = 3;
