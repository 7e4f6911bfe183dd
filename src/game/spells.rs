//! What monsters do at a distance: shots, spells, calls for help, leaps.

use super::catalog::monsters::{self, flags as is};
use super::catalog::terrain::flags;
use super::catalog::{Effect, Flash, Monster, Note, Terrain};
use super::items;
use super::state::{Cause, Mode, Subject};
use super::turn::{Turn, purpose};

/// A power that a monster uses on somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spell {
    Shoot,
    Web,
    Spark,
    Fire,
    Slow,
    Discord,
    Haste,
    Heal,
    Shield,
    Summon,
    BlinkTo,
    BlinkAway,
}

impl Spell {
    /// Ticks until its owner can use its powers again.
    const fn rest_ticks(self) -> u32 {
        match self {
            Self::Shoot => 0,
            Self::Spark | Self::Fire => 40,
            Self::Web | Self::Heal => 80,
            Self::Slow | Self::Haste | Self::Shield => 120,
            Self::Discord | Self::BlinkTo | Self::BlinkAway => 100,
            Self::Summon => 400,
        }
    }
}

/// Monsters on a floor beyond which nobody can call for more.
const SUMMON_LIMIT: u32 = 4_000;
/// Cells that a leap covers.
const BLINK_CELLS: usize = 6;

