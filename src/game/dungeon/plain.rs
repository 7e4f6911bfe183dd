//! One hall: pillared, the floor that stands in when no draw succeeded; or open.

use super::grid::Grid;
use super::{FloorPlan, FloorSpec, Room, RoomKind};
use crate::game::catalog::Terrain;
use crate::model::geometry::Pos;

pub(super) fn hall(spec: &FloorSpec, pillars: bool) -> FloorPlan {
    let mut grid = Grid::new(spec.width, spec.height);
    let (width, height) = (spec.width, spec.height);
    for cell in 0..grid.area() {
        let at = grid.pos(cell);
        let inside = at.x >= 2 && at.y >= 2 && at.x + 2 < width && at.y + 2 < height;
        if grid.is_inner(cell) {
            grid.cells[cell] = match (inside, pillars && at.x % 8 == 5 && at.y % 6 == 5) {
                (false, _) => Terrain::Wall,
                (true, true) if at.x + 4 < width && at.y + 4 < height => Terrain::Pillar,
                (true, _) => Terrain::Floor,
            };
        }
    }
    let up = Pos::new(1, height / 2);
    let down = Pos::new(width - if spec.is_last { 3 } else { 2 }, height / 2);
    grid.cells[up.index(width)] = Terrain::StairsUp;
    grid.cells[down.index(width)] = if spec.is_last { Terrain::Altar } else { Terrain::StairsDown };
    let room = Room {
        centre: Pos::new(2, 2),
        low: Pos::new(2, 2),
        high: Pos::new(width - 3, height - 3),
        kind: RoomKind::Hall,
        hidden: false,
    };
    FloorPlan {
        width,
        height,
        terrain: grid.cells,
        up,
        down,
        vaults: Vec::new(),
        rooms: vec![room],
    }
}
