//! Effects: what holds an actor for some ticks.

use crate::game::state::EFFECTS;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct EffectRow {
    /// Shown beside the character: "Hasted".
    pub name: &'static str,
    /// 0xRRGGBB.
    pub color: u32,
    /// Whether somebody would want it.
    pub good: bool,
    /// Whether negation ends it.
    pub magical: bool,
    /// What it does while it lasts, for whoever implements or explains it.
    pub meaning: &'static str,
}

macro_rules! effects {
    ($($name:ident: $text:literal $color:literal, $good:literal $magical:literal, $meaning:literal;)*) => {
        /// A kind of effect; its number is its row and its place in `effects` of an actor.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Effect { $(#[doc = $meaning] $name),* }

        impl Effect {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        /// The table, one row a kind.
        pub static ROWS: [EffectRow; EFFECTS] = [$(EffectRow {
            name: $text, color: $color, good: $good, magical: $magical, meaning: $meaning,
        }),*];
    };
}

effects! {
    // name        shown            colour    good  magical  meaning
    Hasted:       "Hasted"         0xffe060, true  true,  "Acts twice as fast.";
    Slowed:       "Slowed"         0x8090c0, false true,  "Acts half as fast.";
    Confused:     "Confused"       0xd060d0, false false, "Stumbles in random directions.";
    Paralysed:    "Paralysed"      0xf080a0, false false, "Does nothing at all.";
    Poisoned:     "Poisoned"       0x80d040, false false, "Loses health steadily and does not recover.";
    Levitating:   "Levitating"     0xa0c8ff, true  true,  "Floats over water, lava and traps.";
    Telepathic:   "Telepathic"     0xb080ff, true  true,  "Sees every mind on the floor.";
    Discordant:   "Discordant"     0xff60a0, false true,  "Is everybody's enemy, and everybody is its own.";
    Shielded:     "Shielded"       0x60e0ff, true  true,  "Takes a third of the damage of blows and bolts.";
    Weakened:     "Weakened"       0xa08070, false false, "Hits weakly and wears armour as if less strong.";
    Regenerating: "Regenerating"   0x60ff90, true  false, "Recovers health much faster.";
    Burning:      "Burning"        0xff8030, false false, "Takes fire damage until it goes out or into water.";
    Held:         "Held"           0xd8d8d8, false false, "Cannot leave its cell; it may still act.";
    Darkened:     "Darkened"       0x6060a0, true  true,  "Is hard to notice, and sees less far.";
    Terrified:    "Terrified"      0xc0c060, false true,  "Flees and does not attack.";
    FireImmune:   "Immune to fire" 0xff5030, true  true,  "Is not hurt by fire, and not by lava.";
}

impl Effect {
    /// Its row in the table.
    #[must_use]
    pub fn row(self) -> &'static EffectRow {
        &ROWS[self as usize]
    }

    /// The kind of a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, ROWS};

    #[test]
    fn numbers_and_rows_agree() {
        assert_eq!(Effect::ALL.len(), ROWS.len());
        for (number, &effect) in Effect::ALL.iter().enumerate() {
            assert_eq!(Effect::from_number(u8::try_from(number).unwrap()), Some(effect));
            assert!(!effect.row().name.is_empty() && effect.row().color <= 0xff_ffff);
        }
    }
}
