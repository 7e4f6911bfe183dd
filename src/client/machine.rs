//! The state machine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::outbox::{Outbox, Resumed};
use super::retry::Retry;
use super::shape::{Config, Credentials, GiveUp, Output, Session};
use super::stats::{Samples, Stats};
use crate::model::{CellMap, Command};
use crate::protocol::frame::FrameReader;
use crate::protocol::message::TAG_FRAME;
use crate::protocol::{
    ClientMessage, CloseReason, DecodeError, Event, ServerMessage, VERSION, View,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down {
        retry_at: Duration,
    },
    /// A connection was asked for or a Hello sent.
    Joining {
        since: Duration,
    },
    Playing,
    Over,
}

/// A player's side.
#[derive(Debug)]
pub struct Client {
    config: Config,
    state: State,
    retry: Retry,
    /// How the server has closed last: for how long, and what it said about it.
    farewell: (Duration, String),
    /// What the admins tell all players, and whether it was taken.
    notice: (String, bool),
    outputs: VecDeque<Output>,
    outbox: Outbox,
    reader: FrameReader,
    /// What was shown before this connection, until its first frame.
    earlier: Option<FrameReader>,
    events: VecDeque<Event>,
    session: Option<Session>,
    stats: Stats,
    samples: Samples,
    cells_revision: u64,
    /// What the frames of earlier connections acknowledged.
    known_before: u32,
    keyframe_wanted: bool,
    keyframe_asked_at: Option<Duration>,
    input_at: Duration,
    heard_at: Duration,
    frame_at: Option<Duration>,
    ping: Option<(u32, Duration)>,
    ping_at: Duration,
    pings: u32,
}

/// Longest silence of a client, so that the server learns which frames arrived.
const INPUT_INTERVAL: Duration = Duration::from_millis(250);
/// The same where frames may get lost and each builds on the newest acknowledged one.
const INPUT_INTERVAL_DATAGRAMS: Duration = Duration::from_millis(150);
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// A command that no frame covers after so long is sent again; the zone ignores what it has.
const RESEND_AFTER: Duration = Duration::from_secs(1);
const KEYFRAME_PATIENCE: Duration = Duration::from_millis(250);
/// Frames come every tick and pongs every other second, so this is a connection that is gone: QUIC
/// does not notice by itself when a server dies.
const SILENCE_MAX: Duration = Duration::from_secs(5);
const JOIN_MAX: Duration = Duration::from_secs(10);
/// Events kept until taken; the oldest go first.
const EVENTS_MAX: usize = 512;

