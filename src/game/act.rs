//! A player's turn: what each command does.

use super::catalog::items::{Category, special};
use super::catalog::terrain::flags;
use super::catalog::{Effect, Kind, Note, Terrain, arenas};
use super::items::{self, Outcome};
use super::player::arena_side;
use super::rng::Rng;
use super::state::{Arrive, Audience, Death, Destination, Event, Happening, Subject, ZoneKind};
use super::turn::{Turn, purpose};
use crate::model::limits::{CHAT_BYTES_MAX, FLOORS};
use crate::model::{CharacterId, Command, Direction, ZoneId};

/// Ticks of a standard turn, and of a step on tiptoe.
const TURN: u32 = 2;
const SOFT_TURN: u32 = 4;
/// Cells around that a search covers, and the chance in a hundred to find each secret.
const SEARCH_RADIUS: u16 = 7;
const SEARCH_CHANCE: u32 = 40;
/// Chance in a hundred to find a secret by walking past it.
const STUMBLE_CHANCE: u32 = 12;
/// Chance in a hundred per turn to tear free.
const STRUGGLE_CHANCE: u32 = 25;

impl Turn<'_> {
    /// Carries out one command of the player in `slot`; whether its turn is over.
    pub fn act(&mut self, slot: u16, command: &Command) -> bool {
        let outcome = match *command {
            Command::Rest => self.rest(slot),
            Command::Search => self.search(slot),
            Command::Move(direction) => self.walk(slot, direction),
            Command::UseStairs => self.use_stairs(slot),
            Command::PickUp => items::pick_up(self, slot),
            Command::Drop { slot: inv } => items::drop(self, slot, inv),
            Command::Equip { slot: inv } => items::equip(self, slot, inv),
            Command::Use { slot: inv } => items::use_item(self, slot, inv),
            Command::UseAt { slot: inv, target } => items::use_at(self, slot, inv, target),
            Command::Throw { slot: inv, target } => items::throw(self, slot, inv, target),
            Command::Sneak { .. } | Command::Chat { .. } => Outcome::Refused,
        };
        let Outcome::Spent { ticks } = outcome else { return false };
        // Blows and steps have reckoned with haste already; whatever else takes usual turns.
        let paced = match command {
            Command::Move(_) => ticks,
            Command::Rest
            | Command::Search
            | Command::UseStairs
            | Command::PickUp
            | Command::Drop { .. }
            | Command::Equip { .. }
            | Command::Use { .. }
            | Command::UseAt { .. }
            | Command::Throw { .. }
            | Command::Sneak { .. }
            | Command::Chat { .. } => self.state.pace(slot, ticks as u32),
        };
        let ready = self.state.tick.0 + paced;
        self.state.actor_mut(slot).ready_at = ready;
        true
    }

    /// The commands that take no time and wait for no turn; whether it was one.
    pub fn act_at_once(&mut self, slot: Option<u16>, name: &str, command: &Command) -> bool {
        if let Command::Chat { text } = command {
            let mut text = text.clone();
            text.retain(|c| !c.is_control());
            if text.len() <= CHAT_BYTES_MAX && !text.trim().is_empty() {
                let what = Happening::Chat { from: name.to_owned(), text };
                self.events.push(Event { audience: Audience::All, what });
            }
            return true;
        }
        let Command::Sneak { on } = *command else { return false };
        let Some(slot) = slot else { return false };
        let Some(player) = self.state.player_mut(slot) else { return true };
        if player.sneaking != on {
            player.sneaking = on;
            self.tell(slot, if on { Note::SneakOn } else { Note::SneakOff }, None, 0);
        }
        true
    }

    fn rest(&mut self, slot: u16) -> Outcome {
        let tick = self.state.tick;
        if let Some(player) = self.state.player_mut(slot) {
            player.rested_at = tick;
        }
        // One turn in ten closes a wound a little.
        if self.rng(purpose::SEARCH + u64::from(slot)).chance(10)
            && !self.state.is_affected(slot, Effect::Poisoned)
        {
            self.heal(slot, 1);
        }
        Outcome::Spent { ticks: TURN.into() }
    }

    fn search(&mut self, slot: u16) -> Outcome {
        let tick = self.state.tick;
        if let Some(player) = self.state.player_mut(slot) {
            player.rested_at = tick;
        }
        let cell = self.state.actor(slot).cell;
        let mut rng = self.rng(purpose::SEARCH + u64::from(slot));
        for at in self.state.around(cell, SEARCH_RADIUS) {
            let near = self.state.gap(cell, at) <= 1;
            if self.state.terrain_has(at, flags::SECRET)
                && self.state.has_line(cell, at)
                && (near || rng.chance(SEARCH_CHANCE))
            {
                self.find(slot, at);
            }
        }
        Outcome::Spent { ticks: u64::from(TURN) * 3 }
    }

    /// A player finds a secret.
    fn find(&mut self, slot: u16, cell: u32) {
        self.uncover(cell);
        let door = self.state.terrain[cell as usize] == Terrain::Door;
        let code = if door { Note::FindsSecretDoor } else { Note::FindsTrap };
        self.report(slot, code, Subject::Nobody, 0);
    }

    /// Shows a secret for what it is.
    pub fn uncover(&mut self, cell: u32) {
        let terrain = self.state.terrain[cell as usize];
        if terrain.has(flags::SECRET) {
            self.set_terrain(cell, terrain.row().trodden);
        }
    }

    fn walk(&mut self, slot: u16, direction: Direction) -> Outcome {
        let from = self.state.actor(slot).cell;
        let mut rng = self.rng(purpose::ENTER + u64::from(slot));
        let direction = if self.state.is_affected(slot, Effect::Confused) && rng.chance(60) {
            Direction::ALL[rng.below(8) as usize]
        } else {
            direction
        };
        let Some(to) = self.state.neighbour(from, direction) else {
            self.tell(slot, Note::WallInTheWay, None, 0);
            return Outcome::Refused;
        };
        if let Some(other) = self.state.actor_at(to) {
            if !self.state.can_reach(from, direction) {
                self.tell(slot, Note::Blocked, None, 0);
                return Outcome::Refused;
            }
            return self.meet(slot, other);
        }
        if self.state.terrain_has(to, flags::LOCKED) {
            return self.unlock(slot, to);
        }
        if self.state.terrain_has(to, flags::BLOCKS_MOVE) || !self.state.can_reach(from, direction)
        {
            self.tell(slot, Note::WallInTheWay, None, 0);
            return Outcome::Refused;
        }
        if let Some(struggled) = self.struggle(slot) {
            return struggled;
        }
        let attack = self.state.player(slot).map(|p| items::attack_of(&p.sheet).special);
        let attack = attack.unwrap_or(0);
        if attack & special::REACHES != 0
            && let Some(far) = self.foe_ahead(slot, from, to, 3)
        {
            self.strike(slot, far);
            return Outcome::Spent { ticks: self.state.blow_ticks(slot) };
        }
        self.relocate(slot, to);
        self.stumble_upon(slot, to, &mut rng);
        let lunges = attack & special::LUNGES != 0;
        if lunges && let Some(ahead) = self.foe_ahead(slot, from, to, 2) {
            self.lunge(slot, ahead);
            return Outcome::Spent { ticks: self.state.blow_ticks(slot) };
        }
        if let Some(item) = self.state.items.get(&to).cloned() {
            if item.kind == Kind::Gold.kind() {
                items::pick_up(self, slot);
            } else {
                let count = item.count as i32;
                self.tell(slot, Note::SeesItem, Some(item), count);
            }
        }
        let sneaks = self.state.player(slot).is_some_and(|p| p.sneaking);
        Outcome::Spent { ticks: self.state.pace(slot, if sneaks { SOFT_TURN } else { TURN }) }
    }

    /// Whoever walks past a secret may find it.
    fn stumble_upon(&mut self, slot: u16, cell: u32, rng: &mut Rng) {
        for direction in Direction::ALL {
            let Some(at) = self.state.neighbour(cell, direction) else { continue };
            if self.state.terrain_has(at, flags::SECRET) && rng.chance(STUMBLE_CHANCE) {
                self.find(slot, at);
            }
        }
    }

    /// The first actor on the line through two cells, not beside the first, if it is a foe that
    /// can be seen.
    fn foe_ahead(&self, slot: u16, from: u32, through: u32, cells: usize) -> Option<u16> {
        let line = self.state.line_of_fire(from, through, cells);
        let at = *line.get(1..)?.last()?;
        let other = self.state.actor_at(at).filter(|&other| other != slot)?;
        let plain = !self.state.is_hidden(other) && self.state.is_hostile(slot, other);
        plain.then_some(other)
    }

    /// Walking into somebody: a blow, or an exchange of places.
    fn meet(&mut self, slot: u16, other: u16) -> Outcome {
        if self.state.is_hostile(slot, other) {
            if self.state.is_affected(slot, Effect::Terrified) {
                self.tell(slot, Note::Terrified, None, 0);
                return Outcome::Refused;
            }
            self.strike(slot, other);
            return Outcome::Spent { ticks: self.state.blow_ticks(slot) };
        }
        if let Some(struggled) = self.struggle(slot) {
            return struggled;
        }
        if self.state.is_affected(other, Effect::Held) {
            self.tell(slot, Note::Blocked, None, 0);
            return Outcome::Refused;
        }
        let friend = self.state.subject(other);
        self.swap(slot, other);
        self.report(slot, Note::FriendlySwap, friend, 0);
        Outcome::Spent { ticks: self.state.pace(slot, TURN) }
    }

    /// What is held must tear itself free before it can move.
    fn struggle(&mut self, slot: u16) -> Option<Outcome> {
        if !self.state.is_affected(slot, Effect::Held) {
            return None;
        }
        if self.rng(purpose::ENTER + u64::from(slot)).chance(STRUGGLE_CHANCE) {
            self.cure(slot, Effect::Held);
            self.report(slot, Note::BreaksFree, Subject::Nobody, 0);
        } else {
            self.tell(slot, Note::HeldFast, None, 0);
        }
        Some(Outcome::Spent { ticks: u64::from(TURN) * 2 })
    }

    fn unlock(&mut self, slot: u16, door: u32) -> Outcome {
        let Some(player) = self.state.player_mut(slot) else { return Outcome::Refused };
        let sheet = &mut player.sheet;
        let fits = |item: &super::item::Item| {
            item.kind.row().category == Category::Key && item.opens == door
        };
        let Some(inv) = sheet.items.iter().find(|(_, i)| fits(i)).map(|(&inv, _)| inv) else {
            self.tell(slot, Note::DoorLocked, None, 0);
            return Outcome::Refused;
        };
        let key = sheet.items.remove(&inv).expect("the key was found in this slot");
        self.state.ledger.destroy(&key);
        let open = self.state.terrain[door as usize].row().trodden;
        self.set_terrain(door, open);
        self.report(slot, Note::DoorUnlocked, Subject::Nobody, 0);
        self.note_at(door, Note::VaultOpens);
        Outcome::Spent { ticks: TURN.into() }
    }

    fn use_stairs(&mut self, slot: u16) -> Outcome {
        let cell = self.state.actor(slot).cell;
        let Some(down) = self.stairs_at(cell) else {
            self.tell(slot, Note::NoStairs, None, 0);
            return Outcome::Refused;
        };
        let Some(character) = self.state.player_of(slot) else { return Outcome::Refused };
        if self.state.is_affected(slot, Effect::Held) {
            self.tell(slot, Note::HeldFast, None, 0);
            return Outcome::Refused;
        }
        if self.state.terrain[cell as usize] == Terrain::ArenaGate {
            return self.go_through(slot, character);
        }
        let zone = self.state.zone.0;
        if !down && zone <= 1 {
            return self.go_out(slot);
        }
        if down && zone >= FLOORS {
            self.tell(slot, Note::StairsEnd, None, 0);
            return Outcome::Refused;
        }
        let (zone, arrive, code) = if down {
            (zone + 1, Arrive::Up, Note::Descends)
        } else {
            (zone - 1, Arrive::Down, Note::Ascends)
        };
        self.report(slot, code, Subject::Nobody, zone as i32);
        self.depart(character, Destination::Zone { zone: ZoneId(zone), arrive }, None);
        Outcome::Refused
    }

    /// Through the gate of an arena: into it, or back to the floor one came from.
    fn go_through(&mut self, slot: u16, character: CharacterId) -> Outcome {
        let home = self.state.player(slot).map_or(ZoneId(1), |player| player.sheet.home);
        let to = if self.state.kind == ZoneKind::Arena {
            Destination::Zone { zone: home, arrive: Arrive::Gate }
        } else if let Some(arena) = arenas::behind(self.state.depth) {
            Destination::Zone { zone: arena.zone, arrive: arena_side(character) }
        } else {
            self.tell(slot, Note::StairsEnd, None, 0);
            return Outcome::Refused;
        };
        self.report(slot, Note::EntersGate, Subject::Nobody, 0);
        self.depart(character, to, None);
        Outcome::Refused
    }

    /// Whether the stairs in a cell lead down; `None` if there are none.
    fn stairs_at(&self, cell: u32) -> Option<bool> {
        let terrain = self.state.terrain[cell as usize];
        terrain.has(flags::STAIRS).then_some(terrain == Terrain::StairsDown)
    }

    /// Out of the dungeon: only with the heart of the deep, and then the run is won.
    fn go_out(&mut self, slot: u16) -> Outcome {
        let Some(player) = self.state.player_mut(slot) else { return Outcome::Refused };
        let sheet = &mut player.sheet;
        let is_prize = |item: &super::item::Item| item.kind.row().category == Category::Prize;
        let Some(inv) = sheet.items.iter().find(|(_, i)| is_prize(i)).map(|(&inv, _)| inv) else {
            self.tell(slot, Note::StairsEnd, None, 0);
            return Outcome::Refused;
        };
        let prize = sheet.items.remove(&inv).expect("the prize was found in this slot");
        let won = Death {
            cause: "carried the heart of the deep into the light".into(),
            level: sheet.level,
            depth: sheet.deepest,
            gold: sheet.gold,
        };
        let character = sheet.character;
        self.state.ledger.destroy(&prize);
        let who = self.state.subject(slot);
        let told = Audience::All;
        self.note(told, Note::PrizeCarriedOut, who, Subject::Nobody, Some(prize), 1);
        self.depart(character, Destination::Store, Some(won));
        Outcome::Refused
    }
}
