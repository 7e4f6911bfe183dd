//! What keeps a server from starting, or from going on: one line that names cause and remedy.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write, stderr};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;
use undercroft::client::Client;
use undercroft::journal::JOURNAL_FILE;
use undercroft::model::{Command as Order, Direction};
use undercroft::net::Transport;

use crate::rig::player::Player;
use crate::rig::server::{Addresses, PROGRAM, Process, command};
use crate::rig::{Scratch, copy_files, eventually, play};

/// Kills what should have ended by itself.
struct Doomed(Child);

impl Drop for Doomed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command that has to fail and gives its exit code and the one line it complains with.
fn complaint(what: &str, command: &mut Command) -> (i32, String) {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut child = Doomed(child);
    let status = eventually(what, || child.0.try_wait().unwrap());
    let mut text = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    let code = status.code().expect("it ends by itself");
    assert_ne!(code, 0, "{what}: {text}");
    assert_eq!(text.lines().count(), 1, "{what}: {text}");
    assert!(text.starts_with("undercroft: "), "{what}: {text}");
    (code, text)
}

#[cfg(feature = "gpu")]
#[test]
fn a_server_that_is_to_use_a_graphics_device_says_what_is_missing_and_does_not_start() {
    let scratch = Scratch::new("no-device");
    let mut command = command(&scratch.file("data"), Addresses::any());
    // No driver is where the loader is told to look, whatever this machine has.
    command.env("VK_DRIVER_FILES", "/nowhere.json").env("VK_ICD_FILENAMES", "/nowhere.json");
    let command = command.args(["--simulation", "gpu", "--log", "error"]);
    let (code, text) = complaint("no device", command);
    assert_eq!(code, 1, "{text}");
    for word in ["simulation is gpu", "libvulkan.so.1", "driver", "/dev/dri"] {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn a_server_that_may_use_a_graphics_device_starts_without_one() {
    let scratch = Scratch::new("maybe-device");
    let mut command = command(&scratch.file("data"), Addresses::any());
    command.env("VK_DRIVER_FILES", "/nowhere.json").env("VK_ICD_FILENAMES", "/nowhere.json");
    command.args(["--simulation", "auto"]);
    let server = Process::spawn(command, &scratch.file("log"));
    let metrics = server.at.metrics();
    assert_eq!(metrics.value("game_server_simulation_device{kind=\"cpu\"}"), 1.0);
    assert!(server.log().contains("the processor simulates: "), "{}", server.log());
    assert!(server.terminate().success());
}

/// Checks that a server on this folder refuses to start, and that its line has all these words.
fn refuses(what: &str, data: &Path, at: Addresses, words: &[&str]) {
    let mut command = command(data, at);
    let (code, text) = complaint(what, command.args(["--log", "error"]));
    assert_eq!(code, 1, "{what}: {text}");
    for word in words {
        assert!(text.contains(word), "{what}: {word:?} is not in: {text}");
    }
}

/// A data folder in which somebody has played, with some snapshots, and the session to go on with.
struct Played {
    data: PathBuf,
    session: Client,
    _scratch: Scratch,
}

impl Played {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let data = scratch.file("data");
        let more = ["--snapshot-seconds", "1", "--monsters-per-zone", "0"];
        let server = Process::start(&data, Addresses::any(), &more);
        let session = play(async {
            let mut player = Player::join(server.at, Transport::WebSocket).await;
            let snapshots = || server.at.metrics().value("game_server_snapshots_total");
            while snapshots() < 3.0 {
                player.act(Order::Move(Direction::West)).await;
                player.act(Order::Move(Direction::East)).await;
            }
            player.client
        });
        assert!(server.terminate().success());
        Self { data, session, _scratch: scratch }
    }

    /// A copy of the folder, with something done to it.
    fn copy(&self, scratch: &Scratch, name: &str, change: impl FnOnce(&Path)) -> PathBuf {
        let copy = scratch.file(name);
        copy_files(&self.data, &copy);
        change(&copy);
        copy
    }
}

fn sql(data: &Path, sql: &str) {
    let journal = Connection::open(data.join(JOURNAL_FILE)).unwrap();
    journal.execute_batch(sql).unwrap();
}

#[test]
fn a_port_in_use_is_named_with_its_flag() {
    let scratch = Scratch::new("ports");
    let data = scratch.file("data");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp, udp) = (tcp.local_addr().map(|at| (at, tcp)), udp.local_addr().map(|at| (at, udp)));
    let ((taken, _tcp), (taken_udp, _udp)) = (tcp.unwrap(), udp.unwrap());
    let any = Addresses::any();
    for (at, address, flag) in [
        (Addresses { web: taken, ..any }, taken, "--web"),
        (Addresses { admin: taken, ..any }, taken, "--admin"),
        (Addresses { quic: taken_udp, ..any }, taken_udp, "--quic"),
    ] {
        let address = address.to_string();
        refuses("a port in use", &data, at, &[&address, "in use", "another address", flag]);
    }
}

