//! Scent: players leave the time of their passing behind.

use crate::game::state::ZoneState;

pub(in crate::sim) fn run(state: &mut ZoneState) {
    let now = state.now();
    let slots: Vec<u16> = state.bodies().collect();
    for slot in slots {
        if !state.floats(slot) && !state.is_guarded(slot) {
            let cell = state.actor(slot).cell as usize;
            state.scent[cell] = now;
        }
    }
}
