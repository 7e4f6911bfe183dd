use std::collections::VecDeque;

use proptest::prelude::*;

use super::{
    FLEE_COST, FLEE_FACTOR, FLEE_UNREACHED, Scratch, UNREACHED, downhill, fill, fill_flee,
    neighbour, search,
};
use crate::model::geometry::Direction;
use crate::sim::cpu::noise;

#[derive(Clone, Debug)]
struct Map {
    width: usize,
    height: usize,
    passable: Vec<u8>,
    goals: Vec<u32>,
}

impl Map {
    /// A bordered map with `walls` percent of walls.
    fn noisy(width: usize, height: usize, walls: u32, salt: u32) -> Self {
        let passable = (0..width * height)
            .map(|i| {
                let (x, y) = (i % width, i / width);
                let border = x == 0 || y == 0 || x == width - 1 || y == height - 1;
                let bits = noise::bits(salt, i as u32);
                if border || bits % 100 < walls { 0 } else { (bits >> 24) as u8 | 1 }
            })
            .collect();
        Self { width, height, passable, goals: Vec::new() }
    }

    fn steps(&self, cell: usize) -> impl Iterator<Item = usize> + '_ {
        Direction::ALL
            .into_iter()
            .filter_map(move |d| neighbour(&self.passable, self.width, cell, d))
    }

    fn reference(&self, max_distance: u16) -> Vec<u16> {
        let mut out = vec![UNREACHED; self.passable.len()];
        let mut queue = VecDeque::new();
        for goal in self.goals.iter().map(|&g| g as usize) {
            if self.passable.get(goal).is_some_and(|&p| p != 0) {
                out[goal] = 0;
                queue.push_back(goal);
            }
        }
        while let Some(cell) = queue.pop_front() {
            for next in self.steps(cell) {
                if out[next] == UNREACHED && out[cell] < max_distance {
                    out[next] = out[cell] + 1;
                    queue.push_back(next);
                }
            }
        }
        out
    }

    fn check(&self, max_distance: u16, scratch: &mut Scratch) -> Vec<u16> {
        let expected = self.reference(max_distance);
        let mut out = vec![7; self.passable.len()];
        let size = (self.width, self.height);
        fill(&mut out, &self.passable, size.0, size.1, &self.goals, max_distance, scratch);
        assert_eq!(out, expected);
        out.fill(9);
        search::fill_baseline(&mut out, &self.passable, size, &self.goals, max_distance, scratch);
        assert_eq!(out, expected);
        out
    }

    /// Relaxes until nothing changes.
    fn flee_reference(&self, distances: &[u16]) -> Vec<i32> {
        let value = |&d: &u16| match d {
            UNREACHED => FLEE_UNREACHED,
            d => FLEE_FACTOR * i32::from(d),
        };
        let mut out: Vec<i32> = distances.iter().map(value).collect();
        let reached: Vec<u8> = distances.iter().map(|&d| u8::from(d != UNREACHED)).collect();
        let reached = Self { passable: reached, ..self.clone() };
        loop {
            let mut changed = false;
            for cell in (0..out.len()).filter(|&c| distances[c] != UNREACHED) {
                let from = reached.steps(cell).map(|n| out[n]);
                let best = from.min().map_or(out[cell], |v| out[cell].min(v + FLEE_COST));
                changed |= best != out[cell];
                out[cell] = best;
            }
            if !changed {
                return out;
            }
        }
    }
}

#[test]
fn corners_are_not_cut() {
    let mut map = Map::noisy(5, 5, 0, 0);
    map.passable[5 + 2] = 0;
    map.goals = vec![5 + 1];
    let out = map.check(UNREACHED, &mut Scratch::default());
    assert_eq!((out[2 * 5 + 1], out[2 * 5 + 2], out[5 + 3]), (1, 2, 4));
}

