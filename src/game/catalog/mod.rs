//! Content as tables: one row a thing. Code asks a row's flags, hardly ever which row it is.

pub mod arenas;
pub mod content;
pub mod effects;
pub mod flashes;
pub mod gases;
pub mod items;
pub mod monsters;
pub mod notes;
pub mod terrain;

pub use effects::Effect;
pub use flashes::Flash;
pub use gases::Gas;
pub use items::Kind;
pub use monsters::Monster;
pub use notes::Note;
pub use terrain::Terrain;
