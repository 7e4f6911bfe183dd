//! What scrolls do to the reader's surroundings.

use super::Doer;
use super::act::{near, open_around};
use crate::game::catalog::monsters::{Monster, flags as is};
use crate::game::catalog::terrain::flags;
use crate::game::catalog::{Effect, Flash, Note, Terrain};
use crate::game::state::{Mode, Subject};
use crate::game::turn::Turn;
use crate::model::Direction;

/// Cells around the reader that count as near.
const NEAR: u16 = 8;
/// Ticks that dread, discord and sacred light last.
const CURSE_TICKS: u32 = 300;

/// Takes the reader to a far cell that can be walked to from where it is.
pub(super) fn teleport(turn: &mut Turn<'_>, doer: &Doer) -> bool {
    let reach = reachable(turn, doer.cell);
    let mut rng = doer.rng(turn);
    let far = (reach.len() / 2) as u32;
    let unfit = flags::TRAP | flags::STAIRS;
    for _ in 0..64 {
        let at = far + rng.below(reach.len() as u32 - far);
        let cell = reach[at as usize];
        let free = turn.state.actor_at(cell).is_none() && turn.state.fire[cell as usize] == 0;
        if free && !turn.state.terrain_has(cell, unfit) {
            turn.burst(Flash::Teleport, doer.cell, 0);
            turn.report(doer.slot, Note::Teleports, Subject::Nobody, 0);
            turn.cure(doer.slot, Effect::Held);
            turn.relocate(doer.slot, cell);
            turn.burst(Flash::Teleport, cell, 0);
            return true;
        }
    }
    turn.tell(doer.slot, Note::TeleportFails, None, 0);
    false
}

/// The cells that can be walked to from `from`, itself first, the nearer before the farther.
fn reachable(turn: &Turn<'_>, from: u32) -> Vec<u32> {
    let state = &turn.state;
    let mut seen = vec![false; state.area()];
    let mut cells = vec![from];
    seen[from as usize] = true;
    let mut next = 0;
    while let Some(&cell) = cells.get(next) {
        next += 1;
        for direction in Direction::ALL {
            let Some(to) = state.neighbour(cell, direction) else { continue };
            let at = to as usize;
            if !seen[at] && state.derived.walk[at] == 1 && state.can_reach(cell, direction) {
                seen[at] = true;
                cells.push(to);
            }
        }
    }
    cells
}

pub(super) fn shield_friends(turn: &mut Turn<'_>, doer: &Doer, ticks: u32) -> bool {
    turn.burst(Flash::Shield, doer.cell, 2);
    for slot in near(turn, doer.cell, NEAR) {
        if !turn.state.is_hostile(doer.slot, slot) {
            turn.affect(slot, Effect::Shielded, ticks);
        }
    }
    true
}

/// Puts everything but solid rock into the reader's memory, and opens its eyes to secret doors.
pub(super) fn map_floor(turn: &mut Turn<'_>, doer: &Doer) -> bool {
    let area = turn.state.area() as u32;
    for cell in 0..area {
        if turn.state.terrain_has(cell, flags::SECRET)
            && turn.state.terrain_has(cell, flags::BLOCKS_MOVE)
        {
            let door = turn.state.terrain[cell as usize].row().trodden;
            turn.set_terrain(cell, door);
        }
    }
    for cell in 0..area {
        if !borders_on_space(turn, cell) {
            continue;
        }
        turn.state.derived.revealed.push((doer.character, cell));
    }
    turn.tell(doer.slot, Note::MapsFloor, None, 0);
    true
}

/// Whether it is open space or the wall of some.
fn borders_on_space(turn: &Turn<'_>, cell: u32) -> bool {
    let state = &turn.state;
    let open = |at: u32| !state.terrain_has(at, flags::BLOCKS_MOVE);
    open(cell) || Direction::ALL.into_iter().filter_map(|d| state.neighbour(cell, d)).any(open)
}

pub(super) fn negate(turn: &mut Turn<'_>, doer: &Doer) -> bool {
    turn.burst(Flash::Negate, doer.cell, NEAR as u8);
    turn.report(doer.slot, Note::NegationWave, Subject::Nobody, 0);
    for slot in near(turn, doer.cell, NEAR) {
        for &effect in Effect::ALL {
            if effect.row().magical {
                turn.cure(slot, effect);
            }
        }
    }
    true
}

