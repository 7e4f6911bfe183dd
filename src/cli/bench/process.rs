//! Servers as child processes, and what the kernel says of them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

/// How long a server may take to say where it listens; it may have a world to make.
const READY_TIME_MAX: Duration = Duration::from_secs(120);
/// Clock ticks a second in `/proc`, the same on every Linux of ours.
const USER_HZ: f64 = 100.0;

/// A server of this same binary; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// What it said after `ready`.
    said: BTreeMap<String, String>,
}

impl Process {
    /// Starts this binary with `args` and waits for its line `ready KEY=VALUE ...`.
    pub(super) fn start(args: &[String]) -> anyhow::Result<Self> {
        let binary = std::env::current_exe().context("finding the binary that runs")?;
        Self::start_program(&binary, args)
    }

    /// Starts a binary of ours likewise.
    pub(super) fn start_program(binary: &Path, args: &[String]) -> anyhow::Result<Self> {
        let what = format!("{} {}", binary.display(), args.join(" "));
        let mut child = Command::new(binary)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {what}"))?;
        let out = child.stdout.take().expect("standard output was piped");
        let mut process = Self { child, said: BTreeMap::new() };
        let (sender, lines) = channel();
        // Reads to the end, so that the child never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // Nobody listens any more once it is ready.
                let _ = sender.send(line);
            }
        });
        loop {
            match lines.recv_timeout(READY_TIME_MAX) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix("ready ") {
                        process.said = pairs(rest);
                        return Ok(process);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!("{what} does not get ready"),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = process.child.wait().context("waiting for a server to end")?;
                    bail!("{what} ended before it was ready: {status}");
                }
            }
        }
    }

    /// What it said of `key` when it was ready.
    pub(super) fn said(&self, key: &str) -> anyhow::Result<&str> {
        let value = self.said.get(key).map(String::as_str);
        value.with_context(|| format!("the server did not say its {key} address"))
    }

    /// SIGTERM, and waits for the end.
    pub(super) fn terminate(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        ensure!(told.is_ok_and(|it| it.success()), "a server cannot be told to end");
        let status = self.child.wait().context("waiting for a server to end")?;
        ensure!(status.success(), "a server that was told to end did so with {status}");
        Ok(())
    }

    /// Seconds of CPU time so far, user and system, all threads.
    pub(super) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let text = self.proc("stat")?;
        cpu_ticks(&text).map(|ticks| ticks / USER_HZ).context("reading /proc/PID/stat")
    }

    /// Bytes that are resident.
    pub(super) fn memory_bytes(&self) -> anyhow::Result<f64> {
        let text = self.proc("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kibibytes.map(|k| k * 1_024.0).context("reading /proc/PID/status")
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its data is of no use to anybody, so it need not end well; it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The name in brackets may hold anything; counting begins after it.
fn cpu_ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(field(11)? + field(12)?)
}

#[cfg(test)]
mod tests {
    use super::{cpu_ticks, pairs};

    #[test]
    fn cpu_time_is_read_past_any_name() {
        let stat = "77 (a ) b) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 900 1 2";
        assert_eq!(cpu_ticks(stat), Some(300.0));
        assert_eq!(cpu_ticks("77 (x) S 1"), None);
    }

    #[test]
    fn addresses_are_read() {
        let said = pairs("web=http://127.0.0.1:8080 quic=127.0.0.1:7778 odd");
        assert_eq!(said.len(), 2);
        assert_eq!(said["web"], "http://127.0.0.1:8080");
    }
}
