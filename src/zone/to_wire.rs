//! What a player is shown, from the state of the zone.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::game::catalog::Effect;
use crate::game::catalog::items::flags;
use crate::game::catalog::terrain::flags as ground;
use crate::game::items::{Looks, armor_shown, is_malevolent};
use crate::game::player::xp_needed;
use crate::game::state::{
    self as state, Actor, Audience, EFFECTS, Happening, Mode, Player, Sheet, Subject, ZoneState,
};
use crate::game::turn::Side;
use crate::model::limits::{ACTORS_IN_VIEW_MAX, NO_ACTOR};
use crate::model::{CharacterId, Pos};
use crate::protocol::view::{self, item, me};
use crate::protocol::{ActorView, EffectView, Event, ItemView, Me, Place, View, Who};
use crate::sim::{self, Scratch, Visible};

/// What it takes to tell one zone's players what they see.
pub(super) struct Teller<'a> {
    pub(super) state: &'a ZoneState,
    pub(super) scratch: &'a mut Scratch,
    pub(super) looks: &'a Looks,
    pub(super) place: &'a Arc<Place>,
    /// Of the players here.
    pub(super) names: &'a BTreeMap<CharacterId, Arc<str>>,
    pub(super) nameless: &'a Arc<str>,
    pub(super) crowd: Crowd<'a>,
}

/// What is the same for everybody who is told of a tick.
pub(super) struct Crowd<'a> {
    /// What happened, each with the cell from which it is seen, if that matters.
    events: Vec<(Pos, &'a state::Event)>,
    /// Where anybody stands, one bit a cell.
    occupied: Vec<u64>,
    /// Actors by slot, made when the first one sees them.
    shown: Vec<Option<Shown>>,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(state: &ZoneState, events: &'a [state::Event]) -> Self {
        let spot = |event: &state::Event| match event.audience {
            Audience::Sight(cell) => state.pos(cell),
            Audience::One(_) | Audience::All => Pos::default(),
        };
        let mut occupied = vec![0; state.area().div_ceil(64)];
        for actor in state.actors.iter().filter(|actor| actor.alive) {
            occupied[actor.cell as usize / 64] |= 1 << (actor.cell % 64);
        }
        Self {
            events: events.iter().map(|event| (spot(event), event)).collect(),
            occupied,
            shown: vec![None; state.actors.len()],
        }
    }
}

/// An actor, but for whether it is on the viewer's side.
#[derive(Clone)]
struct Shown {
    view: ActorView,
    side: Side,
}

