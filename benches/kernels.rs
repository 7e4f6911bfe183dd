//! Times the kernels beside what others offer for the same work, in one run on the same maps.
//!
//! Only the ratios of one run mean anything. Every figure is the median of repeated runs.

#![allow(clippy::print_stdout, reason = "printing a table is what it is for")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bracket_pathfinding::prelude::{
    Algorithm2D, BaseMap, DijkstraMap, FieldOfViewAlg, Point, SmallVec,
};
use doryen_fov::{FovAlgorithm, FovRecursiveShadowCasting, FovRestrictive, MapData};
use undercroft::game::derive::{SEALED, let_air};
use undercroft::game::rng::Rng;
use undercroft::model::geometry::{Direction, Pos};
use undercroft::sim::cpu::activity::{Activity, Scratch as Rows};
use undercroft::sim::cpu::distance::{self, UNREACHED};
use undercroft::sim::cpu::fire::{self, Events, Fuel};
use undercroft::sim::cpu::instructions::Instructions;
use undercroft::sim::cpu::{fov, gas};

fn main() {
    let parts: &[(&str, fn())] = &[
        ("distance", distances),
        ("view", views),
        ("gas", gases),
        ("fire", fires),
        #[cfg(feature = "gpu")]
        ("device", device::measure),
    ];
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    for &(name, part) in parts {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            part();
        }
    }
}

/// The median time of `work`, run for about half a second, at least nine times.
fn median<S>(mut set_up: impl FnMut() -> S, mut work: impl FnMut(&mut S)) -> Duration {
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < 9 || begin.elapsed() < Duration::from_millis(500) {
        let mut state = set_up();
        let start = Instant::now();
        work(&mut state);
        times.push(start.elapsed());
        black_box(&mut state);
    }
    times.sort_unstable();
    times[times.len() / 2]
}

fn nanoseconds(time: Duration, per: usize) -> f64 {
    time.as_nanos() as f64 / per as f64
}

/// A map with walls around it.
struct Map {
    width: usize,
    height: usize,
    passable: Vec<u8>,
}

impl Map {
    fn open(width: usize, height: usize) -> Self {
        let border = |i: usize| {
            (i % width).is_multiple_of(width - 1) || (i / width).is_multiple_of(height - 1)
        };
        let passable = (0..width * height).map(|i| u8::from(!border(i))).collect();
        Self { width, height, passable }
    }

    /// Noise with 45 % of walls, smoothed five times.
    fn cave(width: usize, height: usize) -> Self {
        let mut map = Self::open(width, height);
        let inner: Vec<usize> = (0..width * height).filter(|&i| map.passable[i] != 0).collect();
        let mut rng = Rng::new(3, 1, 4);
        for &cell in &inner {
            map.passable[cell] = u8::from(!rng.chance(45));
        }
        for _ in 0..5 {
            let old = map.passable.clone();
            for &cell in &inner {
                let open: u8 = [cell - width, cell, cell + width]
                    .into_iter()
                    .map(|middle| old[middle - 1..=middle + 1].iter().sum::<u8>())
                    .sum();
                map.passable[cell] = u8::from(open >= 5);
            }
        }
        map
    }

    /// Passable cells spread over the map; the first one reaches more than half of it.
    fn goals(&self, count: usize) -> Vec<u32> {
        let mut rng = Rng::new(1, 5, 9);
        let passable: Vec<u32> =
            (0..self.passable.len() as u32).filter(|&i| self.passable[i as usize] != 0).collect();
        loop {
            let mut draw = || passable[rng.below(passable.len() as u32) as usize];
            let goals: Vec<u32> = (0..count).map(|_| draw()).collect();
            let mut out = vec![0; self.passable.len()];
            plain_search(&mut out, self, &goals[..1], &mut VecDeque::new());
            if out.iter().filter(|&&d| d != UNREACHED).count() > passable.len() / 2 {
                return goals;
            }
        }
    }

