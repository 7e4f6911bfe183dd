//! What the phases of the generator hand to each other.

use super::RoomKind;
use super::grid::Grid;

/// A room as it was carved.
pub(super) struct Chamber {
    pub(super) kind: RoomKind,
    pub(super) cells: Vec<usize>,
}

/// A vault without its key.
pub(super) struct Strongroom {
    pub(super) door: usize,
    /// The cell one stands on to open the door.
    pub(super) front: usize,
    pub(super) cells: Vec<usize>,
}

pub(super) struct Draft {
    pub(super) grid: Grid,
    pub(super) chambers: Vec<Chamber>,
    pub(super) strongrooms: Vec<Strongroom>,
    /// Doors by which a room was attached.
    pub(super) doors: Vec<usize>,
    /// Doors that only shorten a way.
    pub(super) loops: Vec<usize>,
    pub(super) up: usize,
    pub(super) down: usize,
}

impl Draft {
    pub(super) fn new(width: u16, height: u16) -> Self {
        Self {
            grid: Grid::new(width, height),
            chambers: Vec::new(),
            strongrooms: Vec::new(),
            doors: Vec::new(),
            loops: Vec::new(),
            up: 0,
            down: 0,
        }
    }
}
