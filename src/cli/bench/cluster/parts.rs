//! The processes of a cluster, on loopback, in one folder.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::cli::bench::process::Process;
use crate::cli::bench::scrape::Scrape;
use crate::cli::bench::served::Folder;

/// A cluster with one or two instances; gone when it is dropped.
pub(super) struct Cluster {
    /// Number and process of each instance that runs.
    pub instances: Vec<(u32, Process)>,
    pub gateways: Vec<Process>,
    services: Process,
    nats: NatsServer,
    folder: Folder,
    seed: u64,
}

struct NatsServer {
    child: Child,
    url: String,
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // Its data is of no use to anybody; it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often is looked whether something is so.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const ANY: &str = "127.0.0.1:0";

impl Cluster {
    /// Starts NATS, one instance, the services and gateways.
    pub(super) fn start(nats: &Path, gateways: u32, seed: u64) -> anyhow::Result<Self> {
        let folder = Folder::make()?;
        let nats = NatsServer::start(nats, &folder.file("nats"))?;
        let first = start_instance(&nats.url, 1, seed)?;
        let keys = folder.file("token-key").display().to_string();
        let data = |name: &str| folder.file(name).display().to_string();
        let services = start(
            "services",
            &[
                ("--nats", &nats.url),
                ("--data", &data("services")),
                ("--token-keys", &keys),
                ("--web", ANY),
                ("--admin", ANY),
                ("--requests-per-minute", "1000000"),
                ("--log", "error"),
            ],
        )?;
        let gateways =
            (1..=gateways).map(|number| start_gateway(&nats.url, &folder, number, [ANY; 2]));
        let gateways = gateways.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { instances: vec![(1, first)], gateways, services, nats, folder, seed })
    }

    /// Starts one more instance.
    pub(super) fn add_instance(&mut self, number: u32) -> anyhow::Result<()> {
        let process = start_instance(&self.nats.url, number, self.seed)?;
        self.instances.push((number, process));
        Ok(())
    }

    /// Ends the first gateway as systemd does, and starts it where it was.
    pub(super) fn restart_gateway(&mut self) -> anyhow::Result<()> {
        let gateway = self.gateways.remove(0);
        let web = gateway.said("web")?.trim_start_matches("http://").to_owned();
        let quic = gateway.said("quic")?.to_owned();
        gateway.terminate()?;
        self.gateways.insert(0, start_gateway(&self.nats.url, &self.folder, 1, [&web, &quic])?);
        Ok(())
    }

    /// `kill -9` of the instance of this number.
    pub(super) fn kill_instance(&mut self, number: u32) {
        self.instances.retain(|(own, _)| *own != number);
    }

    /// Waits until an instance of which this is true follows so many zones of others.
    pub(super) fn wait_until_followed(
        &self,
        is_meant: impl Fn(u32) -> bool,
        zones: usize,
        longest: Duration,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + longest;
        let meant = || self.instances.iter().filter(|(number, _)| is_meant(*number));
        let followed = || Self::sum(meant().map(|(_, it)| it), "game_server_zones_followed");
        while (followed()? as usize) < zones {
            ensure!(Instant::now() < deadline, "{zones} zones are not followed");
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Where the page and the API are.
    pub(super) fn web(&self) -> anyhow::Result<&str> {
        self.services.said("web")
    }

    pub(super) fn nats_url(&self) -> &str {
        &self.nats.url
    }

    /// The sum of a metric over processes.
    pub(super) fn sum<'a>(
        processes: impl Iterator<Item = &'a Process>,
        name: &str,
    ) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for process in processes {
            let admin = process.said("admin")?.trim_start_matches("http://");
            sum += Scrape::of(admin)?.sum(name);
        }
        Ok(sum)
    }
}

/// A gateway that listens at these addresses for WebSocket and QUIC.
fn start_gateway(
    nats: &str,
    folder: &Folder,
    number: u32,
    [web, quic]: [&str; 2],
) -> anyhow::Result<Process> {
    start(
        "connection",
        &[
            ("--nats", nats),
            ("--data", &folder.file(&format!("gateway-{number}")).display().to_string()),
            ("--token-keys", &folder.file("token-key").display().to_string()),
            ("--web", web),
            ("--quic", quic),
            ("--admin", ANY),
            ("--connections-max", "20000"),
            ("--connections-per-address-max", "20000"),
            ("--log", "error"),
        ],
    )
}

fn start_instance(nats: &str, number: u32, seed: u64) -> anyhow::Result<Process> {
    start(
        "game-instance",
        &[
            ("--nats", nats),
            ("--instance", &number.to_string()),
            ("--admin", ANY),
            ("--world-seed", &seed.to_string()),
            ("--log", "error"),
        ],
    )
}

/// Starts a program that lies beside this one.
fn start(program: &str, flags: &[(&str, &str)]) -> anyhow::Result<Process> {
    let own = std::env::current_exe().context("finding the binary that runs")?;
    let binary = own.with_file_name(program);
    let args = flags.iter().flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()]);
    Process::start_program(&binary, &args.collect::<Vec<_>>())
}

impl NatsServer {
    fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        // Free now, and nobody else's by the time it is bound again: the kernel goes round.
        let address: SocketAddr = TcpListener::bind(ANY)?.local_addr()?;
        let config = folder.join("server.conf");
        let text = format!(
            "listen: \"{address}\"\nmax_payload: 4MB\n\
             jetstream {{ store_dir: \"{}\", sync_interval: \"250ms\" }}\n",
            folder.display()
        );
        std::fs::write(&config, text).context("writing the configuration of NATS")?;
        let mut child = Command::new(program)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| {
                format!(
                    "starting {}: give a nats-server of 2.10 with --nats-server",
                    program.display()
                )
            })?;
        let errors = child.stderr.take().expect("standard error was piped");
        let mut lines = BufReader::new(errors).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("Server is ready"));
        // What it says has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { child, url: format!("nats://{address}") };
        if !is_ready {
            bail!("{} ended before it was ready", program.display());
        }
        Ok(server)
    }
}
