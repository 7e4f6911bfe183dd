//! Matches: two sides that are called into an arena fight each other until one has nobody left.

use std::collections::BTreeMap;

use super::catalog::{Effect, Note};
use super::state::{
    Arrive, Audience, Bout, Destination, EFFECTS, Fighter, Match, Seat, Stage, Subject, ZoneState,
};
use super::turn::{Quarrel, Turn};
use crate::model::limits::NO_ACTOR;
use crate::model::{CharacterId, Tick, ZoneId};

/// Ticks from the first that comes until the match is called off.
const GATHERING_TICKS: u64 = 1_200;
/// Longest fight.
pub const FIGHTING_TICKS: u64 = 3_600;
/// Ticks for which those who are left stay where they have fought.
const AFTERMATH_TICKS: u64 = 60;
/// Ticks for which a match that is over is known, so that nobody who comes late begins it anew.
const REMEMBERED_TICKS: u64 = 2_400;
/// Ticks after a blow in which nobody follows a call.
const FIGHT_KEEPS_TICKS: u64 = 40;

impl Match {
    fn is_complete(&self) -> bool {
        self.fighters.len() == 2 * usize::from(self.size)
    }

    fn of_side(&self, side: u8) -> impl Iterator<Item = CharacterId> {
        let of_side = move |(&character, fighter): (&CharacterId, &Fighter)| {
            (fighter.side == side).then_some(character)
        };
        self.fighters.iter().filter_map(of_side)
    }
}

impl ZoneState {
    /// With whom the player in this slot fights in an arena.
    #[must_use]
    pub fn quarrel(&self, slot: u16) -> Quarrel {
        if self.matches.is_empty() {
            return Quarrel::Open;
        }
        let Some(character) = self.player_of(slot) else { return Quarrel::Open };
        let of_match = self.matches.iter().find_map(|held| {
            let fighter = held.fighters.get(&character)?;
            let fights = held.stage == Stage::Fighting && !fighter.is_out;
            let (number, side) = (held.number, fighter.side);
            Some(if fights { Quarrel::Match { number, side } } else { Quarrel::None })
        });
        of_match.unwrap_or(Quarrel::Open)
    }

    fn has_body(&self, character: CharacterId) -> bool {
        self.players.get(&character).is_some_and(|player| player.slot != NO_ACTOR)
    }

    /// Those of a side that can still fight, and their health together.
    fn strength(&self, held: &Match, side: u8) -> (usize, i64) {
        let standing = held.of_side(side).filter(|who| !held.fighters[who].is_out);
        let health = standing.filter_map(|who| {
            let slot = self.players.get(&who)?.slot;
            (slot != NO_ACTOR).then(|| i64::from(self.actor(slot).hp))
        });
        health.fold((0, 0), |(count, sum), health| (count + 1, sum + health))
    }
}

