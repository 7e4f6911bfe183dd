//! Every decoder of bytes that somebody else wrote, as the fuzz targets and the tests call it.
//!
//! A decoder takes any bytes, tells whether it accepts them, and never panics. What it accepts
//! must survive being encoded again.

#![allow(dead_code, reason = "a fuzz target uses one of them")]

use std::sync::OnceLock;

use undercroft::app::config::Config;
use undercroft::game::generate::ZoneSpec;
use undercroft::game::state::ZoneState;
use undercroft::model::limits::{ACTORS_IN_VIEW_MAX, TOKEN_BYTES_MAX};
use undercroft::model::{AccountId, CharacterId, GatewayId, SessionId, Tick, ZoneId};
use undercroft::protocol::bus::{Bundle, ToZone};
use undercroft::protocol::frame::FrameReader;
use undercroft::protocol::{ClientMessage, ServerMessage};
use undercroft::services::{Tokens, accounts};
use undercroft::sim;
use undercroft::zone::{Entry, Recording, Replayer, Zone, encode_snapshot, seal};

/// A decoder: whether it accepts the bytes.
pub(crate) type Decoder = fn(&[u8]) -> bool;

/// Every decoder, by the name of its fuzz target and of its folder in `corpus`.
pub(crate) const DECODERS: &[(&str, Decoder)] = &[
    ("client_message", client_message),
    ("server_message", server_message),
    ("frame", frame),
    ("bus", bus),
    ("journal_entry", journal_entry),
    ("snapshot", snapshot),
    ("recording", recording),
    ("play", play),
    ("token", token),
    ("name", name),
    ("config", config),
];

/// What a client sends to a server.
pub(crate) fn client_message(bytes: &[u8]) -> bool {
    let Ok(message) = ClientMessage::decode(bytes) else { return false };
    assert_eq!(ClientMessage::decode(&message.encode()), Ok(message));
    true
}

/// What a server sends to a client.
pub(crate) fn server_message(bytes: &[u8]) -> bool {
    let Ok(message) = ServerMessage::decode(bytes) else { return false };
    assert_eq!(ServerMessage::decode(&message.encode()), Ok(message));
    true
}

/// A run of frames on one connection, each preceded by its length as `u16`; accepted if every
/// frame is applied.
pub(crate) fn frame(bytes: &[u8]) -> bool {
    let mut reader = FrameReader::default();
    let mut rest = bytes;
    let mut is_accepted = !rest.is_empty();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(tail.len());
        let (frame, tail) = tail.split_at(length);
        rest = tail;
        is_accepted &= matches!(reader.apply(frame), Ok(Some(_)));
        if let Some(view) = reader.view() {
            assert!(view.actors.len() <= ACTORS_IN_VIEW_MAX);
            let _ = view.hash();
        }
    }
    is_accepted
}

/// What gateways and instances say to each other.
pub(crate) fn bus(bytes: &[u8]) -> bool {
    let to_zone = postcard::from_bytes::<ToZone>(bytes);
    let bundle = postcard::from_bytes::<Bundle>(bytes);
    if let Ok(message) = &to_zone {
        let again = postcard::to_stdvec(message).expect("messages are plain data");
        assert_eq!(postcard::from_bytes::<ToZone>(&again).as_ref(), Ok(message));
    }
    to_zone.is_ok() || bundle.is_ok()
}

/// The inputs of one tick in a journal, without their checksum.
pub(crate) fn journal_entry(bytes: &[u8]) -> bool {
    let (zone, tick) = (ZoneId(1), Tick(1));
    let entry =
        Entry { zone, tick, version: sim::VERSION, hash: None, bytes: seal(bytes.to_vec()) };
    entry.inputs().is_ok()
}

