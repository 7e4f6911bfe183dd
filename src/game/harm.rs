//! Health and effects.

use super::catalog::monsters::flags as is;
use super::catalog::{Effect, Note};
use super::state::{Cause, Dying, Mode, Subject, ZoneState};
use super::turn::Turn;

/// Ticks that flames cling to whoever caught fire.
const BURNING_TICKS: u32 = 60;

impl ZoneState {
    /// The ticks that something takes an actor, hasted or slowed.
    #[must_use]
    pub fn pace(&self, slot: u16, ticks: u32) -> u64 {
        let mut ticks = u64::from(ticks.max(1));
        if self.is_affected(slot, Effect::Slowed) {
            ticks *= 2;
        }
        if self.is_affected(slot, Effect::Hasted) {
            ticks = ticks.div_ceil(2);
        }
        ticks
    }

    /// Whether an effect cannot touch an actor.
    #[must_use]
    pub fn is_immune(&self, slot: u16, effect: Effect) -> bool {
        let row = self.row(slot);
        match effect {
            Effect::Poisoned | Effect::Weakened | Effect::Terrified | Effect::Confused => {
                row.has(is::INANIMATE)
            }
            Effect::Burning => row.has(is::FIRE_BORN) || self.is_affected(slot, Effect::FireImmune),
            Effect::Held => row.has(is::IMMOBILE),
            Effect::Paralysed => row.has(is::INANIMATE),
            Effect::Hasted
            | Effect::Slowed
            | Effect::Levitating
            | Effect::Telepathic
            | Effect::Discordant
            | Effect::Shielded
            | Effect::Regenerating
            | Effect::Darkened
            | Effect::FireImmune => false,
        }
    }
}

