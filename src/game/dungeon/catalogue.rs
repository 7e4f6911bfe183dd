//! Pinned floors: whoever changes the generator sees here which floors change with it.

pub(super) const SEEDS: [u64; 3] = [1, 77, 0xdead_beef];
pub(super) const DEPTHS: usize = 26;

/// Hashes of floors of 96 by 64 cells: a row a depth, a column a seed.
pub(super) static CATALOGUE: [[u64; 3]; DEPTHS] = [
    [0x80364eccb022a8db, 0xa543a1dc6e5ad474, 0x96e82b8b6776f114],
    [0xacda2afa594482ce, 0xaf8f73fa7cc2005a, 0xb3d3dd60a6b5a593],
    [0x0398787abb3960af, 0x981d658998e041c6, 0xc6bcb3d7de7d51d5],
    [0xf00f76e7d2b0ed3e, 0xd79229e7261bc875, 0x779c8a96218f483e],
    [0xf297c102dce52421, 0x0a392929975ce2b8, 0xe26129100235605b],
    [0x392c9e318e98792e, 0xe811795c0271cfbe, 0xcf6cb5e4fb1457e0],
    [0xf562b255c64014d9, 0xfdd445ffe89d5654, 0xec163a66be9f39be],
    [0x62198f235704afe9, 0x24a0b27d852207d3, 0xc8bca7c5e77baffd],
    [0x71faf86ea863b253, 0xf4e9cf2608c8916f, 0xb363f6f485c55175],
    [0x1fcc4811291b78e6, 0x156907aa1c9d71e7, 0xe1609f0b211a34a0],
    [0x3df49ae43e7ed250, 0x34e3267cf55b7a91, 0xdc36001b625c8241],
    [0x3bbf866a5adc656e, 0xb562eba67ce1ef22, 0x3281fdfb1148f69c],
    [0x9e873cf7a55aeab3, 0xd7d4942fb164ca31, 0x43d69a9c9f896858],
    [0x08f142ea91cf06c3, 0x20e9635838663c16, 0x5d259b11ce23b94f],
    [0xdda2356fb5e8d8e4, 0x17528e3038084f41, 0xc4f112d8b2340b08],
    [0xcb3180eaf0b0b9bd, 0x26b3b07f581b37ac, 0x34318363225898b7],
    [0x37cbd53bec1a4c46, 0x018dc2b511e727f7, 0x969d645e791f19ac],
    [0x870003e0c83bef75, 0x2f28002db1d0e639, 0x62c511a8695fb996],
    [0x46805dd1d9a40f54, 0x92185b8da1ccdbca, 0xec73fa97c7ce2775],
    [0xf6b4132342a26168, 0xa2258e10439343a3, 0xad1e04b0fc5d854f],
    [0xf852c289076d791b, 0x9485f0c49cfe6bb5, 0xfc6aaea2483aae55],
    [0xbb2c10b7f865eea5, 0xb7a82649445827b9, 0xcc6ec07fa4ff5ec1],
    [0xe7de99ae6c436846, 0x8c223cd553cc08e7, 0x510be74f2a0a821b],
    [0x6902db6bacb80c78, 0xcb5a5861e6994271, 0x50f2a95018d6f63f],
    [0x47ac3466f3c7980b, 0xe98b2d0dc93fe564, 0x276a4d1277d671a1],
    [0x6b706d16a01e6b0f, 0x16fdb30f449a0a93, 0x2d477c22f01b064a],
];

/// Seed, depth, width, height and hash of floors of other sizes.
pub(super) static OTHERS: [(u64, u8, u16, u16, u64); 4] = [
    (5, 4, 32, 32, 0xd3b7287198a9de6f),
    (5, 7, 256, 256, 0x0375715b226beb04),
    (5, 26, 64, 200, 0x80c531e43298835b),
    (5, 12, 1024, 1024, 0xd23ec0cfbb6b6a9f),
];

/// Seed, width, height and hash of arenas.
pub(super) static ARENAS: [(u64, u16, u16, u64); 2] =
    [(1, 48, 32, 0x624854b7bf550b4d), (2, 256, 256, 0xddb5ba8aec360834)];
