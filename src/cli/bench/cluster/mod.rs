//! `undercroft bench cluster`: how long players wait when an instance dies, a zone moves or a gateway
//! is started anew, and what the split into processes costs.

mod parts;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use tokio::runtime::Runtime;

use super::served::Served;
use crate::app::cluster::leases;
use crate::app::cluster::mail::{self, InstanceAnswer, InstanceOrder};
use crate::cli::bots::{self, Carrier, Pulse, Report};
use crate::cli::http::Server;
use crate::cli::table::table;
use crate::client::Behaviour;
use crate::model::{InstanceId, ZoneId};
use crate::nats::{self, Bus, Nats};
use parts::Cluster;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// What to measure; without any, all of it.
    #[arg(value_enum)]
    what: Vec<What>,
    /// The nats-server to start.
    #[arg(long, env = "NATS_SERVER", default_value = "nats-server")]
    nats_server: PathBuf,
    /// Bots of the failovers and the moves.
    #[arg(long, default_value_t = 200)]
    bots: u32,
    /// How often the instance with the zones is killed.
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// How often a zone is moved.
    #[arg(long, default_value_t = 20)]
    moves: u32,
    /// How often the gateway is started anew.
    #[arg(long, default_value_t = 20)]
    restarts: u32,
    /// In how many zones the bots have to be before, and how long they may walk until they are.
    #[arg(long, default_value_t = 4)]
    zones: usize,
    #[arg(long, default_value_t = 240)]
    walk_seconds_max: u64,
    /// Bots of the comparison with one process, and of the growth of messages.
    #[arg(long, value_delimiter = ',', default_values_t = [50, 100, 200, 400])]
    growth: Vec<u32>,
    /// How long each of these is measured.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Seeds the world and the bots.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// `kill -9` of the instance that has the zones.
    Failover,
    /// The same where another instance follows each zone.
    Standby,
    /// Zones handed from one instance to another.
    Moves,
    /// The only gateway told to end and started again where it was.
    Gateway,
    /// The same bots on a cluster and on one process.
    Split,
}

/// Frames of ticks that were done before a kill may still come for so long.
const IN_FLIGHT: Duration = Duration::from_millis(60);
/// Seconds after which bots end that nobody has ended.
const LONGEST: u64 = 3_600;
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Between two kills, so that everything is as before.
const REST: Duration = Duration::from_secs(3);

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let does = |what| args.what.is_empty() || args.what.contains(&what);
    if does(What::Failover) || does(What::Standby) || does(What::Moves) {
        disturb(args, does)?;
    }
    if does(What::Gateway) {
        restart_gateway(args)?;
    }
    if does(What::Split) {
        split(args)?;
    }
    Ok(())
}

/// Bots that play until the end of a time.
struct Playing {
    pulse: Arc<Pulse>,
    thread: JoinHandle<anyhow::Result<Report>>,
}

impl Playing {
    fn start(web: &str, count: u32, seconds: u64, seed: u64) -> anyhow::Result<Self> {
        let pulse = Arc::new(Pulse::new(count));
        let server = Server::parse(web).context("reading the address of the services")?;
        wait_for_a_gateway(&server)?;
        let config = bots::Config {
            server,
            count,
            carrier: Carrier::Both,
            seconds,
            commands_per_second: 10,
            joins_per_second: 50,
            behaviour: Behaviour::Play,
            seed,
            threads: 1,
            ledger: true,
            progress: false,
            pulse: Some(pulse.clone()),
        };
        let thread = std::thread::spawn(move || {
            bots::run(&config).inspect_err(|error| log::error!("{error:#}"))
        });
        let playing = Self { pulse, thread };
        playing.wait_for_all(Instant::now())?;
        Ok(playing)
    }

    /// Ends the bots, and says how they fared.
    fn end(self) -> anyhow::Result<String> {
        self.pulse.end();
        let report = self.thread.join().map_err(|_| anyhow!("the bots panicked"))??;
        let Report { resumes, failed, hash_errors, ledger_violations, .. } = report;
        Ok(format!(
            "bots: {resumes} came back, {failed} failed, {hash_errors} wrong hashes, \
             {ledger_violations} ledger violations\n"
        ))
    }

