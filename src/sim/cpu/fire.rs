//! Fire: burns down, spreads to what is flammable beside it, and sets off methane.

use super::activity::{Activity, Around, Pass, Scratch, sweep};
use super::{bits, noise};

/// What the cells of a zone have to burn, a byte a cell.
#[derive(Clone, Copy, Debug)]
pub struct Fuel<'a> {
    /// Chance in 256 to catch fire from burning neighbours in a tick; 0 never does (water, stone).
    pub ignition: &'a [u8],
    /// Ticks it burns for once it has caught fire; 0 counts as 1.
    pub burn_ticks: &'a [u8],
    /// Concentration of methane.
    pub methane: &'a [u8],
}

/// What a tick of fire has done: cell indices in row-major order.
///
/// A cell may be in several lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Caught fire in this tick.
    pub ignited: Vec<u32>,
    /// Burnt for the last time in this tick.
    pub burnt_out: Vec<u32>,
    /// Hold methane and burn or lie beside a burning cell. The caller takes the gas away, deals
    /// the damage and may set the cell on fire.
    pub exploded: Vec<u32>,
}

/// Burns for one tick; `events` is cleared first.
///
/// `fire` holds the ticks that each cell goes on burning, 0 for none. `activity` belongs to it:
/// whoever sets a cell on fire wakes it there too. The outer border must not be flammable.
pub fn step(
    fire: &mut [u8],
    fuel: &Fuel<'_>,
    activity: &mut Activity,
    scratch: &mut Scratch,
    (seed, tick): (u64, u64),
    events: &mut Events,
) {
    let mut burn = Burn::new(fire.len(), fuel, (seed, tick), events);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just been asked for AVX2.
        unsafe { sweep_avx2(fire, activity, scratch, &mut burn) };
        return;
    }
    sweep(fire, activity, scratch, &mut burn);
}

/// The same as [`step`] in the instructions that every processor has, to compare with.
pub fn step_baseline(
    fire: &mut [u8],
    fuel: &Fuel<'_>,
    activity: &mut Activity,
    scratch: &mut Scratch,
    (seed, tick): (u64, u64),
    events: &mut Events,
) {
    let mut burn = Burn::new(fire.len(), fuel, (seed, tick), events);
    sweep(fire, activity, scratch, &mut burn);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sweep_avx2(
    fire: &mut [u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    burn: &mut Burn<'_>,
) {
    sweep(fire, activity, scratch, burn);
}

/// Bits of a cell's fate.
const BURNT_OUT: u8 = 1 << 0;
const MAY_IGNITE: u8 = 1 << 1;
const EXPLODES: u8 = 1 << 2;

/// Cells classified at a time.
const BLOCK: usize = 64;

struct Burn<'a> {
    fuel: Fuel<'a>,
    key: u32,
    events: &'a mut Events,
}

impl<'a> Burn<'a> {
    fn new(
        cells: usize,
        fuel: &Fuel<'a>,
        (seed, tick): (u64, u64),
        events: &'a mut Events,
    ) -> Self {
        for plane in [fuel.ignition, fuel.burn_ticks, fuel.methane] {
            assert_eq!(plane.len(), cells, "all planes are of the same zone");
        }
        events.ignited.clear();
        events.burnt_out.clear();
        events.exploded.clear();
        Self { fuel: *fuel, key: noise::key(seed, tick), events }
    }

    /// Lists what happens to the cells of a block and lights those that catch fire.
    fn record(&mut self, cells: &mut [u8], first: usize, fates: &[u8; BLOCK]) {
        for i in bits::ones(bits::pack_row(fates)) {
            let (index, fate) = (first + i, fates[i]);
            let cell = u32::try_from(index).expect("a zone has fewer than 2^32 cells");
            if fate & BURNT_OUT != 0 {
                self.events.burnt_out.push(cell);
            }
            if fate & EXPLODES != 0 {
                self.events.exploded.push(cell);
            }
            let chance = u32::from(self.fuel.ignition[index]);
            if fate & MAY_IGNITE != 0 && noise::bits(self.key, cell) & 255 < chance {
                cells[i] = self.fuel.burn_ticks[index].max(1);
                self.events.ignited.push(cell);
            }
        }
    }
}

impl Pass for Burn<'_> {
    /// Whether each cell burns.
    #[inline(always)]
    fn derive(&self, to: &mut [u8], cells: &[u8], _first: usize) {
        for (to, &cell) in to.iter_mut().zip(cells) {
            *to = u8::from(cell != 0);
        }
    }

    #[inline(always)]
    fn apply(&mut self, cells: &mut [u8], first: usize, around: &Around<'_>) {
        for (block, cells) in cells.chunks_mut(BLOCK).enumerate() {
            let from = block * BLOCK;
            let count = cells.len();
            let burns = |ahead, below| around.of(from, count, ahead, below);
            let (own, up, down) = (burns(0, 0), burns(0, -1), burns(0, 1));
            let (left, right) = (burns(-1, 0), burns(1, 0));
            let ignition = &self.fuel.ignition[first + from..first + from + count];
            let methane = &self.fuel.methane[first + from..first + from + count];
            let mut fates = [0; BLOCK];
            let mut any = 0;
            for i in 0..count {
                let beside = up[i] | down[i] | left[i] | right[i];
                let burnt_out = u8::from(cells[i] == 1);
                let may_ignite = beside & (own[i] ^ 1) & u8::from(ignition[i] != 0);
                let explodes = (beside | own[i]) & u8::from(methane[i] != 0);
                cells[i] -= own[i];
                fates[i] = burnt_out | may_ignite << 1 | explodes << 2;
                any |= fates[i];
            }
            if any != 0 {
                self.record(cells, first + from, &fates);
            }
        }
    }
}

#[cfg(test)]
#[path = "fire_tests.rs"]
mod tests;
