// Writes single words.

@group(0) @binding(0) var<storage, read> edits: Edits;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;

struct Edits {
    count: u32,
    pad: u32,
    // Where, no place twice, and what.
    list: array<vec2<u32>>,
}

@compute @workgroup_size(64)
fn edit(@builtin(global_invocation_id) id: vec3<u32>) {
    // Rows of as many workgroups as a dispatch may have.
    let i = id.y * 65535u * 64u + id.x;
    if i < edits.count {
        words[edits.list[i].x] = edits.list[i].y;
    }
}
