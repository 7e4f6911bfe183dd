//! The twins of the kernels on a graphics processor, equal to them to the bit.
//!
//! `<kernel>.wgsl` does what `cpu/<kernel>.rs` does, for many zones at once; `device.rs` alone
//! knows wgpu. There are 32-bit integers only, and nothing depends on the order in which
//! invocations run.

pub mod device;
pub mod distance;
pub mod environment;
#[cfg(test)]
pub(crate) mod tests;
mod zones;

pub use zones::Zones;
