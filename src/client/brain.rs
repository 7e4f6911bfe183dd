//! Plays by itself: what a bot does next.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Draws, Knowledge, PathFinder};
use crate::model::limits::INVENTORY_SLOTS;
use crate::model::{Command, Direction, Pos};
use crate::protocol::view::{item, me};

/// How a bot spends its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Explores, fights, collects, tries things out, flees, takes stairs, follows others.
    #[default]
    Play,
    /// Walks about and nothing else, one step a decision.
    Walk,
}

/// Decides for one character. The same pictures give the same decisions.
#[derive(Clone, Debug)]
pub struct Brain {
    behaviour: Behaviour,
    draws: Draws,
    finder: PathFinder,
    /// The way planned, the next cell first.
    way: VecDeque<Pos>,
    /// Where the character will be once all commands given are carried out.
    expected: Pos,
    heading: Direction,
    zone: u32,
    /// When to go down.
    descend_at: Duration,
    /// A player walked after, until when.
    follows: Option<(u16, Duration)>,
    /// Cells whose item did not come along.
    left_lying: Vec<Pos>,
    /// By (slot, look): how often it was put to use.
    tried: BTreeMap<(u8, u8), u8>,
    stuck: u32,
}

/// Items farther away than this are found while exploring.
const ITEM_STEPS_MAX: u32 = 16;
const CHASE_STEPS_MAX: u16 = 6;
const STAY_SECONDS: u32 = 40;
/// How often a way on is one into an arena or out of it.
const GATE_ONE_IN: u32 = 4;
const CHAT_ONE_IN: u32 = 900;
const LINES: [&str; 6] = [
    "anyone near the stairs?",
    "mind the grass, it burns",
    "I hear something",
    "which way is down?",
    "well met",
    "not that potion",
];

