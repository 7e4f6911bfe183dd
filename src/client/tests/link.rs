//! The scripted server and the link to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Client, client, welcome};
use crate::client::{Draws, Output};
use crate::model::limits::{COMMAND_QUEUE_MAX, FRAME_HISTORY};
use crate::model::{Cell, CellMap, Command, Direction, Pos, ZoneId};
use crate::protocol::frame::{Input, encode};
use crate::protocol::{ClientMessage, Event, Place, ServerMessage, View, Who};

/// What goes wrong, in percent of the frames (loss, twice, late), of the client's messages
/// (swallow) or in thousandths of the ticks (cut).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fault {
    pub(super) loss: u32,
    pub(super) twice: u32,
    pub(super) late: u32,
    pub(super) swallow: u32,
    pub(super) cut: u32,
}

struct Sent {
    number: u32,
    view: View,
    /// Cells that did not fit: who has this frame knows all others.
    missing: Vec<usize>,
    events: u32,
}

/// One zone with one player, without rules: it notes commands in their order.
struct Server {
    applied: Vec<Command>,
    queue: VecDeque<Command>,
    tick: u64,
    cells: CellMap,
    /// By cell: the frame before which it changed last.
    changed: Vec<u32>,
    events: Vec<Event>,
    sent: VecDeque<Sent>,
    number: u32,
    acked: u32,
    keyframe: bool,
}

impl Server {
    fn attach(&mut self) {
        self.sent.clear();
        self.events.clear();
        self.queue.clear();
        (self.number, self.acked, self.keyframe) = (0, 0, true);
        self.changed.fill(0);
    }

    fn handle(&mut self, message: ClientMessage) -> Option<Vec<u8>> {
        match message {
            ClientMessage::Hello { token, resume, .. } => {
                assert!(token.is_empty() != resume.is_empty());
                self.attach();
                return Some(welcome(self.applied.len() as u32));
            }
            ClientMessage::Input { last_frame, keyframe, first, commands } => {
                self.acked = self.acked.max(last_frame);
                self.keyframe |= keyframe;
                for (number, command) in (first..).zip(commands) {
                    let have = self.applied.len() + self.queue.len();
                    let number = number as usize;
                    if number == have + 1 && self.queue.len() < COMMAND_QUEUE_MAX {
                        self.queue.push_back(command);
                    } else if number <= self.applied.len() {
                        assert_eq!(self.applied[number - 1], command, "number {number}");
                    }
                }
            }
            ClientMessage::Ping { nonce } => return Some(ServerMessage::Pong { nonce }.encode()),
            ClientMessage::Bye => {}
        }
        None
    }

    fn tick(&mut self, draws: &mut Draws) -> Vec<u8> {
        self.tick += 1;
        if self.tick.is_multiple_of(2)
            && let Some(command) = self.queue.pop_front()
        {
            self.applied.push(command);
            let number = self.applied.len() as i32;
            self.events.push(Event::Note {
                code: 1,
                who: Who::You,
                other: Who::Nobody,
                look: 0,
                number,
            });
        }
        for _ in 0..draws.below(10) {
            let index = draws.below(40 * 40) as usize;
            if self.cells.set(index, Cell::new(draws.below(9) as u8, 0, (0, 0), false)) {
                self.changed[index] = self.number + 1;
            }
        }
        self.frame()
    }

    fn frame(&mut self) -> Vec<u8> {
        self.number += 1;
        let mut view = View { tick: self.tick, ..View::default() };
        let place = Place { zone: ZoneId(2), depth: 2, width: 40, height: 40, name: "x".into() };
        view.place = Arc::new(place);
        view.last_command = self.applied.len() as u32;
        view.me.pos = Pos::new((self.tick % 40) as u16, 7);
        let recent = self.number - self.acked < FRAME_HISTORY as u32;
        let base = self.sent.iter().position(|s| s.number == self.acked).filter(|_| recent);
        let base = if self.keyframe { None } else { base };
        let known = self.cells.iter().map(|(index, _)| index);
        let mut cells: Vec<usize> = match base.map(|at| &self.sent[at]) {
            Some(base) => known
                .filter(|index| self.changed[*index] > base.number || base.missing.contains(index))
                .collect(),
            None => known.collect(),
        };
        cells.sort_unstable();
        if base.is_none() {
            // What follows builds on the keyframe, not on what the client had before it.
            self.acked = self.number;
        }
        let values: Vec<_> = cells.iter().map(|&i| (i, self.cells.cell(i).unwrap())).collect();
        let confirmed = base.map_or(0, |at| self.sent[at].events);
        let encoded = encode(Input {
            number: self.number,
            baseline: base.map(|at| (self.sent[at].number, &self.sent[at].view)),
            view,
            events: &self.events[confirmed as usize..],
            first_event: confirmed,
            cells: &values,
            cells_sum: None,
            hash: self.number.is_multiple_of(5),
        });
        self.keyframe = false;
        let missing = cells.split_off(encoded.cells);
        let events = confirmed + encoded.events as u32;
        self.sent.push_back(Sent { number: self.number, view: encoded.view, missing, events });
        if self.sent.len() > FRAME_HISTORY {
            self.sent.pop_front();
        }
        encoded.bytes
    }
}

