//! Frames of a world that changes at random, over a link that loses and delays some of them.

use std::fmt::Write as _;

use undercroft::game::rng::Rng;
use undercroft::model::{Cell, CellMap, Direction, Pos, ZoneId};
use undercroft::protocol::frame::{FrameReader, Input, encode};
use undercroft::protocol::message::TAG_FRAME;
use undercroft::protocol::{ActorView, DecodeError, EffectView, Event, ItemView, Place, View, Who};

#[path = "../../src/protocol/frame/changing.rs"]
mod changing;

use changing::{HEIGHT, WIDTH, change, change_cells, first_view, happen};

const FRAMES_PER_ZONE: u32 = 45;

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// The contents of tests/data/frames.json.
pub fn json() -> String {
    let mut rng = Rng::new(0x00da_7a5e, 0, 0);
    let mut receiver = Receiver::default();
    for zone in [3, 4] {
        zone_frames(&mut rng, zone, &mut receiver);
    }
    // Frame 200 on frame 160, which nobody has.
    receiver.deliver(&[TAG_FRAME, 200, 0, 40, 0]);
    format!("[\n{}\n]\n", receiver.lines.join(",\n"))
}

/// The server's own reader, and one line for each frame that it was given.
#[derive(Default)]
struct Receiver {
    reader: FrameReader,
    lines: Vec<String>,
}

impl Receiver {
    /// Whether the frame was the newest and is applied.
    fn deliver(&mut self, frame: &[u8]) -> bool {
        let outcome = self.reader.apply(&frame[1..]);
        let frame = hex(frame);
        let (line, newest) = match outcome {
            Ok(Some(applied)) => {
                let view = self.reader.view().unwrap();
                let events: Vec<_> =
                    applied.events.iter().map(|e| format!("\"{}\"", words(e))).collect();
                let line = format!(
                    r#"{{"frame":"{frame}","number":{},"newest":{},"keyframe":{},"tick":{},"place":"{}","hash":{},"sum":{},"cells":{},"events":[{}]}}"#,
                    applied.number,
                    applied.newest,
                    applied.keyframe,
                    view.tick,
                    view.place.name,
                    view.hash(),
                    self.reader.cells().unwrap().sum(),
                    applied.cells.len(),
                    events.join(","),
                );
                (line, applied.newest)
            }
            Ok(None) => (format!(r#"{{"frame":"{frame}","outcome":"ignored"}}"#), false),
            Err(DecodeError::NoBaseline(_)) => {
                (format!(r#"{{"frame":"{frame}","outcome":"baseline"}}"#), false)
            }
            Err(error) => panic!("{error}"),
        };
        self.lines.push(line);
        newest
    }
}

/// An event in words that the browser's test forms too.
fn words(event: &Event) -> String {
    match event {
        Event::Note { code, who, other, look, number } => {
            format!("note {code} {} {} {look} {number}", who_words(*who), who_words(*other))
        }
        Event::Bolt { look, from, to } => {
            format!("bolt {look} {},{} {},{}", from.x, from.y, to.x, to.y)
        }
        Event::Burst { look, at, radius } => format!("burst {look} {},{} {radius}", at.x, at.y),
        Event::Chat { from, text } => format!("chat {from}: {text}"),
    }
}

fn who_words(who: Who) -> String {
    match who {
        Who::Nobody => "nobody".into(),
        Who::You => "you".into(),
        Who::Actor { id, kind } => format!("{id}/{kind}"),
        Who::Something => "something".into(),
    }
}

/// Makes the frames of one zone and hands over those that arrive, in the order in which they do.
fn zone_frames(rng: &mut Rng, zone: u32, to: &mut Receiver) {
    let mut view = first_view(ZoneId(zone));
    let mut memory = CellMap::new(WIDTH, HEIGHT);
    let mut events: Vec<Event> = Vec::new();
    let mut sent: Vec<(u32, View, Vec<usize>, usize)> = Vec::new();
    let (mut acked, mut confirmed) = (0, 0);
    let mut late: Option<Vec<u8>> = None;
    for number in 1..=FRAMES_PER_ZONE {
        change(&mut view, rng);
        happen(&mut events, rng);
        let mut cells = change_cells(&mut memory, rng);
        let fresh = cells.clone();
        let baseline = sent.iter().find(|s| s.0 == acked);
        match baseline {
            Some(b) => cells.extend(sent.iter().filter(|s| s.0 > b.0).flat_map(|s| s.2.clone())),
            None => cells = memory.iter().map(|(index, _)| index).collect(),
        }
        cells.sort_unstable();
        cells.dedup();
        let values: Vec<_> = cells.iter().map(|&i| (i, memory.cell(i).unwrap())).collect();
        let encoded = encode(Input {
            number,
            baseline: baseline.map(|s| (s.0, &s.1)),
            view: view.clone(),
            events: &events[confirmed..],
            first_event: confirmed as u32,
            cells: &values,
            cells_sum: (number % 4 == 0).then(|| memory.sum()),
            hash: number % 2 == 0,
        });
        assert_eq!(encoded.cells, values.len(), "the frames are small enough for all cells");
        sent.push((number, encoded.view, fresh, confirmed + encoded.events));
        match rng.below(10) {
            0 | 1 => {}
            2 if late.is_none() => late = Some(encoded.bytes),
            _ => {
                if to.deliver(&encoded.bytes) {
                    acked = number;
                    confirmed = sent.last().unwrap().3;
                }
                if rng.chance(10) {
                    to.deliver(&encoded.bytes);
                }
                if let Some(frame) = late.take() {
                    to.deliver(&frame);
                }
            }
        }
    }
}
