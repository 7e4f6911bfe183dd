//! The state of one zone: everything `step` reads and writes, and nothing else.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::catalog::Terrain;
use super::item::{Item, ItemKind};
use crate::model::limits::NO_ACTOR;
use crate::model::{CellMap, CharacterId, Command, Pos, Tick, ZoneId};

/// Number of gas kinds: poison, methane, confusion, healing.
pub const GASES: usize = 4;
/// Number of effect kinds, the rows of [`super::catalog::effects`].
pub const EFFECTS: usize = 16;

/// A zone. Row-major planes are indexed by `y * width + x`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ZoneState {
    pub zone: ZoneId,
    pub kind: ZoneKind,
    /// The zone's own seed: all randomness in it comes from here.
    pub seed: u64,
    /// The seed of the world the zone belongs to: what unknown potions look like.
    pub world_seed: u64,
    /// 1 to `limits::FLOORS`; arenas have the depth their monsters would have.
    pub depth: u8,
    pub width: u16,
    pub height: u16,
    /// Steps made so far.
    pub tick: Tick,
    pub up: Pos,
    pub down: Pos,
    pub terrain: Vec<Terrain>,
    /// Concentration by kind, 0 to 255.
    pub gas: [Vec<u8>; GASES],
    /// Ticks a cell goes on burning, 0 for none.
    pub fire: Vec<u8>,
    /// Tick (low 32 bits) at which a player was here last, 0 for never: monsters follow it upwards.
    pub scent: Vec<u32>,
    /// What lies where, by cell index; one stack a cell.
    pub items: BTreeMap<u32, Item>,
    /// Slots; a dead slot is reused, with the next generation.
    pub actors: Vec<Actor>,
    pub players: BTreeMap<CharacterId, Player>,
    /// Characters on their way out, until the other side has confirmed them.
    pub departures: Vec<Departure>,
    /// Arrivals already taken, by their keys, so that none is taken twice.
    pub arrivals: BTreeMap<DepartureKey, Tick>,
    pub ledger: Ledger,
    /// Of an arena: those under way, and those that are over and remembered for a while.
    pub matches: Vec<Match>,
    /// Who has beaten whom in an arena, until the store's side has it.
    pub bouts: Vec<Bout>,
    /// Noises that still ring, oldest first.
    pub noises: Vec<Noise>,
    /// The vaults whose treasures have not been taken.
    pub vaults: Vec<VaultState>,
    /// What characters that have left had seen, so that they know the floor when they come back;
    /// the one that left longest ago is forgotten first.
    pub remembered: Vec<(CharacterId, CellMap)>,
    /// Distance maps shared by all monsters, see `sim::cpu::maps`.
    pub maps: Maps,
    /// What can be worked out from the rest.
    #[serde(skip)]
    pub derived: Derived,
}

/// Distance maps in steps, `u16::MAX` beyond reach. Refreshed in turn, so they are part of the
/// state. A map may be empty when nobody on the floor uses it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Maps {
    /// To the nearest player, for walkers.
    pub hunt: Vec<u16>,
    /// To the nearest player, for swimmers that do not leave the water.
    pub swim: Vec<u16>,
    /// To the nearest player, through walls that can be dug.
    pub dig: Vec<u16>,
    /// Away from players, for walkers; `i32::MAX` beyond reach.
    pub flee: Vec<i32>,
    /// To the nearest noise that is still ringing.
    pub noise: Vec<u16>,
}

/// What kind of place a zone is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ZoneKind {
    /// A floor of the dungeon: players help each other.
    #[default]
    Floor,
    /// Players fight each other; who falls wakes up again at an entry with all belongings.
    Arena,
    /// An open hall of moths, where players appear anywhere: for benchmarks.
    Hall,
}

/// A noise that monsters walk towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noise {
    pub cell: u32,
    /// The tick at which it has faded.
    pub until: u64,
}

/// A vault: taking one of its treasures locks the others in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultState {
    pub door: u32,
    /// Where its key lies at first.
    pub key: u32,
    /// The altars with the treasures.
    pub altars: Vec<u32>,
}

/// An actor whose health is used up; the tick's end takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dying {
    pub slot: u16,
    pub source: Subject,
    pub cause: Cause,
}

/// What does harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A blow at close quarters.
    Blow,
    /// An arrow, a spear, anything thrown.
    Missile,
    /// A bolt or spell.
    Spell,
    Poison,
    Fire,
    Lava,
    Explosion,
    /// Gone without a trace or reward: summoned things whose time is over, bodies burst on purpose.
    Vanish,
}

