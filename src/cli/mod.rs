//! The command line: one file or folder a subcommand, each with `Args` and `run`.

pub mod admin;
pub mod bench;
pub mod bots;
pub mod content;
pub mod dev;
pub mod driver;
pub mod http;
pub mod link;
pub mod play;
pub mod replay;
mod table;
pub mod top;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::app::config::Flags;

/// The exit code of bad flags and a bad configuration (EX_USAGE of sysexits).
const EXIT_USAGE: u8 = 64;

/// Undercroft, an authoritative multiplayer roguelike. Without a subcommand: dev.
#[derive(Debug, Parser)]
#[command(name = "undercroft", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    dev: Flags,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Run everything in one process, with the state in one folder.
    Dev(Flags),
    /// Play in the terminal.
    Play(play::Args),
    /// Let many bots play, and measure what they are served.
    Bots(bots::Args),
    /// Re-run zones from their journals.
    Replay(replay::Args),
    /// Measure this build on this machine.
    Bench(bench::Args),
    /// Watch a cluster: instances, gateways, zones, players, ticks.
    Top(top::Args),
    /// Look at a cluster, move its zones, drain its instances, ban players, set flags.
    Admin(admin::Args),
}

/// The whole program: reads the arguments, does what they say, prints an error once.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => {
            // Where nobody listens there is nobody to tell.
            let _ = said.print();
            return ExitCode::from(if said.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    let result = match cli.what {
        None => dev::run(&cli.dev),
        Some(What::Dev(flags)) => dev::run(&flags),
        Some(What::Play(args)) => play::run(args),
        Some(What::Bots(args)) => bots::run_command(&args),
        Some(What::Replay(args)) => replay::run(&args),
        Some(What::Bench(args)) => bench::run(args),
        Some(What::Top(args)) => top::run(&args),
        Some(What::Admin(args)) => admin::run(&args),
    };
    result.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

/// Says what went wrong, on one line of the standard error.
fn complain(error: &str) {
    let error: Vec<&str> = error.lines().map(str::trim).collect();
    // Where the standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "undercroft: {}", error.join(" "));
}
