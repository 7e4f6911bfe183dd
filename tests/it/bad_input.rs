//! Peers that make mistakes or mean harm: a reason for them, a count for us, nothing for others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::json;
use socket2::{Domain, Socket, Type};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use undercroft::client::Client;
use undercroft::game::rng::Rng;
use undercroft::model::{CharacterId, Command};
use undercroft::net::Transport;
use undercroft::net::client::Connector;
use undercroft::net::tls::Trust;
use undercroft::protocol::{ClientMessage, CloseReason, Event, ServerMessage};

use crate::rig::player::Player;
use crate::rig::server::{Addresses, Local, Process};
use crate::rig::wire::{CARRIERS, Wire, hello};
use crate::rig::{Scratch, eventually, play};

/// Somebody who plays on meanwhile.
struct Witness {
    stop: watch::Sender<bool>,
    task: JoinHandle<(u64, u64)>,
}

impl Witness {
    async fn begin(at: Addresses) -> Self {
        let mut player = Player::join(at, Transport::WebSocket).await;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let (tick, frames) = (player.view().tick, player.client.stats().frames);
            while !*stopped.borrow() {
                player.frames(1).await;
            }
            assert_eq!(player.client.stats().welcomes, 1, "{player}");
            (player.view().tick - tick, player.client.stats().frames - frames)
        });
        Self { stop, task }
    }

    /// Every tick had its frame, and there were some.
    async fn saw_everything(self) {
        self.stop.send_replace(true);
        let (ticks, frames) = self.task.await.unwrap();
        assert!(ticks >= 5 && frames == ticks, "{frames} frames in {ticks} ticks");
    }
}

/// Lets a new guest in over a bare connection.
async fn guest(at: &Addresses, transport: Transport) -> Wire {
    let login = at.http().guest().await.unwrap();
    let mut wire = Wire::connect(at, transport).await;
    wire.send(&hello(&login.token, login.character, ""));
    wire.welcome().await;
    wire
}

fn input(first: u32, commands: Vec<Command>) -> ClientMessage {
    ClientMessage::Input { last_frame: 0, keyframe: false, first, commands }
}

#[test]
fn mistakes_end_with_their_reason_and_a_count_and_nobody_else_notices() {
    let server = Local::start("mistakes", "");
    let at = server.at;
    let mut random = noise(&mut Rng::new(5, 6, 7), 300);
    random[0] |= 0x80;
    let good = hello("token", CharacterId(0), "").encode();
    let mut version = good.clone();
    version[1] = 0xee;
    let mut many = input(1, Vec::new()).encode();
    many.pop();
    many.extend([0xff, 0xff, 0x03]);
    let unknown = input(1, vec![Command::Rest]).encode();
    let unknown = [&unknown[..unknown.len() - 1], &[0x7f]].concat();
    let cases: [(&str, bool, Vec<u8>, CloseReason); 11] = [
        ("random bytes", false, random.clone(), CloseReason::Malformed),
        ("random bytes of a player", true, random, CloseReason::Malformed),
        ("nothing at all", false, Vec::new(), CloseReason::Malformed),
        ("a truncated hello", false, good[..good.len() - 3].to_vec(), CloseReason::Malformed),
        ("more than a hello", false, [&good[..], &[1]].concat(), CloseReason::Malformed),
        ("an unknown command", true, unknown, CloseReason::Malformed),
        ("too many commands", true, many, CloseReason::TooLarge),
        ("a message too large", true, vec![2; 3_000], CloseReason::TooLarge),
        ("another version", false, version, CloseReason::Version),
        ("input before hello", false, input(1, Vec::new()).encode(), CloseReason::OutOfOrder),
        ("a second hello", true, good, CloseReason::OutOfOrder),
    ];
    play(async {
        let witness = Witness::begin(at).await;
        for transport in CARRIERS {
            for (what, plays, bytes, expected) in &cases {
                let mut wire = match plays {
                    true => guest(&at, transport).await,
                    false => Wire::connect(&at, transport).await,
                };
                wire.send_bytes(bytes.clone());
                assert_eq!(wire.reason().await, *expected, "{what} over {transport:?}");
            }
        }
        witness.saw_everything().await;
    });
    for reason in CloseReason::ALL {
        let times = cases.iter().filter(|(.., expected)| expected == reason).count();
        let times = (times * CARRIERS.len()) as f64;
        eventually(reason.label(), || (at.metrics().closes(reason.label()) == times).then_some(()));
    }
}

