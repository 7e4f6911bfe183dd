//! Ways and decisions over drawn maps.

use std::sync::Arc;
use std::time::Duration;

use crate::client::{Behaviour, Brain, Knowledge, Legend, PathFinder};
use crate::model::{Cell, CellMap, Command, Direction, Pos, ZoneId};
use crate::protocol::view::state;
use crate::protocol::{ActorView, Me, Place, View};

const LETTERS: &str = ".#>~!";

fn legend() -> Legend {
    Legend {
        solid: vec![false, true],
        opaque: vec![false, true],
        hazard: vec![false, false, false, true],
        stairs_down: Some(2),
        gate: None,
        stairs_up: None,
        bad_gas: [true, false, true, false],
    }
}

/// Reads a drawing: `.` ground, `#` wall, `>` stairs, `~` lava, `!` an item on the ground, `@` the
/// player, anything else unknown.
fn draw(rows: &[&str]) -> (View, CellMap) {
    let (width, height) = (rows[0].len() as u16, rows.len() as u16);
    let mut cells = CellMap::new(width, height);
    let place = Place { zone: ZoneId(1), depth: 1, width, height, name: String::new() };
    let mut view = View { place: Arc::new(place), ..View::default() };
    view.me = Me { hp: 40, hp_max: 40, id: 9, ..Me::default() };
    for (y, row) in rows.iter().enumerate() {
        for (x, letter) in row.chars().enumerate() {
            let pos = Pos::new(x as u16, y as u16);
            let cell = match letter {
                '@' => {
                    view.me.pos = pos;
                    Cell::new(0, 0, (0, 0), false)
                }
                '!' => Cell::new(0, 5, (0, 0), false),
                letter => match LETTERS.find(letter) {
                    Some(terrain) => Cell::new(terrain as u8, 0, (0, 0), false),
                    None => continue,
                },
            };
            cells.set(pos.index(width), cell);
        }
    }
    (view, cells)
}

fn monster(pos: Pos) -> ActorView {
    ActorView {
        id: 3,
        generation: 0,
        kind: 4,
        pos,
        health: 15,
        state: state::HUNTING,
        name: "".into(),
    }
}

#[test]
fn ways_are_shortest_cut_no_corner_and_shun_harm() {
    let (view, cells) = draw(&[
        "#########", //
        "#@#....!#",
        "#.#.##..#",
        "#...~~..#",
        "#...##.>#",
        "#########",
    ]);
    let legend = legend();
    let known = Knowledge { legend: &legend, view: &view, cells: &cells };
    let mut finder = PathFinder::default();
    let way = finder.to_item(&known, 50, |_| true).unwrap();
    let at = |x, y| Pos::new(x, y);
    assert_eq!(way.last(), Some(&at(7, 1)));
    assert_eq!(way.len(), 10, "{way:?}");
    assert!(!way.contains(&at(4, 3)), "not through lava");
    assert_eq!(finder.to_item(&known, 5, |_| true), None, "too far");
    assert_eq!(finder.to_terrain(&known, 2).unwrap().last(), Some(&at(7, 4)));
    assert_eq!(finder.to(&known, at(0, 0)), None);
    assert_eq!(finder.to(&known, at(1, 1)), Some(Vec::new()));
    assert_eq!(finder.to_frontier(&known), None);
}

#[test]
fn a_hostile_in_reach_is_struck_and_one_behind_a_corner_is_not() {
    let legend = legend();
    let check = |rows: &[&str], at: Pos, expected: Option<Direction>| {
        let (mut view, cells) = draw(rows);
        view.actors = vec![monster(at)];
        let known = Knowledge { legend: &legend, view: &view, cells: &cells };
        assert_eq!(known.prey(), expected);
        let decision = Brain::new(1, Behaviour::Play).decide(Duration::ZERO, &known, 0);
        if let Some(direction) = expected {
            assert_eq!(decision, Some(Command::Move(direction)));
        }
    };
    check(&["...", ".@.", "..."], Pos::new(2, 2), Some(Direction::SouthEast));
    check(&["...", ".@.", ".#."], Pos::new(2, 2), None);
}

#[test]
fn the_weak_flee() {
    let legend = legend();
    let (mut view, cells) = draw(&[".......", "...@...", "......."]);
    view.me.hp = 3;
    view.actors = vec![monster(Pos::new(2, 1))];
    let known = Knowledge { legend: &legend, view: &view, cells: &cells };
    let decision = Brain::new(1, Behaviour::Play).decide(Duration::ZERO, &known, 0);
    let Some(Command::Move(direction)) = decision else { panic!("{decision:?}") };
    assert!(direction.delta().0 > 0, "{direction:?}");
}

const FLOOR: [&str; 12] = [
    "##############################",
    "#......#.........#...........#",
    "#......#.........#...........#",
    "#................#...........#",
    "#......#.........#####.#######",
    "########.........#...#.......#",
    "#......#.............#.......#",
    "#...!..#.........#...#...!...#",
    "#......###.#######...#.......#",
    "#..........#.....#...........#",
    "#......#.........#...#......>#",
    "##############################",
];

/// Lets a brain walk over a floor it sees only in part; returns what it knows at the end and how
/// often it moved, picked up and went down.
fn stroll(behaviour: Behaviour, decisions: u32) -> (CellMap, [u32; 3]) {
    let legend = legend();
    let (mut view, mut world) = draw(&FLOOR);
    view.me.pos = Pos::new(2, 2);
    let mut cells = CellMap::new(world.width(), world.height());
    let mut brain = Brain::new(5, behaviour);
    let mut counts = [0; 3];
    for count in 0..decisions {
        for y in 0..world.height() {
            for x in 0..world.width() {
                let pos = Pos::new(x, y);
                if pos.chebyshev(view.me.pos) <= 3 {
                    let index = pos.index(world.width());
                    cells.set(index, world.cell(index).unwrap());
                }
            }
        }
        let here = view.me.pos.index(world.width());
        let stairs = world.cell(here).unwrap().terrain() == 2;
        view.me.flags = if stairs { crate::protocol::view::me::ON_STAIRS } else { 0 };
        let now = Duration::from_millis(100) * count;
        let known = Knowledge { legend: &legend, view: &view, cells: &cells };
        match brain.decide(now, &known, 0) {
            Some(Command::Move(direction)) => {
                counts[0] += 1;
                view.me.pos = known.step(view.me.pos, direction).unwrap_or(view.me.pos);
            }
            Some(Command::PickUp) => {
                counts[1] += 1;
                world.set(here, Cell::new(0, 0, (0, 0), false));
            }
            Some(Command::UseStairs) => counts[2] += 1,
            _ => {}
        }
    }
    (cells, counts)
}

#[test]
fn a_player_explores_collects_and_goes_down() {
    let (cells, [moves, pickups, stairs]) = stroll(Behaviour::Play, 1_200);
    assert_eq!(cells.iter().count(), 30 * 12, "all of it was seen");
    assert_eq!(pickups, 2);
    assert!(stairs > 0 && moves > 100, "{stairs} {moves}");
}

#[test]
fn a_walker_steps_at_every_decision() {
    let (_, [moves, ..]) = stroll(Behaviour::Walk, 500);
    assert_eq!(moves, 500);
}
