//! Terrain: what a cell is made of.

use serde::{Deserialize, Serialize};

/// Behaviours that code asks for. A terrain may have several.
pub mod flags {
    /// Nobody walks here.
    pub const BLOCKS_MOVE: u16 = 1 << 0;
    /// Sight ends here.
    pub const BLOCKS_SIGHT: u16 = 1 << 1;
    /// Gas does not enter.
    pub const BLOCKS_GAS: u16 = 1 << 2;
    /// Who cannot swim drops things; fire dies.
    pub const DEEP_WATER: u16 = 1 << 3;
    /// Fire dies here; swimmers move freely.
    pub const WATER: u16 = 1 << 4;
    /// Looks like a wall until somebody finds it.
    pub const SECRET: u16 = 1 << 5;
    /// Springs when somebody walks on it.
    pub const TRAP: u16 = 1 << 6;
    /// Leads to another zone.
    pub const STAIRS: u16 = 1 << 7;
    /// Burrowers pass through.
    pub const DIGGABLE: u16 = 1 << 8;
    /// Becomes `trodden` when somebody enters.
    pub const TRAMPLED: u16 = 1 << 9;
    /// Goes back to `trodden`'s counterpart when the last one leaves: an open door closes.
    pub const CLOSES: u16 = 1 << 10;
    /// Opens for whoever carries its key.
    pub const LOCKED: u16 = 1 << 11;
    /// Kills whoever stands in it.
    pub const LAVA: u16 = 1 << 12;
    /// Holds whoever enters for a while.
    pub const ENTANGLES: u16 = 1 << 13;
    /// Gives off light.
    pub const GLOWS: u16 = 1 << 14;
    /// Breathes out methane now and then.
    pub const METHANE_SOURCE: u16 = 1 << 15;
}

use flags::*;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct TerrainRow {
    pub name: &'static str,
    pub glyph: char,
    /// Foreground and background, 0xRRGGBB.
    pub colors: (u32, u32),
    pub flags: u16,
    /// Chance per tick, in 256ths, to catch fire from a burning neighbour; 0 does not burn.
    pub ignition: u8,
    /// Ticks it burns for.
    pub burn_ticks: u8,
    /// What is left when it has burnt.
    pub burnt: Terrain,
    /// What it becomes under a foot, when found, or when opened (see its flags).
    pub trodden: Terrain,
}