/// Worked out again after loading a snapshot: `derive::derive`.
#[derive(Clone, Debug, Default)]
pub struct Derived {
    /// Actor slot by cell, `limits::NO_ACTOR` for none.
    pub occupant: Vec<u16>,
    /// Cells whose look changed in this tick, one bit each.
    pub changed: Vec<u64>,
    /// 1 where sight ends.
    pub opaque: Vec<u8>,
    /// 1 where walkers go of their own will: no wall, deep water or lava.
    pub walk: Vec<u8>,
    /// 1 where swimmers go: deep and shallow water.
    pub swim: Vec<u8>,
    /// 1 where burrowers go: what can be walked on or dug through.
    pub dig: Vec<u8>,
    /// Where gas may be and how many ways it has out of there: `derive::let_air`.
    pub air: Vec<u8>,
    /// Chance in 256 to catch fire, and ticks that it burns.
    pub ignition: Vec<u8>,
    pub burn_ticks: Vec<u8>,
    /// Cells that breathe out methane, sorted.
    pub vents: Vec<u32>,
    pub woken: Woken,
    /// Dead slots below `actors.len()`, to be reused smallest first.
    pub vacant: std::collections::BTreeSet<u16>,
    /// Actors whose health has run out in this tick.
    pub dying: Vec<Dying>,
    /// Cells that sight passes now and did not in the tick before, or the other way round.
    pub opacity_changes: Vec<u32>,
    /// Cells that players were shown by magic in this tick.
    pub revealed: Vec<(CharacterId, u32)>,
    /// Living monsters.
    pub monsters: u32,
}

/// Cells that rules have changed since gas and fire last moved.
#[derive(Clone, Debug, Default)]
pub struct Woken {
    /// Whose gas is another, by kind.
    pub gas: [Vec<u32>; GASES],
    /// Which were set on fire.
    pub fire: Vec<u32>,
    /// Whose terrain is another.
    pub terrain: Vec<u32>,
}

impl Woken {
    pub fn clear(&mut self) {
        self.gas.iter_mut().for_each(Vec::clear);
        self.fire.clear();
        self.terrain.clear();
    }
}

/// What a monster is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    #[default]
    Asleep,
    Wandering,
    Hunting,
    Fleeing,
    /// Follows and helps a player.
    Ally,
}

/// A player's body or a monster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Actor {
    pub alive: bool,
    pub generation: u8,
    /// 0: a player; else a row of [`super::catalog::monsters`].
    pub kind: u8,
    pub mode: Mode,
    pub cell: u32,
    pub hp: i32,
    pub hp_max: i32,
    /// The tick at which it may act again.
    pub ready_at: u64,
    /// Tick at which each effect ends, 0 for none.
    pub effects: [u32; EFFECTS],
    /// Where it wants to go when it hunts nobody (a cell), or last saw its prey.
    pub goal: u32,
    /// Tick (low 32 bits) at which it last noticed its prey.
    pub noticed: u32,
    /// Tick (low 32 bits) at which it may use its special ability again; a summoned ally vanishes
    /// then.
    pub special_at: u32,
    /// Slot of the leader of its pack or of the player it serves, `NO_ACTOR` for none.
    pub leader: u16,
    /// Whose body it is; 0 for monsters.
    pub character: CharacterId,
    /// What a thief has taken or a monster carries.
    pub carried: Option<Item>,
}

impl Actor {
    /// A dead slot.
    #[must_use]
    pub fn vacant() -> Self {
        Self {
            alive: false,
            generation: 0,
            kind: 0,
            mode: Mode::Asleep,
            cell: 0,
            hp: 0,
            hp_max: 0,
            ready_at: 0,
            effects: [0; EFFECTS],
            goal: 0,
            noticed: 0,
            special_at: 0,
            leader: NO_ACTOR,
            character: CharacterId(0),
            carried: None,
        }
    }
}

/// What a character takes from zone to zone, and what the store keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    pub character: CharacterId,
    pub name: String,
    /// Rises with every departure; the store and the zones take only a newer one.
    pub version: u64,
    pub level: u8,
    pub xp: u32,
    pub gold: u32,
    pub hp: i32,
    pub hp_max: i32,
    pub strength: u8,
    /// Inventory by slot.
    pub items: BTreeMap<u8, Item>,
    /// Slots of the wielded weapon and the worn armour.
    pub weapon: Option<u8>,
    pub armor: Option<u8>,
    /// Item kinds whose nature the character knows.
    pub known: Vec<ItemKind>,
    /// The newest command applied or refused for good.
    pub last_command: u32,
    /// Remaining ticks of each effect.
    pub effects: [u32; EFFECTS],
    pub deaths: u32,
    pub deepest: u8,
    /// The zone it wakes up in.
    pub home: ZoneId,
    /// Commands acknowledged whose turn has not come: they go where the character goes.
    pub queue: VecDeque<Command>,
}

