//! Looks: what an item is to somebody who may not know its kind.
//!
//! A look is a row of one table per world: row 0 is nothing, then every kind under its true name,
//! then the flavours ("a pink potion") of the kinds that have to be found out. Which flavours a
//! world has and what they stand for follows from the world's seed, so a flavour means the same
//! on all its floors.

use crate::game::catalog::items::{Category, Kind, flags};
use crate::game::item::{Item, ItemKind};
use crate::game::rng::{Rng, mix};
use crate::game::state::Sheet;

/// One row of the table of looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookRow {
    pub name: String,
    pub glyph: char,
    /// 0xRRGGBB.
    pub color: u32,
    pub category: &'static str,
    pub description: &'static str,
}

const FLAVOURED: [Category; 4] =
    [Category::Potion, Category::Scroll, Category::Staff, Category::Charm];

static COLORS: [(&str, u32); 24] = [
    ("pink", 0xff90c0),
    ("scarlet", 0xe02030),
    ("amber", 0xffb030),
    ("golden", 0xffe060),
    ("lime", 0xb0f040),
    ("emerald", 0x30c060),
    ("teal", 0x30b0a0),
    ("turquoise", 0x50e0d0),
    ("azure", 0x60b0ff),
    ("indigo", 0x5050d0),
    ("violet", 0xa060f0),
    ("lavender", 0xc0a0ff),
    ("plum", 0x904080),
    ("brown", 0x906030),
    ("rust", 0xc05020),
    ("cream", 0xfff0d0),
    ("milky", 0xf0f0f8),
    ("silver", 0xc0c8d0),
    ("smoky", 0x909090),
    ("black", 0x505058),
    ("swirling", 0xd0a0d0),
    ("bubbling", 0xa0d0e0),
    ("murky", 0x788058),
    ("glittering", 0xffffb0),
];
static WOODS: [(&str, u32); 18] = [
    ("oak", 0xb08850),
    ("ash", 0xd0c0a0),
    ("birch", 0xf0e8d0),
    ("yew", 0xc07040),
    ("willow", 0xa0a060),
    ("cherry", 0xb04838),
    ("walnut", 0x705038),
    ("ebony", 0x585050),
    ("cedar", 0xc06848),
    ("hazel", 0xb09068),
    ("rowan", 0xb05050),
    ("elder", 0x909878),
    ("pine", 0xd0b070),
    ("maple", 0xe0a060),
    ("bamboo", 0xc8c870),
    ("driftwood", 0xa8a8a0),
    ("alder", 0xb87858),
    ("holly", 0xe0e8d8),
];
static STONES: [(&str, u32); 14] = [
    ("jade", 0x50b080),
    ("onyx", 0x606068),
    ("opal", 0xe0e8ff),
    ("agate", 0xc08870),
    ("garnet", 0xb02848),
    ("quartz", 0xf0f0f0),
    ("amethyst", 0xa868e0),
    ("coral", 0xff8878),
    ("pearl", 0xf8f0e8),
    ("copper", 0xd08048),
    ("jasper", 0xb05838),
    ("topaz", 0xffc850),
    ("moonstone", 0xc8d8e8),
    ("malachite", 0x40a068),
];
static SYLLABLES: [&str; 32] = [
    "ba", "cor", "dul", "em", "fis", "gar", "hul", "ith", "jor", "kel", "lum", "mir", "nos", "orn",
    "pel", "qua", "rus", "sith", "tor", "ul", "ven", "wex", "yor", "zan", "ama", "bri", "cha",
    "dre", "eth", "fol", "gwi", "hem",
];

/// The looks of one world.
#[derive(Clone, Debug)]
pub struct Looks {
    rows: Vec<LookRow>,
    /// The look of a kind, by its number, to somebody who does not know it.
    unknown: Vec<u8>,
}

impl Looks {
    /// The looks of the world with this seed.
    #[must_use]
    pub fn of_world(seed: u64) -> Self {
        let mut rows = vec![LookRow {
            name: "nothing".into(),
            glyph: ' ',
            color: 0,
            category: "none",
            description: "",
        }];
        for &kind in Kind::ALL {
            let row = kind.kind().row();
            let (category, glyph, _) = row.category.traits();
            rows.push(LookRow {
                name: row.name.into(),
                glyph,
                color: row.color,
                category,
                description: row.description,
            });
        }
        let mut unknown: Vec<u8> = Kind::ALL.iter().map(|&kind| known_look(kind.kind())).collect();
        for category in FLAVOURED {
            let mut rng = Rng::new(mix(seed ^ 0x1001_u64), 0, category as u64);
            let kinds: Vec<Kind> =
                Kind::ALL.iter().copied().filter(|k| k.kind().row().category == category).collect();
            let mut looks: Vec<u8> = (0..kinds.len()).map(|i| row_number(rows.len() + i)).collect();
            rows.extend(flavours(category, kinds.len(), &mut rng));
            shuffle(&mut looks, &mut rng);
            for (kind, look) in kinds.into_iter().zip(looks) {
                unknown[usize::from(kind.kind().0)] = look;
            }
        }
        Self { rows, unknown }
    }

    /// The table, by look.
    #[must_use]
    pub fn rows(&self) -> &[LookRow] {
        &self.rows
    }

