//! Whole zones, stepped by players that do anything at all.

mod behaviour;
mod characters;
#[cfg(feature = "gpu")]
mod devices;
mod matches;
mod random;
mod sight;
mod speed;

use std::collections::BTreeMap;

use super::{Scratch, StepOutput, ZoneSpec, generate, new_sheet, step};
use crate::game::ledger;
use crate::game::rng::Rng;
use crate::game::state::{Arrive, DepartureKey, Happening, Input, Sheet, ZoneKind, ZoneState};
use crate::model::limits::NO_ACTOR;
use crate::model::{CharacterId, Command, Direction, Pos, Tick, ZoneId};

/// A zone with what it needs to be stepped.
struct World {
    state: ZoneState,
    scratch: Scratch,
    out: StepOutput,
    numbers: BTreeMap<CharacterId, u32>,
}

fn spec(seed: u64, depth: u8) -> ZoneSpec {
    ZoneSpec {
        zone: ZoneId(depth.into()),
        world_seed: seed,
        depth,
        width: 96,
        height: 64,
        kind: ZoneKind::Floor,
        monsters: None,
    }
}

fn key(character: u64, tick: u64) -> DepartureKey {
    DepartureKey { zone: ZoneId(0), tick: Tick(tick), character: CharacterId(character) }
}

impl World {
    fn new(spec: &ZoneSpec) -> Self {
        Self::of(generate(spec))
    }

    fn of(state: ZoneState) -> Self {
        Self {
            state,
            scratch: Scratch::new(),
            out: StepOutput::default(),
            numbers: BTreeMap::new(),
        }
    }

    /// A hall without anybody: walls around, floor within.
    fn hall(kind: ZoneKind) -> Self {
        use crate::game::catalog::Terrain;
        let mut state = generate(&ZoneSpec { width: 40, height: 32, kind, ..spec(1, 5) });
        for cell in 0..state.area() as u32 {
            let pos = state.pos(cell);
            let edge = pos.x == 0 || pos.y == 0 || pos.x == 39 || pos.y == 31;
            state.terrain[cell as usize] = if edge { Terrain::Granite } else { Terrain::Floor };
        }
        state.actors.clear();
        state.items.clear();
        state.vaults.clear();
        state.ledger = Default::default();
        (state.up, state.down) = (Pos::new(3, 16), Pos::new(36, 16));
        super::restore(&mut state);
        Self::of(state)
    }

    fn step(&mut self, inputs: &[Input]) {
        step(&mut self.state, inputs, &mut self.scratch, &mut self.out);
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step(&[]);
        }
    }

    /// Lets a new character in; returns its slot.
    fn join(&mut self, character: u64, at: Arrive) -> u16 {
        let id = CharacterId(character);
        let sheet = new_sheet(id, &format!("p{character}"), self.state.world_seed);
        self.join_as(sheet, at)
    }

    fn join_as(&mut self, sheet: Sheet, at: Arrive) -> u16 {
        let character = sheet.character;
        let key = key(character.0, self.state.tick.0);
        self.step(&[Input::Arrive { key, at, sheet }, Input::Connect { character }]);
        self.state.players[&character].slot
    }

    /// The input of a character's next command.
    fn command(&mut self, character: u64, command: Command) -> Input {
        let character = CharacterId(character);
        let number = self.numbers.entry(character).or_insert(0);
        *number += 1;
        Input::Command { character, number: *number, command }
    }

    fn tell(&mut self, character: u64, command: Command) {
        let input = self.command(character, command);
        self.step(&[input]);
    }

    /// Puts an actor somewhere else as if it had always been there.
    fn put(&mut self, slot: u16, pos: Pos) {
        let cell = self.state.cell(pos);
        self.state.actor_mut(slot).cell = cell;
        super::restore(&mut self.state);
        self.scratch.forget();
    }

    fn noted(&self, code: crate::game::catalog::Note) -> bool {
        self.out
            .events
            .iter()
            .any(|event| matches!(event.what, Happening::Note { code: c, .. } if c == code as u8))
    }
}

/// Any command at all; mostly steps.
fn any_command(rng: &mut Rng, state: &ZoneState, character: u64) -> Command {
    let inv = rng.below(14) as u8;
    let here = state.players.get(&CharacterId(character)).map_or(NO_ACTOR, |p| p.slot);
    let near = |rng: &mut Rng| {
        let at = if here == NO_ACTOR { Pos::new(5, 5) } else { state.pos(state.actor(here).cell) };
        let off =
            |n: u16, d: i32, most: u16| (i32::from(n) + d).clamp(0, i32::from(most) - 1) as u16;
        Pos::new(
            off(at.x, rng.between(-6, 6), state.width),
            off(at.y, rng.between(-6, 6), state.height),
        )
    };
    match rng.below(100) {
        0..=69 => Command::Move(Direction::ALL[rng.below(8) as usize]),
        70..=77 => Command::PickUp,
        78..=80 => Command::Rest,
        81..=83 => Command::Search,
        84..=86 => Command::Use { slot: inv },
        87..=88 => Command::Equip { slot: inv },
        89..=90 => Command::Drop { slot: inv },
        91..=92 => Command::Throw { slot: inv, target: near(rng) },
        93..=94 => Command::UseAt { slot: inv, target: near(rng) },
        95..=96 => Command::UseStairs,
        97 => Command::Sneak { on: rng.chance(50) },
        _ => Command::Chat { text: "well met".into() },
    }
}

/// What must hold after every tick.
fn check_invariants(state: &ZoneState) {
    let mut standing = BTreeMap::new();
    for (slot, actor) in (0_u16..).zip(&state.actors).filter(|(_, a)| a.alive) {
        assert_eq!(standing.insert(actor.cell, slot), None, "two actors in cell {}", actor.cell);
        assert!(actor.hp > 0 && actor.hp <= actor.hp_max, "health of {slot}: {actor:?}");
        let terrain = state.terrain[actor.cell as usize];
        let solid = terrain.has(crate::game::catalog::terrain::flags::BLOCKS_MOVE);
        assert!(!solid, "{actor:?} stands in {terrain:?}");
    }
    for (cell, &slot) in state.derived.occupant.iter().enumerate() {
        assert_eq!(standing.get(&(cell as u32)).copied().unwrap_or(NO_ACTOR), slot);
    }
    for (&character, player) in &state.players {
        if player.slot != NO_ACTOR {
            assert_eq!(state.actor(player.slot).character, character);
        }
        for used in [player.sheet.weapon, player.sheet.armor].into_iter().flatten() {
            assert!(player.sheet.items.contains_key(&used), "in use and not there");
        }
    }
    assert_eq!(ledger::recount(state), state.ledger.balance(), "ledger {:?}", state.ledger);
}
