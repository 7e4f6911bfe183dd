//! Servers: in this process, or as a process that may die.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use undercroft::app::config::Config;
use undercroft::app::dev::{self, Running};
use undercroft::cli::http::Server as Http;

use super::{Scratch, eventually};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_undercroft");

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) web: SocketAddr,
    pub(crate) quic: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Addresses {
    /// Ports that the system chooses.
    pub(crate) fn any() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { web: any, quic: any, admin: any }
    }

    /// Free ports that no outgoing connection is given meanwhile: a server can come back to them.
    pub(crate) fn lasting() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let offset = (std::process::id() % 997) as u16 * 11;
        let mut free = std::iter::repeat_with(|| {
            let port = 16_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 16_000;
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let is_free = TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok();
            is_free.then_some(address)
        })
        .flatten();
        let mut next = || free.next().unwrap();
        Self { web: next(), quic: next(), admin: next() }
    }

    pub(crate) fn http(&self) -> Http {
        Http { host: self.web.ip().to_string(), port: self.web.port() }
    }

    /// What the administrative port answers to.
    pub(crate) fn admin(&self, path: &str) -> (u16, String) {
        fetch(self.admin, path).unwrap()
    }

    /// All metrics.
    pub(crate) fn metrics(&self) -> Metrics {
        let (status, text) = self.admin("/metrics");
        assert_eq!(status, 200);
        Metrics(text)
    }
}

/// The text of `/metrics`.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The value of a series, named as in the text; 0 for one that is not there.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        self.0.lines().find_map(value).unwrap_or(0.0)
    }

    /// Connections that were closed for this reason.
    pub(crate) fn closes(&self, reason: &str) -> f64 {
        self.value(&format!("game_server_closes_total{{reason=\"{reason}\"}}"))
    }
}

/// One GET over a connection of its own.
pub(crate) fn fetch(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    ask(address, "GET", path, "", "")
}

/// One request over a connection of its own; each line of `headers` has its end.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}

/// A server in this process.
pub(crate) struct Local {
    running: Option<Running>,
    pub(crate) at: Addresses,
    pub(crate) data: PathBuf,
    _scratch: Scratch,
}

impl Local {
    /// Starts one on a fresh folder. `more`: lines of the configuration file.
    pub(crate) fn start(name: &str, more: &str) -> Self {
        let scratch = Scratch::new(name);
        let data = scratch.file("data");
        let text = format!(
            "data = {data:?}\nweb = \"127.0.0.1:0\"\nquic = \"127.0.0.1:0\"\n\
             admin = \"127.0.0.1:0\"\nsimulation_threads = 1\nsynchronous = \"normal\"\n\
             world_seed = 7\n{more}"
        );
        let running = dev::start(&Config::from_text(&text).unwrap()).unwrap();
        let at = Addresses { web: running.web, quic: running.quic, admin: running.admin };
        Self { running: Some(running), at, data, _scratch: scratch }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let stopped = self.running.take().map(Running::stop);
        if !std::thread::panicking() {
            stopped.unwrap().unwrap();
        }
    }
}

/// A server as a process; it is killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) at: Addresses,
    log: PathBuf,
}

/// The main command on these addresses and this folder.
pub(crate) fn command(data: &Path, at: Addresses) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .arg("dev")
        .arg("--data")
        .arg(data)
        .args(["--web", &at.web.to_string()])
        .args(["--quic", &at.quic.to_string()])
        .args(["--admin", &at.admin.to_string()])
        .args(["--simulation-threads", "2", "--world-seed", "7"])
        .stdin(Stdio::null());
    command
}

impl Process {
    /// Starts a server and waits until it says that it is ready.
    pub(crate) fn start(data: &Path, at: Addresses, more: &[&str]) -> Self {
        let mut command = command(data, at);
        command.args(more);
        Self::spawn(command, &data.with_extension("log"))
    }

    /// Starts a prepared command; what it logs is added to `log`.
    pub(crate) fn spawn(mut command: Command, log: &Path) -> Self {
        let errors = File::options().append(true).create(true).open(log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut process = Self { child, at: Addresses::any(), log: log.to_owned() };
        let ready = lines.find_map(|line| line.unwrap().strip_prefix("ready ").map(str::to_owned));
        let ready = ready.unwrap_or_else(|| panic!("it did not start: {}", process.log()));
        // The rest is for people; it must not fill the pipe, which nobody reads any more.
        std::thread::spawn(move || lines.for_each(drop));
        // What it does not have, it does not name.
        let address = |name: &str| -> SocketAddr {
            let value = ready.split(' ').find_map(|word| word.strip_prefix(name));
            let value = value.map(|value| value.trim_start_matches("http://").parse().unwrap());
            value.unwrap_or(Addresses::any().web)
        };
        process.at =
            Addresses { web: address("web="), quic: address("quic="), admin: address("admin=") };
        process
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn terminate(self) -> ExitStatus {
        signal(&self.child, "TERM");
        self.wait()
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        eventually("the end of the server", || self.child.try_wait().unwrap())
    }

    /// Sends a signal: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }
}

/// Sends a signal to a process of the test's own.
pub(crate) fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    // The shell's own `kill`: the program is not on every machine.
    let kill = Command::new("sh").args(["-c", "kill -\"$1\" \"$0\"", &id, name]).status();
    assert!(kill.unwrap().success());
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server logged:\n{}", self.log());
        }
    }
}