impl Teller<'_> {
    /// What a character sees now.
    pub(super) fn visible(&mut self, character: CharacterId) -> Option<Visible> {
        sim::visible(self.state, self.scratch, character).cloned()
    }

    /// The picture without the cells. `inventory` is what was shown before; it is kept if nothing
    /// has changed.
    pub(super) fn view(
        &mut self,
        player: &Player,
        visible: Option<&Visible>,
        inventory: &mut Arc<Vec<ItemView>>,
    ) -> View {
        if !self.inventory(&player.sheet).eq(inventory.iter().copied()) {
            *inventory = Arc::new(self.inventory(&player.sheet).collect());
        }
        View {
            place: self.place.clone(),
            tick: self.state.tick.0,
            last_command: player.sheet.last_command,
            me: self.me(player),
            actors: self.actors(player, visible),
            inventory: inventory.clone(),
        }
    }

    fn me(&self, player: &Player) -> Me {
        let sheet = &player.sheet;
        let body = self.state.actors.get(usize::from(player.slot)).filter(|a| a.alive);
        let pos = body.map_or(self.state.up, |actor| self.pos(actor.cell));
        let on_stairs =
            body.is_some_and(|actor| self.state.terrain_has(actor.cell, ground::STAIRS));
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let small = |n: i32| u16::try_from(n.max(0)).unwrap_or(u16::MAX);
        Me {
            pos,
            id: player.slot,
            hp: small(body.map_or(0, |a| a.hp)),
            hp_max: small(body.map_or(sheet.hp_max, |a| a.hp_max)),
            level: sheet.level,
            xp: sheet.xp,
            xp_next: xp_needed(sheet.level),
            gold: sheet.gold,
            strength: sheet.strength,
            armor: u8::try_from((armor_shown(sheet) / 10).clamp(0, 255)).unwrap_or(0),
            stealth: body
                .map_or(0, |_| u8::try_from(self.state.stealth(player.slot)).unwrap_or(255)),
            flags: flag(player.sneaking, me::SNEAKING)
                | flag(body.is_none(), me::DEAD)
                | flag(!player.connected, me::GUARDED)
                | flag(on_stairs, me::ON_STAIRS),
            effects: body.map_or_else(Vec::new, |actor| self.effects(actor)),
        }
    }

    fn effects(&self, actor: &Actor) -> Vec<EffectView> {
        let now = self.state.tick.0 as u32;
        (0..EFFECTS)
            .filter(|&kind| actor.effects[kind] > now)
            .map(|kind| EffectView { kind: kind as u8, until: actor.effects[kind] })
            .collect()
    }

    fn pos(&self, cell: u32) -> Pos {
        Pos::from_index(cell as usize, self.state.width)
    }

    /// Everybody in sight but the player, by rising slot; those seen by the mind alone last to be
    /// left out when there are too many.
    fn actors(&mut self, player: &Player, visible: Option<&Visible>) -> Vec<ActorView> {
        let viewer = player.sheet.character;
        let mut slots: Vec<u16> = Vec::new();
        if let Some(visible) = visible {
            let (width, height) = (self.state.width, self.state.height);
            let cells = visible.seen_in(&self.crowd.occupied, (width, height));
            let occupant = &self.state.derived.occupant;
            slots.extend(cells.map(|pos| occupant[pos.index(width)]).filter(|&s| s != NO_ACTOR));
            if self.state.is_affected(player.slot, Effect::Telepathic) {
                let everybody = 0..u16::try_from(self.state.actors.len()).unwrap_or(NO_ACTOR);
                slots.extend(everybody);
                slots.sort_unstable();
                slots.dedup();
            }
        }
        slots.retain(|&slot| slot != player.slot);
        sim::retain_visible(self.state, self.scratch, viewer, &mut slots);
        if slots.len() > ACTORS_IN_VIEW_MAX {
            let here = self.state.actors.get(usize::from(player.slot)).map_or(0, |a| a.cell);
            let distance = |slot: u16| {
                let there = self.state.actors[usize::from(slot)].cell;
                self.pos(here).chebyshev(self.pos(there))
            };
            slots.sort_by_key(|&slot| (distance(slot), slot));
            slots.truncate(ACTORS_IN_VIEW_MAX);
        }
        if slots.is_empty() {
            return Vec::new();
        }
        slots.sort_unstable();
        let side = self.state.side(player.slot);
        slots.into_iter().map(|slot| self.actor(side, slot)).collect()
    }

    fn actor(&mut self, viewer: Side, slot: u16) -> ActorView {
        let index = usize::from(slot);
        if self.crowd.shown[index].is_none() {
            self.crowd.shown[index] = Some(self.shown(slot));
        }
        let Shown { view, side } = self.crowd.shown[index].as_ref().expect("just made");
        let mut view = view.clone();
        if !viewer.is_hostile(*side, self.state.kind) {
            view.state |= view::state::FRIENDLY;
        }
        view
    }

    fn shown(&self, slot: u16) -> Shown {
        let actor = &self.state.actors[usize::from(slot)];
        let other = (actor.kind == 0).then(|| self.state.players.get(&actor.character)).flatten();
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let affected = |effect| self.state.is_affected(slot, effect);
        let state = flag(actor.kind != 0 && actor.mode == Mode::Asleep, view::state::ASLEEP)
            | flag(actor.kind != 0 && actor.mode == Mode::Hunting, view::state::HUNTING)
            | flag(actor.kind != 0 && actor.mode == Mode::Fleeing, view::state::FLEEING)
            | flag(affected(Effect::Burning), view::state::BURNING)
            | flag(other.is_some_and(|p| !p.connected), view::state::GUARDED)
            | flag(affected(Effect::Confused), view::state::CONFUSED)
            | flag(affected(Effect::Held) || affected(Effect::Paralysed), view::state::HELD);
        let health = (actor.hp.max(0) * 15 + actor.hp_max.max(1) - 1) / actor.hp_max.max(1);
        let view = ActorView {
            id: slot,
            generation: actor.generation,
            kind: actor.kind,
            pos: self.pos(actor.cell),
            health: u8::try_from(health.min(15)).unwrap_or(15),
            state,
            name: self.names.get(&actor.character).unwrap_or(self.nameless).clone(),
        };
        Shown { view, side: self.state.side(slot) }
    }

    fn inventory<'s>(&'s self, sheet: &'s Sheet) -> impl Iterator<Item = ItemView> + 's {
        fn flag(on: bool, bit: u8) -> u8 {
            if on { bit } else { 0 }
        }
        sheet.items.iter().map(move |(&slot, thing)| {
            let row = thing.kind.row();
            let worn = sheet.weapon == Some(slot) || sheet.armor == Some(slot);
            ItemView {
                slot,
                look: self.looks.look(thing, sheet),
                count: u8::try_from(thing.count).unwrap_or(u8::MAX),
                enchant: if thing.identified { thing.enchant } else { 0 },
                flags: flag(worn, item::EQUIPPED)
                    | flag(thing.identified, item::IDENTIFIED)
                    | flag(is_malevolent(thing, sheet), item::MALEVOLENT)
                    | flag(row.is_aimed(), item::TARGETED)
                    | flag(row.is_gear(), item::WEARABLE)
                    | flag(row.is_usable() && !row.has(flags::SHOOTS), item::USABLE),
            }
        })
    }

    /// Tells a player what happened, as far as it concerns or reaches it.
    pub(super) fn tell(
        &mut self,
        player: &Player,
        visible: Option<&Visible>,
        mut listen: impl FnMut(Event),
    ) {
        for index in 0..self.crowd.events.len() {
            let (at, event) = self.crowd.events[index];
            let reached = match event.audience {
                Audience::One(character) => character == player.sheet.character,
                Audience::Sight(_) => visible.is_some_and(|visible| visible.contains(at)),
                Audience::All => true,
            };
            if reached {
                listen(self.event(player, event));
            }
        }
    }

    /// What a player is told of an event.
    fn event(&mut self, player: &Player, event: &state::Event) -> Event {
        match &event.what {
            Happening::Note { code, who, other, item, number } => Event::Note {
                code: *code,
                who: match (event.audience, who) {
                    // The dead have no body by which to tell that it is about them.
                    (Audience::One(_), Subject::Actor { kind: 0, .. })
                        if player.slot == NO_ACTOR =>
                    {
                        Who::You
                    }
                    _ => self.who(player, *who),
                },
                other: self.who(player, *other),
                look: item.as_ref().map_or(0, |item| self.looks.look(item, &player.sheet)),
                number: *number,
            },
            Happening::Bolt { look, from, to } => {
                Event::Bolt { look: *look, from: self.pos(*from), to: self.pos(*to) }
            }
            Happening::Burst { look, at, radius } => {
                Event::Burst { look: *look, at: self.pos(*at), radius: *radius }
            }
            Happening::Chat { from, text } => {
                Event::Chat { from: from.clone(), text: text.clone() }
            }
        }
    }

    fn who(&mut self, player: &Player, subject: Subject) -> Who {
        match subject {
            Subject::Nobody => Who::Nobody,
            Subject::Actor { slot, .. } if slot == player.slot => Who::You,
            Subject::Actor { slot, kind } => {
                let dead = self.state.actors.get(usize::from(slot)).is_none_or(|a| !a.alive);
                let viewer = player.sheet.character;
                // Who dies in sight was seen; who is gone cannot be asked any more, and the dead
                // may know who killed them.
                let known = dead || player.slot == NO_ACTOR;
                if known || sim::actor_visible_to(self.state, self.scratch, viewer, slot) {
                    Who::Actor { id: slot, kind }
                } else {
                    Who::Something
                }
            }
        }
    }
}
