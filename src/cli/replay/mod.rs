//! `undercroft replay`: re-runs zones from their journals.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args as ClapArgs, Subcommand};

use crate::app::loader::from_journal;
use crate::app::world::World;
use crate::game::generate::generate;
use crate::journal::{JOURNAL_FILE, Reader, SqliteReader};
use crate::model::{Tick, ZoneId};
use crate::zone::{Recording, Replayer};

mod show;

/// Re-run zones from their journals.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Data folder of a server, which may be running
    #[arg(long, env = "UNDERCROFT_DATA", default_value = "data", value_name = "FOLDER")]
    data: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Re-run every zone, or one, and compare every recorded hash
    Verify {
        /// The zone; all of them without it
        zone: Option<u32>,
    },
    /// Write what it takes to re-run a zone anywhere into one file
    Export {
        zone: u32,
        /// The file to write
        file: PathBuf,
    },
    /// Play a zone in the terminal
    Show {
        /// The zone, from the data folder
        zone: Option<u32>,
        /// A file that `export` wrote
        #[arg(long, conflicts_with = "zone")]
        file: Option<PathBuf>,
        /// The tick to begin at
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Times real time, 0.1 to 1000
        #[arg(long, default_value_t = 1.0)]
        speed: f64,
    },
}

/// Carries the subcommand out.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Verify { zone } => verify(&args.data, *zone),
        What::Export { zone, file } => {
            let recording = record(&args.data, ZoneId(*zone), 0)?;
            let bytes = recording.encode();
            std::fs::write(file, &bytes).with_context(|| format!("writing {}", file.display()))?;
            let mut out = std::io::stdout();
            let (ticks, size) = (recording.entries.len(), bytes.len());
            writeln!(out, "{}: zone {zone}, {ticks} ticks, {size} bytes", file.display())?;
            Ok(ExitCode::SUCCESS)
        }
        What::Show { zone, file, from, speed } => {
            let recording = match (zone, file) {
                (_, Some(file)) => {
                    let bytes = std::fs::read(file)
                        .with_context(|| format!("reading {}", file.display()))?;
                    Recording::decode(&bytes).with_context(|| format!("in {}", file.display()))?
                }
                (Some(zone), None) => record(&args.data, ZoneId(*zone), *from)?,
                (None, None) => bail!("name a zone of the data folder or a file with --file"),
            };
            show::run(recording, Tick(*from), *speed)
        }
    }
}

fn open(data: &Path) -> anyhow::Result<Reader> {
    Ok(Reader::Sqlite(SqliteReader::open(&data.join(JOURNAL_FILE))?))
}

/// The oldest start at or before `from` (the oldest of all for 0) and all entries behind it.
fn record(data: &Path, zone: ZoneId, from: u64) -> anyhow::Result<Recording> {
    let reader = open(data)?;
    let heads = reader.snapshots(zone)?;
    let chosen = heads.iter().find(|head| head.tick.0 <= from).or(heads.last());
    let start = match chosen {
        Some(head) => reader
            .snapshot(zone, head.tick)?
            .map(|s| (s.tick, s.version, s.bytes))
            .context("the snapshot has gone meanwhile; try again")?,
        None => {
            let world = World::load(&World::file(data))?;
            let state = generate(&world.spec(zone));
            (state.tick, crate::sim::VERSION, crate::zone::encode_snapshot(&state))
        }
    };
    let mut entries = Vec::new();
    for batch in reader.entries(zone, Some(start.0)) {
        entries.extend(batch?.into_iter().map(from_journal));
    }
    Ok(Recording { zone, tick: start.0, version: start.1, snapshot: start.2, entries })
}

fn verify(data: &Path, only: Option<u32>) -> anyhow::Result<ExitCode> {
    let zones = match only {
        Some(zone) => vec![ZoneId(zone)],
        None => open(data)?.zones()?,
    };
    if zones.is_empty() {
        bail!("{} holds no zone yet", data.display());
    }
    let mut out = std::io::stdout();
    let mut code = ExitCode::SUCCESS;
    for zone in zones {
        let recording = record(data, zone, 0)?;
        match rerun(&recording) {
            Ok(replayer) => writeln!(
                out,
                "zone {zone}: ticks {} to {}, {} hashes equal, state {:016x}",
                recording.tick,
                replayer.state().tick,
                replayer.hashes_compared(),
                crate::sim::hash(replayer.state()),
            )?,
            Err(error) => {
                code = ExitCode::FAILURE;
                writeln!(out, "zone {zone}: {error}")?;
            }
        }
    }
    Ok(code)
}

fn rerun(recording: &Recording) -> Result<Replayer, crate::zone::ReplayError> {
    let mut replayer = recording.replayer()?;
    for entry in &recording.entries {
        replayer.apply(entry)?;
    }
    Ok(replayer)
}
