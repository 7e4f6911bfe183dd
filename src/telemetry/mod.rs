//! What the server tells its operators: metrics, health and the log.
//!
//! [`Metrics`] declares every metric in one file, [`Health`] gathers what keeps the server from
//! working, [`admin::router`] serves both on the administrative port, [`logging::init`] sets the
//! log up. Nothing here knows a rule of the game or holds a secret.

pub mod admin;
mod health;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod request_id;

pub use health::{Health, Obstacle};
pub use metrics::Metrics;
