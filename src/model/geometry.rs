//! Cells of a zone and the eight directions between them.

use serde::{Deserialize, Serialize};

/// A cell: `x` grows to the right, `y` downwards, both counted in cells from 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Pos {
    pub x: u16,
    pub y: u16,
}

impl Pos {
    #[must_use]
    pub const fn new(x: u16, y: u16) -> Self {
        Self { x, y }
    }

    /// The row-major index of this cell in a zone `width` cells wide.
    #[must_use]
    pub fn index(self, width: u16) -> usize {
        usize::from(self.y) * usize::from(width) + usize::from(self.x)
    }

    /// The cell at row-major `index` of a zone `width` cells wide.
    #[must_use]
    pub fn from_index(index: usize, width: u16) -> Self {
        let width = usize::from(width);
        let narrow = |n: usize| u16::try_from(n).expect("an index of a zone fits its sides");
        Self { x: narrow(index % width), y: narrow(index / width) }
    }

    /// The neighbour in `direction`, or `None` beyond a zone of `width` by `height` cells.
    #[must_use]
    pub fn step(self, direction: Direction, width: u16, height: u16) -> Option<Self> {
        let (dx, dy) = direction.delta();
        let x = self.x.checked_add_signed(dx)?;
        let y = self.y.checked_add_signed(dy)?;
        (x < width && y < height).then_some(Self { x, y })
    }

    /// The number of king's moves to `other`.
    #[must_use]
    pub fn chebyshev(self, other: Self) -> u16 {
        self.x.abs_diff(other.x).max(self.y.abs_diff(other.y))
    }

    /// The direction of an adjacent cell, or `None` if `other` is not adjacent.
    #[must_use]
    pub fn direction_to(self, other: Self) -> Option<Direction> {
        Direction::ALL.into_iter().find(|d| {
            let (dx, dy) = d.delta();
            self.x.checked_add_signed(dx) == Some(other.x)
                && self.y.checked_add_signed(dy) == Some(other.y)
        })
    }
}

/// One of the eight neighbours, numbered clockwise from north; odd numbers are diagonal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Direction {
    North = 0,
    NorthEast = 1,
    East = 2,
    SouthEast = 3,
    South = 4,
    SouthWest = 5,
    West = 6,
    NorthWest = 7,
}

impl Direction {
    /// All directions in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::North,
        Self::NorthEast,
        Self::East,
        Self::SouthEast,
        Self::South,
        Self::SouthWest,
        Self::West,
        Self::NorthWest,
    ];

    /// The direction of a number from 0 to 7.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its step in x and y.
    #[must_use]
    pub const fn delta(self) -> (i16, i16) {
        match self {
            Self::North => (0, -1),
            Self::NorthEast => (1, -1),
            Self::East => (1, 0),
            Self::SouthEast => (1, 1),
            Self::South => (0, 1),
            Self::SouthWest => (-1, 1),
            Self::West => (-1, 0),
            Self::NorthWest => (-1, -1),
        }
    }

    /// The other way round.
    #[must_use]
    pub fn opposite(self) -> Self {
        Self::ALL[(self as usize + 4) % 8]
    }

    #[must_use]
    pub fn is_diagonal(self) -> bool {
        self as u8 % 2 == 1
    }
}