    /// Waits until every bot has had a frame after a moment.
    fn wait_for_all(&self, since: Instant) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.pulse.all_since(since) {
            ensure!(Instant::now() < deadline, "some bots had no frame for {PATIENCE:?}");
            ensure!(!self.thread.is_finished(), "the bots have ended");
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

/// Kills and moves under players.
fn disturb(args: &Args, does: impl Fn(What) -> bool) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(&args.nats_server, 2, args.seed)?;
    let runtime = Runtime::new().context("starting a runtime")?;
    let nats = Nats::connect(runtime.handle(), &config(cluster.nats_url()))?;
    let bots = Playing::start(cluster.web()?, args.bots, LONGEST, args.seed)?;
    let deadline = Instant::now() + Duration::from_secs(args.walk_seconds_max);
    let count = || owned(&nats).map(|owned| owned.values().map(Vec::len).sum::<usize>());
    while count()? < args.zones && Instant::now() < deadline {
        std::thread::sleep(REST);
    }
    cluster.add_instance(2)?;
    std::thread::sleep(REST);
    let zones = count()?;
    if does(What::Failover) {
        let waits = failovers(args, &mut cluster, &nats, &bots)?;
        super::print(&said("kill -9 of the instance with most zones", args.bots, zones, &waits))?;
    }
    if does(What::Standby) {
        let waits = takeovers(args, &mut cluster, &nats, &bots)?;
        super::print(&said("kill -9 with a standby", args.bots, zones, &waits))?;
    }
    if does(What::Moves) {
        let waits = hand_overs(args, &nats, &bots)?;
        super::print(&said("a zone moved to another instance", args.bots, zones, &waits))?;
    }
    super::print(&bots.end()?)
}

/// The services hear of a gateway within a second.
fn wait_for_a_gateway(server: &Server) -> anyhow::Result<()> {
    let runtime = Runtime::new().context("starting a runtime")?;
    let deadline = Instant::now() + PATIENCE;
    while runtime.block_on(server.info())?.gateways.is_some_and(|known| known.is_empty()) {
        ensure!(Instant::now() < deadline, "no gateway was heard of for {PATIENCE:?}");
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Ends a gateway as systemd does and starts it again, under players who have no other.
fn restart_gateway(args: &Args) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(&args.nats_server, 1, args.seed)?;
    let bots = Playing::start(cluster.web()?, args.bots, LONGEST, args.seed)?;
    let mut waits = Vec::new();
    for _ in 0..args.restarts {
        std::thread::sleep(REST);
        bots.pulse.take_longest();
        let told = Instant::now();
        cluster.restart_gateway()?;
        bots.wait_for_all(Instant::now())?;
        waits.push(Wait { back: told.elapsed(), gap: bots.pulse.take_longest() });
    }
    super::print(&said("the gateway started anew", args.bots, 1, &waits))?;
    super::print(&bots.end()?)
}

fn config(servers: &str) -> nats::Config {
    let (servers, prefix) = (servers.to_owned(), "undercroft".to_owned());
    nats::Config { servers, name: "bench".to_owned(), token: None, prefix, replicas: None }
}

/// What players had of one disturbance.
struct Wait {
    /// From its beginning until every player had had a frame again.
    back: Duration,
    /// The longest time between two frames of any player, whatever it was for.
    gap: Duration,
}

fn said(what: &str, bots: u32, zones: usize, waits: &[Wait]) -> String {
    let spread = |of: fn(&Wait) -> Duration| {
        let mut ms: Vec<_> = waits.iter().map(|wait| of(wait).as_millis()).collect();
        ms.sort_unstable();
        let at = |index: usize| ms.get(index).copied().unwrap_or_default();
        format!("p50 {} ms, max {} ms", at(ms.len() / 2), at(ms.len().saturating_sub(1)))
    };
    format!(
        "{what}, {bots} players in {zones} zones, {} times: until the last player has a new frame \
         {}; longest time between two frames {}\n",
        waits.len(),
        spread(|wait| wait.back),
        spread(|wait| wait.gap),
    )
}

/// The zones of each instance.
fn owned(nats: &Nats) -> anyhow::Result<BTreeMap<InstanceId, Vec<ZoneId>>> {
    let mut owned: BTreeMap<InstanceId, Vec<ZoneId>> = BTreeMap::new();
    for (zone, record) in leases::owners(nats)? {
        if let Some(owner) = record.owner {
            owned.entry(owner.instance).or_default().push(zone);
        }
    }
    Ok(owned)
}

fn failovers(
    args: &Args,
    cluster: &mut Cluster,
    nats: &Nats,
    bots: &Playing,
) -> anyhow::Result<Vec<Wait>> {
    let mut waits = Vec::new();
    for _ in 0..args.kills {
        let (victim, _) = busiest(nats)?;
        waits.push(kill(cluster, victim, bots)?);
        std::thread::sleep(REST);
    }
    Ok(waits)
}

/// As [`failovers`], with a second instance that follows all zones.
fn takeovers(
    args: &Args,
    cluster: &mut Cluster,
    nats: &Nats,
    bots: &Playing,
) -> anyhow::Result<Vec<Wait>> {
    let bus = Bus::new(nats);
    let mut waits = Vec::new();
    for _ in 0..args.kills {
        for (zone, record) in leases::owners(nats)? {
            if let Some(owner) = record.owner.filter(|_| !record.has_standby) {
                let order = InstanceOrder::SetStandby { zone, has_standby: true };
                ask(&bus, owner.instance, order)?;
            }
        }
        let (victim, zones) = busiest(nats)?;
        cluster.wait_until_followed(|number| number != victim.0, zones, PATIENCE)?;
        std::thread::sleep(REST);
        waits.push(kill(cluster, victim, bots)?);
    }
    Ok(waits)
}

/// The instance with most zones, and how many it has.
fn busiest(nats: &Nats) -> anyhow::Result<(InstanceId, usize)> {
    let counts = owned(nats)?.into_iter().map(|(instance, zones)| (instance, zones.len()));
    counts.max_by_key(|&(_, zones)| zones).context("nobody runs a zone")
}

/// Kills an instance, waits until everybody plays on, and starts it again.
fn kill(cluster: &mut Cluster, victim: InstanceId, bots: &Playing) -> anyhow::Result<Wait> {
    bots.pulse.take_longest();
    let killed = Instant::now();
    cluster.kill_instance(victim.0);
    bots.wait_for_all(killed + IN_FLIGHT)?;
    let wait = Wait { back: killed.elapsed(), gap: bots.pulse.take_longest() };
    cluster.add_instance(victim.0)?;
    Ok(wait)
}

fn ask(bus: &Bus, instance: InstanceId, order: InstanceOrder) -> anyhow::Result<()> {
    let answer = bus.ask(&mail::instance(instance), mail::encode(&order))?;
    match mail::decode::<InstanceAnswer>(&answer) {
        Some(Ok(())) => Ok(()),
        Some(Err(why)) => bail!("{order:?} is refused: {why}"),
        None => bail!("the instance is of another version"),
    }
}

fn hand_overs(args: &Args, nats: &Nats, bots: &Playing) -> anyhow::Result<Vec<Wait>> {
    let bus = Bus::new(nats);
    let mut waits = Vec::new();
    for turn in 0..args.moves {
        let all = leases::owners(nats)?;
        let owned: Vec<_> = all.iter().filter_map(|(&zone, it)| Some((zone, it.owner?))).collect();
        ensure!(!owned.is_empty(), "nobody runs a zone");
        let (zone, owner) = owned[turn as usize % owned.len()];
        let to = InstanceId(if owner.instance.0 == 1 { 2 } else { 1 });
        bots.pulse.take_longest();
        let begun = Instant::now();
        ask(&bus, owner.instance, InstanceOrder::Move { zone, to })?;
        let deadline = Instant::now() + PATIENCE;
        while leases::owners(nats)?.get(&zone).and_then(|it| it.owner).map(|it| it.instance)
            != Some(to)
        {
            ensure!(Instant::now() < deadline, "zone {zone} was not moved");
            std::thread::sleep(LOOK_EVERY);
        }
        bots.wait_for_all(Instant::now() + IN_FLIGHT)?;
        waits.push(Wait { back: begun.elapsed(), gap: bots.pulse.take_longest() });
    }
    Ok(waits)
}

/// A cluster under bots: what players have of it and what it costs.
struct Costs {
    report: Report,
    gateway_us: f64,
    instance_us: f64,
    gateway_bytes: f64,
    instance_bytes: f64,
    messages_per_second: f64,
    zones: usize,
}

fn split(args: &Args) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for &count in &args.growth {
        let costs = measure_cluster(args, count)?;
        let one = measure_one(args, count)?;
        let (cluster, alone) = (costs.report.command_to_frame_ms, one.command_to_frame_ms);
        rows.push(vec![
            count.to_string(),
            costs.zones.to_string(),
            format!("{:.1}", alone.p50),
            format!("{:.1}", cluster.p50),
            format!("{:.1}", alone.p99),
            format!("{:.1}", cluster.p99),
            format!("{:.0}", costs.messages_per_second),
            format!("{:.0}", costs.gateway_us),
            format!("{:.0}", costs.instance_us),
            format!("{:.0}", costs.gateway_bytes / 1e3),
            format!("{:.0}", costs.instance_bytes / 1e3),
        ]);
    }
    let head = [
        "bots",
        "zones",
        "one process p50 ms",
        "cluster p50 ms",
        "one process p99 ms",
        "cluster p99 ms",
        "messages/s",
        "gateway us/player-s",
        "instance us/player-s",
        "gateway kB/player",
        "instance kB/player",
    ];
    super::print(&table(&head, &rows))
}

fn measure_cluster(args: &Args, count: u32) -> anyhow::Result<Costs> {
    let cluster = Cluster::start(&args.nats_server, 1, args.seed)?;
    let runtime = Runtime::new().context("starting a runtime")?;
    let nats = Nats::connect(runtime.handle(), &config(cluster.nats_url()))?;
    let instance = &cluster.instances[0].1;
    let gateway = &cluster.gateways[0];
    let memory = (gateway.memory_bytes()?, instance.memory_bytes()?);
    // One that joins late must not make the others wait when they end.
    let bots = Playing::start(cluster.web()?, count, args.seconds + 6, args.seed)?;
    std::thread::sleep(REST);
    let sent = || -> anyhow::Result<f64> {
        Cluster::sum([instance, gateway].into_iter(), "game_server_bus_sent_total")
    };
    let before = (sent()?, gateway.cpu_seconds()?, instance.cpu_seconds()?, Instant::now());
    std::thread::sleep(Duration::from_secs(args.seconds));
    let seconds = before.3.elapsed().as_secs_f64();
    let per_player = |cpu: f64| cpu * 1e6 / (seconds * f64::from(count));
    let gateway_us = per_player(gateway.cpu_seconds()? - before.1);
    let instance_us = per_player(instance.cpu_seconds()? - before.2);
    let messages_per_second = (sent()? - before.0) / seconds;
    let gateway_bytes = (gateway.memory_bytes()? - memory.0) / f64::from(count);
    let instance_bytes = (instance.memory_bytes()? - memory.1) / f64::from(count);
    let zones = owned(&nats)?.values().map(Vec::len).sum();
    let report = bots.thread.join().map_err(|_| anyhow!("the bots panicked"))??;
    ensure!(report.failed == 0, "bots failed: {:?}", report.failures);
    Ok(Costs {
        report,
        gateway_us,
        instance_us,
        gateway_bytes,
        instance_bytes,
        messages_per_second,
        zones,
    })
}

/// The same bots on the embedded default.
fn measure_one(args: &Args, count: u32) -> anyhow::Result<Report> {
    let served = Served::start_plain(args.seed)?;
    let bots = Playing::start(served.web(), count, args.seconds + 6, args.seed)?;
    bots.thread.join().map_err(|_| anyhow!("the bots panicked"))?
}
