//! Staffs and bows: what is pointed at a cell.

use super::act::{is_bare, open_around};
use super::equip::attack_with;
use super::inventory::staff_power;
use super::throw::strikes;
use super::{Doer, Outcome, USE, scrolls, weapon_used};
use crate::game::catalog::items::{Action, Bolt, Category, flags};
use crate::game::catalog::terrain::flags as ground;
use crate::game::catalog::{Effect, Flash, Note, Terrain};
use crate::game::item::Item;
use crate::game::state::{Audience, Cause};
use crate::game::turn::Turn;
use crate::model::Pos;

/// Cells that a bolt flies at most.
const RANGE: usize = 16;

/// A bolt about to fly.
struct Shot<'i> {
    doer: Doer,
    target: u32,
    item: &'i Item,
    /// Enchantment of the staff, at least 1.
    power: i32,
}

/// Points an inventory slot at a cell.
pub fn use_at(turn: &mut Turn<'_>, slot: u16, inv: u8, target: Pos) -> Outcome {
    let Some(doer) = Doer::of(turn, slot) else { return Outcome::Refused };
    let Some(item) = doer.item(turn, inv) else { return Outcome::Refused };
    let row = item.kind.row();
    let Action::Aim(bolt) = row.action else {
        return doer.refuse(turn, Note::CannotAim, Some(&item));
    };
    if target.x >= turn.state.width || target.y >= turn.state.height {
        return doer.refuse(turn, Note::OutOfRange, Some(&item));
    }
    let target = turn.state.cell(target);
    if target == doer.cell {
        return doer.refuse(turn, Note::NeedsTarget, Some(&item));
    }
    if row.has(flags::SHOOTS) && doer.sheet(turn).weapon != Some(inv) {
        return doer.refuse(turn, Note::MustWield, Some(&item));
    }
    let is_staff = row.category == Category::Staff;
    if is_staff && item.charge == 0 {
        return doer.refuse(turn, Note::OutOfCharges, Some(&item));
    }
    let power = i32::try_from(staff_power(&item)).unwrap_or(1);
    let shot = Shot { doer, target, item: &item, power };
    let Some(noticed) = shoot(turn, &shot, bolt) else {
        return doer.refuse(turn, Note::BlinkBlocked, Some(&item));
    };
    if is_staff && let Some(staff) = doer.sheet_mut(turn).items.get_mut(&inv) {
        staff.charge = staff.charge.saturating_sub(1);
    }
    if noticed {
        doer.learn(turn, item.kind);
    }
    if row.has(flags::SHOOTS) { Outcome::Spent { ticks: BOW_TICKS } } else { USE }
}

/// Ticks of a shot with a bow.
const BOW_TICKS: u64 = 10;

/// Lets the bolt fly; `None` if it cannot, else whether it shows what it is.
fn shoot(turn: &mut Turn<'_>, shot: &Shot<'_>, bolt: Bolt) -> Option<bool> {
    if bolt != Bolt::Blink {
        shot.doer.show(turn, Note::Zaps, shot.item);
    }
    Some(match bolt {
        Bolt::Blink => blink(turn, shot)?,
        Bolt::Lightning => lightning(turn, shot),
        Bolt::Tunnel => tunnel(turn, shot),
        Bolt::Web => webs(turn, shot),
        Bolt::Arrow => arrow(turn, shot),
        Bolt::Fire => fire(turn, shot),
        Bolt::Poison => touch(turn, shot, &POISON),
        Bolt::Slow => touch(turn, shot, &SLOW),
        Bolt::Entrance => touch(turn, shot, &ENTRANCE),
        Bolt::Heal => touch(turn, shot, &HEAL),
        Bolt::Haste => touch(turn, shot, &HASTE),
        Bolt::Protect => touch(turn, shot, &PROTECT),
    })
}

/// The cells of the flight up to and including the first actor for which `stops`, and the actor.
fn flight(
    turn: &Turn<'_>,
    from: u32,
    to: u32,
    stops: impl Fn(u16) -> bool,
) -> (Vec<u32>, Option<u16>) {
    let mut cells = Vec::new();
    for cell in turn.state.line(from, to, RANGE) {
        if turn.state.terrain_has(cell, ground::BLOCKS_MOVE) {
            break;
        }
        cells.push(cell);
        if let Some(slot) = turn.state.actor_at(cell).filter(|&slot| stops(slot)) {
            return (cells, Some(slot));
        }
    }
    (cells, None)
}