impl Turn<'_> {
    /// Takes health; what falls to 0 is dead at the end of the tick. Nothing hurts the guarded,
    /// fire does not hurt the fire-born, shields keep off two thirds of blows and bolts. Whoever is
    /// hurt wakes up and turns on its enemy, or flees. Returns what it lost.
    pub fn damage(&mut self, slot: u16, amount: i32, source: Subject, cause: Cause) -> i32 {
        if !self.state.is_up(slot) || amount <= 0 {
            return 0;
        }
        let scripted = cause == Cause::Vanish;
        if self.state.is_guarded(slot) && !scripted {
            return 0;
        }
        let burns = matches!(cause, Cause::Fire | Cause::Lava);
        if burns && self.state.is_immune(slot, Effect::Burning) {
            return 0;
        }
        let mut amount = amount;
        let shieldable = matches!(cause, Cause::Blow | Cause::Missile | Cause::Spell);
        if shieldable && self.state.is_affected(slot, Effect::Shielded) {
            amount = (amount + 2) / 3;
            let other = self.state.subject(slot);
            let cell = self.state.actor(slot).cell;
            let seen = super::state::Audience::Sight(cell);
            self.note(seen, Note::Shielded, Subject::Nobody, other, None, 0);
        }
        let tick = self.state.tick;
        let now = self.now();
        if let Some(player) = self.state.player_mut(slot) {
            player.fought_at = tick;
        }
        let actor = self.state.actor_mut(slot);
        let lost = amount.min(actor.hp);
        actor.hp -= lost;
        if actor.hp <= 0 {
            self.state.derived.dying.push(Dying { slot, source, cause });
        } else if actor.kind != 0 {
            actor.noticed = now;
            if matches!(actor.mode, Mode::Asleep | Mode::Wandering) {
                actor.mode = Mode::Hunting;
            }
            // Sleep of the spellbound ends with pain.
            actor.effects[Effect::Paralysed as usize] = 0;
            self.lose_heart(slot);
        }
        lost
    }

    fn lose_heart(&mut self, slot: u16) {
        let row = self.state.row(slot);
        let actor = self.state.actor(slot);
        if row.has(is::FLEES_HURT) && actor.mode == Mode::Hunting && actor.hp * 4 <= actor.hp_max {
            self.state.actor_mut(slot).mode = Mode::Fleeing;
            self.report(slot, Note::Flees, Subject::Nobody, 0);
        }
    }

    /// Gives health back, up to the most it can have; returns how much.
    pub fn heal(&mut self, slot: u16, amount: i32) -> i32 {
        if !self.state.is_up(slot) {
            return 0;
        }
        let actor = self.state.actor_mut(slot);
        let gained = amount.clamp(0, (actor.hp_max - actor.hp).max(0));
        actor.hp += gained;
        gained
    }

    /// Lays an effect on an actor for `ticks`, or prolongs it to that; says so when it begins.
    /// Returns whether it took hold.
    pub fn affect(&mut self, slot: u16, effect: Effect, ticks: u32) -> bool {
        let guarded = self.state.is_guarded(slot) && !effect.row().good;
        if ticks == 0 || !self.state.is_up(slot) || guarded || self.state.is_immune(slot, effect) {
            return false;
        }
        let until = self.now().saturating_add(ticks);
        let begins = !self.state.is_affected(slot, effect);
        let end = &mut self.state.actor_mut(slot).effects[effect as usize];
        *end = (*end).max(until);
        if effect == Effect::Hasted {
            self.state.actor_mut(slot).effects[Effect::Slowed as usize] = 0;
        }
        if effect == Effect::Slowed {
            self.state.actor_mut(slot).effects[Effect::Hasted as usize] = 0;
        }
        if begins && let Some((begin, _)) = effect_notes(effect) {
            self.report(slot, begin, Subject::Nobody, 0);
        }
        true
    }

    /// Ends an effect; returns whether there was one.
    pub fn cure(&mut self, slot: u16, effect: Effect) -> bool {
        if !self.state.is_affected(slot, effect) {
            return false;
        }
        self.state.actor_mut(slot).effects[effect as usize] = 0;
        self.tell_end(slot, effect);
        true
    }

    /// Says that an effect has ended.
    pub fn tell_end(&mut self, slot: u16, effect: Effect) {
        if let Some((_, end)) = effect_notes(effect) {
            self.tell(slot, end, None, 0);
        }
    }

    /// Flames cling to an actor unless it stands in water or fire cannot hurt it.
    pub fn catch_fire(&mut self, slot: u16) {
        let cell = self.state.actor(slot).cell;
        let wet = self.state.terrain_has(cell, super::catalog::terrain::flags::WATER);
        if !wet || self.state.floats(slot) {
            self.affect(slot, Effect::Burning, BURNING_TICKS);
        }
    }
}

/// What is said when an effect begins and ends.
fn effect_notes(effect: Effect) -> Option<(Note, Note)> {
    Some(match effect {
        Effect::Hasted => (Note::Hasted, Note::HasteEnds),
        Effect::Slowed => (Note::Slowed, Note::SlowEnds),
        Effect::Confused => (Note::Confused, Note::ConfusionEnds),
        Effect::Paralysed => (Note::Paralysed, Note::ParalysisEnds),
        Effect::Poisoned => (Note::Poisoned, Note::PoisonEnds),
        Effect::Levitating => (Note::Levitates, Note::LevitationEnds),
        Effect::Telepathic => (Note::Telepathic, Note::TelepathyEnds),
        Effect::Discordant => (Note::Discordant, Note::DiscordEnds),
        Effect::Shielded => (Note::ShieldUp, Note::ShieldEnds),
        Effect::Weakened => (Note::Weakened, Note::WeaknessEnds),
        Effect::Regenerating => (Note::Regenerates, Note::RegenerationEnds),
        Effect::Burning => (Note::CatchesFire, Note::FireDies),
        Effect::Darkened => (Note::Darkened, Note::DarknessEnds),
        Effect::Terrified => (Note::Terrified, Note::TerrorEnds),
        Effect::FireImmune => (Note::FireImmune, Note::FireImmunityEnds),
        Effect::Held => return None,
    })
}
