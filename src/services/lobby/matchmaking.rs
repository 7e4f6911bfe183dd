//! Matchmaking: tickets wait until others fit, then they have an allocation for a while. Who takes
//! it up is called to where it leads: to a floor at once, into a match when everybody has.

use std::collections::BTreeMap;

use super::ticket::{Allocation, MatchSeat, Mode, POLL_LEASE, Progress, State, Ticket, Wanted};
use super::{Lobby, LobbyError, Member};
use crate::model::{AccountId, CharacterId, ZoneId};

/// Tickets at once, those that have ended and are remembered among them.
const TICKETS_MAX: usize = 2_000;
/// Seconds in which an allocation has to be taken up, and again for which those who have are called.
const ALLOCATION_LEASE: u64 = 60;
/// Seconds for which a ticket that has ended is remembered, for who asks again with its key.
const REMEMBERED: u64 = 300;
/// Matches are numbered by the second, and so many bits within it.
const MATCHES_A_SECOND_BITS: u32 = 20;

/// Where allocations can lead now: gateways that take players, the emptiest first, and arenas.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    pub gateways: &'a [String],
    pub arenas: &'a [ZoneId],
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
        // Whoever looks for something else is called to the last no more.
        for ticket in self.tickets.values_mut().filter(|it| it.members.iter().any(is_wanted)) {
            if matches!(ticket.state, State::Allocated(_)) {
                ticket.state = State::Over { at: now };
            }
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
        let Some(ticket) = self.tickets.get_mut(&number) else { return Ok(()) };
        let is_over = !matches!(ticket.state, State::Waiting | State::Allocated(_));
        if is_over {
            return Ok(());
        }
        let ended = std::mem::replace(&mut ticket.state, State::Cancelled { at: now });
        // The other side waits again, unless it is on its way.
        if let State::Allocated(Allocation { seat: Some(seat), is_called: false, .. }) = ended {
            for other in self.tickets.values_mut().filter(|it| it.is_in(seat.number)) {
                (other.state, other.asked) = (State::Waiting, now);
            }
        }
        Ok(())
    }

    /// Takes an allocation up for the members of an account; one that is called already is.
    pub fn take_up(&mut self, now: u64, number: u64, account: AccountId) -> Result<(), LobbyError> {
        self.ticket(now, number, account)?;
        let ticket = self.tickets.get_mut(&number).ok_or(LobbyError::NoTicket)?;
        let State::Allocated(allocation) = &mut ticket.state else {
            return Err(LobbyError::NotAllocated);
        };
        for member in ticket.members.iter().filter(|member| member.account == account) {
            allocation.progress.entry(member.character).or_insert(Progress::TakenUp);
        }
        if allocation.is_called {
            return Ok(());
        }
        let Some(seat) = allocation.seat else {
            (allocation.is_called, allocation.until) = (true, now + ALLOCATION_LEASE);
            return Ok(());
        };
        let mut sides = self.tickets.values().filter(|it| it.is_in(seat.number));
        if sides.all(|ticket| ticket.is_taken_up()) {
            for ticket in self.tickets.values_mut().filter(|it| it.is_in(seat.number)) {
                if let State::Allocated(allocation) = &mut ticket.state {
                    (allocation.is_called, allocation.until) = (true, now + ALLOCATION_LEASE);
                }
            }
        }
        Ok(())
    }

    /// Notes how far somebody is who was called.
    pub fn note_progress(&mut self, number: u64, character: CharacterId, progress: Progress) {
        let ticket = self.tickets.get_mut(&number);
        let Some(State::Allocated(allocation)) = ticket.map(|it| &mut it.state) else { return };
        allocation.progress.insert(character, progress);
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
                State::Allocated(Allocation { until, .. }) => until,
                State::Over { .. } | State::Expired { .. } | State::Cancelled { .. } => u64::MAX,
            };
            if now >= end && ticket.state == State::Waiting {
                ticket.state = State::Expired { at: now };
            } else if now >= end {
                ticket.lapse(now);
            }
        }
        self.tickets.retain(|_, ticket| match ticket.state {
            State::Waiting | State::Allocated(_) => true,
            State::Over { at } | State::Expired { at } | State::Cancelled { at } => {
                now < at + REMEMBERED
            }
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
                // Higher than those of any lobby before this one.
                self.newest_match = (self.newest_match + 1).max(now << MATCHES_A_SECOND_BITS);
                self.allocate(now, number, Some((other, 0)), arena, places);
                self.allocate(now, other, Some((number, 1)), arena, places);
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
            let leads_there = |ticket: &&Ticket| matches!(&ticket.state, State::Allocated(it) if it.zone == arena);
            self.tickets.values().filter(leads_there).count()
        };
        places.arenas.iter().copied().min_by_key(|&arena| sent(arena))
    }

    fn allocate(
        &mut self,
        now: u64,
        number: u64,
        other: Option<(u64, u8)>,
        zone: ZoneId,
        places: Places<'_>,
    ) {
        let against = other.map(|(other, _)| self.tickets[&other].members.clone());
        let seat = other.map(|(_, side)| MatchSeat { number: self.newest_match, side });
        let Some(ticket) = self.tickets.get_mut(&number) else { return };
        // Each over the gateway that is nearest to it; unmeasured ones come last, in their order.
        let far = |gateway: &&String| ticket.latencies.get(*gateway).copied().unwrap_or(u32::MAX);
        let gateway = places.gateways.iter().min_by_key(far).cloned();
        ticket.state = State::Allocated(Allocation {
            zone,
            gateway,
            seat,
            against: against.unwrap_or_default(),
            progress: BTreeMap::new(),
            is_called: false,
            until: now + ALLOCATION_LEASE,
        });
    }
}
