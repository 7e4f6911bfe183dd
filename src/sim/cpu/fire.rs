//! Fire: burns down, spreads to what is flammable beside it, and sets off methane.

use super::activity::{Activity, Around, Pass, Scratch, sweep, sweep_wide};
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
    sweep_wide(fire, activity, scratch, &mut burn);
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

/// Bits of a cell's fate.
const BURNT_OUT: u8 = 1 << 0;
const IGNITES: u8 = 1 << 1;
const EXPLODES: u8 = 1 << 2;

/// Cells done at a time, whatever becomes of them: vector code has a fixed size.
const BLOCK: usize = 64;
type Block = [u8; BLOCK];

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

    /// Burns the cells from index `first` on; `near` says of the cells themselves and of those
    /// above, below, to the left and to the right whether they burn, `fuel` holds ignition, burn
    /// ticks and methane.
    #[inline(always)]
    fn burn(&mut self, cells: &mut Block, first: usize, near: [&Block; 5], fuel: [&Block; 3]) {
        let [own, up, down, left, right] = near;
        let [ignition, burn_ticks, methane] = fuel;
        let mut fates = [0; BLOCK];
        let mut any = 0;
        for i in 0..BLOCK {
            let beside = up[i] | down[i] | left[i] | right[i];
            let burnt_out = u8::from(cells[i] == 1);
            let may_ignite = beside & (own[i] ^ 1) & u8::from(ignition[i] != 0);
            let explodes = (beside | own[i]) & u8::from(methane[i] != 0);
            cells[i] -= own[i];
            fates[i] = burnt_out | may_ignite << 1 | explodes << 2;
            any |= fates[i];
        }
        if any & IGNITES != 0 {
            any = self.kindle(cells, &mut fates, first, ignition, burn_ticks);
        }
        if any != 0 {
            self.record(&fates, any, u32::try_from(first).expect("a zone has below 2^32 cells"));
        }
    }

    /// Lights those of the cells that may catch fire whose draw says so, and takes `IGNITES` from
    /// the others. A draw for every cell, side by side, is cheaper than one for each that may.
    #[inline(always)]
    fn kindle(
        &self,
        cells: &mut Block,
        fates: &mut Block,
        first: usize,
        ignition: &Block,
        burn_ticks: &Block,
    ) -> u8 {
        let mut draws = [0; BLOCK];
        for (draw, cell) in draws.iter_mut().zip(first as u32..) {
            *draw = noise::bits(self.key, cell) as u8;
        }
        let mut any = 0;
        for i in 0..BLOCK {
            let lights = u8::from(draws[i] < ignition[i]) * IGNITES;
            fates[i] &= !IGNITES | lights;
            // What may catch fire holds 0.
            let ticks = burn_ticks[i].max(1);
            cells[i] |= if fates[i] & IGNITES == 0 { 0 } else { ticks };
            any |= fates[i];
        }
        any
    }

    /// Lists what happens to the cells of a block; `any` holds every bit that is set in one.
    #[inline(always)]
    fn record(&mut self, fates: &Block, any: u8, first: u32) {
        for (fate, list) in [
            (BURNT_OUT, &mut self.events.burnt_out),
            (IGNITES, &mut self.events.ignited),
            (EXPLODES, &mut self.events.exploded),
        ] {
            if any & fate != 0 {
                let mut marks = [0; BLOCK];
                for i in 0..BLOCK {
                    marks[i] = fates[i] & fate;
                }
                let mut left = bits::pack_row(&marks);
                list.extend((0..left.count_ones()).map(|_| {
                    let cell = first + left.trailing_zeros();
                    left &= left - 1;
                    cell
                }));
            }
        }
    }
}

/// A part of a block filled up with 0.
fn padded(part: &[u8]) -> Block {
    let mut block = [0; BLOCK];
    block[..part.len()].copy_from_slice(part);
    block
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
        let count = cells.len();
        let near = [(0, 0), (0, -1), (0, 1), (-1, 0), (1, 0)]
            .map(|(ahead, below)| around.of(0, count, ahead, below).as_chunks::<BLOCK>());
        let fuel = [self.fuel.ignition, self.fuel.burn_ticks, self.fuel.methane]
            .map(|plane| plane[first..first + count].as_chunks::<BLOCK>());
        let (blocks, rest) = cells.as_chunks_mut::<BLOCK>();
        for (number, cells) in blocks.iter_mut().enumerate() {
            let near = near.map(|(blocks, _)| &blocks[number]);
            let fuel = fuel.map(|(blocks, _)| &blocks[number]);
            self.burn(cells, first + number * BLOCK, near, fuel);
        }
        if !rest.is_empty() {
            let mut cells = padded(rest);
            let near = near.map(|(_, rest)| padded(rest));
            let fuel = fuel.map(|(_, rest)| padded(rest));
            let first = first + count - rest.len();
            self.burn(&mut cells, first, near.each_ref(), fuel.each_ref());
            rest.copy_from_slice(&cells[..rest.len()]);
        }
    }
}

#[cfg(test)]
#[path = "fire_tests.rs"]
mod tests;
