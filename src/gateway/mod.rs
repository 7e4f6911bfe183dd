//! Ends connections: sessions, admission, rate limits, routing, resume.
//!
//! [`Gateway`] is a state machine: `handle_*` takes what happened with the time it happened at,
//! [`Gateway::poll_output`] hands out what to do. What zones are told gathers until
//! [`Gateway::flush`], so that messages grow with zones, not with players. It knows no rule of the game: commands and
//! frames pass through it as they are. It must never see `game`, `sim` or `zone`.

mod bans;
mod bucket;
mod connection;
mod door;
#[cfg(test)]
mod tests;
mod usage;
mod zones;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::limits::DETAIL_BYTES_MAX;
use crate::model::{AccountId, CharacterId, GatewayId, SessionId, ZoneId};
use crate::protocol::bus::ToZone;
use crate::protocol::{ClientMessage, CloseReason, ServerMessage};
pub use bans::{Ban, Bans, Network, NetworkError, Target};
use connection::{Connection, Phase};
use usage::Usage;
pub use usage::{Amounts, Used, User};

/// Bits of an attach's number that count the attaches of one connection.
const REATTACH_BITS: u32 = 16;
/// After how long whoever was closed for a while may come back.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Names a connection while it lasts; given by the adapters, never used twice.
pub type ConnectionId = u64;

/// Limits of one gateway.
#[derive(Clone, Debug)]
pub struct Config {
    pub id: GatewayId,
    pub ticks_per_second: u8,
    pub connections_max: usize,
    /// Connections from one address, over all gateways; as many joins a minute.
    pub connections_per_address_max: usize,
    /// Time a new connection has to say Hello and be let in.
    pub hello_timeout: Duration,
    /// Time without any message after which a connection is closed.
    pub idle_timeout: Duration,
    /// Time a slow reader has to catch up.
    pub slow_timeout: Duration,
    /// How long a zone may say nothing to a player before it is asked again to hold the character:
    /// for ways to the zones that lose messages. `None` where nothing gets lost.
    pub zone_silence: Option<Duration>,
    /// Messages, commands and bytes a second from one connection; twice as many at once.
    pub messages_per_second: u32,
    pub commands_per_second: u32,
    pub bytes_per_second: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            id: GatewayId(1),
            ticks_per_second: 20,
            connections_max: 10_000,
            connections_per_address_max: 2_000,
            hello_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
            slow_timeout: Duration::from_secs(10),
            zone_silence: None,
            messages_per_second: 60,
            commands_per_second: 40,
            bytes_per_second: 16_384,
        }
    }
}

/// Whose a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account: AccountId,
    /// The session to go on with, and its character; none for a new one.
    pub resumes: Option<(SessionId, CharacterId)>,
}

/// Somebody who may play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub session: SessionId,
    /// Rises with every connection that takes the character, whichever gateway it comes to.
    pub take_over: u64,
    pub character: CharacterId,
    /// The token with which this session resumes.
    pub resume: String,
    pub located: Located,
}

/// Where a character is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    pub zone: ZoneId,
    /// The character as the store has it, if it is in no zone.
    pub sheet: Option<Vec<u8>>,
}

/// Somebody who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    pub character: CharacterId,
    pub account: AccountId,
    pub session: SessionId,
    pub from: IpAddr,
    pub zone: ZoneId,
}

/// What the gateway wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Send {
        connection: ConnectionId,
        message: Bytes,
        how: Delivery,
    },
    Close {
        connection: ConnectionId,
        reason: CloseReason,
    },
    /// Check the tokens of a Hello; answered by [`Gateway::handle_verified`].
    Verify {
        connection: ConnectionId,
        token: String,
        resume: String,
    },
    /// Find a character for somebody who may come in; answered by [`Gateway::handle_admission`].
    Admit {
        connection: ConnectionId,
        identity: Identity,
        character: CharacterId,
    },
    /// End a session for good; answered by [`Gateway::handle_admission`] with the reason to close.
    End {
        connection: ConnectionId,
        character: CharacterId,
        session: SessionId,
    },
    /// Find a character, unless somebody else took it over since; answered by
    /// [`Gateway::handle_located`] or, where it is refused, by [`Gateway::handle_admission`].
    Locate {
        connection: ConnectionId,
        character: CharacterId,
        take_over: u64,
    },
    ToZone {
        zone: ZoneId,
        messages: Vec<ToZone>,
    },
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// In order and completely.
    Reliable,
    /// A frame, in order: if it is dropped, [`Gateway::handle_slow`] has to be called or the
    /// connection closed.
    Frame,
    /// A frame that may get lost, as the client has agreed.
    Datagram,
}

