//! Every bound of the system, with the checks between them made at compile time.

/// Floors of the dungeon.
pub const FLOORS: u32 = 26;
/// Width of a floor for play, in cells.
pub const ZONE_WIDTH_DEFAULT: u16 = 96;
/// Height of a floor for play, in cells.
pub const ZONE_HEIGHT_DEFAULT: u16 = 64;
/// Shortest side of a zone, in cells.
pub const ZONE_SIDE_MIN: u16 = 32;
/// Longest side of a zone, in cells.
pub const ZONE_SIDE_MAX: u16 = 1024;
/// Actor slots of a zone; slot numbers fit `u16` and [`NO_ACTOR`] is none of them.
pub const ACTORS_MAX: usize = 65_000;
/// Marks a cell without an actor.
pub const NO_ACTOR: u16 = u16::MAX;
/// Players in one zone.
pub const PLAYERS_PER_ZONE_MAX: usize = 1_000;

/// Ticks a second unless configured.
pub const TICKS_PER_SECOND_DEFAULT: u32 = 20;
/// Most ticks a second.
pub const TICKS_PER_SECOND_MAX: u32 = 30;
/// Ticks between two recorded state hashes.
pub const HASH_INTERVAL_TICKS: u64 = 20;

/// Farthest cell a player can see, in king's moves.
pub const SIGHT_RADIUS_MAX: u16 = 24;

/// Slots of an inventory, lettered a to z.
pub const INVENTORY_SLOTS: usize = 26;
/// Commands a character may have waiting for its next turn.
pub const COMMAND_QUEUE_MAX: usize = 8;
/// Bytes of a chat line.
pub const CHAT_BYTES_MAX: usize = 200;
/// Bytes of what the end of a connection says beside its reason.
pub const DETAIL_BYTES_MAX: usize = 200;
/// Bytes of what a server tells all players at once.
pub const NOTICE_BYTES_MAX: usize = 200;
/// Bytes of a character's or an account's name.
pub const NAME_BYTES_MAX: usize = 16;
/// Shortest password, in bytes.
pub const PASSWORD_BYTES_MIN: usize = 8;
/// Longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 128;
/// Characters of one account.
pub const CHARACTERS_PER_ACCOUNT_MAX: usize = 8;

/// Connections that may wait for admission at once; a Hello beyond is closed as full.
pub const ADMISSION_REQUESTS_MAX: usize = 4_096;
/// Snapshots that may wait to be saved; one more is left out, and the next takes its place.
pub const SNAPSHOTS_WAITING_MAX: usize = 64;
/// Threads of a process that simulate.
pub const SIMULATION_THREADS_MAX: usize = 256;
/// Messages that may wait for a simulation thread; batches of players beyond lose what their
/// clients send again anyway.
pub const SIMULATION_MESSAGES_MAX: usize = 4_096;
/// Events that may wait for the gateway; while there are more, no zone ticks.
pub const GATEWAY_EVENTS_MAX: usize = 4_096;

/// Bytes of any message from a client.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 2_048;
/// Commands in one message from a client.
pub const COMMANDS_PER_MESSAGE_MAX: usize = 32;
/// Bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 1_024;
/// Bytes of a frame: it fits one QUIC datagram on a path with an MTU of 1,200 bytes.
pub const FRAME_BYTES_MAX: usize = 1_100;
/// Bytes of any message to a client.
pub const SERVER_MESSAGE_BYTES_MAX: usize = 4_096;
/// Frames a player's view history holds; an older baseline makes a keyframe.
pub const FRAME_HISTORY: usize = 32;
/// Frames between two self-healing hashes.
pub const FRAME_HASH_INTERVAL: u32 = 20;
/// Events a player's frame may carry.
pub const EVENTS_PER_FRAME_MAX: usize = 31;
/// Events waiting for a player; the oldest is dropped when one more comes.
pub const EVENT_BACKLOG_MAX: usize = 64;
/// Actors one player is shown; the farthest are left out beyond it.
pub const ACTORS_IN_VIEW_MAX: usize = 255;

const _: () = {
    assert!(ACTORS_MAX < NO_ACTOR as usize);
    assert!(ZONE_WIDTH_DEFAULT <= ZONE_SIDE_MAX && ZONE_HEIGHT_DEFAULT <= ZONE_SIDE_MAX);
    assert!(ZONE_SIDE_MIN <= ZONE_HEIGHT_DEFAULT);
    assert!(TICKS_PER_SECOND_DEFAULT <= TICKS_PER_SECOND_MAX);
    assert!(FRAME_BYTES_MAX < SERVER_MESSAGE_BYTES_MAX);
    assert!(TOKEN_BYTES_MAX + 256 <= CLIENT_MESSAGE_BYTES_MAX);
    assert!(CHAT_BYTES_MAX + 32 <= CLIENT_MESSAGE_BYTES_MAX);
    assert!(2 * SIGHT_RADIUS_MAX < 63, "window coordinates are six bits");
    assert!(EVENTS_PER_FRAME_MAX <= EVENT_BACKLOG_MAX);
    assert!(FRAME_HISTORY < 128, "a baseline distance is seven bits");
};
