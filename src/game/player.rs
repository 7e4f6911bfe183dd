//! Characters: how they come and go, grow, die and wake up again.

use super::catalog::items::{Category, Kind};
use super::catalog::{Effect, Flash, Note, Terrain};
use super::item::Item;
use super::items;
use super::ledger::Holdings;
use super::state::{
    Actor, Arrive, Audience, Death, Departure, DepartureKey, Destination, EFFECTS, Player, STORE,
    Sheet, Subject, ZoneKind, ZoneState,
};
use super::turn::{Turn, purpose};
use crate::model::limits::{NO_ACTOR, TICKS_PER_SECOND_DEFAULT};
use crate::model::{CellMap, CharacterId, Pos, Tick, ZoneId};

/// Ticks that a character stays, guarded, when its connection is away.
pub const GRACE_TICKS: u64 = 1_200;
/// Ticks between death and waking up.
pub const RESPAWN_TICKS: u64 = 100;
/// Ticks that a character that wants to leave stands guarded if a foe sees it.
const LEAVE_TICKS: u64 = 100;
/// Levels there are.
pub const LEVEL_MAX: u8 = 30;
/// Health of a new character, and what each level adds.
const HEALTH: (i32, i32) = (40, 6);
const STRENGTH: u8 = 12;
/// Arrivals are remembered for so many ticks; a peer resends within seconds.
const ARRIVALS_TICKS: u64 = 1_000_000;
/// Bytes of memory of the floor kept for characters that have left; one is always kept.
const REMEMBERED_BYTES_MAX: usize = 512 * 1024;

/// Cells at which sleepers may notice somebody who walks upright.
const STEALTH: u16 = 14;
/// Ticks for which a fight keeps somebody loud, and a rest keeps them quiet.
const LOUD_TICKS: u64 = 20;
const STILL_TICKS: u64 = 8;

/// Experience at which the level after `level` begins.
#[must_use]
pub fn xp_needed(level: u8) -> u32 {
    let level = u32::from(level);
    20 * level * (level + 1)
}

/// A character at the start of its days.
#[must_use]
pub fn new_sheet(character: CharacterId, name: &str, _world_seed: u64) -> Sheet {
    let mut sheet = Sheet {
        character,
        name: name.to_owned(),
        version: 0,
        level: 1,
        xp: 0,
        gold: 0,
        hp: HEALTH.0,
        hp_max: HEALTH.0,
        strength: STRENGTH,
        items: Default::default(),
        weapon: None,
        armor: None,
        known: Vec::new(),
        last_command: 0,
        effects: [0; EFFECTS],
        deaths: 0,
        deepest: 1,
        home: ZoneId(1),
        queue: Default::default(),
    };
    (sheet.items, sheet.weapon, sheet.armor) = items::starting_kit();
    sheet
}

/// The same character in a fresh body: it keeps its name, what it knows and half its experience.
fn reborn(sheet: &Sheet) -> Sheet {
    let mut fresh = new_sheet(sheet.character, &sheet.name, 0);
    fresh.version = sheet.version;
    fresh.known.clone_from(&sheet.known);
    fresh.last_command = sheet.last_command;
    fresh.deaths = sheet.deaths;
    fresh.deepest = sheet.deepest;
    fresh.xp = sheet.xp / 2;
    while fresh.level < LEVEL_MAX && fresh.xp >= xp_needed(fresh.level) {
        fresh.level += 1;
        fresh.hp_max += HEALTH.1;
    }
    fresh.hp = fresh.hp_max;
    fresh
}

impl ZoneState {
    /// Distance in cells at which monsters may notice an actor.
    #[must_use]
    pub fn stealth(&self, slot: u16) -> u16 {
        let Some(player) = self.player(slot) else { return STEALTH };
        let tick = self.tick.0;
        let within = |since: Tick, ticks| since.0 > 0 && tick < since.0 + ticks;
        let mut range = STEALTH;
        if within(player.fought_at, LOUD_TICKS) {
            range *= 2;
        } else if player.sneaking || within(player.rested_at, STILL_TICKS) {
            range /= 2;
        }
        if self.is_affected(slot, Effect::Darkened) { range / 2 } else { range }
    }

    /// Where characters that come by this way appear.
    #[must_use]
    pub fn entry(&self, at: Arrive) -> u32 {
        self.cell(match at {
            Arrive::Up => self.up,
            Arrive::Down => self.down,
            Arrive::Gate => self.gate().unwrap_or(self.up),
            Arrive::Match(seat) if seat.side == 0 => self.up,
            Arrive::Match(_) => self.down,
        })
    }

