//! Throwing: weapons hit, potions shatter, other things land.

use super::act::{bless, open_around, spill};
use super::equip::attack_with;
use super::{Doer, Outcome, USE};
use crate::game::catalog::items::{Action, Boon, Category, Kind, Spill, flags};
use crate::game::catalog::terrain::flags as ground;
use crate::game::catalog::{Effect, Flash, Gas, Note};
use crate::game::item::Item;
use crate::game::rng::Rng;
use crate::game::state::{Audience, Cause, Mode};
use crate::game::turn::Turn;
use crate::model::Pos;

/// Cells that anything can be thrown.
const RANGE: u16 = 14;
/// Units of healing spores in a potion that heals by itself.
const SPORES: u32 = 700;

/// Throws one piece of an inventory slot at a cell.
pub fn throw(turn: &mut Turn<'_>, slot: u16, inv: u8, target: Pos) -> Outcome {
    let Some(doer) = Doer::of(turn, slot) else { return Outcome::Refused };
    let Some(item) = doer.item(turn, inv) else { return Outcome::Refused };
    if target.x >= turn.state.width || target.y >= turn.state.height {
        return doer.refuse(turn, Note::OutOfRange, Some(&item));
    }
    if doer.sheet(turn).armor == Some(inv) {
        return doer.refuse(turn, Note::CannotThrowWorn, Some(&item));
    }
    let target = turn.state.cell(target);
    let (end, met) = fall(turn, &doer, target);
    let Some(piece) = doer.take_piece(turn, inv) else { return Outcome::Refused };
    doer.show(turn, Note::Throws, &piece);
    turn.bolt(flash_of(&piece), doer.cell, end);
    match piece.kind.row().category {
        Category::Potion => shatter(turn, &doer, end, &piece),
        Category::Weapon => hit(turn, &doer, (end, met), piece),
        Category::Gold
        | Category::Key
        | Category::Scroll
        | Category::Armor
        | Category::Staff
        | Category::Charm
        | Category::Prize => land(turn, end, piece),
    }
    USE
}

/// Where a throw at `target` ends, and the foe that it meets there; it passes friends by.
fn fall(turn: &Turn<'_>, doer: &Doer, target: u32) -> (u32, Option<u16>) {
    let gap = turn.state.gap(doer.cell, target).min(RANGE);
    let mut end = doer.cell;
    for cell in turn.state.line(doer.cell, target, gap.into()) {
        if turn.state.terrain_has(cell, ground::BLOCKS_MOVE) {
            break;
        }
        end = cell;
        if let Some(slot) = turn.state.actor_at(cell)
            && turn.state.is_hostile(doer.slot, slot)
        {
            return (end, Some(slot));
        }
    }
    (end, None)
}

fn flash_of(item: &Item) -> Flash {
    let row = item.kind.row();
    if item.kind == Kind::Javelin.kind() {
        Flash::Javelin
    } else if row.category == Category::Potion {
        Flash::Flask
    } else if row.has(flags::THROWN) {
        Flash::Dart
    } else {
        Flash::Thrown
    }
}

fn land(turn: &mut Turn<'_>, at: u32, item: Item) {
    turn.make_noise(at, 4);
    turn.drop_item(at, item);
}

/// Whether a blow or missile of this accuracy strikes an actor.
pub(super) fn strikes(turn: &Turn<'_>, rng: &mut Rng, slot: u16, accuracy: i32) -> bool {
    let state = &turn.state;
    let helpless = state.actor(slot).mode == Mode::Asleep && state.actor(slot).kind != 0
        || state.is_affected(slot, Effect::Paralysed)
        || state.is_affected(slot, Effect::Held);
    helpless || i64::from(rng.below(1_000)) < i64::from(state.chance_to_hit(accuracy, slot))
}

fn hit(turn: &mut Turn<'_>, doer: &Doer, (end, met): (u32, Option<u16>), piece: Item) {
    let row = piece.kind.row();
    if let Some(foe) = met {
        let mut attack = attack_with(&piece, doer.sheet(turn).strength);
        if !row.has(flags::THROWN) {
            attack.accuracy -= 30;
            attack.damage = (1, (attack.damage.1 / 2).max(1));
        }
        let mut rng = doer.rng(turn);
        let unaware = matches!(turn.state.actor(foe).mode, Mode::Asleep | Mode::Wandering)
            && turn.state.actor(foe).kind != 0;
        let source = turn.state.subject(doer.slot);
        let other = turn.state.subject(foe);
        let hits = strikes(turn, &mut rng, foe, attack.accuracy);
        let mut lost = 0;
        if hits {
            let amount = rng.between(attack.damage.0, attack.damage.1);
            let amount = if unaware { 3 * amount } else { amount };
            lost = turn.damage(foe, amount, source, Cause::Missile);
        }
        let code = if hits { Note::ThrownHits } else { Note::ThrownMisses };
        turn.note(Audience::Sight(end), code, source, other, Some(piece.clone()), lost);
    }
    if row.has(flags::INCENDIARY) {
        turn.state.ledger.destroy(&piece);
        spill(turn, end, Spill::Flames);
    } else {
        land(turn, end, piece);
    }
}

/// A potion does to the place, or to everyone it splashes, what it does to whoever drinks it.
fn shatter(turn: &mut Turn<'_>, doer: &Doer, at: u32, potion: &Item) {
    turn.state.ledger.destroy(potion);
    turn.make_noise(at, 8);
    doer.show(turn, Note::Shatters, potion);
    let touched = match potion.kind.row().action {
        Action::Grant(Boon::Heal(_)) => {
            spill(turn, at, Spill::Cloud(Gas::Healing, SPORES));
            true
        }
        Action::Grant(boon @ (Boon::Life | Boon::Strength)) => splash(turn, vec![at], boon),
        Action::Grant(boon @ Boon::Affect(..)) => {
            turn.burst(Flash::Splash, at, 1);
            splash(turn, open_around(turn, at, 1), boon)
        }
        Action::Open(what) => {
            spill(turn, at, what);
            true
        }
        Action::None | Action::Cast(_) | Action::Aim(_) => false,
    };
    if touched {
        doer.learn(turn, potion.kind);
    }
}

fn splash(turn: &mut Turn<'_>, cells: Vec<u32>, boon: Boon) -> bool {
    let mut touched = false;
    for cell in cells {
        if let Some(slot) = turn.state.actor_at(cell).filter(|&slot| turn.state.is_up(slot)) {
            bless(turn, slot, boon);
            touched = true;
        }
    }
    touched
}
