//! The frames of one attached player: what was sent, what is acknowledged, what is still to send.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::game::rng::mix;
use crate::model::limits::{EVENT_BACKLOG_MAX, FRAME_HASH_INTERVAL, FRAME_HISTORY};
use crate::model::{Cell, CellMap};
use crate::protocol::frame::{self, Encoded};
use crate::protocol::{Event, View};

/// Cells that fit every frame, whatever else it carries.
const CELLS_SURE_TO_FIT: usize = 20;
/// Remembered cells are added to a frame until it carries this many.
const CELLS_PER_RESYNC: usize = 400;

/// One frame on its way or arrived.
#[derive(Debug)]
struct Sent {
    number: u32,
    view: View,
    /// Cells that were news then, sorted. What was news in an earlier frame is repeated in later
    /// ones, but listed there alone.
    cells: Vec<u32>,
    /// Number of the event after the last one it carried.
    events_end: u32,
}

/// The frames of one attach.
#[derive(Debug)]
pub(super) struct Stream {
    ordered: bool,
    number: u32,
    sent: VecDeque<Sent>,
    /// The newest frame the client says it has, or a keyframe sent since: what follows builds on
    /// it at once, and a client that did not get it asks for another. Were it repeated until it is
    /// acknowledged, each one would make the client forget the one that the acknowledgement on
    /// its way is for.
    acked: u32,
    keyframe: bool,
    /// Cells whose look the client does not have, sorted.
    pending: Vec<u32>,
    /// After a keyframe: the next chunk of the memory to send.
    resync: Option<usize>,
    events: VecDeque<Event>,
    first_event: u32,
}

impl Stream {
    /// The stream of a new attach; its first frame is a keyframe. Streams of different attaches
    /// number their frames differently, so that a frame that comes late is not taken for one of
    /// another.
    pub(super) fn new(ordered: bool, attach: u64) -> Self {
        Self {
            ordered,
            number: (mix(attach) & 0x7fff) as u32,
            sent: VecDeque::new(),
            acked: 0,
            keyframe: true,
            pending: Vec::new(),
            resync: None,
            events: VecDeque::new(),
            first_event: 1,
        }
    }

    /// The client has this frame.
    pub(super) fn handle_ack(&mut self, number: u32) {
        let known = self.sent.iter().any(|s| s.number == number);
        if self.ordered || !known || number <= self.acked {
            return;
        }
        self.acked = number;
        self.sent.retain(|s| s.number >= number);
        let events_end = self.sent.front().map_or(self.first_event, |s| s.events_end);
        self.confirm_events(events_end);
    }

    /// The client cannot go on from what it has.
    pub(super) fn request_keyframe(&mut self) {
        self.keyframe = true;
    }

    /// The look of these cells (sorted) is news.
    pub(super) fn add_cells(&mut self, cells: &[u32]) {
        if cells.is_empty() {
            return;
        }
        let first = self.pending.is_empty();
        self.pending.extend_from_slice(cells);
        if !first {
            self.pending.sort();
            self.pending.dedup();
        }
    }

    pub(super) fn add_event(&mut self, event: Event) {
        if self.events.len() == EVENT_BACKLOG_MAX {
            self.events.pop_front();
            self.first_event += 1;
        }
        self.events.push_back(event);
    }

    fn confirm_events(&mut self, end: u32) {
        while self.first_event < end && self.events.pop_front().is_some() {
            self.first_event += 1;
        }
    }

    /// Makes the next frame. `visible` lists the cells in sight by rising index, for a keyframe,
    /// which carries them first. Returns the encoded message and whether it is a keyframe.
    pub(super) fn next_frame(
        &mut self,
        view: View,
        memory: &CellMap,
        visible: impl FnOnce() -> Vec<u32>,
    ) -> (Bytes, bool) {
        self.number += 1;
        let number = self.number;
        let newest = if self.ordered { number - 1 } else { self.acked };
        let reachable = number - newest < FRAME_HISTORY as u32
            && self.sent.iter().any(|s| s.number == newest && s.view.place == view.place);
        let keyframe = self.keyframe || !reachable;
        if keyframe {
            // What was sent before is forgotten; all that is known is sent again.
            self.sent.clear();
            self.pending = visible();
            self.pending.retain(|&index| memory.cell(index as usize).is_some());
            self.resync = Some(0);
            self.keyframe = false;
            self.acked = number;
        }
        self.resync_some(memory);
        let mut news = std::mem::take(&mut self.pending);
        let mut cells = news.clone();
        for frame in self.sent.iter().filter(|s| s.number > newest) {
            cells.extend_from_slice(&frame.cells);
        }
        if cells.len() > news.len() {
            // Sorted runs one after the other, which a stable sort merges.
            cells.sort();
            cells.dedup();
        }
        let values: Vec<(usize, Cell)> = cells
            .iter()
            .filter_map(|&index| Some((index as usize, memory.cell(index as usize)?)))
            .collect();
        let complete = self.resync.is_none() && values.len() <= CELLS_SURE_TO_FIT;
        let baseline = self.sent.iter().find(|s| s.number == newest && !keyframe);
        let Encoded { bytes, view, events, cells: carried } = frame::encode(frame::Input {
            number,
            baseline: baseline.map(|s| (s.number, &s.view)),
            view,
            events: self.events.make_contiguous(),
            first_event: self.first_event,
            cells: &values,
            cells_sum: complete.then(|| memory.sum()),
            hash: number.is_multiple_of(FRAME_HASH_INTERVAL),
        });
        // What did not fit is news again.
        self.pending = cells.split_off(carried);
        if let Some(&first_left) = self.pending.first() {
            news.truncate(news.partition_point(|&cell| cell < first_left));
        }
        let events_end = self.first_event + u32::try_from(events).unwrap_or(0);
        if self.ordered {
            self.confirm_events(events_end);
            self.sent.clear();
            news = Vec::new();
        } else if self.sent.len() == FRAME_HISTORY {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { number, view, cells: news, events_end });
        (bytes.into(), keyframe)
    }

