use proptest::prelude::*;

use super::{Activity, Scratch, step, step_baseline};

/// Walls around a zone and wherever `walls` says, as the mask of where gas may be.
fn mask(width: usize, height: usize, walls: impl Fn(usize) -> bool) -> Vec<u8> {
    let border = |i: usize| {
        let (x, y) = (i % width, i / width);
        x == 0 || y == 0 || x == width - 1 || y == height - 1
    };
    (0..width * height).map(|i| if border(i) || walls(i) { 0 } else { 255 }).collect()
}

fn mass(cells: &[u8]) -> u32 {
    cells.iter().map(|&c| u32::from(c)).sum()
}

fn reference(cells: &[u8], open: &[u8], width: usize) -> Vec<u8> {
    let mut next: Vec<i32> = cells.iter().map(|&c| i32::from(c)).collect();
    for from in (0..cells.len()).filter(|&i| open[i] != 0) {
        for to in [from - 1, from + 1, from - width, from + width] {
            if open[to] != 0 {
                next[from] -= i32::from(cells[from] / 8);
                next[to] += i32::from(cells[from] / 8);
            }
        }
    }
    next.into_iter().map(|c| u8::try_from(c).unwrap()).collect()
}

/// A zone with a few clouds: width, height, what is open, concentrations.
fn zones() -> impl Strategy<Value = (usize, usize, Vec<u8>, Vec<u8>)> {
    (3..200_usize, 3..70_usize, 0..60_u32, any::<u64>()).prop_flat_map(
        |(width, height, walls, salt)| {
            let open = mask(width, height, |i| {
                crate::sim::cpu::noise::bits(salt as u32, i as u32) % 100 < walls
            });
            let cells = vec![0; width * height];
            let puffs = prop::collection::vec((0..width * height, 1..=255_u8), 0..20);
            (Just((width, height, open, cells)), puffs).prop_map(
                |((w, h, open, mut cells), puffs)| {
                    for (cell, amount) in puffs.into_iter().filter(|&(cell, _)| open[cell] != 0) {
                        cells[cell] = amount;
                    }
                    (w, h, open, cells)
                },
            )
        },
    )
}

#[test]
fn a_full_room_stays_full_and_never_overflows() {
    let open = mask(70, 35, |_| false);
    let mut cells = open.clone();
    let mut activity = Activity::of(&cells, 70, 35);
    for tick in 0..10 {
        step(&mut cells, &open, &mut activity, &mut Scratch::default(), tick, 0);
        assert_eq!(cells, open);
    }
}

#[test]
fn nothing_happens_in_an_empty_zone_or_in_solid_rock() {
    let open = mask(65, 17, |_| true);
    let mut cells = vec![0; 65 * 17];
    let mut activity = Activity::new(65, 17);
    assert_eq!(step(&mut cells, &open, &mut activity, &mut Scratch::default(), 1, 255), 0);
    assert!(activity.is_quiet() && mass(&cells) == 0);
    cells[3 * 65 + 7] = 200;
    activity.wake(3 * 65 + 7);
    step(&mut cells, &open, &mut activity, &mut Scratch::default(), 1, 0);
    assert_eq!((cells[3 * 65 + 7], mass(&cells)), (200, 200));
}

#[test]
fn dissipating_gas_is_gone_in_the_end_and_its_chunks_go_quiet() {
    let (width, height) = (150, 40);
    let open = mask(width, height, |_| false);
    let mut cells = vec![0; width * height];
    let mut activity = Activity::new(width, height);
    cells[20 * width + 63] = 255;
    activity.wake(20 * width + 63);
    let mut scratch = Scratch::default();
    let gone: u32 =
        (0..2_000).map(|tick| step(&mut cells, &open, &mut activity, &mut scratch, tick, 8)).sum();
    assert_eq!(gone, 255);
    assert!(activity.is_quiet());
}

#[test]
fn the_rate_is_a_chance_in_256() {
    let (width, height, rate) = (130, 66, 40);
    let open = mask(width, height, |_| false);
    let mut gone = 0;
    for tick in 0..200 {
        let mut cells = open.clone();
        let mut activity = Activity::of(&cells, width, height);
        gone += step(&mut cells, &open, &mut activity, &mut Scratch::default(), tick, rate);
    }
    let expected = 200 * 128 * 64 * u32::from(rate) / 256;
    assert!(gone.abs_diff(expected) < expected / 20, "{gone} of {expected}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn it_equals_the_reference_whatever_was_in_the_buffers((width, height, open, mut cells) in zones()) {
        let mut activity = Activity::of(&cells, width, height);
        let mut scratch = Scratch::default();
        for tick in 0..12 {
            let expected = reference(&cells, &open, width);
            prop_assert_eq!(step(&mut cells, &open, &mut activity, &mut scratch, tick, 0), 0);
            prop_assert_eq!(&cells, &expected);
            prop_assert_eq!(&activity, &Activity::of(&cells, width, height));
        }
    }

    #[test]
    fn the_mass_is_what_was_there_less_what_dissipated(
        (width, height, open, mut cells) in zones(), rate: u8, tick: u64
    ) {
        let mut plain = cells.clone();
        let mut activity = Activity::of(&cells, width, height);
        let mut plain_activity = activity.clone();
        let before = mass(&cells);
        let mut gone = 0;
        for tick in tick..tick.saturating_add(5) {
            let mut scratch = Scratch::default();
            let lost = step(&mut cells, &open, &mut activity, &mut scratch, tick, rate);
            let plain_lost =
                step_baseline(&mut plain, &open, &mut plain_activity, &mut scratch, tick, rate);
            prop_assert_eq!(lost, plain_lost);
            gone += lost;
        }
        prop_assert_eq!(mass(&cells) + gone, before);
        prop_assert_eq!(cells, plain);
    }
}
