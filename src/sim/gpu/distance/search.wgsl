// As cpu/distance/search.rs: a breadth-first search on bits, a workgroup a map, many levels a run.
// At each level the invocations share the words, 32 cells of a row, of those rows that the frontier
// has come near.

struct Map {
    width: u32,
    height: u32,
    // Words of a row.
    stride: u32,
    // The word of the map's first cell in each plane of bits.
    first: u32,
    // Words of a row of numbers, two cells each, and the first of them.
    numbers_stride: u32,
    numbers: u32,
    // Those of the list that are this map's.
    goals: u32,
    goals_count: u32,
    // One more than the greatest distance; 0 leaves a map as it is.
    levels: u32,
    // Words of a plane of bits of all maps.
    plane: u32,
}

@group(0) @binding(0) var<storage, read> maps: array<Map>;
@group(0) @binding(1) var<storage, read> passable: array<u32>;
// A word of a map and the goals in it, no word twice.
@group(0) @binding(2) var<storage, read> goals: array<vec2<u32>>;
// The cells of the frontier at an even distance, at an odd one, and those not yet seen.
@group(0) @binding(3) var<storage, read_write> planes: array<u32>;
@group(0) @binding(4) var<storage, read_write> numbers: array<u32>;
// The distance that each map goes on with and whether it is done; then, for each, its `reached`.
@group(0) @binding(5) var<storage, read_write> progress: array<u32>;

const GROUP: u32 = 256u;
const ROWS_MAX: u32 = 1024u;
// Levels of a run. Mesa's llvmpipe ends all loops of an invocation after 65,535 turns; here are at
// most 132 a level, one a cell that is found, and some thousands before the first.
const LEVELS: u32 = 256u;

// One more than the distance at which a row was reached last, even and odd; 0 for never.
var<workgroup> reached: array<atomic<u32>, 2048>;
// The rows of this level, in any order.
var<workgroup> rows: array<u32, ROWS_MAX>;
var<workgroup> rows_count: atomic<u32>;
// The greatest distance of all.
var<workgroup> newest: atomic<u32>;
var<workgroup> farthest: u32;
var<workgroup> begins_at: u32;

fn was_reached(distance: u32, row: u32) -> bool {
    return atomicLoad(&reached[(distance & 1u) * ROWS_MAX + row]) == distance + 1u;
}

fn note_reached(distance: u32, row: u32) {
    atomicStore(&reached[(distance & 1u) * ROWS_MAX + row], distance + 1u);
}

// Cells moved one column to the right, and to the left.
fn right(here: u32, before: u32) -> u32 {
    return (here << 1u) | (before >> 31u);
}

fn left(here: u32, after: u32) -> u32 {
    return (here >> 1u) | (after << 31u);
}

// A word of a row of the frontier, and where it leads within the row.
struct Lead {
    here: u32,
    right: u32,
    left: u32,
}

fn lead(map: Map, plane: u32, word: u32, column: u32) -> Lead {
    let at = plane + word;
    let here = planes[at];
    var before = 0u;
    if column > 0u {
        before = planes[at - 1u];
    }
    var after = 0u;
    if column + 1u < map.stride {
        after = planes[at + 1u];
    }
    let open = passable[map.first + word];
    return Lead(here, right(here, before) & open, left(here, after) & open);
}

fn write_numbers(map: Map, row: u32, column: u32, cells: u32, distance: u32) {
    let first = map.numbers + row * map.numbers_stride + column * 16u;
    var rest = cells;
    while rest != 0u {
        let bit = countTrailingZeros(rest);
        rest &= rest - 1u;
        let shift = 16u * (bit & 1u);
        let at = first + bit / 2u;
        numbers[at] = (numbers[at] & ~(0xffffu << shift)) | (distance << shift);
    }
}

// Whether the cells of a row at a distance have to be looked for, or what the row got two levels ago
// has to be cleared.
fn is_near(distance: u32, row: u32) -> bool {
    return was_reached(distance - 1u, row - 1u) || was_reached(distance - 1u, row)
        || was_reached(distance - 1u, row + 1u)
        || (distance >= 2u && was_reached(distance - 2u, row));
}

