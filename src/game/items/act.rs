//! What the actions of potions and charms do, and what concerns the pack alone.

use super::inventory::staff_power;
use super::{Doer, knows, scrolls};
use crate::game::catalog::items::{Action, Boon, Category, Spell, Spill};
use crate::game::catalog::terrain::flags;
use crate::game::catalog::{Effect, Flash, Gas, Note, Terrain};
use crate::game::item::{Item, ItemKind};
use crate::game::state::{Sheet, Subject};
use crate::game::turn::Turn;

/// Health that a potion of life adds.
const LIFE_HP: i32 = 10;
/// Most strength anybody reaches.
const STRENGTH_MAX: u8 = 99;

/// The ills that healing ends.
const ILLS: [Effect; 6] = [
    Effect::Poisoned,
    Effect::Confused,
    Effect::Weakened,
    Effect::Slowed,
    Effect::Terrified,
    Effect::Discordant,
];

/// An action under way: who does it, in the middle of which cell, with what.
#[derive(Clone, Copy)]
pub(super) struct Act<'i> {
    pub(super) doer: Doer,
    pub(super) at: u32,
    pub(super) item: &'i Item,
}

/// Does what an item does to whoever uses it, around the cell of the act. Returns whether the
/// user can tell what the item is now.
pub(super) fn perform(turn: &mut Turn<'_>, act: Act<'_>, action: Action) -> bool {
    match action {
        Action::None | Action::Aim(_) => false,
        Action::Grant(boon) => {
            bless(turn, act.doer.slot, boon);
            true
        }
        Action::Open(what) => {
            spill(turn, act.at, what);
            true
        }
        Action::Cast(spell) => cast(turn, act, spell),
    }
}

fn cast(turn: &mut Turn<'_>, act: Act<'_>, spell: Spell) -> bool {
    let doer = &act.doer;
    match spell {
        Spell::Enchant => enchant(turn, doer),
        Spell::Identify => identify(turn, &act),
        Spell::RemoveNegativity => remove_negativity(turn, doer),
        Spell::Recharge => recharge(turn, &act),
        Spell::Teleport => scrolls::teleport(turn, doer),
        Spell::ShieldFriends(ticks) => scrolls::shield_friends(turn, doer, ticks),
        Spell::MapFloor => scrolls::map_floor(turn, doer),
        Spell::Negate => scrolls::negate(turn, doer),
        Spell::Shatter => scrolls::shatter(turn, doer),
        Spell::Aggravate => scrolls::aggravate(turn, doer),
        Spell::Summon => scrolls::summon(turn, doer),
        Spell::Sanctity => scrolls::sanctity(turn, doer),
        Spell::Discord => scrolls::curse_foes(turn, doer, Effect::Discordant),
        Spell::Fear => scrolls::curse_foes(turn, doer, Effect::Terrified),
    }
}

/// What a potion does to one who drinks it, or is splashed with it.
pub(super) fn bless(turn: &mut Turn<'_>, slot: u16, boon: Boon) {
    match boon {
        Boon::Heal(percent) => {
            let missing = turn.state.actor(slot).hp_max * percent / 100;
            let healed = turn.heal(slot, missing);
            for ill in ILLS {
                turn.cure(slot, ill);
            }
            turn.report(slot, Note::Heals, Subject::Nobody, healed);
        }
        Boon::Life => {
            if let Some(player) = turn.state.player_mut(slot) {
                player.sheet.hp_max += LIFE_HP;
            }
            let actor = turn.state.actor_mut(slot);
            actor.hp_max += LIFE_HP;
            let full = actor.hp_max;
            turn.heal(slot, full);
            turn.report(slot, Note::GrowsTougher, Subject::Nobody, LIFE_HP);
        }
        Boon::Strength => {
            if let Some(player) = turn.state.player_mut(slot) {
                let sheet = &mut player.sheet;
                sheet.strength = sheet.strength.saturating_add(1).min(STRENGTH_MAX);
            }
            turn.cure(slot, Effect::Weakened);
            turn.report(slot, Note::GrowsStronger, Subject::Nobody, 0);
        }
        Boon::Affect(effect, ticks) => {
            turn.affect(slot, effect, ticks);
        }
    }
}

/// What a potion does to the place where it opens.
pub(super) fn spill(turn: &mut Turn<'_>, at: u32, what: Spill) {
    match what {
        Spill::Burst(effect, ticks, radius) => {
            turn.burst(Flash::Magic, at, u8::try_from(radius).unwrap_or(u8::MAX));
            for slot in near(turn, at, radius) {
                turn.affect(slot, effect, ticks);
            }
        }
        Spill::Cloud(gas, units) => {
            turn.add_gas(gas, at, units);
            turn.note_at(
                at,
                match gas {
                    Gas::Poison | Gas::Confusion => Note::GasPours,
                    Gas::Methane => Note::MethanePours,
                    Gas::Healing => Note::SporesPour,
                },
            );
            turn.burst(Flash::Gas, at, 1);
        }
        Spill::Flames => {
            turn.note_at(at, Note::FlamesPour);
            turn.burst(Flash::Flame, at, 1);
            for cell in open_around(turn, at, 1) {
                turn.ignite(cell);
                if let Some(slot) = turn.state.actor_at(cell) {
                    turn.catch_fire(slot);
                }
            }
        }
        Spill::Fungus => {
            turn.note_at(at, Note::FungusGrows);
            for cell in open_around(turn, at, 3) {
                if is_bare(turn.state.terrain[cell as usize]) {
                    turn.set_terrain(cell, Terrain::Fungus);
                }
            }
        }
    }
}

