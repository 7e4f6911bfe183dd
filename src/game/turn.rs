//! The hands of the rules: what an actor's turn may do to its zone.
//!
//! Entry type: [`Turn`], a borrowed zone and the list of events that the players will be told.
//! Further methods: `field` (cells, gas, fire, items on the ground), `movement` (where actors
//! stand), `harm` (health and effects).

use super::catalog::monsters::flags as is;
use super::catalog::{Effect, Flash, Note};
use super::item::Item;
use super::rng::Rng;
use super::state::{Actor, Audience, Event, Happening, Mode, Player, Subject, ZoneKind, ZoneState};
use crate::model::limits::NO_ACTOR;
use crate::model::{CharacterId, Pos};

/// A zone in the middle of a tick, and what there is to tell of it.
pub struct Turn<'a> {
    pub state: &'a mut ZoneState,
    pub events: &'a mut Vec<Event>,
}

impl Turn<'_> {
    /// The draws of an actor (its slot) or of a purpose (a number from [`purpose`] on) in this
    /// tick. Every call starts the same draws again: mix something into `purpose` that tells two
    /// uses by one actor in one tick apart.
    #[must_use]
    pub fn rng(&self, purpose: u64) -> Rng {
        self.state.rng(purpose)
    }

    /// The time, as kept in effects and other 32-bit stamps.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.state.now()
    }

    /// Tells `audience` a line.
    pub fn note(
        &mut self,
        audience: Audience,
        code: Note,
        who: Subject,
        other: Subject,
        item: Option<Item>,
        number: i32,
    ) {
        let what = Happening::Note { code: code as u8, who, other, item, number };
        self.events.push(Event { audience, what });
    }

    /// Tells the player whose body this is, if it is one, a line about itself.
    pub fn tell(&mut self, slot: u16, code: Note, item: Option<Item>, number: i32) {
        if let Some(character) = self.state.player_of(slot) {
            let who = self.state.subject(slot);
            self.note(Audience::One(character), code, who, Subject::Nobody, item, number);
        }
    }

    /// Tells everyone who sees actor `slot` a line about it and `other`.
    pub fn report(&mut self, slot: u16, code: Note, other: Subject, number: i32) {
        let cell = self.state.actors[usize::from(slot)].cell;
        let who = self.state.subject(slot);
        self.note(Audience::Sight(cell), code, who, other, None, number);
    }

    /// Shows something that flies from cell to cell.
    pub fn bolt(&mut self, look: Flash, from: u32, to: u32) {
        let what = Happening::Bolt { look: look as u8, from, to };
        self.events.push(Event { audience: Audience::Sight(to), what });
    }

    /// Shows a flash around a cell.
    pub fn burst(&mut self, look: Flash, at: u32, radius: u8) {
        let what = Happening::Burst { look: look as u8, at, radius };
        self.events.push(Event { audience: Audience::Sight(at), what });
    }
}

/// Purposes of draws that belong to no actor; slots are below them.
pub mod purpose {
    pub const BIRTHS: u64 = 1 << 32;
    pub const ENVIRONMENT: u64 = 2 << 32;
    pub const DEATH: u64 = 3 << 32;
    pub const STRIKE: u64 = 4 << 32;
    pub const HARM: u64 = 5 << 32;
    pub const ENTER: u64 = 6 << 32;
    pub const DROP: u64 = 7 << 32;
    pub const DECIDE: u64 = 8 << 32;
    pub const SPELL: u64 = 9 << 32;
    pub const SEARCH: u64 = 10 << 32;
    /// For the uses of items; add the slot.
    pub const ITEM: u64 = 16 << 32;
}

impl ZoneState {
    /// See [`Turn::rng`].
    #[must_use]
    pub fn rng(&self, purpose: u64) -> Rng {
        Rng::new(self.seed, self.tick.0, purpose)
    }

    /// See [`Turn::now`].
    #[must_use]
    pub fn now(&self) -> u32 {
        self.tick.0 as u32
    }

    /// The cell at a position.
    #[must_use]
    pub fn cell(&self, pos: Pos) -> u32 {
        pos.index(self.width) as u32
    }

    /// The position of a cell.
    #[must_use]
    pub fn pos(&self, cell: u32) -> Pos {
        Pos::from_index(cell as usize, self.width)
    }

