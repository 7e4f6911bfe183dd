use proptest::prelude::*;

use super::{Activity, BLOCK, COLUMNS, Scratch, noise, step};
use crate::game::derive::{SEALED, let_air};
use crate::sim::cpu::instructions::Instructions;

/// The air of a zone with walls around it and wherever `walls` says.
fn air_of(width: usize, height: usize, walls: impl Fn(usize) -> bool) -> Vec<u8> {
    let border = |i: usize| {
        let (x, y) = (i % width, i / width);
        x == 0 || y == 0 || x == width - 1 || y == height - 1
    };
    let mut air = vec![SEALED; width * height];
    for cell in (0..width * height).filter(|&i| !border(i) && !walls(i)) {
        let_air(&mut air, width, cell, true);
    }
    air
}

/// As much gas as there can be.
fn full(air: &[u8]) -> Vec<u8> {
    air.iter().map(|&air| if air & SEALED == 0 { 255 } else { 0 }).collect()
}

fn mass(cells: &[u8]) -> u32 {
    cells.iter().map(|&c| u32::from(c)).sum()
}

/// The same rule, a cell at a time from a copy.
fn reference(cells: &[u8], air: &[u8], width: usize, tick: u64, rate: u8) -> Vec<u8> {
    let airy = |cell: usize| air[cell] & SEALED == 0;
    let mut next: Vec<i32> = cells.iter().map(|&c| i32::from(c)).collect();
    for from in (0..cells.len()).filter(|&i| airy(i)) {
        for to in [from - 1, from + 1, from - width, from + width] {
            if airy(to) {
                next[from] -= i32::from(cells[from] / 8);
                next[to] += i32::from(cells[from] / 8);
            }
        }
    }
    let inner = width..cells.len() - width;
    for (i, cell) in next.iter_mut().enumerate().filter(|(i, _)| inner.contains(i)) {
        let (x, y) = (i % width, (i / width) as u32);
        let turn = noise::key(0, tick).wrapping_add(y.wrapping_mul(0x9e37_79b9)) >> 24;
        let due = (u32::from(COLUMNS[x / BLOCK][x % BLOCK]) + turn) % 256 < u32::from(rate);
        *cell -= i32::from(due && *cell > 0);
    }
    next.into_iter().map(|c| u8::try_from(c).unwrap()).collect()
}

/// A zone with a few clouds: width, height, air, concentrations.
fn zones() -> impl Strategy<Value = (usize, usize, Vec<u8>, Vec<u8>)> {
    (3..200_usize, 3..70_usize, 0..60_u32, any::<u64>()).prop_flat_map(
        |(width, height, walls, salt)| {
            let air = air_of(width, height, |i| noise::bits(salt as u32, i as u32) % 100 < walls);
            let cells = vec![0; width * height];
            let puffs = prop::collection::vec((0..width * height, 1..=255_u8), 0..20);
            (Just((width, height, air, cells)), puffs).prop_map(
                |((w, h, air, mut cells), puffs)| {
                    for (cell, amount) in
                        puffs.into_iter().filter(|&(cell, _)| air[cell] & SEALED == 0)
                    {
                        cells[cell] = amount;
                    }
                    (w, h, air, cells)
                },
            )
        },
    )
}

#[test]
fn a_full_room_stays_full_and_never_overflows() {
    let air = air_of(70, 35, |_| false);
    let mut cells = full(&air);
    let mut activity = Activity::of(&cells, 70, 35);
    for tick in 0..10 {
        step(&mut cells, &air, &mut activity, &mut Scratch::default(), tick, 0);
        assert_eq!(cells, full(&air));
    }
}

#[test]
fn nothing_happens_in_an_empty_zone_or_in_solid_rock() {
    let air = air_of(65, 17, |_| true);
    let mut cells = vec![0; 65 * 17];
    let mut activity = Activity::new(65, 17);
    step(&mut cells, &air, &mut activity, &mut Scratch::default(), 1, 255);
    assert!(activity.is_quiet() && mass(&cells) == 0);
    cells[3 * 65 + 7] = 200;
    activity.wake(3 * 65 + 7);
    step(&mut cells, &air, &mut activity, &mut Scratch::default(), 1, 0);
    assert_eq!((cells[3 * 65 + 7], mass(&cells)), (200, 200));
}

#[test]
fn dissipating_gas_is_gone_in_the_end_and_its_chunks_go_quiet() {
    let (width, height) = (150, 40);
    let air = air_of(width, height, |_| false);
    let mut cells = vec![0; width * height];
    let mut activity = Activity::new(width, height);
    cells[20 * width + 63] = 255;
    activity.wake(20 * width + 63);
    let mut scratch = Scratch::default();
    for tick in 0..2_000 {
        step(&mut cells, &air, &mut activity, &mut scratch, tick, 8);
    }
    assert_eq!(mass(&cells), 0);
    assert!(activity.is_quiet());
}

#[test]
fn the_rate_is_a_chance_in_256() {
    let (width, height, rate) = (130, 66, 40);
    let air = air_of(width, height, |_| false);
    let mut gone = 0;
    for tick in 0..200 {
        let mut cells = full(&air);
        let mut activity = Activity::of(&cells, width, height);
        step(&mut cells, &air, &mut activity, &mut Scratch::default(), tick, rate);
        gone += mass(&full(&air)) - mass(&cells);
    }
    let expected = 200 * 128 * 64 * u32::from(rate) / 256;
    assert!(gone.abs_diff(expected) < expected / 20, "{gone} of {expected}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn it_equals_the_reference_whatever_was_in_the_buffers(
        (width, height, air, mut cells) in zones(), rate: u8, thins: bool, tick in 0..1_000_u64
    ) {
        let rate = if thins { rate } else { 0 };
        let before = mass(&cells);
        let mut runs: Vec<_> = Instructions::available()
            .map(|set| (cells.clone(), Activity::of(&cells, width, height), Scratch::new(set)))
            .collect();
        for tick in tick..tick + 12 {
            cells = reference(&cells, &air, width, tick, rate);
            for (run, activity, scratch) in &mut runs {
                step(run, &air, activity, scratch, tick, rate);
                prop_assert_eq!(&cells, run);
                prop_assert_eq!(&Activity::of(&cells, width, height), activity);
            }
            prop_assert!(rate > 0 || mass(&cells) == before);
        }
    }

    #[test]
    fn air_is_what_its_cells_make_it_in_whatever_order_they_change(
        changes in prop::collection::vec((7..41_usize, any::<bool>()), 0..60)
    ) {
        let mut air = vec![SEALED; 48];
        let mut airy = [false; 48];
        for (cell, open) in changes {
            let_air(&mut air, 6, cell, open);
            airy[cell] = open;
        }
        for cell in 6..42 {
            let ways = [cell - 6, cell - 1, cell + 1, cell + 6].iter().filter(|&&n| airy[n]).count();
            prop_assert_eq!(air[cell], u8::from(!airy[cell]) << 7 | ways as u8);
        }
    }
}
