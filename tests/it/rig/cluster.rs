//! A cluster of a test's own: every process a real one, and NATS between them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::runtime::Runtime;
use undercroft::app::cluster::characters::{self, Characters, Place};
use undercroft::app::cluster::leases;
use undercroft::app::loader;
use undercroft::app::world::World;
use undercroft::game::ledger;
use undercroft::game::state::Sheet;
use undercroft::journal::{JetStreamReader, Reader};
use undercroft::model::{CharacterId, InstanceId, ZoneId};
use undercroft::nats::{Config, Nats};

use super::clock::Clock;
use super::nats::NatsServer;
use super::postgres::Server as PostgresServer;
use super::relay::Relay;
use super::server::{Addresses, Process};
use super::{Scratch, eventually};

const POSTGRES_URL: &str = "postgres-url";

/// A process of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Services,
    Instance(u32),
    Gateway(u32),
}

pub(crate) struct Cluster {
    pub(crate) nats: NatsServer,
    /// The other servers of a cluster of NATS, where there is one.
    pub(crate) others: Vec<NatsServer>,
    /// The store of the services, where it is no file.
    postgres: Option<PostgresServer>,
    /// Those that run, and where each listens, which does not change.
    running: BTreeMap<Part, Process>,
    addresses: BTreeMap<Part, Addresses>,
    /// The ways to NATS that can be cut.
    relays: BTreeMap<Part, Relay>,
    /// Clocks that can be set.
    clocks: BTreeMap<Part, Clock>,
    scratch: Scratch,
    runtime: Runtime,
}

impl Cluster {
    /// Starts the services, instances and gateways; nothing where there is no NATS.
    pub(crate) fn start(name: &str, instances: u32, gateways: u32) -> Option<Self> {
        Self::start_with(None, name, instances, gateways)
    }

    /// The same with this store.
    pub(crate) fn start_with(
        postgres: Option<PostgresServer>,
        name: &str,
        instances: u32,
        gateways: u32,
    ) -> Option<Self> {
        let scratch = Scratch::new(name);
        let nats = NatsServer::start(&scratch.file("nats"))?;
        Some(Self::start_around(nats, Vec::new(), postgres, scratch, instances, gateways))
    }

    /// The same over three servers of NATS.
    pub(crate) fn start_on_three(name: &str, instances: u32, gateways: u32) -> Option<Self> {
        let scratch = Scratch::new(name);
        let [nats, two, three] = NatsServer::start_three(&scratch.file("nats"))?;
        Some(Self::start_around(nats, vec![two, three], None, scratch, instances, gateways))
    }

    /// The same around a NATS server that keeps all it has on a disk of its own; nothing where no
    /// such disk can be made either.
    pub(crate) fn start_on_small_disk(name: &str) -> Option<Self> {
        let scratch = Scratch::new(name);
        let nats = NatsServer::start_on_small_disk(&scratch.file("nats"))?;
        Some(Self::start_around(nats, Vec::new(), None, scratch, 1, 1))
    }

    fn start_around(
        nats: NatsServer,
        others: Vec<NatsServer>,
        postgres: Option<PostgresServer>,
        scratch: Scratch,
        instances: u32,
        gateways: u32,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (running, addresses, relays, clocks) = Default::default();
        if let Some(server) = &postgres {
            std::fs::write(scratch.file(POSTGRES_URL), server.own_url()).unwrap();
        }
        let mut cluster =
            Self { nats, others, postgres, running, addresses, relays, clocks, scratch, runtime };
        // The first makes the world that the others wait for, the services the keys.
        (1..=instances).for_each(|number| cluster.run(Part::Instance(number)));
        cluster.run(Part::Services);
        (1..=gateways).for_each(|number| cluster.run(Part::Gateway(number)));
        cluster
    }

    /// Starts a process, or starts it again where it was.
    pub(crate) fn run(&mut self, part: Part) {
        let at = *self.addresses.entry(part).or_insert_with(Addresses::lasting);
        let mut command = self.command(part);
        command.args(["--admin", &at.admin.to_string()]);
        if part != Part::Services && !matches!(part, Part::Gateway(_)) {
            command.args(["--world-seed", "7", "--snapshot-seconds", "2"]);
        } else {
            command.args(["--web", &at.web.to_string()]);
        }
        if matches!(part, Part::Gateway(_)) {
            command.args(["--quic", &at.quic.to_string()]);
        }
        let log = self.scratch.file(&format!("{part:?}.log"));
        self.running.insert(part, Process::spawn(command, &log));
    }

    /// The program of a part, with what every one of its kind is told.
    pub(crate) fn command(&self, part: Part) -> Command {
        let (program, name) = match part {
            Part::Services => (env!("CARGO_BIN_EXE_services"), "services".to_owned()),
            Part::Instance(n) => (env!("CARGO_BIN_EXE_game-instance"), format!("instance-{n}")),
            Part::Gateway(n) => (env!("CARGO_BIN_EXE_connection"), format!("gateway-{n}")),
        };
        let mut command = Command::new(program);
        let relay = self.relays.get(&part).map(|relay| format!("nats://{}", relay.address));
        let url = relay.unwrap_or_else(|| self.url());
        command.env_clear().stdin(Stdio::null()).args(["--nats", &url]);
        if !self.others.is_empty() {
            command.args(["--nats-replicas", &self.servers().count().to_string()]);
        }
        if let Some(clock) = self.clocks.get(&part) {
            clock.give_to(&mut command);
        }
        match part {
            Part::Instance(number) => {
                command.args(["--instance", &number.to_string()]);
            }
            Part::Services | Part::Gateway(_) => {
                command.arg("--data").arg(self.scratch.file(&name));
                command.arg("--token-keys").arg(self.scratch.file("token-key"));
            }
        }
        if part == Part::Services {
            // One address has them all.
            command.args(["--requests-per-minute", "100000"]);
            if self.postgres.is_some() {
                command.arg("--postgres-url-file").arg(self.scratch.file(POSTGRES_URL));
            }
        }
        command
    }

