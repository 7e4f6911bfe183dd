//! What a zone's kernels keep from tick to tick without it being part of the state.

use std::collections::BTreeMap;

use super::cpu::activity::{self, Activity};
use super::cpu::fov::Visible;
use super::cpu::{decide, distance, fire};
use crate::game::items::Looks;
use crate::game::state::{GASES, Woken, ZoneState};
use crate::model::{CharacterId, Tick, ZoneId};

/// Buffers and caches of one zone. Everything in here follows from the state, so a fresh one gives
/// the same steps; it must not be used for two zones in turn if speed matters, and whoever changes
/// a state from outside has to call [`Scratch::forget`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// The zone and tick that the caches are of.
    pub(super) stamp: Option<(ZoneId, u64, Tick)>,
    /// Whether they were made anew for this tick.
    pub(super) is_new: bool,
    /// What rules have changed for gas and fire since these last moved.
    pub(super) woken: Woken,
    pub(super) gas: Vec<Activity>,
    pub(super) fire: Option<Activity>,
    pub(super) rows: activity::Scratch,
    pub(super) distance: distance::Scratch,
    pub(super) burning: fire::Events,
    /// The strongest gas of each cell as players see it, kind in the high half, level in the low.
    pub(super) haze: Vec<u8>,
    /// Chunks whose air may look different, a word a row of chunks.
    pub(super) airs: Vec<u64>,
    pub(super) sights: BTreeMap<CharacterId, Sight>,
    pub(super) looks: Option<(u64, Looks)>,
    /// Hunted players by the tiles that they may see; made anew every tick.
    pub(super) prey_near: Vec<Vec<u16>>,
    pub(super) choices: Vec<decide::Choice>,
    pub(super) claims: Vec<decide::Claim>,
    pub(super) blows: Vec<(u16, decide::Intent)>,
}

/// What one player sees, and what that was worked out from.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub(super) visible: Visible,
    pub(super) cell: u32,
    pub(super) radius: u16,
    /// Item kinds known when the memory was written.
    pub(super) known: usize,
}

impl Scratch {
    /// Makes an empty one, for any zone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Drops every cache: to be called after the state was changed from outside.
    pub fn forget(&mut self) {
        self.stamp = None;
    }

    /// Makes sure that the caches are those of `state`.
    pub(super) fn attune(&mut self, state: &ZoneState) {
        let stamp = Some((state.zone, state.seed, state.tick));
        if self.stamp == stamp {
            return;
        }
        let (width, height) = (usize::from(state.width), usize::from(state.height));
        self.gas = (0..GASES).map(|kind| Activity::of(&state.gas[kind], width, height)).collect();
        self.fire = Some(Activity::of(&state.fire, width, height));
        self.haze = (0..state.area()).map(|cell| super::appearance::haze(state, cell)).collect();
        self.sights.clear();
        if self.looks.as_ref().is_none_or(|(seed, _)| *seed != state.world_seed) {
            self.looks = Some((state.world_seed, Looks::of_world(state.world_seed)));
        }
        super::cpu::visibility::look_around(state, self);
        self.stamp = stamp;
        self.is_new = true;
    }

    /// Says that the caches now belong to the tick that was just made.
    pub(super) fn advance(&mut self, state: &ZoneState) {
        self.stamp = Some((state.zone, state.seed, state.tick));
        self.is_new = false;
    }
}
