//! A NATS server of a test's own: the real one, on a free port, with a folder that outlives it.

use std::io::{BufRead, BufReader, Write, stderr};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, OnceLock};

use tokio::runtime::{Handle, Runtime};

use crate::disk::scratch::Scratch;
use crate::nats::{Config, Nats};

/// Names the program; `scripts/test` sets it. Without it there has to be one of version 2.10 or
/// newer on the path.
const PROGRAM: &str = "NATS_SERVER";

/// A server; it is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: Scratch,
    settings: String,
}

impl Server {
    /// The program, if there is one that is new enough. Where `REQUIRE_NATS` is set there must be.
    pub(crate) fn program() -> Option<PathBuf> {
        static PROGRAM_FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
        let found = PROGRAM_FOUND.get_or_init(|| {
            let program = PathBuf::from(std::env::var_os(PROGRAM).unwrap_or("nats-server".into()));
            let version = Command::new(&program).arg("--version").output().ok()?.stdout;
            let version = String::from_utf8(version).ok()?;
            let mut numbers = version.trim().rsplit('v').next()?.split('.');
            let mut number = || numbers.next()?.parse::<u32>().ok();
            ((number()?, number()?) >= (2, 10)).then_some(program)
        });
        static SAID: Once = Once::new();
        if found.is_none() {
            // Past the harness, which keeps what a test prints.
            SAID.call_once(|| {
                let said =
                    b"skipped: the journal in NATS: no nats-server of version 2.10 or newer\n";
                stderr().write_all(said).unwrap();
            });
        }
        assert!(
            found.is_some() || std::env::var_os("REQUIRE_NATS").is_none(),
            "REQUIRE_NATS is set and there is no nats-server of version 2.10 or newer"
        );
        found.clone()
    }

    /// Starts a server; where there is no program the test has nothing to do, which was said.
    pub(crate) fn start(name: &str) -> Option<Self> {
        Self::start_with(name, "max_payload: 8MB")
    }

    /// The same with other lines in its configuration.
    pub(crate) fn start_with(name: &str, settings: &str) -> Option<Self> {
        let program = Self::program()?;
        let folder = Scratch::new(&format!("nats-{name}"));
        std::fs::create_dir_all(&folder.0).unwrap();
        // Free now, and nobody else's by the time it is bound again: the kernel goes round.
        let port = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.local_addr().unwrap().port()
        };
        let settings = settings.to_owned();
        let child = launch(&program, port, &folder, &settings);
        Some(Self { child, port, folder, settings })
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal by its name: STOP and CONT make it silent and let it go on.
    pub(crate) fn signal(&self, name: &str) {
        let (signal, process) = (format!("-{name}"), self.child.id().to_string());
        assert!(Command::new("kill").args([signal, process]).status().unwrap().success());
        if name == "STOP" {
            // The signal is on its way to threads that may answer somebody yet.
            while !self.is_stopped() {
                std::thread::yield_now();
            }
        }
    }

    fn is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        };
        tasks.into_iter().all(is_stopped)
    }

    /// A copy of what it has on its disk, to be made after [`Server::kill`].
    pub(crate) fn keep(&self) -> Scratch {
        let kept = Scratch::new(&format!("nats-kept-{}", self.port));
        copy(&self.folder.0, &kept.0);
        kept
    }

    /// Puts a copy in the place of what it has, as a crash of the host may do.
    pub(crate) fn give_back(&self, kept: &Scratch) {
        std::fs::remove_dir_all(&self.folder.0).unwrap();
        copy(&kept.0, &self.folder.0);
    }

    /// The same server again, after [`Server::kill`].
    pub(crate) fn restart(&mut self) {
        let program = Self::program().unwrap();
        self.child = launch(&program, self.port, &self.folder, &self.settings);
    }

    /// How to connect to it, in a world of its own.
    pub(crate) fn config(&self) -> Config {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        Config {
            servers: format!("nats://127.0.0.1:{}", self.port),
            name: "test".to_owned(),
            token: None,
            prefix: format!("test{}", WORLDS.fetch_add(1, Ordering::Relaxed)),
            replicas: None,
        }
    }

    pub(crate) fn connect(&self) -> Nats {
        Nats::connect(runtime(), &self.config()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// A runtime that outlives every test.
pub(crate) fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let made = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    };
    RUNTIME.get_or_init(made).handle()
}

/// Starts the program and waits until it says that it is ready.
fn launch(program: &PathBuf, port: u16, folder: &Scratch, settings: &str) -> Child {
    let config = folder.0.join("server.conf");
    let store = folder.0.display();
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{store}\" }}\n{settings}\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut child = Command::new(program)
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    for line in lines.by_ref().map_while(Result::ok) {
        said = format!("{said}\n{line}");
        if line.contains("Server is ready") {
            break;
        }
    }
    assert!(said.contains("Server is ready"), "nats-server ended before it was ready: {said}");
    // What it says has to go somewhere.
    std::thread::spawn(move || lines.for_each(drop));
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    child
}
