//! Gas and fire of many zones at once: what `cpu/environment.rs` does with one zone's planes.
//!
//! [`Environment`] holds the planes of its zones on the device from tick to tick, each word of a
//! plane four cells of a row. The caller keeps the zones' states: it tells of the cells that it
//! changes, and learns what has burnt.

use std::collections::BTreeMap;
use std::ops::Range;
use std::slice::from_ref;
use std::sync::Arc;

use super::device::{Bound, Buffer, Device, Kernel, Reading, Work};
use crate::game::catalog::Gas;
use crate::game::derive::SEALED;
use crate::game::state::GASES;
use crate::sim::Failed;
use crate::sim::cpu::activity::CHUNK_WIDTH;
use crate::sim::cpu::{fire, gas, noise};

/// Cells of a word.
const CELLS: usize = 4;
/// Invocations of a workgroup.
const GROUP: usize = 64;
/// Workgroups in a row of a dispatch, at most.
const GROUPS_MAX: usize = 65_535;
/// Words of a zone's row in `zones`.
const ZONE_WORDS: usize = 12;
/// Planes that kernels only read, and those that they make anew.
const STILL: usize = 3;
const MOVING: usize = GASES + 1;
/// Words in front of a list: its length, and one that aligns it.
const LIST_HEAD: usize = 2;
/// News that are fetched in any case; what goes beyond takes another way to the device and back.
const NEWS_FETCHED: usize = 4_096;

const BITS: &str = include_str!("bits.wgsl");
const PLANES: &str = include_str!("planes.wgsl");
const NOISE: &str = include_str!("noise.wgsl");

/// A plane of a zone, a byte a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    Air,
    Ignition,
    BurnTicks,
    Gas(Gas),
    Fire,
}

/// Some rows of a plane of a zone.
#[derive(Clone, Debug)]
pub struct Rows {
    pub zone: usize,
    pub plane: Plane,
    pub rows: Range<usize>,
}

impl Plane {
    /// All of them.
    pub const ALL: [Self; STILL + MOVING] = {
        let [a, b, c, d] = Gas::ALL;
        let [a, b, c, d] = [Self::Gas(a), Self::Gas(b), Self::Gas(c), Self::Gas(d)];
        [Self::Air, Self::Ignition, Self::BurnTicks, a, b, c, d, Self::Fire]
    };

    /// Which of the buffers it is in, and where.
    fn place(self) -> (Side, usize) {
        match self {
            Self::Air => (Side::Still, 0),
            Self::Ignition => (Side::Still, 1),
            Self::BurnTicks => (Side::Still, 2),
            Self::Gas(kind) => (Side::Moving, kind as usize),
            Self::Fire => (Side::Moving, GASES),
        }
    }

    /// What there is beside a zone.
    fn outside(self) -> u8 {
        if self == Self::Air { SEALED } else { 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Still,
    Moving,
}

/// What a zone's tick depends on beside its planes.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The zone's.
    pub seed: u64,
    pub tick: u64,
    /// How fast each gas thins out.
    pub rates: [u8; GASES],
}

/// A tick that the device is at.
#[derive(Debug)]
pub struct Tick {
    news: Reading,
    rows: Option<Reading>,
}

/// What a tick has come to.
#[derive(Debug)]
pub struct Done {
    /// What has burnt, zone by zone.
    pub events: Vec<fire::Events>,
    /// The rows that were asked for, one after the other: for [`Environment::unpack`].
    pub rows: Vec<u32>,
}

/// Gas and fire of some zones.
#[derive(Debug)]
pub struct Environment {
    device: Arc<Device>,
    layouts: Vec<Layout>,
    /// Words of a plane of all zones.
    plane: usize,
    zones: Buffer,
    still: Buffer,
    /// Before and after a tick; they change places with each.
    moving: [Buffer; 2],
    /// Whether the planes as they are now are in the second.
    is_second: bool,
    news: Buffer,
    /// From the first of `moving` to the second, and back.
    gas: [Bound; 2],
    fire: [Bound; 2],
    kernels: Kernels,
    /// Words to be written before the next tick.
    still_edits: BTreeMap<u32, u32>,
    moving_edits: BTreeMap<u32, u32>,
}

/// What is the same for any zones.
#[derive(Clone, Debug)]
struct Kernels {
    gas: Kernel,
    fire: Kernel,
    edit: Kernel,
    /// Random bytes for `gas`.
    columns: Buffer,
}

impl Kernels {
    fn new(device: &Device) -> Result<Self, Failed> {
        let words: Vec<u32> = gas::columns().map(|cells| word(cells, 0)).collect();
        let columns = device.buffer("columns", words.len())?;
        device.write(&columns, 0, &words);
        Ok(Self {
            gas: device.kernel("gas", &[BITS, PLANES, include_str!("gas.wgsl")])?,
            fire: device.kernel("fire", &[BITS, PLANES, NOISE, include_str!("fire.wgsl")])?,
            edit: device.kernel("edit", &[include_str!("edit.wgsl")])?,
            columns,
        })
    }
}

/// Where the cells of a zone are in a plane.
#[derive(Clone, Copy, Debug)]
struct Layout {
    width: usize,
    height: usize,
    /// Words of a row.
    stride: usize,
    /// The word of its first cell.
    first: usize,
}

impl Layout {
    fn words(&self) -> usize {
        self.stride * self.height
    }

