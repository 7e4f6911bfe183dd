//! Pictures and keys, without a terminal.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::app::{Action, App, Errand, Mode};
use super::draw::{Status, draw};
use crate::cli::content::tests::tables;
use crate::client::Knowledge;
use crate::model::{Cell, CellMap, Command, Direction, Pos, ZoneId};
use crate::protocol::view::item;
use crate::protocol::{ActorView, Event, ItemView, Me, Place, View, Who};

/// A room of 9 by 5 inside granite, the player in its middle, a jackal to the east, a potion to the
/// west, stairs in the corner, poison and fire below.
fn scene() -> (View, CellMap) {
    let mut cells = CellMap::new(40, 30);
    for y in 4..=10 {
        for x in 4..=14 {
            let wall = x == 4 || x == 14 || y == 4 || y == 10;
            let cell = match (x, y) {
                (6, 7) => Cell::new(1, 1, (0, 0), false),
                (5, 5) => Cell::new(2, 0, (0, 0), false),
                (9, 8) => Cell::new(1, 0, (0, 7), false),
                (10, 8) => Cell::new(1, 0, (0, 0), true),
                _ => Cell::new(u8::from(!wall), 0, (0, 0), false),
            };
            cells.set(Pos::new(x, y).index(40), cell);
        }
    }
    let place = Place { zone: ZoneId(3), depth: 3, width: 40, height: 30, name: "The Mire".into() };
    let mut view = View { place: Arc::new(place), ..View::default() };
    view.me =
        Me { pos: Pos::new(9, 7), id: 1, hp: 12, hp_max: 40, level: 2, gold: 77, ..Me::default() };
    view.actors = vec![ActorView {
        id: 3,
        generation: 0,
        kind: 1,
        pos: Pos::new(11, 7),
        health: 9,
        state: 0,
        name: "".into(),
    }];
    let flags = item::USABLE;
    view.inventory = Arc::new(vec![ItemView { slot: 2, look: 1, count: 3, enchant: 0, flags }]);
    (view, cells)
}

fn screen(app: &App, known: Option<&Knowledge<'_>>) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(80, 26)).unwrap();
    let status = Status { connected: true, name: "Ada".into(), ..Status::default() };
    terminal.draw(|frame| draw(frame, app, known, &status)).unwrap();
    terminal
}

fn text(terminal: &Terminal<TestBackend>) -> String {
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(80);
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
}

