//! Scenes in a small room: every kind is picked up, laid down, used, pointed, thrown and equipped.

mod gear;
mod kinds;
mod magic;
mod random;

use std::collections::{BTreeMap, VecDeque};

use super::{Outcome, drop, equip, pick_up, stow, throw, use_at, use_item};
use crate::game::catalog::items::{Category, Kind};
use crate::game::catalog::monsters::Monster;
use crate::game::catalog::{Effect, Gas, Note, Terrain};
use crate::game::derive;
use crate::game::item::Item;
use crate::game::ledger;
use crate::game::state::{
    Actor, Derived, Event, Happening, Ledger, Maps, Mode, Player, Sheet, ZoneKind, ZoneState,
};
use crate::game::turn::Turn;
use crate::model::{CellMap, CharacterId, Pos, Tick, ZoneId};

const SIDE: u16 = 32;
const HOME: Pos = Pos { x: 10, y: 10 };

/// A character that knows nothing and carries nothing.
pub(super) fn sheet(character: u64) -> Sheet {
    Sheet {
        character: CharacterId(character),
        name: format!("delver{character}"),
        version: 1,
        level: 1,
        xp: 0,
        gold: 0,
        hp: 40,
        hp_max: 40,
        strength: 12,
        items: BTreeMap::new(),
        weapon: None,
        armor: None,
        known: Vec::new(),
        last_command: 0,
        effects: [0; 16],
        deaths: 0,
        deepest: 1,
        home: ZoneId(1),
        queue: VecDeque::new(),
    }
}

/// A walled room with one player in it, some way from a wall of its own.
struct Scene {
    state: ZoneState,
    events: Vec<Event>,
    slot: u16,
}

impl Scene {
    fn new() -> Self {
        let area = usize::from(SIDE) * usize::from(SIDE);
        let mut state = ZoneState {
            zone: ZoneId(5),
            kind: ZoneKind::Floor,
            seed: 11,
            world_seed: 3,
            depth: 5,
            width: SIDE,
            height: SIDE,
            tick: Tick(1_000),
            up: Pos::new(2, 2),
            down: Pos::new(29, 29),
            terrain: vec![Terrain::Floor; area],
            gas: std::array::from_fn(|_| vec![0; area]),
            fire: vec![0; area],
            scent: vec![0; area],
            items: BTreeMap::new(),
            actors: Vec::new(),
            players: BTreeMap::new(),
            departures: Vec::new(),
            arrivals: BTreeMap::new(),
            ledger: Ledger::default(),
            matches: Vec::new(),
            bouts: Vec::new(),
            noises: Vec::new(),
            vaults: Vec::new(),
            remembered: Vec::new(),
            maps: Maps::default(),
            derived: Derived::default(),
        };
        for at in 0..SIDE {
            for pos in [(at, 0), (at, SIDE - 1), (0, at), (SIDE - 1, at)] {
                state.terrain[Pos::new(pos.0, pos.1).index(SIDE)] = Terrain::Granite;
            }
            state.terrain[Pos::new(20, at).index(SIDE)] = Terrain::Wall;
        }
        state.terrain[Pos::new(20, 25).index(SIDE)] = Terrain::Door;
        derive::derive(&mut state);
        let mut scene = Self { state, events: Vec::new(), slot: 0 };
        scene.slot = scene.player(1, HOME);
        scene
    }

    fn player(&mut self, character: u64, pos: Pos) -> u16 {
        let sheet = sheet(character);
        let character = sheet.character;
        let cell = self.state.cell(pos);
        let body = Actor { cell, hp: 30, hp_max: 40, character, ..Actor::vacant() };
        let slot = self.state.place(body).unwrap();
        let player = Player {
            sheet,
            slot,
            connected: true,
            guarded_until: Tick(0),
            sneaking: false,
            respawn_at: Tick(0),
            death: None,
            fought_at: Tick(0),
            rested_at: Tick(0),
            memory: CellMap::new(SIDE, SIDE),
        };
        self.state.players.insert(character, player);
        slot
    }

    fn monster(&mut self, kind: Monster, pos: Pos, mode: Mode) -> u16 {
        let cell = self.state.cell(pos);
        self.turn().spawn_monster(kind as u8, cell, mode).unwrap()
    }

    fn turn(&mut self) -> Turn<'_> {
        Turn { state: &mut self.state, events: &mut self.events }
    }

    fn sheet(&mut self) -> &mut Sheet {
        &mut self.state.players.get_mut(&CharacterId(1)).unwrap().sheet
    }

    /// Puts an item into the pack, as if it had been made just now.
    fn give(&mut self, mut item: Item) -> u8 {
        self.state.ledger.make(&item);
        stow(self.sheet(), &mut item).unwrap()
    }

    fn used(&mut self, inv: u8) -> Outcome {
        let slot = self.slot;
        self.act(|turn| use_item(turn, slot, inv))
    }

    fn aimed(&mut self, inv: u8, x: u16, y: u16) -> Outcome {
        let slot = self.slot;
        self.act(|turn| use_at(turn, slot, inv, Pos::new(x, y)))
    }

    fn thrown(&mut self, inv: u8, x: u16, y: u16) -> Outcome {
        let slot = self.slot;
        self.act(|turn| throw(turn, slot, inv, Pos::new(x, y)))
    }

    fn equipped(&mut self, inv: u8) -> Outcome {
        let slot = self.slot;
        self.act(|turn| equip(turn, slot, inv))
    }

    fn dropped(&mut self, inv: u8) -> Outcome {
        let slot = self.slot;
        self.act(|turn| drop(turn, slot, inv))
    }

    fn picked_up(&mut self) -> Outcome {
        let slot = self.slot;
        self.act(|turn| pick_up(turn, slot))
    }

    /// Does something and checks what always holds: the books balance, a refusal says why and
    /// changes nothing.
    fn act(&mut self, what: impl Fn(&mut Turn<'_>) -> Outcome) -> Outcome {
        self.events.clear();
        let before = self.sheet().clone();
        let ground = self.state.items.clone();
        let outcome = what(&mut self.turn());
        if outcome == Outcome::Refused {
            assert!(!self.events.is_empty(), "a refusal says why");
            assert_eq!(*self.sheet(), before);
            assert_eq!(self.state.items, ground);
        }
        assert!(ledger::check(&self.state), "the books balance");
        outcome
    }

    fn notes(&self) -> Vec<u8> {
        let mut codes = Vec::new();
        for event in &self.events {
            if let Happening::Note { code, .. } = event.what {
                codes.push(code);
            }
        }
        codes
    }

    fn said(&self, note: Note) -> bool {
        self.notes().contains(&(note as u8))
    }

    fn hp(&self, slot: u16) -> i32 {
        self.state.actor(slot).hp
    }

    fn has(&self, slot: u16, effect: Effect) -> bool {
        self.state.is_affected(slot, effect)
    }

    fn gas(&self, gas: Gas) -> u32 {
        self.state.gas[gas as usize].iter().map(|&n| u32::from(n)).sum()
    }

    fn next_tick(&mut self) {
        self.state.tick = self.state.tick.next();
    }
}

fn staff(kind: Kind) -> Item {
    Item { enchant: 3, charge: 3, identified: false, ..kind.item(1) }
}

fn magic(kind: Kind) -> Item {
    let category = kind.kind().row().category;
    if category == Category::Staff {
        return staff(kind);
    }
    Item { enchant: i8::from(category == Category::Charm), ..kind.item(1) }
}
