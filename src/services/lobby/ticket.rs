//! A ticket: who looks for what, and what has come of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Member;
use crate::model::{AccountId, CharacterId, ZoneId};

/// Seconds for which a ticket waits without being asked after.
pub(super) const POLL_LEASE: u64 = 30;
/// The gap between ratings that is taken at once, what each second of waiting adds, and the most.
const GAP: (u64, u64, u64) = (100, 10, 2_000);

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A floor of the dungeon for a party, or for one.
    Dungeon,
    /// One against one in an arena.
    Duel,
    /// A party against another of the same size in an arena.
    Teams,
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub account: AccountId,
    /// Names the wish: asked for again, it is the same ticket.
    pub key: String,
    pub mode: Mode,
    pub members: Vec<Member>,
    /// In arenas; of a party, the mean.
    pub rating: i32,
    /// The floor that fits the weakest.
    pub floor: ZoneId,
    /// Milliseconds to gateways, as the client has measured them.
    pub latencies: BTreeMap<String, u32>,
}

/// Somebody who waits, or has an allocation, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub account: AccountId,
    pub(super) key: String,
    pub mode: Mode,
    pub members: Vec<Member>,
    pub rating: i32,
    pub(super) floor: ZoneId,
    pub(super) latencies: BTreeMap<String, u32>,
    pub(super) since: u64,
    pub(super) asked: u64,
    pub state: State,
}

/// What has become of a ticket. Times end what is not taken up or asked after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Waiting,
    Allocated(Allocation),
    /// Everybody has been called long enough.
    Over {
        at: u64,
    },
    Expired {
        at: u64,
    },
    Cancelled {
        at: u64,
    },
}

/// Where a ticket leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    pub zone: ZoneId,
    pub gateway: Option<String>,
    /// In an arena.
    pub seat: Option<MatchSeat>,
    /// Empty in the dungeon.
    pub against: Vec<Member>,
    /// Those who have taken it up.
    pub progress: BTreeMap<CharacterId, Progress>,
    /// Whether those are called.
    pub is_called: bool,
    pub until: u64,
}

/// The side of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchSeat {
    /// Of no other match; both sides have it.
    pub number: u64,
    /// 0 or 1.
    pub side: u8,
}

/// How far one is who has taken an allocation up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    TakenUp,
    /// Its zone has been told at least once.
    Called,
    /// It was seen where it was called to.
    Arrived,
}

impl Ticket {
    /// When a ticket that waits ends unless it is asked after.
    #[must_use]
    pub fn lease(&self) -> u64 {
        self.asked + POLL_LEASE
    }

    /// The gap between ratings that it takes by now.
    fn gap(&self, now: u64) -> u64 {
        let (first, each, most) = GAP;
        (first + each * now.saturating_sub(self.since)).min(most)
    }

    pub(super) fn is_in(&self, number: u64) -> bool {
        let State::Allocated(allocation) = &self.state else { return false };
        allocation.seat.is_some_and(|seat| seat.number == number)
    }

    pub(super) fn fits(&self, other: &Self, now: u64) -> bool {
        let gap = u64::from(self.rating.abs_diff(other.rating));
        // Nobody rises by what another character of the same account loses.
        let is_own = |it: &Member| other.members.iter().any(|m| m.account == it.account);
        self.mode == other.mode
            && !self.members.iter().any(is_own)
            && self.members.len() == other.members.len()
            && gap <= self.gap(now).min(other.gap(now))
    }

    /// Whether it keeps its members from another.
    pub(super) fn is_live(&self) -> bool {
        match &self.state {
            State::Waiting => true,
            State::Allocated(allocation) => !allocation.is_called,
            State::Over { .. } | State::Expired { .. } | State::Cancelled { .. } => false,
        }
    }

    /// Whether every member has taken the allocation up.
    pub(super) fn is_taken_up(&self) -> bool {
        let State::Allocated(allocation) = &self.state else { return false };
        allocation.progress.len() == self.members.len()
    }

    /// What an allocation comes to that its time is over for.
    pub(super) fn lapse(&mut self, now: u64) {
        let State::Allocated(allocation) = &self.state else { return };
        self.state = if allocation.is_called {
            State::Over { at: now }
        } else if self.is_taken_up() {
            // It was not theirs to come to nothing.
            self.asked = now;
            State::Waiting
        } else {
            State::Expired { at: now }
        };
    }
}
