//! Where a monster goes next.

use super::{IDLE_TICKS, Intent, Mind};
use crate::game::catalog::monsters::flags as is;
use crate::game::catalog::terrain::flags;
use crate::model::Direction;
use crate::model::limits::NO_ACTOR;
use crate::sim::cpu::distance;

impl Mind<'_> {
    /// The cell in a direction if it can step there now.
    pub(super) fn free_neighbour(&self, direction: Direction) -> Option<u32> {
        let (dx, dy) = direction.delta();
        let step = isize::from(dy) * self.state.width as isize + isize::from(dx);
        let to = (self.actor.cell as usize).wrapping_add_signed(step);
        let free = self.state.derived.occupant.get(to) == Some(&NO_ACTOR);
        let to = to as u32;
        (free && self.may_enter(to) && self.can_reach(direction)).then_some(to)
    }

    /// Whether it would set foot there: its element, not on fire.
    fn may_enter(&self, to: u32) -> bool {
        let burns = self.state.fire[to as usize] > 0 && !self.is(is::FIRE_BORN);
        !burns && self.state.can_stand(self.actor.kind, to)
    }

    fn priority(&self) -> u8 {
        match self.mode {
            crate::game::state::Mode::Fleeing => 0,
            crate::game::state::Mode::Hunting | crate::game::state::Mode::Ally => 1,
            crate::game::state::Mode::Asleep | crate::game::state::Mode::Wandering => 2,
        }
    }

    fn toward(&self, direction: Direction) -> Option<Intent> {
        let to = self.pos.step(direction, self.state.width, self.state.height)?;
        Some(Intent::Step { to: self.state.cell(to), priority: self.priority() })
    }

    /// One step down a shared map.
    fn step_by<T: Copy + Ord>(&mut self, map: &[T], plane: &[u8]) -> Option<Intent> {
        if map.len() != plane.len() {
            return None;
        }
        let width = usize::from(self.state.width);
        let rotation = self.rng.below(8) as u8;
        let fire = if self.is(is::FIRE_BORN) { 0 } else { 255 };
        let free = |to: usize| {
            self.state.derived.occupant[to] == NO_ACTOR && self.state.fire[to] & fire == 0
        };
        let cell = self.actor.cell as usize;
        let direction = distance::downhill(map, plane, width, cell, rotation, free)?;
        self.toward(direction)
    }

    /// Towards the nearest player by the map of its own element.
    pub(super) fn step_by_hunt_map(&mut self) -> Option<Intent> {
        let (maps, derived) = (&self.state.maps, &self.state.derived);
        if self.is(is::SWIMS) {
            return self.step_by(&maps.swim, &derived.swim);
        }
        if self.is(is::BURROWS) {
            return self.step_by(&maps.dig, &derived.dig);
        }
        self.step_by(&maps.hunt, &derived.walk)
    }

    /// Away from the players.
    pub(super) fn step_away(&mut self) -> Option<Intent> {
        if self.has(crate::game::catalog::Effect::Held) || self.is(is::IMMOBILE) {
            return None;
        }
        if self.is(is::SWIMS) {
            return self.step_from_nearest();
        }
        let (maps, derived) = (&self.state.maps, &self.state.derived);
        self.step_by(&maps.flee, &derived.walk).or_else(|| self.step_from_nearest())
    }

    /// The free neighbour farthest from the nearest player in view.
    fn step_from_nearest(&mut self) -> Option<Intent> {
        let prey = self.sees()?;
        let gap = |to: u32| self.state.pos(to).chebyshev(prey.pos);
        let here = prey.pos.chebyshev(self.pos);
        let to = Direction::ALL
            .into_iter()
            .filter_map(|d| self.free_neighbour(d))
            .max_by_key(|&to| (gap(to), std::cmp::Reverse(to)))?;
        (gap(to) > here).then_some(Intent::Step { to, priority: 0 })
    }

    pub(super) fn step_by_noise(&mut self) -> Option<Intent> {
        if self.is(is::SWIMS | is::IMMOBILE) {
            return None;
        }
        let maps = &self.state.maps;
        let near = maps.noise.get(self.actor.cell as usize).is_some_and(|&d| d > 2);
        if near { self.step_by(&maps.noise, &self.state.derived.walk) } else { None }
    }

    /// One step straight towards a cell, or slightly aside.
    pub(super) fn step_straight(&mut self, goal: u32, priority: u8) -> Option<Intent> {
        let goal = self.state.pos(goal);
        let sign = |to: u16, from: u16| i16::from(to > from) - i16::from(to < from);
        let wanted = (sign(goal.x, self.pos.x), sign(goal.y, self.pos.y));
        let ahead = Direction::ALL.into_iter().find(|d| d.delta() == wanted)?;
        let turn = if self.rng.chance(50) { 1 } else { 7 };
        [0, turn, 8 - turn].into_iter().find_map(|by| {
            let direction = Direction::ALL[(ahead as usize + by) % 8];
            self.free_neighbour(direction).map(|to| Intent::Step { to, priority })
        })
    }

    /// Back to the leader if it is farther than `gap` cells away.
    pub(super) fn step_to_leader(&mut self, gap: u16) -> Option<Intent> {
        let leader = self.actor.leader;
        if leader == NO_ACTOR || !self.state.is_up(leader) {
            return None;
        }
        let cell = self.state.actor(leader).cell;
        if self.state.pos(cell).chebyshev(self.pos) <= gap {
            return None;
        }
        self.step_straight(cell, 2)
    }

    /// Any free neighbour.
    pub(super) fn stagger(&mut self) -> Intent {
        let direction = Direction::ALL[self.rng.below(8) as usize];
        let held = self.has(crate::game::catalog::Effect::Held) || self.is(is::IMMOBILE);
        match self.free_neighbour(direction) {
            Some(to) if !held => Intent::Step { to, priority: 2 },
            _ => Intent::Wait { ticks: 2 },
        }
    }

    /// Makes room among its like: sideways, not away.
    pub(super) fn shuffle(&mut self, priority: u8) -> Intent {
        if self.has(crate::game::catalog::Effect::Held) || !self.rng.chance(40) {
            return Intent::Wait { ticks: 2 };
        }
        let direction = Direction::ALL[self.rng.below(8) as usize];
        match self.free_neighbour(direction) {
            Some(to) if !self.is(is::IMMOBILE) => Intent::Step { to, priority },
            _ => Intent::Wait { ticks: 2 },
        }
    }

    /// Along the passage: on in the direction it came, else to a side, back only out of a dead
    /// end. `goal` holds the cell it came from.
    pub(super) fn roam(&mut self) -> Intent {
        let from = self.state.pos(self.goal);
        let heading = from.direction_to(self.pos);
        let start = match heading {
            Some(direction) if self.rng.chance(90) => direction,
            _ => Direction::ALL[self.rng.below(8) as usize],
        };
        let side = if self.rng.chance(50) { [0, 1, 7, 2, 6] } else { [0, 7, 1, 6, 2] };
        let ahead = side.into_iter().find_map(|by| self.roam_to((start as usize + by) % 8));
        let back = [3, 5, 4];
        let to = ahead
            .or_else(|| back.into_iter().find_map(|by| self.roam_to((start as usize + by) % 8)));
        self.goal = self.actor.cell;
        match to {
            Some(to) => Intent::Step { to, priority: 2 },
            None => Intent::Wait { ticks: IDLE_TICKS },
        }
    }

    fn roam_to(&self, direction: usize) -> Option<u32> {
        let to = self.free_neighbour(Direction::ALL[direction])?;
        let calm = !self.state.terrain_has(to, flags::TRAP | flags::ENTANGLES);
        calm.then_some(to)
    }
}
