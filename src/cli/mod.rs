//! The command line: one file or folder a subcommand, each with `Args` and `run`.

pub mod bots;
pub mod content;
pub mod driver;
pub mod http;
pub mod link;
pub mod play;

use std::process::ExitCode;

/// Undercroft, an authoritative multiplayer roguelike.
#[derive(Debug, clap::Parser)]
#[command(name = "undercroft", version, about)]
pub enum Cli {
    /// Play in the terminal.
    Play(play::Args),
    /// Let many bots play, and measure what they are served.
    Bots(bots::Args),
}

impl Cli {
    /// Carries the subcommand out.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Play(args) => play::run(args),
            Self::Bots(args) => bots::run_command(&args),
        }
    }
}