    /// Calls `visit` with the neighbours that a step may lead to.
    fn steps(&self, cell: usize, mut visit: impl FnMut(usize)) {
        let open = |cell: usize| self.passable[cell] != 0;
        for direction in Direction::ALL {
            let (dx, dy) = direction.delta();
            let along = cell.wrapping_add_signed(isize::from(dy) * self.width as isize);
            let across = cell.wrapping_add_signed(isize::from(dx));
            let next = along.wrapping_add_signed(isize::from(dx));
            if open(next) && (!direction.is_diagonal() || open(along) && open(across)) {
                visit(next);
            }
        }
    }
}

impl BaseMap for Map {
    fn is_opaque(&self, cell: usize) -> bool {
        self.passable[cell] == 0
    }

    fn get_available_exits(&self, cell: usize) -> SmallVec<[(usize, f32); 10]> {
        let mut exits = SmallVec::new();
        self.steps(cell, |next| exits.push((next, 1.0)));
        exits
    }
}

impl Algorithm2D for Map {
    fn dimensions(&self) -> Point {
        Point::new(self.width as i32, self.height as i32)
    }
}

/// What one writes first: a queue of cells.
fn plain_search(out: &mut [u16], map: &Map, goals: &[u32], queue: &mut VecDeque<u32>) {
    out.fill(UNREACHED);
    for &goal in goals {
        out[goal as usize] = 0;
        queue.push_back(goal);
    }
    while let Some(cell) = queue.pop_front() {
        let distance = out[cell as usize] + 1;
        map.steps(cell as usize, |next| {
            if out[next] == UNREACHED {
                out[next] = distance;
                queue.push_back(next as u32);
            }
        });
    }
}

fn distances() {
    println!("distance maps, ns per reached cell");
    println!(
        "{:<10} {:>5} {:>8} {:>5} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "map", "goals", "reached", "far", "ours", "plain", "bracket", "ratio", "flee"
    );
    for side in [96, 256, 1024] {
        for (name, map) in [("cave", Map::cave(side, side)), ("open", Map::open(side, side))] {
            for count in [1, 50] {
                distance_row(&format!("{name} {side}"), &map, &map.goals(count));
            }
        }
    }
}

fn distance_row(name: &str, map: &Map, goals: &[u32]) {
    let (width, height) = (map.width, map.height);
    let mut scratch = distance::Scratch::default();
    let mut out = vec![0; width * height];
    let ours = median(
        || (),
        |()| {
            let passable = &map.passable;
            distance::fill(&mut out, passable, width, height, goals, u16::MAX, &mut scratch);
        },
    );
    let reached = out.iter().filter(|&&d| d != UNREACHED).count();
    let farthest = out.iter().filter(|&&d| d != UNREACHED).max().unwrap_or(&0);

    let mut plain_out = vec![0; width * height];
    let mut queue = VecDeque::new();
    let plain = median(|| (), |()| plain_search(&mut plain_out, map, goals, &mut queue));
    assert_eq!(out, plain_out, "both searches find the same distances");

    let starts: Vec<usize> = goals.iter().map(|&goal| goal as usize).collect();
    let mut theirs = DijkstraMap::new_empty(width, height, f32::MAX);
    let bracket = median(
        || (),
        |()| {
            DijkstraMap::clear(&mut theirs);
            DijkstraMap::build(&mut theirs, &starts, map);
        },
    );
    // Theirs leaves the goals themselves at 2.
    let same = |(&ours, &theirs): (&u16, &f32)| ours == UNREACHED || f32::from(ours) == theirs;
    let differing = out.iter().zip(&theirs.map).filter(|&pair| !same(pair)).count();
    assert!(differing <= goals.len(), "all find the same distances");

    let mut flee_out = vec![0; width * height];
    let flee = median(|| (), |()| distance::fill_flee(&mut flee_out, &out, width, &mut scratch));
    println!(
        "{name:<10} {:>5} {reached:>8} {farthest:>5} {:>8.2} {:>8.2} {:>8.2} {:>8.1} {:>8.2}",
        goals.len(),
        nanoseconds(ours, reached),
        nanoseconds(plain, reached),
        nanoseconds(bracket, reached),
        bracket.as_secs_f64() / ours.as_secs_f64(),
        nanoseconds(flee, reached),
    );
}

