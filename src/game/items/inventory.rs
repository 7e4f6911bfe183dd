//! The pack: picking up, laying down, and the clocks of what is in it.

use std::collections::btree_map::Entry;

use super::equip::{FAMILIAR_ARMOR, FAMILIAR_WEAPON};
use super::{Doer, Outcome, TURN, clear_use, one};
use crate::game::catalog::items::{Category, Gear, Kind};
use crate::game::catalog::{Flash, Note};
use crate::game::item::Item;
use crate::game::state::{Audience, Sheet, Subject};
use crate::game::turn::Turn;
use crate::model::limits::INVENTORY_SLOTS;

/// Pieces of one inventory slot.
const STACK_MAX: u32 = 99;
/// Ticks between two looks at the staffs of a pack.
const UPKEEP_TICKS: u64 = 20;
/// Ticks in which a staff gathers charges, as many as its enchantment.
const STAFF_TICKS: u64 = 1_000;

/// Picks up what lies on the cell of `slot`. Gold goes into the purse.
pub fn pick_up(turn: &mut Turn<'_>, slot: u16) -> Outcome {
    let Some(doer) = Doer::of(turn, slot) else { return Outcome::Refused };
    let Some(lying) = turn.state.items.get(&doer.cell) else {
        return doer.refuse(turn, Note::NothingHere, None);
    };
    let mut item = lying.clone();
    if item.kind == Kind::Gold.kind() {
        return take_gold(turn, doer, &item);
    }
    let pieces = item.count;
    let Some(_) = stow(doer.sheet_mut(turn), &mut item) else {
        return doer.refuse(turn, Note::PackFull, Some(&item));
    };
    turn.take_item(doer.cell);
    let got = pieces - item.count;
    let code = if got > 1 { Note::FindsMany } else { Note::Finds };
    turn.tell(slot, code, Some(Item { count: got, ..item.clone() }), to_number(got));
    if item.kind.row().category == Category::Prize {
        let who = turn.state.subject(slot);
        let prize = Some(one(&item));
        turn.note(Audience::All, Note::PrizeTaken, who, Subject::Nobody, prize, 1);
    }
    let whole = item.count == 0;
    if whole {
        close_cages(turn, doer, &item);
    } else {
        turn.state.items.insert(doer.cell, item);
    }
    TURN
}

fn take_gold(turn: &mut Turn<'_>, doer: Doer, gold: &Item) -> Outcome {
    let Some(sum) = doer.sheet(turn).gold.checked_add(gold.count) else {
        return doer.refuse(turn, Note::PackFull, Some(gold));
    };
    turn.take_item(doer.cell);
    doer.sheet_mut(turn).gold = sum;
    turn.tell(doer.slot, Note::FindsGold, None, to_number(gold.count));
    TURN
}

/// Whoever takes one treasure of a vault leaves the others for ever.
fn close_cages(turn: &mut Turn<'_>, doer: Doer, taken: &Item) {
    let vaults = &mut turn.state.vaults;
    let Some(at) = vaults.iter().position(|vault| vault.altars.contains(&doer.cell)) else {
        return;
    };
    let vault = vaults.remove(at);
    for altar in vault.altars {
        if let Some(lost) = turn.take_item(altar) {
            turn.state.ledger.destroy(&lost);
            turn.burst(Flash::Magic, altar, 0);
        }
    }
    doer.show(turn, Note::OpensCage, taken);
}

/// Lays down all of an inventory slot.
pub fn drop(turn: &mut Turn<'_>, slot: u16, inv: u8) -> Outcome {
    let Some(doer) = Doer::of(turn, slot) else { return Outcome::Refused };
    if doer.item(turn, inv).is_none() {
        return Outcome::Refused;
    }
    let sheet = doer.sheet_mut(turn);
    clear_use(sheet, inv);
    let item = sheet.items.remove(&inv).expect("the slot was filled a moment ago");
    turn.tell(slot, Note::Drops, Some(item.clone()), to_number(item.count));
    turn.drop_item(doer.cell, item);
    TURN
}

/// Puts as many pieces as there is room for into the pack and leaves the rest in `item`, which
/// may be none. Returns the slot of the last piece, `None` if there was no room for any.
pub fn stow(sheet: &mut Sheet, item: &mut Item) -> Option<u8> {
    let mut last = None;
    if item.kind.row().stacks() {
        for (&inv, stack) in &mut sheet.items {
            let alike = Item { count: item.count, ..stack.clone() } == *item;
            let moved = STACK_MAX.saturating_sub(stack.count).min(item.count);
            if alike && moved > 0 {
                stack.count += moved;
                item.count -= moved;
                last = Some(inv);
            }
        }
    }
    let stack_max = if item.kind.row().stacks() { STACK_MAX } else { 1 };
    let slots = 0..u8::try_from(INVENTORY_SLOTS).expect("an inventory has few slots");
    for inv in slots {
        if item.count == 0 {
            break;
        }
        if let Entry::Vacant(free) = sheet.items.entry(inv) {
            let moved = item.count.min(stack_max);
            free.insert(Item { count: moved, ..item.clone() });
            item.count -= moved;
            last = Some(inv);
        }
    }
    last
}

/// Lets staffs gather charges; to be called once a tick.
pub fn upkeep(turn: &mut Turn<'_>) {
    let tick = turn.state.tick.0;
    if !tick.is_multiple_of(UPKEEP_TICKS) {
        return;
    }
    for player in turn.state.players.values_mut() {
        for (&inv, item) in &mut player.sheet.items {
            let power = staff_power(item);
            if item.kind.row().category != Category::Staff || item.charge >= power {
                continue;
            }
            let period = (STAFF_TICKS / UPKEEP_TICKS / power).max(1);
            if (tick / UPKEEP_TICKS + u64::from(inv)).is_multiple_of(period) {
                item.charge += 1;
            }
        }
    }
}

/// Charges of a full staff: its enchantment, at least one.
pub(super) fn staff_power(item: &Item) -> u64 {
    u64::from(item.enchant.max(1).unsigned_abs())
}

/// Turns the clocks of charms from ticks of this zone into ticks left: zones count for
/// themselves. To be called when a character leaves at tick `now`.
pub fn rest_clocks(sheet: &mut Sheet, now: u64) {
    for item in charms(sheet) {
        item.charge = item.charge.saturating_sub(now);
    }
}

/// Turns ticks left into ticks of this zone; to be called when a character arrives at tick `now`.
pub fn start_clocks(sheet: &mut Sheet, now: u64) {
    for item in charms(sheet) {
        if item.charge > 0 {
            item.charge += now;
        }
    }
}

fn charms(sheet: &mut Sheet) -> impl Iterator<Item = &mut Item> {
    sheet.items.values_mut().filter(|item| item.kind.row().category == Category::Charm)
}

/// Blows after which a fresh weapon or suit of armour is familiar.
pub(super) fn blows_to_know(gear: Gear) -> u64 {
    match gear {
        Gear::None => 0,
        Gear::Weapon { .. } => FAMILIAR_WEAPON,
        Gear::Armor { .. } => FAMILIAR_ARMOR,
    }
}

fn to_number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