    /// After a keyframe: adds remembered cells to what is pending, a frame's worth at a time.
    fn resync_some(&mut self, memory: &CellMap) {
        while let Some(chunk) = self.resync.filter(|_| self.pending.len() < CELLS_PER_RESYNC) {
            self.resync = (chunk + 1 < memory.chunk_count()).then_some(chunk + 1);
            let known: Vec<u32> =
                memory.chunk(chunk).filter_map(|(index, _)| u32::try_from(index).ok()).collect();
            self.add_cells(&known);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use super::Stream;
    use crate::game::rng::Rng;
    use crate::model::{Cell, CellMap, Pos};
    use crate::protocol::frame::FrameReader;
    use crate::protocol::{Event, Place, View};

    /// How a link behaves.
    #[derive(Clone, Copy, Debug, Default)]
    struct Way {
        ordered: bool,
        loss_percent: u32,
        /// Ticks that a frame takes, and its acknowledgement too.
        lag: usize,
    }

    /// Plays a stream over a link that delays and loses frames and acknowledgements; in the end,
    /// when nothing changes any more, the client knows everything and frames are small. Returns
    /// the number of keyframes.
    fn play(seed: u64, way: Way) -> u32 {
        let Way { ordered, loss_percent, lag } = way;
        let mut rng = Rng::new(seed, 0, 0);
        let (width, height) = (96, 64);
        let mut memory = CellMap::new(width, height);
        for index in 0..3_000 {
            memory.set(index * 2, Cell::new((index % 30) as u8, 0, (0, 0), false));
        }
        let place = Arc::new(Place { width, height, ..Place::default() });
        let mut view = View { place, ..View::default() };
        let mut stream = Stream::new(ordered, seed);
        let mut reader = FrameReader::default();
        let (mut notes, mut keyframes) = (Vec::new(), 0);
        let mut frames = VecDeque::from(vec![None; lag]);
        let mut answers = VecDeque::from(vec![None; lag]);
        let mut asked_at = 0;
        let mut may_ask = |tick: u64| {
            let ask = asked_at == 0 || tick - asked_at > 2 * lag as u64;
            asked_at = if ask { tick } else { asked_at };
            ask
        };
        for tick in 1..500_u64 {
            view.tick = tick;
            let quiet = tick > 300;
            if !quiet {
                view.me.pos = Pos::new(rng.below(90) as u16, 20);
                let index = rng.below(6_000);
                if memory.set(index as usize, Cell::new(rng.below(40) as u8, 0, (1, 2), false)) {
                    stream.add_cells(&[index]);
                }
                if rng.chance(30) {
                    notes.push(tick as u8);
                    let at = Pos::new(1, 1);
                    stream.add_event(Event::Burst { look: tick as u8, at, radius: 2 });
                }
            }
            let (bytes, keyframe) =
                stream.next_frame(view.clone(), &memory, || (0..50).map(|i| i * 2).collect());
            keyframes += u32::from(keyframe);
            assert!(
                tick < 480 || bytes.len() < 64,
                "{} bytes of nothing new, {keyframes} keyframes, {way:?}",
                bytes.len()
            );
            let lost = !ordered && rng.chance(loss_percent) && !quiet;
            frames.push_back((!lost).then_some((bytes, view.clone())));
            let mut answer = None;
            if let Some((bytes, view)) = frames.pop_front().flatten() {
                match reader.apply(&bytes[1..]) {
                    Ok(Some(applied)) => {
                        assert_eq!(reader.view().unwrap().as_ref(), &view);
                        for event in applied.events {
                            let Event::Burst { look, .. } = event else { panic!("{event:?}") };
                            // Those that no backlog holds any more are left out, the oldest first.
                            let left_out = notes.iter().position(|&note| note == look).unwrap();
                            assert!(left_out == 0 || loss_percent > 0);
                            notes.drain(..=left_out);
                        }
                        answer = Some((reader.newest(), false));
                    }
                    Ok(None) => {}
                    Err(error) => {
                        assert!(!ordered, "{error}");
                        // A client gives a keyframe time to come before it asks again.
                        answer = Some((reader.newest(), may_ask(tick)));
                    }
                }
            }
            answers.push_back(answer.filter(|_| quiet || !rng.chance(loss_percent)));
            if let Some((newest, keyframe)) = answers.pop_front().flatten() {
                stream.handle_ack(newest);
                if keyframe {
                    stream.request_keyframe();
                }
            }
        }
        while let Some(Some((bytes, _))) = frames.pop_front() {
            reader.apply(&bytes[1..]).unwrap();
        }
        assert_eq!(reader.cells(), Some(&memory), "seed {seed}");
        assert!(notes.is_empty());
        keyframes
    }

    #[test]
    fn the_client_ends_up_with_everything() {
        for seed in 0..10 {
            for lag in [0, 1, 4, 10] {
                let way = Way { lag, ..Way::default() };
                assert_eq!(play(seed, Way { ordered: true, ..way }), 1);
                let keyframes = play(seed, way);
                assert_eq!(keyframes, 1, "lag {lag}");
                play(seed, Way { loss_percent: 50, ..way });
                play(seed, Way { loss_percent: 90, ..way });
            }
        }
    }
}
