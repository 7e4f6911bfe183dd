//! Matchmaking: tickets wait until others fit, then they have an allocation for a while.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Lobby, LobbyError, Member};
use crate::model::{AccountId, CharacterId, ZoneId};

/// Tickets at once, those that have ended and are remembered among them.
const TICKETS_MAX: usize = 2_000;
/// Seconds for which a ticket waits without being asked after.
const POLL_LEASE: u64 = 30;
/// Seconds in which an allocation has to be taken up.
const ALLOCATION_LEASE: u64 = 60;
/// Seconds for which a ticket that has ended is remembered, for who asks again with its key.
const REMEMBERED: u64 = 300;
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
    key: String,
    pub mode: Mode,
    pub members: Vec<Member>,
    pub rating: i32,
    floor: ZoneId,
    latencies: BTreeMap<String, u32>,
    since: u64,
    asked: u64,
    pub state: State,
}

/// What has become of a ticket. Times end what is not taken up or asked after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Waiting,
    /// `against` is empty in the dungeon.
    Allocated {
        zone: ZoneId,
        gateway: Option<String>,
        against: Vec<Member>,
        until: u64,
    },
    Expired {
        at: u64,
    },
    Cancelled {
        at: u64,
    },
}

/// Where allocations can lead now: gateways that take players, the emptiest first, and arenas.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    pub gateways: &'a [String],
    pub arenas: &'a [ZoneId],
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

    fn fits(&self, other: &Self, now: u64) -> bool {
        let gap = u64::from(self.rating.abs_diff(other.rating));
        self.mode == other.mode
            && self.members.len() == other.members.len()
            && gap <= self.gap(now).min(other.gap(now))
    }

    fn is_live(&self) -> bool {
        matches!(self.state, State::Waiting | State::Allocated { .. })
    }
}

impl Lobby {
    /// A ticket for a wish: its number, and whether it is new.
    pub fn request(&mut self, now: u64, wanted: Wanted) -> Result<(u64, bool), LobbyError> {
        let same = |it: &Ticket| it.account == wanted.account && it.key == wanted.key;
        if let Some((&number, _)) = self.tickets.iter().find(|(_, ticket)| same(ticket)) {
            return Ok((number, false));
        }
        let size = wanted.members.len();
        let has_right_size = match wanted.mode {
            Mode::Dungeon => size >= 1,
            Mode::Duel => size == 1,
            Mode::Teams => size >= 2,
        };
        if !has_right_size {
            return Err(LobbyError::WrongSize);
        }
        let is_wanted = |it: &Member| wanted.members.iter().any(|m| m.character == it.character);
        let mut live = self.tickets.values().filter(|ticket| ticket.is_live());
        if live.any(|ticket| ticket.members.iter().any(is_wanted)) {
            return Err(LobbyError::HasTicket);
        }
        if self.tickets.len() >= TICKETS_MAX {
            return Err(LobbyError::Full);
        }
        let Wanted { account, key, mode, members, rating, floor, latencies } = wanted;
        self.newest += 1;
        let (since, asked, state) = (now, now, State::Waiting);
        let ticket =
            Ticket { account, key, mode, members, rating, floor, latencies, since, asked, state };
        self.tickets.insert(self.newest, ticket);
        Ok((self.newest, true))
    }

    /// A ticket, as one of its members asks after it; that prolongs its wait.
    pub fn ticket(
        &mut self,
        now: u64,
        number: u64,
        account: AccountId,
    ) -> Result<&Ticket, LobbyError> {
        let ticket = self.tickets.get_mut(&number).ok_or(LobbyError::NoTicket)?;
        if !ticket.members.iter().any(|member| member.account == account) {
            return Err(LobbyError::NoTicket);
        }
        // As often as it matters: what is asked after is written down.
        if ticket.state == State::Waiting && now >= ticket.asked + POLL_LEASE / 6 {
            ticket.asked = now;
        }
        Ok(ticket)
    }