impl Turn<'_> {
    /// Sends a character where it is wanted, unless it is dead, away, held, fighting or in sight of
    /// a foe, or in a match: no call is a way out of danger.
    pub fn follow_call(&mut self, character: CharacterId, zone: ZoneId, arrive: Arrive) {
        let Some(player) = self.state.players.get(&character) else { return };
        let (slot, fought_at) = (player.slot, player.fought_at);
        let fights = fought_at.0 > 0 && self.state.tick.0 < fought_at.0 + FIGHT_KEEPS_TICKS;
        let is_kept = slot == NO_ACTOR
            || !player.connected
            || fights
            || self.state.is_affected(slot, Effect::Held)
            || self.state.quarrel(slot) != Quarrel::Open
            || self.is_watched(slot);
        if !is_kept {
            self.report(slot, Note::Called, Subject::Nobody, 0);
            self.depart(character, Destination::Zone { zone, arrive }, None);
        }
    }

    /// Takes one who has arrived for a match into it.
    pub(super) fn enter_match(&mut self, character: CharacterId, seat: Seat) {
        let Seat { number, side, size } = seat;
        let matches = &mut self.state.matches;
        let at = matches.iter().position(|held| held.number == number).unwrap_or_else(|| {
            let until = Tick(self.state.tick.0 + GATHERING_TICKS);
            let (stage, fighters) = (Stage::Gathering, BTreeMap::new());
            matches.push(Match { number, size, stage, until, fighters });
            matches.len() - 1
        });
        let held = &mut matches[at];
        let is_out = held.stage != Stage::Gathering;
        held.fighters.insert(character, Fighter { side: side & 1, is_out });
    }

    /// Says to one whose player can hear it now that its match has not begun.
    pub(super) fn greet_fighter(&mut self, character: CharacterId) {
        let gathers =
            |held: &Match| held.stage == Stage::Gathering && held.fighters.contains_key(&character);
        if self.state.matches.iter().any(gathers) {
            self.tell_fighter(character, Note::MatchWaits);
        }
    }

    /// Begins and ends matches, and sends home who has nothing more to do in them.
    pub fn settle_matches(&mut self) {
        let tick = self.state.tick;
        let mut matches = std::mem::take(&mut self.state.matches);
        let mut home = Vec::new();
        for held in &mut matches {
            self.settle_match(held);
            let has_ended = held.stage == Stage::Over && tick >= held.until;
            let goes = |(who, it): &(&CharacterId, &Fighter)| {
                (it.is_out || has_ended) && self.state.has_body(**who)
            };
            home.extend(held.fighters.iter().filter(goes).map(|(&who, _)| who));
        }
        matches.retain(|held| {
            held.stage != Stage::Over
                || !held.fighters.is_empty()
                || tick.0 < held.until.0 + REMEMBERED_TICKS
        });
        self.state.matches = matches;
        home.into_iter().for_each(|character| self.send_home(character));
    }

    fn settle_match(&mut self, held: &mut Match) {
        let tick = self.state.tick;
        match held.stage {
            Stage::Gathering => {
                held.fighters.retain(|who, _| self.state.players.contains_key(who));
                let connected = |who| self.state.players.get(who).is_some_and(|it| it.connected);
                if held.is_complete() && held.fighters.keys().all(connected) {
                    (held.stage, held.until) = (Stage::Fighting, Tick(tick.0 + FIGHTING_TICKS));
                    held.fighters.keys().for_each(|&who| self.refresh(who));
                    self.tell_fighters(held, |_| Note::MatchBegins);
                } else if tick >= held.until {
                    self.end_match(held, None, Note::MatchVoid);
                }
            }
            Stage::Fighting => {
                for (&who, fighter) in &mut held.fighters {
                    fighter.is_out |= !self.state.has_body(who);
                }
                let strengths = [0, 1].map(|side| self.state.strength(held, side));
                let [first, second] = strengths;
                let is_decided = first.0 == 0 || second.0 == 0 || tick >= held.until;
                if is_decided {
                    let winner =
                        if first == second { None } else { Some(u8::from(second > first)) };
                    self.end_match(held, winner, Note::MatchDrawn);
                }
            }
            // Who has gone may come back by the gate, like anybody.
            Stage::Over => held.fighters.retain(|who, _| self.state.players.contains_key(who)),
        }
    }

    fn end_match(&mut self, held: &mut Match, winner: Option<u8>, otherwise: Note) {
        (held.stage, held.until) = (Stage::Over, Tick(self.state.tick.0 + AFTERMATH_TICKS));
        self.tell_fighters(held, |side| match winner {
            None => otherwise,
            Some(winner) if winner == side => Note::MatchWon,
            Some(_) => Note::MatchLost,
        });
        if let Some(winner) = winner {
            self.record(held.of_side(winner).collect(), held.of_side(1 - winner).collect());
        }
    }

    /// Keeps for the store that some have beaten others.
    pub(super) fn record(&mut self, winners: Vec<CharacterId>, losers: Vec<CharacterId>) {
        let (zone, tick) = (self.state.zone, self.state.tick);
        self.state.bouts.push(Bout { zone, tick, winners, losers });
    }

    /// The store's side has a bout.
    pub fn forget_bout(&mut self, tick: Tick, loser: CharacterId) {
        self.state.bouts.retain(|bout| bout.tick != tick || bout.losers.first() != Some(&loser));
    }

    /// Everybody begins a match whole.
    fn refresh(&mut self, character: CharacterId) {
        let Some(player) = self.state.players.get(&character) else { return };
        if player.slot != NO_ACTOR {
            let actor = self.state.actor_mut(player.slot);
            actor.hp = actor.hp_max;
            actor.effects = [0; EFFECTS];
        }
    }

    fn send_home(&mut self, character: CharacterId) {
        let Some(player) = self.state.players.get(&character) else { return };
        let (slot, zone) = (player.slot, player.sheet.home);
        self.report(slot, Note::EntersGate, Subject::Nobody, 0);
        self.depart(character, Destination::Zone { zone, arrive: Arrive::Up }, None);
    }

    fn tell_fighters(&mut self, held: &Match, note: impl Fn(u8) -> Note) {
        for (&who, fighter) in &held.fighters {
            self.tell_fighter(who, note(fighter.side));
        }
    }

    fn tell_fighter(&mut self, character: CharacterId, note: Note) {
        let told = Audience::One(character);
        self.note(told, note, Subject::Nobody, Subject::Nobody, None, 0);
    }
}