    /// Where the gate of an arena stands.
    fn gate(&self) -> Option<Pos> {
        let at = self.terrain.iter().position(|&terrain| terrain == Terrain::ArenaGate)?;
        Some(Pos::from_index(at, self.width))
    }

    /// The actor slots of the players that have a body here, in the order of their characters.
    pub fn bodies(&self) -> impl Iterator<Item = u16> + '_ {
        self.players.values().map(|p| p.slot).filter(|&slot| slot != NO_ACTOR)
    }
}

impl Turn<'_> {
    /// Takes a character in, once per key. It stands guarded until its connection is there:
    /// `Input::Connect` or its first command. If there is no room for it, it goes to rest.
    pub fn arrive(&mut self, key: DepartureKey, at: Arrive, sheet: Sheet) {
        let tick = self.state.tick;
        if self.state.arrivals.contains_key(&key)
            || self.state.players.contains_key(&sheet.character)
        {
            return;
        }
        self.state.arrivals.retain(|_, taken| taken.0 + ARRIVALS_TICKS > tick.0);
        self.state.arrivals.insert(key, tick);
        let held = Holdings::of(&sheet);
        self.state.ledger.items_in += held.items;
        self.state.ledger.gold_in += held.gold;
        let mut sheet = sheet;
        items::start_clocks(&mut sheet, tick.0);
        // Who rests in an arena wakes up on the floor it came from.
        let in_arena = self.state.kind == ZoneKind::Arena;
        let deeper = !in_arena && self.state.depth > sheet.deepest;
        if !in_arena {
            sheet.home = self.state.zone;
            sheet.deepest = sheet.deepest.max(self.state.depth);
        }
        let character = sheet.character;
        let memory = self.recall(character);
        let player = Player {
            sheet,
            slot: NO_ACTOR,
            connected: false,
            guarded_until: Tick(tick.0 + GRACE_TICKS),
            sneaking: false,
            respawn_at: Tick(0),
            death: None,
            fought_at: Tick(0),
            rested_at: Tick(0),
            memory,
        };
        self.state.players.insert(character, player);
        let Some(slot) = self.embody(character, at) else {
            self.depart(character, Destination::Store, None);
            return;
        };
        self.report(slot, Note::Arrives, Subject::Nobody, 0);
        let depth = i32::from(self.state.depth);
        let welcome = match (in_arena, deeper) {
            (true, _) => Note::ArenaWelcome,
            (false, true) => Note::DeepestYet,
            (false, false) => Note::Welcome,
        };
        self.tell(slot, welcome, None, depth);
        if let Arrive::Match(seat) = at {
            self.enter_match(character, seat);
        }
        // What was meant before a rest was meant for another place and time.
        if key.zone == STORE {
            self.forget_queue(slot);
        }
    }

    /// Refuses the commands that wait for a turn that will not come.
    fn forget_queue(&mut self, slot: u16) {
        let Some(player) = self.state.player_mut(slot) else { return };
        if !std::mem::take(&mut player.sheet.queue).is_empty() {
            self.tell(slot, Note::Forgotten, None, 0);
        }
    }

    /// Keeps what a character has seen for when it comes back, as far as there is room.
    fn remember(&mut self, character: CharacterId, memory: CellMap) {
        let remembered = &mut self.state.remembered;
        remembered.push((character, memory));
        let mut bytes: usize = remembered.iter().map(|(_, memory)| memory.heap_bytes()).sum();
        while bytes > REMEMBERED_BYTES_MAX && remembered.len() > 1 {
            bytes -= remembered.remove(0).1.heap_bytes();
        }
    }

    /// What a character had seen when it was here last.
    fn recall(&mut self, character: CharacterId) -> CellMap {
        let remembered = &mut self.state.remembered;
        match remembered.iter().position(|(who, _)| *who == character) {
            Some(at) => remembered.remove(at).1,
            None => CellMap::new(self.state.width, self.state.height),
        }
    }

    /// Gives a character a body near an entry; in a hall, anywhere.
    fn embody(&mut self, character: CharacterId, at: Arrive) -> Option<u16> {
        let entry = match self.state.kind {
            ZoneKind::Floor | ZoneKind::Arena => self.state.entry(at),
            ZoneKind::Hall => {
                self.rng(purpose::BIRTHS + character.0).below(self.state.area() as u32)
            }
        };
        let side = self.state.width.max(self.state.height);
        let free = |radius| self.state.free_cell_near(entry, radius);
        let cell = free(4).or_else(|| free(16)).or_else(|| free(side))?;
        let now = self.now();
        let sheet = &self.state.players.get(&character)?.sheet;
        let effects = sheet.effects.map(|left| if left == 0 { 0 } else { now + left });
        let slot = self.state.place(Actor {
            cell,
            hp: sheet.hp.clamp(1, sheet.hp_max.max(1)),
            hp_max: sheet.hp_max,
            ready_at: self.state.tick.0,
            effects,
            goal: cell,
            character,
            ..Actor::vacant()
        })?;
        self.state.players.get_mut(&character)?.slot = slot;
        Some(slot)
    }

    /// Sends a character away: from now on it is a departure until the other side has it.
    pub fn depart(&mut self, character: CharacterId, to: Destination, death: Option<Death>) {
        let Some(mut player) = self.state.players.remove(&character) else { return };
        let now = self.now();
        if player.slot != NO_ACTOR {
            let actor = self.state.actor(player.slot);
            player.sheet.hp = actor.hp.max(1);
            player.sheet.effects = actor.effects.map(|end| end.saturating_sub(now));
            let cell = actor.cell;
            self.state.remove(player.slot);
            self.free_servants(player.slot);
            self.return_keys(cell, &mut player.sheet);
        }
        items::rest_clocks(&mut player.sheet, self.state.tick.0);
        player.sheet.version += 1;
        self.remember(character, player.memory);
        let key = DepartureKey { zone: self.state.zone, tick: self.state.tick, character };
        self.state.departures.push(Departure { key, to, sheet: player.sheet, death });
    }

    /// The other side has the character: its belongings are no longer ours.
    pub fn confirm(&mut self, key: DepartureKey) {
        let Some(at) = self.state.departures.iter().position(|d| d.key == key) else { return };
        let held = Holdings::of(&self.state.departures.remove(at).sheet);
        self.state.ledger.items_out += held.items;
        self.state.ledger.gold_out += held.gold;
    }

    /// Allies of somebody who leaves have nobody to follow.
    fn free_servants(&mut self, slot: u16) {
        for actor in &mut self.state.actors {
            if actor.alive && actor.leader == slot {
                actor.leader = NO_ACTOR;
            }
        }
    }

    /// Keys stay on their floor: they go back to where they were found.
    fn return_keys(&mut self, cell: u32, sheet: &mut Sheet) {
        let is_key = |item: &Item| item.kind.row().category == Category::Key;
        let slots: Vec<u8> =
            sheet.items.iter().filter(|(_, item)| is_key(item)).map(|(&slot, _)| slot).collect();
        for slot in slots {
            let Some(key) = sheet.items.remove(&slot) else { continue };
            let vault = self.state.vaults.iter().find(|v| v.door == key.opens);
            let home = vault.map_or(cell, |v| v.key);
            self.drop_item(home, key.clone());
            let told = Audience::Sight(cell);
            self.note(told, Note::KeyReturns, Subject::Nobody, Subject::Nobody, Some(key), 1);
        }
    }

    /// A player's connection has come back.
    pub fn connect(&mut self, character: CharacterId) {
        let Some(player) = self.state.players.get_mut(&character) else { return };
        if player.connected {
            return;
        }
        player.connected = true;
        let slot = player.slot;
        // Who has just arrived was announced as such.
        let has_waited = player.guarded_until != Tick(self.state.tick.0 + GRACE_TICKS);
        if slot != NO_ACTOR && has_waited {
            self.report(slot, Note::ConnectionBack, Subject::Nobody, 0);
        }
        self.greet_fighter(character);
    }

    /// A player's connection is gone: the body stays, guarded, for a while. What it was told to do
    /// and has not done yet waits for the connection to come back: it was acknowledged.
    pub fn disconnect(&mut self, character: CharacterId) {
        self.guard(character, GRACE_TICKS);
    }

    fn guard(&mut self, character: CharacterId, ticks: u64) {
        let until = Tick(self.state.tick.0 + ticks);
        let Some(player) = self.state.players.get_mut(&character) else { return };
        if player.connected || player.guarded_until > until {
            player.guarded_until = until;
        }
        let was_there = std::mem::replace(&mut player.connected, false);
        let slot = player.slot;
        if was_there && slot != NO_ACTOR {
            self.report(slot, Note::ConnectionLost, Subject::Nobody, 0);
        }
    }

    /// A player says goodbye: the character rests at once, or in a while if a foe sees it.
    pub fn leave(&mut self, character: CharacterId) {
        let Some(player) = self.state.players.get(&character) else { return };
        let slot = player.slot;
        if slot == NO_ACTOR {
            // The dead wake up first; then the connection is missed.
            self.guard(character, LEAVE_TICKS);
        } else if self.is_watched(slot) {
            self.guard(character, LEAVE_TICKS);
        } else {
            self.report(slot, Note::GoesToRest, Subject::Nobody, 0);
            self.depart(character, Destination::Store, None);
        }
    }

    /// Whether a foe that is awake stands near in plain view.
    pub(super) fn is_watched(&self, slot: u16) -> bool {
        let cell = self.state.actor(slot).cell;
        self.state.around(cell, 9).any(|at| {
            self.state.actor_at(at).is_some_and(|other| {
                self.state.is_hostile(other, slot)
                    && self.state.actor(other).mode == super::state::Mode::Hunting
                    && self.state.has_line(at, cell)
            })
        })
    }

    /// Gives experience, and the levels that come with it.
    pub fn gain_experience(&mut self, slot: u16, amount: u32) {
        let Some(player) = self.state.player_mut(slot) else { return };
        let sheet = &mut player.sheet;
        sheet.xp = sheet.xp.saturating_add(amount);
        while sheet_rises(self.state, slot) {
            let level = self.state.player(slot).map_or(1, |p| p.sheet.level);
            let cell = self.state.actor(slot).cell;
            self.report(slot, Note::LevelUp, Subject::Nobody, i32::from(level));
            self.burst(Flash::LevelUp, cell, 1);
        }
    }

    /// A player's body dies: belongings scatter where it fell, and it waits to wake up again.
    pub(super) fn bury(&mut self, slot: u16, cause: String) {
        let Some(character) = self.state.player_of(slot) else { return };
        let cell = self.state.actor(slot).cell;
        let (tick, depth, kind) = (self.state.tick, self.state.depth, self.state.kind);
        self.free_servants(slot);
        self.forget_queue(slot);
        let Some(player) = self.state.players.get_mut(&character) else { return };
        let sheet = &mut player.sheet;
        player.death = Some(Death { cause, level: sheet.level, depth, gold: sheet.gold });
        player.respawn_at = Tick(tick.0 + RESPAWN_TICKS);
        player.slot = NO_ACTOR;
        player.sneaking = false;
        sheet.effects = [0; EFFECTS];
        let mut belongings = Vec::new();
        if kind == ZoneKind::Floor {
            belongings.extend(std::mem::take(&mut sheet.items).into_values());
            let gold = std::mem::take(&mut sheet.gold);
            if gold > 0 {
                belongings.push(Kind::Gold.item(gold));
            }
            (sheet.weapon, sheet.armor) = (None, None);
            sheet.deaths += 1;
        }
        let scattered = !belongings.is_empty();
        self.tell(slot, Note::YouDie, None, i32::from(depth));
        if scattered {
            self.tell(slot, Note::ItemsScatter, None, 0);
        }
        let seconds = RESPAWN_TICKS / u64::from(TICKS_PER_SECOND_DEFAULT);
        self.tell(slot, Note::RespawnSoon, None, seconds as i32);
        self.state.remove(slot);
        for item in belongings {
            self.drop_item(cell, item);
        }
    }

    /// Brings a dead player back: into the arena by its nearer entry, or home to floor 1.
    pub fn respawn(&mut self, character: CharacterId) {
        let Some(player) = self.state.players.get_mut(&character) else { return };
        let death = player.death.take();
        if self.state.kind == ZoneKind::Arena {
            player.sheet.hp = player.sheet.hp_max;
            match self.embody(character, arena_side(character)) {
                Some(slot) => self.report(slot, Note::Respawns, Subject::Nobody, 0),
                None => self.depart(character, Destination::Store, None),
            }
            return;
        }
        player.sheet = reborn(&player.sheet);
        player.sheet.home = ZoneId(1);
        let kit: Vec<Item> = player.sheet.items.values().cloned().collect();
        let to = if player.connected {
            Destination::Zone { zone: ZoneId(1), arrive: Arrive::Up }
        } else {
            Destination::Store
        };
        kit.iter().for_each(|item| self.state.ledger.make(item));
        self.depart(character, to, death);
    }
}

/// The entry of an arena at which a character appears.
pub(super) fn arena_side(character: CharacterId) -> Arrive {
    if character.0.is_multiple_of(2) { Arrive::Up } else { Arrive::Down }
}

/// Raises a character by a level if it has the experience.
fn sheet_rises(state: &mut ZoneState, slot: u16) -> bool {
    let Some(player) = state.player_mut(slot) else { return false };
    let sheet = &mut player.sheet;
    if sheet.level >= LEVEL_MAX || sheet.xp < xp_needed(sheet.level) {
        return false;
    }
    sheet.level += 1;
    sheet.hp_max += HEALTH.1;
    let most = sheet.hp_max;
    let actor = state.actor_mut(slot);
    actor.hp_max = most;
    if actor.hp > 0 {
        actor.hp = (actor.hp + most / 4).min(most);
    }
    true
}