#[test]
fn two_servers_on_one_folder_are_one_too_many() {
    let scratch = Scratch::new("two");
    let data = scratch.file("data");
    let first = Process::start(&data, Addresses::any(), &[]);
    let process = format!("process {}", first.id());
    refuses("a second server", &data, Addresses::any(), &["another server", &process, "stop it"]);
    assert_eq!(first.at.admin("/health/ready").0, 200, "the first goes on");
    first.kill();
    drop(Process::start(&data, Addresses::any(), &[]));
}

#[test]
fn a_bad_configuration_exits_64_and_names_the_key() {
    let scratch = Scratch::new("config");
    let file = scratch.file("undercroft.toml");
    let data = scratch.file("data");
    let with = |text: &str, more: &[&str]| {
        fs::write(&file, text).unwrap();
        let mut command = command(&data, Addresses::any());
        command.arg("--config").arg(&file).args(more);
        command
    };
    for (text, named) in [
        ("tick_rate = 3\n", "tick_rate"),
        ("history_hours = 1\nmonsters = \"many\"\n", "monsters"),
        ("zone_width = 5\n", "zone_width"),
        ("requests_per_minute = \"few\"\n", "line 1"),
        ("synchronous = \"off\"\n", "synchronous"),
        ("this is no toml\n", "undercroft.toml"),
    ] {
        for more in [&[][..], &["--check-config"]] {
            let (code, line) = complaint(text, &mut with(text, more));
            assert_eq!(code, 64, "{line}");
            assert!(line.contains(named), "{named} is not in: {line}");
        }
    }
    let fine = with("history_hours = 1\n", &["--check-config"]).output().unwrap();
    assert!(fine.status.success() && fine.stderr.is_empty(), "{fine:?}");
    let nowhere = Command::new(PROGRAM)
        .env_clear()
        .args(["dev", "--check-config", "--config", "/nowhere/undercroft.toml"])
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(64));
    let unknown =
        Command::new(PROGRAM).env_clear().args(["dev", "--tick-rate=3"]).output().unwrap();
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(said.contains("--tick-rate") && said.contains("Usage: "), "{said}");
    assert_eq!(unknown.status.code(), Some(64));
    assert!(!data.exists(), "nothing was made or bound");
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let played = Played::new("files");
    let scratch = Scratch::new("broken");
    let refuse = |name: &str, words: &[&str], change: &dyn Fn(&Path)| {
        let copy = played.copy(&scratch, name, change);
        refuses(name, &copy, Addresses::any(), words);
    };
    let journal = JOURNAL_FILE;
    refuse("corrupt", &[journal, "damaged", "restore it from a backup"], &|data| {
        let mut file = File::options().write(true).open(data.join(journal)).unwrap();
        let size = file.metadata().unwrap().len();
        assert!(size > 3 * 4_096, "{size} bytes");
        // All but the first page, which says what the file is.
        file.seek(SeekFrom::Start(4_096)).unwrap();
        file.write_all(&vec![0xa5; usize::try_from(size - 4_096).unwrap()]).unwrap();
    });
    refuse("no-database", &[journal, "not the journal", "move it away"], &|data| {
        fs::write(data.join(journal), "a letter to the operator ".repeat(400)).unwrap();
    });
    refuse("foreign", &[journal, "not the journal", "move it away"], &|data| {
        fs::remove_file(data.join(journal)).unwrap();
        sql(data, "CREATE TABLE recipes(name TEXT)");
    });
    refuse("newer", &[journal, "newer version", "update the server"], &|data| {
        sql(data, "PRAGMA user_version = 99");
    });
    refuse("newer-entry", &["simulation version", "new data folder"], &|data| {
        sql(
            data,
            "DELETE FROM snapshots WHERE tick = (SELECT max(tick) FROM snapshots);
             UPDATE entries SET version = version + 1
             WHERE tick = (SELECT max(tick) FROM entries)",
        );
    });
    refuse("newer-snapshot", &["simulation version", "new data folder"], &|data| {
        sql(data, "UPDATE snapshots SET version = version + 1");
    });
    refuse("no-world", &["world.toml", "restore"], &|data| {
        fs::write(data.join("world.toml"), "seed = [1, 2\nwidth = 3").unwrap();
    });
    refuse("strange-world", &["world.toml", "restore"], &|data| {
        fs::write(data.join("world.toml"), [0xff, 0xfe, 0x00]).unwrap();
    });
    refuse("other-seed", &["seed", "another data folder"], &|data| {
        let path = data.join("world.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replace("\"7\"", "\"8\"")).unwrap();
    });
    refuse("no-key", &["token-key", "restore it, or delete it"], &|data| {
        fs::write(data.join("token-key"), "no key").unwrap();
    });
    refuse("no-reset-key", &["quic-reset-key", "delete it"], &|data| {
        fs::write(data.join("quic-reset-key"), "short").unwrap();
    });
}