/// Shows the bolt and returns the foe that it meets; it passes friends by.
fn fly_at_foe(turn: &mut Turn<'_>, shot: &Shot<'_>, flash: Flash) -> (u32, Option<u16>) {
    let doer = shot.doer;
    let foe = |slot| turn.state.is_hostile(doer.slot, slot);
    let (cells, met) = flight(turn, doer.cell, shot.target, foe);
    let end = cells.last().copied().unwrap_or(doer.cell);
    turn.bolt(flash, doer.cell, end);
    (end, met)
}

/// Lightning goes through everyone in its way.
fn lightning(turn: &mut Turn<'_>, shot: &Shot<'_>) -> bool {
    let (cells, _) = flight(turn, shot.doer.cell, shot.target, |_| false);
    let end = cells.last().copied().unwrap_or(shot.doer.cell);
    turn.bolt(Flash::Lightning, shot.doer.cell, end);
    let mut rng = shot.doer.rng(turn);
    for cell in cells {
        let Some(foe) = turn.state.actor_at(cell) else { continue };
        if turn.state.is_hostile(shot.doer.slot, foe) {
            let amount = rng.between(2 + 2 * shot.power, 5 + 5 * shot.power);
            harm(turn, shot, foe, amount, Note::LightningStrikes);
        }
    }
    true
}

fn harm(turn: &mut Turn<'_>, shot: &Shot<'_>, foe: u16, amount: i32, code: Note) {
    let source = turn.state.subject(shot.doer.slot);
    let other = turn.state.subject(foe);
    let cell = turn.state.actor(foe).cell;
    let lost = turn.damage(foe, amount, source, Cause::Spell);
    turn.note(Audience::Sight(cell), code, source, other, None, lost);
}

fn fire(turn: &mut Turn<'_>, shot: &Shot<'_>) -> bool {
    let (end, met) = fly_at_foe(turn, shot, Flash::Fire);
    if let Some(foe) = met {
        let amount = shot.doer.rng(turn).between(2 + 2 * shot.power, 4 + 5 * shot.power);
        harm(turn, shot, foe, amount, Note::FireboltHits);
        if turn.state.is_up(foe) {
            turn.catch_fire(foe);
        }
    }
    if end != shot.doer.cell {
        turn.ignite(end);
    }
    true
}

fn arrow(turn: &mut Turn<'_>, shot: &Shot<'_>) -> bool {
    let (_, met) = fly_at_foe(turn, shot, Flash::Arrow);
    let Some(foe) = met else { return true };
    let attack = attack_with(shot.item, shot.doer.sheet(turn).strength);
    let mut rng = shot.doer.rng(turn);
    let who = turn.state.subject(shot.doer.slot);
    let other = turn.state.subject(foe);
    let cell = turn.state.actor(foe).cell;
    if strikes(turn, &mut rng, foe, attack.accuracy) {
        // The blow of a bow is weak; its arrows do two to five more.
        let amount = rng.between(attack.damage.0 + 2, attack.damage.1 + 5);
        let lost = turn.damage(foe, amount, who, Cause::Missile);
        turn.note(Audience::Sight(cell), Note::Shoots, who, other, None, lost);
        weapon_used(turn, shot.doer.slot);
    } else {
        turn.note(Audience::Sight(cell), Note::ShotMisses, who, other, None, 0);
    }
    true
}

/// A bolt that lays an effect on the first one it meets: a foe for harm, anybody for help.
struct Touch {
    flash: Flash,
    effect: Effect,
    /// Ticks of the effect: so many, and so many more for each point of power.
    ticks: (u32, u32),
    /// Percentage of full health that it heals, in the same way.
    heals: (i32, i32),
    code: Note,
}

const fn touching(flash: Flash, effect: Effect, ticks: (u32, u32), code: Note) -> Touch {
    Touch { flash, effect, ticks, heals: (0, 0), code }
}

