//! Items: one row a kind. What an item does is its row's action and gear, never which row it is.

use super::{Effect, Gas};
use crate::game::item::{Item, ItemKind};

/// What sort of thing an item is; decides its glyph and which verbs it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    Gold,
    Key,
    Potion,
    Scroll,
    Weapon,
    Armor,
    Staff,
    Charm,
    Prize,
}

impl Category {
    /// Its name for clients, its glyph, and whether its kinds are unknown at first.
    #[must_use]
    pub const fn traits(self) -> (&'static str, char, bool) {
        match self {
            Self::Gold => ("gold", '$', false),
            Self::Key => ("key", '-', false),
            Self::Potion => ("potion", '!', true),
            Self::Scroll => ("scroll", '?', true),
            Self::Weapon => ("weapon", ')', false),
            Self::Armor => ("armor", '[', false),
            Self::Staff => ("staff", '/', true),
            Self::Charm => ("charm", '"', true),
            Self::Prize => ("prize", '*', false),
        }
    }

    /// Whether somebody who meets its kinds has to find out what they are.
    #[must_use]
    pub const fn is_flavoured(self) -> bool {
        self.traits().2
    }

    /// Whether one piece is used up by using it.
    #[must_use]
    pub const fn is_consumed(self) -> bool {
        matches!(self, Self::Potion | Self::Scroll)
    }
}

/// Behaviours that code asks for.
pub mod flags {
    /// Does harm to whoever uses it; better thrown.
    pub const MALEVOLENT: u16 = 1 << 0;
    /// Made for throwing: full damage and accuracy.
    pub const THROWN: u16 = 1 << 1;
    /// Used up where it lands, in flames.
    pub const INCENDIARY: u16 = 1 << 2;
    /// Has to be wielded to be pointed at anything.
    pub const SHOOTS: u16 = 1 << 3;
    /// Burns when fire reaches it on the ground.
    pub const FLAMMABLE: u16 = 1 << 4;
    /// Lies in vaults, not on open floors.
    pub const TREASURE: u16 = 1 << 5;
    /// Never lost: fire, water and lava leave it alone.
    pub const INDESTRUCTIBLE: u16 = 1 << 6;
}

/// What a weapon's blow does besides; bits of [`Gear::Weapon`]'s `special`.
pub mod special {
    /// Five times the damage to whoever does not notice (three times for other weapons).
    pub const ASSASSIN: u8 = 1 << 0;
    /// Hits everyone around.
    pub const SWEEPS: u8 = 1 << 1;
    /// Hits the one behind, too.
    pub const PIERCES: u8 = 1 << 2;
    /// Triple damage without fail after a step towards a foe across one free cell.
    pub const LUNGES: u8 = 1 << 3;
    /// Reaches foes up to three cells away in a straight line.
    pub const REACHES: u8 = 1 << 4;
}

/// What a staff or bow does to the one its bolt meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bolt {
    Arrow,
    Lightning,
    Fire,
    Poison,
    Tunnel,
    Blink,
    Slow,
    Entrance,
    Web,
    Heal,
    Haste,
    Protect,
}

/// What a potion or charm gives to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boon {
    /// Heals this percentage of full health and cures.
    Heal(i32),
    /// More health for good.
    Life,
    Strength,
    /// An effect for some ticks.
    Affect(Effect, u32),
}

/// What a potion does to the place where it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spill {
    /// An effect for some ticks on everyone this many cells around.
    Burst(Effect, u32, u16),
    /// So many units of gas.
    Cloud(Gas, u32),
    Flames,
    Fungus,
}

/// What a scroll or charm does to the user's pack and surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spell {
    Enchant,
    Identify,
    RemoveNegativity,
    Recharge,
    Teleport,
    /// Shields for so many ticks the user and friends near by.
    ShieldFriends(u32),
    MapFloor,
    Negate,
    Shatter,
    Aggravate,
    Summon,
    /// Drives monsters away and heals friends a little.
    Sanctity,
    Discord,
    Fear,
}