fn press(app: &mut App, known: &Knowledge<'_>, keys: &str) -> Option<Action> {
    let mut last = None;
    for letter in keys.chars() {
        let code = match letter {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\x1b' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        last = app.key(KeyEvent::new(code, KeyModifiers::NONE), Some(known));
    }
    last
}

#[test]
fn the_map_shows_what_is_known() {
    let app = App::new(tables());
    let (view, cells) = scene();
    let known = Knowledge { legend: &app.legend, view: &view, cells: &cells };
    let terminal = screen(&app, Some(&known));
    let text = text(&terminal);
    for part in ["Ada", "12 / 40", "The Mire  depth 3", "gold 77", "j ###   jackal"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(&rows[7][4..15], "#.!..@.j..#", "{text}");
    assert!(rows[0][..54].trim().is_empty(), "nothing is known there");
    let buffer = terminal.backend().buffer();
    assert_eq!(buffer[(10, 8)].symbol(), "^");
    let Color::Rgb(red, green, _) = buffer[(9, 8)].bg else { panic!("poison has a colour") };
    assert!(green > red && green > 80, "the ground under poison is greenish");
}

#[test]
fn what_is_out_of_sight_is_dim() {
    let app = App::new(tables());
    let (view, mut cells) = scene();
    cells.set(Pos::new(7, 6).index(40), Cell::new(0, 0, (0, 0), false));
    let known = Knowledge { legend: &app.legend, view: &view, cells: &cells };
    let terminal = screen(&app, Some(&known));
    let brightness = |x, y| {
        let Color::Rgb(r, g, b) = terminal.backend().buffer()[(x, y)].fg else { panic!("no RGB") };
        u32::from(r) + u32::from(g) + u32::from(b)
    };
    assert!(brightness(5, 5) < brightness(8, 6), "behind the pillar");
}

#[test]
fn keys_give_commands() {
    let (view, cells) = scene();
    let check = |keys: &str, expected: Option<Command>| {
        let mut app = App::new(tables());
        let legend = app.legend.clone();
        let known = Knowledge { legend: &legend, view: &view, cells: &cells };
        let action = press(&mut app, &known, keys);
        assert_eq!(action, expected.map(Action::Give), "{keys:?}");
    };
    check("l", Some(Command::Move(Direction::East)));
    check("y", Some(Command::Move(Direction::NorthWest)));
    check("g", Some(Command::PickUp));
    check("S", Some(Command::Sneak { on: true }));
    check("icu", Some(Command::Use { slot: 2 }));
    check("icd", Some(Command::Drop { slot: 2 }));
    check("ice", None);
    check("tc\n", Some(Command::Throw { slot: 2, target: Pos::new(11, 7) }));
    check("tcj\n", Some(Command::Throw { slot: 2, target: Pos::new(11, 8) }));
    check("\nhello q\n", Some(Command::Chat { text: "hello q".into() }));
    check("\n  \n", None);
    check("\nab\x1bz", Some(Command::Rest));
    check("?x", None);
    check("qn", None);
    let mut app = App::new(tables());
    let legend = app.legend.clone();
    let known = Knowledge { legend: &legend, view: &view, cells: &cells };
    assert_eq!(press(&mut app, &known, "m"), Some(Action::Duel));
    assert_eq!(press(&mut app, &known, "qy"), Some(Action::Quit { goodbye: true }));
}

#[test]
fn errands_go_on_until_something_happens() {
    let mut app = App::new(tables());
    let legend = app.legend.clone();
    let (mut view, cells) = scene();
    let jackal = view.actors.remove(0);
    for expected in [Direction::NorthWest, Direction::NorthWest, Direction::West] {
        let known = Knowledge { legend: &legend, view: &view, cells: &cells };
        if app.errand.is_none() {
            press(&mut app, &known, ">");
            assert_eq!(app.errand, Some(Errand::Terrain(2)));
        }
        let Some(Command::Move(direction)) = app.run_errand(&known) else { panic!() };
        // Which of the shortest ways is taken does not matter; that it leads there does.
        assert!(direction.delta().0 <= 0 && direction.delta().1 <= 0, "{expected:?}");
        view.me.pos = known.step(known.here(), direction).unwrap();
    }
    view.actors.push(jackal);
    let known = Knowledge { legend: &legend, view: &view, cells: &cells };
    assert_eq!(app.run_errand(&known), None, "an enemy came into view");
    assert_eq!(app.errand, None);
    view.me.pos = Pos::new(5, 5);
    let known = Knowledge { legend: &legend, view: &view, cells: &cells };
    assert_eq!(press(&mut app, &known, ">"), Some(Action::Give(Command::UseStairs)));
}

#[test]
fn the_cursor_tells_what_is_there() {
    let mut app = App::new(tables());
    let legend = app.legend.clone();
    let (view, cells) = scene();
    let known = Knowledge { legend: &legend, view: &view, cells: &cells };
    press(&mut app, &known, "v");
    let shown = text(&screen(&app, Some(&known)));
    assert!(shown.contains("You see a jackal (quick), the ground. (Tab"), "{shown}");
    press(&mut app, &known, "jh");
    let shown = text(&screen(&app, Some(&known)));
    assert!(shown.contains("You see flames, the ground."), "{shown}");
    press(&mut app, &known, "\n");
    assert_eq!(app.errand, Some(Errand::To(Pos::new(10, 8))));
}

#[test]
fn events_become_lines_and_flashes() {
    let mut app = App::new(tables());
    let legend = app.legend.clone();
    let (view, cells) = scene();
    let known = Knowledge { legend: &legend, view: &view, cells: &cells };
    let hit = Event::Note {
        code: 0,
        who: Who::Actor { id: 3, kind: 1 },
        other: Who::You,
        look: 0,
        number: 2,
    };
    let bolt = Event::Bolt { look: 0, from: Pos::new(11, 7), to: Pos::new(8, 5) };
    let chat = Event::Chat { from: "Bob".into(), text: "hi".into() };
    app.notice(Duration::from_secs(1), &known, vec![hit.clone(), hit, bolt, chat]);
    let shown = text(&screen(&app, Some(&known)));
    assert!(shown.contains("The jackal hits you for 2. (x2)") && shown.contains("Bob: hi"));
    assert_eq!(app.flashes[0].cells.last(), Some(&Pos::new(8, 5)));
    assert_eq!(app.flashes[0].cells.len(), 3);
    assert!(shown.contains('*'));
    app.notice(Duration::from_secs(2), &known, Vec::new());
    assert!(app.flashes.is_empty());
}

#[test]
fn pages_fit_small_terminals() {
    let (view, cells) = scene();
    for mode in [
        Mode::Help,
        Mode::Quit,
        Mode::Inventory { throw: false },
        Mode::Item { slot: 2 },
        Mode::Chat { text: "x".repeat(200) },
    ] {
        let mut app = App::new(tables());
        app.mode = mode;
        let known = Knowledge { legend: &app.legend, view: &view, cells: &cells };
        for (columns, rows) in [(80, 26), (30, 9), (12, 3), (1, 1)] {
            let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
            let status = Status::default();
            terminal.draw(|frame| draw(frame, &app, Some(&known), &status)).unwrap();
            terminal.draw(|frame| draw(frame, &app, None, &status)).unwrap();
        }
    }
}
