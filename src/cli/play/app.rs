//! What the terminal client remembers besides the game's own picture.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::cli::content::{ContentTables, Rgb};
use crate::client::{Knowledge, Legend, PathFinder};
use crate::model::{Command, Direction, Pos};
use crate::protocol::view::KIND_PLAYER;
use crate::protocol::{Event, ItemView};

/// What a key press leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Give(Command),
    /// Look for a duel, or stop looking.
    Duel,
    /// Leave; `goodbye` ends the session, otherwise it can be resumed.
    Quit {
        goodbye: bool,
    },
}

/// Why a cursor is on the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    Look,
    Throw { slot: u8 },
    UseAt { slot: u8 },
}

/// What keys mean at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Walk,
    /// The inventory; with `throw` the letter chosen is thrown.
    Inventory {
        throw: bool,
    },
    /// One item and what can be done with it.
    Item {
        slot: u8,
    },
    Target {
        aim: Aim,
        cursor: Pos,
    },
    Chat {
        text: String,
    },
    Help,
    Quit,
}

/// A walk that goes on by itself until something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    Explore,
    Terrain(u8),
    To(Pos),
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) is_chat: bool,
    /// How often it came in a row.
    pub(super) count: u32,
}

/// Something that flashes until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flash {
    pub(super) cells: Vec<Pos>,
    pub(super) glyph: char,
    pub(super) color: Rgb,
    pub(super) until: Duration,
}

/// The terminal client, apart from terminal and network.
pub(super) struct App {
    pub(super) tables: ContentTables,
    pub(super) legend: Legend,
    pub(super) mode: Mode,
    pub(super) log: VecDeque<Line>,
    pub(super) errand: Option<Errand>,
    pub(super) finder: PathFinder,
    pub(super) flashes: Vec<Flash>,
    /// Players seen, by actor id.
    pub(super) names: BTreeMap<u16, String>,
    pub(super) zone: u32,
    /// Items left lying on purpose.
    pub(super) left_lying: Vec<Pos>,
    /// What the errand has seen of the player and of enemies.
    pub(super) watch: (u16, usize),
    /// Where the player stood, and at which tick, when the errand last gave a command.
    pub(super) given: Option<(Pos, u64)>,
}

const LOG_LINES_MAX: usize = 200;
const NAMES_MAX: usize = 1_000;
const BOLT_TIME: Duration = Duration::from_millis(150);
const BURST_TIME: Duration = Duration::from_millis(250);

impl App {
    pub(super) fn new(tables: ContentTables) -> Self {
        Self {
            legend: tables.legend(),
            tables,
            mode: Mode::Walk,
            log: VecDeque::new(),
            errand: None,
            finder: PathFinder::default(),
            flashes: Vec::new(),
            names: BTreeMap::new(),
            zone: 0,
            left_lying: Vec::new(),
            watch: (0, 0),
            given: None,
        }
    }

    /// Takes note of a new picture and of what happened.
    pub(super) fn notice(&mut self, now: Duration, known: &Knowledge<'_>, events: Vec<Event>) {
        let zone = known.view.place.zone.0;
        if self.zone != zone {
            self.zone = zone;
            self.errand = None;
            self.left_lying.clear();
            self.flashes.clear();
            self.names.clear();
        }
        for actor in known.view.actors.iter().filter(|a| a.kind == KIND_PLAYER) {
            if self.names.len() < NAMES_MAX
                && self.names.get(&actor.id).is_none_or(|n| **n != *actor.name)
            {
                self.names.insert(actor.id, actor.name.to_string());
            }
        }
        self.flashes.retain(|flash| flash.until > now);
        for event in events {
            self.flash(now, &event);
            if let Some(text) = self.tables.line(&event, &self.names) {
                self.say(text, matches!(event, Event::Chat { .. }));
            }
        }
    }

    /// Adds a line to the log.
    pub(super) fn say(&mut self, text: String, is_chat: bool) {
        if let Some(last) = self.log.back_mut().filter(|line| line.text == text) {
            last.count += 1;
            return;
        }
        if self.log.len() >= LOG_LINES_MAX {
            self.log.pop_front();
        }
        self.log.push_back(Line { text, is_chat, count: 1 });
    }