/// What an item does when it is used (drunk, read, rubbed), thrown if it is a potion, or pointed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    None,
    Grant(Boon),
    Open(Spill),
    Cast(Spell),
    Aim(Bolt),
}

/// What an item is to whoever wields or wears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gear {
    None,
    /// Damage range, strength needed, weight of a blow in ticks (a fight draws all of them out
    /// alike), bits of [`special`].
    Weapon {
        damage: (i32, i32),
        strength: u8,
        ticks: u8,
        special: u8,
    },
    /// Protection in tenths of a point, strength needed.
    Armor {
        value: i32,
        strength: u8,
    },
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ItemRow {
    pub name: &'static str,
    pub category: Category,
    /// 0xRRGGBB.
    pub color: u32,
    /// How often it is found among its category; 0: only by guarantee or in special places.
    pub frequency: u16,
    /// First and last floor where it is found.
    pub depths: (u8, u8),
    pub flags: u16,
    pub action: Action,
    pub gear: Gear,
    pub description: &'static str,
}

use Action::*;
use Boon::*;
use Spell::*;
use Spill::*;
use flags::*;
use special::*;

const N: Gear = Gear::None;

const fn weapon(damage: (i32, i32), strength: u8, ticks: u8, special: u8) -> Gear {
    Gear::Weapon { damage, strength, ticks, special }
}

const fn armor(value: i32, strength: u8) -> Gear {
    Gear::Armor { value, strength }
}

macro_rules! items {
    ($($kind:ident: $category:ident $name:literal $color:literal, $frequency:literal ($from:literal $to:literal), $flags:expr, $action:expr, $gear:expr, $description:literal;)*) => {
        /// The kinds by name; a kind's number is its row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($kind),* }

        impl Kind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];
        }

        /// The table, one row a kind.
        pub static ROWS: [ItemRow; Kind::ALL.len()] = [$(ItemRow {
            name: $name, category: Category::$category, color: $color, frequency: $frequency,
            depths: ($from, $to), flags: $flags, action: $action, gear: $gear,
            description: $description,
        }),*];
    };
}

