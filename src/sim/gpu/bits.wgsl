// Four cells of a row, a byte each, in a word: the one on the left in the lowest byte.

const ONES: u32 = 0x01010101u;
const LOW: u32 = 0x7f7f7f7fu;
const TOP: u32 = 0x80808080u;

// 1 in each byte that is not 0.
fn holding(cells: u32) -> u32 {
    return ((((cells & LOW) + LOW) | cells) >> 7u) & ONES;
}

// 255 in each byte that is 1, 0 in each that is 0.
fn spread(ones: u32) -> u32 {
    return ones * 255u;
}

// Adds byte by byte, without a carry from one to the next.
fn add(a: u32, b: u32) -> u32 {
    return ((a & LOW) + (b & LOW)) ^ ((a ^ b) & TOP);
}

// 1 in each byte of `a` that is below the one of `b`.
fn below(a: u32, b: u32) -> u32 {
    let difference = (a | TOP) - (b & LOW);
    return (((~a & b) | (~(a ^ b) & ~difference)) >> 7u) & ONES;
}

// What is one cell to the left of each, and one to the right.
fn to_left(cells: u32, before: u32) -> u32 {
    return (cells << 8u) | (before >> 24u);
}

fn to_right(cells: u32, after: u32) -> u32 {
    return (cells >> 8u) | (after << 24u);
}
