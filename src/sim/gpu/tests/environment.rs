use std::sync::Arc;

use super::{compare, device, open};
use crate::game::catalog::Gas;
use crate::game::derive::{SEALED, let_air};
use crate::game::rng::Rng;
use crate::game::state::GASES;
use crate::sim::Failed;
use crate::sim::cpu::activity::{Activity, Scratch};
use crate::sim::cpu::{fire, gas};
use crate::sim::gpu::environment::{Environment, Moment, Plane};

/// The planes of a zone, on the processor.
struct Zone {
    width: usize,
    height: usize,
    seed: u64,
    air: Vec<u8>,
    ignition: Vec<u8>,
    burn_ticks: Vec<u8>,
    gas: [Vec<u8>; GASES],
    fire: Vec<u8>,
    events: fire::Events,
}

impl Zone {
    fn new(width: usize, height: usize, seed: u64) -> Self {
        let plane = vec![0; width * height];
        let mut zone = Self {
            width,
            height,
            seed,
            air: vec![SEALED; width * height],
            ignition: plane.clone(),
            burn_ticks: plane.clone(),
            gas: std::array::from_fn(|_| plane.clone()),
            fire: plane,
            events: fire::Events::default(),
        };
        let mut rng = Rng::new(seed, 0, 0);
        let walls = rng.below(60);
        for cell in zone.inner() {
            if !rng.chance(walls) {
                let_air(&mut zone.air, width, cell, true);
                zone.ignition[cell] = rng.below(400).min(255) as u8;
                zone.burn_ticks[cell] = rng.below(20) as u8;
            }
        }
        zone
    }

    /// Gas in every cell and fire in many.
    fn fill(&mut self) {
        let mut rng = Rng::new(self.seed, 0, 1);
        for cell in self.inner() {
            if self.air[cell] & SEALED == 0 {
                self.gas.iter_mut().for_each(|plane| plane[cell] = rng.below(256) as u8);
                self.fire[cell] = rng.below(40).saturating_sub(30) as u8;
            }
        }
    }

    fn inner(&self) -> Vec<usize> {
        let (w, h) = (self.width, self.height);
        (1..h.max(1) - 1).flat_map(|y| (1..w - 1).map(move |x| y * w + x)).collect()
    }

    fn plane(&mut self, plane: Plane) -> &mut Vec<u8> {
        match plane {
            Plane::Air => &mut self.air,
            Plane::Ignition => &mut self.ignition,
            Plane::BurnTicks => &mut self.burn_ticks,
            Plane::Gas(kind) => &mut self.gas[kind as usize],
            Plane::Fire => &mut self.fire,
        }
    }

    fn step(&mut self, moment: &Moment, scratch: &mut Scratch) {
        let size = (self.width, self.height);
        for kind in Gas::ALL {
            let plane = &mut self.gas[kind as usize];
            let mut activity = Activity::of(plane, size.0, size.1);
            let rate = moment.rates[kind as usize];
            let when = gas::moment(moment.tick, kind);
            gas::step(plane, &self.air, &mut activity, scratch, when, rate);
        }
        let fuel = fire::Fuel {
            ignition: &self.ignition,
            burn_ticks: &self.burn_ticks,
            methane: &self.gas[Gas::Methane as usize],
        };
        let mut activity = Activity::of(&self.fire, size.0, size.1);
        let when = (moment.seed, moment.tick);
        fire::step(&mut self.fire, &fuel, &mut activity, scratch, when, &mut self.events);
    }
}

/// Some zones, on the processor and on a device.
struct Twins {
    zones: Vec<Zone>,
    device: Environment,
    scratch: Scratch,
    tick: u64,
}

const MOVING: [Plane; 5] = [
    Plane::Gas(Gas::Poison),
    Plane::Gas(Gas::Methane),
    Plane::Gas(Gas::Confusion),
    Plane::Gas(Gas::Healing),
    Plane::Fire,
];

impl Twins {
    fn new(mut zones: Vec<Zone>, device: Arc<super::Device>) -> Self {
        let sizes: Vec<_> = zones.iter().map(|zone| (zone.width, zone.height)).collect();
        let mut device = Environment::new(device, &sizes).unwrap();
        for (number, zone) in zones.iter_mut().enumerate() {
            for plane in [Plane::Air, Plane::Ignition, Plane::BurnTicks].into_iter().chain(MOVING) {
                device.load(number, plane, zone.plane(plane)).unwrap();
            }
        }
        Self { zones, device, scratch: Scratch::default(), tick: 0 }
    }

    /// Does a tick on both and compares what burnt.
    fn step(&mut self, rates: [u8; GASES], rests: impl Fn(usize) -> bool) -> Result<(), Failed> {
        self.tick += 1;
        let moments: Vec<Option<Moment>> = (self.zones.iter().enumerate())
            .map(|(number, zone)| {
                (!rests(number)).then_some(Moment { seed: zone.seed, tick: self.tick, rates })
            })
            .collect();
        let tick = self.device.begin(&moments, &[])?;
        for (zone, moment) in self.zones.iter_mut().zip(&moments) {
            zone.events = fire::Events::default();
            if let Some(moment) = moment {
                zone.step(moment, &mut self.scratch);
            }
        }
        let events = self.device.finish(tick)?.events;
        for (number, (zone, events)) in self.zones.iter().zip(events).enumerate() {
            assert_eq!(zone.events, events, "fire, zone {number}, tick {}", self.tick);
        }
        Ok(())
    }

