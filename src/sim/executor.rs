//! Who makes the ticks of a thread's zones.

use super::{Scratch, StepOutput, step};
use crate::game::state::{Input, ZoneState};

/// A tick of a zone that is to be made, as [`step`] makes it.
#[derive(Debug)]
pub struct Job<'a> {
    pub state: &'a mut ZoneState,
    pub inputs: &'a [Input],
    pub scratch: &'a mut Scratch,
    pub out: &'a mut StepOutput,
}

/// Makes ticks of many zones at a time.
#[derive(Debug, Default)]
pub enum Executor {
    /// One zone after the other, on this thread.
    #[default]
    Cpu,
}

impl Executor {
    /// Makes a tick of each of these zones; none is there twice.
    pub fn step(&mut self, jobs: &mut [Job<'_>]) {
        match self {
            Self::Cpu => {
                for Job { state, inputs, scratch, out } in jobs {
                    step(state, inputs, scratch, out);
                }
            }
        }
    }
}
