use proptest::prelude::*;

use super::{Activity, Events, Fuel, Scratch, step};
use crate::sim::cpu::instructions::Instructions;
use crate::sim::cpu::noise;

/// The cells of events.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cells {
    ignited: Vec<u32>,
    burnt_out: Vec<u32>,
    exploded: Vec<u32>,
}

impl From<Events> for Cells {
    fn from(events: Events) -> Self {
        let [ignited, burnt_out, exploded] =
            [events.ignited, events.burnt_out, events.exploded].map(|list| list.cells().collect());
        Self { ignited, burnt_out, exploded }
    }
}

/// The planes of a zone; only cells off the border are flammable or burn.
#[derive(Clone, Debug)]
struct Zone {
    width: usize,
    height: usize,
    fire: Vec<u8>,
    ignition: Vec<u8>,
    burn_ticks: Vec<u8>,
    methane: Vec<u8>,
}

impl Zone {
    fn new(width: usize, height: usize) -> Self {
        let plane = vec![0; width * height];
        Self {
            width,
            height,
            fire: plane.clone(),
            ignition: plane.clone(),
            burn_ticks: plane.clone(),
            methane: plane,
        }
    }

    fn inner(&self) -> Vec<usize> {
        let (w, h) = (self.width, self.height);
        (1..h - 1).flat_map(|y| (1..w - 1).map(move |x| y * w + x)).collect()
    }

    fn run(&mut self, when: (u64, u64)) -> Cells {
        let fuel =
            Fuel { ignition: &self.ignition, burn_ticks: &self.burn_ticks, methane: &self.methane };
        let activity = Activity::of(&self.fire, self.width, self.height);
        let run = |instructions| {
            let mut run = (self.fire.clone(), activity.clone(), Events::default());
            let mut scratch = Scratch::new(instructions);
            step(&mut run.0, &fuel, &mut run.1, &mut scratch, when, &mut run.2);
            run
        };
        let runs: Vec<_> = Instructions::available().map(run).collect();
        for other in &runs {
            assert_eq!(other, &runs[0]);
        }
        let (fire, activity, events) = runs[0].clone();
        self.fire = fire;
        assert_eq!(activity, Activity::of(&self.fire, self.width, self.height));
        events.into()
    }

    /// The same rule, a cell at a time from a copy.
    fn reference(&mut self, (seed, tick): (u64, u64)) -> Cells {
        let old = self.fire.clone();
        let mut events = Cells::default();
        for i in self.inner() {
            let beside = [i - 1, i + 1, i - self.width, i + self.width];
            let heated = beside.into_iter().any(|n| old[n] > 0);
            let (x, y) = (i % self.width, i / self.width);
            let word = (y * self.width.div_ceil(4) + x / 4) as u32;
            let roll = noise::bits(noise::key(seed, tick), word) >> (8 * (x % 4)) & 255;
            if old[i] > 0 {
                self.fire[i] -= 1;
                if self.fire[i] == 0 {
                    events.burnt_out.push(i as u32);
                }
            } else if heated && roll < u32::from(self.ignition[i]) {
                self.fire[i] = self.burn_ticks[i].max(1);
                events.ignited.push(i as u32);
            }
            if self.methane[i] > 0 && (heated || old[i] > 0) {
                events.exploded.push(i as u32);
            }
        }
        events
    }
}

#[test]
fn nothing_happens_without_a_fire() {
    let mut zone = Zone::new(67, 34);
    zone.ignition.fill(255);
    zone.methane.fill(255);
    assert_eq!(zone.run((1, 1)), Cells::default());
}

#[test]
fn fire_burns_down_and_spares_what_does_not_burn() {
    let mut zone = Zone::new(20, 20);
    zone.fire[10 * 20 + 10] = 2;
    assert_eq!(zone.run((1, 1)), Cells::default());
    let events = zone.run((1, 2));
    assert_eq!(events.burnt_out, [210]);
    assert!(events.ignited.is_empty() && zone.fire.iter().all(|&f| f == 0));
}

#[test]
fn fire_crosses_a_meadow_and_dies() {
    let mut zone = Zone::new(150, 50);
    for cell in zone.inner() {
        (zone.ignition[cell], zone.burn_ticks[cell]) = (200, 10);
    }
    zone.fire[25 * 150 + 3] = 5;
    let mut burnt = 0;
    for tick in 0..2_000 {
        let events = zone.run((7, tick));
        for &cell in &events.burnt_out {
            zone.ignition[cell as usize] = 0;
        }
        burnt += events.burnt_out.len();
    }
    assert!(burnt > 148 * 48 * 99 / 100, "{burnt}");
    assert!(zone.fire.iter().all(|&f| f == 0));
}

#[test]
fn methane_explodes_on_and_beside_a_fire_only() {
    let mut zone = Zone::new(12, 12);
    zone.methane.fill(3);
    zone.fire[5 * 12 + 5] = 4;
    assert_eq!(zone.run((1, 1)).exploded, [53, 64, 65, 66, 77]);
}

fn zones() -> impl Strategy<Value = Zone> {
    (3..150_usize, 3..50_usize, 1..30_u32, any::<u32>()).prop_map(|(width, height, share, salt)| {
        let mut zone = Zone::new(width, height);
        for cell in zone.inner() {
            let draw = |plane: u32, share: u32| {
                let bits = noise::bits(salt ^ plane, cell as u32);
                if bits % 100 < share { (bits >> 16) as u8 } else { 0 }
            };
            zone.fire[cell] = draw(1, share) % 9;
            zone.ignition[cell] = draw(2, 70);
            zone.burn_ticks[cell] = draw(3, 90);
            zone.methane[cell] = draw(4, share);
        }
        zone
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn it_equals_the_reference(mut zone in zones(), seed: u64, tick in 0..1_000_u64) {
        let mut expected = zone.clone();
        for tick in tick..tick + 6 {
            let events = zone.run((seed, tick));
            prop_assert_eq!(events, expected.reference((seed, tick)));
            prop_assert_eq!(&zone.fire, &expected.fire);
        }
    }
}
