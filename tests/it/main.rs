//! Tests that need files, sockets or processes.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::print_stderr, reason = "a failed test shows what the server logged")]

mod admin;
mod bad_input;
mod cluster;
mod corpus;
mod kill;
mod observability;
mod rig;
mod sessions;
mod startup;
