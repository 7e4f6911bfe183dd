//! Executes a tick: a fixed list of kernels over the arrays of a zone.
//!
//! Entry point: [`step`]. `cpu/<kernel>.rs` is the reference. A state and its inputs decide the
//! next state to the bit, on any machine. It must never see a clock, a socket or a file.

mod appearance;
pub mod cpu;
mod executor;
#[cfg(feature = "gpu")]
pub mod gpu;
mod scratch;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use appearance::{actor_visible_to, appearance, retain_visible, visible};
pub use cpu::fov::Visible;
pub use executor::{Executor, Failed, Job};
pub use scratch::Scratch;

pub use crate::game::generate::{ZoneSpec, generate};
pub use crate::game::hash::hash;
pub use crate::game::player::new_sheet;
use crate::game::state::{Event, Input, ZoneState};
use crate::model::CharacterId;

/// The version of the rules and kernels: a journal is re-run only by the version that wrote it.
pub const VERSION: u32 = 3;

/// What a tick has to tell. The caller keeps it from tick to tick, for its buffers.
#[derive(Debug, Default)]
pub struct StepOutput {
    pub events: Vec<Event>,
    /// Cells that a player's memory holds differently now, sorted; one entry for each player of
    /// the zone, empty if nothing is new.
    pub news: BTreeMap<CharacterId, Vec<u32>>,
}

/// The parts of a tick, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kernel {
    Commands,
    Environment,
    Scent,
    Maps,
    Decide,
    Resolve,
    Combat,
    DeathsAndBirths,
    Visibility,
}

impl Kernel {
    /// All kernels in the order of a tick.
    pub const ALL: [Self; 9] = [
        Self::Commands,
        Self::Environment,
        Self::Scent,
        Self::Maps,
        Self::Decide,
        Self::Resolve,
        Self::Combat,
        Self::DeathsAndBirths,
        Self::Visibility,
    ];
}

/// Makes one tick. `inputs` are applied in their order; `out` is overwritten.
pub fn step(state: &mut ZoneState, inputs: &[Input], scratch: &mut Scratch, out: &mut StepOutput) {
    step_with(state, inputs, scratch, out, &mut |_| {});
}

/// Makes one tick and calls `after` when each kernel has run, so that a benchmark can take times.
pub fn step_with(
    state: &mut ZoneState,
    inputs: &[Input],
    scratch: &mut Scratch,
    out: &mut StepOutput,
    after: &mut dyn FnMut(Kernel),
) {
    let mut job = Job { state, inputs, scratch, out };
    job.begin(after);
    job.spread();
    job.end(after);
}

/// Completes a state that was loaded from a snapshot: stepping it is stepping the original.
pub fn restore(state: &mut ZoneState) {
    crate::game::derive::derive(state);
}
