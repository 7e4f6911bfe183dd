//! `undercroft admin flag`: what holds for all processes, without a restart.

use clap::Subcommand;
use serde::Serialize;

use super::{Form, who};
use crate::app::cluster::admin;
use crate::app::cluster::audit::Act;
use crate::app::cluster::flags::{self, Flag, Value};
use crate::cli::table::table;
use crate::nats::Nats;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show all flags
    List(Form),
    /// Set a flag; every process goes by it at once
    Set { name: Flag, value: String },
    /// Take back what was set
    Unset { name: Flag },
}

#[derive(Serialize)]
struct Shown {
    flag: Flag,
    value: Value,
    is_set: bool,
}

/// Does it, and gives what is to be said of it.
pub(super) fn run(nats: &Nats, command: &Command) -> anyhow::Result<String> {
    Ok(match command {
        Command::List(form) => {
            let set = flags::list(nats)?;
            let show = |flag: Flag| {
                let value = set.get(&flag.to_string()).cloned();
                let is_set = value.is_some();
                Shown { flag, value: value.unwrap_or_else(|| flag.default_value()), is_set }
            };
            form.print(&Flag::ALL.map(show), shown)?
        }
        Command::Set { name: flag, value } => {
            let (flag, value) = (*flag, flag.parse_value(value)?);
            let said = format!("{flag} is {value} now\n");
            admin::carry_out(nats, &who(), Act::SetFlag { flag, value })?;
            said
        }
        Command::Unset { name: flag } => {
            admin::carry_out(nats, &who(), Act::UnsetFlag { flag: *flag })?;
            format!("{flag} is as it is by default, {}\n", flag.default_value())
        }
    })
}

fn shown(flags: &[Shown]) -> String {
    let cells = |shown: &Shown| {
        let set = if shown.is_set { "set" } else { "default" };
        let text = shown.flag.text().to_owned();
        vec![shown.flag.to_string(), shown.value.to_string(), set.to_owned(), text]
    };
    let rows: Vec<_> = flags.iter().map(cells).collect();
    table(&["flag", "value", "by", "meaning"], &rows)
}
