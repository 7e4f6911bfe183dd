//! Monsters: one row a kind. Row 0 is the player's own body.

use super::Note;

/// Behaviours that code asks for. A monster may have several.
pub mod flags {
    /// Arrives with others of its band and follows their leader.
    pub const PACK: u64 = 1 << 0;
    /// Runs away below a quarter of its health, and comes back when it has recovered.
    pub const FLEES_HURT: u64 = 1 << 1;
    /// Steps back from whoever comes near.
    pub const KEEPS_DISTANCE: u64 = 1 << 2;
    /// Shoots along a free line.
    pub const SHOOTS: u64 = 1 << 3;
    /// Never leaves the water.
    pub const SWIMS: u64 = 1 << 4;
    /// Cannot be seen in deep water or a bog unless it has just struck.
    pub const SUBMERGES: u64 = 1 << 5;
    /// Goes through walls and leaves a tunnel.
    pub const BURROWS: u64 = 1 << 6;
    /// Takes something and runs.
    pub const STEALS: u64 = 1 << 7;
    pub const BURSTS_METHANE: u64 = 1 << 8;
    pub const BURSTS_POISON: u64 = 1 << 9;
    pub const BURSTS_CONFUSION: u64 = 1 << 10;
    pub const BURSTS_FIRE: u64 = 1 << 11;
    /// Floats over water, lava, traps and webs.
    pub const FLIES: u64 = 1 << 12;
    /// Flutters: a third of its moves go anywhere.
    pub const FLITS: u64 = 1 << 13;
    /// Seen only from beside it, or in gas.
    pub const INVISIBLE: u64 = 1 << 14;
    pub const IMMOBILE: u64 = 1 << 15;
    /// No body of flesh: no poison, no bleeding, no sleep, no mind.
    pub const INANIMATE: u64 = 1 << 16;
    /// Divides when struck.
    pub const SPLITS: u64 = 1 << 17;
    /// Spits webs, and walks through them.
    pub const WEBS: u64 = 1 << 18;
    /// Waits unseen until somebody stands beside it.
    pub const AMBUSHES: u64 = 1 << 19;
    pub const REGENERATES: u64 = 1 << 20;
    /// Neither fire nor lava hurts it.
    pub const FIRE_BORN: u64 = 1 << 21;
    /// Sets fire to what it strikes.
    pub const IGNITES: u64 = 1 << 22;
    pub const CASTS_SPARK: u64 = 1 << 23;
    pub const CASTS_FIRE: u64 = 1 << 24;
    pub const CASTS_SLOW: u64 = 1 << 25;
    pub const CASTS_HASTE: u64 = 1 << 26;
    pub const CASTS_HEAL: u64 = 1 << 27;
    pub const CASTS_SHIELD: u64 = 1 << 28;
    /// Calls `row.summons` to its side.
    pub const SUMMONS: u64 = 1 << 29;
    /// Jumps towards its prey, or away from it.
    pub const BLINKS: u64 = 1 << 30;
    pub const POISONS: u64 = 1 << 31;
    pub const CORRODES: u64 = 1 << 32;
    /// Its blows hold.
    pub const GRABS: u64 = 1 << 33;
    pub const WEAKENS: u64 = 1 << 34;
    /// Takes the health it costs others.
    pub const DRAINS: u64 = 1 << 35;
    /// Never asleep.
    pub const VIGILANT: u64 = 1 << 36;
    /// Lives in and around bogs; made there by preference.
    pub const BOG: u64 = 1 << 37;
    /// Never made by chance: somebody calls it.
    pub const CALLED: u64 = 1 << 38;
    /// Gas does not touch it.
    pub const BREATHLESS: u64 = 1 << 39;
    /// Gone after a while.
    pub const FLEETING: u64 = 1 << 40;
    pub const CASTS_DISCORD: u64 = 1 << 41;
    /// Confuses whom it strikes.
    pub const DAZES: u64 = 1 << 42;
    /// Nobody's foe: it roams without rest and minds nobody.
    pub const MEEK: u64 = 1 << 43;
    /// Everything that needs a target in sight and a free line.
    pub const RANGED: u64 = SHOOTS | WEBS | CASTS_SPARK | CASTS_FIRE | CASTS_SLOW | CASTS_DISCORD;
    /// Everything done for a comrade in sight.
    pub const HELPS: u64 = CASTS_HASTE | CASTS_HEAL | CASTS_SHIELD;
    /// Any way of bursting.
    pub const BURSTS: u64 = BURSTS_METHANE | BURSTS_POISON | BURSTS_CONFUSION | BURSTS_FIRE;
}

