use super::{compare, device};
use crate::game::rng::Rng;
use crate::sim::cpu::distance::{self, UNREACHED};
use crate::sim::gpu::distance::{Distance, Search};

/// A plane of which so many cells in a hundred are passable, those on the border as well.
fn cave(width: usize, height: usize, share: u32, rng: &mut Rng) -> Vec<u8> {
    (0..width * height).map(|_| u8::from(rng.chance(share)) * rng.below(256) as u8).collect()
}

#[test]
fn maps_of_any_size_are_equal_with_any_goals_while_walls_come_and_go() {
    let Some(device) = device() else { return };
    let sizes =
        [(1, 1), (3, 3), (3, 40), (31, 33), (32, 32), (34, 20), (65, 64), (96, 64), (257, 70)];
    let mut distance = Distance::new(device, &sizes).unwrap();
    let mut rng = Rng::new(1, 2, 3);
    let mut planes: Vec<Vec<u8>> = Vec::new();
    for (map, (width, height)) in sizes.into_iter().enumerate() {
        planes.push(cave(width, height, 70, &mut rng));
        distance.load(map, &planes[map]).unwrap();
    }
    let mut expected: Vec<Vec<u16>> = sizes.iter().map(|(w, h)| vec![0; w * h]).collect();
    let mut found = expected.clone();
    let mut scratch = distance::Scratch::default();
    for round in 0..300 {
        let goals: Vec<Vec<u32>> = sizes
            .iter()
            .map(|(w, h)| {
                let cells = (w * h + 3) as u32;
                (0..rng.below(9)).map(|_| rng.below(cells)).collect()
            })
            .collect();
        let reach = [u16::MAX, 30, 1, 0][rng.below(4) as usize];
        let searches: Vec<_> = (goals.iter().enumerate())
            .map(|(map, goals)| (map != round % 16).then_some(Search { goals, reach }))
            .collect();
        let pending = distance.begin(&searches).unwrap();
        for (map, (width, height)) in sizes.into_iter().enumerate() {
            // What was left out stays as it was.
            if map != round % 16 {
                let (out, goals) = (&mut expected[map], &goals[map]);
                distance::fill(out, &planes[map], width, height, goals, reach, &mut scratch);
            }
        }
        let mut out: Vec<_> = found.iter_mut().map(|map| Some(map.as_mut_slice())).collect();
        distance.finish(pending, &mut out).unwrap();
        for (map, (width, _)) in sizes.into_iter().enumerate() {
            compare("distance", (map, width), round as u64, &expected[map], &found[map]);
        }
        for (map, plane) in planes.iter_mut().enumerate() {
            let cell = rng.below(plane.len() as u32) as usize;
            plane[cell] = 1 - plane[cell].min(1);
            distance.edit(map, plane, cell);
        }
    }
}

#[test]
fn the_longest_way_through_a_large_map_is_found() {
    let Some(device) = device() else { return };
    let (width, height) = (40, 400);
    // Corridors of one cell, joined at alternating ends.
    let open =
        |x: usize, y: usize| y % 2 == 1 || x == if y.is_multiple_of(4) { 1 } else { width - 2 };
    let plane: Vec<u8> =
        (0..width * height).map(|i| u8::from(open(i % width, i / width))).collect();
    let goals = [width as u32 + 1];
    let mut expected = vec![0; width * height];
    let scratch = &mut distance::Scratch::default();
    distance::fill(&mut expected, &plane, width, height, &goals, u16::MAX, scratch);
    let farthest = expected.iter().filter(|&&steps| steps != UNREACHED).max().unwrap();
    assert!(*farthest > 7_000, "{farthest}");
    let mut distance = Distance::new(device, &[(width, height)]).unwrap();
    distance.load(0, &plane).unwrap();
    let search = Some(Search { goals: &goals, reach: u16::MAX });
    let pending = distance.begin(&[search]).unwrap();
    let mut found = vec![0; width * height];
    distance.finish(pending, &mut [Some(&mut found)]).unwrap();
    compare("distance", (0, width), 0, &expected, &found);
}
