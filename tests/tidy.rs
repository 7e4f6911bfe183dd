//! The house rules that a compiler does not check: who may import whom, and how long files get.
#![allow(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may import. An edge that is not here is a mistake, in the table or the code.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("protocol", &["model"]),
    ("game", &["model"]),
    ("sim", &["game", "model"]),
    ("zone", &["sim", "game", "protocol", "model"]),
    ("gateway", &["protocol", "model"]),
    ("lease", &["model"]),
    ("client", &["protocol", "model"]),
    ("services", &["protocol", "model"]),
    ("telemetry", &["model"]),
    ("net", &["protocol", "model", "telemetry"]),
    ("journal", &["protocol", "model", "telemetry", "disk", "nats"]),
    ("nats", &["model", "telemetry"]),
    ("store", &["protocol", "model", "telemetry", "disk"]),
    ("disk", &["model", "telemetry"]),
    ("web", &[]),
    (
        "app",
        &[
            "model",
            "protocol",
            "game",
            "sim",
            "zone",
            "gateway",
            "client",
            "services",
            "telemetry",
            "net",
            "journal",
            "store",
            "disk",
            "nats",
            "lease",
            "web",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "model",
            "protocol",
            "client",
            "net",
            "game",
            "gateway",
            "sim",
            "zone",
            "journal",
            "store",
            "telemetry",
            "nats",
        ],
    ),
    ("bin", &["cli", "app"]),
];

/// Longest file, in lines; tables of content and tests may be longer, up to [`TABLE_LINES_MAX`].
const LINES_MAX: usize = 600;
const TABLE_LINES_MAX: usize = 900;

fn files(folder: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ends));
        } else if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rooms named after `crate::` or `undercroft::` in `text`, also in groups.
fn rooms_used(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for marker in ["crate::", "undercroft::"] {
        for (at, _) in text.match_indices(marker) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest = &text[at + marker.len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => {
                    let mut depth = 0;
                    let inside = group.split(|c: char| {
                        match c {
                            '{' => depth += 1,
                            '}' => depth -= 1,
                            _ => {}
                        }
                        c == ',' && depth == 0
                    });
                    inside.map(str::trim).take_while(|name| !name.starts_with('}')).collect()
                }
                None => vec![rest],
            };
            let word = |name: &str| {
                name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
            };
            rooms.extend(names.into_iter().map(word).filter(|name| !name.is_empty()));
        }
    }
    rooms
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let allowed: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let source = root().join("src");
    let mut wrong = Vec::new();
    for path in files(&source, &[".rs"]) {
        let relative = path.strip_prefix(&source).unwrap();
        if relative.components().count() < 2 {
            continue;
        }
        let room = relative.iter().next().unwrap().to_string_lossy().into_owned();
        let Some(edges) = allowed.get(room.as_str()) else {
            wrong.push(format!("{}: room {room} is not in the table", relative.display()));
            continue;
        };
        let text = fs::read_to_string(&path).unwrap();
        let is_test = relative.to_string_lossy().contains("tests");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for used in rooms_used(code) {
            let known = allowed.contains_key(used.as_str());
            if known && used != room && !edges.contains(&used.as_str()) && !is_test {
                wrong.push(format!("{}: {room} may not import {used}", relative.display()));
            }
        }
        for (number, line) in text.lines().enumerate() {
            if line.contains("super::super::super::") {
                wrong.push(format!("{}:{}: climbs too far", relative.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_covers_groups_and_single_imports() {
    let text = "use crate::{game::{a, b}, sim};\nuse crate::model::Pos;\nx.my_crate::zone";
    assert_eq!(rooms_used(text), ["game", "sim", "model"]);
}

#[test]
fn no_file_grows_too_long() {
    let mut long = Vec::new();
    let root = root();
    for folder in ["src", "tests", "benches", "scripts"] {
        for path in files(&root.join(folder), &[".rs", ".js", ".mjs", ".css", ".html", ""]) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let name = path.to_string_lossy().into_owned();
            let table = ["catalog", "tests", "data"].iter().any(|part| name.contains(part));
            let most = if table { TABLE_LINES_MAX } else { LINES_MAX };
            if !name.contains("/data/") && text.lines().count() > most {
                long.push(format!("{name}: {} lines", text.lines().count()));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn nothing_is_left_unfinished() {
    let mut loose = Vec::new();
    for path in files(&root().join("src"), &[".rs", ".js"]) {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("]
                .iter()
                .any(|t| line.contains(t))
            {
                loose.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(loose.is_empty(), "{}", loose.join("\n"));
}
