//! What a floor is like: chances that follow its depth and one trait drawn for it.

use super::RoomKind;
use crate::game::catalog::Terrain;
use crate::game::rng::Rng;

/// What makes one floor unlike its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trait {
    Plain,
    Caverns,
    Drowned,
    Overgrown,
    Ruined,
}

/// The chances of one floor; percentages unless stated otherwise.
pub(super) struct Character {
    pub(super) depth: u32,
    /// Weights of halls, crosses, discs and caves.
    rooms: [u32; 4],
    pub(super) great_cave: u32,
    pub(super) corridors: u32,
    pub(super) doors: u32,
    pub(super) secret_loops: u32,
    pub(super) secret_rooms: u32,
    /// Lakes per 10,000 cells.
    pub(super) lakes: u32,
    /// Weights of water, bog and lava.
    pub(super) liquids: [u32; 3],
    /// How lush the floor is; 100 is usual.
    pub(super) plants: u32,
    /// How crumbled the floor is; 100 is usual.
    pub(super) decay: u32,
    /// How many of the thin walls have fallen.
    pub(super) erosion: u32,
}

impl Character {
    pub(super) fn draw(depth: u8, rng: &mut Rng) -> Self {
        let depth = u32::from(depth);
        let mut character = Self {
            depth,
            rooms: [54 - depth, 20, 14 + depth / 3, 10 + depth * 2],
            great_cave: 8 + depth * 2,
            corridors: 42 - depth / 2,
            doors: 62 - depth,
            secret_loops: (depth.saturating_sub(1) * 3).min(55),
            secret_rooms: (depth.saturating_sub(2) * 2).min(30),
            lakes: 5 + depth / 6,
            liquids: [
                20,
                if (5..=15).contains(&depth) { 14 } else { 0 },
                depth.saturating_sub(9) * 2,
            ],
            plants: 100,
            decay: 60 + depth * 4,
            erosion: 0,
        };
        match Self::draw_trait(depth, rng) {
            Trait::Plain => {}
            Trait::Caverns => {
                character.rooms[3] += 90;
                character.great_cave = 90;
                character.corridors /= 2;
            }
            Trait::Drowned => {
                character.lakes *= 3;
                character.liquids[0] *= 2;
            }
            Trait::Overgrown => character.plants = 260,
            Trait::Ruined => {
                character.decay *= 4;
                character.erosion = 13;
                character.doors /= 3;
            }
        }
        character
    }

    fn draw_trait(depth: u32, rng: &mut Rng) -> Trait {
        let roll = rng.below(100);
        match roll {
            0..8 if depth > 2 => Trait::Caverns,
            8..16 if depth > 12 => Trait::Caverns,
            16..28 if depth > 1 => Trait::Drowned,
            28..40 if depth < 18 => Trait::Overgrown,
            40..52 if depth > 3 => Trait::Ruined,
            _ => Trait::Plain,
        }
    }

    pub(super) fn room_kind(&self, rng: &mut Rng) -> RoomKind {
        let kinds = [RoomKind::Hall, RoomKind::Cross, RoomKind::Round, RoomKind::Cave];
        kinds[weighted(&self.rooms, rng)]
    }

    pub(super) fn liquid(&self, rng: &mut Rng) -> Terrain {
        [Terrain::DeepWater, Terrain::Mud, Terrain::Lava][weighted(&self.liquids, rng)]
    }

    /// How many vaults a floor of `area` cells should have.
    pub(super) fn vaults(&self, area: usize, rng: &mut Rng) -> usize {
        let spread = area / 5_000 + 2;
        area / 7_000 + super::grid::roll(rng, spread)
    }
}

/// An index of `weights`, drawn in proportion to them.
fn weighted(weights: &[u32], rng: &mut Rng) -> usize {
    let mut left = rng.below(weights.iter().sum());
    for (index, &weight) in weights.iter().enumerate() {
        if left < weight {
            return index;
        }
        left -= weight;
    }
    0
}