    /// Every server of NATS.
    fn url(&self) -> String {
        let all: Vec<String> = self.servers().map(NatsServer::url).collect();
        all.join(",")
    }

    /// One of them.
    pub(crate) fn server(&mut self, number: usize) -> &mut NatsServer {
        number.checked_sub(1).map_or(&mut self.nats, |other| &mut self.others[other])
    }

    fn servers(&self) -> impl Iterator<Item = &NatsServer> {
        std::iter::once(&self.nats).chain(&self.others)
    }

    /// The page and the API, from where the gateways are known.
    pub(crate) fn at(&self) -> Addresses {
        self.addresses[&Part::Services]
    }

    /// The store, where the cluster was given one.
    pub(crate) fn postgres(&self) -> Option<&PostgresServer> {
        self.postgres.as_ref()
    }

    pub(crate) fn process(&self, part: Part) -> &Process {
        &self.running[&part]
    }

    pub(crate) fn admin_of(&self, part: Part) -> Addresses {
        self.addresses[&part]
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, part: Part) {
        self.running.remove(&part).unwrap().kill();
    }

    /// Starts a process, anew where it runs, with a way to NATS that can be cut.
    pub(crate) fn run_behind_relay(&mut self, part: Part) {
        if self.running.contains_key(&part) {
            self.terminate(part);
        }
        self.relays.insert(part, Relay::start(self.runtime.handle(), self.nats.address()));
        self.run(part);
    }

    /// Starts a process anew, with a clock that can be set.
    pub(crate) fn run_with_clock(&mut self, part: Part, library: &Path) {
        self.terminate(part);
        let clock = Clock::new(library, self.scratch.file(&format!("{part:?}.clock")));
        self.clocks.insert(part, clock);
        self.run(part);
    }

    pub(crate) fn clock(&self, part: Part) -> &Clock {
        &self.clocks[&part]
    }

    pub(crate) fn relay(&self, part: Part) -> &Relay {
        &self.relays[&part]
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn terminate(&mut self, part: Part) {
        let process = self.running.remove(&part).unwrap();
        let status = process.terminate();
        assert!(status.success(), "{part:?} ended with {status}");
    }

    pub(crate) fn connect(&self) -> Nats {
        self.connect_with(None)
    }

    /// A connection that asks for so many replicas.
    pub(crate) fn connect_with(&self, replicas: Option<usize>) -> Nats {
        let config = Config {
            servers: self.url(),
            name: "test".to_owned(),
            token: None,
            prefix: "undercroft".to_owned(),
            replicas,
        };
        Nats::connect(self.runtime.handle(), &config).unwrap()
    }

    /// The instance that runs a zone, once one does.
    pub(crate) fn owner(&self, nats: &Nats, zone: ZoneId) -> InstanceId {
        eventually("an owner", || {
            let owner = leases::owners(nats).ok()?.get(&zone)?.owner?;
            Some(owner.instance)
        })
    }

    /// Waits until gateways are known to the services.
    pub(crate) fn wait_for_gateways(&self, count: usize) {
        let http = self.at().http();
        eventually("the gateways", || {
            let info = self.runtime.block_on(http.info()).ok()?;
            (info.gateways?.len() == count).then_some(())
        });
    }

    /// Stops all that writes, then re-runs every zone from its journal, with all its hashes, and
    /// looks whether nothing was lost or doubled: each character is in one place, and what there
    /// is of items and gold is what came and did not go.
    pub(crate) fn verify(mut self) {
        let parts: Vec<_> = self.running.keys().copied().collect();
        parts.into_iter().for_each(|part| self.kill(part));
        let nats = self.connect();
        let world = World::shared(&nats, None).unwrap();
        let reader = Reader::JetStream(JetStreamReader::open(&nats).unwrap());
        let mut seen: BTreeMap<CharacterId, ZoneId> = BTreeMap::new();
        let mut leaving: BTreeSet<CharacterId> = BTreeSet::new();
        for zone in reader.zones().unwrap() {
            let zone = loader::load(&reader, &world, zone).unwrap();
            let state = zone.state();
            assert!(ledger::check(state), "zone {} has lost or made something", state.zone);
            for &character in state.players.keys() {
                let other = seen.insert(character, state.zone);
                assert_eq!(other, None, "{character} is in zone {} as well", state.zone);
            }
            leaving.extend(state.departures.iter().map(|it| it.key.character));
        }
        let characters = Characters::open(&nats).unwrap();
        for id in 1.. {
            let Some(record) = characters.get(CharacterId(id)).unwrap() else { break };
            let is_in = seen.get(&CharacterId(id)).copied();
            match record.place {
                Place::Rest(text) => {
                    let bytes = characters::sheet(&text).unwrap();
                    if !bytes.is_empty() {
                        postcard::from_bytes::<Sheet>(&bytes).unwrap();
                    }
                    assert!(
                        is_in.is_none() || record.version == 0,
                        "{id} rests and is in zone {is_in:?}"
                    );
                }
                Place::Zone(zone) => assert!(
                    is_in.is_some() || leaving.contains(&CharacterId(id)),
                    "{id} is nowhere, last in zone {zone}"
                ),
            }
        }
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.scratch.file(name)
    }
}
