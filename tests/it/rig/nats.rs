//! A NATS server of a test's own: the real one, on a port and a folder that outlive it.

use std::fs;
use std::io::{BufRead, BufReader, Write, stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use super::eventually;
use super::server::{Addresses, fetch, signal};

/// Names the program; `scripts/test` sets it. Without it there has to be one on the path.
const PROGRAM: &str = "NATS_SERVER";

/// Mounts a disk of the size `$2` at `$1`, in a mount namespace of its own that stays until the
/// standard input ends.
const MOUNT: &str = r#"mount -t tmpfs -o "size=$2" none "$1" && echo mounted && exec cat"#;
const DISK_SIZE: &str = "96m";
const BLOCK_BYTES: usize = 64 * 1024;

pub(crate) struct NatsServer {
    program: PathBuf,
    folder: PathBuf,
    /// For clients, for other servers, and for those who ask how it is.
    at: Addresses,
    /// What makes it one of a cluster.
    cluster: String,
    disk: Option<Disk>,
    child: Option<Child>,
}

/// A small disk that only the server sees; it is gone with its process.
struct Disk(Child);

impl NatsServer {
    /// Starts one; where there is none on this machine, that is said and the test has nothing to
    /// do. Where `REQUIRE_NATS` is set there must be.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let mut server = Self::new(folder)?;
        server.restart();
        Some(server)
    }

    /// The same with its streams on a small disk; where this host lets nobody make one, that is
    /// said, and there is nothing to do.
    pub(crate) fn start_on_small_disk(folder: &Path) -> Option<Self> {
        let mut server = Self::new(folder)?;
        let store = server.store();
        fs::create_dir_all(&store).unwrap();
        let Some(disk) = Disk::mount(&store) else {
            stderr().write_all(b"skipped: a full disk: no disk can be mounted\n").unwrap();
            return None;
        };
        server.disk = Some(disk);
        server.restart();
        Some(server)
    }

    /// The same, three that are one cluster.
    pub(crate) fn start_three(folder: &Path) -> Option<[Self; 3]> {
        let new = |name: &str| Self::new(&folder.join(name));
        let mut servers = [new("one")?, new("two")?, new("three")?];
        let routes = servers.each_ref().map(|server| format!("nats://{}", server.at.quic));
        for (number, server) in servers.iter_mut().enumerate() {
            let Addresses { quic, admin, .. } = server.at;
            server.cluster = format!(
                "server_name: nats-{number}\nhttp: \"{admin}\"\n\
                 cluster {{ name: three, listen: \"{quic}\", routes: [{}] }}\n",
                routes.join(", ")
            );
            server.restart();
        }
        servers.iter().for_each(Self::wait_until_current);
        Some(servers)
    }

    /// Waits until it has all that the others of its cluster have.
    pub(crate) fn wait_until_current(&self) {
        eventually("a server of NATS is current", || {
            let (status, _) = fetch(self.at.admin, "/healthz").ok()?;
            (status == 200).then_some(())
        });
    }

    fn new(folder: &Path) -> Option<Self> {
        let program = PathBuf::from(std::env::var_os(PROGRAM).unwrap_or("nats-server".into()));
        let is_there = Command::new(&program).arg("--version").output().is_ok();
        if !is_there {
            assert!(std::env::var_os("REQUIRE_NATS").is_none(), "there is no nats-server");
            static SAID: Once = Once::new();
            // Past the harness, which keeps what a test prints.
            SAID.call_once(|| {
                stderr().write_all(b"skipped: the cluster: no nats-server\n").unwrap();
            });
            return None;
        }
        fs::create_dir_all(folder).unwrap();
        let (at, cluster) = (Addresses::lasting(), String::new());
        Some(Self { program, folder: folder.to_owned(), at, cluster, disk: None, child: None })
    }

    /// Where its streams lie.
    fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// Fills the small disk with a file of nothing.
    pub(crate) fn fill_disk(&self) {
        let mut file = fs::File::create(self.ballast()).unwrap();
        let block = [7; BLOCK_BYTES];
        let error = loop {
            if let Err(error) = file.write_all(&block) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    }

    /// Removes that file.
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        let holder = self.disk.as_ref().unwrap().0.id();
        let store = self.store();
        let inside = store.strip_prefix("/").unwrap();
        Path::new(&format!("/proc/{holder}/root")).join(inside).join("ballast")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.at.web
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.at.web)
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.as_ref().unwrap(), name);
    }

    /// Starts it, or starts it again after [`NatsServer::kill`], and waits until it is ready.
    pub(crate) fn restart(&mut self) {
        let config = self.folder.join("server.conf");
        let (address, store) = (self.at.web, self.store());
        let (store, cluster) = (store.display(), &self.cluster);
        let text = format!(
            "listen: \"{address}\"\nmax_payload: 4MB\n\
             jetstream {{ store_dir: \"{store}\", sync_interval: \"250ms\" }}\n{cluster}"
        );
        fs::write(&config, text).unwrap();
        let mut command = match &self.disk {
            Some(disk) => disk.command(&self.program),
            None => Command::new(&self.program),
        };
        let mut child = command
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("Server is ready"));
        // What it says has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        self.child = Some(child);
        assert!(is_ready, "nats-server ended before it was ready");
    }
}

impl Disk {
    fn mount(at: &Path) -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-euc", MOUNT, "sh"]);
        command.arg(at).arg(DISK_SIZE).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let mut said = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut said).ok()?;
        (said == "mounted\n").then_some(Self(child))
    }

    /// Runs a program that sees the disk.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.0.id().to_string());
        command.args(["--user", "--preserve-credentials", "--mount", "--"]).arg(program);
        command
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
