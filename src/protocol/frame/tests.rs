//! A world that changes at random, sent over a link that loses frames, is always shown as it is.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::game::rng::Rng;
use crate::model::limits::{FRAME_BYTES_MAX, FRAME_HISTORY};
use crate::model::{Cell, CellMap, Direction, Pos, ZoneId};
use crate::protocol::view::{ActorView, EffectView, ItemView, Place, View};
use crate::protocol::{DecodeError, Event, Who};

#[path = "changing.rs"]
mod changing;

use changing::{HEIGHT, WIDTH, change, change_cells, first_view, happen};

/// Sends `frames` frames over a link that delivers `deliver_percent` of a hundred; how many were
/// too small for all cells.
fn run(seed: u64, frames: u32, deliver_percent: u32) -> u32 {
    let mut rng = Rng::new(seed, 0, 0);
    let mut world = first_view(ZoneId(3));
    let mut memory = CellMap::new(WIDTH, HEIGHT);
    let mut events = Vec::new();
    let mut sent: Vec<(u32, View, Vec<usize>, usize)> = Vec::new();
    let mut pending: Vec<usize> = Vec::new();
    let mut full = 0;
    let mut acked = 0;
    let mut events_confirmed = 0;
    let mut events_seen = Vec::new();
    let mut reader = FrameReader::default();
    for number in 1..=frames {
        change(&mut world, &mut rng);
        happen(&mut events, &mut rng);
        for _ in 0..5 {
            pending.extend(change_cells(&mut memory, &mut rng));
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
        full += u32::from(encoded.cells < cells.len());
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
    full
}

#[test]
fn every_delivered_frame_shows_what_was_sent() {
    for seed in 0..20 {
        let full = [100, 60, 15].map(|percent| run(seed, 200, percent));
        assert!(full.iter().sum::<u32>() > 0, "seed {seed}");
    }
}

#[test]
fn actors_that_move_cost_less_than_a_byte_each() {
    let mut rng = Rng::new(5, 0, 0);
    let actor = |id: u16, rng: &mut Rng| ActorView {
        id: id * 7,
        generation: 0,
        kind: 3,
        pos: Pos::new(20 + rng.below(40) as u16, 10 + rng.below(40) as u16),
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

#[test]
fn time_that_runs_over_is_an_error() {
    let view = |tick| View { tick, place: first_view(ZoneId(3)).place, ..View::default() };
    let frame = |number, baseline, tick| {
        let input = Input {
            number,
            baseline,
            view: view(tick),
            events: &[],
            first_event: 0,
            cells: &[],
            cells_sum: None,
            hash: false,
        };
        encode(input).bytes
    };
    let mut reader = FrameReader::default();
    reader.apply(&frame(1, None, u64::MAX)[1..]).unwrap();
    let next = frame(2, Some((1, &view(5))), 6);
    assert!(matches!(reader.apply(&next[1..]), Err(DecodeError::OutOfRange("tick"))));
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
