//! What each monster that is ready means to do: read-only over the state, so that the order in
//! which monsters think does not matter.

mod senses;
mod steps;
mod tactics;

use crate::game::catalog::Effect;
use crate::game::catalog::monsters::{MonsterRow, flags as is};
use crate::game::rng::Rng;
use crate::game::spells::Spell;
use crate::game::state::{Actor, Mode, ZoneState};
use crate::game::turn::purpose;
use crate::model::Pos;
use crate::model::limits::NO_ACTOR;
use crate::sim::Scratch;
use crate::sim::cpu::fov::Visible;

/// Ticks between two thoughts of a sleeper, and of somebody with nothing to do.
const SLEEP_TICKS: u32 = 10;
const IDLE_TICKS: u32 = 4;
/// Ticks for which a monster knows where its prey went without seeing it.
const KNOWS_TICKS: u32 = 60;
/// Ticks after which it gives up.
const FORGETS_TICKS: u32 = 400;

/// A player that monsters may hunt.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Prey {
    pub(super) slot: u16,
    pub(super) cell: u32,
    pub(super) pos: Pos,
    /// Cells from which it may be noticed.
    pub(super) stealth: u16,
    /// What it sees, and so from where it is seen.
    pub(super) visible: Visible,
}

/// What a monster means to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Intent {
    Wait {
        ticks: u32,
    },
    /// The smallest priority goes first where two want one cell.
    Step {
        to: u32,
        priority: u8,
    },
    Strike {
        target: u16,
    },
    Cast {
        spell: Spell,
        target: u16,
    },
    /// Its time is over.
    Vanish,
}

/// A monster's intent and its new state of mind.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Choice {
    pub(super) slot: u16,
    pub(super) intent: Intent,
    pub(super) mode: Mode,
    pub(super) goal: u32,
    pub(super) noticed: u32,
    /// The player it has just noticed or lost, `NO_ACTOR` for none.
    pub(super) about: u16,
}

/// A step that wants its cell; the smallest of those for a cell wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sim) struct Claim {
    pub(super) to: u32,
    pub(super) priority: u8,
    pub(super) slot: u16,
}

pub(in crate::sim) fn run(state: &ZoneState, scratch: &mut Scratch) {
    let mut prey = std::mem::take(&mut scratch.prey);
    senses::list_prey(state, scratch, &mut prey);
    scratch.choices.clear();
    let tick = state.tick.0;
    for (slot, actor) in (0_u16..).zip(&state.actors) {
        if actor.alive && actor.kind != 0 && actor.hp > 0 && actor.ready_at <= tick {
            let mind = Mind::new(state, &prey, slot);
            scratch.choices.push(mind.choose());
        }
    }
    scratch.prey = prey;
}

/// One monster making up its mind.
struct Mind<'a> {
    state: &'a ZoneState,
    prey: &'a [Prey],
    slot: u16,
    actor: &'a Actor,
    row: &'static MonsterRow,
    pos: Pos,
    now: u32,
    rng: Rng,
    mode: Mode,
    goal: u32,
    noticed: u32,
    about: u16,
}

impl<'a> Mind<'a> {
    fn new(state: &'a ZoneState, prey: &'a [Prey], slot: u16) -> Self {
        let actor = state.actor(slot);
        Self {
            state,
            prey,
            slot,
            actor,
            row: state.row(slot),
            pos: state.pos(actor.cell),
            now: state.now(),
            rng: state.rng(purpose::DECIDE + u64::from(slot)),
            mode: actor.mode,
            goal: actor.goal,
            noticed: actor.noticed,
            about: NO_ACTOR,
        }
    }

    fn choose(mut self) -> Choice {
        let intent = self.intent();
        let Self { slot, mode, goal, noticed, about, .. } = self;
        Choice { slot, intent, mode, goal, noticed, about }
    }

    fn is(&self, flags: u64) -> bool {
        self.row.has(flags)
    }

    fn has(&self, effect: Effect) -> bool {
        self.actor.effects[effect as usize] > self.now
    }

    fn intent(&mut self) -> Intent {
        if self.is(is::FLEETING) && self.actor.special_at <= self.now {
            return Intent::Vanish;
        }
        if self.has(Effect::Paralysed) {
            return Intent::Wait { ticks: IDLE_TICKS };
        }
        if self.has(Effect::Confused) && self.rng.chance(60) {
            return self.stagger();
        }
        if self.actor.mode == Mode::Asleep {
            return self.sleep();
        }
        if self.is(is::MEEK) {
            return self.roam();
        }
        let seen = self.sees();
        self.change_mind(seen);
        if self.mode == Mode::Ally {
            return self.serve();
        }
        if self.is(is::FLITS) && self.rng.chance(33) {
            return self.stagger();
        }
        if self.mode == Mode::Fleeing || self.has(Effect::Terrified) {
            return self.flee(seen);
        }
        let too_near = seen.is_some_and(|p| p.pos.chebyshev(self.pos) <= 3);
        if self.is(is::KEEPS_DISTANCE)
            && too_near
            && self.rng.chance(60)
            && let Some(step) = self.step_away()
        {
            return step;
        }
        if let Some(intent) = self.use_powers(seen) {
            return intent;
        }
        if let Some(target) = self.foe_beside() {
            return Intent::Strike { target };
        }
        if self.is(is::IMMOBILE) {
            return Intent::Wait { ticks: IDLE_TICKS };
        }
        if self.has(Effect::Held) {
            return Intent::Wait { ticks: IDLE_TICKS };
        }
        match self.mode {
            Mode::Hunting => self.hunt(seen),
            Mode::Asleep | Mode::Wandering | Mode::Fleeing | Mode::Ally => self.wander(),
        }
    }