#[test]
fn a_replayed_message_does_nothing_twice() {
    let server = Local::start("replayed", "monsters_per_zone = 0\n");
    let at = server.at;
    play(async {
        let mut listener = Player::join(at, Transport::WebSocket).await;
        for transport in CARRIERS {
            let wire = guest(&at, transport).await;
            let say = |text: &str| Command::Chat { text: text.into() };
            let message = input(1, vec![say("once"), say("twice")]);
            for _ in 0..4 {
                wire.send(&message);
            }
            // Numbers from elsewhere are no commands either.
            wire.send(&input(100, vec![say("from the future")]));
            wire.send(&input(2, vec![say("changed"), say("last")]));
            let mut heard = Vec::new();
            let mut listen = |client: &mut Client| {
                for event in client.take_events() {
                    if let Event::Chat { text, .. } = event {
                        heard.push(text);
                    }
                }
                heard.contains(&"last".to_owned()).then_some(())
            };
            listener.until("the last line", &mut listen).await;
            listener.frames(5).await;
            listen(&mut listener.client);
            assert_eq!(heard, ["once", "twice", "last"], "over {transport:?}");
        }
    });
}

#[test]
fn who_floods_is_cut_off() {
    let server = Local::start("flood", "");
    let at = server.at;
    play(async {
        let witness = Witness::begin(at).await;
        for transport in CARRIERS {
            let mut commands = guest(&at, transport).await;
            for n in 0..10 {
                commands.send(&input(1 + n * 32, vec![Command::Search; 32]));
            }
            assert_eq!(commands.reason().await, CloseReason::Flooding, "{transport:?}");
        }
        let pings = guest(&at, Transport::WebSocket).await;
        for nonce in 0..30 {
            for _ in 0..10 {
                pings.send(&ClientMessage::Ping { nonce });
            }
            // The way out of a client has a bound as well.
            tokio::task::yield_now().await;
        }
        witness.saw_everything().await;
    });
    eventually("the counts", || {
        let metrics = at.metrics();
        let limited = metrics.value("game_server_rate_limits_exceeded_total{limit=\"connection\"}");
        (metrics.closes("flooding") >= 3.0 && limited >= 3.0).then_some(())
    });
}

#[test]
fn names_and_lines_lose_what_would_move_a_cursor() {
    let server = Local::start("names", "monsters_per_zone = 0\n");
    let at = server.at;
    play(async {
        let http = at.http();
        let guest = http.guest().await.unwrap();
        for name in ["a\u{1b}[2Jb", "bell\u{7}", "two\nlines", "nul\0", "\u{202e}evil", "\u{200b}"]
        {
            let password = json!({ "name": name, "password": "long enough" });
            let error = http.ask("POST", "/api/register", None, Some(&password)).await.unwrap_err();
            assert!(error.to_string().contains(" 4"), "{name:?}: {error}");
            let token = Some(&*guest.token);
            let named = json!({ "name": name });
            let answer = http.ask("POST", "/api/characters", token, Some(&named)).await;
            assert!(answer.unwrap_err().to_string().contains(" 4"), "{name:?}");
        }
        let mut listener = Player::join(at, Transport::WebSocket).await;
        let mut speaker = Player::join(at, Transport::Quic).await;
        let text = "red \u{1b}[31mand\r\n loud\u{7}\u{0}".to_owned();
        speaker.act(Command::Chat { text }).await;
        let heard = listener
            .until("the line", |client| {
                client.take_events().into_iter().find_map(|event| match event {
                    Event::Chat { text, .. } => Some(text),
                    Event::Note { .. } | Event::Bolt { .. } | Event::Burst { .. } => None,
                })
            })
            .await;
        assert_eq!(heard, "red [31mand loud");
    });
}

/// A TCP connection from a loopback address of one's choice.
fn connect_from(from: [u8; 4], to: SocketAddr, receive_bytes: Option<usize>) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// The WebSocket handshake, by hand.
fn upgrade(stream: &mut TcpStream) {
    write!(
        stream,
        "GET /ws HTTP/1.1\r\nhost: it\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    .unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
}

/// One binary message, masked with zeros.
fn masked(message: &ClientMessage) -> Vec<u8> {
    let payload = message.encode();
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x82, 0x80 | 126, length[0], length[1], 0, 0, 0, 0], &payload[..]].concat()
}

