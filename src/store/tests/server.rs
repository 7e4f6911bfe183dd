//! A PostgreSQL server of a test's own: the real one, in a folder that goes with it. Tests of whole
//! processes use it as well.

use std::io::{Write, stderr};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, OnceLock};

/// Where Debian has its programs.
const PROGRAMS: &str = "/usr/lib/postgresql/17/bin";
/// Names a machine of `scripts/machine` that has them, for hosts that do not; `scripts/test` starts
/// one and sets it.
const MACHINE: &str = "POSTGRES_MACHINE";

/// Makes a server's folder: `$1`.
const MAKE: &str = r#"
    initdb --pgdata "$1" --username admin --pwfile <(echo secret) --auth scram-sha-256 \
      --encoding UTF8 --locale C.UTF-8 --no-sync >/dev/null
    echo "host all all all scram-sha-256" >>"$1/pg_hba.conf"
"#;
/// Starts the server of `$1` at the address `$2`, port `$3`, and waits until it answers.
const START: &str = r#"
    pg_ctl --pgdata "$1" --log "$1/log" --silent --wait start \
      --options "-h $2 -p $3 -k $1 -c fsync=off" || { cat "$1/log" >&2; exit 1; }
"#;
const STOP: &str = r#"pg_ctl --pgdata "$1" --mode immediate --silent --wait stop"#;
/// Ends the first of its processes; the others notice, and must be gone before the next start.
const KILL: &str = r#"
    read -r first <"$1/postmaster.pid"
    others=$(pgrep --parent "$first")
    kill -KILL "$first"
    for other in $others; do tail --pid "$other" --sleep-interval 0.02 --follow /dev/null; done
"#;
/// Sends the signal `$2` to all of its processes.
const SIGNAL: &str = r#"
    read -r first <"$1/postmaster.pid"
    pkill "-$2" --parent "$first"
    kill "-$2" "$first"
"#;
const REMOVE: &str = r#"
    pg_ctl --pgdata "$1" --mode immediate --silent stop || true
    rm -r "$1"
"#;

/// A server; it ends when it is dropped.
pub(crate) struct Server {
    place: &'static Place,
    folder: String,
    port: u16,
}

/// Where servers run, and as whom: PostgreSQL refuses root.
struct Place {
    /// What goes before a command.
    prefix: Vec<String>,
    address: String,
}

impl Server {
    /// Starts a server; where none can be started the test has nothing to do, which is said.
    pub(crate) fn start() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let place = Place::found()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = format!("/tmp/undercroft-postgres-{}-{number}", std::process::id());
        // Free now, and nobody else's by the time it is bound again: the kernel goes round.
        let port = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.local_addr().unwrap().port()
        };
        let server = Self { place, folder, port };
        server.run(MAKE, &[]);
        server.start_again();
        Some(server)
    }

    /// As a crash: connections end in the middle of whatever they do.
    pub(crate) fn stop(&self) {
        self.run(STOP, &[]);
    }

    /// As `kill -9`.
    pub(crate) fn kill(&self) {
        self.run(KILL, &[]);
    }

    /// The same server, after [`Server::stop`] or [`Server::kill`].
    pub(crate) fn start_again(&self) {
        self.run(START, &[&self.place.address, &self.port.to_string()]);
    }

    /// It keeps its connections and answers nobody, until [`Server::wake`].
    pub(crate) fn freeze(&self) {
        self.run(SIGNAL, &["STOP"]);
    }

    pub(crate) fn wake(&self) {
        self.run(SIGNAL, &["CONT"]);
    }

    /// The address of a database, for a user with a password.
    pub(crate) fn url(&self, login: &str, database: &str) -> String {
        format!("postgres://{login}@{}:{}/{database}", self.place.address, self.port)
    }

    /// The address of the one that is there, for the one who owns it.
    pub(crate) fn own_url(&self) -> String {
        self.url("admin:secret", "postgres")
    }

    fn run(&self, script: &str, more: &[&str]) {
        let said = self.place.bash(script, &self.folder, more).output().unwrap();
        let words = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{script}: {}: {words}", said.status);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _ = self.place.bash(REMOVE, &self.folder, &[]).output();
    }
}

impl Place {
    /// The place, if there is one. Where `REQUIRE_POSTGRES` is set there must be.
    fn found() -> Option<&'static Self> {
        static FOUND: OnceLock<Option<Place>> = OnceLock::new();
        let found = FOUND.get_or_init(|| {
            if let Ok(machine) = std::env::var(MACHINE) {
                return Some(Self::machine(&machine));
            }
            Path::new(PROGRAMS).join("initdb").exists().then(Self::here)
        });
        static SAID: Once = Once::new();
        if found.is_none() {
            // Past the harness, which keeps what a test prints.
            SAID.call_once(|| {
                let said = b"skipped: the store in PostgreSQL: no PostgreSQL 17 of Debian\n";
                stderr().write_all(said).unwrap();
            });
        }
        assert!(
            found.is_some() || std::env::var_os("REQUIRE_POSTGRES").is_none(),
            "REQUIRE_POSTGRES is set and there is neither {PROGRAMS} nor {MACHINE}"
        );
        found.as_ref()
    }

    fn here() -> Self {
        let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"];
        let prefix = if is_root { nobody.map(str::to_owned).to_vec() } else { Vec::new() };
        Self { prefix, address: Ipv4Addr::LOCALHOST.to_string() }
    }

    fn machine(name: &str) -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/machine");
        let prefix = [program, "run", "--user", name, "--"].map(str::to_owned).to_vec();
        let mut place = Self { prefix, address: String::new() };
        let said = place.bash("hostname --all-ip-addresses", "", &[]).output().unwrap();
        place.address = String::from_utf8(said.stdout).unwrap().trim().to_owned();
        assert!(!place.address.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
        place
    }

    fn bash(&self, script: &str, folder: &str, more: &[&str]) -> Command {
        let script = format!("PATH={PROGRAMS}:$PATH\n{script}");
        let words: Vec<&str> = self.prefix.iter().map(String::as_str).chain(["bash"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["-euc", &script, "bash", folder]).args(more);
        command.stdin(Stdio::null());
        command
    }
}