    /// A sleeper may hear somebody come near; an ambusher waits for somebody beside it.
    fn sleep(&mut self) -> Intent {
        let wait = Intent::Wait { ticks: SLEEP_TICKS };
        if self.is(is::AMBUSHES) {
            let Some(target) = self.foe_beside() else { return Intent::Wait { ticks: 2 } };
            self.mode = Mode::Hunting;
            self.noticed = self.now;
            return Intent::Strike { target };
        }
        let Some(prey) = self.notices() else { return wait };
        if !self.rng.chance(20) {
            return wait;
        }
        self.mode = Mode::Hunting;
        self.noticed = self.now;
        self.goal = prey.cell;
        self.about = prey.slot;
        wait
    }

    /// Notices, loses track, takes heart, loses heart.
    fn change_mind(&mut self, seen: Option<&'a Prey>) {
        match self.mode {
            Mode::Wandering => {
                if let Some(prey) = self.notices()
                    && self.rng.chance(60)
                {
                    self.mode = Mode::Hunting;
                    self.noticed = self.now;
                    self.goal = prey.cell;
                    self.about = prey.slot;
                }
            }
            Mode::Hunting => {
                if let Some(prey) = seen {
                    self.noticed = self.now;
                    self.goal = prey.cell;
                } else if self.now.wrapping_sub(self.noticed) > FORGETS_TICKS {
                    self.mode = Mode::Wandering;
                }
            }
            Mode::Fleeing => {
                if seen.is_some() {
                    self.noticed = self.now;
                }
                let recovered = self.actor.hp * 4 >= self.actor.hp_max * 3;
                if self.actor.carried.is_none() && recovered {
                    self.mode = Mode::Hunting;
                }
            }
            Mode::Asleep | Mode::Ally => {}
        }
    }

    fn hunt(&mut self, seen: Option<&'a Prey>) -> Intent {
        // Burrowers feel the footsteps of their prey.
        let fresh = self.now.wrapping_sub(self.noticed) <= KNOWS_TICKS;
        let knows = fresh || self.is(is::BURROWS);
        if knows && let Some(step) = self.step_by_hunt_map() {
            return step;
        }
        if let Some(prey) = seen
            && let Some(step) = self.step_straight(prey.cell, 1)
        {
            return step;
        }
        if !knows {
            if let Some(step) = self.step_by_scent() {
                return step;
            }
            if self.rng.chance(5) {
                self.mode = Mode::Wandering;
                self.about = NO_ACTOR;
            }
        }
        if self.is(is::KEEPS_DISTANCE) {
            return Intent::Wait { ticks: IDLE_TICKS };
        }
        self.shuffle(1)
    }

    fn flee(&mut self, seen: Option<&'a Prey>) -> Intent {
        if self.is(is::BLINKS)
            && self.actor.special_at <= self.now
            && let Some(prey) = seen
        {
            return Intent::Cast { spell: Spell::BlinkAway, target: prey.slot };
        }
        if let Some(step) = self.step_away() {
            return step;
        }
        if !self.has(Effect::Terrified)
            && let Some(target) = self.foe_beside()
        {
            return Intent::Strike { target };
        }
        self.shuffle(0)
    }

    /// Nothing special to do: towards a noise, after the leader, or along the passage.
    fn wander(&mut self) -> Intent {
        if let Some(step) = self.step_by_noise() {
            return step;
        }
        if let Some(step) = self.step_to_leader(3) {
            return step;
        }
        if self.rng.chance(15) {
            return Intent::Wait { ticks: IDLE_TICKS };
        }
        self.roam()
    }

    /// An ally fights what is near its master and stays close otherwise.
    fn serve(&mut self) -> Intent {
        if let Some(target) = self.foe_beside() {
            return Intent::Strike { target };
        }
        if self.has(Effect::Held) || self.is(is::IMMOBILE) {
            return Intent::Wait { ticks: IDLE_TICKS };
        }
        if let Some(foe) = self.foe_near(7)
            && let Some(step) = self.step_straight(foe, 1)
        {
            return step;
        }
        self.step_to_leader(2).unwrap_or(Intent::Wait { ticks: IDLE_TICKS })
    }
}