macro_rules! terrains {
    ($($name:ident: $text:literal $glyph:literal $fg:literal $bg:literal, $flags:expr, $ignition:literal $ticks:literal => $burnt:ident, $trodden:ident;)*) => {
        /// A kind of terrain; its number is its row.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Terrain { #[default] $($name),* }

        impl Terrain {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        /// The table, one row a kind.
        pub static TERRAINS: [TerrainRow; Terrain::ALL.len()] = [$(TerrainRow {
            name: $text, glyph: $glyph, colors: ($fg, $bg), flags: $flags,
            ignition: $ignition, burn_ticks: $ticks,
            burnt: Terrain::$burnt, trodden: Terrain::$trodden,
        }),*];
    };
}

const SOLID: u16 = BLOCKS_MOVE | BLOCKS_SIGHT | BLOCKS_GAS;

terrains! {
    // name           what it is called        glyph  colour   ground    flags                               ignition ticks => burnt, trodden
    Granite:          "granite"                '#'  0x4a4652 0x1c1a22,  SOLID,                                 0   0 => Granite,      Granite;
    Wall:             "a stone wall"           '#'  0x8a8296 0x2e2a38,  SOLID | DIGGABLE,                      0   0 => Wall,         Wall;
    Floor:            "the ground"             '.'  0x6d6678 0x14121a,  0,                                     0   0 => Floor,        Floor;
    Door:             "a wooden door"          '+'  0xc08a4a 0x3a2410,  BLOCKS_SIGHT | BLOCKS_GAS | TRAMPLED, 50  40 => Ash,          OpenDoor;
    OpenDoor:         "an open door"           '\'' 0xc08a4a 0x1e140a,  CLOSES,                               50  40 => Ash,          Door;
    LockedDoor:       "a locked vault door"    '+'  0xd8d060 0x4a4420,  SOLID | LOCKED,                        0   0 => LockedDoor,   OpenDoor;
    SecretDoor:       "a stone wall"           '#'  0x8a8296 0x2e2a38,  SOLID | SECRET,                        0   0 => SecretDoor,   Door;
    StairsDown:       "stairs leading down"    '>'  0xffe090 0x30261a,  STAIRS,                                0   0 => StairsDown,   StairsDown;
    StairsUp:         "stairs leading up"      '<'  0xffe090 0x30261a,  STAIRS,                                0   0 => StairsUp,     StairsUp;
    Grass:            "grass"                  '"'  0x4e8a3a 0x12200e,  0,                                    90  12 => Ash,          Grass;
    TallGrass:        "tall grass"             '&'  0x6cb84a 0x16280f,  BLOCKS_SIGHT | TRAMPLED,             110  16 => Ash,          Grass;
    DeadGrass:        "withered grass"         '"'  0x9a8a4a 0x201c10,  0,                                   150   8 => Ash,          DeadGrass;
    Bush:             "a thorny bush"          '%'  0x3e7a2e 0x10200c,  BLOCKS_SIGHT | ENTANGLES | TRAMPLED,  80  24 => Ash,          Grass;
    ShallowWater:     "shallow water"          '~'  0x5a9ad0 0x14344e,  WATER,                                 0   0 => ShallowWater, ShallowWater;
    DeepWater:        "deep water"             '~'  0x3a6ab8 0x0a1c44,  WATER | DEEP_WATER,                    0   0 => DeepWater,    DeepWater;
    Mud:              "a bog"                  '~'  0x8a6a3a 0x2a2010,  METHANE_SOURCE,                        0   0 => Mud,          Mud;
    Bridge:           "a plank bridge"         '='  0xb8864a 0x3a2614,  0,                                    60  40 => DeepWater,    Bridge;
    StoneBridge:      "a stone bridge"         '='  0xa8a0b0 0x34303c,  0,                                     0   0 => StoneBridge,  StoneBridge;
    Lava:             "molten rock"            '~'  0xffb040 0xa02c08,  LAVA | GLOWS,                          0   0 => Lava,         Lava;
    Rubble:           "rubble"                 ','  0x8a8494 0x18161e,  0,                                     0   0 => Rubble,       Rubble;
    Bones:            "old bones"              ','  0xd8d0b8 0x18161c,  0,                                     0   0 => Bones,        Bones;
    Statue:           "a marble statue"        'S'  0xd8d8e8 0x26242e,  BLOCKS_MOVE | BLOCKS_GAS,              0   0 => Statue,       Statue;
    Pillar:           "a pillar"               'I'  0xa8a0b8 0x2a2834,  SOLID,                                 0   0 => Pillar,       Pillar;
    Ash:              "ashes"                  '.'  0x4a4648 0x121012,  0,                                     0   0 => Ash,          Ash;
    Fungus:           "luminescent fungus"     '"'  0x60e0c0 0x0c2420,  GLOWS,                                 0   0 => Fungus,       Fungus;
    Torch:            "a torch on the wall"    '#'  0xffc860 0x4a3418,  SOLID | GLOWS,                         0   0 => Torch,        Torch;
    Altar:            "an altar"               '_'  0xe0d8ff 0x302848,  GLOWS,                                 0   0 => Altar,        Altar;
    Carpet:           "a worn carpet"          '.'  0xa04848 0x2c1014,  0,                                    70  16 => Ash,          Carpet;
    Web:              "a spider's web"         ':'  0xd8d8d8 0x1a1a20,  ENTANGLES | TRAMPLED,                180   4 => Floor,        Floor;
    Fountain:         "a fountain"             '{'  0x80c8ff 0x183448,  BLOCKS_MOVE | WATER,                   0   0 => Fountain,     Fountain;
    HiddenPoisonTrap: "the ground"             '.'  0x6d6678 0x14121a,  TRAP | SECRET,                         0   0 => Floor,        PoisonTrap;
    PoisonTrap:       "a caustic trap"         '^'  0x80d040 0x14121a,  TRAP,                                  0   0 => Floor,        PoisonTrap;
    HiddenConfusionTrap: "the ground"          '.'  0x6d6678 0x14121a,  TRAP | SECRET,                         0   0 => Floor,        ConfusionTrap;
    ConfusionTrap:    "a confusion trap"       '^'  0xd060d0 0x14121a,  TRAP,                                  0   0 => Floor,        ConfusionTrap;
    HiddenFireTrap:   "the ground"             '.'  0x6d6678 0x14121a,  TRAP | SECRET,                         0   0 => Floor,        FireTrap;
    FireTrap:         "a flame trap"           '^'  0xff7030 0x14121a,  TRAP,                                  0   0 => Floor,        FireTrap;
    HiddenAlarmTrap:  "the ground"             '.'  0x6d6678 0x14121a,  TRAP | SECRET,                         0   0 => Floor,        AlarmTrap;
    AlarmTrap:        "an alarm trap"          '^'  0xf0f060 0x14121a,  TRAP,                                  0   0 => Floor,        AlarmTrap;
    MethaneVent:      "a methane vent"         '^'  0x90a060 0x14121a,  METHANE_SOURCE,                        0   0 => MethaneVent,  MethaneVent;
    ArenaSand:        "arena sand"             '.'  0xc8b080 0x2c2416,  0,                                     0   0 => ArenaSand,    ArenaSand;
    ArenaGate:        "a gate of the arena"    '∩'  0xff6a6a 0x3a1418,  STAIRS | GLOWS,                        0   0 => ArenaGate,    ArenaGate;
}

impl Terrain {
    /// The kind of a number, as stored in a plane of a zone.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its row in the table.
    #[must_use]
    pub fn row(self) -> &'static TerrainRow {
        &TERRAINS[self as usize]
    }

    /// Whether it has any of `flags`.
    #[must_use]
    pub fn has(self, flags: u16) -> bool {
        TERRAINS[self as usize].flags & flags != 0
    }

    /// What somebody who has not found its secret sees in its place.
    #[must_use]
    pub fn apparent(self) -> Self {
        if !self.has(SECRET) {
            self
        } else if self.has(BLOCKS_MOVE) {
            Self::Wall
        } else {
            Self::Floor
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Terrain, flags::*};

    #[test]
    fn numbers_and_rows_agree() {
        for (number, &terrain) in Terrain::ALL.iter().enumerate() {
            assert_eq!(Terrain::from_number(u8::try_from(number).unwrap()), Some(terrain));
            assert!(!terrain.row().name.is_empty());
        }
        assert_eq!(Terrain::from_number(u8::try_from(Terrain::ALL.len()).unwrap()), None);
        assert!(Terrain::ALL.len() < 64, "a terrain is six bits of a cell's appearance");
    }

    #[test]
    fn a_secret_looks_like_what_hides_it() {
        for &terrain in Terrain::ALL {
            assert!(!terrain.apparent().has(SECRET));
            if terrain.has(SECRET) {
                assert_eq!(terrain.row().glyph, terrain.apparent().row().glyph);
                assert_eq!(terrain.row().colors, terrain.apparent().row().colors);
            }
        }
    }

    #[test]
    fn what_burns_leaves_something_that_does_not_burn_again_at_once() {
        for &terrain in Terrain::ALL.iter().filter(|t| t.row().ignition > 0) {
            assert!(terrain.row().burn_ticks > 0, "{terrain:?}");
            assert_eq!(terrain.row().burnt.row().ignition, 0, "{terrain:?}");
        }
    }
}
