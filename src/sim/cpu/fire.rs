//! Fire: burns down, spreads to what is flammable beside it, and sets off methane.

use lanes::{BLOCK, Lanes};

use super::activity::{Activity, CHUNK_HEIGHT, CHUNK_WIDTH, Scratch};
use super::instructions::Set;
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

impl Fuel<'_> {
    /// Of `count` cells from index `first` on.
    #[inline(always)]
    fn part(&self, first: usize, count: usize) -> Self {
        Self {
            ignition: &self.ignition[first..][..count],
            burn_ticks: &self.burn_ticks[first..][..count],
            methane: &self.methane[first..][..count],
        }
    }
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

impl Events {
    /// Forgets them.
    pub(super) fn clear(&mut self) {
        self.ignited.0.clear();
        self.burnt_out.0.clear();
        self.exploded.0.clear();
    }
}

impl Marks {
    /// The indices of the cells.
    pub fn cells(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|&(first, mask)| bits::ones(mask).map(move |i| first + i as u32))
    }

    /// Adds cells of the last block that has any, or of a later one.
    #[cfg(feature = "gpu")]
    pub(in crate::sim) fn add(&mut self, first: u32, mask: u64) {
        match self.0.last_mut() {
            Some((block, cells)) if *block == first => *cells |= mask,
            _ => self.push(first, mask),
        }
    }

    #[inline(always)]
    fn push(&mut self, first: u32, mask: u64) {
        if mask != 0 {
            self.0.push((first, mask));
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
    match scratch.set() {
        Set::Baseline => burn_active::<[u8; BLOCK]>(fire, activity, scratch, &mut burn),
        // SAFETY (both): the processor has them, or the value could not have been made.
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => unsafe { burn_avx2(fire, activity, scratch, &mut burn) },
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => unsafe { burn_avx512(fire, activity, scratch, &mut burn) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn burn_avx2(fire: &mut [u8], activity: &mut Activity, scratch: &mut Scratch, burn: &mut Burn<'_>) {
    burn_active::<lanes::Avx2>(fire, activity, scratch, burn);
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
    let (active, words) = scratch.bits(activity);
    // A word for each block of a strip, of the row above and of the one below it, and a quiet one
    // at either end of a row; behind them what lies beside those of a row.
    let blocks = width.div_ceil(BLOCK);
    let stride = blocks + 2;
    words.clear();
    words.resize((CHUNK_HEIGHT + 2) * stride + blocks, 0);
    let (burning, beside) = words.split_at_mut((CHUNK_HEIGHT + 2) * stride);
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
        for (near, y) in burning.windows(3 * stride).step_by(stride).zip(rows.clone()) {
            find_beside(beside, near);
            let own = &near[stride + 1..][..blocks];
            busy |= burn.row::<L>(&mut fire[y * width..][..width], y, own, beside);
        }
        activity.set_busy(strip, mask, busy);
        burning.copy_within(rows.len() * stride..(rows.len() + 1) * stride, 0);
    }
}

/// Finds which cells lie beside a burning one in the middle one of three rows of words.
#[inline(always)]
fn find_beside(beside: &mut [u64], near: &[u64]) {
    let (above, near) = near.split_at(near.len() / 3);
    let (own, below) = near.split_at(above.len());
    let (above, below) = (&above[1..], &below[1..]);
    for (i, beside) in beside.iter_mut().enumerate() {
        let across = own[i + 1] << 1 | own[i + 1] >> 1 | own[i] >> 63 | own[i + 2] << 63;
        *beside = across | above[i] | below[i];
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
        assert!(u32::try_from(cells).is_ok(), "a cell's index is a u32");
        for plane in [fuel.ignition, fuel.burn_ticks, fuel.methane] {
            assert_eq!(plane.len(), cells, "all planes are of the same zone");
        }
        events.clear();
        Self { fuel: *fuel, width, key: noise::key(seed, tick), events }
    }

    /// Burns row `y`, of which the cells in `own` burn and those in `beside` lie beside a burning
    /// one; returns which chunks of it burn now.
    #[inline(always)]
    fn row<L: Lanes>(&mut self, cells: &mut [u8], y: usize, own: &[u64], beside: &[u64]) -> u64 {
        let fuel = self.fuel.part(y * self.width, self.width);
        let (blocks, rest) = cells.as_chunks_mut::<BLOCK>();
        let whole = blocks.len();
        let beside = &beside[..own.len()];
        let mut busy = 0;
        for (chunk, cells) in blocks.iter_mut().enumerate() {
            let fuel = fuel.part(chunk * BLOCK, BLOCK);
            busy |= self.block::<L>(cells, &fuel, (chunk, y), own[chunk], beside[chunk]) << chunk;
        }
        if !rest.is_empty() {
            let fuel = fuel.part(whole * BLOCK, rest.len());
            busy |= self.block::<L>(rest, &fuel, (whole, y), own[whole], beside[whole]) << whole;
        }
        busy
    }

    /// Burns a row of a chunk; returns 1 if any of it burns now, else 0.
    #[inline(always)]
    fn block<L: Lanes>(
        &mut self,
        cells: &mut [u8],
        fuel: &Fuel<'_>,
        (chunk, y): (usize, usize),
        own: u64,
        beside: u64,
    ) -> u64 {
        // So it is in all chunks that are not active.
        if own | beside == 0 {
            return 0;
        }
        let first = (y * self.width + chunk * BLOCK) as u32;
        let ignition = L::load(fuel.ignition);
        let exploded = (own | beside) & L::load(fuel.methane).holding();
        let mut now = L::load(cells).lowered();
        let left = now.holding();
        let mut ignited = beside & !own & ignition.holding();
        if ignited != 0 {
            let word = noise::word(chunk * BLOCK, y, self.width);
            ignited &= ignition.above(L::draws(self.key, word));
            now = now.with(ignited, L::load(fuel.burn_ticks));
        }
        now.store(cells);
        self.events.ignited.push(first, ignited);
        self.events.burnt_out.push(first, own & !left);
        self.events.exploded.push(first, exploded);
        u64::from(left | ignited != 0)
    }
}

#[path = "fire_lanes.rs"]
mod lanes;

#[cfg(test)]
#[path = "fire_tests.rs"]
mod tests;
