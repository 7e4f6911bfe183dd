//! The files of the corpus that are made, not found: one of each kind of thing a decoder meets.

use std::sync::Arc;

use super::decoders::{HERO, NOW, floor, tokens};
use undercroft::game::item::{Item, ItemKind};
use undercroft::game::state::{Arrive, DepartureKey, EFFECTS, Input, Sheet};
use undercroft::model::{
    AccountId, Cell, CharacterId, Command, Direction, Pos, SessionId, Tick, ZoneId,
};
use undercroft::protocol::bus::{Bundle, FromZone, ToZone};
use undercroft::protocol::frame::{self, encode};
use undercroft::protocol::{
    ActorView, ClientMessage, CloseReason, EffectView, Event, ItemView, Place, ServerMessage,
    VERSION, View, Who,
};
use undercroft::services::{Claims, Kind};
use undercroft::sim;
use undercroft::zone::{Recording, encode_snapshot};

/// Target, file name and content; names that begin with `bad_` are refused.
pub(super) fn all() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |target, seeds: Vec<(&'static str, Vec<u8>)>| {
        all.extend(seeds.into_iter().map(|(name, bytes)| (target, name, bytes)));
    };
    add("client_message", client_messages());
    add("server_message", server_messages());
    add("frame", frames());
    add("bus", bus_messages());
    add("journal_entry", journal_entries());
    add("snapshot", snapshots());
    add("recording", recordings());
    add("play", plays());
    add("token", issued_tokens());
    add("name", names());
    add("config", configs());
    all
}

fn every_command() -> Vec<Command> {
    let target = Pos::new(1_023, 7);
    vec![
        Command::Rest,
        Command::Search,
        Command::Move(Direction::ALL[5]),
        Command::UseStairs,
        Command::PickUp,
        Command::Drop { slot: 25 },
        Command::Equip { slot: 0 },
        Command::Use { slot: 3 },
        Command::UseAt { slot: 4, target },
        Command::Throw { slot: 5, target },
        Command::Sneak { on: true },
        Command::Chat { text: "hello, \u{3b1}".to_owned() },
    ]
}

