//! The reference model of commands and moves, worked out from the journals alone.
//!
//! Each journal is run again. What a zone has acknowledged it must carry out, in order, or refuse
//! with a note; what waits when its character leaves must wait where the character arrives; each
//! departure arrives once, exactly as it left, or is still under way.

use std::collections::{BTreeMap, VecDeque};

use undercroft::game::catalog::Note;
use undercroft::game::ledger::{self, Holdings};
use undercroft::game::player::new_sheet;
use undercroft::game::state::{
    Audience, Bout, Departure, DepartureKey, Destination, Event, Happening, Input, STORE, Sheet,
    Subject, ZoneKind, ZoneState,
};
use undercroft::model::limits::{COMMAND_QUEUE_MAX, NO_ACTOR};
use undercroft::model::{self, CharacterId, Command, ZoneId};
use undercroft::sim::{self, Scratch, StepOutput};
use undercroft::zone::Entry;

/// What the journals say, all zones together.
#[derive(Default)]
pub struct Reference {
    seed: u64,
    /// The commands acknowledged, by character and number.
    pub taken: BTreeMap<CharacterId, BTreeMap<u32, Command>>,
    left: BTreeMap<DepartureKey, Departure>,
    arrived: BTreeMap<DepartureKey, Sheet>,
    under_way: Vec<DepartureKey>,
    /// Who has beaten whom.
    bouts: Vec<Bout>,
    /// Commands that travelled with their character.
    pub carried: u64,
    /// Arrivals in arenas.
    pub fights: u64,
}

/// What waits for a character's turn.
struct Queue {
    /// Its body before the tick, `NO_ACTOR` for none.
    slot: u16,
    alive: bool,
    waiting: VecDeque<Command>,
}

/// The inputs of one tick as the model understands them.
#[derive(Default)]
struct Tick {
    queues: BTreeMap<CharacterId, Queue>,
    /// Notes that must be told, and to whom.
    told: Vec<(CharacterId, Note)>,
    lines: Vec<String>,
}

impl Reference {
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Runs the journal of a zone again, from its beginning; `now` is the state that came of it.
    pub fn follow(&mut self, mut state: ZoneState, entries: &[Entry], now: &ZoneState) {
        let seed = self.seed;
        let mut scratch = Scratch::default();
        let mut out = StepOutput::default();
        sim::restore(&mut state);
        for entry in entries {
            let hash = sim::hash(&state);
            assert!(entry.hash.is_none_or(|recorded| recorded == hash), "seed {seed}");
            assert_eq!(entry.tick, state.tick.next(), "seed {seed}: a gap in zone {}", entry.zone);
            let inputs = entry.inputs().unwrap();
            let tick = self.read(&state, &inputs);
            sim::step(&mut state, &inputs, &mut scratch, &mut out);
            self.compare(&state, &tick, &out.events);
            let fought = state.bouts.iter().filter(|bout| bout.tick == state.tick);
            self.bouts.extend(fought.cloned());
        }
        assert_eq!(sim::hash(&state), sim::hash(now), "seed {seed}: zone {}", now.zone);
        self.under_way.extend(state.departures.iter().map(|d| d.key));
    }

    /// Takes the inputs of a tick as a zone has to.
    fn read(&mut self, state: &ZoneState, inputs: &[Input]) -> Tick {
        let mut tick = Tick::default();
        let mut last = BTreeMap::new();
        for (&character, player) in &state.players {
            let (slot, waiting) = (player.slot, player.sheet.queue.clone());
            tick.queues.insert(character, Queue { slot, alive: slot != NO_ACTOR, waiting });
            last.insert(character, player.sheet.last_command);
        }
        for input in inputs {
            match input {
                Input::Arrive { key, sheet, .. } => {
                    let character = sheet.character;
                    let is_known = state.arrivals.contains_key(key);
                    if is_known || tick.queues.contains_key(&character) {
                        continue;
                    }
                    self.fights += u64::from(state.kind == ZoneKind::Arena);
                    let before = self.arrived.insert(*key, sheet.clone());
                    assert_eq!(before, None, "seed {}: {key:?} arrives twice", self.seed);
                    let mut waiting = sheet.queue.clone();
                    if key.zone == STORE && !std::mem::take(&mut waiting).is_empty() {
                        tick.told.push((character, Note::Forgotten));
                    }
                    tick.queues.insert(character, Queue { slot: NO_ACTOR, alive: true, waiting });
                    last.insert(character, sheet.last_command);
                }
                Input::Command { character, number, command } => {
                    let Some(last) = last.get_mut(character) else { continue };
                    if *number != *last + 1 {
                        continue;
                    }
                    *last = *number;
                    let taken = self.taken.entry(*character).or_default();
                    let before = taken.insert(*number, command.clone());
                    assert_eq!(before, None, "seed {}: {character} {number} twice", self.seed);
                    tick.take(*character, command);
                }
                Input::Arrived { .. }
                | Input::Call { .. }
                | Input::Recorded { .. }
                | Input::Connect { .. }
                | Input::Disconnect { .. }
                | Input::Leave { .. } => {}
            }
        }
        tick
    }

