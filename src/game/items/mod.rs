//! Items in hands and on the ground: what picking up, wearing, using, pointing and throwing do.
//!
//! Entry functions take a [`Turn`], the slot of the acting player and an inventory slot, and
//! return an [`Outcome`]. A refusal has told the player why and changed nothing. Whatever is made
//! or used up here is entered in the zone's ledger here.

mod act;
mod aim;
mod equip;
mod inventory;
mod looks;
pub mod loot;
mod scrolls;
mod throw;
mod use_item;

#[cfg(test)]
mod tests;

pub use aim::use_at;
pub use equip::{Attack, armor_of, armor_shown, armor_used, attack_of, equip, weapon_used};
pub use inventory::{drop, pick_up, rest_clocks, start_clocks, stow, upkeep};
pub use looks::{LookRow, Looks, is_malevolent, knows};
pub use loot::{floor_loot, make, monster_loot, starting_kit, vault_treasure};
pub use throw::throw;
pub use use_item::use_item;

use super::catalog::Note;
use super::catalog::items::{Kind, flags};
use super::item::{Item, ItemKind};
use super::rng::Rng;
use super::state::{Audience, Sheet, Subject};
use super::turn::{Turn, purpose};
use crate::model::CharacterId;

/// Ticks of a standard turn: a step of a player.
pub const TURN_TICKS: u64 = 2;
/// Ticks it takes to use, point or throw something.
pub const USE_TICKS: u64 = 6;

/// What became of an attempt to do something with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done (or tried in vain); the actor may act again so many ticks later.
    Spent { ticks: u64 },
    /// Nothing changed and no time has passed; the player has been told why.
    Refused,
}

const TURN: Outcome = Outcome::Spent { ticks: TURN_TICKS };
const USE: Outcome = Outcome::Spent { ticks: USE_TICKS };

/// The acting player: its slot, its character and the cell it stands on.
#[derive(Clone, Copy)]
struct Doer {
    slot: u16,
    character: CharacterId,
    cell: u32,
}

impl Doer {
    /// `None` if the slot is no living player of the zone.
    fn of(turn: &Turn<'_>, slot: u16) -> Option<Self> {
        let character = turn.state.player(slot)?.sheet.character;
        turn.state.is_up(slot).then(|| Self { slot, character, cell: turn.state.actor(slot).cell })
    }

    fn sheet<'t>(&self, turn: &'t Turn<'_>) -> &'t Sheet {
        &turn.state.players.get(&self.character).expect("the doer is a player of the zone").sheet
    }

    fn sheet_mut<'t>(&self, turn: &'t mut Turn<'_>) -> &'t mut Sheet {
        let player = turn.state.players.get_mut(&self.character);
        &mut player.expect("the doer is a player of the zone").sheet
    }

    /// What is in an inventory slot; says so if it is empty.
    fn item(&self, turn: &mut Turn<'_>, inv: u8) -> Option<Item> {
        let item = self.sheet(turn).items.get(&inv).cloned();
        if item.is_none() {
            self.refuse(turn, Note::SlotEmpty, None);
        }
        item
    }

    /// Tells the player why something is not done.
    fn refuse(&self, turn: &mut Turn<'_>, why: Note, item: Option<&Item>) -> Outcome {
        turn.tell(self.slot, why, item.map(one), 0);
        Outcome::Refused
    }

    /// Tells everyone who sees the doer what it does with an item.
    fn show(&self, turn: &mut Turn<'_>, code: Note, item: &Item) {
        let who = turn.state.subject(self.slot);
        turn.note(Audience::Sight(self.cell), code, who, Subject::Nobody, Some(one(item)), 1);
    }

    /// Takes one piece out of an inventory slot; a slot that becomes empty is not in use any more.
    fn take_piece(&self, turn: &mut Turn<'_>, inv: u8) -> Option<Item> {
        let sheet = self.sheet_mut(turn);
        let stack = sheet.items.get_mut(&inv)?;
        if stack.count > 1 {
            stack.count -= 1;
            return Some(one(stack));
        }
        clear_use(sheet, inv);
        sheet.items.remove(&inv)
    }

    /// The draws for this use of an item.
    fn rng(&self, turn: &Turn<'_>) -> Rng {
        turn.rng(purpose::ITEM + u64::from(self.slot))
    }

    /// Makes the player know a kind, and says so if that is news.
    fn learn(&self, turn: &mut Turn<'_>, kind: ItemKind) {
        let sheet = self.sheet_mut(turn);
        if knows(sheet, kind) {
            return;
        }
        let at = sheet.known.partition_point(|&known| known < kind);
        sheet.known.insert(at, kind);
        let item = Item { kind, ..Kind::Gold.item(1) };
        turn.tell(self.slot, Note::LearnsItem, Some(item), 0);
    }
}

/// One piece of a stack.
fn one(item: &Item) -> Item {
    Item { count: 1, ..item.clone() }
}

/// Whether a burning cell would destroy it.
#[must_use]
pub fn is_flammable(item: &Item) -> bool {
    item.kind.row().has(flags::FLAMMABLE)
}

/// An inventory slot about to become empty is neither wielded nor worn.
fn clear_use(sheet: &mut Sheet, inv: u8) {
    for used in [&mut sheet.weapon, &mut sheet.armor] {
        if *used == Some(inv) {
            *used = None;
        }
    }
}
