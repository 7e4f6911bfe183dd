//! Distance maps of many zones at once: what `cpu/distance` does with one.
//!
//! Shortest distances are unique, so both find the same numbers.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Arc;

use super::device::{Bound, Buffer, Device, Kernel, Reading, Work};
use crate::model::limits::ZONE_SIDE_MAX;
use crate::sim::Failed;
use crate::sim::cpu::distance::UNREACHED;

/// Cells of a word of a plane of bits.
const CELLS: usize = 32;
/// Words of a map's row in `maps`.
const MAP_WORDS: usize = 10;
/// Planes of bits that a search works on.
const PLANES: usize = 3;
/// Words of a map's progress: where it is and whether it is done, and what it keeps from run to run.
const HEAD_WORDS: usize = 2;
const KEPT_WORDS: usize = 2 * ZONE_SIDE_MAX as usize;

const _: () = assert!(ZONE_SIDE_MAX == 1_024, "so many rows has a map in search.wgsl");

/// What a map is to be filled with.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    pub goals: &'a [u32],
    /// Cells farther away stay unreached.
    pub reach: u16,
}

/// Maps that the device is at.
#[derive(Debug)]
pub struct Pending {
    progress: Reading,
    numbers: Reading,
}

/// Some maps, each of a plane of its own.
#[derive(Debug)]
pub struct Distance {
    device: Arc<Device>,
    layouts: Vec<Layout>,
    /// Words of a plane of bits, and of the numbers, of all maps.
    plane: usize,
    numbers_count: usize,
    maps: Buffer,
    passable: Buffer,
    planes: Buffer,
    numbers: Buffer,
    progress: Buffer,
    kernel: Kernel,
    /// The kernel with a list of goals, which is made anew when it is too short.
    search: Option<(Buffer, Bound)>,
}

#[derive(Clone, Copy, Debug)]
struct Layout {
    width: usize,
    height: usize,
    /// Words of a row of bits.
    stride: usize,
    /// The word of its first cell.
    first: usize,
    /// Words of a row of numbers, two cells each.
    numbers_stride: usize,
    numbers: usize,
}

impl Layout {
    /// A word of a plane, border cells as not passable.
    fn word(&self, passable: &[u8], x: usize, y: usize) -> u32 {
        if y == 0 || y + 1 >= self.height {
            return 0;
        }
        let row = &passable[y * self.width..][..self.width];
        let inner = x.max(1)..(x + CELLS).min(self.width - 1);
        inner.fold(0, |word, column| word | u32::from(row[column] != 0) << (column - x))
    }
}

impl Distance {
    /// Makes room for maps of these widths and heights; nothing is passable.
    pub fn new(device: Arc<Device>, sizes: &[(usize, usize)]) -> Result<Self, Failed> {
        let mut layouts = Vec::with_capacity(sizes.len());
        let (mut plane, mut numbers_count) = (0, 0);
        for &(width, height) in sizes {
            assert!(height <= usize::from(ZONE_SIDE_MAX), "a map has as many rows as a zone");
            let (stride, numbers_stride) = (width.div_ceil(CELLS), width.div_ceil(2));
            let (first, numbers) = (plane, numbers_count);
            layouts.push(Layout { width, height, stride, first, numbers_stride, numbers });
            plane += stride * height;
            numbers_count += numbers_stride * height;
        }
        Ok(Self {
            maps: device.buffer("maps", MAP_WORDS * sizes.len())?,
            passable: device.buffer("passable cells", plane)?,
            planes: device.buffer("cells of searches", PLANES * plane)?,
            numbers: device.buffer("distances", numbers_count)?,
            progress: device.buffer("progress", (HEAD_WORDS + KEPT_WORDS) * sizes.len())?,
            kernel: device.kernel("search", &[include_str!("search.wgsl")])?,
            search: None,
            layouts,
            plane,
            numbers_count,
            device,
        })
    }

    /// Says which cells of a map are passable: those whose byte is not 0.
    pub fn load(&mut self, map: usize, passable: &[u8]) -> Result<(), Failed> {
        let layout = self.layouts[map];
        assert_eq!(passable.len(), layout.width * layout.height, "a plane has one byte a cell");
        let word =
            |at: usize| layout.word(passable, at % layout.stride * CELLS, at / layout.stride);
        let words: Vec<u32> = (0..layout.stride * layout.height).map(word).collect();
        self.device.write(&self.passable, layout.first, &words);
        self.device.check()
    }

