//! The real server, for the tests of every room that speaks to it.

mod queue;
pub(crate) mod server;
mod table;
