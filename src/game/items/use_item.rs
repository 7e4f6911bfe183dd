//! Drinking, reading and rubbing.

use super::act::{self, Act};
use super::inventory::staff_power;
use super::{Doer, Outcome, TURN_TICKS, USE, knows};
use crate::game::catalog::Note;
use crate::game::catalog::items::{Action, Category, Spell};
use crate::game::item::Item;
use crate::game::turn::Turn;

/// Ticks in which a charm of enchantment 1 gathers strength again.
const CHARM_TICKS: u64 = 4_000;

/// Uses an inventory slot that needs no pointing.
pub fn use_item(turn: &mut Turn<'_>, slot: u16, inv: u8) -> Outcome {
    let Some(doer) = Doer::of(turn, slot) else { return Outcome::Refused };
    let Some(item) = doer.item(turn, inv) else { return Outcome::Refused };
    let row = item.kind.row();
    if row.is_aimed() {
        return doer.refuse(turn, Note::NeedsTarget, Some(&item));
    }
    let verb = match row.category {
        Category::Potion => Note::Drinks,
        Category::Scroll => Note::Reads,
        Category::Charm => Note::UsesCharm,
        Category::Gold
        | Category::Key
        | Category::Weapon
        | Category::Armor
        | Category::Staff
        | Category::Prize => return doer.refuse(turn, Note::CannotUse, Some(&item)),
    };
    let now = turn.state.tick.0;
    if row.category == Category::Charm && item.charge > now {
        let turns = (item.charge - now).div_ceil(TURN_TICKS);
        let turns = i32::try_from(turns).unwrap_or(i32::MAX);
        turn.tell(slot, Note::StillRecharging, Some(item), turns);
        return Outcome::Refused;
    }
    // Nobody wastes on purpose what has nothing to work on; finding out costs the piece.
    if knows(doer.sheet(turn), item.kind)
        && let Some(why) = in_vain(&doer, turn, row.action, inv)
    {
        return doer.refuse(turn, why, None);
    }
    doer.show(turn, verb, &item);
    if row.category.is_consumed()
        && let Some(piece) = doer.take_piece(turn, inv)
    {
        turn.state.ledger.destroy(&piece);
    }
    let noticed = act::perform(turn, Act { doer, at: doer.cell, item: &item }, row.action);
    if let Some(charm) = doer.sheet_mut(turn).items.get_mut(&inv)
        && row.category == Category::Charm
    {
        charm.charge = now + charm_ticks(charm);
    }
    if noticed {
        doer.learn(turn, item.kind);
    }
    USE
}

fn charm_ticks(charm: &Item) -> u64 {
    CHARM_TICKS * 2 / (1 + staff_power(charm))
}

/// Why an action would change nothing.
fn in_vain(doer: &Doer, turn: &Turn<'_>, action: Action, inv: u8) -> Option<Note> {
    let sheet = doer.sheet(turn);
    let now = turn.state.tick.0;
    let (vain, why) = match action {
        Action::Cast(Spell::Enchant) => (act::enchantable(sheet).is_none(), Note::NothingToEnchant),
        Action::Cast(Spell::Identify) => {
            (act::unidentified(sheet, inv).is_empty(), Note::NothingToIdentify)
        }
        Action::Cast(Spell::Recharge) => {
            (!act::has_rechargeable(sheet, now, inv), Note::NothingToRecharge)
        }
        Action::None | Action::Grant(_) | Action::Open(_) | Action::Cast(_) | Action::Aim(_) => {
            return None;
        }
    };
    vain.then_some(why)
}