    /// Ends a ticket that waits or has an allocation; one that has ended stays as it ended.
    pub fn cancel(&mut self, now: u64, number: u64, account: AccountId) -> Result<(), LobbyError> {
        self.ticket(now, number, account)?;
        if let Some(ticket) = self.tickets.get_mut(&number).filter(|it| it.is_live()) {
            ticket.state = State::Cancelled { at: now };
        }
        Ok(())
    }

    /// Ends what waits of any of these characters.
    pub(super) fn cancel_of(&mut self, now: u64, characters: &[CharacterId]) {
        for ticket in self.tickets.values_mut().filter(|it| it.state == State::Waiting) {
            if ticket.members.iter().any(|member| characters.contains(&member.character)) {
                ticket.state = State::Cancelled { at: now };
            }
        }
    }

    /// How many wait for each.
    #[must_use]
    pub fn waiting(&self) -> [(Mode, usize); 3] {
        [Mode::Dungeon, Mode::Duel, Mode::Teams].map(|mode| {
            let waits = |ticket: &&Ticket| ticket.mode == mode && ticket.state == State::Waiting;
            (mode, self.tickets.values().filter(waits).count())
        })
    }

    /// Ends what nobody asks after or takes up, forgets what ended long ago, and brings together
    /// who fits: whoever has waited longest first, with the one that is rated nearest.
    pub fn advance(&mut self, now: u64, places: Places<'_>) {
        self.forget_parties(now);
        for ticket in self.tickets.values_mut() {
            let end = match ticket.state {
                State::Waiting => ticket.lease(),
                State::Allocated { until, .. } => until,
                State::Expired { .. } | State::Cancelled { .. } => u64::MAX,
            };
            if now >= end {
                ticket.state = State::Expired { at: now };
            }
        }
        self.tickets.retain(|_, ticket| match ticket.state {
            State::Waiting | State::Allocated { .. } => true,
            State::Expired { at } | State::Cancelled { at } => now < at + REMEMBERED,
        });
        let waiting = self.tickets.iter().filter(|(_, it)| it.state == State::Waiting);
        let waiting: Vec<u64> = waiting.map(|(&number, _)| number).collect();
        for number in waiting {
            let ticket = &self.tickets[&number];
            if ticket.state != State::Waiting {
                continue;
            }
            if ticket.mode == Mode::Dungeon {
                let zone = ticket.floor;
                self.allocate(now, number, None, zone, places);
            } else if let (Some(other), Some(arena)) =
                (self.opponent(now, number), self.emptiest(places))
            {
                self.allocate(now, number, Some(other), arena, places);
                self.allocate(now, other, Some(number), arena, places);
            }
        }
    }

    /// Who fits a ticket best.
    fn opponent(&self, now: u64, number: u64) -> Option<u64> {
        let ticket = &self.tickets[&number];
        let others = self.tickets.iter().filter(|&(&other, it)| {
            other != number && it.state == State::Waiting && ticket.fits(it, now)
        });
        let nearest = others.min_by_key(|(_, it)| it.rating.abs_diff(ticket.rating));
        nearest.map(|(&other, _)| other)
    }

    /// The arena that the fewest have been sent to.
    fn emptiest(&self, places: Places<'_>) -> Option<ZoneId> {
        let sent = |arena: ZoneId| {
            let leads_there = |ticket: &&Ticket| matches!(ticket.state, State::Allocated { zone, .. } if zone == arena);
            self.tickets.values().filter(leads_there).count()
        };
        places.arenas.iter().copied().min_by_key(|&arena| sent(arena))
    }

    fn allocate(
        &mut self,
        now: u64,
        number: u64,
        other: Option<u64>,
        zone: ZoneId,
        places: Places<'_>,
    ) {
        let against = other.map(|other| self.tickets[&other].members.clone()).unwrap_or_default();
        let Some(ticket) = self.tickets.get_mut(&number) else { return };
        // Each over the gateway that is nearest to it; unmeasured ones come last, in their order.
        let far = |gateway: &&String| ticket.latencies.get(*gateway).copied().unwrap_or(u32::MAX);
        let gateway = places.gateways.iter().min_by_key(far).cloned();
        ticket.state = State::Allocated { zone, gateway, against, until: now + ALLOCATION_LEASE };
    }
}
