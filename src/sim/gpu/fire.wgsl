// As cpu/fire.rs: four cells an invocation, a zone a row of workgroups. Gas has spread before.

@group(0) @binding(0) var<storage, read> zones: array<Zone>;
@group(0) @binding(1) var<storage, read> still: array<u32>;
@group(0) @binding(2) var<storage, read> before: array<u32>;
@group(0) @binding(3) var<storage, read_write> after: array<u32>;
@group(0) @binding(4) var<storage, read_write> news: News;

struct News {
    count: atomic<u32>,
    pad: u32,
    // A word of a plane, and what happened in its cells: 1 ignited, 2 burnt out, 4 exploded.
    list: array<vec2<u32>>,
}

@compute @workgroup_size(64)
fn fire(@builtin(global_invocation_id) id: vec3<u32>) {
    let zone = zones[id.y];
    if id.x >= zone.stride * zone.height {
        return;
    }
    let row = id.x / zone.stride;
    let column = id.x % zone.stride;
    let word = zone.first + id.x;
    let at = FIRE * zone.plane + word;
    let cells = before[at];
    if !is_inner(zone, row) {
        after[at] = cells;
        return;
    }
    var left = 0u;
    if column > 0u {
        left = before[at - 1u];
    }
    var right = 0u;
    if column + 1u < zone.stride {
        right = before[at + 1u];
    }
    let own = holding(cells);
    let beside = holding(before[at - zone.stride]) | holding(before[at + zone.stride])
        | holding(to_left(cells, left)) | holding(to_right(cells, right));
    if (own | beside) == 0u {
        after[at] = 0u;
        return;
    }
    let exploded = (own | beside) & holding(after[METHANE * zone.plane + word]);
    var now = cells - own;
    let burnt_out = own & ~holding(now);
    let ignition = still[IGNITION * zone.plane + word];
    var ignited = beside & ~own & holding(ignition);
    if ignited != 0u {
        ignited &= below(noise(zone.fire_key, id.x), ignition);
        let ticks = still[BURN_TICKS * zone.plane + word];
        now |= spread(ignited) & (ticks + (ONES ^ holding(ticks)));
    }
    after[at] = now;
    let happened = ignited | (burnt_out << 1u) | (exploded << 2u);
    if happened != 0u {
        news.list[atomicAdd(&news.count, 1u)] = vec2(word, happened);
    }
}
