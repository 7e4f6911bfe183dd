// As cpu/gas.rs: four cells an invocation, a zone a row of workgroups, a gas a layer of them.

@group(0) @binding(0) var<storage, read> zones: array<Zone>;
@group(0) @binding(1) var<storage, read> still: array<u32>;
@group(0) @binding(2) var<storage, read> before: array<u32>;
@group(0) @binding(3) var<storage, read_write> after: array<u32>;
// A random byte for each column of the widest plane.
@group(0) @binding(4) var<storage, read> columns: array<u32>;

const SEALED: u32 = 0x80808080u;
// What the word of a row is above that of the row before it.
const ROW: u32 = 0x9e3779b9u;

// 255 where gas may be.
fn mask(air: u32) -> u32 {
    return spread((~air & SEALED) >> 7u);
}

// What each cell gives to one open neighbour.
fn share(at: u32, air: u32) -> u32 {
    return (before[at] >> 3u) & 0x1f1f1f1fu & mask(air);
}

@compute @workgroup_size(64)
fn gas(@builtin(global_invocation_id) id: vec3<u32>) {
    let zone = zones[id.y];
    let kind = id.z;
    if id.x >= zone.stride * zone.height {
        return;
    }
    let row = id.x / zone.stride;
    let column = id.x % zone.stride;
    let air_at = AIR * zone.plane + zone.first + id.x;
    let at = kind * zone.plane + zone.first + id.x;
    let cells = before[at];
    if !is_inner(zone, row) {
        after[at] = cells;
        return;
    }
    let air = still[air_at];
    let own = share(at, air);
    let up = share(at - zone.stride, still[air_at - zone.stride]);
    let down = share(at + zone.stride, still[air_at + zone.stride]);
    var left = 0u;
    if column > 0u {
        left = share(at - 1u, still[air_at - 1u]);
    }
    var right = 0u;
    if column + 1u < zone.stride {
        right = share(at + 1u, still[air_at + 1u]);
    }
    // At most 31 times 4 ways out, or from 4 sides: no byte carries into the next.
    let outflow = (own & spread(air & ONES))
        + ((own << 1u) & spread((air >> 1u) & ONES))
        + ((own << 2u) & spread((air >> 2u) & ONES));
    let inflow = (up + down + to_left(own, left) + to_right(own, right)) & mask(air);
    var now = cells - outflow + inflow;
    let rate = (zone.rates >> (8u * kind)) & 255u;
    if rate != 0u && now != 0u {
        let turn = (zone.gas_keys[kind] + row * ROW) >> 24u;
        let draws = add(columns[column % arrayLength(&columns)], turn * ONES);
        now -= below(draws, rate * ONES) & holding(now);
    }
    after[at] = now;
}
