//! A cluster whose store is a PostgreSQL server that is away.

use std::net::{Ipv4Addr, TcpListener};

use crate::rig::cluster::{Cluster, Part};
use crate::rig::eventually;
use crate::rig::server::{Process, fetch};

#[test]
fn services_start_and_serve_while_the_database_is_away() {
    let Some(mut cluster) = Cluster::start("postgres-away", 1, 0) else { return };
    cluster.terminate(Part::Services);
    // Nobody answers at a port that is bound and does not listen any more.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let file = cluster.data("postgres-url");
    std::fs::write(&file, format!("postgres://u:secret@127.0.0.1:{port}/world\n")).unwrap();
    let at = cluster.at();
    let mut command = cluster.command(Part::Services);
    command.args(["--admin", &at.admin.to_string(), "--web", &at.web.to_string()]);
    command.arg("--postgres-url-file").arg(&file);
    let process = Process::spawn(command, &cluster.data("services-away.log"));
    assert_eq!(at.admin("/health/ready"), (503, "the store cannot be used\n".to_owned()));
    assert_eq!(at.admin("/health/live").0, 200);
    assert_eq!(fetch(at.web, "/api/hall-of-fame").unwrap().0, 503);
    eventually("the cause in the log", || {
        process.log().contains("cannot be reached").then_some(())
    });
    assert!(!process.log().contains("secret"), "{}", process.log());
    assert!(process.terminate().success());
}
