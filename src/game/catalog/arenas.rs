//! Arenas: where players fight each other, and the floors whose gates lead there.

use crate::model::ZoneId;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Arena {
    pub zone: ZoneId,
    /// The floor, by its depth, that has a gate of this arena.
    pub floor: u8,
    /// What players call it: at most 16 bytes.
    pub name: &'static str,
}

const fn arena(zone: u32, floor: u8, name: &'static str) -> Arena {
    Arena { zone: ZoneId(zone), floor, name }
}

/// The table. Zones are never renumbered: their journals go by the number.
pub static ARENAS: [Arena; 4] = [
    arena(1_001, 1, "The Sandpit"),
    arena(1_002, 6, "The Ring of Kin"),
    arena(1_003, 12, "The Iron Circle"),
    arena(1_004, 20, "The Last Quarrel"),
];

/// The arena behind the gate of a floor.
#[must_use]
pub fn behind(floor: u8) -> Option<&'static Arena> {
    ARENAS.iter().find(|arena| arena.floor == floor)
}

/// The arena that is this zone.
#[must_use]
pub fn of_zone(zone: ZoneId) -> Option<&'static Arena> {
    ARENAS.iter().find(|arena| arena.zone == zone)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ARENAS;
    use crate::model::limits::{FLOORS, NAME_BYTES_MAX};

    #[test]
    fn every_arena_is_another_zone_behind_another_floor() {
        let zones: BTreeSet<_> = ARENAS.iter().map(|arena| arena.zone).collect();
        let floors: BTreeSet<_> = ARENAS.iter().map(|arena| arena.floor).collect();
        assert_eq!((zones.len(), floors.len()), (ARENAS.len(), ARENAS.len()));
        for arena in &ARENAS {
            assert!(arena.zone.0 > FLOORS && (1..=FLOORS).contains(&arena.floor.into()));
            assert!(arena.name.len() <= NAME_BYTES_MAX, "{}", arena.name);
        }
    }
}
