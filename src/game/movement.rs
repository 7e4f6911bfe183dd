//! Where actors stand: births, steps, and what happens on entering a cell.

use super::catalog::monsters::{self, flags as is};
use super::catalog::terrain::flags;
use super::catalog::{Effect, Gas, Note, Terrain};
use super::state::{Actor, Audience, Cause, Mode, Subject, ZoneState};
use super::turn::{Turn, purpose};
use crate::model::limits::{ACTORS_MAX, NO_ACTOR};

/// Ticks that webs and thorns hold.
const ENTANGLED_TICKS: u32 = 30;
/// Ticks that a summoned thing lasts.
const FLEETING_TICKS: u32 = 300;

impl ZoneState {
    /// The row of an actor's kind.
    #[must_use]
    pub fn row(&self, slot: u16) -> &'static monsters::MonsterRow {
        monsters::row(self.actor(slot).kind)
    }

    /// Whether it floats over water, lava and traps.
    #[must_use]
    pub fn floats(&self, slot: u16) -> bool {
        self.row(slot).has(is::FLIES) || self.is_affected(slot, Effect::Levitating)
    }

    /// Whether nobody can see it: below the surface, invisible, or lying in wait.
    #[must_use]
    pub fn is_hidden(&self, slot: u16) -> bool {
        let actor = self.actor(slot);
        let row = self.row(slot);
        if row.has(is::AMBUSHES) && actor.mode == Mode::Asleep {
            return true;
        }
        row.has(is::SUBMERGES)
            && self.terrain_has(actor.cell, flags::DEEP_WATER | flags::METHANE_SOURCE)
            && actor.special_at <= self.now()
    }

    /// Whether an actor of this kind can stand in a cell, whoever is there now.
    #[must_use]
    pub fn can_stand(&self, kind: u8, cell: u32) -> bool {
        let terrain = self.terrain[cell as usize];
        let row = monsters::row(kind);
        if terrain.has(flags::BLOCKS_MOVE) {
            return false;
        }
        if row.has(is::SWIMS) {
            return terrain.has(flags::WATER);
        }
        let perilous = flags::LAVA | flags::DEEP_WATER;
        !terrain.has(perilous)
            || row.has(is::FLIES)
            || (row.has(is::FIRE_BORN) && terrain.has(flags::LAVA))
            || (row.has(is::SUBMERGES) && terrain.has(flags::DEEP_WATER))
    }

    /// Puts an actor into the smallest free slot; `None` if the cell is taken or the zone full.
    pub fn place(&mut self, actor: Actor) -> Option<u16> {
        let cell = actor.cell;
        if self.derived.occupant[cell as usize] != NO_ACTOR {
            return None;
        }
        let slot = match self.derived.vacant.pop_first() {
            Some(slot) => slot,
            None if self.actors.len() < ACTORS_MAX => {
                self.actors.push(Actor::vacant());
                (self.actors.len() - 1) as u16
            }
            None => return None,
        };
        let generation = self.actor(slot).generation.wrapping_add(1);
        self.derived.monsters += u32::from(actor.kind != 0);
        *self.actor_mut(slot) = Actor { alive: true, generation, ..actor };
        self.derived.occupant[cell as usize] = slot;
        Some(slot)
    }

    /// Frees an actor's slot and cell.
    pub fn remove(&mut self, slot: u16) {
        let actor = self.actor_mut(slot);
        let (cell, kind) = (actor.cell, actor.kind);
        *actor = Actor { generation: actor.generation, ..Actor::vacant() };
        self.derived.occupant[cell as usize] = NO_ACTOR;
        self.derived.vacant.insert(slot);
        self.derived.monsters -= u32::from(kind != 0);
    }

    /// The nearest cell to `cell` within `radius` that an ordinary walker can take now.
    #[must_use]
    pub fn free_cell_near(&self, cell: u32, radius: u16) -> Option<u32> {
        self.free_cell_for(0, cell, radius)
    }

    /// The nearest cell to `cell` within `radius` that an actor of `kind` can take now; walls
    /// between them count only at a distance of one.
    #[must_use]
    pub fn free_cell_for(&self, kind: u8, cell: u32, radius: u16) -> Option<u32> {
        self.around(cell, radius)
            .find(|&at| self.actor_at(at).is_none() && self.can_stand(kind, at))
    }
}