    /// The words of a row as they are on the device.
    fn row<'a>(&self, cells: &'a [u8], y: usize, outside: u8) -> impl Iterator<Item = u32> + 'a {
        let row = &cells[y * self.width..][..self.width];
        row.chunks(CELLS).map(move |cells| word(cells, outside))
    }

    /// The opposite, for any number of rows.
    fn unpack(&self, words: &[u32], cells: &mut [u8]) {
        let rows = cells.chunks_mut(self.width).zip(words.chunks(self.stride));
        for (cells, words) in rows {
            for (cells, word) in cells.chunks_mut(CELLS).zip(words) {
                cells.copy_from_slice(&word.to_le_bytes()[..cells.len()]);
            }
        }
    }
}

/// At most four cells in a word.
fn word(cells: &[u8], outside: u8) -> u32 {
    let mut bytes = [outside; CELLS];
    bytes[..cells.len()].copy_from_slice(cells);
    u32::from_le_bytes(bytes)
}

impl Environment {
    /// Makes room for zones of these widths and heights; all planes are empty, and no gas can be
    /// anywhere.
    pub fn new(device: Arc<Device>, sizes: &[(usize, usize)]) -> Result<Self, Failed> {
        let kernels = Kernels::new(&device)?;
        Self::of(device, kernels, sizes)
    }

    /// Makes room for other zones instead, as a new one has it.
    pub fn resize(&mut self, sizes: &[(usize, usize)]) -> Result<(), Failed> {
        *self = Self::of(Arc::clone(&self.device), self.kernels.clone(), sizes)?;
        Ok(())
    }

    fn of(device: Arc<Device>, kernels: Kernels, sizes: &[(usize, usize)]) -> Result<Self, Failed> {
        let mut layouts = Vec::with_capacity(sizes.len());
        let mut plane = 0;
        for &(width, height) in sizes {
            let stride = width.div_ceil(CELLS);
            layouts.push(Layout { width, height, stride, first: plane });
            plane += stride * height;
        }
        let zones = device.buffer("zones", ZONE_WORDS * sizes.len().max(1))?;
        let still = device.buffer("still planes", STILL * plane)?;
        let moving = [
            device.buffer("moving planes", MOVING * plane)?,
            device.buffer("moving planes", MOVING * plane)?,
        ];
        let news = device.buffer("news", LIST_HEAD + (2 * plane).max(2 * NEWS_FETCHED))?;
        let both = |kernel: &Kernel, last: &Buffer| {
            let [one, other] = &moving;
            let there = device.bind(kernel, &[&zones, &still, one, other, last])?;
            let back = device.bind(kernel, &[&zones, &still, other, one, last])?;
            Ok([there, back])
        };
        let gas = both(&kernels.gas, &kernels.columns)?;
        let fire = both(&kernels.fire, &news)?;
        device.write(&still, 0, &vec![word(&[], SEALED); plane]);
        Ok(Self {
            layouts,
            plane,
            zones,
            still,
            moving,
            is_second: false,
            news,
            gas,
            fire,
            kernels,
            still_edits: BTreeMap::new(),
            moving_edits: BTreeMap::new(),
            device,
        })
    }

