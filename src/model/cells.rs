//! What a player knows of a zone's cells.

use serde::{Deserialize, Serialize};

/// How one cell looked when it was last seen, packed into 20 bits: terrain (6), item look (8),
/// gas kind (2), gas level (3), fire (1), from the lowest bit up.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Cell(pub u32);

impl Cell {
    /// Bits that carry a value.
    pub const BITS: u32 = 20;

    /// Packs a cell. `terrain` is below 64; `item` is a look, 0 for none; `gas` is a kind below 4
    /// and a level below 8, level 0 for none.
    #[must_use]
    pub const fn new(terrain: u8, item: u8, gas: (u8, u8), fire: bool) -> Self {
        let gas_kind = if gas.1 == 0 { 0 } else { gas.0 & 3 };
        Self(
            (terrain & 63) as u32
                | (item as u32) << 6
                | (gas_kind as u32) << 14
                | ((gas.1 & 7) as u32) << 16
                | (fire as u32) << 19,
        )
    }

    /// The number of the terrain.
    #[must_use]
    pub const fn terrain(self) -> u8 {
        (self.0 & 63) as u8
    }

    /// The look of the item that lies there, 0 for none.
    #[must_use]
    pub const fn item(self) -> u8 {
        (self.0 >> 6) as u8
    }

    /// The kind and level of the gas; level 0 is no gas.
    #[must_use]
    pub const fn gas(self) -> (u8, u8) {
        ((self.0 >> 14 & 3) as u8, (self.0 >> 16 & 7) as u8)
    }

    #[must_use]
    pub const fn burns(self) -> bool {
        self.0 >> 19 & 1 == 1
    }
}

const CHUNK_SIDE: usize = 16;
const CHUNK_CELLS: usize = CHUNK_SIDE * CHUNK_SIDE;
/// No terrain has this number: nothing is known of the cell.
const UNKNOWN: u8 = u8::MAX;
/// Bits of a cell that are its terrain.
const TERRAIN_BITS: u32 = 6;

/// The cells of a zone that somebody knows, stored in chunks of 16 by 16 made when first needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellMap {
    width: u16,
    height: u16,
    chunks: Vec<Option<Box<Chunk>>>,
    sum: u32,
}

/// The terrain of each cell as a number in a palette, of as few bits as that takes: most chunks
/// know of two or three kinds. Of the cells that are more than terrain, which few are, the rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
struct Chunk {
    palette: Vec<u8>,
    /// The numbers of all cells, 1, 2, 4 or 8 bits each.
    packed: Vec<u64>,
    /// Items, gas and fire by place, in order.
    rest: Vec<(u8, u16)>,
}

impl Chunk {
    fn new() -> Self {
        Self { palette: vec![UNKNOWN], packed: vec![0; CHUNK_CELLS / 64], rest: Vec::new() }
    }

    /// Bits of one number.
    fn bits(&self) -> usize {
        self.packed.len() * 64 / CHUNK_CELLS
    }

    fn number(&self, within: u8) -> usize {
        let (bits, at) = (self.bits(), usize::from(within) * self.bits());
        (self.packed[at / 64] >> (at % 64)) as usize & ((1 << bits) - 1)
    }

    fn set_number(&mut self, within: u8, number: usize) {
        let (bits, at) = (self.bits(), usize::from(within) * self.bits());
        let word = &mut self.packed[at / 64];
        *word &= !(((1 << bits) - 1) << (at % 64));
        *word |= (number as u64) << (at % 64);
    }

    /// Doubles the bits of a number.
    fn widen(&mut self) {
        let numbers: Vec<usize> = (0..=u8::MAX).map(|within| self.number(within)).collect();
        self.packed = vec![0; self.packed.len() * 2];
        for (within, number) in (0..=u8::MAX).zip(numbers) {
            self.set_number(within, number);
        }
    }

    fn set_terrain(&mut self, within: u8, terrain: u8) {
        let known = self.palette.iter().position(|&kind| kind == terrain);
        let number = known.unwrap_or_else(|| {
            self.palette.push(terrain);
            if self.palette.len() > 1 << self.bits() {
                self.widen();
            }
            self.palette.len() - 1
        });
        self.set_number(within, number);
    }

