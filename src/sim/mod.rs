//! Executes a tick: a fixed list of kernels over the arrays of a zone.
//!
//! `cpu/<kernel>.rs` is the reference. It must never see a clock, a socket or a file.

pub mod cpu;
