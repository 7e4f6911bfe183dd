//! The reference kernels, one a file, on plain slices.

pub mod activity;
pub(super) mod births;
mod bits;
pub(super) mod combat;
pub(super) mod commands;
pub(super) mod decide;
pub mod distance;
pub(super) mod environment;
pub mod fire;
pub mod fov;
pub mod gas;
pub mod instructions;
pub(super) mod maps;
pub mod noise;
pub(super) mod resolve;
pub(super) mod scent;
pub(super) mod upkeep;
pub(super) mod visibility;