#[rustfmt::skip]
items! {
    // kind        category name                        colour   often floors  flags, action, gear, description
    Gold:          Gold   "gold pieces"                0xffe060,  0 (1 26), INDESTRUCTIBLE, None, N, "It counts in the hall of fame.";
    VaultKey:      Key    "vault key"                  0xffd080,  0 (1 26), INDESTRUCTIBLE, None, N, "It opens one vault door on the floor where it lay.";
    Heart:         Prize  "heart of the deep"          0xff4060,  0 (26 26), INDESTRUCTIBLE, None, N, "A ruby that beats. Carry it up into the light.";

    Healing:       Potion "potion of healing"          0xff6080,  0 (1 26), 0, Grant(Heal(100)), N, "Heals wounds and cures ills. Thrown, it bursts into healing spores for friends.";
    Mending:       Potion "potion of mending"          0x60ffb0, 20 (1 26), 0, Open(Cloud(Gas::Healing, 700)), N, "Releases healing spores that help everyone who breathes them.";
    Life:          Potion "potion of life"             0xfff0a0,  0 (3 26), 0, Grant(Life), N, "Heals fully and adds ten to full health for good.";
    Strength:      Potion "potion of strength"         0xd08040,  0 (2 26), 0, Grant(Strength), N, "One point of strength for good.";
    Telepathy:     Potion "potion of telepathy"        0xb080ff, 28 (1 26), 0, Grant(Affect(Effect::Telepathic, 1200)), N, "Shows the minds of all monsters for a while.";
    Levitation:    Potion "potion of levitation"       0xa0c8ff, 15 (1 26), 0, Grant(Affect(Effect::Levitating, 400)), N, "Floats over water, lava and traps for a while.";
    Haste:         Potion "potion of haste"            0xffe040, 12 (2 26), 0, Grant(Affect(Effect::Hasted, 300)), N, "Doubles all speed for a while.";
    FireImmunity:  Potion "potion of fire immunity"    0xff7040, 15 (1 26), 0, Grant(Affect(Effect::FireImmune, 1200)), N, "Makes fire and even lava harmless for a while.";
    Darkness:      Potion "potion of darkness"         0x6060a0,  8 (1 26), 0, Grant(Affect(Effect::Darkened, 1600)), N, "Hides whoever drinks it, and dims their own sight.";
    Incineration:  Potion "potion of incineration"     0xff8020, 15 (1 26), MALEVOLENT, Open(Flames), N, "Bursts into flames where it opens. Throw it.";
    Confusion:     Potion "potion of confusion"        0xd060d0, 15 (1 26), MALEVOLENT, Open(Cloud(Gas::Confusion, 900)), N, "A gas that makes all who breathe it reel. Throw it.";
    Caustic:       Potion "caustic potion"             0x80d040, 15 (1 26), MALEVOLENT, Open(Cloud(Gas::Poison, 900)), N, "A gas that poisons all who breathe it. Throw it.";
    Methane:       Potion "potion of marsh gas"        0x90a060, 10 (2 26), MALEVOLENT, Open(Cloud(Gas::Methane, 900)), N, "A gas that explodes at the first spark. Throw it.";
    Paralysis:     Potion "potion of paralysis"        0xf080a0, 15 (1 26), MALEVOLENT, Open(Burst(Effect::Paralysed, 120, 2)), N, "A flash that stiffens everyone near. Throw it.";
    Fungus:        Potion "potion of creeping fungus"  0x60e0c0, 10 (1 26), MALEVOLENT, Open(Fungus), N, "Covers the ground with luminescent fungus: harmless, and bright.";

    Enchanting:    Scroll "scroll of enchanting"       0xffffc0,  0 (1 26), FLAMMABLE, Cast(Enchant), N, "Improves the weaker of the weapon and armour in use; with neither in use, a staff or charm.";
    Identify:      Scroll "scroll of identify"         0xe0e0ff, 30 (1 26), FLAMMABLE, Cast(Identify), N, "Tells what one unknown thing in the pack is.";
    Teleportation: Scroll "scroll of teleportation"    0x90ffff, 10 (1 26), FLAMMABLE, Cast(Teleport), N, "Takes the reader to a far place on the floor.";
    Cleansing:     Scroll "scroll of remove negativity" 0xfff8d0, 15 (1 26), FLAMMABLE, Cast(RemoveNegativity), N, "Lifts every malign enchantment from the pack, and the reader's ills.";
    Recharging:    Scroll "scroll of recharging"       0xd0b0ff, 12 (2 26), FLAMMABLE, Cast(Recharge), N, "Fills staffs and readies charms.";
    Protection:    Scroll "scroll of protection"       0x60e0ff, 14 (1 26), FLAMMABLE, Cast(ShieldFriends(500)), N, "Shields the reader and friends near by.";
    MagicMapping:  Scroll "scroll of magic mapping"    0xa0e0a0, 14 (1 26), FLAMMABLE, Cast(MapFloor), N, "Draws the floor, secret doors too, into the reader's mind.";
    Negation:      Scroll "scroll of negation"         0xf0f0f0,  8 (2 26), FLAMMABLE, Cast(Negate), N, "Ends all magic on everyone in sight.";
    Shattering:    Scroll "scroll of shattering"       0xa0f0f0,  8 (2 26), FLAMMABLE, Cast(Shatter), N, "Turns the walls near by to rubble.";
    Aggravation:   Scroll "scroll of aggravate monsters" 0xf0a060, 12 (1 26), FLAMMABLE | MALEVOLENT, Cast(Aggravate), N, "A shrill sound that tells every monster where the reader is.";
    Summoning:     Scroll "scroll of summon monsters"  0xa060c0, 10 (1 26), FLAMMABLE | MALEVOLENT, Cast(Summon), N, "Calls monsters to the reader's side; not as friends.";
    Sanctity:      Scroll "scroll of sanctity"         0xfff0b0,  6 (3 26), FLAMMABLE, Cast(Sanctity), N, "Sacred light: monsters near flee, wounds of friends close.";
    Discord:       Scroll "scroll of discord"          0xff60a0,  8 (2 26), FLAMMABLE, Cast(Discord), N, "Monsters in sight turn on each other.";
    Dread:         Scroll "scroll of dread"            0xc0c060,  8 (1 26), FLAMMABLE, Cast(Fear), N, "Monsters in sight flee for a while.";

    Dagger:        Weapon "dagger"                     0xc0c0d0, 10 (1 26), 0, None, weapon((2, 4), 12, 2, ASSASSIN), "Deadly to whoever does not see it coming: five times the damage.";
    Sword:         Weapon "sword"                      0xd0d0e0, 14 (1 26), 0, None, weapon((5, 11), 14, 2, 0), "A plain good blade.";
    Broadsword:    Weapon "broadsword"                 0xe0e0f0, 10 (4 26), 0, None, weapon((12, 20), 19, 2, 0), "Heavy and terrible.";
    Axe:           Weapon "axe"                        0xc0b090,  8 (1 26), 0, None, weapon((4, 8), 15, 2, SWEEPS), "Hits every foe around.";
    WarAxe:        Weapon "war axe"                    0xd0c0a0,  6 (5 26), 0, None, weapon((7, 13), 19, 2, SWEEPS), "Hits every foe around, hard.";
    Mace:          Weapon "mace"                       0xb0b0b0,  8 (2 26), 0, None, weapon((14, 18), 16, 4, 0), "Crushing, and slow.";
    Hammer:        Weapon "war hammer"                 0xa0a0b0,  6 (5 26), 0, None, weapon((22, 32), 20, 4, 0), "Very slow; one blow is often enough.";
    Spear:         Weapon "spear"                      0xc8a878, 10 (1 26), 0, None, weapon((4, 7), 13, 2, PIERCES), "Hits the foe in front and the one behind.";
    Pike:          Weapon "war pike"                   0xd8b888,  6 (4 26), 0, None, weapon((9, 13), 18, 2, PIERCES), "A long spear for strong arms.";
    Rapier:        Weapon "rapier"                     0xe0e0ff,  8 (2 26), 0, None, weapon((3, 11), 15, 2, LUNGES), "Step at a foe across a free cell to lunge: three times the damage, and no miss.";
    Whip:          Weapon "whip"                       0xb08050,  6 (1 26), 0, None, weapon((3, 5), 14, 2, REACHES), "Reaches three cells.";
    ShortBow:      Weapon "short bow"                  0xb09060,  6 (1 26), SHOOTS, Aim(Bolt::Arrow), weapon((1, 3), 13, 2, 0), "Wield it, then point it at a foe. Arrows are never short.";
    Dart:          Weapon "dart"                       0xc0c0c8, 16 (1 26), THROWN, None, weapon((2, 4), 10, 2, 0), "Made for throwing.";
    FireDart:      Weapon "incendiary dart"            0xff9050, 10 (1 26), THROWN | INCENDIARY, None, weapon((1, 2), 12, 2, 0), "Bursts into flames where it lands.";
    Javelin:       Weapon "javelin"                    0xb08850, 10 (2 26), THROWN, None, weapon((3, 11), 15, 2, 0), "Made for throwing by strong arms.";

    Leather:       Armor  "leather armor"              0xb08050, 10 (1 26), 0, None, armor(30, 10), "Light and plain.";
    Scale:         Armor  "scale armor"                0x90a070, 10 (1 26), 0, None, armor(40, 11), "Overlapping plates of horn.";
    Chain:         Armor  "chain mail"                 0xb0b0c0, 10 (2 26), 0, None, armor(50, 13), "Linked rings.";
    Banded:        Armor  "banded mail"                0xa0a0a8, 10 (3 26), 0, None, armor(70, 15), "Bands of iron over leather.";
    Splint:        Armor  "splint mail"                0xb0a890, 10 (5 26), 0, None, armor(90, 17), "Heavy strips of steel.";
    Plate:         Armor  "plate armor"                0xe0e0e8, 10 (7 26), 0, None, armor(110, 19), "A whole smithy of steel.";

    LightningStaff: Staff "staff of lightning"         0xc8d8ff, 15 (2 26), TREASURE, Aim(Bolt::Lightning), N, "Lightning that passes through everyone in its way.";
    FireStaff:     Staff  "staff of firebolt"          0xff8030, 15 (2 26), TREASURE, Aim(Bolt::Fire), N, "A bolt that sets what it meets on fire.";
    PoisonStaff:   Staff  "staff of poison"            0x80d040, 10 (2 26), TREASURE, Aim(Bolt::Poison), N, "A bolt that poisons for long.";
    TunnelStaff:   Staff  "staff of tunneling"         0xc09050, 10 (2 26), 0, Aim(Bolt::Tunnel), N, "Bores through walls.";
    BlinkStaff:    Staff  "staff of blinking"          0xa0a0ff, 11 (2 26), TREASURE, Aim(Bolt::Blink), N, "Takes its owner a few cells away in a blink.";
    SlowStaff:     Staff  "staff of slowness"          0x8090c0, 10 (2 26), TREASURE, Aim(Bolt::Slow), N, "Halves a foe's speed.";
    TranceStaff:   Staff  "staff of entrancement"      0xf080d0,  5 (5 26), TREASURE, Aim(Bolt::Entrance), N, "Holds a foe spellbound.";
    WebStaff:      Staff  "staff of webs"              0xe0e0e0, 10 (2 26), 0, Aim(Bolt::Web), N, "Spins webs about the place it is pointed at.";
    HealStaff:     Staff  "staff of healing"           0x60ffb0, 10 (2 26), 0, Aim(Bolt::Heal), N, "Heals whoever it is pointed at, but not its owner.";
    HasteStaff:    Staff  "staff of haste other"       0xffe060,  8 (2 26), 0, Aim(Bolt::Haste), N, "Hastes whoever it is pointed at, but not its owner.";
    ProtectStaff:  Staff  "staff of protection"        0x60e0ff,  8 (2 26), 0, Aim(Bolt::Protect), N, "Shields whoever it is pointed at, but not its owner.";

    HealthCharm:   Charm  "health charm"               0xff6080, 10 (2 26), TREASURE, Grant(Heal(60)), N, "Heals. It takes long to gather strength again.";
    ShieldCharm:   Charm  "protection charm"           0x60e0ff, 10 (2 26), TREASURE, Grant(Affect(Effect::Shielded, 300)), N, "Shields its owner.";
    TeleportCharm: Charm  "teleportation charm"        0x90ffff,  8 (3 26), TREASURE, Cast(Teleport), N, "Takes its owner far away.";
    RechargeCharm: Charm  "recharging charm"           0xd0b0ff,  6 (4 26), TREASURE, Cast(Recharge), N, "Fills its owner's staffs.";
    FearCharm:     Charm  "fear charm"                 0xc0c060,  8 (2 26), TREASURE, Cast(Fear), N, "Monsters in sight flee.";
    HasteCharm:    Charm  "haste charm"                0xffe040,  8 (3 26), TREASURE, Grant(Affect(Effect::Hasted, 200)), N, "Doubles all speed for a while.";
    ShadowCharm:   Charm  "shadow charm"               0x6060a0,  6 (2 26), TREASURE, Grant(Affect(Effect::Darkened, 400)), N, "Hides its owner for a while.";
    FlightCharm:   Charm  "levitation charm"           0xa0c8ff,  6 (2 26), TREASURE, Grant(Affect(Effect::Levitating, 300)), N, "Floats its owner over water and traps for a while.";
}