fn views() {
    println!("\nfield of view, us a viewer (ratio: the best of theirs to ours)");
    println!(
        "{:<10} {:>6} {:>7} {:>7} {:>9} {:>9} {:>9} {:>9} {:>6}",
        "map", "radius", "seen", "ours", "b. symm.", "b. recur.", "d. restr.", "d. recur.", "ratio"
    );
    for (name, map) in [("cave", Map::cave(96, 96)), ("open", Map::open(96, 96))] {
        for radius in [10, 20, 24] {
            view_row(name, &map, radius);
        }
    }
}

fn view_row(name: &str, map: &Map, radius: u16) {
    let (width, height) = (map.width, map.height);
    let mut rng = Rng::new(2, 7, 1);
    let mut viewers = Vec::new();
    while viewers.len() < 64 {
        let mut draw = || rng.between(24, 71) as u16;
        let cell = Pos::new(draw(), draw());
        if map.passable[cell.index(width as u16)] != 0 {
            viewers.push(cell);
        }
    }
    let opaque: Vec<u8> = map.passable.iter().map(|&p| 1 - p).collect();
    let mut seen = 0;
    let ours = median(
        || (),
        |()| {
            for &viewer in &viewers {
                black_box(fov::field_of_view(black_box(&opaque), width, height, viewer, radius));
            }
        },
    );
    for &viewer in &viewers {
        seen += fov::field_of_view(&opaque, width, height, viewer, radius).count() as usize;
    }
    let bracket = |algorithm: fn() -> FieldOfViewAlg| {
        median(
            || (),
            |()| {
                for viewer in &viewers {
                    let origin = Point::new(viewer.x, viewer.y);
                    black_box(algorithm().field_of_view_set(origin, radius.into(), map));
                }
            },
        )
    };
    let symmetric = bracket(|| FieldOfViewAlg::SymmetricShadowcasting);
    let recursive = bracket(|| FieldOfViewAlg::RecursiveShadowcasting);
    let mut data = MapData::new(width, height);
    for (to, &passable) in data.transparent.iter_mut().zip(&map.passable) {
        *to = passable != 0;
    }
    let mut doryen = |algorithm: &mut dyn FovAlgorithm| {
        median(
            || (),
            |()| {
                for viewer in &viewers {
                    let (x, y) = (viewer.x.into(), viewer.y.into());
                    data.clear_fov();
                    algorithm.compute_fov(&mut data, x, y, radius.into(), true);
                    black_box(&mut data);
                }
            },
        )
    };
    let restrictive = doryen(&mut FovRestrictive::new());
    let doryen_recursive = doryen(&mut FovRecursiveShadowCasting::new());
    let all = [ours, symmetric, recursive, restrictive, doryen_recursive];
    let [ours, others @ ..] = all.map(|time| nanoseconds(time, viewers.len()) / 1_000.0);
    let best = others.into_iter().fold(f64::INFINITY, f64::min);
    println!(
        "{name:<10} {radius:>6} {:>7} {ours:>7.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>6.1}",
        seen / viewers.len(),
        others[0],
        others[1],
        others[2],
        others[3],
        best / ours
    );
}

/// Gigabytes a second, read and written, of copying as many bytes as `bytes` read and written.
fn copy_bandwidth(bytes: usize) -> f64 {
    let from = vec![1_u8; bytes / 2];
    let mut to = vec![0_u8; bytes / 2];
    let time = median(
        || (),
        |()| {
            for _ in 0..16 {
                black_box(&mut to).copy_from_slice(black_box(&from));
            }
        },
    );
    16.0 * bytes as f64 / time.as_nanos() as f64
}

