//! What is wielded and worn, and what it is worth in a fight.

use super::{Doer, Outcome, TURN, TURN_TICKS};
use crate::game::catalog::Note;
use crate::game::catalog::items::Gear;
use crate::game::item::Item;
use crate::game::state::Sheet;
use crate::game::turn::Turn;

/// Blows struck with a weapon, and blows taken in armour, until their enchantment is known.
pub(super) const FAMILIAR_WEAPON: u64 = 20;
pub(super) const FAMILIAR_ARMOR: u64 = 40;

/// Ticks it takes to get into armour.
const ARMOR_TICKS: u64 = 5 * TURN_TICKS;

/// How a player strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attack {
    /// Percent to hit somebody without any defence; may exceed 100.
    pub accuracy: i32,
    /// Least and most damage.
    pub damage: (i32, i32),
    /// Weight of the blow in ticks, as in the table.
    pub ticks: u64,
    /// Bits of `catalog::items::special`.
    pub special: u8,
}

/// Wields, wears or puts away an inventory slot.
pub fn equip(turn: &mut Turn<'_>, slot: u16, inv: u8) -> Outcome {
    let Some(doer) = Doer::of(turn, slot) else { return Outcome::Refused };
    let Some(item) = doer.item(turn, inv) else { return Outcome::Refused };
    let sheet = doer.sheet_mut(turn);
    let (place, strength, done, outcome) = match item.kind.row().gear {
        Gear::None => return doer.refuse(turn, Note::CannotEquip, Some(&item)),
        Gear::Weapon { strength, .. } => (&mut sheet.weapon, strength, Note::Wields, TURN),
        Gear::Armor { strength, .. } => {
            (&mut sheet.armor, strength, Note::Wears, Outcome::Spent { ticks: ARMOR_TICKS })
        }
    };
    if *place == Some(inv) {
        *place = None;
        turn.tell(slot, Note::PutsAway, Some(item), 1);
        return TURN;
    }
    *place = Some(inv);
    let weak = sheet.strength < strength;
    doer.show(turn, done, &item);
    if weak {
        turn.tell(slot, Note::TooHeavy, Some(item.clone()), 1);
    }
    if item.enchant < 0 && !item.identified {
        turn.tell(slot, Note::FeelsMalevolent, Some(item), 1);
    }
    outcome
}

/// How a character strikes with what it wields.
#[must_use]
pub fn attack_of(sheet: &Sheet) -> Attack {
    match sheet.weapon.and_then(|inv| sheet.items.get(&inv)) {
        Some(item) => attack_with(item, sheet.strength),
        None => Attack { accuracy: 100, damage: (1, 3), ticks: TURN_TICKS, special: 0 },
    }
}

/// How somebody of this strength strikes with, or throws, an item.
pub(super) fn attack_with(item: &Item, strength: u8) -> Attack {
    let Gear::Weapon { damage: (low, high), strength: needed, ticks, special } =
        item.kind.row().gear
    else {
        return Attack { accuracy: 70, damage: (1, 2), ticks: TURN_TICKS, special: 0 };
    };
    // A missing point of strength costs as much as four tenths of an enchantment, a spare one
    // gives a quarter; all in tenths of an enchantment.
    let spare = i32::from(strength) - i32::from(needed);
    let tenths = 10 * i32::from(item.enchant) + if spare < 0 { 6 * spare } else { 5 * spare / 2 };
    let scaled = |n: i32| (n * (150 + tenths).max(30) / 150).max(1);
    Attack {
        accuracy: (100 + 6 * tenths / 10).max(10),
        damage: (scaled(low), scaled(high)),
        ticks: u64::from(ticks),
        special,
    }
}

/// Protection in tenths of a point by what a character wears.
#[must_use]
pub fn armor_of(sheet: &Sheet) -> i32 {
    worn(sheet).map_or(0, |item| protection(item, sheet.strength, item.enchant))
}

/// The same as far as the character knows: an enchantment it has not found out does not count.
#[must_use]
pub fn armor_shown(sheet: &Sheet) -> i32 {
    worn(sheet).map_or(0, |item| {
        protection(item, sheet.strength, if item.identified { item.enchant } else { 0 })
    })
}

fn worn(sheet: &Sheet) -> Option<&Item> {
    sheet.items.get(&sheet.armor?)
}

fn protection(item: &Item, strength: u8, enchant: i8) -> i32 {
    let Gear::Armor { value, strength: needed } = item.kind.row().gear else { return 0 };
    let spare = i32::from(strength) - i32::from(needed);
    let bonus = if spare < 0 { 10 * spare } else { 5 * spare / 2 };
    (value + 10 * i32::from(enchant) + bonus).max(0)
}

/// Says that a player struck a blow: in time it knows its weapon.
pub fn weapon_used(turn: &mut Turn<'_>, slot: u16) {
    grow_familiar(turn, slot, |sheet| sheet.weapon);
}

/// Says that a player took a blow: in time it knows its armour.
pub fn armor_used(turn: &mut Turn<'_>, slot: u16) {
    grow_familiar(turn, slot, |sheet| sheet.armor);
}

fn grow_familiar(turn: &mut Turn<'_>, slot: u16, place: impl Fn(&Sheet) -> Option<u8>) {
    let Some(player) = turn.state.player_mut(slot) else { return };
    let Some(inv) = place(&player.sheet) else { return };
    let Some(item) = player.sheet.items.get_mut(&inv) else { return };
    if item.identified {
        return;
    }
    item.charge = item.charge.saturating_sub(1);
    if item.charge == 0 {
        item.identified = true;
        let item = item.clone();
        turn.tell(slot, Note::LearnsEnchant, Some(item), 1);
    }
}
