//! The content tables as one JSON document, so that clients need no table of their own.

use std::fmt::Write as _;

use super::monsters::MONSTERS;
use super::terrain::{TERRAINS, flags};
use super::{effects, flashes, gases, notes};
use crate::game::items::Looks;

/// The tables that a client of the world with this seed needs: an object of arrays whose indexes
/// are the numbers on the wire.
#[must_use]
pub fn content_json(world_seed: u64) -> String {
    let looks = Looks::of_world(world_seed);
    let mut json = Json::default();
    json.object(|json| {
        json.array("terrain", &TERRAINS, |json, row| {
            json.text("name", row.name);
            json.text("glyph", row.glyph.encode_utf8(&mut [0; 4]));
            json.color("fg", row.colors.0);
            json.color("bg", row.colors.1);
            json.flag("opaque", row.flags & flags::BLOCKS_SIGHT != 0);
            json.flag("solid", row.flags & flags::BLOCKS_MOVE != 0);
            json.flag("liquid", row.flags & (flags::WATER | flags::LAVA) != 0);
            json.flag("glows", row.flags & flags::GLOWS != 0);
        });
        json.array("kinds", &MONSTERS, |json, row| {
            json.text("name", row.name);
            json.text("glyph", row.glyph.encode_utf8(&mut [0; 4]));
            json.color("color", row.color);
            json.text("description", row.description);
        });
        json.array("looks", looks.rows(), |json, row| {
            json.text("name", &row.name);
            json.text("glyph", row.glyph.encode_utf8(&mut [0; 4]));
            json.color("color", row.color);
            json.text("category", row.category);
            json.text("description", row.description);
        });
        json.array("gases", &gases::ROWS, |json, row| {
            json.text("name", row.name);
            json.color("color", row.color);
        });
        json.array("effects", &effects::ROWS, |json, row| {
            json.text("name", row.name);
            json.color("color", row.color);
            json.flag("good", row.good);
        });
        json.key("notes");
        json.list(&notes::TEMPLATES, |json, template| json.string(template));
        json.array("flashes", &flashes::ROWS, |json, row| {
            json.text("name", row.name);
            json.color("color", row.color);
            json.text("glyph", row.glyph.encode_utf8(&mut [0; 4]));
        });
    });
    json.text
}

/// Writes JSON front to back.
#[derive(Default)]
struct Json {
    text: String,
}

impl Json {
    fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.text.push('{');
        fill(self);
        self.text.push('}');
    }

    /// A member of the object under way: an array of objects, one a row.
    fn array<T>(&mut self, key: &str, rows: &[T], fill: impl Fn(&mut Self, &T)) {
        self.key(key);
        self.list(rows, |json, row| json.object(|json| fill(json, row)));
    }

    fn list<T>(&mut self, rows: &[T], write: impl Fn(&mut Self, &T)) {
        self.text.push('[');
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            write(self, row);
        }
        self.text.push(']');
    }

    fn key(&mut self, key: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.string(key);
        self.text.push(':');
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    fn color(&mut self, key: &str, rgb: u32) {
        self.key(key);
        let _ = write!(self.text, "\"#{rgb:06x}\"");
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
    }

    fn string(&mut self, value: &str) {
        self.text.push('"');
        for character in value.chars() {
            match character {
                '"' | '\\' => {
                    self.text.push('\\');
                    self.text.push(character);
                }
                '\0'..='\x1f' => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(character));
                }
                _ => self.text.push(character),
            }
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, content_json};
    use crate::game::catalog::items::Kind;
    use crate::game::items::Looks;

    /// The rest of a text after one JSON value.
    fn skip(text: &str) -> &str {
        if let Some(mut rest) = text.strip_prefix(['{', '[']) {
            let is_object = text.starts_with('{');
            loop {
                if let Some(after) = rest.strip_prefix(['}', ']']) {
                    return after;
                }
                if is_object {
                    assert!(rest.starts_with('"'), "a key at {rest:.20}");
                    rest = skip(rest).strip_prefix(':').expect("a colon after a key");
                }
                rest = skip(rest);
                match rest.strip_prefix(',') {
                    Some(after) => rest = after,
                    None => assert!(rest.starts_with(['}', ']']), "an end at {rest:.20}"),
                }
            }
        }
        if let Some(rest) = text.strip_prefix('"') {
            let mut characters = rest.char_indices();
            while let Some((at, character)) = characters.next() {
                match character {
                    '\\' => assert!(characters.next().is_some(), "an escaped character"),
                    '"' => return &rest[at + 1..],
                    _ => assert!(character >= ' '),
                }
            }
            panic!("a string without end");
        }
        let word = text.strip_prefix("true").or_else(|| text.strip_prefix("false"));
        word.unwrap_or_else(|| panic!("a value at {text:.20}"))
    }

    #[test]
    fn the_document_is_json_and_holds_every_table() {
        let json = content_json(7);
        assert_eq!(skip(&json), "");
        for key in ["terrain", "kinds", "looks", "gases", "effects", "notes", "flashes"] {
            assert!(json.contains(&format!("\"{key}\":[")), "{key}");
        }
        for &kind in Kind::ALL {
            assert!(json.contains(kind.kind().row().name), "{kind:?}");
        }
    }

    #[test]
    fn strings_are_escaped() {
        let mut json = Json::default();
        json.string("a\"b\\c\nd");
        assert_eq!(json.text, r#""a\"b\\c\u000ad""#);
    }

    #[cfg(feature = "server")]
    #[test]
    fn a_strict_reader_finds_the_rows_in_their_places() {
        let json: serde_json::Value = serde_json::from_str(&content_json(7)).unwrap();
        let looks = Looks::of_world(7);
        let rows = json["looks"].as_array().unwrap();
        assert_eq!(rows.len(), looks.rows().len());
        for (row, look) in rows.iter().zip(looks.rows()) {
            assert_eq!(row["name"], look.name);
            assert_eq!(row["color"], format!("#{:06x}", look.color));
        }
        assert_eq!(json["effects"].as_array().unwrap().len(), 16);
        assert_eq!(json["kinds"][0]["glyph"], "@");
        assert!(json["terrain"][0]["solid"].as_bool().unwrap());
    }

    #[test]
    fn the_document_belongs_to_its_world() {
        assert_eq!(content_json(1), content_json(1));
        let flavoured = |seed| Looks::of_world(seed).rows().last().unwrap().name.clone();
        assert!(content_json(1).contains(&flavoured(1)));
        assert!((2..20).any(|seed| content_json(seed) != content_json(1)));
    }
}
