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
const UNKNOWN: u32 = u32::MAX;

/// The cells of a zone that somebody knows, stored in chunks of 16 by 16 made when first needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellMap {
    width: u16,
    height: u16,
    chunks: Vec<Option<Vec<u32>>>,
    sum: u32,
}

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

    fn place(&self, index: usize) -> (usize, usize) {
        let (x, y) = (index % usize::from(self.width), index / usize::from(self.width));
        let across = usize::from(self.width).div_ceil(CHUNK_SIDE);
        let chunk = y / CHUNK_SIDE * across + x / CHUNK_SIDE;
        (chunk, y % CHUNK_SIDE * CHUNK_SIDE + x % CHUNK_SIDE)
    }

    /// What is known of the cell at row-major `index`.
    #[must_use]
    pub fn cell(&self, index: usize) -> Option<Cell> {
        let (chunk, within) = self.place(index);
        let value = *self.chunks.get(chunk)?.as_ref()?.get(within)?;
        (value != UNKNOWN).then_some(Cell(value))
    }

    /// Notes a cell; returns whether that was news. `index` is inside the zone.
    pub fn set(&mut self, index: usize, cell: Cell) -> bool {
        let (chunk, within) = self.place(index);
        let cells =
            self.chunks[chunk].get_or_insert_with(|| vec![UNKNOWN; CHUNK_SIDE * CHUNK_SIDE]);
        let before = std::mem::replace(&mut cells[within], cell.0);
        if before == cell.0 {
            return false;
        }
        if before != UNKNOWN {
            self.sum = self.sum.wrapping_sub(mix32(index, before));
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
        let cells = self.chunks.get(number).and_then(Option::as_ref);
        cells.into_iter().flatten().enumerate().filter(|&(_, &value)| value != UNKNOWN).map(
            move |(within, &value)| {
                let (x, y) = (left + within % CHUNK_SIDE, top + within / CHUNK_SIDE);
                (y * width + x, Cell(value))
            },
        )
    }

    /// All known cells, chunk by chunk.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Cell)> + '_ {
        (0..self.chunks.len()).flat_map(|number| self.chunk(number))
    }

    /// Bytes this map holds on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let known = self.chunks.iter().flatten().count();
        self.chunks.capacity() * size_of::<Option<Vec<u32>>>() + known * CHUNK_SIDE * CHUNK_SIDE * 4
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
}