#[test]
fn extreme_maps() {
    let mut scratch = Scratch::default();
    for (width, height) in [(1, 1), (2, 9), (3, 3), (96, 64), (64, 65), (257, 66), (600, 40)] {
        for walls in [0, 100] {
            let mut map = Map::noisy(width, height, walls, 1);
            map.check(UNREACHED, &mut scratch);
            map.goals = (0..map.passable.len() as u32 + 3).step_by(97).collect();
            map.check(UNREACHED, &mut scratch);
            map.goals = vec![(height / 2 * width + width / 2) as u32];
            map.check(UNREACHED, &mut scratch);
        }
    }
}

#[test]
fn a_long_snake_is_followed_to_its_end() {
    let (width, height) = (301, 81);
    let mut map = Map::noisy(width, height, 0, 0);
    for y in (2..height - 1).step_by(2) {
        let gap = if y % 4 == 0 { 1 } else { width - 2 };
        for x in (1..width - 1).filter(|&x| x != gap) {
            map.passable[y * width + x] = 0;
        }
    }
    map.goals = vec![width as u32 + 1];
    let out = map.check(UNREACHED, &mut Scratch::default());
    assert!(out.iter().filter(|&&d| d != UNREACHED).max().unwrap() > &10_000);
    map.check(5_000, &mut Scratch::default());
    map.check(0, &mut Scratch::default());
}

#[test]
fn downhill_leads_to_the_goal_and_takes_ties_in_turn() {
    let mut map = Map::noisy(9, 9, 0, 0);
    map.goals = vec![4 * 9 + 4];
    let out = map.check(UNREACHED, &mut Scratch::default());
    let from = |cell, rotation| downhill(&out, &map.passable, 9, cell, rotation, |_| true);
    assert_eq!(from(4 * 9 + 4, 0), None);
    assert_eq!(from(2 * 9 + 4, 0), Some(Direction::SouthEast));
    assert_eq!(from(2 * 9 + 4, 4), Some(Direction::South));
    assert_eq!(from(2 * 9 + 4, 5), Some(Direction::SouthWest));
    let below = |cell| cell != 3 * 9 + 4;
    assert_eq!(downhill(&out, &map.passable, 9, 2 * 9 + 4, 4, below), Some(Direction::SouthWest));
}

#[test]
fn who_flees_leaves_a_dead_end_in_time() {
    // A corridor with a dead end on the left, the way out on the right, the goal far off.
    let (width, mut map) = (60, Map::noisy(60, 3, 0, 0));
    map.goals = vec![width + 10];
    let mut scratch = Scratch::default();
    let distances = map.check(UNREACHED, &mut scratch);
    let mut flee = vec![0; distances.len()];
    fill_flee(&mut flee, &distances, 60, &mut scratch);
    let from = |x: usize| downhill(&flee, &map.passable, 60, 60 + x, 0, |_| true);
    assert_eq!(from(11), Some(Direction::East));
    assert_eq!(from(9), Some(Direction::East), "running past is worth it from here");
    assert_eq!(from(58), None);
}

fn maps(width: usize, height: usize) -> impl Strategy<Value = Map> {
    (3..width, 3..height, 0..70_u32, any::<u32>(), prop::collection::vec(any::<u32>(), 0..30))
        .prop_map(|(width, height, walls, salt, goals)| {
            let mut map = Map::noisy(width, height, walls, salt);
            map.goals = goals.into_iter().map(|g| g % (width * height) as u32).collect();
            map
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn it_equals_a_plain_search(
        narrow in maps(130, 140), wide in maps(700, 40), max in prop_oneof![0..60_u16, Just(UNREACHED)]
    ) {
        let mut scratch = Scratch::default();
        narrow.check(max, &mut scratch);
        wide.check(max, &mut scratch);
        narrow.check(UNREACHED, &mut scratch);
    }

    #[test]
    fn a_flee_map_is_the_fixed_point(map in maps(50, 40), max in prop_oneof![0..20_u16, Just(UNREACHED)]) {
        let mut scratch = Scratch::default();
        let distances = map.check(max, &mut scratch);
        let mut flee = vec![0; distances.len()];
        for _ in 0..2 {
            fill_flee(&mut flee, &distances, map.width, &mut scratch);
            prop_assert_eq!(&flee, &map.flee_reference(&distances));
        }
    }
}