    /// Puts the cells of a plane into a zone.
    pub fn load(&mut self, zone: usize, plane: Plane, cells: &[u8]) -> Result<(), Failed> {
        self.hand_over_edits()?;
        let layout = self.layouts[zone];
        assert_eq!(cells.len(), layout.width * layout.height, "a plane has one byte a cell");
        let rows = (0..layout.height).flat_map(|y| layout.row(cells, y, plane.outside()));
        let words: Vec<u32> = rows.collect();
        let (side, range) = self.range(zone, plane);
        self.device.write(self.buffer(side), range.start, &words);
        self.device.check()
    }

    /// Says that a cell of a plane has changed. `cells` are all of the plane's as they are now: those
    /// beside it in the same word are written too.
    pub fn edit(&mut self, zone: usize, plane: Plane, cells: &[u8], cell: usize) {
        let layout = self.layouts[zone];
        let (x, y) = (cell % layout.width / CELLS * CELLS, cell / layout.width);
        let count = CELLS.min(layout.width - x);
        let word = word(&cells[y * layout.width + x..][..count], plane.outside());
        let (side, range) = self.range(zone, plane);
        let edits = match side {
            Side::Still => &mut self.still_edits,
            Side::Moving => &mut self.moving_edits,
        };
        edits.insert((range.start + y * layout.stride + x / CELLS) as u32, word);
    }

    /// Begins a tick of all zones that have a moment; the others rest. `wanted` come back with it,
    /// rows of planes that move.
    pub fn begin(&mut self, moments: &[Option<Moment>], wanted: &[Rows]) -> Result<Tick, Failed> {
        assert_eq!(moments.len(), self.layouts.len(), "a moment for each zone");
        self.hand_over_edits()?;
        let zones: Vec<u32> =
            self.layouts.iter().zip(moments).flat_map(|(l, m)| self.zone(l, m.as_ref())).collect();
        self.device.write(&self.zones, 0, &zones);
        let largest = self.layouts.iter().map(Layout::words).max().unwrap_or(0);
        let groups = [largest.div_ceil(GROUP), self.layouts.len()].map(|count| count as u32);
        let way = usize::from(self.is_second);
        self.device.run(&[
            Work::Clear { buffer: &self.news, words: LIST_HEAD },
            Work::Run { kernel: &self.gas[way], groups: [groups[0], groups[1], GASES as u32] },
            Work::Run { kernel: &self.fire[way], groups: [groups[0], groups[1], 1] },
        ])?;
        self.is_second = !self.is_second;
        let first = 0..LIST_HEAD + 2 * NEWS_FETCHED;
        let news = self.device.read(&self.news, from_ref(&first))?;
        let parts: Vec<_> = wanted.iter().map(|rows| self.part(rows)).collect();
        let moving = self.buffer(Side::Moving);
        let rows = (!parts.is_empty()).then(|| self.device.read(moving, &parts)).transpose()?;
        Ok(Tick { news, rows })
    }

    /// Waits for the end of a tick.
    pub fn finish(&mut self, tick: Tick) -> Result<Done, Failed> {
        let mut words = self.device.take(tick.news)?;
        let count = words[0] as usize;
        if count > NEWS_FETCHED {
            let rest = words.len()..LIST_HEAD + 2 * count;
            let reading = self.device.read(&self.news, from_ref(&rest))?;
            words.extend(self.device.take(reading)?);
        }
        let mut news: Vec<[u32; 2]> = words[LIST_HEAD..].as_chunks().0[..count].to_vec();
        // They come in any order.
        news.sort_unstable();
        let mut events = vec![fire::Events::default(); self.layouts.len()];
        let mut news = news.into_iter().peekable();
        for (layout, events) in self.layouts.iter().zip(&mut events) {
            let end = (layout.first + layout.words()) as u32;
            while let Some([word, happened]) = news.next_if(|&[word, _]| word < end) {
                report(layout, word as usize - layout.first, happened, events);
            }
        }
        let rows = tick.rows.map(|rows| self.device.take(rows)).transpose()?;
        Ok(Done { events, rows: rows.unwrap_or_default() })
    }