/// A connection that held a character and is gone, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub present: Present,
    pub join: Join,
    /// Why it was closed; `None`: the peer went.
    pub reason: Option<CloseReason>,
}

/// Names one coming of a session, in the logs of all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    pub session: SessionId,
    pub take_over: u64,
}

impl Join {
    /// The join that an attach belongs to.
    #[must_use]
    pub fn of_attach(session: SessionId, attach: u64) -> Self {
        Self { session, take_over: attach >> REATTACH_BITS }
    }
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.session.0, self.take_over)
    }
}

/// What happened, for the metrics; all counts only rise.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    pub frames: u64,
    pub frame_bytes: u64,
    pub frames_dropped: u64,
    pub commands: u64,
    pub rate_limited: u64,
    pub joins_refused: u64,
    pub resumes: u64,
    pub closes: BTreeMap<CloseReason, u64>,
}

/// One gateway.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    connections: HashMap<ConnectionId, Connection>,
    by_character: HashMap<CharacterId, ConnectionId>,
    usage: Usage,
    bans: Bans,
    /// Whether those may come in that resume no session.
    admits_new: bool,
    /// What everybody is told who plays; empty: nothing.
    notice: String,
    to_zones: BTreeMap<ZoneId, Vec<ToZone>>,
    /// Zones on their way between two instances, and since when: nothing is sent to them.
    held: BTreeMap<ZoneId, Duration>,
    outputs: VecDeque<Output>,
    ended: Vec<Ended>,
    counters: Counters,
    draining: bool,
    is_cut_off: bool,
}

