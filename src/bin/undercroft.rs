//! The command line of Undercroft.

use std::process::ExitCode;

use clap::Parser;
use undercroft::cli::Cli;

fn main() -> anyhow::Result<ExitCode> {
    Cli::parse().run()
}
