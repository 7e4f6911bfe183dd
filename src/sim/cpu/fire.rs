//! Fire: burns down, spreads to what is flammable beside it, and sets off methane.

use lanes::{BLOCK, Lanes};

use super::activity::{Activity, CHUNK_HEIGHT, CHUNK_WIDTH, Scratch};
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

/// What a tick of fire has done. A cell may be in several lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Caught fire in this tick.
    pub ignited: Marks,
    /// Burnt for the last time in this tick.
    pub burnt_out: Marks,
    /// Hold methane and burn or lie beside a burning cell. The caller takes the gas away, deals
    /// the damage and may set the cell on fire.
    pub exploded: Marks,
}

/// Marked cells in row-major order, as masks of blocks with their first cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(Vec<(u32, u64)>);

impl Marks {
    /// The indices of the cells.
    pub fn cells(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|&(first, mask)| bits::ones(mask).map(move |i| first + i as u32))
    }

    #[inline(always)]
    fn push(&mut self, first: usize, mask: u64) {
        if mask != 0 {
            self.0.push((u32::try_from(first).expect("a zone has below 2^32 cells"), mask));
        }
    }
}

/// Burns for one tick; `events` is cleared first.
///
/// `fire` holds the ticks that each cell goes on burning, 0 for none. `activity` belongs to it:
/// whoever sets a cell on fire wakes it there too. The outer border must neither be flammable nor
/// burn.
pub fn step(
    fire: &mut [u8],
    fuel: &Fuel<'_>,
    activity: &mut Activity,
    scratch: &mut Scratch,
    (seed, tick): (u64, u64),
    events: &mut Events,
) {
    let mut burn = Burn::new(fire.len(), fuel, activity, (seed, tick), events);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        // SAFETY: the processor has just been asked for both.
        return unsafe { burn_avx512(fire, activity, scratch, &mut burn) };
    }
    burn_active::<[u8; BLOCK]>(fire, activity, scratch, &mut burn);
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
    let mut burn = Burn::new(fire.len(), fuel, activity, (seed, tick), events);
    burn_active::<[u8; BLOCK]>(fire, activity, scratch, &mut burn);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn burn_avx512(
    fire: &mut [u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    burn: &mut Burn<'_>,
) {
    burn_active::<lanes::Avx512>(fire, activity, scratch, burn);
}

/// Burns the active chunks, a row of one at a time.
#[inline(always)]
fn burn_active<L: Lanes>(
    fire: &mut [u8],
    activity: &mut Activity,
    scratch: &mut Scratch,
    burn: &mut Burn<'_>,
) {
    const { assert!(BLOCK == CHUNK_WIDTH) };
    let (width, height) = (activity.width(), activity.height());
    if activity.is_quiet() || width < 3 || height < 3 {
        return;
    }
    let (active, burning) = scratch.bits(activity);
    // A word for each block of a strip, of the row above and of the one below it, and a quiet one
    // at either end of a row.
    let stride = width.div_ceil(BLOCK) + 2;
    burning.clear();
    burning.resize((CHUNK_HEIGHT + 2) * stride, 0);
    for (strip, &mask) in active.iter().enumerate() {
        let rows = (strip * CHUNK_HEIGHT).max(1)..((strip + 1) * CHUNK_HEIGHT).min(height - 1);
        if mask == 0 || rows.is_empty() {
            burning[..stride].fill(0);
            continue;
        }
        // Row 0 of `burning` was left by the strip above, which has changed since.
        let below = burning[stride..].chunks_exact_mut(stride);
        for (words, row) in below.zip(fire[rows.start * width..].chunks_exact(width)) {
            for (chunk, (word, cells)) in words[1..].iter_mut().zip(row.chunks(BLOCK)).enumerate() {
                *word = if mask >> chunk & 1 == 0 { 0 } else { L::load(cells).holding() };
            }
        }
        let mut busy = 0;
        for (r, y) in rows.clone().enumerate() {
            let near = &burning[r * stride..][..3 * stride];
            let row = &mut fire[y * width..][..width];
            for (chunk, cells) in row.chunks_mut(BLOCK).enumerate() {
                let at = stride + 1 + chunk;
                let own = near[at];
                let across = own << 1 | own >> 1 | near[at - 1] >> 63 | near[at + 1] << 63;
                let beside = across | near[at - stride] | near[at + stride];
                // So it is in all chunks that are not active.
                if own | beside != 0 {
                    busy |= u64::from(burn.block::<L>(cells, (chunk, y), own, beside)) << chunk;
                }
            }
        }
        activity.set_busy(strip, mask, busy);
        burning.copy_within(rows.len() * stride..(rows.len() + 1) * stride, 0);
    }
}

struct Burn<'a> {
    fuel: Fuel<'a>,
    width: usize,
    key: u32,
    events: &'a mut Events,
}

impl<'a> Burn<'a> {
    fn new(
        cells: usize,
        fuel: &Fuel<'a>,
        activity: &Activity,
        (seed, tick): (u64, u64),
        events: &'a mut Events,
    ) -> Self {
        let width = activity.width();
        assert_eq!(cells, width * activity.height(), "a plane has one byte a cell");
        for plane in [fuel.ignition, fuel.burn_ticks, fuel.methane] {
            assert_eq!(plane.len(), cells, "all planes are of the same zone");
        }
        events.ignited.0.clear();
        events.burnt_out.0.clear();
        events.exploded.0.clear();
        Self { fuel: *fuel, width, key: noise::key(seed, tick), events }
    }

    /// Burns a row of a chunk, of which the cells in `own` burn and those in `beside` lie beside a
    /// burning one; returns whether any burns now.
    #[inline(always)]
    fn block<L: Lanes>(
        &mut self,
        cells: &mut [u8],
        (chunk, y): (usize, usize),
        own: u64,
        beside: u64,
    ) -> bool {
        let first = y * self.width + chunk * BLOCK;
        let held = |plane: &[u8]| L::load(&plane[first..first + cells.len()]);
        let ignition = held(self.fuel.ignition);
        let exploded = (own | beside) & held(self.fuel.methane).holding();
        let mut now = L::load(cells).lowered();
        let left = now.holding();
        let mut ignited = beside & !own & ignition.holding();
        if ignited != 0 {
            let word = noise::word(chunk * BLOCK, y, self.width);
            ignited &= ignition.above(L::draws(self.key, word));
            now = now.with(ignited, held(self.fuel.burn_ticks));
        }
        now.store(cells);
        self.events.ignited.push(first, ignited);
        self.events.burnt_out.push(first, own & !left);
        self.events.exploded.push(first, exploded);
        left | ignited != 0
    }
}

#[path = "fire_lanes.rs"]
mod lanes;

#[cfg(test)]
#[path = "fire_tests.rs"]
mod tests;
