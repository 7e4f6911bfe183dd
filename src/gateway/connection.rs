//! What the gateway knows of one connection.

use std::net::IpAddr;
use std::time::Duration;

use super::Config;
use super::bucket::Bucket;
use crate::model::{CharacterId, SessionId, ZoneId};

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
            session: SessionId(0),
            resume: String::new(),
            attach: 0,
            opened: now,
            last_heard: now,
            slow_since: None,
            zone_heard: now,
            lost_since: None,
            messages: Bucket::new(config.messages_per_second, now),
            commands: Bucket::new(config.commands_per_second, now),
            bytes: Bucket::new(config.bytes_per_second, now),
        }
    }

    pub(super) fn allow_message(&mut self, now: Duration, bytes: usize) -> bool {
        self.messages.take(now, 1) && self.bytes.take(now, bytes)
    }

    pub(super) fn allow_commands(&mut self, now: Duration, count: usize) -> bool {
        self.commands.take(now, count)
    }
}