use flags::*;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct MonsterRow {
    pub name: &'static str,
    pub glyph: char,
    /// 0xRRGGBB.
    pub color: u32,
    pub hp: i32,
    pub defence: i32,
    /// Chance in a hundred to hit the undefended.
    pub accuracy: i32,
    pub damage: (i32, i32),
    /// Ticks that a step and a blow take.
    pub move_ticks: u32,
    pub attack_ticks: u32,
    /// Floors it is made on.
    pub depths: (u8, u8),
    /// Weight among the monsters of a floor.
    pub frequency: u32,
    pub flags: u64,
    /// How a blow of it reads.
    pub verb: Note,
    /// Whom it summons.
    pub summons: Monster,
    pub description: &'static str,
}

macro_rules! monsters {
    ($($name:ident: $text:literal $glyph:literal $color:literal,
        $hp:literal $defence:literal $accuracy:literal $low:literal-$high:literal,
        $walk:literal $strike:literal, $from:literal-$to:literal $frequency:literal,
        $flags:expr, $verb:ident $summons:ident, $description:literal;)*) => {
        /// A kind of monster; its number is its row and `Actor::kind`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Monster { $(#[doc = $description] $name),* }

        impl Monster {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        /// The table, one row a kind.
        pub static MONSTERS: [MonsterRow; Monster::ALL.len()] = [$(MonsterRow {
            name: $text, glyph: $glyph, color: $color, hp: $hp, defence: $defence,
            accuracy: $accuracy, damage: ($low, $high), move_ticks: $walk, attack_ticks: $strike,
            depths: ($from, $to), frequency: $frequency, flags: $flags, verb: Note::$verb,
            summons: Monster::$summons, description: $description,
        }),*];
    };
}

const BLOAT: u64 = FLIES | FLITS | BREATHLESS;

monsters! {
    // name          what it is called     look         hp def acc damage  walk strike, depths freq, flags, verb summons
    Player:         "you"                  '@' 0xffffff,  40  0  95  1-3,   2  6,   0-0   0,
        0, Hits Rat, "A delver who went down for gold and glory.";
    Rat:            "rat"                  'r' 0xa08060,   6  0  70  1-3,   3  8,   1-4  16,
        FLEES_HURT, Bites Rat, "Grey, quick and always hungry; it runs when hurt.";
    Kobold:         "kobold"               'k' 0xc08050,   8  1  70  1-4,   3 10,   1-6  16,
        0, Hits Rat, "A small digger with a stolen knife and no patience.";
    Jackal:         "jackal"               'j' 0xc0a070,   8  1  70  2-4,   2  8,   1-5  10,
        PACK, Bites Rat, "Where one laughs, the others are near. As fast as you.";
    Eel:            "cave eel"             'e' 0x60a0c0,  18  2  80  3-7,   2 10,   2-16  8,
        SWIMS | SUBMERGES | FLEES_HURT, Bites Rat, "A pale ribbon of muscle that waits below the surface.";
    Monkey:         "thieving monkey"      'm' 0xb08040,  12  2  90  1-3,   2 10,   2-9   9,
        STEALS, Claws Rat, "It wants what you carry, and it knows the way out.";
    Jelly:          "quivering jelly"      'J' 0xf090b0,  50  0  50  1-3,   3 10,   4-12  9,
        SPLITS, Slimes Rat, "Every cut makes two of it.";
    Toad:           "spotted toad"         't' 0x70a040,  16  1  60  1-4,   4 10,   3-11  9,
        POISONS, Slimes Rat, "Its skin sweats venom.";
    Bat:            "blood bat"            'b' 0x906080,  16  2  75  2-6,   2 10,   4-14  9,
        FLIES | FLITS | DRAINS | VIGILANT, Bites Rat, "It drinks on the wing and cannot be pinned down.";
    SlagBloat:      "marsh bladder"        'o' 0xa0b060,   4  0   0  0-0,   8 20,   3-14  7,
        BLOAT | BURSTS_METHANE, Hits Rat, "A drifting skin full of marsh gas. Keep flames away.";
    PoisonBloat:    "venom bladder"        'o' 0x80d040,   4  0   0  0-0,   8 20,   2-13  8,
        BLOAT | BURSTS_POISON, Hits Rat, "A drifting skin full of caustic vapour.";
    DizzyBloat:     "giddy bladder"        'o' 0xd060d0,   4  0   0  0-0,   8 20,   6-18  6,
        BLOAT | BURSTS_CONFUSION, Hits Rat, "A drifting skin full of something sweet and maddening.";
    CinderBloat:    "cinder bladder"       'o' 0xff7030,   4  0   0  0-0,   8 20,   8-24  6,
        BLOAT | BURSTS_FIRE | FIRE_BORN, Hits Rat, "It glows from within, and it is hotter inside.";
    Goblin:         "goblin"               'g' 0x70b050,  15  3  75  2-5,   3  9,   3-11 10,
        PACK, Hits Rat, "Wiry, vicious, seldom alone.";
    GoblinArcher:   "goblin archer"        'g' 0xc0b050,  10  2  75  2-5,   3 12,   3-13  7,
        PACK | SHOOTS | KEEPS_DISTANCE, Hits Rat, "It shoots, steps back, and shoots again.";
    GoblinMystic:   "goblin mystic"        'g' 0x60d0e0,  10  2  60  1-3,   3 12,   4-13  5,
        PACK | CASTS_SHIELD | KEEPS_DISTANCE, Hits Rat, "It hums, and blades slide off its friends.";
    GoblinCaller:   "goblin caller"        'g' 0x9090ff,  10  2  60  1-3,   3 12,   4-13  5,
        PACK | SUMMONS | KEEPS_DISTANCE, Hits SpectralBlade, "It draws knives out of the empty air.";
    SpectralBlade:  "spectral blade"       '/' 0xb0c8ff,   1  0  70  1-3,   2  8,   0-0   0,
        FLIES | INANIMATE | CALLED | FLEETING | VIGILANT | BREATHLESS, Hits Rat, "A knife with no hand behind it. It will not last.";
    AcidSlug:       "acid slug"            'a' 0xb0e020,  15  1  70  1-3,   4 10,   5-14  8,
        CORRODES, Slimes Rat, "What it touches, it eats: armour first.";
    Centipede:      "giant centipede"      'c' 0xb05030,  20  2  90  1-5,   6 14,   6-14  8,
        WEAKENS | POISONS, Bites Rat, "Slow, patient, and its bite takes the strength out of arms.";
    Turret:         "arrow turret"         '|' 0xa0a0a0,  35  9  80  2-6,   0 14,   5-16  6,
        IMMOBILE | SHOOTS | INANIMATE | VIGILANT | BREATHLESS, Hits Rat, "Somebody built it long ago, and it still obeys.";
    Totem:          "war totem"            'T' 0xd09040,  60  0   0  0-0,   0 30,   6-16  3,
        IMMOBILE | INANIMATE | CASTS_HASTE | CASTS_SHIELD | BREATHLESS, Hits Rat, "A carved post that goblins dance about. It quickens them.";
    MireLurker:     "mire lurker"          'B' 0x806030,  50  1 100  3-6,   4 14,   7-16  8,
        SUBMERGES | GRABS | BOG, Hits Rat, "Two arms reach out of the bog, and do not let go.";
    Ogre:           "ogre"                 'O' 0xc0a060,  45  4  80  8-13,  3 18,   7-15 10,
        0, Hits Rat, "As tall as two of you, and each of its fists has a club.";
    OgreShaman:     "ogre shaman"          'O' 0x60c060,  38  3  70  5-9,   3 18,  11-18  6,
        KEEPS_DISTANCE | CASTS_SPARK | CASTS_HASTE | SUMMONS, Hits Ogre, "It calls its kin, and the lightning too.";
    Spider:         "den spider"           's' 0xd0d0d0,  20  5  80  3-7,   4 14,   8-18  8,
        WEBS | POISONS | SHOOTS, Bites Rat, "It spits silk from the dark and comes when you hang in it.";
    MarshLight:     "marsh light"          'w' 0xffd060,  10  7  90  4-8,   2 10,   9-18  7,
        FLIES | FLITS | FIRE_BORN | IGNITES | BREATHLESS, Hits Rat, "A dancing flame that wants company.";
    Worm:           "rock worm"            'W' 0xb08090,  70  3 110  8-14,  4 16,  10-20  7,
        BURROWS, Bites Rat, "The wall is no shelter: it comes through the wall.";
    Zombie:         "shambling corpse"     'z' 0x90a070,  80  0 100  7-12,  6 14,  10-20  8,
        BREATHLESS, Hits Rat, "Slow. It never stops.";
    Wraith:         "wraith"               'W' 0x8090b0,  50  5 110  6-12,  2 12,  11-20  8,
        FLEES_HURT | BREATHLESS, Claws Rat, "A cold shape with long hands; hurt it and it withdraws to wait.";
    Phantom:        "phantom"              'P' 0x606080,  35  7 120  8-14,  3 12,  14-24  7,
        INVISIBLE | FLIES | INANIMATE | BREATHLESS, Claws Rat, "You will feel it before you see it. You will not see it.";
    Troll:          "cave troll"           'T' 0x609050,  65  7 120 10-15,  3 12,  12-26 10,
        REGENERATES, Hits Rat, "Its wounds close as you look at them.";
    Imp:            "blinking imp"         'i' 0xe060a0,  35  8 120  4-9,   2 10,  15-26  8,
        BLINKS | FLEES_HURT | STEALS, Claws Rat, "Here, there, and gone with your purse.";
    Fury:           "fury"                 'f' 0xd04040,  19  8 110  6-11,  2 10,  16-26  7,
        PACK | FLIES, Claws Rat, "They come in threes, screaming.";
    Centaur:        "deep centaur"         'C' 0xb08060,  35  5 120  5-12,  2 18,  13-24  8,
        SHOOTS | KEEPS_DISTANCE, Hits Rat, "It has all the room it needs, and a bow of horn.";
    Siren:          "pool siren"           'n' 0x50d0b0,  60  6 120  7-11,  2 12,  13-26  7,
        SWIMS | SUBMERGES | CASTS_SLOW | DAZES, Claws Rat, "Its song slows the feet; its claws do the rest.";
    Salamander:     "salamander"           'S' 0xff6020,  60  7 120  7-13,  3 12,  14-26  7,
        FIRE_BORN | IGNITES | CASTS_FIRE | BREATHLESS, Bites Rat, "It swims in molten rock and spits it.";
    Mimic:          "mimic"                '?' 0xd0b060,  40  4 110  6-12,  3 10,   6-24  5,
        AMBUSHES | GRABS, Bites Rat, "It looked like treasure.";
    DarkPriest:     "dusk priest"          'p' 0x9060c0,  30  5  90  3-6,   3 14,  13-24  6,
        CASTS_HEAL | CASTS_SLOW | CASTS_DISCORD | BLINKS | KEEPS_DISTANCE, Hits Rat, "It mends the cruel and turns friends against each other.";
    Lich:           "lich"                 'L' 0xe0e0ff,  50  9 130  6-12,  3 14,  18-26  4,
        SUMMONS | CASTS_FIRE | INANIMATE | BREATHLESS | VIGILANT, Claws Phantom, "It has been waiting for somebody to talk to, and then to keep.";
    Horror:         "tentacled horror"     'H' 0xa04080, 120  7 140 25-35,  3 14,  20-26  6,
        GRABS, Hits Rat, "There are too many arms to count in the time you have.";
    Dragon:         "dragon"               'D' 0xff4030, 150  9 150 20-35,  2 14,  22-26  4,
        FIRE_BORN | CASTS_FIRE | IGNITES | VIGILANT, Bites Rat, "Old, awake, and warm. The heart of the deep lies behind it.";
    Moth:           "hall moth"            'v' 0xb0b0a0,   4  0   0  0-0,   2 20,   0-0   0,
        FLIES | VIGILANT | BREATHLESS | CALLED | MEEK, Hits Rat, "It circles in the dark for the sake of circling.";
}

impl Monster {
    /// The kind of a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// The row of an actor's kind.
#[must_use]
pub fn row(kind: u8) -> &'static MonsterRow {
    &MONSTERS[usize::from(kind).min(MONSTERS.len() - 1)]
}

impl MonsterRow {
    /// Whether it has any of `flags`.
    #[must_use]
    pub fn has(&self, flags: u64) -> bool {
        self.flags & flags != 0
    }

    /// Experience for defeating it.
    #[must_use]
    pub fn experience(&self) -> u32 {
        let strength = self.hp + 3 * (self.damage.0 + self.damage.1) + 2 * self.defence;
        let tricks = self.flags.count_ones() as i32 * 2;
        (strength + tricks).max(2) as u32 / 2
    }
}

#[cfg(test)]
mod tests {
    use super::{MONSTERS, Monster, flags, row};

    #[test]
    fn every_floor_has_several_kinds_and_every_kind_a_use() {
        for depth in 1..=26 {
            let kinds = MONSTERS
                .iter()
                .filter(|m| m.frequency > 0 && (m.depths.0..=m.depths.1).contains(&depth));
            assert!(kinds.count() >= 3, "floor {depth}");
        }
        for (number, &kind) in Monster::ALL.iter().enumerate().skip(1) {
            let row = row(kind as u8);
            assert_eq!(Monster::from_number(number as u8), Some(kind));
            assert!(row.hp > 0 && row.attack_ticks > 0 && row.damage.0 <= row.damage.1);
            assert_eq!(row.frequency == 0, row.has(flags::CALLED), "{kind:?}");
            assert_eq!(row.move_ticks == 0, row.has(flags::IMMOBILE), "{kind:?}");
            assert!(!row.has(flags::SUMMONS) || row.summons != Monster::Rat, "{kind:?}");
        }
        assert!(Monster::ALL.len() > 30);
    }
}
