//! `undercroft bench tick`: what a tick costs on one core, by kernel, and what players are sent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Serialize;

use super::measure::Spread;
use super::play::{Play, Shown, Stage};
use crate::cli::table::table;
use crate::game::state::ZoneState;
use crate::sim::{self, Kernel, Scratch, StepOutput};
use crate::zone::Entry;

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    stage: Stage,
    /// Ticks that are measured.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    ticks: u32,
    /// Ticks before, in which clients get their first pictures.
    #[arg(long, default_value_t = 200)]
    warm_up: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Milliseconds, and what the mean is for a cell and for a monster.
#[derive(Debug, Serialize)]
struct Row {
    part: String,
    ms: Spread,
    mean_ms: f64,
    ns_per_cell: f64,
    ns_per_monster: f64,
}

#[derive(Debug, Serialize)]
struct Figures {
    width: u16,
    height: u16,
    monsters_at_start: usize,
    monsters_at_end: usize,
    /// Monsters that changed their cell in a tick, on average.
    monsters_moving: f64,
    players: u32,
    seed: u64,
    ticks: u32,
    rows: Vec<Row>,
    bytes_per_player_and_tick: f64,
    actors_in_view: f64,
    moving_in_view: f64,
    bytes_per_actor: f64,
    /// The same without what every frame has.
    bytes_per_actor_after_head: f64,
    /// Over those that moved in this very tick.
    bytes_per_moving_actor: f64,
    keyframes: u64,
    /// Hash of the last state, hexadecimal: the same wherever the same play is run.
    state: String,
}

/// Tag, number and distance to the baseline.
const HEAD_BYTES: f64 = 4.0;

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let start = args.stage.state();
    let monsters_at_start = monsters(&start);
    let mut play = Play::new(&args.stage, start.clone());
    let mut entries = Vec::new();
    let (mut whole, mut beginnings) = (Vec::new(), Vec::new());
    let (mut shown, mut moved) = (Shown::default(), 0);
    for tick in 0..args.warm_up + args.ticks {
        play.speak();
        let cells = cells(play.zone.state());
        let begun = Instant::now();
        let entry = play.zone.begin_tick();
        let entered = begun.elapsed();
        play.zone.finish_tick();
        let time = begun.elapsed();
        let now = play.deliver(&entry);
        entries.push(entry);
        if tick >= args.warm_up {
            whole.push(time);
            moved += steps(&cells, play.zone.state());
            beginnings.push(entered);
            shown.add(&now);
        }
    }
    let (kernels, end) = by_kernel(start, &entries, args.warm_up as usize)?;
    ensure!(
        sim::hash(&end) == sim::hash(play.zone.state()),
        "the second run of the same inputs came to another state"
    );
    let divisors = (f64::from(args.stage.width) * f64::from(args.stage.height), monsters_at_start);
    let mut rows = vec![
        row("whole tick", whole.clone(), divisors),
        row("  entry and hash", beginnings.clone(), divisors),
    ];
    for (kernel, times) in &kernels {
        rows.push(row(&format!("  {kernel:?}"), times.clone(), divisors));
    }
    let rest = |i: usize| {
        let step: Duration = kernels.values().map(|times| times[i]).sum();
        whole[i].saturating_sub(beginnings[i]).saturating_sub(step)
    };
    rows.push(row("  frames", (0..whole.len()).map(rest).collect(), divisors));
    let frames = shown.frames.max(1) as f64;
    let actors = shown.actors.max(1) as f64;
    let figures = Figures {
        width: args.stage.width,
        height: args.stage.height,
        monsters_at_start,
        monsters_at_end: monsters(play.zone.state()),
        monsters_moving: moved as f64 / f64::from(args.ticks),
        players: args.stage.players,
        seed: args.stage.seed,
        ticks: args.ticks,
        rows,
        bytes_per_player_and_tick: shown.bytes as f64 / frames,
        actors_in_view: shown.actors as f64 / frames,
        moving_in_view: shown.moving as f64 / frames,
        bytes_per_actor: shown.bytes as f64 / actors,
        bytes_per_actor_after_head: (shown.bytes as f64 - HEAD_BYTES * frames) / actors,
        bytes_per_moving_actor: shown.bytes as f64 / shown.moving.max(1) as f64,
        keyframes: shown.keyframes,
        state: format!("{:016x}", sim::hash(&end)),
    };
    if args.json {
        let text = serde_json::to_string(&figures).context("writing the figures as JSON")?;
        return super::print(&(text + "\n"));
    }
    super::print(&text(&figures))
}

