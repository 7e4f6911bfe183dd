//! A world that changes at random, sent over a link that loses frames, is always shown as it is.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::game::rng::Rng;
use crate::model::limits::{FRAME_BYTES_MAX, FRAME_HISTORY};
use crate::model::{Cell, CellMap, Direction, Pos, ZoneId};
use crate::protocol::view::{ActorView, EffectView, ItemView, Place, View};
use crate::protocol::{DecodeError, Event, Who};

fn pos(rng: &mut Rng) -> Pos {
    Pos::new(20 + rng.below(40) as u16, 10 + rng.below(40) as u16)
}

fn change(view: &mut View, rng: &mut Rng, events: &mut Vec<Event>) {
    view.tick += u64::from(1 + rng.below(3));
    view.last_command += rng.below(3);
    if rng.chance(50) {
        let direction = Direction::from_number(rng.below(8) as u8).unwrap();
        view.me.pos = view.me.pos.step(direction, 96, 64).unwrap_or(view.me.pos);
    }
    if rng.chance(5) {
        view.me.pos = pos(rng);
    }
    view.me.hp = rng.below(60) as u16;
    view.me.gold += rng.below(2) * 7;
    if rng.chance(20) {
        let until = view.tick as u32 + rng.below(500);
        view.me.effects = vec![EffectView { kind: rng.below(20) as u8, until }];
    }
    for actor in &mut view.actors {
        let direction = Direction::from_number(rng.below(8) as u8).unwrap();
        match rng.below(8) {
            0..=4 => actor.pos = actor.pos.step(direction, 96, 64).unwrap_or(actor.pos),
            5 => actor.health = rng.below(16) as u8,
            6 => actor.state = rng.below(256) as u8,
            _ => {}
        }
    }
    if rng.chance(30) && view.actors.len() > 2 {
        view.actors.remove(rng.below(view.actors.len() as u32) as usize);
    }
    if rng.chance(40) {
        let id = rng.below(300) as u16;
        view.actors.retain(|a| a.id != id);
        let kind = rng.below(3) as u8;
        let name: Arc<str> = if kind == 0 { "Ada".into() } else { "".into() };
        let generation = rng.below(4) as u8;
        let pos = if rng.chance(90) { pos(rng) } else { Pos::new(95, 63) };
        view.actors.push(ActorView { id, generation, kind, pos, health: 15, state: 0, name });
        view.actors.sort_unstable_by_key(|a| a.id);
    }
    if rng.chance(20) {
        let slot = rng.below(26) as u8;
        let mut items = view.inventory.as_ref().clone();
        items.retain(|i| i.slot != slot);
        if rng.chance(70) {
            let enchant = rng.between(-3, 3) as i8;
            items.push(ItemView { slot, look: rng.below(200) as u8, count: 2, enchant, flags: 3 });
        }
        items.sort_unstable_by_key(|i| i.slot);
        view.inventory = Arc::new(items);
    }
    if rng.chance(40) {
        let number = events.len() as i32;
        let who = Who::Actor { id: 3, kind: 1 };
        events.push(Event::Note { code: 4, who, other: Who::You, look: 9, number });
    }
}

/// Sends `frames` frames over a link that delivers one in `deliver_percent` of a hundred frames.
fn run(seed: u64, frames: u32, deliver_percent: u32) {
    let mut rng = Rng::new(seed, 0, 0);
    let place = Place { zone: ZoneId(3), depth: 3, width: 96, height: 64, name: "Mire".into() };
    let mut world = View { place: Arc::new(place), tick: 1 << 33, ..View::default() };
    world.me.pos = Pos::new(40, 30);
    let mut memory = CellMap::new(96, 64);
    let mut events = Vec::new();
    let mut sent: Vec<(u32, View, Vec<usize>, usize)> = Vec::new();
    let mut pending: Vec<usize> = Vec::new();
    let mut acked = 0;
    let mut events_confirmed = 0;
    let mut events_seen = Vec::new();
    let mut reader = FrameReader::default();
    for number in 1..=frames {
        change(&mut world, &mut rng, &mut events);
        for _ in 0..rng.below(60) {
            let index = rng.below(96 * 64) as usize;
            let cell = Cell::new(
                rng.below(40) as u8,
                rng.below(3) as u8,
                (1, rng.below(8) as u8),
                rng.chance(10),
            );
            if memory.set(index, cell) {
                pending.push(index);
            }
        }
        let baseline = sent.iter().find(|s| s.0 == acked && number - acked < FRAME_HISTORY as u32);
        let mut cells: Vec<usize> = pending.clone();
        match baseline {
            Some(b) => {
                let since = sent.iter().filter(|s| s.0 > b.0).flat_map(|s| s.2.clone());
                cells.extend(since);
            }
            None => cells = memory.iter().map(|(i, _)| i).collect(),
        }
        cells.sort_unstable();
        cells.dedup();
        let values: Vec<_> = cells.iter().map(|&i| (i, memory.cell(i).unwrap())).collect();
        let encoded = encode(Input {
            number,
            baseline: baseline.map(|s| (s.0, &s.1)),
            view: world.clone(),
            events: &events[events_confirmed..],
            first_event: events_confirmed as u32,
            cells: &values,
            cells_sum: None,
            hash: number % 3 == 0,
        });
        assert!(encoded.bytes.len() <= FRAME_BYTES_MAX, "{}", encoded.bytes.len());
        let carried = cells[..encoded.cells].to_vec();
        pending = cells[encoded.cells..].to_vec();
        let delivered = rng.chance(deliver_percent);
        if delivered {
            let applied = reader.apply(&encoded.bytes[1..]).unwrap().unwrap();
            assert_eq!(applied.number, number);
            assert_eq!(
                reader.view().unwrap().as_ref(),
                &encoded.view,
                "seed {seed} frame {number}"
            );
            for &index in &carried {
                assert_eq!(reader.cells().unwrap().cell(index), memory.cell(index));
            }
            events_seen.extend(applied.events);
            acked = number;
            events_confirmed += encoded.events;
        }
        sent.push((number, encoded.view, carried, encoded.events));
    }
    assert_eq!(events_seen, events[..events_confirmed]);
}

