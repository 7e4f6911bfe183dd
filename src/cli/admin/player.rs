//! `undercroft admin player`: who plays, and from where.

use clap::Subcommand;

use super::{Form, reason, who};
use crate::app::cluster::admin;
use crate::app::cluster::audit::Act;
use crate::app::cluster::players::{self, PlayerView};
use crate::cli::table::table;
use crate::nats::Nats;

#[derive(Debug, Subcommand)]
pub(super) enum Player {
    /// Show who is connected
    List(Form),
    /// Show a character, connected or not
    Show {
        name: String,
        #[command(flatten)]
        form: Form,
    },
    /// Close somebody's connection; the player may come back
    Kick {
        name: String,
        /// Why; the player reads it
        #[arg(long, value_name = "TEXT", default_value = "", value_parser = reason)]
        reason: String,
    },
}

/// Does it, and gives what is to be said of it.
pub(super) fn run(nats: &Nats, player: &Player) -> anyhow::Result<String> {
    Ok(match player {
        Player::List(form) => form.print(&players::connected(nats)?, shown)?,
        Player::Show { name, form } => form.print(&[players::find(nats, name)?], shown)?,
        Player::Kick { name, reason } => {
            let PlayerView { character, name, .. } = players::find(nats, name)?;
            let reason = reason.clone();
            let act = Act::Kick { character, name: name.clone(), reason };
            admin::carry_out(nats, &who(), act)?;
            format!("the connection of {name} is closed\n")
        }
    })
}

fn shown(players: &[PlayerView]) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let cells = |view: &PlayerView| {
        vec![
            view.name.clone(),
            view.character.to_string(),
            view.account.to_string(),
            or_none(view.zone.map(|zone| zone.to_string())),
            or_none(view.connected.map(|at| at.gateway.to_string())),
            or_none(view.connected.map(|at| at.address.to_string())),
        ]
    };
    let rows: Vec<_> = players.iter().map(cells).collect();
    table(&["player", "character", "account", "zone", "gateway", "address"], &rows)
}
