//! `undercroft admin`: looks at a cluster, moves its zones, drains its instances, bans and kicks
//! players, sets flags.

mod ban;
mod flag;
mod player;

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args as ClapArgs, Subcommand};
use serde::Serialize;
use tokio::runtime::Runtime;

use super::table::table;
use crate::app::cluster::admin;
use crate::app::cluster::audit::{Act, Audit, Entry};
use crate::app::keys;
use crate::app::settings::NatsFlags;
use crate::model::limits::DETAIL_BYTES_MAX;
use crate::model::{InstanceId, ZoneId};
use crate::nats::Nats;
use crate::telemetry::logging::{self, Style};

/// Look at a cluster, move its zones, drain its instances, ban players, set flags.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    nats: NatsFlags,
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// The keys that sign logins; NATS is not asked
    #[command(subcommand)]
    Keys(Keys),
    #[command(flatten)]
    Cluster(What),
}

#[derive(Debug, Subcommand)]
enum What {
    /// Zones and who runs them
    #[command(subcommand)]
    Zone(Zone),
    /// Instances, which run zones
    #[command(subcommand)]
    Instance(Instance),
    /// Who plays
    #[command(subcommand)]
    Player(player::Player),
    /// Who may not come in
    #[command(subcommand)]
    Ban(ban::Ban),
    /// What holds for all processes, without a restart
    #[command(subcommand)]
    Flag(flag::Command),
    /// Show what admins did
    Audit {
        /// The newest so many entries
        #[arg(long, value_name = "NUMBER", default_value_t = 20,
            value_parser = clap::value_parser!(u64).range(1..=10_000))]
        last: u64,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, Subcommand)]
enum Zone {
    /// Show all zones
    List(Form),
    /// Move a zone to another instance; players stay connected
    Move { zone: u32, instance: u32 },
    /// Have a second instance follow a zone, ready to go on at once if the first falls silent
    Standby {
        zone: u32,
        #[arg(action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
        on: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Instance {
    /// Show all instances, those that are gone among them
    List(Form),
    /// Move all zones of an instance to others; it takes none until it is started anew
    Drain { instance: u32 },
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Put a new key in front of a file's; what signs takes it at once, and nobody has to log in
    Rotate {
        #[arg(long, env = "UNDERCROFT_TOKEN_KEYS", value_name = "FILE")]
        token_keys: PathBuf,
        /// Older keys that stay: tokens of those before end
        #[arg(long, value_name = "NUMBER", default_value_t = 8)]
        keep: usize,
    },
}

/// How a list is printed.
#[derive(Debug, ClapArgs)]
struct Form {
    /// For programs: an array of JSON in one line
    #[arg(long)]
    json: bool,
}

/// Carries the subcommand out.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let what = match &args.subject {
        Subject::Keys(Keys::Rotate { token_keys, keep }) => {
            keys::rotate(token_keys, *keep)?;
            print(&format!("a new key is the first in {}\n", token_keys.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        Subject::Cluster(what) => what,
    };
    let (_runtime, nats) = connect(&args.nats, "undercroft admin")?;
    admin::find_cluster(&nats)?;
    let said = match what {
        What::Zone(Zone::List(form)) => form.print(&admin::zones(&nats)?, zones)?,
        What::Zone(Zone::Move { zone, instance }) => {
            let act = Act::Move { zone: ZoneId(*zone), to: InstanceId(*instance) };
            admin::carry_out(&nats, &who(), act)?;
            format!("zone {zone} is with instance {instance} now\n")
        }
        What::Zone(Zone::Standby { zone, on }) => {
            let act = Act::Standby { zone: ZoneId(*zone), has_standby: *on };
            admin::carry_out(&nats, &who(), act)?;
            format!("zone {zone} has {} standby now\n", if *on { "a" } else { "no" })
        }
        What::Instance(Instance::List(form)) => {
            form.print(&admin::instances(&nats)?, |rows| instances(rows, count))?
        }
        What::Instance(Instance::Drain { instance }) => {
            let act = Act::Drain { instance: InstanceId(*instance) };
            admin::carry_out(&nats, &who(), act)?;
            format!("instance {instance} has no zone left\n")
        }
        What::Player(player) => player::run(&nats, player)?,
        What::Ban(ban) => ban::run(&nats, ban)?,
        What::Flag(flag) => flag::run(&nats, flag)?,
        What::Audit { last, form } => {
            let entries = Audit::open(&nats)?.newest(*last)?;
            form.print(&entries, |entries| {
                let line = |entry: &Entry| {
                    let (act, outcome) = (&entry.act, &entry.outcome);
                    format!("{}  {}  {act}: {outcome}\n", entry.time, entry.who)
                };
                entries.iter().map(line).collect()
            })?
        }
    };
    print(&said)?;
    Ok(ExitCode::SUCCESS)
}

/// A connection to NATS, which lives as long as its runtime.
pub(super) fn connect(flags: &NatsFlags, name: &str) -> anyhow::Result<(Runtime, Nats)> {
    logging::init(log::LevelFilter::Warn, Style::Terminal);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("starting the input and output thread")?;
    let nats = Nats::connect(runtime.handle(), &flags.config(name)?)?;
    Ok((runtime, nats))
}

pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing to standard output")
}

/// A table of instances; `zones` says what of their zones is shown.
pub(super) fn instances(
    rows: &[admin::InstanceView],
    zones: impl Fn(&[ZoneId]) -> String,
) -> String {
    let cells = |row: &admin::InstanceView| {
        let state = match (row.is_living, row.is_draining) {
            (false, _) => "silent",
            (true, true) => "draining",
            (true, false) => "living",
        };
        let [capacity, version] = [row.capacity, row.version].map(|number| number.to_string());
        vec![row.instance.to_string(), state.to_owned(), capacity, version, zones(&row.zones)]
    };
    let rows: Vec<_> = rows.iter().map(cells).collect();
    table(&["instance", "state", "capacity", "version", "zones"], &rows)
}

fn count(zones: &[ZoneId]) -> String {
    zones.len().to_string()
}

fn zones(rows: &[admin::ZoneView]) -> String {
    let cells = |row: &admin::ZoneView| {
        let owner = row.owner.map_or_else(|| "-".to_owned(), |owner| owner.to_string());
        let standby = if row.has_standby { "yes" } else { "no" }.to_owned();
        vec![row.zone.to_string(), owner, row.epoch.to_string(), standby]
    };
    let rows: Vec<_> = rows.iter().map(cells).collect();
    table(&["zone", "owner", "epoch", "standby"], &rows)
}

impl Form {
    fn print<T: Serialize>(
        &self,
        rows: &[T],
        plain: impl FnOnce(&[T]) -> String,
    ) -> anyhow::Result<String> {
        Ok(if self.json { serde_json::to_string(rows)? + "\n" } else { plain(rows) })
    }
}

/// What a player is told, which has to fit the message.
fn reason(text: &str) -> Result<String, String> {
    if text.len() > DETAIL_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("a reason is one line of {DETAIL_BYTES_MAX} bytes at most"));
    }
    Ok(text.to_owned())
}

/// Who sits at the keyboard, as the system has it: whoever has become root by sudo is named.
fn who() -> String {
    let name = ["SUDO_USER", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
    let number = || std::fs::metadata("/proc/self").map(|own| format!("uid {}", own.uid()));
    let name = name.or_else(|| number().ok()).unwrap_or_else(|| "somebody".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.unwrap_or_else(|_| "somewhere".to_owned());
    format!("{name}@{}", host.trim())
}
