//! What keys do.

#![allow(clippy::wildcard_enum_match_arm, reason = "a key without a meaning does nothing")]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::{Action, Aim, App, Errand, Mode, moved};
use crate::client::Knowledge;
use crate::model::limits::CHAT_BYTES_MAX;
use crate::model::{Command, Direction, Pos};
use crate::protocol::ItemView;
use crate::protocol::view::{item, me};

/// The lines of the help page.
pub(super) const HELP: [(&str, &str); 17] = [
    ("arrows, h j k l", "walk, attack, open doors"),
    ("y u b n", "walk diagonally"),
    ("x", "explore by itself until something happens"),
    ("g", "pick up"),
    ("> and <", "take stairs or a gate, or walk to them"),
    ("s", "search for secret doors and traps"),
    ("z", "rest for a turn"),
    ("S", "sneak, or stop sneaking"),
    ("i", "inventory; a letter chooses an item"),
    ("t", "throw something"),
    ("v", "look around; enter walks there"),
    ("m", "look for a duel, or stop looking"),
    ("Enter", "chat with everyone on the floor"),
    ("Escape", "close, stop"),
    ("?", "this page"),
    ("q", "leave"),
    ("Ctrl-C", "leave at once; the session stays"),
];

impl App {
    /// Takes a key; `known` is the picture if there is one.
    pub(super) fn key(&mut self, key: KeyEvent, known: Option<&Knowledge<'_>>) -> Option<Action> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            let leave = matches!(key.code, KeyCode::Char('c'));
            return leave.then_some(Action::Quit { goodbye: false });
        }
        self.errand = None;
        match (std::mem::replace(&mut self.mode, Mode::Walk), known) {
            (Mode::Quit, _) => self.confirm(key.code),
            (Mode::Help, _) => None,
            (Mode::Walk, known) => self.walk(key.code, known),
            (Mode::Chat { text }, _) => self.chat(key.code, text),
            (Mode::Inventory { throw }, Some(known)) => {
                self.choose(key.code, throw, known);
                None
            }
            (Mode::Item { slot }, Some(known)) => self.item(key.code, slot, known),
            (Mode::Target { aim, cursor }, Some(known)) => {
                self.target(key.code, aim, cursor, known)
            }
            (Mode::Inventory { .. } | Mode::Item { .. } | Mode::Target { .. }, None) => None,
        }
    }

    fn confirm(&self, code: KeyCode) -> Option<Action> {
        match code {
            KeyCode::Char('y' | 'Y') => Some(Action::Quit { goodbye: true }),
            KeyCode::Char('k' | 'K') => Some(Action::Quit { goodbye: false }),
            _ => None,
        }
    }

    fn walk(&mut self, code: KeyCode, known: Option<&Knowledge<'_>>) -> Option<Action> {
        match code {
            KeyCode::Char('q') => self.mode = Mode::Quit,
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Char('m') => return Some(Action::Duel),
            KeyCode::Enter => self.mode = Mode::Chat { text: String::new() },
            _ => return known.and_then(|known| self.act(code, known)),
        }
        None
    }

    fn act(&mut self, code: KeyCode, known: &Knowledge<'_>) -> Option<Action> {
        if let Some(direction) = direction_of(code) {
            return Some(Action::Give(Command::Move(direction)));
        }
        let KeyCode::Char(letter) = code else { return None };
        let command = match letter {
            'g' | ',' => Command::PickUp,
            's' => Command::Search,
            'z' | '.' => Command::Rest,
            'S' => Command::Sneak { on: known.view.me.flags & me::SNEAKING == 0 },
            '>' | '<' => return self.stairs(letter == '>', known),
            'x' => {
                self.set_out(known, Errand::Explore);
                return None;
            }
            'i' | 't' => {
                self.mode = Mode::Inventory { throw: letter == 't' };
                return None;
            }
            'v' => {
                self.mode = Mode::Target { aim: Aim::Look, cursor: first_target(known) };
                return None;
            }
            _ => return None,
        };
        Some(Action::Give(command))
    }

    fn stairs(&mut self, down: bool, known: &Knowledge<'_>) -> Option<Action> {
        let terrain = if down { self.legend.stairs_down } else { self.legend.stairs_up }?;
        let gate = self.legend.gate.filter(|_| down);
        let here = known.cell(known.here()).map(|cell| cell.terrain());
        if here.is_some() && (here == Some(terrain) || here == gate) {
            return Some(Action::Give(Command::UseStairs));
        }
        // Where no stairs are known, as in an arena, the way is through a gate.
        let knows = |wanted: u8| known.cells.iter().any(|(_, cell)| cell.terrain() == wanted);
        let goal = gate.filter(|&gate| !knows(terrain) && knows(gate)).unwrap_or(terrain);
        self.set_out(known, Errand::Terrain(goal));
        None
    }

    fn chat(&mut self, code: KeyCode, mut text: String) -> Option<Action> {
        match code {
            KeyCode::Enter => {
                let text = text.trim().to_owned();
                return (!text.is_empty()).then_some(Action::Give(Command::Chat { text }));
            }
            KeyCode::Esc => return None,
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Char(letter) if text.len() + letter.len_utf8() <= CHAT_BYTES_MAX => {
                text.push(letter);
            }
            _ => {}
        }
        self.mode = Mode::Chat { text };
        None
    }

    fn choose(&mut self, code: KeyCode, throw: bool, known: &Knowledge<'_>) {
        let Some(item) = letter_of(code).and_then(|slot| carried(known, slot)) else { return };
        self.mode = if throw {
            Mode::Target { aim: Aim::Throw { slot: item.slot }, cursor: first_target(known) }
        } else {
            Mode::Item { slot: item.slot }
        };
    }

    fn item(&mut self, code: KeyCode, slot: u8, known: &Knowledge<'_>) -> Option<Action> {
        let item = *carried(known, slot)?;
        let KeyCode::Char(letter) = code else { return None };
        let command = match letter {
            'u' | 'r' if item.flags & item::TARGETED != 0 => {
                let aim = Aim::UseAt { slot };
                self.mode = Mode::Target { aim, cursor: first_target(known) };
                return None;
            }
            'u' | 'r' if item.flags & item::USABLE != 0 => Command::Use { slot },
            'e' if item.flags & item::WEARABLE != 0 => Command::Equip { slot },
            'd' => {
                self.left_lying.push(known.here());
                Command::Drop { slot }
            }
            't' => {
                let aim = Aim::Throw { slot };
                self.mode = Mode::Target { aim, cursor: first_target(known) };
                return None;
            }
            _ => return None,
        };
        Some(Action::Give(command))
    }

    fn target(
        &mut self,
        code: KeyCode,
        aim: Aim,
        cursor: Pos,
        known: &Knowledge<'_>,
    ) -> Option<Action> {
        if let Some(direction) = direction_of(code) {
            let to = moved(cursor, direction, 1);
            let inside = to.x < known.cells.width() && to.y < known.cells.height();
            self.mode = Mode::Target { aim, cursor: if inside { to } else { cursor } };
            return None;
        }
        match (code, aim) {
            (KeyCode::Tab, _) => {
                self.mode = Mode::Target { aim, cursor: next_target(known, cursor) };
            }
            (KeyCode::Enter | KeyCode::Char('t' | 'u'), Aim::Throw { slot }) => {
                return Some(Action::Give(Command::Throw { slot, target: cursor }));
            }
            (KeyCode::Enter | KeyCode::Char('t' | 'u'), Aim::UseAt { slot }) => {
                return Some(Action::Give(Command::UseAt { slot, target: cursor }));
            }
            (KeyCode::Enter, Aim::Look) => self.set_out(known, Errand::To(cursor)),
            (KeyCode::Esc | KeyCode::Char('q'), _) => {}
            _ => self.mode = Mode::Target { aim, cursor },
        }
        None
    }
}