    fn cell(&self, within: u8) -> Option<Cell> {
        let terrain = *self.palette.get(self.number(within)).filter(|&&t| t != UNKNOWN)?;
        let rest = self.rest.binary_search_by_key(&within, |&(place, _)| place);
        let rest = rest.map_or(0, |at| self.rest[at].1);
        Some(Cell(u32::from(rest) << TERRAIN_BITS | u32::from(terrain)))
    }

    fn set(&mut self, within: u8, cell: Cell) {
        self.set_terrain(within, cell.terrain());
        let rest = (cell.0 >> TERRAIN_BITS) as u16;
        match (self.rest.binary_search_by_key(&within, |&(place, _)| place), rest) {
            (Ok(at), 0) => drop(self.rest.remove(at)),
            (Ok(at), _) => self.rest[at].1 = rest,
            (Err(_), 0) => {}
            (Err(at), _) => self.rest.insert(at, (within, rest)),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, Cell)> + '_ {
        (0..=u8::MAX).filter_map(|within| Some((usize::from(within), self.cell(within)?)))
    }

    fn heap_bytes(&self) -> usize {
        self.palette.len() + size_of_val(&self.packed[..]) + size_of_val(&self.rest[..])
    }
}

/// A chunk as it was written, not checked yet.
#[derive(Deserialize)]
struct Stored {
    palette: Vec<u8>,
    packed: Vec<u64>,
    rest: Vec<(u8, u16)>,
}

impl TryFrom<Stored> for Chunk {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { palette, packed, rest } = stored;
        if !matches!(packed.len(), 4 | 8 | 16 | 32) {
            return Err("the cells of a chunk have 1, 2, 4 or 8 bits each");
        }
        Ok(Self { palette, packed, rest })
    }
}

/// What is known counts, not in which order it became so.
impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Chunk {}

const _: () = assert!(CHUNK_CELLS == 1 << u8::BITS, "a byte is a place in a chunk");

impl CellMap {
    /// Makes a map in which nothing is known.
    #[must_use]
    pub fn new(width: u16, height: u16) -> Self {
        let chunks =
            usize::from(width).div_ceil(CHUNK_SIDE) * usize::from(height).div_ceil(CHUNK_SIDE);
        Self { width, height, chunks: vec![None; chunks], sum: 0 }
    }

    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    #[must_use]
    pub fn height(&self) -> u16 {
        self.height
    }

    fn place(&self, index: usize) -> (usize, u8) {
        let (x, y) = (index % usize::from(self.width), index / usize::from(self.width));
        let across = usize::from(self.width).div_ceil(CHUNK_SIDE);
        let chunk = y / CHUNK_SIDE * across + x / CHUNK_SIDE;
        (chunk, (y % CHUNK_SIDE * CHUNK_SIDE + x % CHUNK_SIDE) as u8)
    }

    /// What is known of the cell at row-major `index`.
    #[must_use]
    pub fn cell(&self, index: usize) -> Option<Cell> {
        let (chunk, within) = self.place(index);
        self.chunks.get(chunk)?.as_ref()?.cell(within)
    }

    /// Notes a cell; returns whether that was news. `index` is inside the zone.
    pub fn set(&mut self, index: usize, cell: Cell) -> bool {
        let (chunk, within) = self.place(index);
        let chunk = self.chunks[chunk].get_or_insert_with(|| Box::new(Chunk::new()));
        let before = chunk.cell(within);
        if before == Some(cell) {
            return false;
        }
        chunk.set(within, cell);
        if let Some(before) = before {
            self.sum = self.sum.wrapping_sub(mix32(index, before.0));
        }
        self.sum = self.sum.wrapping_add(mix32(index, cell.0));
        true
    }

    /// A sum over all known cells that does not depend on their order; both ends of a connection
    /// keep it and compare it now and then.
    #[must_use]
    pub fn sum(&self) -> u32 {
        self.sum
    }

