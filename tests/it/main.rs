//! Tests that need files, sockets or processes.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod corpus;