#[test]
fn who_never_reads_loses_frames_and_in_the_end_the_connection() {
    const COUNT: usize = 8;
    let scratch = Scratch::new("slow");
    let server = Process::start(&scratch.file("data"), Addresses::any(), &[]);
    let at = server.at;
    play(async {
        let mut slow = Vec::new();
        for _ in 0..COUNT {
            let login = at.http().guest().await.unwrap();
            let mut stream = connect_from([127, 0, 0, 1], at.web, Some(2_048));
            upgrade(&mut stream);
            stream.write_all(&masked(&hello(&login.token, login.character, ""))).unwrap();
            slow.push(stream);
        }
        let witness = Witness::begin(at).await;
        let mut clock = Player::join(at, Transport::Quic).await;
        let before = at.metrics().value("game_server_memory_usage_bytes");
        let keyframe =
            ClientMessage::Input { last_frame: 0, keyframe: true, first: 1, commands: Vec::new() };
        let keyframe = masked(&keyframe);
        // Keyframes fill what the kernel holds sooner than small frames do.
        while at.metrics().value("game_server_frames_dropped_total") < 100.0 {
            for stream in &mut slow {
                let _ = stream.write_all(&keyframe);
            }
            clock.frames(2).await;
        }
        while at.metrics().closes("too_slow") < COUNT as f64 {
            for stream in &mut slow {
                // Not idle: it only never reads.
                let _ = stream.write_all(&masked(&ClientMessage::Ping { nonce: 1 }));
            }
            clock.frames(20).await;
        }
        let after = at.metrics().value("game_server_memory_usage_bytes");
        assert!(after - before < 32e6, "{before} bytes before, {after} after");
        witness.saw_everything().await;
    });
}

/// As many descriptors as this process may have.
fn allow_descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the structure that they are given.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
    }
    limit.rlim_cur
}

#[test]
fn ten_thousand_half_open_connections_keep_nobody_out() {
    const SILENT: usize = 100;
    let count = allow_descriptors().saturating_sub(1_500).min(10_000);
    assert!(count >= 100, "this machine allows hardly any descriptors");
    let scratch = Scratch::new("halfopen");
    let server = Process::start(&scratch.file("data"), Addresses::any(), &[]);
    let at = server.at;
    play(async {
        let witness = Witness::begin(at).await;
        let open = tokio::task::spawn_blocking(move || {
            // Those that got through the handshake and then say nothing.
            let mut open: Vec<TcpStream> = (0..SILENT)
                .map(|_| {
                    let mut stream = connect_from([127, 0, 0, 3], at.web, None);
                    upgrade(&mut stream);
                    stream
                })
                .collect();
            // Those that begin a request, and those that do not even do that.
            for number in 0..count {
                let mut stream = connect_from([127, 0, 0, 2], at.web, None);
                if number % 2 == 0 {
                    let _ = stream.write_all(b"GET /");
                }
                open.push(stream);
            }
            open
        });
        let open = open.await.unwrap();
        assert_eq!(open.len() as u64, count + SILENT as u64);
        for transport in CARRIERS {
            Player::join(at, transport).await.frames(3).await;
        }
        witness.saw_everything().await;
        drop(open);
    });
    eventually("the counts", || {
        let metrics = at.metrics();
        let refused = metrics.value("game_server_handshakes_refused_total");
        (refused >= count as f64 / 2.0 && metrics.closes("idle") >= SILENT as f64).then_some(())
    });
}

fn noise(rng: &mut Rng, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| rng.below(256) as u8).collect()
}

/// What begins like a first packet of QUIC and is noise behind its head.
fn first_packet(rng: &mut Rng) -> Vec<u8> {
    let mut packet = noise(rng, 1_200);
    packet[0] = 0xc3;
    packet[1..5].copy_from_slice(&1_u32.to_be_bytes());
    packet[5] = 8;
    packet[14] = 8;
    packet[23] = 0;
    packet[24..26].copy_from_slice(&[0x44, 0x80]);
    packet
}

#[test]
fn half_open_quic_handshakes_keep_nobody_out() {
    let server = Local::start("quic", "");
    let at = server.at;
    play(async {
        let witness = Witness::begin(at).await;
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut rng = Rng::new(1, 2, 3);
        for _ in 0..2_000 {
            socket.send_to(&first_packet(&mut rng), at.quic).unwrap();
        }
        // First packets that are right, from clients that are gone before the answer.
        let mut gone = Vec::new();
        for _ in 0..100 {
            let connector = Connector::new(Trust::AnyOnLoopback);
            let address = at.quic.to_string();
            let connecting = connector.connect(Transport::Quic, &address);
            let _ = tokio::time::timeout(Duration::ZERO, connecting).await;
            gone.push(connector);
        }
        // Connections that never open their stream.
        for transport in [Transport::Quic, Transport::WebTransport] {
            let mut player = Player::join(at, transport).await;
            player.frames(3).await;
            let mut wire = guest(&at, transport).await;
            assert!(matches!(wire.next().await, Some(ServerMessage::Frame(_))));
        }
        witness.saw_everything().await;
    });
}
