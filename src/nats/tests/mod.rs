//! The real server, for the tests of every room that speaks to it.

pub(crate) mod server;
mod table;
mod trail;