#[test]
fn every_delivered_frame_shows_what_was_sent() {
    for seed in 0..20 {
        run(seed, 200, 100);
        run(seed, 200, 60);
        run(seed, 200, 15);
    }
}

#[test]
fn actors_that_move_cost_less_than_a_byte_each() {
    let mut rng = Rng::new(5, 0, 0);
    let actor = |id: u16, rng: &mut Rng| ActorView {
        id: id * 7,
        generation: 0,
        kind: 3,
        pos: pos(rng),
        health: 15,
        state: 2,
        name: "".into(),
    };
    let mut before = View { tick: 100, ..View::default() };
    before.me.pos = Pos::new(40, 30);
    before.actors = (0..43).map(|id| actor(id, &mut rng)).collect();
    let mut view = View { tick: 101, ..before.clone() };
    for actor in &mut view.actors {
        actor.pos = actor.pos.step(Direction::ALL[rng.below(8) as usize], 96, 64).unwrap();
    }
    let input = Input {
        number: 2,
        baseline: Some((1, &before)),
        view,
        events: &[],
        first_event: 0,
        cells: &[],
        cells_sum: None,
        hash: false,
    };
    let bytes = encode(input).bytes.len();
    assert!(bytes < 43, "a frame with 43 moving actors has {bytes} bytes");
}

#[test]
fn a_lost_baseline_asks_for_a_keyframe_and_a_wrong_hash_is_noticed() {
    let view = |tick| View { tick, ..View::default() };
    let frame = |number, baseline: Option<(u32, &View)>, hash| {
        let input = Input {
            number,
            baseline,
            view: view(u64::from(number)),
            events: &[],
            first_event: 0,
            cells: &[],
            cells_sum: None,
            hash,
        };
        encode(input).bytes
    };
    let mut place = Place { width: 40, height: 40, ..Place::default() };
    place.name = "x".into();
    let key = View { place: Arc::new(place), ..view(1) };
    let input = Input {
        number: 1,
        baseline: None,
        view: key.clone(),
        events: &[],
        first_event: 0,
        cells: &[],
        cells_sum: Some(0),
        hash: true,
    };
    let keyframe = encode(input).bytes;
    let mut reader = FrameReader::default();
    assert!(matches!(
        reader.apply(&frame(9, Some((8, &view(8))), false)[1..]),
        Err(DecodeError::NoBaseline(8))
    ));
    reader.apply(&keyframe[1..]).unwrap().unwrap();
    let other = View {
        tick: 1,
        last_command: 0,
        place: Arc::new(Place { zone: ZoneId(5), ..Place::default() }),
        ..View::default()
    };
    assert!(
        matches!(reader.apply(&frame(2, Some((1, &other)), true)[1..]), Ok(Some(_))),
        "zone 0 both"
    );
    let mut broken = frame(3, Some((1, &key)), true);
    let last = broken.len() - 2;
    broken[last] ^= 0x10;
    assert!(reader.apply(&broken[1..]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = FrameReader::default().apply(&bytes);
        let mut keyed = bytes.clone();
        if keyed.len() > 2 { keyed[2] = 0; }
        let _ = FrameReader::default().apply(&keyed);
    }
}