    /// Compares what a tick did with what it had to do.
    fn compare(&mut self, state: &ZoneState, tick: &Tick, events: &[Event]) {
        let seed = self.seed;
        let spoken: Vec<&String> = events
            .iter()
            .filter_map(|event| match &event.what {
                Happening::Chat { text, .. } => Some(text),
                _ => None,
            })
            .collect();
        assert_eq!(spoken, tick.lines.iter().collect::<Vec<_>>(), "seed {seed}: lines");
        for &(character, note) in &tick.told {
            let is_told = events.iter().any(|event| {
                let Happening::Note { code, .. } = event.what else { return false };
                code == note as u8 && event.audience == Audience::One(character)
            });
            assert!(is_told, "seed {seed}: {character} is not told {note:?}");
        }
        let leaving = state.departures.iter().filter(|d| d.key.tick == state.tick);
        for departure in leaving.clone() {
            self.left.insert(departure.key, departure.clone());
            self.carried += departure.sheet.queue.len() as u64;
        }
        for (&character, queue) in &tick.queues {
            let left = || leaving.clone().find(|d| d.key.character == character).map(|d| &d.sheet);
            let sheet = state.players.get(&character).map(|p| &p.sheet).or_else(left);
            let sheet = sheet.unwrap_or_else(|| panic!("seed {seed}: {character} is lost"));
            let done = queue.waiting.len().checked_sub(sheet.queue.len());
            let is_rest = done.is_some_and(|done| queue.waiting.range(done..).eq(&sheet.queue));
            assert!(is_rest, "seed {seed}: {:?} of {:?}", sheet.queue, queue.waiting);
            // One took a turn at most; each of the others was refused, or led away, with a note.
            let notes = notes_about(character, queue.slot, events);
            let forgotten = notes.contains(&(Note::Forgotten as u8));
            let quiet = done.unwrap_or(0).saturating_sub(notes.len());
            assert!(quiet <= 1 || forgotten, "seed {seed}: {character} {:?}", queue.waiting);
        }
    }

    /// Compares the bouts of the zones with those that the store has.
    pub fn check_bouts(&self, stored: &BTreeMap<(ZoneId, model::Tick, CharacterId), Bout>) {
        let seed = self.seed;
        for bout in stored.values() {
            assert!(self.bouts.contains(bout), "seed {seed}: {bout:?} was not fought");
        }
        let is_lost = |bout: &&Bout| !stored.values().any(|other| other == *bout);
        let lost: Vec<_> = self.bouts.iter().filter(is_lost).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} are lost");
    }

    /// How often a character came into a zone, from another or from rest.
    pub fn arrivals(&self) -> u64 {
        self.arrived.len() as u64
    }

    /// Compares the two ends of every move; `stored` is what the store has.
    pub fn check_moves(&self, stored: &BTreeMap<CharacterId, Sheet>) {
        let seed = self.seed;
        for (key, sheet) in &self.arrived {
            if key.zone != STORE {
                let departure = self.left.get(key).map(|d| &d.sheet);
                assert_eq!(departure, Some(sheet), "seed {seed}: {key:?} arrives as it left");
                continue;
            }
            let character = sheet.character;
            let from_store = |d: &&Departure| {
                d.to == Destination::Store
                    && d.key.character == character
                    && d.sheet.version == sheet.version
            };
            match self.left.values().find(from_store) {
                Some(departure) => assert_eq!(&departure.sheet, sheet, "seed {seed}"),
                None => {
                    let new = new_sheet(character, &sheet.name, seed);
                    assert_eq!(&new, sheet, "seed {seed}: {character} comes out of nothing");
                }
            }
        }
        for (key, departure) in &self.left {
            let there = match departure.to {
                Destination::Zone { .. } => self.arrived.contains_key(key),
                Destination::Store => {
                    let kept = stored.get(&key.character);
                    kept.is_some_and(|kept| kept.version >= departure.sheet.version)
                }
            };
            assert!(there || self.under_way.contains(key), "seed {seed}: {key:?} is lost");
        }
    }
}

impl Tick {
    fn take(&mut self, character: CharacterId, command: &Command) {
        let queue = self.queues.get_mut(&character).expect("only those present are asked");
        match command {
            Command::Chat { text } => self.lines.push(text.clone()),
            Command::Rest if !queue.alive => {}
            _ if !queue.alive => self.told.push((character, Note::DeadWait)),
            Command::Sneak { .. } => {}
            _ if queue.waiting.len() == COMMAND_QUEUE_MAX => {
                self.told.push((character, Note::Overloaded));
            }
            _ => queue.waiting.push_back(command.clone()),
        }
    }
}

/// The codes of all notes that are told to a character or are about it.
fn notes_about(character: CharacterId, body: u16, events: &[Event]) -> Vec<u8> {
    let about = |event: &Event| {
        let Happening::Note { code, who, .. } = event.what else { return None };
        let told = event.audience == Audience::One(character);
        let its = matches!(who, Subject::Actor { slot, .. } if slot == body);
        (told || its).then_some(code)
    };
    events.iter().filter_map(about).collect()
}

/// No item and no gold piece is lost or doubled: each zone's books agree with what is there, and
/// over all zones what is there is what was made and not used up, and what characters began with.
pub fn check_conservation(states: &[&ZoneState], seed: u64) {
    let mut there = Holdings::default();
    let mut made = Holdings::default();
    for state in states {
        assert!(ledger::check(state), "seed {seed}: the books of zone {}", state.zone);
        let found = ledger::recount(state);
        there.items += found.items;
        there.gold += found.gold;
        // A zone may use up more than was made in it: things come from elsewhere.
        let net = |plus: u64, minus: u64| plus.wrapping_sub(minus);
        let ledger = &state.ledger;
        made.items = made.items.wrapping_add(net(ledger.items_made, ledger.items_used));
        made.gold = made.gold.wrapping_add(net(ledger.gold_made, ledger.gold_used));
        for &character in state.players.keys() {
            let began = Holdings::of(&new_sheet(character, "", seed));
            made.items = made.items.wrapping_add(began.items);
            made.gold = made.gold.wrapping_add(began.gold);
        }
    }
    assert_eq!(there, made, "seed {seed}");
}