    fn compare(&mut self) {
        for (number, zone) in self.zones.iter_mut().enumerate() {
            let mut found = vec![0; zone.width * zone.height];
            for plane in MOVING {
                self.device.save(number, plane, &mut found).unwrap();
                let place = (number, zone.width);
                compare(&format!("{plane:?}"), place, self.tick, zone.plane(plane), &found);
            }
        }
    }

    fn set(&mut self, number: usize, plane: Plane, cell: usize, value: u8) {
        let cells = self.zones[number].plane(plane);
        cells[cell] = value;
        self.device.edit(number, plane, cells, cell);
    }

    /// Opens a cell to gas or closes it.
    fn let_air(&mut self, number: usize, cell: usize, airy: bool) {
        let zone = &mut self.zones[number];
        let width = zone.width;
        let_air(&mut zone.air, width, cell, airy);
        for cell in [cell - width, cell - 1, cell, cell + 1, cell + width] {
            self.device.edit(number, Plane::Air, &zone.air, cell);
        }
    }

    /// What the rules do between two ticks: what has burnt burns no more, methane is used up, and
    /// now and then there is new gas, new fire, a wall more or less.
    fn interfere(&mut self, rng: &mut Rng) {
        for number in 0..self.zones.len() {
            let events = self.zones[number].events.clone();
            for cell in events.burnt_out.cells() {
                self.set(number, Plane::Ignition, cell as usize, rng.below(64) as u8);
            }
            for cell in events.exploded.cells() {
                self.set(number, Plane::Gas(Gas::Methane), cell as usize, 0);
                self.set(number, Plane::Fire, cell as usize, 4);
            }
            let inner = self.zones[number].inner();
            let Some(&cell) = rng.pick(&inner) else { continue };
            let airy = self.zones[number].air[cell] & SEALED == 0;
            match rng.below(12) {
                0..4 if airy => {
                    let kind = Gas::ALL[rng.below(4) as usize];
                    self.set(number, Plane::Gas(kind), cell, 255);
                }
                4 if airy => self.set(number, Plane::Fire, cell, 9),
                5 => self.let_air(number, cell, !airy),
                6 => self.set(number, Plane::Ignition, cell, rng.below(256) as u8),
                _ => {}
            }
        }
    }
}

#[test]
fn zones_of_any_size_stay_equal_for_thousands_of_ticks() {
    let Some(device) = device() else { return };
    let sizes = [(3, 3), (4, 9), (5, 64), (33, 32), (64, 17), (67, 41), (96, 64), (130, 35)];
    let zones = (0..).zip(sizes).map(|(seed, (width, height))| Zone::new(width, height, seed));
    let mut twins = Twins::new(zones.collect(), device);
    let mut rng = Rng::new(5, 0, 0);
    for round in 0..3_000 {
        twins
            .step(if round % 700 < 350 { [12, 1, 16, 16] } else { [0, 255, 3, 0] }, |zone| {
                // Each sleeps for a while.
                round / 50 % 16 == zone
            })
            .unwrap();
        twins.compare();
        twins.interfere(&mut rng);
    }
}

#[test]
fn full_zones_stay_equal() {
    let Some(device) = device() else { return };
    let mut zones: Vec<Zone> =
        [(256, 256), (200, 100), (1, 1), (2, 40), (40, 2)].map(|(w, h)| Zone::new(w, h, 7)).into();
    zones.iter_mut().for_each(Zone::fill);
    let mut twins = Twins::new(zones, device);
    for _ in 0..60 {
        twins.step([12, 1, 0, 255], |_| false).unwrap();
        twins.compare();
    }
}

#[test]
fn ten_thousand_sources_of_gas_and_fire_stay_equal() {
    let Some(device) = device() else { return };
    let mut twins = Twins::new(vec![Zone::new(256, 256, 3)], device);
    let inner = twins.zones[0].inner();
    let mut rng = Rng::new(6, 0, 0);
    for _ in 0..12 {
        for _ in 0..10_000 {
            let Some(&cell) = rng.pick(&inner) else { continue };
            if twins.zones[0].air[cell] & SEALED == 0 {
                twins.set(0, Plane::Gas(Gas::Methane), cell, 200);
                twins.set(0, Plane::Fire, cell, 3);
            }
        }
        twins.step([0, 1, 2, 3], |_| false).unwrap();
        twins.compare();
    }
}

#[test]
fn a_device_that_is_lost_says_so_and_leaves_the_reference_as_it_was() {
    let Some(device) = open() else { return };
    let device = Arc::new(device);
    let mut twins = Twins::new(vec![Zone::new(64, 32, 9)], Arc::clone(&device));
    twins.step([0; GASES], |_| false).unwrap();
    device.lose_after(0);
    let failed = twins.step([0; GASES], |_| false).unwrap_err();
    assert_eq!(failed.name, device.name());
}