/// The state of a zone. What is accepted can be run on.
pub(crate) fn snapshot(bytes: &[u8]) -> bool {
    // No fuzzer guesses a checksum: what lies behind it is read without, and not run.
    let _ = postcard::from_bytes::<ZoneState>(bytes);
    let replayer = Replayer::from_snapshot(ZoneId(1), Tick(1), sim::VERSION, bytes);
    let Ok(replayer) = replayer else { return false };
    let again = encode_snapshot(replayer.state());
    assert!(Replayer::from_snapshot(ZoneId(1), Tick(1), sim::VERSION, &again).is_ok());
    let mut zone = Zone::new(replayer.into_state(), "fuzz");
    for _ in 0..3 {
        zone.begin_tick();
        zone.finish_tick();
    }
    true
}

/// The file of a recording.
pub(crate) fn recording(bytes: &[u8]) -> bool {
    let Ok(recording) = Recording::decode(bytes) else { return false };
    Recording::decode(&recording.encode()).is_ok() && recording.replayer().is_ok()
}

/// The player of [`play`].
pub(crate) const HERO: CharacterId = CharacterId(7);

/// A small floor on which the hero stands.
pub(crate) fn floor() -> ZoneState {
    static FLOOR: OnceLock<ZoneState> = OnceLock::new();
    let made = FLOOR.get_or_init(|| {
        let spec = ZoneSpec { monsters: Some(12), ..ZoneSpec::floor(ZoneId(3), 11, 3, 32, 32) };
        let mut zone = Zone::new(sim::generate(&spec), "fuzz");
        attach(&mut zone, Some(sim::new_sheet(HERO, "Ada", 11)));
        zone.begin_tick();
        zone.finish_tick();
        zone.state().clone()
    });
    made.clone()
}

fn attach(zone: &mut Zone, sheet: Option<undercroft::game::state::Sheet>) {
    let sheet = sheet.map(|sheet| postcard::to_stdvec(&sheet).expect("a sheet is plain data"));
    let (account, session) = (AccountId(1), SessionId(1));
    let message =
        ToZone::Attach { character: HERO, account, session, attach: 1, ordered: false, sheet };
    zone.handle_message(GatewayId(1), message);
}

/// Messages of a client to a zone, each preceded by its length as `u16`, a tick after each;
/// accepted if all of them are messages.
pub(crate) fn play(bytes: &[u8]) -> bool {
    let mut zone = Zone::new(floor(), "fuzz");
    attach(&mut zone, None);
    let mut rest = bytes;
    let mut is_accepted = true;
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(tail.len());
        let (message, tail) = tail.split_at(length);
        rest = tail;
        match ClientMessage::decode(message) {
            Ok(ClientMessage::Input { last_frame, keyframe, first, commands }) => {
                let (character, attach) = (HERO, 1);
                let message =
                    ToZone::Input { character, attach, last_frame, keyframe, first, commands };
                zone.handle_message(GatewayId(1), message);
            }
            Ok(_) => {}
            Err(_) => is_accepted = false,
        }
        // Enough for a turn of the hero.
        for _ in 0..2 {
            let entry = zone.begin_tick();
            zone.finish_tick();
            zone.handle_durable(entry.tick);
            while zone.poll_output().is_some() {}
        }
    }
    is_accepted
}

/// The keys that [`token`] verifies with, and a moment at which its seeds have not expired.
pub(crate) fn tokens() -> &'static Tokens {
    static TOKENS: OnceLock<Tokens> = OnceLock::new();
    TOKENS.get_or_init(|| Tokens::new(&[7; 32]))
}

pub(crate) const NOW: u64 = 1_800_000_000;

/// A token that a client shows.
pub(crate) fn token(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(claims) = tokens().verify(NOW, text) else { return false };
    assert!(text.len() <= TOKEN_BYTES_MAX && claims.expires > NOW);
    true
}

/// A name that a client asks for.
pub(crate) fn name(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(name) = accounts::check_name(text) else { return false };
    assert_eq!(accounts::check_name(name), Ok(name));
    assert!(!name.chars().any(char::is_control));
    true
}

/// The text of a configuration file.
pub(crate) fn config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    Config::from_text(text).is_ok()
}