fn monsters(state: &ZoneState) -> usize {
    state.actors.iter().filter(|actor| actor.alive && actor.kind != 0).count()
}

/// Where each actor slot stands.
fn cells(state: &ZoneState) -> Vec<u32> {
    state.actors.iter().map(|actor| actor.cell).collect()
}

/// How many monsters do not stand where they stood.
fn steps(before: &[u32], state: &ZoneState) -> usize {
    let monsters = state.actors.iter().zip(before).filter(|(actor, _)| actor.kind != 0);
    monsters.filter(|&(actor, &cell)| actor.alive && actor.cell != cell).count()
}

/// Runs the entries again and times the kernels of each tick after the first `skip`.
fn by_kernel(
    mut state: ZoneState,
    entries: &[Entry],
    skip: usize,
) -> anyhow::Result<(BTreeMap<Kernel, Vec<Duration>>, ZoneState)> {
    sim::restore(&mut state);
    let (mut scratch, mut output) = (Scratch::default(), StepOutput::default());
    let mut times: BTreeMap<Kernel, Vec<Duration>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let inputs = entry.inputs().context("reading an entry just written")?;
        let mut last = Instant::now();
        sim::step_with(&mut state, &inputs, &mut scratch, &mut output, &mut |kernel| {
            let now = Instant::now();
            if index >= skip {
                times.entry(kernel).or_default().push(now - last);
            }
            last = now;
        });
    }
    Ok((times, state))
}

fn row(part: &str, times: Vec<Duration>, (cells, monsters): (f64, usize)) -> Row {
    let mut ms: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    let mean_ms = ms.iter().sum::<f64>() / ms.len().max(1) as f64;
    Row {
        part: part.to_owned(),
        ms: Spread::of(&mut ms),
        mean_ms,
        ns_per_cell: mean_ms * 1e6 / cells,
        ns_per_monster: mean_ms * 1e6 / monsters.max(1) as f64,
    }
}

fn text(figures: &Figures) -> String {
    let head = ["part", "p50 ms", "p99 ms", "max ms", "mean ms", "ns/cell", "ns/monster"];
    let line = |row: &Row| {
        let numbers = [row.ms.p50, row.ms.p99, row.ms.max, row.mean_ms];
        let mut cells = vec![row.part.clone()];
        cells.extend(numbers.map(|ms| format!("{ms:.3}")));
        cells.push(format!("{:.2}", row.ns_per_cell));
        cells.push(format!("{:.1}", row.ns_per_monster));
        cells
    };
    let rows: Vec<Vec<String>> = figures.rows.iter().map(line).collect();
    let Figures { width, height, monsters_at_start, monsters_at_end, players, seed, ticks, .. } =
        figures;
    format!(
        "{width}x{height} cells, {monsters_at_start} monsters ({monsters_at_end} at the end, \
         {:.0} step in a tick), {players} players, seed {seed}, {ticks} ticks on one core\n\n{}\n\
         frames: {:.1} bytes per player and tick, {:.1} actors in view of which {:.1} moved, \
         {:.2} bytes per actor in view ({:.2} after the head), {:.2} per actor that moved, \
         {} keyframes\nstate {} at the end\n",
        figures.monsters_moving,
        table(&head, &rows),
        figures.bytes_per_player_and_tick,
        figures.actors_in_view,
        figures.moving_in_view,
        figures.bytes_per_actor,
        figures.bytes_per_actor_after_head,
        figures.bytes_per_moving_actor,
        figures.keyframes,
        figures.state,
    )
}
