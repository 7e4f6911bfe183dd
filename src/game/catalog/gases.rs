//! Gases: what fills the air of a cell.

use super::Effect;
use crate::game::state::GASES;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct GasRow {
    pub name: &'static str,
    /// 0xRRGGBB.
    pub color: u32,
    /// What it does to whoever breathes it, with ticks per sixteenth of full concentration.
    pub effect: Option<(Effect, u32)>,
    /// Whether a flame sets it off.
    pub explodes: bool,
    /// How fast it thins out, as the gas kernel takes it: the chance in 256 each tick that a
    /// cell loses one.
    pub dissipation: u8,
}

/// A kind of gas; its number is its row and its plane in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Gas {
    Poison,
    Methane,
    Confusion,
    Healing,
}

/// The table, one row a kind.
pub static ROWS: [GasRow; GASES] = [
    GasRow {
        name: "caustic gas",
        color: 0x80d040,
        effect: Some((Effect::Poisoned, 4)),
        explodes: false,
        dissipation: 12,
    },
    GasRow { name: "methane", color: 0x90a060, effect: None, explodes: true, dissipation: 1 },
    GasRow {
        name: "confusion gas",
        color: 0xd060d0,
        effect: Some((Effect::Confused, 4)),
        explodes: false,
        dissipation: 16,
    },
    GasRow {
        name: "healing spores",
        color: 0x60ffb0,
        effect: Some((Effect::Regenerating, 4)),
        explodes: false,
        dissipation: 16,
    },
];

impl Gas {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; GASES] = [Self::Poison, Self::Methane, Self::Confusion, Self::Healing];

    /// Its row in the table.
    #[must_use]
    pub fn row(self) -> &'static GasRow {
        &ROWS[self as usize]
    }
}