impl Brain {
    #[must_use]
    pub fn new(seed: u64, behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            draws: Draws::new(seed),
            finder: PathFinder::default(),
            way: VecDeque::new(),
            expected: Pos::default(),
            heading: Direction::North,
            zone: 0,
            descend_at: Duration::ZERO,
            follows: None,
            left_lying: Vec::new(),
            tried: BTreeMap::new(),
            stuck: 0,
        }
    }

    /// The next command, if there is one worth giving. `waiting`: how many commands no frame has
    /// covered yet.
    pub fn decide(
        &mut self,
        now: Duration,
        known: &Knowledge<'_>,
        waiting: usize,
    ) -> Option<Command> {
        if self.zone != known.view.place.zone.0 {
            self.arrive(now, known);
        }
        if waiting == 0 && self.expected != known.here() {
            self.expected = known.here();
            self.way.clear();
        }
        match self.behaviour {
            // More would only queue behind the turn that is under way.
            _ if waiting > 1 => None,
            Behaviour::Walk => Some(self.wander(known)),
            Behaviour::Play => self.play(now, known, waiting == 0),
        }
    }

    fn arrive(&mut self, now: Duration, known: &Knowledge<'_>) {
        self.zone = known.view.place.zone.0;
        self.expected = known.here();
        self.way.clear();
        self.left_lying.clear();
        self.follows = None;
        let stay = STAY_SECONDS / 2 + self.draws.below(STAY_SECONDS);
        self.descend_at = now + Duration::from_secs(stay.into());
    }

    fn play(&mut self, now: Duration, known: &Knowledge<'_>, settled: bool) -> Option<Command> {
        if known.is_dead() {
            return settled.then_some(Command::Rest);
        }
        if self.draws.one_in(CHAT_ONE_IN) {
            let line = LINES[self.draws.below(LINES.len() as u32) as usize];
            return Some(Command::Chat { text: line.to_owned() });
        }
        let threatened = known.hostiles().any(|a| a.pos.chebyshev(known.here()) <= 2);
        if !settled {
            // A step ahead of the server, but only along a way already planned.
            return if threatened { None } else { self.walk_on(known) };
        }
        let mine = &known.view.me;
        let weak = u32::from(mine.hp) * 4 < u32::from(mine.hp_max);
        if weak && threatened {
            self.way.clear();
            return self.use_something(known).or_else(|| Some(self.flee(known)));
        }
        if let Some(direction) = known.prey() {
            self.way.clear();
            return Some(Command::Move(direction));
        }
        if !known.is_safe(known.here()) {
            self.way.clear();
            return Some(self.flee(known));
        }
        if weak && !self.draws.one_in(20) {
            return Some(Command::Rest);
        }
        self.quietly(now, known)
    }

    /// What to do when nothing presses.
    fn quietly(&mut self, now: Duration, known: &Knowledge<'_>) -> Option<Command> {
        let here = known.here();
        if known.cell(here).is_some_and(|cell| cell.item() != 0) && !self.left_lying.contains(&here)
        {
            self.left_lying.push(here);
            if known.view.inventory.len() < INVENTORY_SLOTS {
                return Some(Command::PickUp);
            }
        }
        if self.draws.one_in(8)
            && let Some(command) = self.try_something(known)
        {
            return Some(command);
        }
        if now >= self.descend_at && known.view.me.flags & me::ON_STAIRS != 0 {
            self.descend_at = now + Duration::from_secs(STAY_SECONDS.into());
            return Some(Command::UseStairs);
        }
        if let Some(command) = self.walk_on(known) {
            return Some(command);
        }
        self.plan(now, known);
        if let Some(command) = self.walk_on(known) {
            self.stuck = 0;
            return Some(command);
        }
        self.stuck += 1;
        Some(if self.stuck.is_multiple_of(3) { Command::Search } else { self.wander(known) })
    }

    fn plan(&mut self, now: Duration, known: &Knowledge<'_>) {
        let here = known.here();
        let near = known
            .hostiles()
            .map(|a| a.pos)
            .filter(|pos| pos.chebyshev(here) <= CHASE_STEPS_MAX)
            .min_by_key(|pos| (pos.chebyshev(here), *pos));
        if self.follows.is_some_and(|(_, until)| now >= until) {
            self.follows = None;
        }
        if self.follows.is_none() && self.draws.one_in(12) {
            let until = now + Duration::from_secs(u64::from(5 + self.draws.below(10)));
            self.follows = known.players().next().map(|a| (a.id, until));
        }
        let friend = self.follows.and_then(|(id, _)| {
            known.players().find(|a| a.id == id && a.pos.chebyshev(here) > 2).map(|a| a.pos)
        });
        let gate_wanted = now >= self.descend_at && self.draws.one_in(GATE_ONE_IN);
        let gate = known.legend.gate.filter(|_| gate_wanted);
        let stairs = known.legend.stairs_down.filter(|_| now >= self.descend_at);
        let finder = &mut self.finder;
        let left = &self.left_lying;
        let way = near
            .and_then(|pos| finder.to(known, pos))
            .or_else(|| finder.to_item(known, ITEM_STEPS_MAX, |pos| !left.contains(&pos)))
            .or_else(|| friend.and_then(|pos| finder.to(known, pos)))
            .or_else(|| gate.and_then(|terrain| finder.to_terrain(known, terrain)))
            .or_else(|| stairs.and_then(|terrain| finder.to_terrain(known, terrain)))
            .or_else(|| finder.to_frontier(known))
            .or_else(|| finder.to_terrain(known, known.legend.stairs_down?));
        if way.is_none() {
            self.descend_at = now;
        }
        self.way = way.unwrap_or_default().into();
    }

    fn walk_on(&mut self, known: &Knowledge<'_>) -> Option<Command> {
        let next = *self.way.front()?;
        let direction = self.expected.direction_to(next);
        let open = direction.is_some_and(|d| known.step(self.expected, d) == Some(next));
        if !open || !known.is_safe(next) {
            self.way.clear();
            return None;
        }
        self.way.pop_front();
        self.expected = next;
        direction.map(Command::Move)
    }

    /// A step in much the same direction as before, anywhere that is open and free.
    fn wander(&mut self, known: &Knowledge<'_>) -> Command {
        let from = if known.is_open(self.expected) { self.expected } else { known.here() };
        if self.draws.one_in(16) {
            self.turn();
        }
        for _ in 0..12 {
            let free = |&to: &Pos| known.is_safe(to) && known.actor_at(to).is_none();
            if let Some(to) = known.step(from, self.heading).filter(free) {
                self.expected = to;
                break;
            }
            self.turn();
        }
        Command::Move(self.heading)
    }

    fn turn(&mut self) {
        self.heading = Direction::ALL[self.draws.below(8) as usize];
    }

    /// The step that leads farthest from whatever threatens.
    fn flee(&mut self, known: &Knowledge<'_>) -> Command {
        let here = known.here();
        let distance = |pos: Pos| {
            let nearest = known.hostiles().map(|a| a.pos.chebyshev(pos)).min();
            (known.is_safe(pos), nearest.unwrap_or(0))
        };
        let best = Direction::ALL
            .into_iter()
            .filter_map(|d| known.step(here, d).map(|to| (d, to)))
            .filter(|&(_, to)| known.actor_at(to).is_none())
            .max_by_key(|&(d, to)| (distance(to), std::cmp::Reverse(d as u8)));
        match best {
            Some((direction, to)) if distance(to) >= distance(here) => {
                self.expected = to;
                Command::Move(direction)
            }
            _ => known.prey().map_or_else(|| self.wander(known), Command::Move),
        }
    }

    /// Drinks or reads something not known to do harm.
    fn use_something(&mut self, known: &Knowledge<'_>) -> Option<Command> {
        let usable = item::USABLE | item::TARGETED | item::MALEVOLENT;
        let slot = known
            .view
            .inventory
            .iter()
            .find(|i| i.flags & usable == item::USABLE && self.tries(i.slot, i.look) < 3)
            .map(|i| (i.slot, i.look))?;
        *self.tried.entry(slot).or_default() += 1;
        Some(Command::Use { slot: slot.0 })
    }

    /// Puts on what is not worn and was not tried on before; else, rarely, drinks or reads.
    fn try_something(&mut self, known: &Knowledge<'_>) -> Option<Command> {
        let wearable = item::WEARABLE | item::EQUIPPED | item::MALEVOLENT;
        let fresh = known
            .view
            .inventory
            .iter()
            .find(|i| i.flags & wearable == item::WEARABLE && self.tries(i.slot, i.look) == 0)
            .map(|i| (i.slot, i.look));
        if let Some(key) = fresh {
            *self.tried.entry(key).or_default() += 1;
            return Some(Command::Equip { slot: key.0 });
        }
        if self.draws.one_in(4) { self.use_something(known) } else { None }
    }

    fn tries(&self, slot: u8, look: u8) -> u8 {
        self.tried.get(&(slot, look)).copied().unwrap_or(0)
    }
}
