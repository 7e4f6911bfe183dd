//! Who makes the ticks of a thread's zones.

#[cfg(feature = "gpu")]
use std::sync::Arc;

#[cfg(feature = "gpu")]
use super::gpu::{Zones, device::Device};
use super::{Kernel, Scratch, StepOutput, cpu};
use crate::game::state::{Input, ZoneState};
use crate::game::turn::Turn;

/// A tick of a zone that is to be made, as [`super::step`] makes it.
#[derive(Debug)]
pub struct Job<'a> {
    pub state: &'a mut ZoneState,
    pub inputs: &'a [Input],
    pub scratch: &'a mut Scratch,
    pub out: &'a mut StepOutput,
}

/// The device has failed. Nothing that is on it counts any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the graphics device {name} has failed: {why}")]
pub struct Failed {
    pub name: String,
    pub why: String,
}

/// Makes ticks of many zones at a time. Whichever it is, they come to the same states.
#[derive(Debug, Default)]
pub enum Executor {
    /// One zone after the other, on this thread.
    #[default]
    Cpu,
    /// Gas and fire of all of them at once, on a graphics device.
    #[cfg(feature = "gpu")]
    Gpu(Box<Zones>),
}

impl Executor {
    /// One that uses a device.
    #[cfg(feature = "gpu")]
    pub fn on(device: Arc<Device>) -> Result<Self, Failed> {
        Ok(Self::Gpu(Box::new(Zones::new(device)?)))
    }

    /// Makes a tick of each of these zones; none is there twice. A device that fails is told of,
    /// and used no more: the ticks are made all the same.
    pub fn step(&mut self, jobs: &mut [Job<'_>]) -> Result<(), Failed> {
        match self {
            Self::Cpu => {
                jobs.iter_mut().for_each(Job::run);
                Ok(())
            }
            #[cfg(feature = "gpu")]
            Self::Gpu(zones) => {
                jobs.iter_mut().for_each(|job| job.begin(&mut |_| {}));
                let spread = zones.spread(jobs);
                if spread.is_err() {
                    jobs.iter_mut().for_each(Job::spread);
                    *self = Self::Cpu;
                }
                jobs.iter_mut().for_each(|job| job.end(&mut |_| {}));
                spread
            }
        }
    }
}

impl Job<'_> {
    /// Makes it on the processor.
    pub fn run(&mut self) {
        self.begin(&mut |_| {});
        self.spread();
        self.end(&mut |_| {});
    }

    /// Does what comes before gas and fire move. `after` is called when each kernel has run.
    pub(super) fn begin(&mut self, after: &mut dyn FnMut(Kernel)) {
        self.scratch.attune(self.state);
        self.state.tick = self.state.tick.next();
        self.out.events.clear();
        let turn = &mut Turn { state: &mut *self.state, events: &mut self.out.events };
        cpu::commands::run(turn, self.inputs);
        after(Kernel::Commands);
        cpu::environment::begin(turn, self.scratch);
    }

    /// Moves gas and fire, on the processor.
    pub(super) fn spread(&mut self) {
        cpu::environment::spread(self.state, self.scratch);
    }

    /// Does what comes after it.
    pub(super) fn end(&mut self, after: &mut dyn FnMut(Kernel)) {
        let (scratch, out) = (&mut *self.scratch, &mut *self.out);
        let turn = &mut Turn { state: &mut *self.state, events: &mut out.events };
        cpu::environment::end(turn, scratch);
        after(Kernel::Environment);
        cpu::scent::run(turn.state);
        after(Kernel::Scent);
        cpu::maps::run(turn.state, scratch);
        after(Kernel::Maps);
        cpu::decide::run(turn.state, scratch);
        after(Kernel::Decide);
        cpu::resolve::run(turn, scratch);
        after(Kernel::Resolve);
        cpu::combat::run(turn, scratch);
        after(Kernel::Combat);
        cpu::births::run(turn);
        after(Kernel::DeathsAndBirths);
        cpu::visibility::run(turn.state, scratch, &mut out.news);
        after(Kernel::Visibility);
        scratch.advance(turn.state);
    }
}