    /// How an item looks to a character.
    #[must_use]
    pub fn look(&self, item: &Item, sheet: &Sheet) -> u8 {
        if knows(sheet, item.kind) {
            known_look(item.kind)
        } else {
            self.unknown.get(usize::from(item.kind.0)).copied().unwrap_or(0)
        }
    }
}

/// Whether a character knows what a kind is; most kinds everyone knows.
#[must_use]
pub fn knows(sheet: &Sheet, kind: ItemKind) -> bool {
    !kind.row().category.is_flavoured() || sheet.known.binary_search(&kind).is_ok()
}

/// Whether a character knows that an item does harm to whoever uses it.
#[must_use]
pub fn is_malevolent(item: &Item, sheet: &Sheet) -> bool {
    let row = item.kind.row();
    let bad_kind = row.has(flags::MALEVOLENT) && knows(sheet, item.kind);
    bad_kind || (row.is_gear() && item.identified && item.enchant < 0)
}

fn known_look(kind: ItemKind) -> u8 {
    row_number(usize::from(kind.0) + 1)
}

fn row_number(row: usize) -> u8 {
    u8::try_from(row).expect("kinds and flavours are fewer than 256, which a test counts")
}

/// `count` flavours of this world, in an order that says nothing about their kinds.
fn flavours(category: Category, count: usize, rng: &mut Rng) -> Vec<LookRow> {
    let (name, glyph, _) = category.traits();
    let row = |name: String, color, description| LookRow {
        name,
        glyph,
        color,
        category: category.traits().0,
        description,
    };
    match category {
        Category::Potion => choose(&COLORS, count, rng)
            .map(|(word, color)| row(format!("{word} potion"), color, "Nobody knows what it does."))
            .collect(),
        Category::Staff => choose(&WOODS, count, rng)
            .map(|(word, color)| row(format!("{word} staff"), color, "Nobody knows its magic."))
            .collect(),
        Category::Charm => choose(&STONES, count, rng)
            .map(|(word, color)| row(format!("{word} charm"), color, "Nobody knows its magic."))
            .collect(),
        Category::Scroll => {
            let mut titles: Vec<String> = Vec::new();
            while titles.len() < count {
                let title = title(rng);
                if !titles.contains(&title) {
                    titles.push(title);
                }
            }
            let named = titles.into_iter().map(|title| format!("{name} titled \"{title}\""));
            named.map(|name| row(name, 0xe8e0c8, "Nobody knows what it says.")).collect()
        }
        Category::Gold | Category::Key | Category::Weapon | Category::Armor | Category::Prize => {
            Vec::new()
        }
    }
}

fn title(rng: &mut Rng) -> String {
    let mut words = Vec::new();
    for _ in 0..2 {
        let syllables = rng.between(1, 3);
        words.push(
            (0..syllables)
                .map(|_| *rng.pick(&SYLLABLES).expect("there are syllables"))
                .collect::<String>(),
        );
    }
    words.join(" ")
}

/// `count` different ones of `all`, in their order there.
fn choose(
    all: &'static [(&'static str, u32)],
    count: usize,
    rng: &mut Rng,
) -> impl Iterator<Item = (&'static str, u32)> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    shuffle(&mut order, rng);
    order.truncate(count);
    order.sort_unstable();
    order.into_iter().map(|i| all[i])
}

fn shuffle<T>(things: &mut [T], rng: &mut Rng) {
    for end in (1..things.len()).rev() {
        let other = rng.below(u32::try_from(end + 1).unwrap_or(u32::MAX)) as usize;
        things.swap(end, other);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FLAVOURED, Looks};
    use crate::game::catalog::items::Kind;
    use crate::game::items::tests::sheet;

    #[test]
    fn every_kind_has_a_look_of_its_own_known_or_not() {
        for seed in 0..20 {
            let looks = Looks::of_world(seed);
            assert!(looks.rows().len() <= 256);
            let names: BTreeSet<_> = looks.rows().iter().map(|row| &row.name).collect();
            assert_eq!(names.len(), looks.rows().len(), "seed {seed}");
            let mut stranger = sheet(1);
            stranger.known.clear();
            let mut sage = sheet(2);
            sage.known = Kind::ALL.iter().map(|k| k.kind()).collect();
            let mut seen = BTreeSet::new();
            for &kind in Kind::ALL {
                let item = kind.item(1);
                let row = &looks.rows()[usize::from(looks.look(&item, &sage))];
                assert_eq!(row.name, kind.kind().row().name);
                assert!(seen.insert(looks.look(&item, &stranger)));
                let hidden = FLAVOURED.contains(&kind.kind().row().category);
                let shown = &looks.rows()[usize::from(looks.look(&item, &stranger))];
                assert_eq!(shown.name != row.name, hidden, "{kind:?}");
                assert!(!hidden || shown.description.starts_with("Nobody"), "{kind:?}");
            }
        }
    }

    #[test]
    fn worlds_differ_and_one_world_agrees_with_itself() {
        let look = |seed| Looks::of_world(seed).unknown;
        assert_eq!(look(5), look(5));
        assert!((0..8).map(look).collect::<BTreeSet<_>>().len() > 4);
    }
}
