// As cpu/noise.rs. Keys are made there.

fn noise(key: u32, cell: u32) -> u32 {
    var h = (cell * 0x9e3779b9u) ^ key;
    h = (h ^ (h >> 16u)) * 0x7feb352du;
    h = (h ^ (h >> 15u)) * 0x846ca68bu;
    return h ^ (h >> 16u);
}
