//! `undercroft dev`: everything in one process.

use std::process::ExitCode;

use crate::app::config::{Config, Flags};
use crate::app::dev;
use crate::telemetry::logging::{self, Style};

/// Runs until a signal.
pub fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let config = match Config::load(flags) {
        Ok(config) => config,
        Err(error) => {
            super::complain(&format!("{error:#}"));
            return Ok(ExitCode::from(super::EXIT_USAGE));
        }
    };
    if flags.check_config {
        return Ok(ExitCode::SUCCESS);
    }
    logging::init(config.log, Style::Terminal);
    dev::run(&config)?;
    Ok(ExitCode::SUCCESS)
}
