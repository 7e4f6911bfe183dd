//! Flashes: how bolts and bursts look.

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct FlashRow {
    pub name: &'static str,
    /// 0xRRGGBB.
    pub color: u32,
    /// Drawn where it flies.
    pub glyph: char,
}

macro_rules! flashes {
    ($($name:ident: $text:literal $glyph:literal $color:literal;)*) => {
        /// A look of a bolt or a burst; its number is its row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Flash { $($name),* }

        impl Flash {
            /// Every look, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        /// The table, one row a look.
        pub static ROWS: [FlashRow; Flash::ALL.len()] =
            [$(FlashRow { name: $text, color: $color, glyph: $glyph }),*];
    };
}

flashes! {
    Arrow:       "an arrow"          '/' 0xd8c8a0;
    Dart:        "a dart"            '-' 0xc0c0c8;
    Javelin:     "a javelin"         '/' 0xb08850;
    Thrown:      "something thrown"  '*' 0xe0e0e0;
    Flask:       "a flask"           '!' 0x90d0ff;
    Lightning:   "lightning"         '%' 0xc8d8ff;
    Fire:        "a bolt of fire"    '*' 0xff8030;
    Poison:      "a bolt of poison"  '*' 0x80d040;
    Tunneling:   "a grinding beam"   '*' 0xc09050;
    Blink:       "a streak of light" '*' 0xa0a0ff;
    Slow:        "a heavy beam"      '*' 0x8090c0;
    Haste:       "a quick beam"      '*' 0xffe060;
    Heal:        "a healing beam"    '+' 0x60ffb0;
    Shield:      "a shielding beam"  '*' 0x60e0ff;
    Sleep:       "an entrancing beam" '*' 0xf080d0;
    Crystal:     "a spray of crystal" '*' 0xa0f0f0;
    Web:         "a web"             ':' 0xe0e0e0;
    Spark:       "a spark"           '*' 0xffff90;
    Negate:      "a pale beam"       '*' 0xf0f0f0;
    Discord:     "a discordant beam" '*' 0xff60a0;
    Fear:        "a wave of dread"   '*' 0xc0c060;
    Explosion:   "an explosion"      '*' 0xffb040;
    Flame:       "flames"            '^' 0xff7030;
    Gas:         "a burst of gas"    '~' 0x90c060;
    Splash:      "a splash"          '~' 0x60a0e0;
    Magic:       "a glimmer"         '*' 0xd0b0ff;
    Teleport:    "a shimmer"         '*' 0x90ffff;
    Summon:      "a dark swirl"      '*' 0xa060c0;
    LevelUp:     "a golden light"    '*' 0xffe890;
    Death:       "a fading light"    '*' 0x904040;
    Holy:        "sacred light"      '*' 0xfff8d0;
    Alarm:       "an alarm"          '!' 0xf0f060;
}

impl Flash {
    /// Its row in the table.
    #[must_use]
    pub fn row(self) -> &'static FlashRow {
        &ROWS[self as usize]
    }
}