    /// Number of chunks, known or not.
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// The known cells of one chunk as (index, cell), in row-major order inside the chunk.
    pub fn chunk(&self, number: usize) -> impl Iterator<Item = (usize, Cell)> + '_ {
        let width = usize::from(self.width);
        let across = width.div_ceil(CHUNK_SIDE);
        let (left, top) = (number % across * CHUNK_SIDE, number / across * CHUNK_SIDE);
        let chunk = self.chunks.get(number).and_then(Option::as_ref);
        chunk.into_iter().flat_map(|chunk| chunk.iter()).map(move |(within, cell)| {
            let (x, y) = (left + within % CHUNK_SIDE, top + within / CHUNK_SIDE);
            (y * width + x, cell)
        })
    }

    /// All known cells, chunk by chunk.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Cell)> + '_ {
        (0..self.chunks.len()).flat_map(|number| self.chunk(number))
    }

    /// Bytes this map needs on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let chunks = self.chunks.iter().flatten();
        size_of_val(&self.chunks[..])
            + chunks.map(|chunk| size_of::<Chunk>() + chunk.heap_bytes()).sum::<usize>()
    }
}

/// Mixes a cell's index and value into 32 bits; part of the wire protocol's hash.
#[must_use]
pub fn mix32(index: usize, value: u32) -> u32 {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    let mut h = index.wrapping_mul(0x9e37_79b1) ^ value.wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::{Cell, CellMap, mix32};

    #[test]
    fn a_cell_keeps_its_parts() {
        let cell = Cell::new(63, 255, (3, 7), true);
        assert_eq!(
            (cell.terrain(), cell.item(), cell.gas(), cell.burns()),
            (63, 255, (3, 7), true)
        );
        assert!(cell.0 < 1 << Cell::BITS);
        assert_eq!(Cell::new(1, 0, (2, 0), false), Cell::new(1, 0, (0, 0), false));
    }

    #[test]
    fn the_sum_is_that_of_the_known_cells_in_any_order() {
        let mut map = CellMap::new(33, 32);
        assert!(map.set(40, Cell(1)));
        assert!(map.set(1_055, Cell(7)));
        assert!(map.set(40, Cell(2)));
        assert!(!map.set(40, Cell(2)));
        let all: Vec<_> = map.iter().collect();
        assert_eq!(all.len(), 2);
        assert!(all.contains(&(40, Cell(2))) && all.contains(&(1_055, Cell(7))));
        let sum = all.iter().fold(0_u32, |sum, &(i, c)| sum.wrapping_add(mix32(i, c.0)));
        assert_eq!(map.sum(), sum);
        assert_eq!(map.cell(40), Some(Cell(2)));
        assert_eq!(map.cell(41), None);
    }

    #[test]
    fn maps_that_know_the_same_are_equal() {
        let cells = [(3, Cell(9)), (700, Cell(2)), (3, Cell(4)), (5, Cell(1 << 6 | 9))];
        let (mut one, mut other) = (CellMap::new(40, 20), CellMap::new(40, 20));
        for &(index, cell) in &cells {
            one.set(index, cell);
        }
        for &(index, cell) in cells[1..].iter().rev() {
            assert_ne!(one, other);
            other.set(index, cell);
        }
        assert_eq!(one, other);
    }

    #[test]
    fn a_map_knows_what_a_list_of_cells_knows() {
        let (width, height) = (40_u16, 20_u16);
        let mut map = CellMap::new(width, height);
        let mut list = vec![None; usize::from(width) * usize::from(height)];
        for n in 0..20_000_u32 {
            let draw = mix32(7, n);
            let index = draw as usize % list.len();
            // Mostly bare terrain, as most cells are; what lay there goes away again.
            let rest = if draw >> 28 < 4 { draw >> 8 & 0x3fff } else { 0 };
            let cell = Cell(rest << 6 | draw >> 22 & 63);
            assert_eq!(map.set(index, cell), list[index] != Some(cell));
            list[index] = Some(cell);
            assert_eq!(map.cell(index), list[index]);
        }
        let known = list.iter().copied().enumerate().filter_map(|(i, c)| Some((i, c?)));
        let mut found: Vec<_> = map.iter().collect();
        found.sort_unstable();
        assert_eq!(found, known.collect::<Vec<_>>());
        let sum = found.iter().fold(0_u32, |sum, &(i, c)| sum.wrapping_add(mix32(i, c.0)));
        assert_eq!(map.sum(), sum);
    }
}
