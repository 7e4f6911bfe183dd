//! The zones of a thread as a device has them: a mirror of their states.
//!
//! What rules change goes up with the next tick, and rows in which something may have moved come
//! back. States are touched only when all of it is here: the device may fail at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::device::Device;
use super::environment::{Environment, Moment, Plane, Rows};
use crate::game::catalog::Gas;
use crate::game::state::ZoneState;
use crate::model::{Tick, ZoneId};
use crate::sim::cpu::activity::Activity;
use crate::sim::cpu::environment::clear;
use crate::sim::{Failed, Job, Scratch};

/// Zones on a device.
#[derive(Debug)]
pub struct Zones {
    environment: Environment,
    places: Vec<Place>,
    /// Where each zone is.
    found: BTreeMap<ZoneId, usize>,
}

/// Room for a zone.
#[derive(Debug)]
struct Place {
    size: (usize, usize),
    /// The zone, seed and tick whose planes are in it.
    holds: Option<(ZoneId, u64, Tick)>,
}

impl Zones {
    pub(in crate::sim) fn new(device: Arc<Device>) -> Result<Self, Failed> {
        let environment = Environment::new(device, &[])?;
        Ok(Self { environment, places: Vec::new(), found: BTreeMap::new() })
    }

    /// Moves gas and fire as `Job::spread` does; where that fails, nothing of the states has changed.
    pub(in crate::sim) fn spread(&mut self, jobs: &mut [Job<'_>]) -> Result<(), Failed> {
        let (mut busy, mut quiet): (Vec<_>, Vec<_>) =
            jobs.iter_mut().partition(|job| planes(job.scratch).any(|(_, it)| !it.is_quiet()));
        self.make_places(&busy)?;
        for job in &quiet {
            self.follow(job);
        }
        let mut moments = vec![None; self.places.len()];
        let (mut wanted, mut owners) = (Vec::new(), Vec::new());
        for (number, job) in busy.iter_mut().enumerate() {
            let zone = self.found[&job.state.zone];
            if !self.follow(job) {
                self.load(zone, job.state)?;
            }
            let rates = Gas::ALL.map(|kind| kind.row().dissipation);
            moments[zone] = Some(Moment { seed: job.state.seed, tick: job.state.tick.0, rates });
            for (plane, activity) in planes(job.scratch) {
                for rows in activity.active_rows() {
                    wanted.push(Rows { zone, plane, rows });
                    owners.push(number);
                }
            }
        }
        let mut done = None;
        if !busy.is_empty() {
            let tick = self.environment.begin(&moments, &wanted)?;
            done = Some(self.environment.finish(tick)?);
        }
        // From here on nothing fails.
        quiet.iter_mut().for_each(|job| job.spread());
        let Some(mut done) = done else { return Ok(()) };
        for job in &mut busy {
            clear(job.state, job.scratch);
            note_air(job.scratch);
        }
        let mut words = done.rows.as_slice();
        for (rows, owner) in wanted.iter().zip(owners) {
            let state = &mut *busy[owner].state;
            let width = usize::from(state.width);
            let cells = rows.rows.start * width..rows.rows.end * width;
            self.environment.unpack(rows, &mut words, &mut cells_of(state, rows.plane)[cells]);
        }
        for job in &mut busy {
            for (kind, activity) in job.scratch.gas.iter_mut().enumerate() {
                activity.settle_active(&job.state.gas[kind]);
            }
            let fire = job.scratch.fire.as_mut().expect("attune makes the activities");
            fire.settle_active(&job.state.fire);
            note_air(job.scratch);
            let events = &mut done.events[self.found[&job.state.zone]];
            job.scratch.burning = std::mem::take(events);
        }
        Ok(())
    }

    /// Makes sure that each of these has a place.
    fn make_places(&mut self, busy: &[&mut Job<'_>]) -> Result<(), Failed> {
        let has_place = |job: &Job<'_>| {
            let at = self.found.get(&job.state.zone);
            at.is_some_and(|&at| self.places[at].size == size(job.state))
        };
        let (settled, new): (Vec<_>, Vec<_>) = busy.iter().partition(|job| has_place(job));
        if new.is_empty() {
            return Ok(());
        }
        // Where nothing moves there is room for others.
        let settled: BTreeSet<_> = settled.iter().map(|job| job.state.zone).collect();
        self.found.retain(|zone, _| settled.contains(zone));
        let mut taken: BTreeSet<_> = self.found.values().copied().collect();
        for job in new {
            let is_free =
                |at: &usize| !taken.contains(at) && self.places[*at].size == size(job.state);
            let Some(at) = (0..self.places.len()).find(is_free) else {
                return self.make_room(busy);
            };
            taken.insert(at);
            self.places[at].holds = None;
            self.found.insert(job.state.zone, at);
        }
        Ok(())
    }

    /// Makes room for these alone.
    fn make_room(&mut self, busy: &[&mut Job<'_>]) -> Result<(), Failed> {
        let sizes: Vec<_> = busy.iter().map(|job| size(job.state)).collect();
        self.environment.resize(&sizes)?;
        self.places = sizes.into_iter().map(|size| Place { size, holds: None }).collect();
        self.found = busy.iter().map(|job| job.state.zone).zip(0..).collect();
        Ok(())
    }

    /// Notes what rules have changed in a zone; false if its place does not hold it as it was.
    fn follow(&mut self, job: &Job<'_>) -> bool {
        let Some(&zone) = self.found.get(&job.state.zone) else { return false };
        let (state, scratch) = (&*job.state, &*job.scratch);
        let holds = &mut self.places[zone].holds;
        let is_followed = !scratch.is_new && holds.is_some() && *holds == scratch.stamp;
        let Some(stamp) = holds else { return false };
        if !is_followed {
            *holds = None;
            return false;
        }
        stamp.2 = state.tick;
        let edit = &mut |plane, cells: &[u8], cell: u32| {
            self.environment.edit(zone, plane, cells, cell as usize);
        };
        for (kind, woken) in Gas::ALL.into_iter().zip(&scratch.woken.gas) {
            let plane = &state.gas[kind as usize];
            woken.iter().for_each(|&cell| edit(Plane::Gas(kind), plane, cell));
        }
        scratch.woken.fire.iter().for_each(|&cell| edit(Plane::Fire, &state.fire, cell));
        for &cell in &scratch.woken.terrain {
            edit(Plane::Ignition, &state.derived.ignition, cell);
            edit(Plane::BurnTicks, &state.derived.burn_ticks, cell);
            // Its neighbours have a way more or less.
            let width = u32::from(state.width);
            let near =
                [cell.wrapping_sub(width), cell.wrapping_sub(1), cell, cell + 1, cell + width];
            for cell in near.into_iter().filter(|&cell| (cell as usize) < state.area()) {
                edit(Plane::Air, &state.derived.air, cell);
            }
        }
        true
    }

    /// Puts a zone into its place.
    fn load(&mut self, zone: usize, state: &mut ZoneState) -> Result<(), Failed> {
        for plane in Plane::ALL {
            self.environment.load(zone, plane, cells_of(state, plane))?;
        }
        self.places[zone].holds = Some((state.zone, state.seed, state.tick));
        Ok(())
    }
}

fn size(state: &ZoneState) -> (usize, usize) {
    (state.width.into(), state.height.into())
}

fn cells_of(state: &mut ZoneState, plane: Plane) -> &mut Vec<u8> {
    match plane {
        Plane::Air => &mut state.derived.air,
        Plane::Ignition => &mut state.derived.ignition,
        Plane::BurnTicks => &mut state.derived.burn_ticks,
        Plane::Gas(kind) => &mut state.gas[kind as usize],
        Plane::Fire => &mut state.fire,
    }
}

/// The planes that move, and where there is something in them.
fn planes(scratch: &Scratch) -> impl Iterator<Item = (Plane, &Activity)> {
    let gas = Gas::ALL.into_iter().map(Plane::Gas).zip(&scratch.gas);
    gas.chain(scratch.fire.iter().map(|fire| (Plane::Fire, fire)))
}

/// Notes where there is gas: there the air may look different after the tick.
fn note_air(scratch: &mut Scratch) {
    for activity in &scratch.gas {
        activity.add_busy(&mut scratch.airs);
    }
}