    fn flash(&mut self, now: Duration, event: &Event) {
        let (look, cells, time) = match event {
            Event::Bolt { look, from, to } => (*look, line(*from, *to), BOLT_TIME),
            Event::Burst { look, at, radius } => (*look, disc(*at, *radius), BURST_TIME),
            Event::Note { .. } | Event::Chat { .. } => return,
        };
        let row = self.tables.flashes.get(usize::from(look));
        let (glyph, color) = row.map_or(('*', Rgb(255, 255, 255)), |row| (row.glyph, row.color));
        self.flashes.push(Flash { cells, glyph, color, until: now + time });
    }

    /// What is to be seen at a cell, in words.
    pub(super) fn describe(&self, known: &Knowledge<'_>, pos: Pos) -> String {
        let Some(cell) = known.cell(pos) else { return "You have not seen this place.".into() };
        let mut parts = Vec::new();
        if pos == known.here() {
            parts.push("you".to_owned());
        }
        if let Some(actor) = known.actor_at(pos) {
            let kind = self.tables.kinds.get(usize::from(actor.kind));
            parts.push(match kind {
                _ if actor.kind == KIND_PLAYER => actor.name.to_string(),
                Some(row) if row.description.is_empty() => format!("a {}", row.name),
                Some(row) => format!("a {} ({})", row.name, row.description),
                None => "something".to_owned(),
            });
        }
        if cell.item() != 0 {
            parts.push(self.tables.look_name(cell.item()).to_owned());
        }
        let (gas, level) = cell.gas();
        if let Some(row) = self.tables.gases.get(usize::from(gas)).filter(|_| level > 0) {
            parts.push(row.name.clone());
        }
        if cell.burns() {
            parts.push("flames".to_owned());
        }
        if let Some(row) = self.tables.terrain.get(usize::from(cell.terrain())) {
            parts.push(row.name.clone());
        }
        format!("You see {}.", parts.join(", "))
    }

    /// An item of the inventory in words.
    pub(super) fn item_name(&self, item: &ItemView) -> String {
        use crate::protocol::view::item;
        let mut name = self.tables.look_name(item.look).to_owned();
        if item.flags & item::IDENTIFIED != 0 && item.enchant != 0 {
            name = format!("{name} {:+}", item.enchant);
        }
        if item.count > 1 {
            name = format!("{name} ({})", item.count);
        }
        if item.flags & item::EQUIPPED != 0 {
            name.push_str(" [worn]");
        }
        name
    }
}

/// The cells from one to another, the first left out.
fn line(from: Pos, to: Pos) -> Vec<Pos> {
    let steps = i32::from(from.chebyshev(to));
    let (dx, dy) = (i32::from(to.x) - i32::from(from.x), i32::from(to.y) - i32::from(from.y));
    let at = |start: u16, delta: i32, step: i32| {
        let moved = i32::from(start) + (2 * delta * step + delta.signum() * steps) / (2 * steps);
        u16::try_from(moved).unwrap_or(0)
    };
    (1..=steps).map(|step| Pos::new(at(from.x, dx, step), at(from.y, dy, step))).collect()
}

fn disc(center: Pos, radius: u8) -> Vec<Pos> {
    let radius = u16::from(radius);
    let (left, top) = (center.x.saturating_sub(radius), center.y.saturating_sub(radius));
    let mut cells = Vec::new();
    for y in top..=center.y + radius {
        for x in left..=center.x + radius {
            let (dx, dy) = (u32::from(x.abs_diff(center.x)), u32::from(y.abs_diff(center.y)));
            if dx * dx + dy * dy <= u32::from(radius * radius) + u32::from(radius) {
                cells.push(Pos::new(x, y));
            }
        }
    }
    cells
}

/// The neighbour of a cell that may lie at the edge of what a position can be.
pub(super) fn moved(pos: Pos, direction: Direction, by: u16) -> Pos {
    let (dx, dy) = direction.delta();
    let at = |start: u16, delta: i16| start.saturating_add_signed(delta * by as i16);
    Pos::new(at(pos.x, dx), at(pos.y, dy))
}