    /// Says that a cell has changed: not while a search is under way. `passable` are all of the map's.
    pub fn edit(&mut self, map: usize, passable: &[u8], cell: usize) {
        let layout = self.layouts[map];
        let (x, y) = (cell % layout.width / CELLS, cell / layout.width);
        let word = layout.word(passable, x * CELLS, y);
        self.device.write(&self.passable, layout.first + y * layout.stride + x, &[word]);
    }

    /// Begins to fill all maps that have a search; the others stay as they are.
    pub fn begin(&mut self, searches: &[Option<Search<'_>>]) -> Result<Pending, Failed> {
        assert_eq!(searches.len(), self.layouts.len(), "a search for each map");
        let (mut maps, mut goals) = (Vec::new(), Vec::new());
        for (layout, search) in self.layouts.iter().zip(searches) {
            let first = goals.len() / 2;
            let mut levels = 0;
            if let Some(search) = search {
                goals.extend(words_of(layout, search.goals).into_iter().flat_map(<[u32; 2]>::from));
                levels = u32::from(search.reach.min(UNREACHED - 1)) + 1;
            }
            let Layout { width, height, stride, first: at, numbers_stride, numbers } = *layout;
            let [count, plane] = [goals.len() / 2 - first, self.plane];
            maps.extend([width, height, stride, at, numbers_stride, numbers].map(|n| n as u32));
            maps.extend([first as u32, count as u32, levels, plane as u32]);
        }
        self.device.write(&self.maps, 0, &maps);
        if self.search.as_ref().is_none_or(|(list, _)| list.words() < goals.len()) {
            let list = self.device.buffer("goals", goals.len().next_power_of_two().max(64))?;
            let bound = self.device.bind(
                &self.kernel,
                &[&self.maps, &self.passable, &list, &self.planes, &self.numbers, &self.progress],
            )?;
            self.search = Some((list, bound));
        }
        let (list, _) = self.search.as_ref().expect("made above");
        self.device.write(list, 0, &goals);
        let words = HEAD_WORDS * self.layouts.len();
        self.device.run(&[Work::Clear { buffer: &self.progress, words }])?;
        self.run()
    }

    /// Goes on with all maps that are not done.
    fn run(&self) -> Result<Pending, Failed> {
        let (_, kernel) = self.search.as_ref().expect("begin has made it");
        self.device.run(&[Work::Run { kernel, groups: [self.layouts.len() as u32, 1, 1] }])?;
        let (progress, numbers) = (0..HEAD_WORDS * self.layouts.len(), 0..self.numbers_count);
        Ok(Pending {
            progress: self.device.read(&self.progress, from_ref(&progress))?,
            numbers: self.device.read(&self.numbers, from_ref(&numbers))?,
        })
    }

    /// Waits for the maps, and writes those that `out` asks for.
    pub fn finish(
        &mut self,
        pending: Pending,
        out: &mut [Option<&mut [u16]>],
    ) -> Result<(), Failed> {
        let Pending { mut progress, mut numbers } = pending;
        // Few maps are so far across that they take more than a run.
        while !are_done(&self.device.take(progress)?) {
            Pending { progress, numbers } = self.run()?;
        }
        let words = self.device.take(numbers)?;
        for (layout, out) in self.layouts.iter().zip(out) {
            let Some(out) = out else { continue };
            let words = &words[layout.numbers..][..layout.numbers_stride * layout.height];
            let rows = out.chunks_mut(layout.width).zip(words.chunks(layout.numbers_stride));
            for (row, words) in rows {
                for (cells, word) in row.chunks_mut(2).zip(words) {
                    let pair = [*word as u16, (word >> 16) as u16];
                    cells.copy_from_slice(&pair[..cells.len()]);
                }
            }
        }
        Ok(())
    }
}

fn are_done(progress: &[u32]) -> bool {
    progress.as_chunks::<HEAD_WORDS>().0.iter().all(|&[_, is_done]| is_done != 0)
}

/// The words of a map that hold goals.
fn words_of(layout: &Layout, goals: &[u32]) -> BTreeMap<u32, u32> {
    let mut words = BTreeMap::new();
    for &goal in goals {
        let (x, y) = (goal as usize % layout.width, goal as usize / layout.width);
        if y < layout.height {
            *words.entry((y * layout.stride + x / CELLS) as u32).or_default() |= 1 << (x % CELLS);
        }
    }
    words
}
