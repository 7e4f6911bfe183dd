//! The graphics device of this machine, a software one as well, and work for it.

use std::io::Write;
use std::sync::Arc;

use undercroft::game::catalog::Gas;
use undercroft::game::derive::SEALED;
use undercroft::game::state::ZoneState;
use undercroft::model::ZoneId;
use undercroft::sim::gpu::device::Device;

use crate::server::fresh;

/// Nothing where there is none, unless `REQUIRE_GPU` is set.
pub fn open() -> Option<Arc<Device>> {
    let opened = Device::open();
    if let Err(error) = &opened {
        assert!(std::env::var_os("REQUIRE_GPU").is_none(), "no graphics device: {error:?}");
        // Past the harness, which keeps what passing tests say to itself.
        let said = b"skipped: zones on a graphics device: there is none\n";
        std::io::stderr().write_all(said).unwrap();
    }
    opened.ok().map(Arc::new)
}

/// A zone as the generator makes it, but full of gas.
pub fn full_of_gas(seed: u64, id: ZoneId) -> ZoneState {
    let mut state = fresh(seed, id);
    for (kind, level) in [(Gas::Methane, 60), (Gas::Healing, 200)] {
        for (cell, air) in state.gas[kind as usize].iter_mut().zip(&state.derived.air) {
            *cell = if air & SEALED == 0 { level } else { 0 };
        }
    }
    state
}