    /// Writes the next rows of those that have come back; `words` are then the ones after them.
    pub fn unpack(&self, rows: &Rows, words: &mut &[u32], cells: &mut [u8]) {
        let (own, rest) = words.split_at(self.part(rows).len());
        self.layouts[rows.zone].unpack(own, cells);
        *words = rest;
    }

    /// Reads a plane of a zone.
    pub fn save(&mut self, zone: usize, plane: Plane, cells: &mut [u8]) -> Result<(), Failed> {
        self.hand_over_edits()?;
        let layout = self.layouts[zone];
        assert_eq!(cells.len(), layout.width * layout.height, "a plane has one byte a cell");
        let (side, range) = self.range(zone, plane);
        let reading = self.device.read(self.buffer(side), from_ref(&range))?;
        layout.unpack(&self.device.take(reading)?, cells);
        Ok(())
    }

    /// Where some rows are in the buffer of their plane.
    fn part(&self, rows: &Rows) -> Range<usize> {
        let (stride, (_, range)) =
            (self.layouts[rows.zone].stride, self.range(rows.zone, rows.plane));
        range.start + rows.rows.start * stride..range.start + rows.rows.end * stride
    }

    fn zone(&self, layout: &Layout, moment: Option<&Moment>) -> [u32; ZONE_WORDS] {
        let Layout { width, height, stride, first } = *layout;
        let [width, height, stride, first, plane] =
            [width, height, stride, first, self.plane].map(|number| number as u32);
        let Some(&Moment { seed, tick, rates }) = moment else {
            return [width, height, stride, first, plane, 0, 0, 0, 0, 0, 0, 0];
        };
        let [a, b, c, d] = Gas::ALL.map(|kind| gas::key(gas::moment(tick, kind)));
        let (rates, fire) = (u32::from_le_bytes(rates), noise::key(seed, tick));
        [width, height, stride, first, plane, 1, rates, fire, a, b, c, d]
    }

    fn range(&self, zone: usize, plane: Plane) -> (Side, Range<usize>) {
        let (layout, (side, number)) = (&self.layouts[zone], plane.place());
        let first = number * self.plane + layout.first;
        (side, first..first + layout.words())
    }

    fn buffer(&self, side: Side) -> &Buffer {
        match side {
            Side::Still => &self.still,
            Side::Moving => &self.moving[usize::from(self.is_second)],
        }
    }

    fn hand_over_edits(&mut self) -> Result<(), Failed> {
        let (still, moving) =
            (std::mem::take(&mut self.still_edits), std::mem::take(&mut self.moving_edits));
        for (side, edits) in [(Side::Still, still), (Side::Moving, moving)] {
            if edits.is_empty() {
                continue;
            }
            let mut list = vec![edits.len() as u32, 0];
            list.extend(edits.iter().flat_map(|(&at, &word)| [at, word]));
            let buffer = self.device.buffer("edits", list.len())?;
            self.device.write(&buffer, 0, &list);
            let kernel = self.device.bind(&self.kernels.edit, &[&buffer, self.buffer(side)])?;
            let groups = edits.len().div_ceil(GROUP);
            let rows = groups.div_ceil(GROUPS_MAX);
            let groups = [groups.min(GROUPS_MAX) as u32, rows as u32, 1];
            self.device.run(&[Work::Run { kernel: &kernel, groups }])?;
        }
        Ok(())
    }
}

/// Adds what happened in the cells of a zone's word.
fn report(layout: &Layout, word: usize, happened: u32, events: &mut fire::Events) {
    let (x, y) = (word % layout.stride * CELLS, word / layout.stride);
    let first = (y * layout.width + x / CHUNK_WIDTH * CHUNK_WIDTH) as u32;
    let lists = [&mut events.ignited, &mut events.burnt_out, &mut events.exploded];
    for (bit, list) in lists.into_iter().enumerate() {
        let cells = happened >> bit & 0x0101_0101;
        let mask = (0..CELLS).fold(0, |mask, i| mask | u64::from(cells >> (8 * i) & 1) << i);
        list.add(first, mask << (x % CHUNK_WIDTH));
    }
}

const _: () = assert!(CHUNK_WIDTH.is_multiple_of(CELLS), "a word is in one chunk");
const _: () = assert!(Gas::Methane as usize == 1, "so planes.wgsl says");