impl Turn<'_> {
    /// Lets a monster use a power on `target`.
    pub fn cast(&mut self, slot: u16, spell: Spell, target: u16) {
        if !self.state.is_up(slot) || !self.state.is_up(target) {
            return;
        }
        let ready = self.now() + spell.rest_ticks();
        self.surface(slot);
        let actor = self.state.actor_mut(slot);
        actor.special_at = actor.special_at.max(ready);
        let (from, to) = (self.state.actor(slot).cell, self.state.actor(target).cell);
        let other = self.state.subject(target);
        match spell {
            Spell::Shoot => self.shoot(slot, target),
            Spell::Spark => self.spark(slot, target),
            Spell::Fire => {
                self.bolt(Flash::Fire, from, to);
                self.report(slot, Note::CastsFire, other, 0);
                let mut rng = self.rng(purpose::SPELL + u64::from(slot));
                let source = self.state.subject(slot);
                self.damage(target, rng.between(3, 9), source, Cause::Fire);
                self.ignite(to);
                self.catch_fire(target);
            }
            Spell::Web => {
                self.bolt(Flash::Web, from, to);
                self.report(slot, Note::SpinsWeb, other, 0);
                self.spin_webs(to);
                self.affect(target, Effect::Held, 40);
            }
            Spell::Slow => {
                self.bewitch((slot, target), (Flash::Slow, Note::CastsSlow), Effect::Slowed, 200);
            }
            Spell::Discord => self.bewitch(
                (slot, target),
                (Flash::Discord, Note::CastsDiscord),
                Effect::Discordant,
                100,
            ),
            Spell::Haste => {
                self.bewitch((slot, target), (Flash::Haste, Note::CastsHaste), Effect::Hasted, 200);
            }
            Spell::Shield => self.bewitch(
                (slot, target),
                (Flash::Shield, Note::CastsShield),
                Effect::Shielded,
                200,
            ),
            Spell::Heal => {
                self.bolt(Flash::Heal, from, to);
                let amount = self.state.actor(target).hp_max / 3;
                self.heal(target, amount);
                self.report(slot, Note::CastsHeal, other, amount);
            }
            Spell::Summon => self.summon(slot),
            Spell::BlinkTo => self.blink(slot, to, true),
            Spell::BlinkAway => self.blink(slot, to, false),
        }
    }

    fn shoot(&mut self, slot: u16, target: u16) {
        let (from, to) = (self.state.actor(slot).cell, self.state.actor(target).cell);
        let row = self.state.row(slot);
        let other = self.state.subject(target);
        self.bolt(if row.has(is::POISONS) { Flash::Poison } else { Flash::Arrow }, from, to);
        let mut rng = self.rng(purpose::SPELL + u64::from(slot));
        items::armor_used(self, target);
        if rng.below(1_000) as i32 >= self.state.chance_to_hit(row.accuracy, target) {
            self.report(slot, Note::ShotMisses, other, 0);
            return;
        }
        let source = self.state.subject(slot);
        let amount = rng.between(row.damage.0, row.damage.1);
        let done = self.damage(target, amount, source, Cause::Missile);
        self.report(slot, Note::Shoots, other, done);
        if done > 0 && row.has(is::POISONS) {
            self.affect(target, Effect::Poisoned, 40 + 10 * done as u32);
        }
    }

    fn spark(&mut self, slot: u16, target: u16) {
        let (from, to) = (self.state.actor(slot).cell, self.state.actor(target).cell);
        let mut rng = self.rng(purpose::SPELL + u64::from(slot));
        let (source, other) = (self.state.subject(slot), self.state.subject(target));
        self.bolt(Flash::Spark, from, to);
        let done = self.damage(target, rng.between(3, 10), source, Cause::Spell);
        self.report(slot, Note::CastsSpark, other, done);
        // A spark sets off what it flies through.
        for cell in self.state.line_of_fire(from, to, 12) {
            if self.state.gas[super::catalog::Gas::Methane as usize][cell as usize] > 0 {
                self.ignite(cell);
            }
        }
    }

    fn bewitch(
        &mut self,
        (slot, target): (u16, u16),
        (look, code): (Flash, Note),
        effect: Effect,
        ticks: u32,
    ) {
        let (from, to) = (self.state.actor(slot).cell, self.state.actor(target).cell);
        let other = self.state.subject(target);
        self.bolt(look, from, to);
        self.report(slot, code, other, 0);
        self.affect(target, effect, ticks);
    }

    fn spin_webs(&mut self, cell: u32) {
        let plain = [Terrain::Floor, Terrain::Carpet, Terrain::Rubble, Terrain::Bones];
        for at in self.state.around(cell, 1) {
            let mut rng = self.rng(purpose::SPELL ^ u64::from(at) << 8);
            if plain.contains(&self.state.terrain[at as usize]) && rng.chance(50) {
                self.set_terrain(at, Terrain::Web);
            }
        }
    }

    fn summon(&mut self, slot: u16) {
        let row = self.state.row(slot);
        let (cell, mode) = (self.state.actor(slot).cell, self.state.actor(slot).mode);
        let called = row.summons;
        if self.state.derived.monsters >= SUMMON_LIMIT {
            return;
        }
        let count = if monsters::row(called as u8).has(is::FLEETING) { 3 } else { 1 };
        let mut came = false;
        for _ in 0..count {
            let Some(at) = self.state.free_cell_for(called as u8, cell, 2) else { break };
            came |= self.call(called, at, mode, slot);
        }
        if came {
            self.report(slot, Note::Summons, Subject::Nobody, 0);
            self.burst(Flash::Summon, cell, 2);
        }
    }

    fn call(&mut self, kind: Monster, cell: u32, mode: Mode, leader: u16) -> bool {
        let now = self.now();
        let Some(new) = self.spawn_monster(kind as u8, cell, mode) else { return false };
        let actor = self.state.actor_mut(new);
        actor.leader = leader;
        actor.noticed = now;
        true
    }

    /// A leap along the line to somebody, or away from them.
    fn blink(&mut self, slot: u16, of: u32, towards: bool) {
        let cell = self.state.actor(slot).cell;
        let kind = self.state.actor(slot).kind;
        let aim = if towards {
            of
        } else {
            let (here, there) = (self.state.pos(cell), self.state.pos(of));
            let mirror = |h: u16, t: u16, most: u16| {
                (2 * i32::from(h) - i32::from(t)).clamp(1, i32::from(most) - 2) as u16
            };
            let x = mirror(here.x, there.x, self.state.width);
            let y = mirror(here.y, there.y, self.state.height);
            self.state.cell(crate::model::Pos::new(x, y))
        };
        let open = |at: &u32| !self.state.terrain_has(*at, flags::BLOCKS_MOVE);
        let line = self.state.line(cell, aim, BLINK_CELLS);
        let path = line.into_iter().take_while(|at| open(at) && (!towards || *at != of));
        let landing = path
            .filter(|&at| self.state.actor_at(at).is_none() && self.state.can_stand(kind, at))
            .last();
        if let Some(to) = landing {
            self.report(slot, Note::Blinks, Subject::Nobody, 0);
            self.bolt(Flash::Blink, cell, to);
            self.relocate(slot, to);
        }
    }
}
