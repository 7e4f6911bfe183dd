//! Which known cells the player looks at just now, so that the rest can be drawn as remembered.

use crate::client::Knowledge;
use crate::model::Pos;
use crate::model::limits::SIGHT_RADIUS_MAX;

/// Whether nothing opaque lies between the player and a cell. The server decides what is seen;
/// this only chooses between bright and dim.
pub(super) fn is_in_sight(known: &Knowledge<'_>, to: Pos) -> bool {
    let from = known.here();
    if from.chebyshev(to) > SIGHT_RADIUS_MAX {
        return false;
    }
    let (x0, y0) = (i32::from(from.x), i32::from(from.y));
    let (x1, y1) = (i32::from(to.x), i32::from(to.y));
    let (dx, dy) = ((x1 - x0).abs(), -(y1 - y0).abs());
    let (step_x, step_y) = ((x1 - x0).signum(), (y1 - y0).signum());
    let (mut x, mut y, mut error) = (x0, y0, dx + dy);
    while (x, y) != (x1, y1) {
        let twice = 2 * error;
        if twice >= dy {
            error += dy;
            x += step_x;
        }
        if twice <= dx {
            error += dx;
            y += step_y;
        }
        if (x, y) != (x1, y1) && is_opaque(known, Pos::new(x as u16, y as u16)) {
            return false;
        }
    }
    true
}

fn is_opaque(known: &Knowledge<'_>, pos: Pos) -> bool {
    known.cell(pos).is_none_or(|cell| {
        known.legend.opaque.get(usize::from(cell.terrain())).copied().unwrap_or(false)
    })
}