// Finds the cells of a word that are at a distance.
fn advance(map: Map, row: u32, column: u32, distance: u32) {
    let word = row * map.stride + column;
    let lead_plane = ((distance - 1u) & 1u) * map.plane + map.first;
    let above = lead(map, lead_plane, word - map.stride, column);
    let here = lead(map, lead_plane, word, column);
    let below = lead(map, lead_plane, word + map.stride, column);
    let at = map.first + word;
    let open = passable[at];
    var before = 0u;
    if column > 0u {
        before = passable[at - 1u];
    }
    var after = 0u;
    if column + 1u < map.stride {
        after = passable[at + 1u];
    }
    // A diagonal step into this row passes beside a cell of this row and beside one of the row it
    // comes from: both must be passable.
    let beside_left = right(open, before);
    let beside_right = left(open, after);
    let steps = here.right | here.left | above.here | below.here;
    let diagonal = ((above.right | below.right) & beside_left)
        | ((above.left | below.left) & beside_right);
    let unseen = 2u * map.plane + at;
    let found = (steps | diagonal) & planes[unseen];
    planes[(distance & 1u) * map.plane + at] = found;
    if found != 0u {
        planes[unseen] &= ~found;
        note_reached(distance, row);
        atomicStore(&newest, distance);
        write_numbers(map, row, column, found, distance);
    }
}

// Empties a map and puts its goals into it.
fn begin(map: Map, me: u32) {
    for (var word = me; word < map.stride * map.height; word += GROUP) {
        planes[map.first + word] = 0u;
        planes[map.plane + map.first + word] = 0u;
        planes[2u * map.plane + map.first + word] = passable[map.first + word];
    }
    for (var at = me; at < map.numbers_stride * map.height; at += GROUP) {
        numbers[map.numbers + at] = 0xffffffffu;
    }
    storageBarrier();
    workgroupBarrier();
    for (var i = me; i < map.goals_count; i += GROUP) {
        let goal = goals[map.goals + i];
        let found = goal.y & passable[map.first + goal.x];
        if found != 0u {
            planes[map.first + goal.x] = found;
            planes[2u * map.plane + map.first + goal.x] &= ~found;
            note_reached(0u, goal.x / map.stride);
            write_numbers(map, goal.x / map.stride, goal.x % map.stride, found, 0u);
        }
    }
}

@compute @workgroup_size(256)
fn search(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) me: u32,
) {
    let map = maps[group.x];
    let head = 2u * group.x;
    let kept = 2u * groups.x + 2u * ROWS_MAX * group.x;
    if me == 0u {
        begins_at = select(progress[head], map.levels, progress[head + 1u] != 0u);
    }
    var distance = workgroupUniformLoad(&begins_at);
    if distance >= map.levels {
        progress[head + 1u] = 1u;
        return;
    }
    if distance == 0u {
        begin(map, me);
        distance = 1u;
    } else {
        for (var i = me; i < 2u * ROWS_MAX; i += GROUP) {
            atomicStore(&reached[i], progress[kept + i]);
        }
    }
    let end = min(map.levels, distance + LEVELS);
    var is_done = end == map.levels;
    for (; distance < end; distance++) {
        storageBarrier();
        workgroupBarrier();
        // Rows on the border are never passable.
        for (var row = 1u + me; row + 1u < map.height; row += GROUP) {
            if is_near(distance, row) {
                rows[atomicAdd(&rows_count, 1u)] = row;
            }
        }
        workgroupBarrier();
        let count = atomicLoad(&rows_count) * map.stride;
        for (var i = me; i < count; i += GROUP) {
            advance(map, rows[i / map.stride], i % map.stride, distance);
        }
        workgroupBarrier();
        if me == 0u {
            farthest = atomicLoad(&newest);
            atomicStore(&rows_count, 0u);
        }
        if workgroupUniformLoad(&farthest) != distance {
            is_done = true;
            break;
        }
    }
    workgroupBarrier();
    if me == 0u {
        progress[head] = distance;
        progress[head + 1u] = u32(is_done);
    }
    for (var i = me; i < 2u * ROWS_MAX; i += GROUP) {
        progress[kept + i] = atomicLoad(&reached[i]);
    }
}
