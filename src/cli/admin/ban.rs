//! `undercroft admin ban`: who may not come in.

use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};

use super::{Form, reason, who};
use crate::app::cluster::audit::Act;
use crate::app::cluster::bans::{self, BanRecord};
use crate::app::cluster::{admin, players};
use crate::app::registrar::unix_now;
use crate::cli::table::table;
use crate::gateway::{Network, Target};
use crate::model::AccountId;
use crate::nats::Nats;

#[derive(Debug, Subcommand)]
pub(super) enum Ban {
    /// Show the bans that hold
    List(Form),
    /// Close the connections of an account or of addresses, and keep them out
    Add {
        #[command(flatten)]
        whom: Whom,
        /// How long, such as 30m, 2h or 7d [default: for good]
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        lasts: Option<Duration>,
        /// Why; whoever is banned reads it
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// Let them in again
    Remove {
        #[command(flatten)]
        whom: Whom,
    },
}

/// Whom a ban is for.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(super) struct Whom {
    /// An account by its number
    #[arg(long, value_name = "NUMBER")]
    account: Option<u64>,
    /// The account of a character, by the character's name
    #[arg(long, value_name = "NAME")]
    player: Option<String>,
    /// An address or a network, such as 192.0.2.0/24
    #[arg(long, value_name = "NETWORK")]
    address: Option<Network>,
}

impl Whom {
    fn target(&self, nats: &Nats) -> anyhow::Result<Target> {
        Ok(match (self.account, self.address, &self.player) {
            (Some(account), _, _) => Target::Account(AccountId(account)),
            (_, Some(network), _) => Target::Address(network),
            (_, _, name) => {
                let name = name.as_deref().unwrap_or_default();
                Target::Account(players::account_of(nats, name)?)
            }
        })
    }
}

/// Does it, and gives what is to be said of it.
pub(super) fn run(nats: &Nats, ban: &Ban) -> anyhow::Result<String> {
    Ok(match ban {
        Ban::List(form) => form.print(&bans::list(nats)?, shown)?,
        Ban::Add { whom, lasts, reason } => {
            let target = whom.target(nats)?;
            let until = lasts.map(|lasts| unix_now() + lasts.as_secs());
            let reason = reason.clone();
            admin::carry_out(nats, &who(), Act::Ban { target, until, reason })?;
            format!("{target} is banned\n")
        }
        Ban::Remove { whom } => {
            let target = whom.target(nats)?;
            admin::carry_out(nats, &who(), Act::Unban { target })?;
            format!("{target} is not banned any more\n")
        }
    })
}

fn shown(bans: &[BanRecord]) -> String {
    let cells = |ban: &BanRecord| {
        let until = ban.until.map_or_else(|| "-".to_owned(), |until| until.to_string());
        let (since, by, reason) = (ban.since.to_string(), ban.by.clone(), ban.reason.clone());
        vec![ban.target.to_string(), since, until, by, reason]
    };
    let rows: Vec<_> = bans.iter().map(cells).collect();
    table(&["banned", "since", "until", "by", "reason"], &rows)
}

/// A number and what of: seconds, minutes, hours or days.
fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.chars().next_back().and_then(|unit| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3_600),
        'd' => Some(86_400),
        _ => None,
    });
    let number = || text.get(..text.len() - 1)?.parse::<u32>().ok().filter(|&number| number > 0);
    let seconds = unit.and_then(|unit| Some(unit * u64::from(number()?)));
    seconds.map(Duration::from_secs).ok_or_else(|| "give a number and s, m, h or d: 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("7d", 604_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "2", "h", "0h", "2 h", "-1h", "2w", "2ü"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