/// A character present in the zone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Player {
    pub sheet: Sheet,
    /// Its actor's slot; while it waits to respawn, `NO_ACTOR`.
    pub slot: u16,
    pub connected: bool,
    /// While not connected: the tick at which the character goes to rest.
    pub guarded_until: Tick,
    pub sneaking: bool,
    /// While dead: the tick at which it wakes up again.
    pub respawn_at: Tick,
    /// While dead: how it came about.
    pub death: Option<Death>,
    /// The tick of its last fight or rest; stealth depends on both.
    pub fought_at: Tick,
    pub rested_at: Tick,
    /// What the player has seen of this zone.
    pub memory: CellMap,
}

/// The zone that arrivals from the store name as theirs.
pub const STORE: ZoneId = ZoneId(0);

/// Names one departure for ever: the zone and tick it left at, and who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DepartureKey {
    pub zone: ZoneId,
    pub tick: Tick,
    pub character: CharacterId,
}

/// Where a character goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// Another zone, by its stairs or its gate.
    Zone { zone: ZoneId, arrive: Arrive },
    /// To rest: into the store.
    Store,
}

/// Where in a zone a character appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrive {
    Up,
    Down,
    /// At the gate of an arena.
    Gate,
    /// In an arena, for a match.
    Match(Seat),
}

/// What one who is called into a match has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The match's; no two matches have the same.
    pub number: u64,
    /// 0 or 1.
    pub side: u8,
    /// How many each side has.
    pub size: u8,
}

/// A character that has left the floor and not yet arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    pub key: DepartureKey,
    pub to: Destination,
    pub sheet: Sheet,
    /// Set when it leaves because it died: what killed it, for the hall of fame.
    pub death: Option<Death>,
}

/// Two sides that were called into an arena to fight each other and nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    pub number: u64,
    /// How many each side has.
    pub size: u8,
    pub stage: Stage,
    /// The tick at which the stage ends, if nothing ends it before.
    pub until: Tick,
    pub fighters: BTreeMap<CharacterId, Fighter>,
}

/// How far a match has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Some have not come yet.
    Gathering,
    Fighting,
    /// Those who are still here go home.
    Over,
}

/// One who was called into a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fighter {
    pub side: u8,
    /// Has died since the match began, or gone away.
    pub is_out: bool,
}

/// Some have beaten others in an arena, as many on either side. One that is the first of the losers
/// has lost one bout at most in a tick of a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bout {
    pub zone: ZoneId,
    pub tick: Tick,
    pub winners: Vec<CharacterId>,
    pub losers: Vec<CharacterId>,
}

/// How a character's run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    pub cause: String,
    pub level: u8,
    pub depth: u8,
    pub gold: u32,
}

/// Counts what came into the world and what went, so that what is there can be checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub items_made: u64,
    pub items_used: u64,
    pub items_in: u64,
    pub items_out: u64,
    pub gold_made: u64,
    pub gold_used: u64,
    pub gold_in: u64,
    pub gold_out: u64,
}

/// What enters a zone at a tick, in this order; together with the state it decides the next state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "arrivals are few and gone at once")]
pub enum Input {
    /// A character comes in. Taken once per key.
    Arrive {
        key: DepartureKey,
        at: Arrive,
        sheet: Sheet,
    },
    /// The other side has the character of this departure.
    Arrived {
        key: DepartureKey,
    },
    /// A player's connection is there again, or gone.
    Connect {
        character: CharacterId,
    },
    Disconnect {
        character: CharacterId,
    },
    /// The player said goodbye: the character goes to rest at once.
    Leave {
        character: CharacterId,
    },
    /// A character is wanted elsewhere. It goes if nothing keeps it.
    Call {
        character: CharacterId,
        zone: ZoneId,
        arrive: Arrive,
    },
    /// The store's side has the bout of this tick that this one has lost as the first.
    Recorded {
        tick: Tick,
        loser: CharacterId,
    },
    /// A command; only the number after the character's `last_command` counts.
    Command {
        character: CharacterId,
        number: u32,
        command: Command,
    },
}

/// Somebody in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Nobody,
    /// An actor slot, with its kind (it may be dead already).
    Actor {
        slot: u16,
        kind: u8,
    },
}

/// Who is told of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    One(CharacterId),
    /// Everyone who sees the cell.
    Sight(u32),
    /// Everyone on the floor.
    All,
}

/// Something worth telling; not part of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub audience: Audience,
    pub what: Happening,
}

/// What happened. Codes and looks are rows of the catalog's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    Note { code: u8, who: Subject, other: Subject, item: Option<Item>, number: i32 },
    Bolt { look: u8, from: u32, to: u32 },
    Burst { look: u8, at: u32, radius: u8 },
    Chat { from: String, text: String },
}
