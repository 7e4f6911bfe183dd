//! What the gateway knows of one connection.

use std::net::IpAddr;
use std::time::Duration;

use super::bucket::Bucket;
use super::{Config, Present, User};
use crate::model::{AccountId, CharacterId, SessionId, ZoneId};

#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing said yet.
    New,
    /// Hello is being checked.
    Admitting,
    /// Bye was said meanwhile; nothing more is heard.
    Parting,
    Playing(Playing),
    /// Bye was said and its session is being ended; nothing more is heard.
    Leaving,
}

#[derive(Debug)]
pub(super) struct Playing {
    pub(super) character: CharacterId,
    pub(super) zone: ZoneId,
    pub(super) attach: u64,
    pub(super) welcomed: bool,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) from: IpAddr,
    pub(super) ordered: bool,
    pub(super) phase: Phase,
    /// Whose it is, once that is known.
    pub(super) account: Option<AccountId>,
    /// The character that Hello has asked for.
    pub(super) wanted: CharacterId,
    pub(super) session: SessionId,
    pub(super) resume: String,
    /// The number of the newest attach.
    pub(super) attach: u64,
    pub(super) opened: Duration,
    pub(super) last_heard: Duration,
    /// Since when its transport takes no frames.
    pub(super) slow_since: Option<Duration>,
    /// When its zone was last heard of it, or asked.
    pub(super) zone_heard: Duration,
    /// Since when no zone has its character.
    pub(super) lost_since: Option<Duration>,
    messages: Bucket,
    commands: Bucket,
    bytes: Bucket,
}

impl Connection {
    pub(super) fn new(config: &Config, now: Duration, from: IpAddr, ordered: bool) -> Self {
        Self {
            from,
            ordered,
            phase: Phase::New,
            account: None,
            wanted: CharacterId(0),
            session: SessionId(0),
            resume: String::new(),
            attach: 0,
            opened: now,
            last_heard: now,
            slow_since: None,
            zone_heard: now,
            lost_since: None,
            messages: Bucket::per_second(config.messages_per_second, now),
            commands: Bucket::per_second(config.commands_per_second, now),
            bytes: Bucket::per_second(config.bytes_per_second, now),
        }
    }

    /// Whose limits it is under, beside its own.
    pub(super) fn users(&self) -> impl Iterator<Item = User> + use<> {
        let account = self.account.map(User::Account);
        [Some(User::address(self.from)), account].into_iter().flatten()
    }

    /// Who plays over it.
    pub(super) fn present(&self) -> Option<Present> {
        let Phase::Playing(playing) = &self.phase else { return None };
        Some(Present {
            character: playing.character,
            account: self.account?,
            session: self.session,
            from: self.from,
            zone: playing.zone,
        })
    }

    pub(super) fn allow_message(&mut self, now: Duration, bytes: usize) -> bool {
        self.messages.take(now, 1) && self.bytes.take(now, bytes)
    }

    pub(super) fn allow_commands(&mut self, now: Duration, count: usize) -> bool {
        self.commands.take(now, count)
    }
}
