use proptest::prelude::*;

use super::{Pos, Visible, field_of_view};

/// An exact fraction, compared by cross products.
type Fraction = (i64, i64);

/// The textbook recursion, cell by cell.
struct Reference<'a> {
    opaque: &'a [u8],
    width: i64,
    height: i64,
    origin: (i64, i64),
    radius: i64,
    seen: Vec<bool>,
}

impl Reference<'_> {
    fn wall(&self, (x, y): (i64, i64)) -> bool {
        !(0..self.width).contains(&x)
            || !(0..self.height).contains(&y)
            || self.opaque[(y * self.width + x) as usize] != 0
    }

    fn place(&self, quadrant: u8, depth: i64, column: i64) -> (i64, i64) {
        let (x, y) = self.origin;
        match quadrant {
            0 => (x + column, y - depth),
            1 => (x + column, y + depth),
            2 => (x - depth, y + column),
            _ => (x + depth, y + column),
        }
    }

    fn reveal(&mut self, (x, y): (i64, i64)) {
        let (dx, dy) = (x - self.origin.0, y - self.origin.1);
        let in_range = dx * dx + dy * dy <= self.radius * (self.radius + 1);
        if in_range && (0..self.width).contains(&x) && (0..self.height).contains(&y) {
            self.seen[(y * self.width + x) as usize] = true;
        }
    }

    fn scan(&mut self, quadrant: u8, depth: i64, mut start: Fraction, end: Fraction) {
        if depth > self.radius {
            return;
        }
        let first = (2 * depth * start.0 + start.1).div_euclid(2 * start.1);
        let last = -(-(2 * depth * end.0 - end.1)).div_euclid(2 * end.1);
        let mut before = None;
        for column in first..=last {
            let cell = self.place(quadrant, depth, column);
            let wall = self.wall(cell);
            let centred = column * start.1 >= depth * start.0 && column * end.1 <= depth * end.0;
            if wall || centred {
                self.reveal(cell);
            }
            let edge = (2 * column - 1, 2 * depth);
            if before == Some(true) && !wall {
                start = edge;
            }
            if before == Some(false) && wall {
                self.scan(quadrant, depth + 1, start, edge);
            }
            before = Some(wall);
        }
        if before == Some(false) {
            self.scan(quadrant, depth + 1, start, end);
        }
    }
}

fn reference(opaque: &[u8], width: usize, height: usize, origin: Pos, radius: u16) -> Vec<Pos> {
    let mut reference = Reference {
        opaque,
        width: width as i64,
        height: height as i64,
        origin: (i64::from(origin.x), i64::from(origin.y)),
        radius: i64::from(radius),
        seen: vec![false; opaque.len()],
    };
    reference.seen[origin.index(width as u16)] = true;
    for quadrant in 0..4 {
        reference.scan(quadrant, 1, (-1, 1), (1, 1));
    }
    let seen = (0..opaque.len()).filter(|&i| reference.seen[i]);
    seen.map(|i| Pos::from_index(i, width as u16)).collect()
}

fn check(opaque: &[u8], width: usize, height: usize, origin: Pos, radius: u16) -> Visible {
    let visible = field_of_view(opaque, width, height, origin, radius);
    let cells: Vec<Pos> = visible.iter().collect();
    assert_eq!(cells, reference(opaque, width, height, origin, radius));
    assert_eq!(visible.count() as usize, cells.len());
    assert!(cells.iter().all(|&cell| visible.contains(cell)));
    visible
}

#[test]
fn an_open_field_shows_the_whole_disc() {
    let opaque = vec![0; 101 * 77];
    for radius in 0..=24 {
        let visible = check(&opaque, 101, 77, Pos::new(50, 38), radius);
        let disc = (-24..=24_i32)
            .flat_map(|y| (-24..=24).map(move |x| x * x + y * y))
            .filter(|&d| d <= i32::from(radius) * (i32::from(radius) + 1));
        assert_eq!(visible.count() as usize, disc.count());
    }
}

#[test]
fn who_is_walled_in_sees_the_eight_walls() {
    let opaque = vec![1; 40 * 33];
    for origin in [Pos::new(20, 20), Pos::new(1, 1), Pos::new(38, 31)] {
        assert_eq!(check(&opaque, 40, 33, origin, 24).count(), 9);
    }
    assert_eq!(check(&opaque, 40, 33, Pos::new(0, 0), 24).count(), 4);
}

#[test]
fn a_pillar_hides_what_is_behind_it_and_is_seen() {
    let mut opaque = vec![0; 49 * 49];
    opaque[24 * 49 + 27] = 1;
    let visible = check(&opaque, 49, 49, Pos::new(24, 24), 20);
    assert!(visible.contains(Pos::new(27, 24)));
    assert!(!visible.contains(Pos::new(30, 24)));
    assert!(!visible.contains(Pos::new(90, 24)));
}

fn maps() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
    (1..70_usize, 1..60_usize, 1..90_u8).prop_flat_map(|(width, height, walls)| {
        let cell = (0..100_u8).prop_map(move |n| if n < walls { n + 1 } else { 0 });
        (Just(width), Just(height), prop::collection::vec(cell, width * height))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn it_equals_the_textbook((width, height, opaque) in maps(), at: usize, radius in 0..=24_u16) {
        let origin = Pos::from_index(at % opaque.len(), width as u16);
        check(&opaque, width, height, origin, radius);
    }

    #[test]
    fn floor_cells_see_each_other_or_neither((width, height, opaque) in maps(), radius in 1..=24_u16) {
        let views: Vec<Visible> = (0..opaque.len())
            .map(|i| field_of_view(&opaque, width, height, Pos::from_index(i, width as u16), radius))
            .collect();
        for (i, view) in views.iter().enumerate().filter(|&(i, _)| opaque[i] == 0) {
            for other in view.iter() {
                let j = other.index(width as u16);
                prop_assert!(opaque[j] != 0 || views[j].contains(Pos::from_index(i, width as u16)));
            }
        }
    }
}

#[test]
fn what_is_seen_of_a_plane_of_bits_is_what_both_hold() {
    for (width, height) in [(64, 9), (70, 61), (130, 40)] {
        let area = usize::from(width) * usize::from(height);
        let mut plane = vec![0_u64; area.div_ceil(64)];
        for cell in (0..area).step_by(3) {
            plane[cell / 64] |= 1 << (cell % 64);
        }
        for origin in [Pos::new(0, 0), Pos::new(width - 1, height - 1), Pos::new(31, 8)] {
            let opaque = vec![0; area];
            let seen = field_of_view(&opaque, width.into(), height.into(), origin, 24);
            let both = seen.iter().filter(|pos| pos.index(width).is_multiple_of(3));
            assert!(seen.seen_in(&plane, (width, height)).eq(both), "{width} {origin:?}");
        }
    }
}