impl Turn<'_> {
    /// Makes a monster of `kind` in a free cell; `None` if it cannot be there.
    pub fn spawn_monster(&mut self, kind: u8, cell: u32, mode: Mode) -> Option<u16> {
        if !self.state.can_stand(kind, cell) {
            return None;
        }
        let row = monsters::row(kind);
        let now = self.now();
        let special_at = if row.has(is::FLEETING) { now + FLEETING_TICKS } else { 0 };
        let mode =
            if mode == Mode::Asleep && row.has(is::VIGILANT) { Mode::Wandering } else { mode };
        self.state.place(Actor {
            kind,
            mode,
            cell,
            hp: row.hp,
            hp_max: row.hp,
            ready_at: self.state.tick.0 + 1 + u64::from(cell % 4),
            goal: cell,
            noticed: if mode == Mode::Hunting { now } else { 0 },
            special_at,
            ..Actor::vacant()
        })
    }

    /// Moves an actor to a free cell, with everything that leaving and entering brings about.
    /// Does nothing if the cell is taken.
    pub fn relocate(&mut self, slot: u16, to: u32) {
        let from = self.state.actor(slot).cell;
        if from == to || self.state.actor_at(to).is_some() {
            return;
        }
        self.state.derived.occupant[from as usize] = NO_ACTOR;
        self.state.derived.occupant[to as usize] = slot;
        self.state.actor_mut(slot).cell = to;
        self.leave_cell(from);
        self.enter_cell(slot, to);
    }

    /// Exchanges two actors.
    pub fn swap(&mut self, one: u16, two: u16) {
        let (a, b) = (self.state.actor(one).cell, self.state.actor(two).cell);
        self.state.actor_mut(one).cell = b;
        self.state.actor_mut(two).cell = a;
        self.state.derived.occupant[a as usize] = two;
        self.state.derived.occupant[b as usize] = one;
        self.enter_cell(one, b);
        self.enter_cell(two, a);
    }

    fn leave_cell(&mut self, cell: u32) {
        let terrain = self.state.terrain[cell as usize];
        if terrain.has(flags::CLOSES) && !self.state.items.contains_key(&cell) {
            self.set_terrain(cell, terrain.row().trodden);
        }
    }

    fn enter_cell(&mut self, slot: u16, cell: u32) {
        let terrain = self.state.terrain[cell as usize];
        let plain = flags::TRAMPLED | flags::ENTANGLES | flags::TRAP | flags::LAVA | flags::WATER;
        if self.state.fire[cell as usize] > 0 {
            self.catch_fire(slot);
        }
        if !terrain.has(plain) {
            return;
        }
        let floats = self.state.floats(slot);
        if terrain.has(flags::ENTANGLES) && !floats && !self.state.row(slot).has(is::WEBS) {
            self.affect(slot, Effect::Held, ENTANGLED_TICKS);
            let web = terrain == Terrain::Web;
            self.tell(slot, if web { Note::WebCatches } else { Note::Entangled }, None, 0);
        }
        if terrain.has(flags::TRAMPLED) {
            self.set_terrain(cell, terrain.row().trodden);
        }
        if floats {
            return;
        }
        if terrain.has(flags::WATER) && self.state.is_affected(slot, Effect::Burning) {
            self.cure(slot, Effect::Burning);
        }
        if terrain.has(flags::LAVA)
            && !self.state.row(slot).has(is::FIRE_BORN)
            && !self.state.is_affected(slot, Effect::FireImmune)
        {
            self.damage(slot, 10_000, Subject::Nobody, Cause::Lava);
        }
        if terrain.has(flags::DEEP_WATER) && self.state.player_of(slot).is_some() {
            self.swim_with_pack(slot, cell);
        }
        let careless =
            self.state.actor(slot).kind == 0 || self.state.is_affected(slot, Effect::Confused);
        if terrain.has(flags::TRAP) && careless && !self.state.is_guarded(slot) {
            self.spring_trap(slot, cell);
        }
    }

    /// Whoever floated stands in its cell from now on.
    pub fn touch_down(&mut self, slot: u16) {
        let cell = self.state.actor(slot).cell;
        self.enter_cell(slot, cell);
    }

    /// Shows a cell to a player as it is without things, wherever it is.
    pub fn reveal(&mut self, slot: u16, cell: u32) {
        if let Some(character) = self.state.player_of(slot) {
            self.state.derived.revealed.push((character, cell));
        }
    }

    /// Deep water takes one thing that is neither worn nor wielded, every other time.
    fn swim_with_pack(&mut self, slot: u16, cell: u32) {
        let mut rng = self.rng(purpose::ENTER ^ u64::from(slot));
        if !rng.chance(50) {
            return;
        }
        let Some(player) = self.state.player_mut(slot) else { return };
        let sheet = &mut player.sheet;
        let loose: Vec<u8> = sheet
            .items
            .keys()
            .copied()
            .filter(|&s| sheet.weapon != Some(s) && sheet.armor != Some(s))
            .collect();
        let Some(item) = rng.pick(&loose).and_then(|s| sheet.items.remove(s)) else { return };
        self.drop_item(cell, item.clone());
        self.tell(slot, Note::ItemSwept, Some(item), 0);
    }

    /// What a trap under an actor's foot does.
    pub fn spring_trap(&mut self, slot: u16, cell: u32) {
        let terrain = self.state.terrain[cell as usize];
        let trap = if terrain.has(flags::SECRET) { terrain.row().trodden } else { terrain };
        self.set_terrain(cell, trap);
        self.report(slot, Note::TrapSprings, Subject::Nobody, 0);
        if trap == Terrain::PoisonTrap {
            self.note_at(cell, Note::CausticTrap);
            self.add_gas(Gas::Poison, cell, 1_000);
        } else if trap == Terrain::ConfusionTrap {
            self.note_at(cell, Note::ConfusionTrap);
            self.add_gas(Gas::Confusion, cell, 800);
        } else if trap == Terrain::FireTrap {
            self.note_at(cell, Note::FireTrap);
            for at in self.state.around(cell, 1) {
                self.ignite(at);
            }
            self.catch_fire(slot);
        } else {
            self.note_at(cell, Note::AlarmTrap);
            let heard = Audience::All;
            self.note(heard, Note::AlarmHeard, Subject::Nobody, Subject::Nobody, None, 0);
            self.make_noise(cell, 60);
        }
        self.make_noise(cell, 6);
    }

    /// Wakes up the sleepers within earshot and sends the idle to look.
    pub(super) fn rouse_near(&mut self, cell: u32, loudness: u16) {
        let near = |state: &ZoneState, other: u32| state.gap(cell, other) <= loudness;
        for slot in 0..self.state.actors.len() as u16 {
            let actor = self.state.actor(slot);
            if !actor.alive || actor.kind == 0 || !near(self.state, actor.cell) {
                continue;
            }
            let dormant = actor.mode == Mode::Asleep && self.state.row(slot).has(is::AMBUSHES);
            if matches!(actor.mode, Mode::Asleep | Mode::Wandering) && !dormant {
                let actor = self.state.actor_mut(slot);
                actor.mode = Mode::Wandering;
                actor.goal = cell;
            }
        }
    }
}
