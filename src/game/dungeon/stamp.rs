//! Shapes that rooms and lakes are cut from.

use super::grid::roll;
use crate::game::rng::Rng;

/// A small bitmap of cells.
pub(super) struct Stamp {
    pub(super) width: i32,
    pub(super) height: i32,
    cells: Vec<bool>,
}

impl Stamp {
    /// The cells of a `width` by `height` box for which `inside` holds.
    pub(super) fn shape(width: i32, height: i32, inside: impl Fn(i32, i32) -> bool) -> Self {
        let cells =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| inside(x, y));
        Self { width, height, cells: cells.collect() }
    }

    pub(super) fn rectangle(width: i32, height: i32) -> Self {
        Self::shape(width, height, |_, _| true)
    }

    /// Two overlapping rectangles: a wide one and a tall one.
    pub(super) fn cross(rng: &mut Rng) -> Self {
        let (width, height) = (rng.between(7, 15), rng.between(6, 11));
        let (bar, post) = (rng.between(2, height - 3), rng.between(3, width - 4));
        let (top, left) = (rng.between(0, height - bar), rng.between(0, width - post));
        Self::shape(width, height, |x, y| {
            (top..top + bar).contains(&y) || (left..left + post).contains(&x)
        })
    }

    /// A disc; a wide one may be a ring around a core of rock.
    pub(super) fn disc(rng: &mut Rng, radius: i32) -> Self {
        let core = if radius >= 5 && rng.chance(40) { rng.between(1, radius - 3) } else { -1 };
        Self::shape(2 * radius + 1, 2 * radius + 1, |x, y| {
            let square = (x - radius).pow(2) + (y - radius).pow(2);
            square <= radius * radius + radius / 2 && (core < 0 || square > core * core + core)
        })
    }

    /// The largest hollow that a cellular automaton leaves in a box of noise, cropped to its size.
    pub(super) fn blob(rng: &mut Rng, width: i32, height: i32) -> Self {
        let mut now = Self::shape(width, height, |_, _| false);
        for y in 1..height - 1 {
            let mut bits = 0;
            for x in 1..width - 1 {
                if x % 10 == 1 {
                    bits = rng.bits();
                }
                now.set(x, y, bits % 64 < 35);
                bits >>= 6;
            }
        }
        for _ in 0..4 {
            let mut next = Self::shape(width, height, |_, _| false);
            for y in 1..height - 1 {
                for x in 1..width - 1 {
                    let crowd = now.crowd(x, y);
                    next.set(x, y, crowd > 4 || crowd == 4 && now.get(x, y));
                }
            }
            now = next;
        }
        now.largest()
    }

    pub(super) fn get(&self, x: i32, y: i32) -> bool {
        (0..self.width).contains(&x)
            && (0..self.height).contains(&y)
            && self.cells[(y * self.width + x) as usize]
    }

    fn set(&mut self, x: i32, y: i32, value: bool) {
        self.cells[(y * self.width + x) as usize] = value;
    }

    /// How many of the eight neighbours are set.
    pub(super) fn crowd(&self, x: i32, y: i32) -> usize {
        let near = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)));
        near.filter(|&(dx, dy)| (dx, dy) != (0, 0) && self.get(x + dx, y + dy)).count()
    }

    /// The cells that are set.
    pub(super) fn spots(&self) -> impl Iterator<Item = (i32, i32)> + '_ {
        let set = self.cells.iter().enumerate().filter(|&(_, &set)| set);
        set.map(|(index, _)| (index as i32 % self.width, index as i32 / self.width))
    }

    /// A cell to enter by when walking in `heading`: the first one met along a random line.
    pub(super) fn entry(&self, rng: &mut Rng, heading: usize) -> Option<(i32, i32)> {
        if heading.is_multiple_of(2) {
            let x = roll(rng, self.width as usize) as i32;
            let mut line = (0..self.height).filter(|&y| self.get(x, y));
            let y = if heading == 2 { line.next() } else { line.next_back() };
            y.map(|y| (x, y))
        } else {
            let y = roll(rng, self.height as usize) as i32;
            let mut line = (0..self.width).filter(|&x| self.get(x, y));
            let x = if heading == 1 { line.next() } else { line.next_back() };
            x.map(|x| (x, y))
        }
    }

    fn largest(&self) -> Self {
        let mut labels = vec![0_u32; self.cells.len()];
        let (mut label, mut best, mut best_size) = (0, 0, 0);
        let mut stack = Vec::new();
        for start in self.spots() {
            let place = |(x, y): (i32, i32)| (y * self.width + x) as usize;
            if labels[place(start)] != 0 {
                continue;
            }
            label += 1;
            let mut size = 0;
            labels[place(start)] = label;
            stack.push(start);
            while let Some((x, y)) = stack.pop() {
                size += 1;
                for (x, y) in [(x, y - 1), (x + 1, y), (x, y + 1), (x - 1, y)] {
                    if self.get(x, y) && labels[place((x, y))] == 0 {
                        labels[place((x, y))] = label;
                        stack.push((x, y));
                    }
                }
            }
            if size > best_size {
                (best, best_size) = (label, size);
            }
        }
        self.cropped(&labels, best)
    }

    fn cropped(&self, labels: &[u32], label: u32) -> Self {
        let place = |x: i32, y: i32| (y * self.width + x) as usize;
        let kept = || self.spots().filter(|&(x, y)| labels[place(x, y)] == label);
        let left = kept().map(|(x, _)| x).min().unwrap_or(0);
        let right = kept().map(|(x, _)| x).max().unwrap_or(-1);
        let top = kept().map(|(_, y)| y).min().unwrap_or(0);
        let bottom = kept().map(|(_, y)| y).max().unwrap_or(-1);
        Self::shape(right - left + 1, bottom - top + 1, |x, y| {
            labels[place(x + left, y + top)] == label
        })
    }
}