impl Client {
    /// Makes a client whose first output asks for a connection at its first `handle_timeout`.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            state: State::Down { retry_at: Duration::ZERO },
            retry: Retry::new(config.seed, config.patience),
            config,
            farewell: (Duration::ZERO, String::new()),
            notice: (String::new(), true),
            outputs: VecDeque::new(),
            outbox: Outbox::default(),
            reader: FrameReader::default(),
            earlier: None,
            events: VecDeque::new(),
            session: None,
            stats: Stats::default(),
            samples: Samples::default(),
            cells_revision: 0,
            known_before: 0,
            keyframe_wanted: false,
            keyframe_asked_at: None,
            input_at: Duration::ZERO,
            heard_at: Duration::ZERO,
            frame_at: None,
            ping: None,
            ping_at: Duration::ZERO,
            pings: 0,
        }
    }

    /// The newest picture, if there was one yet. It stays while the connection is away.
    #[must_use]
    pub fn view(&self) -> Option<&Arc<View>> {
        self.reader.view().or_else(|| self.earlier.as_ref()?.view())
    }

    /// What is known of the cells of the zone in [`Self::view`].
    #[must_use]
    pub fn cells(&self) -> Option<&CellMap> {
        match &self.earlier {
            Some(earlier) if self.reader.view().is_none() => earlier.cells(),
            _ => self.reader.cells(),
        }
    }

    /// Changes whenever cells do.
    #[must_use]
    pub fn cells_revision(&self) -> u64 {
        self.cells_revision
    }

    /// Events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// What the admins tell all players, once: every connection says it anew.
    pub fn take_notice(&mut self) -> Option<String> {
        let (text, is_taken) = &mut self.notice;
        let is_new = !std::mem::replace(is_taken, true) && !text.is_empty();
        is_new.then(|| text.clone())
    }

    /// The newest command that a frame or a Welcome covers.
    #[must_use]
    pub fn last_acknowledged(&self) -> u32 {
        self.outbox.acknowledged()
    }

    /// Commands not covered yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    #[must_use]
    pub fn is_playing(&self) -> bool {
        self.state == State::Playing
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Durations noted since the last call.
    pub fn take_samples(&mut self) -> Samples {
        std::mem::take(&mut self.samples)
    }

    /// What to do next, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `handle_timeout` wants to be called; `None` once it is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Down { retry_at } => Some(retry_at),
            State::Joining { since } => Some(since + JOIN_MAX),
            State::Playing => {
                let resend = self.outbox.resend_at(RESEND_AFTER);
                [Some(self.input_due()), Some(self.ping_at), self.keyframe_due(), resend]
                    .into_iter()
                    .flatten()
                    .min()
                    .map(|at| at.min(self.heard_at + SILENCE_MAX))
            }
            State::Over => None,
        }
    }

    fn input_due(&self) -> Duration {
        let datagrams = self.config.datagrams;
        self.input_at + if datagrams { INPUT_INTERVAL_DATAGRAMS } else { INPUT_INTERVAL }
    }

    fn keyframe_due(&self) -> Option<Duration> {
        let patience = self.stats.round_trip.map_or(KEYFRAME_PATIENCE, |rtt| rtt * 2);
        let patience = patience.max(KEYFRAME_PATIENCE);
        self.keyframe_wanted.then(|| self.keyframe_asked_at.map_or(self.heard_at, |t| t + patience))
    }

    /// Takes a command; `None` if as many as a zone queues are waiting already, if no server has
    /// said yet how they are numbered, or when it is over.
    pub fn command(&mut self, now: Duration, command: Command) -> Option<u32> {
        if self.state == State::Over {
            return None;
        }
        let number = self.outbox.push(now, command)?;
        self.stats.commands += 1;
        if self.state == State::Playing {
            self.send_input(now);
        }
        Some(number)
    }

    /// Says goodbye: the session ends at once.
    pub fn leave(&mut self) {
        if self.state == State::Playing {
            self.send(&ClientMessage::Bye);
        }
        self.give_up(GiveUp::Closed(CloseReason::Goodbye));
    }

    /// The connection asked for is open.
    pub fn handle_open(&mut self, now: Duration) {
        if !matches!(self.state, State::Joining { .. }) {
            return;
        }
        self.state = State::Joining { since: now };
        self.heard_at = now;
        let Credentials { token, character, resume } = self.config.credentials.clone();
        let token = if resume.is_empty() { token } else { String::new() };
        let datagrams = self.config.datagrams;
        self.send(&ClientMessage::Hello { version: VERSION, token, character, resume, datagrams });
        // Frame and event numbers begin anew with each connection.
        let old = std::mem::take(&mut self.reader);
        if old.view().is_some() {
            self.earlier = Some(old);
        }
        self.known_before = self.outbox.acknowledged();
        self.keyframe_wanted = false;
        self.keyframe_asked_at = None;
        self.frame_at = None;
        self.ping = None;
    }

    /// The connection is gone or could not be opened. `reason`: the close code, if it had one.
    pub fn handle_closed(&mut self, now: Duration, reason: Option<CloseReason>) {
        match self.state {
            State::Down { .. } | State::Over => {}
            State::Joining { .. } | State::Playing => {
                self.outputs.retain(|output| !matches!(output, Output::Send(_)));
                self.go_down(now, reason, Duration::ZERO);
            }
        }
    }

    fn go_down(&mut self, now: Duration, reason: Option<CloseReason>, at_least: Duration) {
        let resumed = !self.config.credentials.resume.is_empty();
        let joining = matches!(self.state, State::Joining { .. });
        let stale = matches!(reason, Some(CloseReason::Unauthenticated | CloseReason::NoCharacter));
        if joining && resumed && stale && !self.config.credentials.token.is_empty() {
            // The session has ended; the account's token may begin another.
            self.config.credentials.resume.clear();
        } else if let Some(reason) = reason.filter(|r| !r.is_temporary()) {
            return self.give_up(GiveUp::Closed(reason));
        }
        match self.retry.failed(now, at_least) {
            Some(retry_at) => self.state = State::Down { retry_at },
            None => self.give_up(GiveUp::Unreachable),
        }
    }

    /// Why it is over, in the server's words too.
    #[must_use]
    pub fn farewell(&self, why: GiveUp) -> String {
        let (wait, detail) = &self.farewell;
        let mut text = why.to_string();
        if why == GiveUp::Closed(CloseReason::Banned) && !wait.is_zero() {
            text += &format!(" for another {} minutes", wait.as_secs().div_ceil(60));
        }
        if matches!(why, GiveUp::Closed(_)) && !detail.is_empty() {
            text += &format!(": {detail}");
        }
        text
    }

    fn give_up(&mut self, why: GiveUp) {
        if self.state != State::Over {
            self.state = State::Over;
            self.outputs.push_back(Output::Disconnect);
            self.outputs.push_back(Output::GiveUp(why));
        }
    }

    /// Takes one message of the connection, in whatever order they come.
    pub fn handle_message(&mut self, now: Duration, bytes: &[u8]) {
        if !matches!(self.state, State::Joining { .. } | State::Playing) {
            return;
        }
        self.stats.bytes_in += bytes.len() as u64;
        self.heard_at = now;
        if let [TAG_FRAME, frame @ ..] = bytes {
            return self.handle_frame(now, frame);
        }
        match ServerMessage::decode(bytes) {
            Ok(message @ ServerMessage::Welcome { .. }) => self.handle_welcome(now, message),
            Ok(ServerMessage::Pong { nonce }) => {
                if let Some((_, at)) = self.ping.take_if(|(sent, _)| *sent == nonce) {
                    self.stats.round_trip = Some(now.saturating_sub(at));
                }
            }
            Ok(ServerMessage::Close { reason, retry_after_ms, detail }) => {
                let wait = Duration::from_millis(retry_after_ms.into());
                self.farewell = (wait, detail);
                self.go_down(now, Some(reason), wait);
                if self.state != State::Over {
                    self.outputs.push_back(Output::Disconnect);
                }
            }
            Ok(ServerMessage::Notice { text }) if text == self.notice.0 => {}
            Ok(ServerMessage::Notice { text }) => self.notice = (text, false),
            Ok(ServerMessage::Frame(frame)) => self.handle_frame(now, &frame),
            Err(_) => self.stats.broken_messages += 1,
        }
    }

    fn handle_welcome(&mut self, now: Duration, message: ServerMessage) {
        let ServerMessage::Welcome {
            session,
            character,
            last_command,
            ticks_per_second,
            name,
            resume,
            ..
        } = message
        else {
            return;
        };
        if self.state == State::Playing {
            self.stats.broken_messages += 1;
            return;
        }
        self.stats.welcomes += 1;
        self.stats.resumes += u64::from(self.session.is_some());
        match self.outbox.resume(now, last_command, self.known_before) {
            Resumed::Onward { arrived } => self.stats.acknowledged += arrived as u64,
            Resumed::Rollback => self.stats.rollbacks += 1,
        }
        self.config.credentials.resume.clone_from(&resume);
        self.session = Some(Session {
            id: session,
            character,
            name,
            ticks_per_second,
            last_command,
            acknowledged_before: self.known_before,
            resume,
        });
        self.state = State::Playing;
        self.ping_at = now;
        self.send_input(now);
    }

    fn handle_frame(&mut self, now: Duration, frame: &[u8]) {
        let before = self.reader.view().cloned();
        match self.reader.apply(frame) {
            Ok(Some(applied)) => {
                self.cells_revision += u64::from(applied.keyframe || !applied.cells.is_empty());
                let excess = (self.events.len() + applied.events.len()).saturating_sub(EVENTS_MAX);
                self.events.drain(..excess.min(self.events.len()));
                self.events.extend(applied.events);
                if applied.keyframe {
                    self.stats.keyframes += 1;
                    self.keyframe_wanted = false;
                    self.earlier = None;
                }
                if applied.newest {
                    self.note_frame(now, before.as_deref());
                } else {
                    self.stats.late_frames += 1;
                }
                if applied.keyframe && self.state == State::Playing {
                    // Until the server knows that it arrived it has nothing to build on. Commands
                    // sent while a character changed zones have reached neither.
                    self.outbox.rewind();
                    self.send_input(now);
                }
            }
            Ok(None) => self.stats.late_frames += 1,
            Err(error) => {
                let counter = if error == DecodeError::Hash {
                    &mut self.stats.hash_errors
                } else if matches!(error, DecodeError::NoBaseline(_)) {
                    &mut self.stats.missing_baselines
                } else {
                    &mut self.stats.broken_messages
                };
                *counter += 1;
                self.keyframe_wanted = true;
            }
        }
    }

    fn note_frame(&mut self, now: Duration, before: Option<&View>) {
        self.stats.frames += 1;
        if let Some(view) = self.reader.view() {
            self.stats.actors += view.actors.len() as u64;
            self.stats.actors_moved += before.map_or(0, |before| view.moved_since(before) as u64);
        }
        self.retry.succeeded();
        if let Some(before) = self.frame_at.replace(now) {
            let interval = now.saturating_sub(before);
            Samples::note(&mut self.samples.frame_intervals, interval);
        }
        let last = self.reader.view().map_or(0, |view| view.last_command);
        for given in self.outbox.acknowledge(now, last) {
            self.stats.acknowledged += 1;
            Samples::note(&mut self.samples.command_to_frame, now.saturating_sub(given));
        }
    }

    /// Time has come to `now`; does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.state {
            State::Down { retry_at } if now >= retry_at => {
                self.state = State::Joining { since: now };
                let resume = !self.config.credentials.resume.is_empty();
                self.outputs.push_back(Output::Connect { resume });
            }
            State::Joining { since } if now >= since + JOIN_MAX => self.cut(now),
            State::Playing if now >= self.heard_at + SILENCE_MAX => self.cut(now),
            State::Playing => self.keep_up(now),
            State::Down { .. } | State::Joining { .. } | State::Over => {}
        }
    }

    fn cut(&mut self, now: Duration) {
        self.go_down(now, None, Duration::ZERO);
        if self.state != State::Over {
            self.outputs.push_back(Output::Disconnect);
        }
    }

    fn keep_up(&mut self, now: Duration) {
        if now >= self.ping_at {
            self.pings = self.pings.wrapping_add(1);
            self.ping = Some((self.pings, now));
            self.ping_at = now + PING_INTERVAL;
            self.send(&ClientMessage::Ping { nonce: self.pings });
        }
        if self.outbox.resend_at(RESEND_AFTER).is_some_and(|at| now >= at) {
            self.outbox.rewind();
        }
        let keyframe = self.keyframe_due().is_some_and(|at| now >= at);
        if keyframe || self.outbox.has_unsent() || now >= self.input_due() {
            self.send_input(now);
        }
    }

    fn send_input(&mut self, now: Duration) {
        let keyframe = self.keyframe_due().is_some_and(|at| now >= at);
        if keyframe {
            self.keyframe_asked_at = Some(now);
        }
        self.input_at = now;
        let (first, commands) = self.outbox.take_unsent(now);
        let last_frame = self.reader.newest();
        self.send(&ClientMessage::Input { last_frame, keyframe, first, commands });
    }

    fn send(&mut self, message: &ClientMessage) {
        let bytes = message.encode();
        self.stats.bytes_out += bytes.len() as u64;
        self.outputs.push_back(Output::Send(bytes));
    }
}
