//! Composition: the only room that sees cores and adapters.

pub mod http;
