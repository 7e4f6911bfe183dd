//! The reference kernels, one a file, on plain slices.

pub mod activity;
mod bits;
pub mod distance;
pub mod fire;
pub mod fov;
pub mod gas;
pub mod noise;