/// Whether something may grow over it or be spun across it: ground without any behaviour.
pub(super) fn is_bare(terrain: Terrain) -> bool {
    terrain.row().flags & !flags::GLOWS == 0
        && !matches!(terrain, Terrain::Bridge | Terrain::StoneBridge | Terrain::Altar)
}

/// The living within `radius` of a cell and in a straight line from it, the nearest first.
pub(super) fn near(turn: &Turn<'_>, at: u32, radius: u16) -> Vec<u16> {
    let state = &turn.state;
    let cells = state.around(at, radius);
    cells
        .filter(|&cell| state.has_line(at, cell))
        .filter_map(|cell| state.actor_at(cell))
        .filter(|&slot| state.is_up(slot))
        .collect()
}

/// The cells within `radius` that can be entered and are in a straight line from `at`.
pub(super) fn open_around(turn: &Turn<'_>, at: u32, radius: u16) -> Vec<u32> {
    let state = &turn.state;
    let cells = state.around(at, radius);
    cells
        .filter(|&cell| !state.terrain_has(cell, flags::BLOCKS_MOVE) && state.has_line(at, cell))
        .collect()
}

/// The inventory slot that a scroll of enchanting improves: the weaker of the weapon and armour
/// in use; with neither in use, the weakest staff or charm.
pub(super) fn enchantable(sheet: &Sheet) -> Option<u8> {
    let in_use = [sheet.armor, sheet.weapon].into_iter().flatten();
    let weakest = |slots: &mut dyn Iterator<Item = u8>| {
        slots
            .filter_map(|inv| Some((sheet.items.get(&inv)?.enchant, inv)))
            .filter(|&(enchant, _)| enchant < i8::MAX)
            .min_by_key(|&(enchant, _)| enchant)
    };
    let magic = sheet
        .items
        .iter()
        .filter(|(_, item)| matches!(item.kind.row().category, Category::Staff | Category::Charm));
    weakest(&mut in_use.clone())
        .or_else(|| weakest(&mut magic.map(|(&inv, _)| inv)))
        .map(|(_, inv)| inv)
}

fn enchant(turn: &mut Turn<'_>, doer: &Doer) -> bool {
    let Some(inv) = enchantable(doer.sheet(turn)) else {
        turn.tell(doer.slot, Note::NothingToEnchant, None, 0);
        return true;
    };
    let item = doer.sheet_mut(turn).items.get_mut(&inv).expect("an enchantable slot is filled");
    item.enchant = item.enchant.saturating_add(1);
    if item.kind.row().category == Category::Staff {
        item.charge += 1;
    }
    let item = item.clone();
    turn.tell(doer.slot, Note::ItemGlows, Some(item), 1);
    true
}

/// What identifying could tell: slots with something unknown about them, but not the one in hand.
pub(super) fn unidentified(sheet: &Sheet, except: u8) -> Vec<u8> {
    let unknown = |item: &Item| !item.identified || !knows(sheet, item.kind);
    let slots = sheet.items.iter().filter(|&(&inv, item)| inv != except && unknown(item));
    slots.map(|(&inv, _)| inv).collect()
}

fn identify(turn: &mut Turn<'_>, act: &Act<'_>) -> bool {
    let doer = &act.doer;
    // The reader's own pile of this scroll becomes known by reading.
    doer.learn(turn, act.item.kind);
    let slots = unidentified(doer.sheet(turn), u8::MAX);
    let Some(&inv) = doer.rng(turn).pick(&slots) else {
        turn.tell(doer.slot, Note::NothingToIdentify, None, 0);
        return true;
    };
    let item = doer.sheet_mut(turn).items.get_mut(&inv).expect("an unknown slot is filled");
    item.identified = true;
    let item = item.clone();
    let kind: ItemKind = item.kind;
    doer.learn(turn, kind);
    turn.tell(doer.slot, Note::Identifies, Some(item), 1);
    true
}

fn remove_negativity(turn: &mut Turn<'_>, doer: &Doer) -> bool {
    let mut lifted = false;
    for item in doer.sheet_mut(turn).items.values_mut() {
        if item.enchant < 0 {
            item.enchant = 0;
            item.identified = true;
            lifted = true;
        }
    }
    for ill in ILLS {
        lifted |= turn.cure(doer.slot, ill);
    }
    let note = if lifted { Note::MalevolenceGone } else { Note::NoMalevolence };
    turn.tell(doer.slot, note, None, 0);
    true
}

/// Whether an item is a staff that lacks charges or a charm that is not ready.
fn wants_charge(item: &Item, now: u64) -> bool {
    let category = item.kind.row().category;
    (category == Category::Staff && item.charge < staff_power(item))
        || (category == Category::Charm && item.charge > now)
}

/// Whether a slot other than `except` would gain by recharging.
pub(super) fn has_rechargeable(sheet: &Sheet, now: u64, except: u8) -> bool {
    sheet.items.iter().any(|(&inv, item)| inv != except && wants_charge(item, now))
}

fn recharge(turn: &mut Turn<'_>, act: &Act<'_>) -> bool {
    let now = turn.state.tick.0;
    let by_charm = act.item.kind.row().category == Category::Charm;
    let mut filled = false;
    for item in act.doer.sheet_mut(turn).items.values_mut() {
        let is_staff = item.kind.row().category == Category::Staff;
        if wants_charge(item, now) && (is_staff || !by_charm) {
            item.charge = if is_staff { staff_power(item) } else { 0 };
            filled = true;
        }
    }
    let note = if filled { Note::Recharges } else { Note::NothingToRecharge };
    turn.tell(act.doer.slot, note, None, 0);
    true
}