    /// King's moves between two cells, walls ignored.
    #[must_use]
    pub fn gap(&self, a: u32, b: u32) -> u16 {
        self.pos(a).chebyshev(self.pos(b))
    }

    /// An actor of the zone, dead or alive.
    #[must_use]
    pub fn actor(&self, slot: u16) -> &Actor {
        &self.actors[usize::from(slot)]
    }

    pub fn actor_mut(&mut self, slot: u16) -> &mut Actor {
        &mut self.actors[usize::from(slot)]
    }

    /// Whether it lives and its health has not run out in this tick.
    #[must_use]
    pub fn is_up(&self, slot: u16) -> bool {
        self.actors.get(usize::from(slot)).is_some_and(|a| a.alive && a.hp > 0)
    }

    /// The actor in a cell.
    #[must_use]
    pub fn actor_at(&self, cell: u32) -> Option<u16> {
        self.derived.occupant.get(cell as usize).copied().filter(|&slot| slot != NO_ACTOR)
    }

    /// Whose body it is; `None` for monsters.
    #[must_use]
    pub fn player_of(&self, slot: u16) -> Option<CharacterId> {
        let character = self.actors.get(usize::from(slot))?.character;
        (character.0 != 0).then_some(character)
    }

    /// The player whose body it is.
    #[must_use]
    pub fn player(&self, slot: u16) -> Option<&Player> {
        self.players.get(&self.player_of(slot)?)
    }

    pub fn player_mut(&mut self, slot: u16) -> Option<&mut Player> {
        let character = self.player_of(slot)?;
        self.players.get_mut(&character)
    }

    /// How an event names it.
    #[must_use]
    pub fn subject(&self, slot: u16) -> Subject {
        match self.actors.get(usize::from(slot)) {
            Some(actor) => Subject::Actor { slot, kind: actor.kind },
            None => Subject::Nobody,
        }
    }

    #[must_use]
    pub fn is_affected(&self, slot: u16, effect: Effect) -> bool {
        self.actor(slot).effects[effect as usize] > self.now()
    }

    /// Whether nothing may hurt it: a player whose connection is away.
    #[must_use]
    pub fn is_guarded(&self, slot: u16) -> bool {
        self.player(slot).is_some_and(|p| !p.connected)
    }

    /// Whether `a` would strike `b` if it could.
    #[must_use]
    pub fn is_hostile(&self, a: u16, b: u16) -> bool {
        self.side(a).is_hostile(self.side(b), self.kind)
    }

    /// On whose side an actor is.
    #[must_use]
    pub fn side(&self, slot: u16) -> Side {
        let actor = self.actor(slot);
        let allied = actor.mode == Mode::Ally;
        Side {
            slot,
            discordant: self.is_affected(slot, Effect::Discordant),
            with_players: actor.kind == 0 || allied,
            meek: self.row(slot).has(is::MEEK),
            master: if allied { actor.leader } else { slot },
            quarrel: self.quarrel(if allied { actor.leader } else { slot }),
        }
    }
}

/// All it takes to say who is whose foe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    slot: u16,
    discordant: bool,
    with_players: bool,
    meek: bool,
    /// The player that an ally serves, or the actor itself.
    master: u16,
    /// In an arena; of an ally, its master's.
    quarrel: Quarrel,
}

/// With whom a player fights in an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quarrel {
    /// With everybody who is in no match.
    Open,
    /// With the other side of a match.
    Match { number: u64, side: u8 },
    /// With nobody: the match has not begun, or is over for this one.
    None,
}

impl Side {
    /// Whether the two would strike each other in a zone of this kind.
    #[must_use]
    pub fn is_hostile(self, other: Self, kind: ZoneKind) -> bool {
        if self.slot == other.slot {
            return false;
        }
        if self.discordant || other.discordant {
            return true;
        }
        if self.with_players != other.with_players {
            return !self.meek && !other.meek;
        }
        self.with_players
            && kind == ZoneKind::Arena
            && self.master != other.master
            && self.quarrel.is_with(other.quarrel)
    }
}

impl Quarrel {
    fn is_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Open, Self::Open) => true,
            (Self::Match { number, side }, Self::Match { number: same, side: theirs }) => {
                number == same && side != theirs
            }
            _ => false,
        }
    }
}
