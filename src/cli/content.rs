//! The content tables as the server serves them, and what is made of them.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::{Deserialize, Deserializer};

use super::http::Server;
use crate::client::Legend;
use crate::protocol::{Event, Who};

/// Red, green and blue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl<'de> Deserialize<'de> for Rgb {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix('#').filter(|d| d.len() == 6);
        let value = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        let value = value.ok_or_else(|| serde::de::Error::custom("not a colour like #rrggbb"))?;
        let [_, r, g, b] = value.to_be_bytes();
        Ok(Self(r, g, b))
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct TerrainRow {
    pub name: String,
    pub glyph: char,
    pub fg: Rgb,
    pub bg: Rgb,
    pub opaque: bool,
    pub solid: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct KindRow {
    pub name: String,
    pub glyph: char,
    pub color: Rgb,
    #[serde(default)]
    pub description: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct LookRow {
    pub name: String,
    pub glyph: char,
    pub color: Rgb,
    #[serde(default)]
    pub category: String,
    #[serde(default)]
    pub description: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct GasRow {
    pub name: String,
    pub color: Rgb,
}

#[derive(Clone, Debug, Deserialize)]
pub struct EffectRow {
    pub name: String,
    pub color: Rgb,
    pub good: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct FlashRow {
    pub color: Rgb,
    pub glyph: char,
}

/// `GET /content.json`: what the numbers on the wire mean.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContentTables {
    pub terrain: Vec<TerrainRow>,
    pub kinds: Vec<KindRow>,
    pub looks: Vec<LookRow>,
    pub gases: Vec<GasRow>,
    pub effects: Vec<EffectRow>,
    pub notes: Vec<String>,
    pub flashes: Vec<FlashRow>,
}

impl ContentTables {
    pub async fn fetch(server: &Server) -> anyhow::Result<Self> {
        let tables = server.ask("GET", "/content.json", None, None).await?;
        serde_json::from_value(tables).context("reading /content.json")
    }

    /// What somebody who walks has to know.
    #[must_use]
    pub fn legend(&self) -> Legend {
        let column = |f: fn(&TerrainRow) -> bool| self.terrain.iter().map(f).collect();
        let glyph = |glyph: char| {
            let row = self.terrain.iter().position(|row| row.glyph == glyph);
            row.and_then(|number| u8::try_from(number).ok())
        };
        let mut bad_gas = [false; 4];
        for (bad, row) in bad_gas.iter_mut().zip(&self.gases) {
            *bad = ["poison", "caustic", "confusion"].iter().any(|word| row.name.contains(word));
        }
        Legend {
            solid: column(|row| row.solid),
            opaque: column(|row| row.opaque),
            hazard: column(|row| {
                let harmful = ["molten", "lava", "deep water", "chasm"];
                row.glyph == '^' || harmful.iter().any(|word| row.name.contains(word))
            }),
            stairs_down: glyph('>'),
            stairs_up: glyph('<'),
            gate: glyph('∩'),
            bad_gas,
        }
    }

    #[must_use]
    pub fn look_name(&self, look: u8) -> &str {
        self.looks.get(usize::from(look)).map_or("something", |row| row.name.as_str())
    }

    /// A note or a chat line as text; `None` for what is seen and not read. `names`: players by
    /// actor id.
    #[must_use]
    pub fn line(&self, event: &Event, names: &BTreeMap<u16, String>) -> Option<String> {
        match event {
            Event::Note { code, who, other, look, number } => {
                let template = self.notes.get(usize::from(*code))?;
                // Players are called what they call themselves.
                let named = matches!(who, Who::Actor { kind: 0, .. });
                let named = named && template.starts_with("{who}");
                let who = (self.who(*who, names), *who == Who::You);
                let other = (self.who(*other, names), *other == Who::You);
                let text = fill(template, &who, &other, self.look_name(*look), *number);
                if named {
                    return Some(text);
                }
                let mut letters = text.chars();
                let first = letters.next()?.to_uppercase();
                Some(first.chain(letters).collect())
            }
            Event::Chat { from, text } => Some(format!("{from}: {text}")),
            Event::Bolt { .. } | Event::Burst { .. } => None,
        }
    }

    fn who(&self, who: Who, names: &BTreeMap<u16, String>) -> String {
        match who {
            Who::Nobody => "nobody".to_owned(),
            Who::You => "you".to_owned(),
            Who::Something => "something".to_owned(),
            Who::Actor { id, kind: 0 } => {
                names.get(&id).cloned().unwrap_or_else(|| "another player".to_owned())
            }
            Who::Actor { kind, .. } => match self.kinds.get(usize::from(kind)) {
                Some(row) if row.name.starts_with(char::is_uppercase) => row.name.clone(),
                Some(row) => format!("the {}", row.name),
                None => "something".to_owned(),
            },
        }
    }
}

/// Fills a template: names for `{who}` and `{other}`, and of a verb `see|sees` the form that fits
/// the one named last before it.
fn fill(
    template: &str,
    who: &(String, bool),
    other: &(String, bool),
    item: &str,
    number: i32,
) -> String {
    let mut is_you = who.1;
    let mut words = Vec::new();
    for word in template.split(' ') {
        if word.contains("{who}") {
            is_you = who.1;
        } else if word.contains("{other}") {
            is_you = other.1;
        }
        let verb = word.split_once('|').map(|(you, others)| {
            // Punctuation belongs to both forms and is written after the second.
            let tail = others.trim_start_matches(|c: char| c.is_alphanumeric() || c == '\'');
            if is_you { format!("{you}{tail}") } else { others.to_owned() }
        });
        words.push(verb.unwrap_or_else(|| word.to_owned()));
    }
    words
        .join(" ")
        .replace("{who}", &who.0)
        .replace("{other}", &other.0)
        .replace("{item}", item)
        .replace("{n}", &number.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A small set of tables.
    pub(crate) fn tables() -> ContentTables {
        let json = r##"{
            "terrain": [
                {"name":"granite","glyph":"#","fg":"#4a4652","bg":"#1c1a22","opaque":true,"solid":true,"liquid":false,"glows":false},
                {"name":"the ground","glyph":".","fg":"#6d6678","bg":"#14121a","opaque":false,"solid":false,"liquid":false,"glows":false},
                {"name":"stairs leading down","glyph":">","fg":"#ffe090","bg":"#30261a","opaque":false,"solid":false,"liquid":false,"glows":false},
                {"name":"molten rock","glyph":"~","fg":"#ffb040","bg":"#a02c08","opaque":false,"solid":false,"liquid":true,"glows":true}
            ],
            "kinds": [
                {"name":"adventurer","glyph":"@","color":"#ffffff","description":""},
                {"name":"jackal","glyph":"j","color":"#c0a060","description":"quick"}
            ],
            "looks": [
                {"name":"nothing","glyph":" ","color":"#000000","category":"","description":""},
                {"name":"a pink potion","glyph":"!","color":"#ff80c0","category":"potion","description":"fizzy"}
            ],
            "gases": [
                {"name":"poison gas","color":"#60c040"},{"name":"methane","color":"#a0a060"},
                {"name":"confusion gas","color":"#c060c0"},{"name":"healing spores","color":"#ffa0a0"}
            ],
            "effects": [{"name":"hasted","color":"#80ff80","good":true}],
            "notes": ["{who} hit|hits {other} for {n}.", "{who} pick|picks up {item}.", "{who} die|dies."],
            "flashes": [{"name":"spark","color":"#ffff80","glyph":"*"}]
        }"##;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn tables_make_a_legend() {
        let legend = tables().legend();
        assert_eq!(legend.solid, [true, false, false, false]);
        assert_eq!(legend.hazard, [false, false, false, true]);
        assert_eq!((legend.stairs_down, legend.stairs_up), (Some(2), None));
        assert_eq!(legend.bad_gas, [true, false, true, false]);
    }

    #[test]
    fn notes_read_well_from_both_sides() {
        let tables = tables();
        let names = BTreeMap::from([(7, "Ada".to_owned())]);
        let check = |code, who, other, expected: &str| {
            let event = Event::Note { code, who, other, look: 1, number: 3 };
            assert_eq!(tables.line(&event, &names).as_deref(), Some(expected));
        };
        let jackal = Who::Actor { id: 3, kind: 1 };
        check(0, Who::You, jackal, "You hit the jackal for 3.");
        check(0, jackal, Who::You, "The jackal hits you for 3.");
        check(1, Who::Actor { id: 7, kind: 0 }, Who::Nobody, "Ada picks up a pink potion.");
        check(2, Who::You, Who::Nobody, "You die.");
        check(2, Who::Something, Who::Nobody, "Something dies.");
        let unknown = Event::Note { code: 99, who: Who::You, other: Who::You, look: 0, number: 0 };
        assert_eq!(tables.line(&unknown, &names), None);
    }
}
