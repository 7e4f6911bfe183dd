//! Frames of a world that changes at random, over a link that loses and delays some of them.

use std::fmt::Write as _;
use std::sync::Arc;

use undercroft::game::rng::Rng;
use undercroft::model::{Cell, CellMap, Direction, Pos, ZoneId};
use undercroft::protocol::frame::{FrameReader, Input, encode};
use undercroft::protocol::message::TAG_FRAME;
use undercroft::protocol::{ActorView, DecodeError, EffectView, Event, ItemView, Place, View, Who};

const WIDTH: u16 = 96;
const HEIGHT: u16 = 64;
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
    let name = format!("Floor {zone} ü");
    let place = Place { zone: ZoneId(zone), depth: 3, width: WIDTH, height: HEIGHT, name };
    let mut view = View { place: Arc::new(place), tick: (1 << 33) + 5, ..View::default() };
    view.me.pos = Pos::new(40, 30);
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

fn change(view: &mut View, rng: &mut Rng) {
    view.tick += u64::from(1 + rng.below(3));
    view.last_command += rng.below(3);
    let me = &mut view.me;
    let direction = Direction::from_number(rng.below(8) as u8).unwrap();
    me.pos = me.pos.step(direction, WIDTH, HEIGHT).unwrap_or(me.pos);
    if rng.chance(8) {
        me.pos = spot(rng);
    }
    (me.id, me.hp_max, me.level, me.xp_next) = (12, 60, 1 + rng.below(2) as u8, 3_000_000_000);
    (me.hp, me.xp) = (rng.below(60) as u16, me.xp.wrapping_add(rng.below(900_000_000)));
    me.gold += rng.below(2) * 7;
    if rng.chance(20) {
        (me.strength, me.armor) = (rng.below(20) as u8, rng.below(256) as u8);
        (me.stealth, me.flags) = (rng.below(15) as u8, rng.below(16) as u8);
        let until = (view.tick as u32).wrapping_add(rng.below(500)).wrapping_sub(40);
        me.effects = vec![EffectView { kind: rng.below(20) as u8, until }];
    }
    for actor in &mut view.actors {
        let direction = Direction::from_number(rng.below(8) as u8).unwrap();
        match rng.below(9) {
            0..=4 => actor.pos = actor.pos.step(direction, WIDTH, HEIGHT).unwrap_or(actor.pos),
            5 => (actor.health, actor.pos) = (rng.below(16) as u8, spot(rng)),
            6 => actor.state = rng.below(256) as u8,
            _ => {}
        }
    }
    if rng.chance(30) && view.actors.len() > 2 {
        view.actors.remove(rng.below(view.actors.len() as u32) as usize);
    }
    if rng.chance(50) {
        appear(view, rng);
    }
    if rng.chance(30) {
        carry(view, rng);
    }
}

fn spot(rng: &mut Rng) -> Pos {
    Pos::new(rng.below(u32::from(WIDTH)) as u16, rng.below(u32::from(HEIGHT)) as u16)
}

fn appear(view: &mut View, rng: &mut Rng) {
    let id = rng.below(300) as u16;
    view.actors.retain(|a| a.id != id);
    let kind = rng.below(3) as u8;
    let name: Arc<str> = if kind == 0 { "Åse".into() } else { "".into() };
    let (generation, pos, state) = (rng.below(256) as u8, spot(rng), rng.below(256) as u8);
    view.actors.push(ActorView { id, generation, kind, pos, health: 15, state, name });
    view.actors.sort_unstable_by_key(|a| a.id);
}

fn carry(view: &mut View, rng: &mut Rng) {
    let slot = rng.below(26) as u8;
    let mut items = view.inventory.as_ref().clone();
    items.retain(|i| i.slot != slot);
    if rng.chance(70) {
        let (look, count) = (rng.below(256) as u8, 1 + rng.below(255) as u8);
        let (enchant, flags) = (rng.between(-3, 3) as i8, rng.below(64) as u8);
        items.push(ItemView { slot, look, count, enchant, flags });
    }
    items.sort_unstable_by_key(|i| i.slot);
    view.inventory = Arc::new(items);
}

fn happen(events: &mut Vec<Event>, rng: &mut Rng) {
    let who = Who::Actor { id: rng.below(65_000) as u16, kind: rng.below(60) as u8 };
    let event = match rng.below(8) {
        0 => Event::Note { code: 200, who, other: Who::You, look: 9, number: -7 },
        1 => Event::Note { code: 4, who: Who::Something, other: who, look: 0, number: i32::MAX },
        2 => Event::Note { code: 0, who: Who::You, other: Who::Nobody, look: 255, number: 0 },
        3 => Event::Bolt { look: 3, from: spot(rng), to: spot(rng) },
        4 => Event::Burst { look: 255, at: spot(rng), radius: rng.below(16) as u8 },
        5 => Event::Chat { from: "Åse".into(), text: "watch out – lava".into() },
        _ => return,
    };
    events.push(event);
}

/// Changes some cells and returns those that really changed.
fn change_cells(memory: &mut CellMap, rng: &mut Rng) -> Vec<usize> {
    let start = rng.below(u32::from(WIDTH) * u32::from(HEIGHT) - 40) as usize;
    let count = rng.below(14) as usize;
    let mut changed = Vec::new();
    for n in 0..count {
        let index = start + n * (1 + n % 3);
        let gas = (rng.below(4) as u8, rng.below(3) as u8 * 3);
        let item = if rng.chance(20) { rng.below(256) as u8 } else { 0 };
        let terrain = if rng.chance(70) { 2 } else { rng.below(64) as u8 };
        if memory.set(index, Cell::new(terrain, item, gas, rng.chance(10))) {
            changed.push(index);
        }
    }
    changed
}