fn plane_row(name: &str, cells: usize, bytes_per_cell: usize, time: Duration, copy: f64) {
    let bandwidth = (cells * bytes_per_cell) as f64 / time.as_nanos() as f64;
    println!(
        "{name:<24} {:>9.4} {bandwidth:>8.1} {copy:>8.1} {:>6.0} %",
        nanoseconds(time, cells),
        100.0 * bandwidth / copy
    );
}

fn plane_head(title: &str) {
    println!("\n{title}");
    println!("{:<24} {:>9} {:>8} {:>8} {:>8}", "zone", "ns/cell", "GB/s", "copy", "share");
}

fn gases() {
    plane_head("gas everywhere: two planes read, one written");
    for side in [256, 1024] {
        let map = Map::cave(side, side);
        let mut air = vec![SEALED; side * side];
        for (cell, &passable) in map.passable.iter().enumerate() {
            let_air(&mut air, side, cell, passable != 0);
        }
        let mut rng = Rng::new(8, 8, 8);
        let full: Vec<u8> = map.passable.iter().map(|&p| p * rng.bits() as u8).collect();
        let copy = copy_bandwidth(3 * side * side);
        let mut rows = Rows::default();
        for instructions in Instructions::available() {
            let mut rows = Rows::new(instructions);
            for rate in [0, 8] {
                let time = median(
                    || (full.clone(), Activity::of(&full, side, side)),
                    |(cells, activity)| {
                        gas::step(cells, &air, activity, &mut rows, 1, rate);
                    },
                );
                let thins = if rate == 0 { "" } else { ", thins" };
                let name = format!("{side} {}{thins}", instructions.name());
                plane_row(&name, side * side, 3, time, copy);
            }
        }
        let mut cells = vec![0; side * side];
        cells[side * (side / 2) + side / 2] = 255;
        let mut activity = Activity::of(&cells, side, side);
        let time = median(
            || (),
            |()| {
                gas::step(&mut cells, &air, &mut activity, &mut rows, 1, 0);
            },
        );
        println!("{side} one puff: {} ns, {} chunks", time.as_nanos(), activity.busy_chunks());
        quiet(side, |cells, activity| {
            gas::step(cells, &air, activity, &mut rows, 1, 8);
        });
    }
}

fn fires() {
    plane_head("fire: three planes read, one written; a fourth read where something catches fire");
    for side in [256, 1024] {
        let map = Map::cave(side, side);
        let ignition: Vec<u8> = map.passable.iter().map(|&p| p * 90).collect();
        let burn_ticks: Vec<u8> = map.passable.iter().map(|&p| p * 12).collect();
        let methane = vec![0; side * side];
        let fuel = Fuel { ignition: &ignition, burn_ticks: &burn_ticks, methane: &methane };
        let all: Vec<u8> = map.passable.iter().map(|&p| p * 200).collect();
        let mut rng = Rng::new(8, 8, 8);
        let patchy: Vec<u8> = all.iter().map(|&f| f * u8::from(rng.chance(3))).collect();
        let copy = copy_bandwidth(4 * side * side);
        let (mut rows, mut events) = (Rows::default(), Events::default());
        for (what, plane, planes) in [("all burns", &all, 4), ("3 % burn", &patchy, 5)] {
            for instructions in Instructions::available() {
                let mut rows = Rows::new(instructions);
                let time = median(
                    || (plane.clone(), Activity::of(plane, side, side)),
                    |(cells, activity)| {
                        fire::step(cells, &fuel, activity, &mut rows, (1, 1), &mut events);
                    },
                );
                plane_row(
                    &format!("{side} {what}, {}", instructions.name()),
                    side * side,
                    planes,
                    time,
                    copy,
                );
            }
        }
        quiet(side, |cells, activity| {
            fire::step(cells, &fuel, activity, &mut rows, (1, 1), &mut events);
        });
    }
}

fn quiet(side: usize, mut step: impl FnMut(&mut [u8], &mut Activity)) {
    let mut cells = vec![0; side * side];
    let mut activity = Activity::new(side, side);
    let time = median(
        || (),
        |()| {
            for _ in 0..1_000 {
                step(black_box(&mut cells), &mut activity);
            }
        },
    );
    println!("{side} quiet zone: {:.1} ns", nanoseconds(time, 1_000));
}