pub(super) fn shatter(turn: &mut Turn<'_>, doer: &Doer) -> bool {
    turn.burst(Flash::Crystal, doer.cell, 4);
    turn.report(doer.slot, Note::WallsShatter, Subject::Nobody, 0);
    turn.make_noise(doer.cell, 20);
    for cell in turn.state.around(doer.cell, 4) {
        dig(turn, cell);
    }
    true
}

/// Turns a wall to rubble, but not the rim of the zone; returns whether it did.
pub(super) fn dig(turn: &mut Turn<'_>, cell: u32) -> bool {
    let pos = turn.state.pos(cell);
    let (right, bottom) = (turn.state.width - 1, turn.state.height - 1);
    let rim = pos.x == 0 || pos.y == 0 || pos.x == right || pos.y == bottom;
    if rim || !turn.state.terrain_has(cell, flags::DIGGABLE) {
        return false;
    }
    turn.set_terrain(cell, Terrain::Rubble);
    true
}

pub(super) fn aggravate(turn: &mut Turn<'_>, doer: &Doer) -> bool {
    turn.burst(Flash::Alarm, doer.cell, 3);
    turn.report(doer.slot, Note::Aggravates, Subject::Nobody, 0);
    turn.make_noise(doer.cell, turn.state.width.max(turn.state.height));
    true
}

pub(super) fn summon(turn: &mut Turn<'_>, doer: &Doer) -> bool {
    let depth = turn.state.depth;
    let unfit = is::SWIMS | is::IMMOBILE | is::CALLED | is::AMBUSHES | is::BURSTS;
    let kinds: Vec<Monster> = Monster::ALL
        .iter()
        .copied()
        .filter(|&monster| {
            let row = crate::game::catalog::monsters::row(monster as u8);
            row.frequency > 0 && !row.has(unfit) && (row.depths.0..=row.depths.1).contains(&depth)
        })
        .collect();
    let mut rng = doer.rng(turn);
    let wanted = rng.between(2, 3);
    let mut came = 0;
    for cell in open_around(turn, doer.cell, 2) {
        if came == wanted {
            break;
        }
        let Some(&monster) = rng.pick(&kinds) else { break };
        if turn.state.actor_at(cell).is_none()
            && turn.spawn_monster(monster as u8, cell, Mode::Hunting).is_some()
        {
            turn.burst(Flash::Summon, cell, 0);
            came += 1;
        }
    }
    let note = if came > 0 { Note::SummonsMonsters } else { Note::SummonFails };
    turn.note_at(doer.cell, note);
    came > 0
}

pub(super) fn sanctity(turn: &mut Turn<'_>, doer: &Doer) -> bool {
    turn.burst(Flash::Holy, doer.cell, NEAR as u8);
    turn.report(doer.slot, Note::Sanctity, Subject::Nobody, 0);
    for slot in near(turn, doer.cell, NEAR) {
        let foe = turn.state.is_hostile(doer.slot, slot);
        let effect = if foe { Effect::Terrified } else { Effect::Regenerating };
        turn.affect(slot, effect, CURSE_TICKS);
    }
    true
}

/// Lays dread or discord on the foes near by.
pub(super) fn curse_foes(turn: &mut Turn<'_>, doer: &Doer, effect: Effect) -> bool {
    let (flash, note) = if effect == Effect::Terrified {
        (Flash::Fear, Note::FearSpreads)
    } else {
        (Flash::Discord, Note::DiscordSpreads)
    };
    turn.burst(flash, doer.cell, NEAR as u8);
    let foes: Vec<u16> = near(turn, doer.cell, NEAR)
        .into_iter()
        .filter(|&slot| turn.state.is_hostile(doer.slot, slot))
        .collect();
    for &slot in &foes {
        turn.affect(slot, effect, CURSE_TICKS);
    }
    let note = if foes.is_empty() { Note::CharmNoEffect } else { note };
    turn.report(doer.slot, note, Subject::Nobody, 0);
    !foes.is_empty()
}