fn client_messages() -> Vec<(&'static str, Vec<u8>)> {
    let hello = |token: &str, resume: &str| ClientMessage::Hello {
        version: VERSION,
        token: token.to_owned(),
        character: CharacterId(0x0102_0304_0506_0708),
        resume: resume.to_owned(),
        datagrams: true,
    };
    let input =
        |commands| ClientMessage::Input { last_frame: 70_000, keyframe: true, first: 9, commands };
    let good = hello("eyJhbGciOiJFZERTQSJ9.e30.AAAA", "").encode();
    let mut flag = good.clone();
    flag.pop();
    flag.push(2);
    let mut trailing = ClientMessage::Bye.encode();
    trailing.push(0);
    vec![
        ("hello", good),
        ("hello_resume", hello("", "eyJhbGciOiJFZERTQSJ9.e30.BBBB").encode()),
        ("hello_other_version", vec![1, 9, 9, 0xff, 0xff]),
        ("input_empty", input(Vec::new()).encode()),
        ("input_step", input(vec![Command::Move(Direction::ALL[0])]).encode()),
        ("input_every_command", input(every_command()).encode()),
        ("input_most", input(vec![Command::Rest; 32]).encode()),
        ("bad_input_too_many", input(vec![Command::Rest; 33]).encode()),
        ("ping", ClientMessage::Ping { nonce: u32::MAX }.encode()),
        ("bye", ClientMessage::Bye.encode()),
        ("bad_flag", flag),
        ("bad_trailing", trailing),
        ("bad_tag", vec![200]),
        ("bad_empty", Vec::new()),
        ("bad_slot", [&[2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[4, 26]].concat()),
        ("bad_count", [&[2, 0, 0, 0, 0, 0, 1, 0, 0, 0][..], &[0xff; 9], &[1]].concat()),
        ("bad_text", [&[2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[10, 2, 0xc3, 0x28]].concat()),
    ]
}

fn server_messages() -> Vec<(&'static str, Vec<u8>)> {
    let welcome = ServerMessage::Welcome {
        version: VERSION,
        session: SessionId(7),
        character: CharacterId(u64::MAX),
        last_command: 41,
        ticks_per_second: 20,
        name: "Ada".to_owned(),
        resume: "eyJhbGciOiJFZERTQSJ9.e30.CCCC".to_owned(),
    };
    let close = |reason, detail: &str| {
        let detail = detail.to_owned();
        ServerMessage::Close { reason, retry_after_ms: 1_500, detail }.encode()
    };
    vec![
        ("welcome", welcome.encode()),
        ("pong", ServerMessage::Pong { nonce: 3 }.encode()),
        ("frame", ServerMessage::Frame(vec![1, 0, 0, 0xff]).encode()),
        ("frame_empty", ServerMessage::Frame(Vec::new()).encode()),
        ("close_draining", close(CloseReason::Draining, "")),
        ("close_goodbye", close(CloseReason::Goodbye, "")),
        ("close_banned", close(CloseReason::Banned, "for cheating")),
        ("notice", ServerMessage::Notice { text: "Back at noon.".to_owned() }.encode()),
        ("bad_notice", ServerMessage::Notice { text: "a".repeat(201) }.encode()),
        ("bad_close_reason", vec![4, 99, 0, 0, 0, 0, 0]),
        ("bad_empty", Vec::new()),
    ]
}

/// Frames as one connection gets them.
struct Frames {
    sent: Vec<View>,
    bytes: Vec<u8>,
}

impl Frames {
    fn new() -> Self {
        Self { sent: Vec::new(), bytes: Vec::new() }
    }

    /// Adds a frame that builds on the one `back` before, or on nothing.
    fn add(&mut self, back: Option<usize>, view: View, events: &[Event], cells: &[(usize, Cell)]) {
        let number = self.sent.len() as u32 + 1;
        let baseline = back.map(|back| {
            let index = self.sent.len() - back;
            (index as u32 + 1, &self.sent[index])
        });
        let encoded = encode(frame::Input {
            number,
            baseline,
            view,
            events,
            first_event: number,
            cells,
            cells_sum: None,
            hash: number % 2 == 1,
        });
        // Readers get a frame without its tag.
        let frame = &encoded.bytes[1..];
        self.bytes.extend_from_slice(&(frame.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(frame);
        self.sent.push(encoded.view);
    }
}

fn view(tick: u64, zone: u32) -> View {
    let place =
        Place { zone: ZoneId(zone), depth: 3, width: 96, height: 64, name: "floor 3".to_owned() };
    let mut view = View { place: Arc::new(place), tick, last_command: 5, ..View::default() };
    view.me.pos = Pos::new(40, 30);
    view.me.hp = 31;
    view.me.hp_max = 40;
    view.me.effects = vec![EffectView { kind: 4, until: tick as u32 + 90 }];
    view.actors = vec![actor(3, 0, 41, "Ada"), actor(9, 1, 44, ""), actor(300, 2, 50, "")];
    let item = |slot, look| ItemView { slot, look, count: 2, enchant: -1, flags: 35 };
    view.inventory = Arc::new(vec![item(0, 4), item(25, 200)]);
    view
}

fn actor(id: u16, kind: u8, x: u16, name: &str) -> ActorView {
    let pos = Pos::new(x, 30);
    ActorView { id, generation: 2, kind, pos, health: 9, state: 2, name: name.into() }
}

fn later(before: &View) -> View {
    let mut view = before.clone();
    view.tick += 1;
    view.last_command += 1;
    view.me.pos.x += 1;
    view.me.gold += 12;
    view.actors[0].pos.y += 1;
    view.actors[1].health = 3;
    view.actors.remove(2);
    view.actors.push(actor(400, 7, 60, ""));
    view.inventory = Arc::new(Vec::new());
    view
}

fn every_event() -> Vec<Event> {
    let (from, to) = (Pos::new(40, 30), Pos::new(44, 30));
    let jackal = Who::Actor { id: 9, kind: 1 };
    vec![
        Event::Note { code: 0, who: Who::You, other: jackal, look: 0, number: -3 },
        Event::Note { code: 9, who: Who::Something, other: Who::Nobody, look: 7, number: 0 },
        Event::Bolt { look: 2, from, to },
        Event::Burst { look: 1, at: to, radius: 15 },
        Event::Chat { from: "Ada".to_owned(), text: "mind the gas".to_owned() },
    ]
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let cells: Vec<(usize, Cell)> = (0..60)
        .map(|i| (i * 13, Cell::new(i as u8 % 9, u8::from(i % 7 == 0), (1, i as u8 % 4), i < 9)))
        .collect();
    let first = view(1_000, 3);
    let second = later(&first);
    let mut third = second.clone();
    third.tick += 4;

    let mut keyframe = Frames::new();
    keyframe.add(None, first.clone(), &[], &cells);
    let mut deltas = Frames::new();
    deltas.add(None, first.clone(), &every_event(), &cells);
    deltas.add(Some(1), second.clone(), &every_event(), &cells[20..25]);
    deltas.add(Some(2), third.clone(), &[], &[]);
    let mut quiet = Frames::new();
    quiet.add(None, View { tick: 1, ..view(1, 1) }, &[], &[]);
    for tick in 2..8 {
        quiet.add(Some(1), View { tick, ..view(1, 1) }, &[], &[]);
    }
    let mut moved = Frames::new();
    moved.add(None, first.clone(), &[], &cells);
    moved.add(None, view(7, 4), &every_event(), &cells[..3]);
    let mut large = Frames::new();
    let place = Place { width: 1_024, height: 1_024, ..(*first.place).clone() };
    let last = Cell::new(1, 2, (3, 4), true);
    large.add(None, View { place: Arc::new(place), ..first }, &[], &[(1_048_575, last)]);
    let no_baseline = {
        let cut = usize::from(deltas.bytes[0]) + 256 * usize::from(deltas.bytes[1]) + 2;
        deltas.bytes[cut..].to_vec()
    };
    vec![
        ("keyframe", keyframe.bytes),
        ("deltas", deltas.bytes),
        ("quiet", quiet.bytes),
        ("other_zone", moved.bytes),
        ("large_zone", large.bytes),
        ("bad_no_baseline", no_baseline),
        ("bad_empty_frame", vec![0, 0]),
        ("bad_zeros", [&[40, 0][..], &[0; 40]].concat()),
        ("bad_ones", [&[60, 0, 1, 0, 0][..], &[0xff; 57]].concat()),
    ]
}

fn item(kind: u8) -> Item {
    Item { kind: ItemKind(kind), count: 3, enchant: -2, charge: 900, identified: true, opens: 77 }
}

fn sheet() -> Sheet {
    Sheet {
        character: CharacterId(12),
        name: "Ada".to_owned(),
        version: 4,
        level: 3,
        xp: 210,
        gold: 55,
        hp: 30,
        hp_max: 40,
        strength: 13,
        items: [(0, item(1)), (25, item(30))].into(),
        weapon: Some(0),
        armor: None,
        known: vec![ItemKind(1), ItemKind(9)],
        last_command: 1_234,
        effects: [7; EFFECTS],
        deaths: 1,
        deepest: 5,
        home: ZoneId(2),
        queue: [Command::Search].into(),
    }
}

fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("seeds are plain data")
}

fn bus_messages() -> Vec<(&'static str, Vec<u8>)> {
    let (character, attach) = (CharacterId(12), 3);
    let attaching = ToZone::Attach {
        character,
        account: AccountId(1),
        session: SessionId(5),
        attach,
        ordered: true,
        sheet: Some(encoded(&sheet())),
    };
    let input = ToZone::Input {
        character,
        attach,
        last_frame: 70_000,
        keyframe: false,
        first: 8,
        commands: every_command(),
    };
    let bundle = Bundle {
        zone: ZoneId(3),
        tick: 1 << 40,
        items: vec![
            FromZone::Attached { character, attach, last_command: 9, name: "Ada".to_owned() },
            FromZone::NotHere { character, attach },
            FromZone::Frame { character, attach, message: vec![2, 1, 0, 1, 0xaa].into() },
            FromZone::Moved { character, attach, zone: ZoneId(4) },
            FromZone::Left { character, attach },
        ],
    };
    vec![
        ("attach", encoded(&attaching)),
        ("detach", encoded(&ToZone::Detach { character, attach, leave: true })),
        ("input", encoded(&input)),
        ("bundle", encoded(&bundle)),
        ("bad_empty", Vec::new()),
    ]
}

fn journal_entries() -> Vec<(&'static str, Vec<u8>)> {
    let character = CharacterId(12);
    let key = DepartureKey { zone: ZoneId(2), tick: Tick(1_000), character };
    let commands: Vec<Input> = (1..)
        .zip(every_command())
        .map(|(number, command)| Input::Command { character, number, command })
        .collect();
    let comings = vec![
        Input::Arrive { key, at: Arrive::Down, sheet: sheet() },
        Input::Connect { character },
        Input::Disconnect { character },
        Input::Leave { character },
        Input::Arrived { key },
    ];
    vec![
        ("nothing", encoded(&Vec::<Input>::new())),
        ("commands", encoded(&commands)),
        ("comings_and_goings", encoded(&comings)),
        ("bad_empty", Vec::new()),
        ("bad_length", vec![0xff, 0xff, 0xff, 0xff, 0x0f, 1]),
    ]
}

fn snapshots() -> Vec<(&'static str, Vec<u8>)> {
    let state = floor();
    let encoded = encode_snapshot(&state);
    vec![("bad_cut", encoded[..600].to_vec()), ("floor", encoded), ("bad_empty", Vec::new())]
}

fn recordings() -> Vec<(&'static str, Vec<u8>)> {
    let state = floor();
    let recording = Recording {
        zone: state.zone,
        tick: state.tick,
        version: sim::VERSION,
        snapshot: encode_snapshot(&state),
        entries: Vec::new(),
    };
    let other = Recording { version: sim::VERSION + 1, snapshot: Vec::new(), ..recording.clone() };
    vec![
        ("floor", recording.encode()),
        ("bad_version", other.encode()),
        ("bad_foreign", b"undercroft-recording-2\n".to_vec()),
    ]
}

/// Every command where the hero of [`floor`] stands, and at cells that are not there.
fn plays() -> Vec<(&'static str, Vec<u8>)> {
    let said = |messages: &[ClientMessage]| {
        let encoded = messages.iter().map(ClientMessage::encode);
        let framed = encoded.map(|m| [&(m.len() as u16).to_le_bytes()[..], &m].concat());
        framed.collect::<Vec<_>>().concat()
    };
    let one_each = |commands: Vec<Command>| {
        let inputs: Vec<ClientMessage> = (1..)
            .zip(commands)
            .map(|(first, command)| ClientMessage::Input {
                last_frame: first,
                keyframe: first == 5,
                first,
                commands: vec![command],
            })
            .collect();
        said(&inputs)
    };
    let state = floor();
    let hero = &state.players[&HERO];
    let cell = state.actors[usize::from(hero.slot)].cell as u16;
    let here = Pos::new(cell % state.width, cell / state.width);
    let far = [Pos::new(31, 31), Pos::new(32, 0), Pos::new(0, 1_023), Pos::new(1_023, 1_023), here];
    let slots = 0..26;
    let at = |command: fn(u8, Pos) -> Command| {
        slots.clone().map(|slot| command(slot, far[usize::from(slot) % 5])).collect()
    };
    let rounds = Direction::ALL.iter().cycle().take(40).map(|&d| Command::Move(d));
    let backwards = ClientMessage::Input {
        last_frame: u32::MAX,
        keyframe: true,
        first: u32::MAX,
        commands: vec![Command::Rest; 3],
    };
    vec![
        ("every_command", one_each(every_command())),
        ("rounds", one_each(rounds.collect())),
        ("throw_all", one_each(at(|slot, target| Command::Throw { slot, target }))),
        ("point_all", one_each(at(|slot, target| Command::UseAt { slot, target }))),
        ("use_all", one_each((0..26).map(|slot| Command::Use { slot }).collect())),
        ("drop_all", one_each((0..26).map(|slot| Command::Drop { slot }).collect())),
        ("last_number", said(&[backwards.clone(), backwards])),
        ("bad_message", vec![1, 0, 99]),
    ]
}

fn issued_tokens() -> Vec<(&'static str, Vec<u8>)> {
    let claims =
        |kind, expires| Claims { account: AccountId(u64::MAX), issued: NOW - 60, expires, kind };
    let session = Kind::Session { session: SessionId(5), character: CharacterId(12) };
    let issue = |claims: &Claims| tokens().issue(claims).into_bytes();
    let access = issue(&claims(Kind::Access, NOW + 60));
    let mut forged = access.clone();
    let last = forged.len() - 9;
    forged[last] ^= 1;
    vec![
        ("access", access),
        ("session", issue(&claims(session, NOW + 60))),
        ("bad_expired", issue(&claims(Kind::Access, NOW))),
        ("bad_forged", forged),
        ("bad_dots", b"..".to_vec()),
        ("bad_none", b"eyJhbGciOiJub25lIn0.e30.".to_vec()),
    ]
}

fn names() -> Vec<(&'static str, Vec<u8>)> {
    let text = |name, text: &str| (name, text.as_bytes().to_vec());
    vec![
        text("latin", "Ada Lovelace-9"),
        text("greek", "\u{391}\u{3b4}\u{3b1}"),
        text("bad_mixed", "Ad\u{430}"),
        text("bad_control", "Ada\u{7}"),
        text("bad_direction", "\u{202e}Ada"),
        text("bad_guest", "Guest-1"),
        text("bad_long", "abcdefghijklmnopq"),
        text("bad_empty", ""),
    ]
}

fn configs() -> Vec<(&'static str, Vec<u8>)> {
    let text = |name, text: &str| (name, text.as_bytes().to_vec());
    vec![
        text("empty", ""),
        text(
            "some",
            "# a server\ndata = \"/srv/undercroft\"\nweb = \"127.0.0.1:8080\"\n\
             quic = \"[::]:7778\"\nticks_per_second = 30\nzone_width = 256\n\
             synchronous = \"normal\"\nlog = \"debug\"\n",
        ),
        text("bad_key", "tick_rate = 3\n"),
        text("bad_value", "ticks_per_second = 31\n"),
        text("bad_type", "zone_width = \"wide\"\n"),
        text("bad_huge", "snapshot_seconds = 99999999999999999999\n"),
    ]
}