/// Both ends and what is on its way between them.
pub(super) struct World {
    now: Duration,
    draws: Draws,
    fault: Fault,
    client: Client,
    server: Server,
    to_server: VecDeque<(Duration, Vec<u8>)>,
    to_client: Vec<(Duration, Vec<u8>)>,
    connected: bool,
    given: Vec<Command>,
    seen: Vec<i32>,
}

const LATENCY: Duration = Duration::from_millis(30);

impl World {
    pub(super) fn new(seed: u64, fault: Fault) -> Self {
        let server = Server {
            applied: Vec::new(),
            queue: VecDeque::new(),
            tick: 0,
            cells: CellMap::new(40, 40),
            changed: vec![0; 40 * 40],
            events: Vec::new(),
            sent: VecDeque::new(),
            number: 0,
            acked: 0,
            keyframe: true,
        };
        Self {
            now: Duration::ZERO,
            draws: Draws::new(seed),
            fault,
            client: client(),
            server,
            to_server: VecDeque::new(),
            to_client: Vec::new(),
            connected: false,
            given: Vec::new(),
            seen: Vec::new(),
        }
    }

    fn cut(&mut self) {
        self.connected = false;
        self.to_client.clear();
        self.to_server.clear();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Connect { .. } => {
                    self.connected = true;
                    self.client.handle_open(self.now);
                }
                Output::Send(bytes) => {
                    assert!(self.connected);
                    self.to_server.push_back((self.now + LATENCY, bytes));
                }
                Output::Disconnect => self.cut(),
                Output::GiveUp(why) => panic!("{why}"),
            }
        }
    }

    fn send_frame(&mut self, frame: &[u8]) {
        if self.draws.below(100) < self.fault.loss {
            return;
        }
        let copies = 1 + u32::from(self.draws.below(100) < self.fault.twice);
        for _ in 0..copies {
            let late = self.draws.below(100) < self.fault.late;
            let delay = if late { 4 + self.draws.below(150) } else { 0 };
            let at = self.now + LATENCY + Duration::from_millis(delay.into());
            self.to_client.push((at, frame.to_vec()));
        }
    }

    fn deliver(&mut self) {
        while self.to_server.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, bytes) = self.to_server.pop_front().unwrap();
            let message = ClientMessage::decode(&bytes).unwrap();
            let input = matches!(message, ClientMessage::Input { .. });
            if input && self.draws.below(100) < self.fault.swallow {
                continue;
            }
            if let Some(answer) = self.server.handle(message) {
                self.to_client.push((self.now + LATENCY, answer));
            }
        }
        let now = self.now;
        let mut due: Vec<_> = self.to_client.extract_if(.., |(at, _)| *at <= now).collect();
        due.sort_by_key(|(at, _)| *at);
        for (_, bytes) in due {
            self.client.handle_message(self.now, &bytes);
        }
        for event in self.client.take_events() {
            if let Event::Note { number, .. } = event {
                self.seen.push(number);
            }
        }
    }

    fn step(&mut self, count: u64) {
        self.now += Duration::from_millis(5);
        if self.client.poll_timeout().is_some_and(|due| due <= self.now) {
            self.client.handle_timeout(self.now);
        }
        self.carry_out();
        if count.is_multiple_of(10) {
            if self.connected && self.draws.below(1_000) < self.fault.cut {
                self.cut();
                self.client.handle_closed(self.now, None);
            }
            // Even while nobody listens the zone goes on.
            let frame = self.server.tick(&mut self.draws);
            if self.connected && self.client.is_playing() {
                self.send_frame(&frame);
            }
        }
        self.deliver();
        self.carry_out();
    }

    /// So many ticks in which commands are given.
    pub(super) fn run(&mut self, ticks: u64) {
        for count in 0..ticks * 10 {
            self.step(count);
            if self.draws.one_in(25) {
                let direction = Direction::ALL[self.draws.below(8) as usize];
                let command = match self.draws.below(3) {
                    0 => Command::Chat { text: format!("line {}", self.given.len()) },
                    1 => Command::Rest,
                    _ => Command::Move(direction),
                };
                if let Some(number) = self.client.command(self.now, command.clone()) {
                    self.given.push(command);
                    assert_eq!(number as usize, self.given.len());
                }
            }
        }
    }

    /// Until every command is acknowledged and every cell has had time to arrive.
    pub(super) fn settle(&mut self) {
        self.fault = Fault::default();
        for count in 0..4_000 {
            self.step(count);
        }
    }

    pub(super) fn check(&self) {
        assert!(self.given.len() > 100, "{}", self.given.len());
        assert_eq!(self.server.applied, self.given);
        assert_eq!(self.client.waiting(), 0);
        assert_eq!(self.client.last_acknowledged() as usize, self.given.len());
        let stats = self.client.stats();
        assert_eq!(stats.acknowledged as usize, self.given.len());
        assert_eq!((stats.rollbacks, stats.broken_messages, stats.hash_errors), (0, 0, 0));
        assert!(self.seen.windows(2).all(|w| w[0] < w[1]), "events come once and in order");
        assert!(stats.frames > 500, "{stats:?}");
        let shown = self.client.cells().unwrap();
        let differing = (0..1_600).filter(|&i| shown.cell(i) != self.server.cells.cell(i)).count();
        assert!(differing < 60, "{differing} cells differ, more than two ticks bring");
        assert!(stats.round_trip.is_some_and(|rtt| rtt >= LATENCY * 2));
    }
}
