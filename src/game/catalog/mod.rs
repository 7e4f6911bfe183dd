//! Content as tables: one row a thing. Code asks a row's flags, hardly ever which row it is.

pub mod terrain;

pub use terrain::Terrain;