impl Gateway {
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            usage: Usage::new(&config),
            config,
            connections: HashMap::new(),
            by_character: HashMap::new(),
            bans: Bans::default(),
            admits_new: true,
            notice: String::new(),
            to_zones: BTreeMap::new(),
            held: BTreeMap::new(),
            outputs: VecDeque::new(),
            ended: Vec::new(),
            counters: Counters::default(),
            draining: false,
            is_cut_off: false,
        }
    }

    /// Counts of what happened so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Connections open now, and how many of them play.
    #[must_use]
    pub fn population(&self) -> (usize, usize) {
        (self.connections.len(), self.by_character.len())
    }

    /// The transport connection is gone; the transport itself closed it if there is a reason.
    pub fn handle_ended(&mut self, id: ConnectionId, reason: Option<CloseReason>) {
        if let Some(reason) = reason.filter(|_| self.connections.contains_key(&id)) {
            *self.counters.closes.entry(reason).or_default() += 1;
        }
        self.remove(id, reason);
    }

    /// Bytes of one message came in.
    pub fn handle_message(&mut self, now: Duration, id: ConnectionId, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.last_heard = now;
        let mut users = connection.users();
        let fits = connection.allow_message(now, bytes.len())
            && users.all(|user| self.usage.receive(now, user, bytes.len()));
        if !fits {
            self.counters.rate_limited += 1;
            return self.close(id, CloseReason::Flooding);
        }
        match ClientMessage::decode(bytes) {
            Ok(message) => self.handle_decoded(now, id, message),
            Err(crate::protocol::DecodeError::TooLong(_)) => self.close(id, CloseReason::TooLarge),
            Err(_) => self.close(id, CloseReason::Malformed),
        }
    }

    fn handle_decoded(&mut self, now: Duration, id: ConnectionId, message: ClientMessage) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match (message, &connection.phase) {
            (_, Phase::Parting | Phase::Leaving) => {}
            (ClientMessage::Hello { version, .. }, _) if version != crate::protocol::VERSION => {
                self.close(id, CloseReason::Version);
            }
            (ClientMessage::Hello { token, character, resume, datagrams, .. }, Phase::New) => {
                connection.phase = Phase::Admitting;
                connection.ordered |= !datagrams;
                connection.wanted = character;
                self.verify(now, id, token, resume);
            }
            (ClientMessage::Input { last_frame, keyframe, first, commands }, Phase::Playing(p)) => {
                let (zone, character, attach) = (p.zone, p.character, p.attach);
                let mut users = connection.users();
                let fits = connection.allow_commands(now, commands.len())
                    && users.all(|user| self.usage.command(now, user, commands.len()));
                if !fits {
                    self.counters.rate_limited += 1;
                    return self.close(id, CloseReason::Flooding);
                }
                self.counters.commands += commands.len() as u64;
                let input =
                    ToZone::Input { character, attach, last_frame, keyframe, first, commands };
                self.to_zones.entry(zone).or_default().push(input);
            }
            (ClientMessage::Ping { nonce }, _) => {
                self.send(id, &ServerMessage::Pong { nonce });
            }
            (ClientMessage::Bye, Phase::Playing(p)) => {
                let (character, session) = (p.character, connection.session);
                self.detach(id, true);
                // Goodbye is said when it is true: no resume token works any more.
                self.outputs.push_back(Output::End { connection: id, character, session });
            }
            (ClientMessage::Bye, Phase::Admitting) => connection.phase = Phase::Parting,
            (ClientMessage::Bye, Phase::New) => self.close(id, CloseReason::Goodbye),
            (ClientMessage::Hello { .. } | ClientMessage::Input { .. }, _) => {
                self.close(id, CloseReason::OutOfOrder);
            }
        }
    }

    /// A frame could not be handed to the transport: nothing more is sent until it has drained.
    pub fn handle_slow(&mut self, now: Duration, id: ConnectionId) {
        self.counters.frames_dropped += 1;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.slow_since.get_or_insert(now);
        }
    }

    /// The transport takes frames again: the player gets a keyframe.
    pub fn handle_drained(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.slow_since.take().is_none() {
            return;
        }
        if let Phase::Playing(p) = &connection.phase {
            let input = ToZone::Input {
                character: p.character,
                attach: p.attach,
                last_frame: 0,
                keyframe: true,
                first: 0,
                commands: Vec::new(),
            };
            self.to_zones.entry(p.zone).or_default().push(input);
        }
    }

    /// Closes what has waited too long. To be called about once a second, more often where zones
    /// may be silent for less.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.handle_silence(now);
        let late = |c: &Connection| {
            let since = |then: Duration| now.saturating_sub(then);
            match (&c.phase, c.slow_since) {
                (Phase::New | Phase::Admitting | Phase::Parting, _) => {
                    (since(c.opened) > self.config.hello_timeout).then_some(CloseReason::Idle)
                }
                (_, Some(slow)) if since(slow) > self.config.slow_timeout => {
                    Some(CloseReason::TooSlow)
                }
                _ => (since(c.last_heard) > self.config.idle_timeout).then_some(CloseReason::Idle),
            }
        };
        let mut expired: Vec<_> =
            self.connections.iter().filter_map(|(&id, c)| Some((id, late(c)?))).collect();
        expired.sort_unstable();
        for (id, reason) in expired {
            self.close(id, reason);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The connections that have ended since this was asked before.
    pub fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    fn send(&mut self, id: ConnectionId, message: &ServerMessage) {
        let message = Bytes::from(message.encode());
        let how = Delivery::Reliable;
        self.outputs.push_back(Output::Send { connection: id, message, how });
    }

    fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        let retry_after = if reason.is_temporary() { RETRY_AFTER } else { Duration::ZERO };
        self.close_with(id, reason, retry_after, "");
    }

    /// Closes a connection and says more about it: how long it holds, and why.
    fn close_with(
        &mut self,
        id: ConnectionId,
        reason: CloseReason,
        retry_after: Duration,
        detail: &str,
    ) {
        if !self.connections.contains_key(&id) {
            return;
        }
        *self.counters.closes.entry(reason).or_default() += 1;
        let retry_after_ms = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
        let detail = detail[..detail.floor_char_boundary(DETAIL_BYTES_MAX)].to_owned();
        self.send(id, &ServerMessage::Close { reason, retry_after_ms, detail });
        self.outputs.push_back(Output::Close { connection: id, reason });
        self.remove(id, Some(reason));
    }

    fn detach(&mut self, id: ConnectionId, leave: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Phase::Playing(p) = &connection.phase else { return };
        if self.by_character.get(&p.character) == Some(&id) {
            self.by_character.remove(&p.character);
        }
        let message = ToZone::Detach { character: p.character, attach: p.attach, leave };
        self.to_zones.entry(p.zone).or_default().push(message);
        connection.phase = Phase::Leaving;
    }

    fn remove(&mut self, id: ConnectionId, reason: Option<CloseReason>) {
        if let Some(connection) = self.connections.get(&id)
            && let Some(present) = connection.present()
        {
            let join = Join::of_attach(present.session, connection.attach);
            self.ended.push(Ended { present, join, reason });
        }
        self.detach(id, false);
        let Some(connection) = self.connections.remove(&id) else { return };
        for user in connection.users() {
            self.usage.disconnect(user);
        }
    }
}
