//! The API as its document describes it, tried by requests that schemathesis makes from that.

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::rig::cluster::Cluster;
use crate::rig::server::{Addresses, Local};
use crate::rig::{Scratch, play};

/// Names the program; `scripts/test` sets it. Without it there has to be one on the path.
const PROGRAM: &str = "SCHEMATHESIS";

/// The program; where there is none, that is said and a test has nothing to do. Where
/// `REQUIRE_SCHEMATHESIS` is set there must be.
fn program() -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os(PROGRAM).unwrap_or("schemathesis".into()));
    if Command::new(&program).arg("--version").output().is_ok() {
        return Some(program);
    }
    assert!(std::env::var_os("REQUIRE_SCHEMATHESIS").is_none(), "there is no schemathesis");
    // Past the harness, which keeps what a test prints.
    stderr().write_all(b"skipped: generated requests: no schemathesis\n").unwrap();
    None
}

/// Has it make requests, as a guest, of everything that the document names.
fn try_out(program: &Path, at: &Addresses, name: &str) {
    let scratch = Scratch::new(name);
    let token = play(at.http().guest()).unwrap().token;
    std::fs::create_dir_all(scratch.file("")).unwrap();
    let output = Command::new(program)
        .current_dir(scratch.file(""))
        .args(["--no-color", "--config-file"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/schemathesis.toml"))
        .args(["run", &format!("http://{}/api/openapi.json", at.web)])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("generated"), "{said}");
    let errors = at.metrics().0;
    assert!(!errors.contains("game_server_errors_total{room=\"http\"}"), "{errors}");
}

#[test]
fn whatever_is_asked_of_one_process_is_answered_as_described() {
    let Some(program) = program() else { return };
    let server = Local::start("generated-dev", "");
    try_out(&program, &server.at, "generated-dev-reports");
}

#[test]
fn whatever_is_asked_of_the_services_is_answered_as_described() {
    let Some(program) = program() else { return };
    let Some(cluster) = Cluster::start("generated", 1, 1) else { return };
    cluster.wait_for_gateways(1);
    try_out(&program, &cluster.at(), "generated-reports");
}
