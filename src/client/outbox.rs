//! Commands that no frame has acknowledged yet.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Command;
use crate::model::limits::{
    CHAT_BYTES_MAX, CLIENT_MESSAGE_BYTES_MAX, COMMAND_QUEUE_MAX, COMMANDS_PER_MESSAGE_MAX,
};

#[derive(Debug)]
struct Waiting {
    command: Command,
    at: Duration,
}

/// Numbers commands and keeps each until it is acknowledged, at most as many as a zone queues.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Numbered `next - waiting.len()` to `next - 1`.
    waiting: VecDeque<Waiting>,
    /// Number of the next command; 0 until a Welcome has said it.
    next: u32,
    acknowledged: u32,
    /// How many of `waiting`, from the back, this connection has not sent.
    unsent: usize,
    /// When the oldest waiting command was sent, or the one before it acknowledged.
    progress_at: Duration,
}

/// Commands kept; more are refused. All of them fit one message.
pub(super) const WAITING_MAX: usize = COMMAND_QUEUE_MAX;
const _: () = {
    assert!(WAITING_MAX <= COMMANDS_PER_MESSAGE_MAX);
    assert!(WAITING_MAX * (CHAT_BYTES_MAX + 4) + 16 <= CLIENT_MESSAGE_BYTES_MAX);
};

/// What a Welcome meant for the commands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resumed {
    /// Numbering goes on; so many waiting commands had arrived.
    Onward { arrived: usize },
    /// The zone knows less than it had acknowledged; what waited was dropped, since its numbers
    /// no longer follow on.
    Rollback,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn acknowledged(&self) -> u32 {
        self.acknowledged
    }

    pub(super) fn push(&mut self, at: Duration, command: Command) -> Option<u32> {
        if self.next == 0 || self.waiting.len() >= WAITING_MAX {
            return None;
        }
        let number = self.next;
        self.next = number.checked_add(1)?;
        self.waiting.push_back(Waiting { command, at });
        self.unsent += 1;
        Some(number)
    }

    /// Forgets commands up to `last`; returns when each of them was given.
    pub(super) fn acknowledge(
        &mut self,
        now: Duration,
        last: u32,
    ) -> impl Iterator<Item = Duration> + '_ {
        self.acknowledged = self.acknowledged.max(last);
        let oldest = self.next - self.waiting.len() as u32;
        let count = last.saturating_add(1).saturating_sub(oldest) as usize;
        let count = count.min(self.waiting.len());
        if count > 0 {
            self.progress_at = now;
        }
        self.unsent = self.unsent.min(self.waiting.len() - count);
        self.waiting.drain(..count).map(|w| w.at)
    }

    /// Goes on as a Welcome says. `known` is what frames of earlier connections acknowledged.
    pub(super) fn resume(&mut self, now: Duration, last: u32, known: u32) -> Resumed {
        let first = self.next == 0;
        if !first && last < known {
            self.waiting.clear();
            self.unsent = 0;
            self.next = last.saturating_add(1);
            self.acknowledged = last;
            return Resumed::Rollback;
        }
        let arrived = self.acknowledge(now, last).count();
        // A frame may have overtaken the Welcome, so `acknowledged` may be ahead of `last`.
        self.next = self.next.max(self.acknowledged.saturating_add(1));
        self.unsent = self.waiting.len();
        Resumed::Onward { arrived }
    }

    /// Everything waiting has to be sent again.
    pub(super) fn rewind(&mut self) {
        self.unsent = self.waiting.len();
    }

    /// When the oldest waiting command is to be sent again for want of an answer.
    pub(super) fn resend_at(&self, patience: Duration) -> Option<Duration> {
        (self.waiting.len() > self.unsent).then(|| self.progress_at + patience)
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.unsent > 0
    }

    /// What this connection has not sent, with the number of the first; from now on it has.
    pub(super) fn take_unsent(&mut self, now: Duration) -> (u32, Vec<Command>) {
        let from = self.waiting.len() - self.unsent;
        let first = self.next - self.unsent as u32;
        // Also a second time: the wait for an answer begins anew.
        if from == 0 {
            self.progress_at = now;
        }
        self.unsent = 0;
        (first, self.waiting.range(from..).map(|w| w.command.clone()).collect())
    }
}
