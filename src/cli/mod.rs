//! The command line: one file or folder a subcommand, each with `Args` and `run`.

#[cfg(feature = "server")]
pub mod bench;

use std::process::ExitCode;

/// Undercroft, an authoritative multiplayer roguelike.
#[derive(Debug, clap::Parser)]
#[command(name = "undercroft", version, about)]
pub enum Cli {
    /// Measure this build on this machine.
    #[cfg(feature = "server")]
    Bench(bench::Args),
}

impl Cli {
    /// Carries the subcommand out.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            #[cfg(feature = "server")]
            Self::Bench(args) => bench::run(args),
        }
    }
}
