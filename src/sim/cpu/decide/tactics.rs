//! What a monster can do besides striking: shots, spells, help for its own.

use super::senses::Prey;
use super::{Intent, Mind};
use crate::game::catalog::Effect;
use crate::game::catalog::monsters::flags as is;
use crate::game::spells::Spell;
use crate::game::state::Mode;

/// Cells that shots and spells carry.
const RANGE: u16 = 12;
/// Cells in which a comrade can be helped.
const HELP_RANGE: u16 = 8;

impl<'a> Mind<'a> {
    /// A power that is ready and of use now.
    pub(super) fn use_powers(&mut self, seen: Option<&'a Prey<'a>>) -> Option<Intent> {
        let powers = is::RANGED | is::HELPS | is::SUMMONS | is::BLINKS;
        if !self.is(powers) || self.actor.special_at > self.now || self.mode != Mode::Hunting {
            return self.help_at_ease();
        }
        if let Some(intent) = self.help() {
            return Some(intent);
        }
        let prey = seen?;
        let gap = prey.pos.chebyshev(self.pos);
        let cast = |spell| Some(Intent::Cast { spell, target: prey.slot });
        if self.is(is::SUMMONS) && self.rng.chance(50) {
            return cast(Spell::Summon);
        }
        if self.is(is::BLINKS) && !self.is(is::KEEPS_DISTANCE) && (4..=9).contains(&gap) {
            return cast(Spell::BlinkTo);
        }
        if self.is(is::BLINKS) && self.is(is::KEEPS_DISTANCE) && gap <= 2 {
            return cast(Spell::BlinkAway);
        }
        if !self.is(is::RANGED) || gap > RANGE || !self.has_shot(prey) {
            return None;
        }
        cast(self.ranged(prey, gap)?)
    }

    /// The shot or bolt to use against somebody in plain view.
    fn ranged(&mut self, prey: &Prey<'_>, gap: u16) -> Option<Spell> {
        let affected = |effect| self.state.is_affected(prey.slot, effect);
        let choices = [
            (is::CASTS_SLOW, Spell::Slow, !affected(Effect::Slowed)),
            (is::CASTS_DISCORD, Spell::Discord, !affected(Effect::Discordant)),
            (is::WEBS, Spell::Web, gap > 2 && !affected(Effect::Held)),
            (is::CASTS_FIRE, Spell::Fire, !affected(Effect::FireImmune)),
            (is::CASTS_SPARK, Spell::Spark, true),
            (is::SHOOTS, Spell::Shoot, gap > 1),
        ];
        let able = choices.into_iter().filter(|&(flag, _, useful)| useful && self.row.has(flag));
        let able: Vec<Spell> = able.map(|(_, spell, _)| spell).collect();
        self.rng.pick(&able).copied()
    }

    /// Whether nobody and nothing stands in the line to the prey.
    fn has_shot(&self, prey: &Prey<'_>) -> bool {
        let line = self.state.line_of_fire(self.actor.cell, prey.cell, usize::from(RANGE));
        line.last() == Some(&prey.cell)
    }

    /// Totems help without hunting anybody.
    fn help_at_ease(&mut self) -> Option<Intent> {
        let at_ease = self.is(is::IMMOBILE) && self.actor.special_at <= self.now;
        if at_ease { self.help() } else { None }
    }

    /// Help for a comrade near by that fights and needs it.
    fn help(&mut self) -> Option<Intent> {
        if !self.is(is::HELPS) {
            return None;
        }
        let comrades = self.state.around(self.actor.cell, HELP_RANGE);
        for at in comrades {
            let Some(other) = self.state.actor_at(at) else { continue };
            let actor = self.state.actor(other);
            let fights = actor.kind != 0 && actor.mode == Mode::Hunting && other != self.slot;
            if !fights || !self.state.is_up(other) || !self.state.has_line(self.actor.cell, at) {
                continue;
            }
            let lacks = |effect| !self.state.is_affected(other, effect);
            let hurt = actor.hp * 4 < actor.hp_max * 3;
            for (flag, spell, useful) in [
                (is::CASTS_HEAL, Spell::Heal, hurt),
                (is::CASTS_SHIELD, Spell::Shield, lacks(Effect::Shielded)),
                (is::CASTS_HASTE, Spell::Haste, lacks(Effect::Hasted)),
            ] {
                if useful && self.is(flag) {
                    return Some(Intent::Cast { spell, target: other });
                }
            }
        }
        None
    }
}