#[cfg(feature = "gpu")]
mod device {
    use std::sync::Arc;

    use undercroft::game::catalog::Gas;
    use undercroft::game::derive::{SEALED, let_air};
    use undercroft::game::rng::Rng;
    use undercroft::sim::gpu::device::Device;
    use undercroft::sim::gpu::distance::{Distance, Search};
    use undercroft::sim::gpu::environment::{Environment, Moment, Plane};

    use super::{Map, median, nanoseconds};

    /// Times the twins on the graphics device of this machine, from handing a tick out to having
    /// what it tells.
    pub(super) fn measure() {
        let device = match Device::open() {
            Ok(device) => Arc::new(device),
            Err(error) => return println!("\nno graphics device: {error}"),
        };
        println!("\n{}: a whole tick of each, with the ways there and back", device.name());
        println!("{:<28} {:>9} {:>9}", "zones", "us", "ns/cell");
        for (side, count) in [(96, 1), (96, 26), (256, 1), (256, 16), (1024, 1)] {
            let map = Map::cave(side, side);
            let row = |what: &str, time: std::time::Duration| {
                let name = format!("{count} of {side}, {what}");
                let cells = nanoseconds(time, count * side * side);
                println!("{name:<28} {:>9.0} {cells:>9.3}", time.as_secs_f64() * 1e6);
            };
            row("gas and fire, quiet", environment(&device, &map, count, false));
            row("gas and fire, full", environment(&device, &map, count, true));
            row("a map each, 50 goals", distance(&device, &map, count));
        }
    }

    fn environment(
        device: &Arc<Device>,
        map: &Map,
        count: usize,
        is_full: bool,
    ) -> std::time::Duration {
        let sizes = vec![(map.width, map.height); count];
        let mut environment = Environment::new(Arc::clone(device), &sizes).expect("it has room");
        let mut air = vec![SEALED; map.passable.len()];
        for (cell, &passable) in map.passable.iter().enumerate() {
            let_air(&mut air, map.width, cell, passable != 0);
        }
        let mut rng = Rng::new(8, 8, 8);
        let full: Vec<u8> = map.passable.iter().map(|&p| p * rng.bits() as u8).collect();
        let burning: Vec<u8> = map.passable.iter().map(|&p| p * 200).collect();
        for zone in 0..count {
            environment.load(zone, Plane::Air, &air).expect("it works");
            if is_full {
                for kind in Gas::ALL.into_iter().filter(|&kind| kind != Gas::Methane) {
                    environment.load(zone, Plane::Gas(kind), &full).expect("it works");
                }
                environment.load(zone, Plane::Fire, &burning).expect("it works");
            }
        }
        let mut tick = 0;
        let rates = Gas::ALL.map(|kind| kind.row().dissipation);
        median(
            || (),
            |()| {
                tick += 1;
                let moments = vec![Some(Moment { seed: 1, tick, rates }); count];
                let ticked = environment.begin(&moments, &[]).expect("it works");
                environment.finish(ticked).expect("it works");
            },
        )
    }

    fn distance(device: &Arc<Device>, map: &Map, count: usize) -> std::time::Duration {
        let sizes = vec![(map.width, map.height); count];
        let mut distance = Distance::new(Arc::clone(device), &sizes).expect("it has room");
        for number in 0..count {
            distance.load(number, &map.passable).expect("it works");
        }
        let goals = map.goals(50);
        let searches = vec![Some(Search { goals: &goals, reach: u16::MAX }); count];
        let mut maps = vec![vec![0; map.passable.len()]; count];
        median(
            || (),
            |()| {
                let pending = distance.begin(&searches).expect("it works");
                let mut out: Vec<_> = maps.iter_mut().map(|map| Some(map.as_mut_slice())).collect();
                distance.finish(pending, &mut out).expect("it works");
            },
        )
    }
}