const POISON: Touch = touching(Flash::Poison, Effect::Poisoned, (60, 60), Note::PoisonBoltHits);
const SLOW: Touch = touching(Flash::Slow, Effect::Slowed, (100, 60), Note::CastsSlow);
const ENTRANCE: Touch = touching(Flash::Sleep, Effect::Paralysed, (40, 40), Note::EntrancedBy);
const HASTE: Touch = touching(Flash::Haste, Effect::Hasted, (100, 60), Note::HastesOther);
const PROTECT: Touch = touching(Flash::Shield, Effect::Shielded, (100, 60), Note::ProtectsOther);
const HEAL: Touch = Touch {
    heals: (20, 10),
    ..touching(Flash::Heal, Effect::Regenerating, (20, 20), Note::HealsOther)
};

fn touch(turn: &mut Turn<'_>, shot: &Shot<'_>, touch: &Touch) -> bool {
    let (power, effect) = (shot.power, touch.effect);
    let met = if effect.row().good {
        let (cells, met) = flight(turn, shot.doer.cell, shot.target, |_| true);
        let end = cells.last().copied().unwrap_or(shot.doer.cell);
        turn.bolt(touch.flash, shot.doer.cell, end);
        met
    } else {
        fly_at_foe(turn, shot, touch.flash).1
    };
    let Some(met) = met else {
        turn.tell(shot.doer.slot, Note::BeamHitsNothing, None, 0);
        return false;
    };
    let percent = touch.heals.0 + touch.heals.1 * power;
    let missing = turn.state.actor(met).hp_max * percent / 100;
    let healed = turn.heal(met, missing);
    let ticks = touch.ticks.0 + touch.ticks.1 * power.unsigned_abs();
    let held = turn.affect(met, effect, ticks);
    let other = turn.state.subject(met);
    let code = if held { touch.code } else { Note::Unharmed };
    turn.report(shot.doer.slot, code, other, healed);
    true
}

fn tunnel(turn: &mut Turn<'_>, shot: &Shot<'_>) -> bool {
    let mut left = shot.power + 1;
    let mut end = shot.doer.cell;
    for cell in turn.state.line(shot.doer.cell, shot.target, RANGE) {
        if turn.state.terrain_has(cell, ground::BLOCKS_MOVE) {
            if left == 0 || !scrolls::dig(turn, cell) {
                break;
            }
            left -= 1;
        }
        end = cell;
    }
    turn.bolt(Flash::Tunneling, shot.doer.cell, end);
    let dug = left <= shot.power;
    let note = if dug { Note::WallTunneled } else { Note::NothingToTunnel };
    turn.note_at(end, note);
    if dug {
        turn.make_noise(end, 10);
    }
    dug
}

fn webs(turn: &mut Turn<'_>, shot: &Shot<'_>) -> bool {
    let mut cells = turn.state.line_of_fire(shot.doer.cell, shot.target, RANGE);
    let gap = usize::from(turn.state.gap(shot.doer.cell, shot.target));
    cells.truncate(gap);
    let Some(&end) = cells.last() else {
        turn.tell(shot.doer.slot, Note::BeamHitsNothing, None, 0);
        return false;
    };
    turn.bolt(Flash::Web, shot.doer.cell, end);
    for cell in open_around(turn, end, 1) {
        if cell == shot.doer.cell || !is_bare(turn.state.terrain[cell as usize]) {
            continue;
        }
        turn.set_terrain(cell, Terrain::Web);
        if let Some(caught) = turn.state.actor_at(cell) {
            turn.affect(caught, Effect::Held, 20 + 10 * shot.power.unsigned_abs());
        }
    }
    true
}

/// Moves along the line to the last free cell; `None` if there is none.
fn blink(turn: &mut Turn<'_>, shot: &Shot<'_>) -> Option<bool> {
    let doer = shot.doer;
    let gap = i32::from(turn.state.gap(doer.cell, shot.target));
    let far = usize::try_from(gap.min(2 + 2 * shot.power)).unwrap_or(0);
    let cells = turn.state.line_of_fire(doer.cell, shot.target, far);
    let &end = cells.iter().rev().find(|&&cell| turn.state.actor_at(cell).is_none())?;
    doer.show(turn, Note::Zaps, shot.item);
    turn.bolt(Flash::Blink, doer.cell, end);
    turn.cure(doer.slot, Effect::Held);
    turn.relocate(doer.slot, end);
    Some(true)
}
