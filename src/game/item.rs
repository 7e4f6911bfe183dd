//! An item: a stack of one kind, on the ground or carried.

use serde::{Deserialize, Serialize};

/// A row of [`crate::game::catalog::items`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemKind(pub u8);

/// A stack of items of one kind that are alike in everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Item {
    pub kind: ItemKind,
    /// Pieces; gold pieces for gold. At least 1.
    pub count: u32,
    /// Enchantment of weapons, armour, staffs and charms.
    pub enchant: i8,
    /// Charges left (staffs) or the tick at which it works again (charms).
    pub charge: u64,
    /// Whether its owner knows the enchantment.
    pub identified: bool,
    /// The cell of the vault door a key opens, 0 for no key.
    pub opens: u32,
}