#[test]
fn a_damaged_snapshot_falls_back_to_the_one_before() {
    let mut played = Played::new("fallback");
    sql(
        &played.data,
        "UPDATE snapshot_parts SET bytes = zeroblob(length(bytes))
         WHERE tick = (SELECT max(tick) FROM snapshots)",
    );
    let server = Process::start(&played.data, Addresses::any(), &[]);
    let log = server.log();
    let told = log.lines().any(|line| line.contains("damaged") && line.contains("one before"));
    assert!(told, "{log}");
    let before = played.session.last_acknowledged();
    let at_before = played.session.view().unwrap().me.pos;
    let credentials = undercroft::client::Credentials {
        resume: played.session.session().unwrap().resume.clone(),
        ..Default::default()
    };
    play(async {
        let mut player = Player::new(server.at, Transport::Quic, credentials);
        player.frames(2).await;
        player.until("its welcome", |client| client.is_playing().then_some(())).await;
        assert_eq!(player.client.session().unwrap().last_command, before);
        assert_eq!(player.view().me.pos, at_before);
    });
    played.session.take_events();
}

/// Starts a server whose data folder is a small disk of its own, if this machine lets us.
fn on_a_small_disk(scratch: &Scratch) -> Option<(Process, PathBuf)> {
    let data = scratch.file("disk");
    fs::create_dir(&data).unwrap();
    let probe = Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs \"$0\""])
        .arg(&data)
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut mounted = Command::new("unshare");
    let inner = command(&data, Addresses::any());
    mounted
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .args(["--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o size=16m tmpfs \"$0\" && exec \"$@\"")
        .arg(&data)
        .arg(inner.get_program())
        .args(inner.get_args())
        .stdin(Stdio::null());
    let server = Process::spawn(mounted, &scratch.file("disk.log"));
    // The disk as the server sees it: nobody else does.
    let seen = PathBuf::from(format!("/proc/{}/root{}", server.id(), data.display()));
    Some((server, seen))
}

#[test]
fn on_a_full_disk_time_stands_still_and_nothing_is_lost() {
    let scratch = Scratch::new("full");
    let Some((server, disk)) = on_a_small_disk(&scratch) else {
        // Past the harness, which would keep it to itself.
        stderr().write_all(b"skipped: no right to mount a small disk here\n").unwrap();
        return;
    };
    let at = server.at;
    play(async {
        let mut player = Player::join(at, Transport::WebSocket).await;
        let mut other = Player::join(at, Transport::Quic).await;
        player.act(Order::Search).await;
        other.act(Order::Search).await;

        let ballast = disk.join("ballast");
        let mut file = File::create(&ballast).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
        drop(file);
        eventually("not ready", || (at.admin("/health/ready").0 == 503).then_some(()));
        assert_eq!(at.admin("/health/ready").1, "the journal cannot be written\n");
        assert_eq!(at.admin("/health/live").0, 200, "a restart would not help");

        // The server answers pings, and shows nothing that is not on disk.
        let given = player.command(Order::Search).await;
        loop {
            let (frames, bytes) = (player.client.stats().frames, player.client.stats().bytes_in);
            let heard = |client: &mut Client| (client.stats().bytes_in > bytes).then_some(());
            player.until("an answer", heard).await;
            if player.client.stats().frames == frames {
                break;
            }
        }
        assert!(player.client.last_acknowledged() < given);
        let text = server.log();
        let told = text.lines().any(|line| line.contains("full") && line.contains("free some"));
        assert!(told, "{text}");

        fs::remove_file(ballast).unwrap();
        eventually("ready again", || (at.admin("/health/ready").0 == 200).then_some(()));
        let done = |client: &mut Client| (client.last_acknowledged() >= given).then_some(());
        player.until("the command", done).await;
        player.frames(5).await;
        other.frames(5).await;
        for player in [&player, &other] {
            assert_eq!(player.client.stats().rollbacks, 0);
            assert_eq!(player.over, None);
        }
    });
    let metrics = at.metrics();
    assert!(metrics.value("game_server_journal_failures_total") >= 1.0);
    let verdict = Command::new("nsenter")
        .args(["--mount", "--target", &server.id().to_string(), PROGRAM, "replay", "--data"])
        .arg(scratch.file("disk"))
        .arg("verify")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&verdict.stdout);
    assert!(verdict.status.success() && text.contains("hashes equal"), "{verdict:?}");
}
