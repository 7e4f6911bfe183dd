//! The processes of a cluster as systemd sees them: sockets it hands over, what it is told, and
//! what a bad configuration says.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::rig::cluster::{Cluster, Part};
use crate::rig::server::{Process, fetch};
use crate::rig::{DEADLINE, Scratch};

/// Has a command find descriptors as 3 and 4, named as systemd names them.
fn activate(command: &mut Command, names: &str, sockets: [RawFd; 2]) {
    // The process whose sockets they are says so itself, with the number it has.
    let program = command.get_program().to_owned();
    let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut shell = Command::new("sh");
    shell
        .env_clear()
        .args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""])
        .arg(program)
        .args(args)
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", names)
        .stdin(Stdio::null());
    // SAFETY: only calls that are allowed between fork and exec.
    unsafe {
        shell.pre_exec(move || {
            // Past 3 and 4 first, so that neither is overwritten before it is taken.
            let high = sockets.map(|fd| libc::fcntl(fd, libc::F_DUPFD, 50));
            for (to, from) in (3..).zip(high) {
                if from < 0 || libc::dup2(from, to) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    *command = shell;
}

/// What is said to systemd, until a line begins with this.
fn heard(socket: &UnixDatagram, until: &str) -> String {
    let mut said = String::new();
    let mut buffer = [0; 4_096];
    while !said.lines().any(|line| line.starts_with(until)) {
        let count = socket.recv(&mut buffer).unwrap();
        said += std::str::from_utf8(&buffer[..count]).unwrap();
        said.push('\n');
    }
    said
}

#[test]
fn a_gateway_takes_the_sockets_of_systemd_and_tells_it_how_it_is() {
    let Some(cluster) = Cluster::start("systemd", 1, 0) else { return };
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let quic = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (web_at, quic_at) = (web.local_addr().unwrap(), quic.local_addr().unwrap());
    let notified = cluster.data("notify");
    let systemd = UnixDatagram::bind(&notified).unwrap();
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = cluster.command(Part::Gateway(1));
    command.args(["--admin", "127.0.0.1:0"]);
    activate(&mut command, "quic:web", [quic.as_raw_fd(), web.as_raw_fd()]);
    command.env("NOTIFY_SOCKET", &notified).env("WATCHDOG_USEC", "900000");
    let gateway = Process::spawn(command, &cluster.data("activated.log"));
    assert_eq!((gateway.at.web, gateway.at.quic), (web_at, quic_at));
    heard(&systemd, "READY=1");
    let said = heard(&systemd, "WATCHDOG=1");
    assert!(said.contains("STATUS=0 connections, 0 players"), "{said}");
    // The listener is the one that systemd holds: what comes while the process is away waits.
    let (status, _) = fetch(web_at, "/nothing").unwrap();
    assert_eq!(status, 404);
    assert!(gateway.terminate().success());
    heard(&systemd, "STOPPING=1");
}

#[test]
fn an_instance_is_watched_by_its_tick_loop() {
    let Some(mut cluster) = Cluster::start("watchdog", 1, 0) else { return };
    cluster.kill(Part::Instance(1));
    let notified = cluster.data("notify");
    let systemd = UnixDatagram::bind(&notified).unwrap();
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = cluster.command(Part::Instance(2));
    command.args(["--admin", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &notified).env("WATCHDOG_USEC", "600000");
    let instance = Process::spawn(command, &cluster.data("watched.log"));
    let said = heard(&systemd, "WATCHDOG=1");
    assert!(said.contains("STATUS=0 zones, 0 players"), "{said}");
    for (path, status) in [("/health/live", 200), ("/health/ready", 200), ("/health/startup", 200)]
    {
        assert_eq!(instance.at.admin(path).0, status, "{path}");
    }
    // Stopped as a whole it says nothing: systemd would end it.
    instance.signal("STOP");
    systemd.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    while systemd.recv(&mut [0; 4_096]).is_ok() {}
    instance.signal("CONT");
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    heard(&systemd, "WATCHDOG=1");
}

#[cfg(feature = "gpu")]
#[test]
fn an_instance_says_what_device_it_simulates_with() {
    use std::io::Write;

    use undercroft::sim::gpu::device::Device;

    let device = match Device::open() {
        Ok(device) => device,
        Err(error) => {
            assert!(std::env::var_os("REQUIRE_GPU").is_none(), "no graphics device: {error:?}");
            // Past the harness, which keeps what passing tests say to itself.
            let said = b"skipped: an instance with a graphics device: there is none\n";
            return std::io::stderr().write_all(said).unwrap();
        }
    };
    let Some(mut cluster) = Cluster::start("device", 1, 0) else { return };
    cluster.kill(Part::Instance(1));
    let notified = cluster.data("notify");
    let systemd = UnixDatagram::bind(&notified).unwrap();
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = cluster.command(Part::Instance(2));
    command.args(["--admin", "127.0.0.1:0", "--simulation", "gpu"]);
    command.env("NOTIFY_SOCKET", &notified);
    let instance = Process::spawn(command, &cluster.data("device.log"));
    let said = heard(&systemd, "STATUS=");
    let name = device.name();
    assert!(said.contains(&format!("STATUS=0 zones, 0 players, simulated with {name}")), "{said}");
    let metrics = instance.at.metrics();
    assert_eq!(metrics.value("game_server_simulation_device{kind=\"gpu\"}"), 1.0);
    assert_eq!(metrics.value("game_server_simulation_device{kind=\"cpu\"}"), 0.0);
    assert_eq!(metrics.value("game_server_simulation_device_failures_total"), 0.0);
    assert!(instance.terminate().success());
}

/// What a program says of its arguments, and its exit code.
fn refused(program: &str, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(program).env_clear().args(args).stdin(Stdio::null()).output();
    let output = output.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn bad_settings_are_named_on_one_line() {
    let scratch = Scratch::new("settings");
    let file = scratch.file("settings.toml");
    let nowhere = "nats://127.0.0.1:1";
    let instance = env!("CARGO_BIN_EXE_game-instance");
    let gateway = env!("CARGO_BIN_EXE_connection");
    let services = env!("CARGO_BIN_EXE_services");
    for (program, text, named) in [
        (instance, "capacity = 0", "capacity"),
        (instance, "ticks_per_second = 31", "ticks-per-second"),
        (instance, "zone_widht = 96", "zone_widht"),
        (gateway, "quic = \"nowhere\"", "quic"),
        (gateway, "certificate = \"a.pem\"", "key"),
        (gateway, "public_host = \"a b\"", "public_host"),
        (services, "prefix = \"a.b\"", "prefix"),
        (services, "nats_token_file = \"/nowhere/token\"", "/nowhere/token"),
    ] {
        fs::write(&file, text).unwrap();
        let args = ["--check-config", "--config", file.to_str().unwrap()];
        let (code, said) = refused(program, &args);
        assert_eq!(code, Some(64), "{text}: {said}");
        assert!(said.contains(named), "{text}: {said}");
    }
    for program in [instance, gateway, services] {
        assert_eq!(refused(program, &["--check-config"]), (Some(0), String::new()));
        let data = scratch.file("data");
        let mut args = vec!["--admin", "127.0.0.1:0", "--nats", nowhere];
        if program != instance {
            args.extend(["--web", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        }
        args.extend(
            (program == gateway).then_some(["--quic", "127.0.0.1:0"]).into_iter().flatten(),
        );
        let (code, said) = refused(program, &args);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("cannot be reached") && said.contains("127.0.0.1:1"), "{said}");
    }
}

#[test]
fn a_port_in_use_and_a_missing_key_are_named() {
    let Some(cluster) = Cluster::start("in-use", 1, 0) else { return };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = taken.local_addr().unwrap();
    let fails = |command: &mut Command| {
        let errors = cluster.data("fails.log");
        let status = command.stdout(Stdio::null()).stderr(File::create(&errors).unwrap()).status();
        assert_eq!(status.unwrap().code(), Some(1));
        fs::read_to_string(errors).unwrap()
    };
    let mut command = cluster.command(Part::Gateway(1));
    let said = fails(command.args(["--admin", "127.0.0.1:0", "--web", &address.to_string()]));
    assert!(said.contains("is in use") && said.contains(&address.to_string()), "{said}");
    let mut command = cluster.command(Part::Gateway(1));
    let any = ["--admin", "127.0.0.1:0", "--web", "127.0.0.1:0", "--quic", "127.0.0.1:0"];
    let said = fails(command.args(any).args(["--token-keys", "/nowhere/keys"]));
    assert!(said.contains("/nowhere/keys"), "{said}");
}