impl Kind {
    /// Its number.
    #[must_use]
    pub const fn kind(self) -> ItemKind {
        ItemKind(self as u8)
    }

    /// A piece of it as it lies there unharmed and unenchanted, nothing hidden about it.
    #[must_use]
    pub const fn item(self, count: u32) -> Item {
        Item { kind: self.kind(), count, enchant: 0, charge: 0, identified: true, opens: 0 }
    }
}

impl ItemKind {
    /// Its row in the table; a number beyond it counts as the first row.
    #[must_use]
    pub fn row(self) -> &'static ItemRow {
        ROWS.get(usize::from(self.0)).unwrap_or(&ROWS[0])
    }
}

impl ItemRow {
    /// Whether it has any of `flags`.
    #[must_use]
    pub const fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    /// Whether it is pointed at a cell rather than just used.
    #[must_use]
    pub const fn is_aimed(&self) -> bool {
        matches!(self.action, Aim(_))
    }

    /// Whether it can be used without pointing it.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        !matches!(self.action, Aim(_) | None)
    }

    /// Whether it can be wielded or worn.
    #[must_use]
    pub const fn is_gear(&self) -> bool {
        !matches!(self.gear, Gear::None)
    }

    /// Whether its pieces lie and are carried in stacks.
    #[must_use]
    pub const fn stacks(&self) -> bool {
        matches!(self.category, Category::Gold | Category::Potion | Category::Scroll)
            || self.has(THROWN)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Action, Category, Gear, Kind, ROWS, flags};

    #[test]
    fn names_are_unique_and_rows_complete() {
        assert!(ROWS.len() >= 44, "{}", ROWS.len());
        assert_eq!(ROWS.iter().map(|r| r.name).collect::<BTreeSet<_>>().len(), ROWS.len());
        for (number, &kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(usize::from(kind.kind().0), number);
            let row = kind.kind().row();
            assert!(row.description.ends_with('.') && row.color <= 0xff_ffff, "{kind:?}");
            assert!((1..=26).contains(&row.depths.0) && row.depths.0 <= row.depths.1, "{kind:?}");
        }
    }

    #[test]
    fn a_row_agrees_with_its_category() {
        for row in &ROWS {
            let name = row.name;
            match row.category {
                Category::Potion | Category::Scroll | Category::Charm => {
                    assert!(row.is_usable() && !row.is_aimed() && !row.is_gear(), "{name}");
                }
                Category::Staff => assert!(row.is_aimed() && !row.is_gear(), "{name}"),
                Category::Weapon => {
                    assert!(matches!(row.gear, Gear::Weapon { .. }), "{name}");
                    assert_eq!(row.is_aimed(), row.has(flags::SHOOTS), "{name}");
                }
                Category::Armor => assert!(matches!(row.gear, Gear::Armor { .. }), "{name}"),
                Category::Gold | Category::Key | Category::Prize => {
                    assert_eq!(row.action, Action::None, "{name}");
                    assert!(row.frequency == 0 && row.has(flags::INDESTRUCTIBLE), "{name}");
                }
            }
            assert_eq!(row.has(flags::FLAMMABLE), row.category == Category::Scroll, "{name}");
        }
    }

    #[test]
    fn weapons_and_armour_have_sensible_numbers() {
        for row in &ROWS {
            match row.gear {
                Gear::Weapon { damage: (low, high), strength, ticks, .. } => {
                    assert!(0 < low && low <= high && high < 64, "{}", row.name);
                    assert!((8..=20).contains(&strength) && (1..=4).contains(&ticks));
                }
                Gear::Armor { value, strength } => {
                    assert!((10..=120).contains(&value) && (8..=20).contains(&strength));
                }
                Gear::None => {}
            }
        }
    }
}
