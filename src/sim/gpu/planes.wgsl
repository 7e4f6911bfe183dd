// The planes of all zones: a word holds four cells of a row, rows begin with a word, and what is
// left of the last word is sealed and holds nothing. See environment.rs.

struct Zone {
    width: u32,
    height: u32,
    // Words of a row.
    stride: u32,
    // The word of the zone's first cell in each plane.
    first: u32,
    // Words of a plane of all zones.
    plane: u32,
    // 0 if the zone rests in this tick.
    is_awake: u32,
    // Chances in 256 that a cell loses a unit, a gas a byte.
    rates: u32,
    fire_key: u32,
    gas_keys: vec4<u32>,
}

// Planes that kernels only read.
const AIR: u32 = 0u;
const IGNITION: u32 = 1u;
const BURN_TICKS: u32 = 2u;

// Planes that they make anew: four gases, and fire.
const METHANE: u32 = 1u;
const FIRE: u32 = 4u;

// Whether a rule applies to the cells of a row; those on the border stay as they are.
fn is_inner(zone: Zone, row: u32) -> bool {
    return zone.is_awake != 0u && zone.width >= 3u && zone.height >= 3u
        && row >= 1u && row < zone.height - 1u;
}
