//! A NATS server of a test's own: the real one, on a port and a folder that outlive it.

use std::fs;
use std::io::{BufRead, BufReader, Write, stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use super::server::{Addresses, signal};

/// Names the program; `scripts/test` sets it. Without it there has to be one on the path.
const PROGRAM: &str = "NATS_SERVER";

pub(crate) struct NatsServer {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

impl NatsServer {
    /// Starts one; where there is none on this machine, that is said and the test has nothing to
    /// do. Where `REQUIRE_NATS` is set there must be.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
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
        let address = Addresses::lasting().web;
        let mut server = Self { program, folder: folder.to_owned(), address, child: None };
        server.restart();
        Some(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
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
        let (address, store) = (self.address, self.folder.display());
        let text = format!(
            "listen: \"{address}\"\nmax_payload: 4MB\n\
             jetstream {{ store_dir: \"{store}\", sync_interval: \"250ms\" }}\n"
        );
        fs::write(&config, text).unwrap();
        let mut child = Command::new(&self.program)
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

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