fn carried<'a>(known: &Knowledge<'a>, slot: u8) -> Option<&'a ItemView> {
    known.view.inventory.iter().find(|item| item.slot == slot)
}

fn letter_of(code: KeyCode) -> Option<u8> {
    match code {
        KeyCode::Char(letter @ 'a'..='z') => Some(letter as u8 - b'a'),
        _ => None,
    }
}

/// Hostile actors, the nearest first.
fn targets(known: &Knowledge<'_>) -> Vec<Pos> {
    let mut targets: Vec<_> = known.hostiles().map(|a| a.pos).collect();
    targets.sort_by_key(|pos| (pos.chebyshev(known.here()), *pos));
    targets
}

fn first_target(known: &Knowledge<'_>) -> Pos {
    targets(known).first().copied().unwrap_or_else(|| known.here())
}

fn next_target(known: &Knowledge<'_>, cursor: Pos) -> Pos {
    let targets = targets(known);
    let next = targets.iter().position(|&pos| pos == cursor).map_or(0, |at| at + 1);
    targets.get(next).or_else(|| targets.first()).copied().unwrap_or(cursor)
}

fn direction_of(code: KeyCode) -> Option<Direction> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('k' | '8') => Direction::North,
        KeyCode::Char('u' | '9') | KeyCode::PageUp => Direction::NorthEast,
        KeyCode::Right | KeyCode::Char('l' | '6') => Direction::East,
        KeyCode::Char('n' | '3') | KeyCode::PageDown => Direction::SouthEast,
        KeyCode::Down | KeyCode::Char('j' | '2') => Direction::South,
        KeyCode::Char('b' | '1') | KeyCode::End => Direction::SouthWest,
        KeyCode::Left | KeyCode::Char('h' | '4') => Direction::West,
        KeyCode::Char('y' | '7') | KeyCode::Home => Direction::NorthWest,
        _ => return None,
    })
}
