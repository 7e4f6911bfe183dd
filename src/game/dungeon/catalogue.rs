//! Pinned floors: whoever changes the generator sees here which floors change with it.

pub(super) const SEEDS: [u64; 3] = [1, 77, 0xdead_beef];
pub(super) const DEPTHS: usize = 26;

/// Hashes of floors of 96 by 64 cells: a row a depth, a column a seed.
pub(super) static CATALOGUE: [[u64; 3]; DEPTHS] = [[0; 3]; DEPTHS];

/// Seed, depth, width, height and hash of floors of other sizes.
pub(super) static OTHERS: [(u64, u8, u16, u16, u64); 4] =
    [(5, 4, 32, 32, 0), (5, 7, 256, 256, 0), (5, 26, 64, 200, 0), (5, 12, 1_024, 1_024, 0)];

/// Seed, width, height and hash of arenas.
pub(super) static ARENAS: [(u64, u16, u16, u64); 2] = [(1, 48, 32, 0), (2, 256, 256, 0)];
