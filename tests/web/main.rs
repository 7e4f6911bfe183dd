//! The browser client and the protocol's document agree with the server's own encoder.
//!
//! `tests/data/frames.json` holds frames and what [`FrameReader`] made of them; `decoder.mjs` puts
//! the same frames through the browser's reader. `BLESS=1` writes the file anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]
#![allow(unreachable_pub, reason = "the modules of a test are private")]

mod vectors;

use std::io::{Write, stderr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::{env, fs};

use undercroft::model::{Cell, Pos, ZoneId};
use undercroft::protocol::frame::{FrameReader, Input, encode};
use undercroft::protocol::{ActorView, Event, Me, Place, View, Who};
use undercroft::web::ASSETS;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_frames_for_the_browser_are_what_the_encoder_makes() {
    let path = root().join("tests/data/frames.json");
    let fresh = vectors::json();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == fresh, "{} is out of date: run this test with BLESS=1", path.display());
}

#[test]
fn the_browser_reads_frames_as_the_server_does() {
    let test = Command::new("node").arg("tests/web/decoder.mjs").current_dir(root()).output();
    match test {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let failed = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{said}{failed}");
        }
        Err(error) => {
            assert!(env::var_os("REQUIRE_NODE").is_none(), "no node: {error}");
            // Past the harness, which would keep it to itself.
            let said = format!("skipped: no node to run decoder.mjs with ({error})\n");
            stderr().write_all(said.as_bytes()).unwrap();
        }
    }
}

#[test]
fn every_file_of_the_browser_client_is_served() {
    let folder = root().join("src/web");
    let mut files: Vec<String> = Vec::new();
    for under in ["", "draw/"] {
        for entry in fs::read_dir(folder.join(under)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_file() && name != "mod.rs" && name != "package.json" {
                files.push(format!("{under}{name}"));
            }
        }
    }
    files.sort();
    let mut served: Vec<_> = ASSETS
        .iter()
        .map(|a| a.path.strip_prefix("/assets/").unwrap_or(&a.path[1..]).to_owned())
        .collect();
    served.sort();
    assert_eq!(files, served);
}

/// The frames of the worked example in docs/PROTOCOL.md.
fn example() -> [Vec<u8>; 2] {
    let place = Place { zone: ZoneId(3), depth: 3, width: 96, height: 64, name: "Mire".into() };
    let me = Me { pos: Pos::new(10, 12), id: 7, hp: 40, hp_max: 40, level: 1, ..Me::default() };
    let rat = ActorView {
        id: 9,
        generation: 1,
        kind: 2,
        pos: Pos::new(12, 12),
        health: 15,
        state: 2,
        name: "".into(),
    };
    let before = View {
        place: Arc::new(place),
        tick: 1_000,
        last_command: 4,
        me,
        actors: vec![rat],
        ..View::default()
    };
    let mut after = before.clone();
    after.tick = 1_001;
    after.last_command = 5;
    after.me.hp = 38;
    after.actors[0].pos = Pos::new(11, 12);
    let cells = [(1_162, Cell::new(2, 0, (0, 0), false)), (1_163, Cell::new(2, 0, (0, 0), false))];
    let bite = Event::Note {
        code: 6,
        who: Who::Actor { id: 9, kind: 2 },
        other: Who::You,
        look: 0,
        number: 2,
    };
    let keyframe = encode(Input {
        number: 1,
        baseline: None,
        view: before.clone(),
        events: &[],
        first_event: 0,
        cells: &cells,
        cells_sum: None,
        hash: false,
    });
    let delta = encode(Input {
        number: 2,
        baseline: Some((1, &before)),
        view: after,
        events: &[bite],
        first_event: 0,
        cells: &[(1_163, Cell::new(2, 5, (0, 0), false))],
        cells_sum: None,
        hash: true,
    });
    [keyframe.bytes, delta.bytes]
}

#[test]
fn the_worked_example_of_the_protocol_document_is_right() {
    let document = fs::read_to_string(root().join("docs/PROTOCOL.md")).unwrap();
    let mut reader = FrameReader::default();
    let mut missing = Vec::new();
    for frame in example() {
        let hex = vectors::hex(&frame);
        let block: Vec<_> = hex.as_bytes().chunks(2).map(|c| str::from_utf8(c).unwrap()).collect();
        let lines: Vec<_> = block.chunks(16).map(|line| line.join(" ")).collect();
        let text = format!("    {}\n", lines.join("\n    "));
        if !document.contains(&text) {
            missing.push(text);
        }
        reader.apply(&frame[1..]).unwrap().unwrap();
    }
    let view = reader.view().unwrap();
    assert_eq!((view.me.hp, view.actors[0].pos), (38, Pos::new(11, 12)));
    let hash = format!("{:08x}", view.hash());
    if !document.contains(&hash) {
        missing.push(hash);
    }
    assert!(missing.is_empty(), "docs/PROTOCOL.md lacks\n{}", missing.join("\n"));
}
