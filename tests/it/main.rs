//! Tests that need files, sockets or processes.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::print_stderr, reason = "a failed test shows what the server logged")]

mod admin;
mod api;
mod bad_input;
mod cluster;
mod corpus;
mod drain;
mod keys;
mod kill;
mod lobby;
mod migration;
mod observability;
mod page;
mod players;
mod postgres;
mod replicas;
mod results;
mod rig;
mod rules;
mod service;
mod sessions;
mod standby;
mod startup;
mod time;
#[path = "../browser/webdriver.rs"]
#[expect(dead_code, reason = "it serves more tests than these")]
mod webdriver;
