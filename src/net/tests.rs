//! Every carrier over real sockets on port 0.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use crossbeam_channel::{Receiver, unbounded};
use hyper::service::service_fn;
use hyper::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Message, WebSocket};

use super::certificate::{Development, load_or_make};
use super::client::{ConnectError, Connected, Connector, quic_config};
use super::http::{HttpConfig, HttpCounters, serve, websocket_upgrade};
use super::quic::{QuicConfig, QuicServer};
use super::tls::Trust;
use super::websocket::{Pool, PoolConfig, PoolRead, SendOutcome};
use super::{ConnectionIds, Link, LinkError, NetEvent, Transport, Upgraded};
use crate::model::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::protocol::{ALPN, CloseReason};

fn development(name: &str) -> Development {
    let folder: PathBuf =
        std::env::temp_dir().join(format!("undercroft-net-{}-{name}", std::process::id()));
    let made = load_or_make(&folder, &[], SystemTime::now()).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    made
}

/// A QUIC server whose events nobody reads yet.
fn quic_server(name: &str, config: QuicConfig) -> (QuicServer, Receiver<NetEvent>, Connector) {
    let made = development(name);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (events, received) = unbounded();
    let ids = Arc::new(ConnectionIds::default());
    let server = QuicServer::bind(socket, &made.identity, config, events, ids).unwrap();
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(std::future::pending()).await });
    (server, received, Connector::new(Trust::Hashes(made.hashes)))
}

fn address(server: &QuicServer) -> String {
    server.local_addr().unwrap().to_string()
}

/// The server's end of the next connection; the other events stay in the channel.
async fn opened(received: &Receiver<NetEvent>) -> Link {
    let received = received.clone();
    let event = tokio::task::spawn_blocking(move || received.recv().unwrap()).await.unwrap();
    let NetEvent::Opened { link, .. } = event else { panic!("{event:?}") };
    link
}

/// Answers each message twice, as a datagram and on the stream, until a connection has closed.
fn echo(received: &Receiver<NetEvent>) -> Vec<Transport> {
    let mut links = HashMap::new();
    let mut transports = Vec::new();
    for event in received {
        match event {
            NetEvent::Opened { id, transport, link, .. } => {
                transports.push(transport);
                links.insert(id, link);
            }
            NetEvent::Message { id, bytes } => {
                links[&id].send_datagram(bytes.clone()).unwrap();
                links[&id].send_reliable(bytes).unwrap();
            }
            NetEvent::Closed { id, .. } => {
                links.remove(&id).unwrap();
                break;
            }
            NetEvent::Upgraded(_) => unreachable!("QUIC upgrades nothing"),
        }
    }
    transports
}

async fn check_echo(transport: Transport) {
    let (server, received, connector) = quic_server(transport.label(), QuicConfig::default());
    // Not a thread that is joined: that would stop the runtime it waits for.
    let echoing = tokio::task::spawn_blocking(move || echo(&received));
    let Connected { link, mut messages } =
        connector.connect(transport, &address(&server)).await.unwrap();
    let largest = Bytes::from(vec![7; CLIENT_MESSAGE_BYTES_MAX]);
    for message in [Bytes::from_static(b"hello"), largest] {
        link.send(message.clone()).unwrap();
        assert_eq!(messages.recv().await.as_ref(), Some(&message));
        assert_eq!(messages.recv().await.as_ref(), Some(&message));
    }
    link.send_datagram(Bytes::from_static(b"datagram")).unwrap();
    assert_eq!(messages.recv().await.unwrap(), "datagram");
    assert_eq!(messages.recv().await.unwrap(), "datagram");
    link.close();
    assert_eq!(messages.recv().await, None);
    assert_eq!(echoing.await.unwrap(), [transport]);
    connector.wait_closed().await;
    assert_eq!(server.counters().opened.load(Relaxed), 1);
}

#[tokio::test]
async fn quic_carries_messages_both_ways() {
    check_echo(Transport::Quic).await;
}

#[tokio::test]
async fn webtransport_carries_messages_both_ways() {
    check_echo(Transport::WebTransport).await;
}

/// What the client hears when it sends this message first.
async fn check_violation(name: &str, message: Vec<u8>, reason: CloseReason) {
    for transport in [Transport::Quic, Transport::WebTransport] {
        let (server, received, connector) = quic_server(name, QuicConfig::default());
        let Connected { link, mut messages } =
            connector.connect(transport, &address(&server)).await.unwrap();
        link.send(message.clone().into()).unwrap();
        assert_eq!(messages.recv().await, None);
        assert_eq!(link.closed(), Some(Some(reason)), "{transport:?}");
        assert_eq!(server.counters().violations.load(Relaxed), 1);
        assert!(matches!(received.try_recv(), Ok(NetEvent::Opened { .. })));
        assert!(matches!(received.try_recv(), Ok(NetEvent::Closed { .. })));
    }
}

#[tokio::test]
async fn a_message_too_large_ends_the_connection() {
    let message = vec![1; CLIENT_MESSAGE_BYTES_MAX + 1];
    check_violation("large", message, CloseReason::TooLarge).await;
}

#[tokio::test]
async fn an_empty_message_ends_the_connection() {
    check_violation("empty", Vec::new(), CloseReason::Malformed).await;
}

#[tokio::test]
async fn a_link_closes_after_what_was_sent() {
    for transport in [Transport::Quic, Transport::WebTransport] {
        let (server, received, connector) = quic_server("closing", QuicConfig::default());
        let Connected { link, mut messages } =
            connector.connect(transport, &address(&server)).await.unwrap();
        link.send(Bytes::from_static(b"hello")).unwrap();
        let here = opened(&received).await;
        here.send_reliable(Bytes::from_static(b"last words")).unwrap();
        here.close(CloseReason::Draining);
        assert_eq!(messages.recv().await.unwrap(), "last words");
        assert_eq!(messages.recv().await, None);
        assert_eq!(link.closed(), Some(Some(CloseReason::Draining)), "{transport:?}");
        assert_eq!(here.send_reliable(Bytes::new()), Err(LinkError::Closed));
    }
}

#[tokio::test]
async fn half_open_connections_are_bounded_and_time_out() {
    let config = QuicConfig {
        unfinished_max: 2,
        handshake_timeout: Duration::from_millis(300),
        ..QuicConfig::default()
    };
    let (server, _received, _) = quic_server("half-open", config);
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = quic_config(&Trust::AnyOnLoopback, ALPN);
    let connect = || {
        let address = server.local_addr().unwrap();
        endpoint.connect_with(client.clone(), address, "localhost").unwrap()
    };
    let first = connect().await.unwrap();
    let second = connect().await.unwrap();
    assert!(connect().await.is_err());
    assert_eq!(server.counters().refused_unfinished.load(Relaxed), 1);
    first.closed().await;
    second.closed().await;
    assert_eq!(server.counters().timed_out.load(Relaxed), 2);
    assert_eq!(server.unfinished(), 0);
}

#[tokio::test]
async fn an_address_has_its_share_only() {
    let config = QuicConfig { per_address_max: 1, ..QuicConfig::default() };
    let (server, received, connector) = quic_server("share", config);
    let first = connector.connect(Transport::Quic, &address(&server)).await.unwrap();
    first.link.send(Bytes::from_static(b"here")).unwrap();
    let _here = opened(&received).await;
    assert!(connector.connect(Transport::Quic, &address(&server)).await.is_err());
    assert_eq!(server.counters().refused_address.load(Relaxed), 1);
}

#[tokio::test]
async fn a_stranger_proves_its_address_when_it_gets_crowded() {
    let (server, _received, connector) =
        quic_server("retry", QuicConfig { retry_from: 0, ..QuicConfig::default() });
    connector.connect(Transport::Quic, &address(&server)).await.unwrap();
    assert_eq!(server.counters().retried.load(Relaxed), 1);
}

#[tokio::test]
async fn another_certificate_is_shown_at_once_and_only_known_ones_are_believed() {
    let (server, _received, before) = quic_server("identity", QuicConfig::default());
    before.connect(Transport::Quic, &address(&server)).await.unwrap();
    let next = development("identity-next");
    server.set_identity(&next.identity).unwrap();
    let refused = before.connect(Transport::Quic, &address(&server)).await;
    assert!(matches!(refused, Err(ConnectError::Handshake(_))), "{refused:?}");
    let after = Connector::new(Trust::Hashes(next.hashes));
    after.connect(Transport::Quic, &address(&server)).await.unwrap();
    let anyone = Connector::new(Trust::AnyOnLoopback);
    anyone.connect(Transport::WebTransport, &address(&server)).await.unwrap();
    let refused = anyone.connect(Transport::Quic, "192.0.2.1:7778").await;
    assert!(matches!(refused, Err(ConnectError::NotLoopback { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_draining_server_refuses_newcomers_and_waits_for_the_rest() {
    let made = development("draining");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (events, received) = unbounded();
    let ids = Arc::new(ConnectionIds::default());
    let server =
        QuicServer::bind(socket, &made.identity, QuicConfig::default(), events, ids).unwrap();
    assert!(server.buffers().receive_bytes > 0);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = server.clone();
    let serving = tokio::spawn(async move { serving.serve(async { drop(stopped.await) }).await });
    let connector = Connector::new(Trust::AnyOnLoopback);
    let open = connector.connect(Transport::Quic, &address(&server)).await.unwrap();
    open.link.send(Bytes::from_static(b"here")).unwrap();
    let link = opened(&received).await;
    stop.send(()).unwrap();
    // The server learns of it when this task waits, before it hears of the newcomer.
    assert!(connector.connect(Transport::Quic, &address(&server)).await.is_err());
    assert_eq!(server.counters().refused_draining.load(Relaxed), 1);
    link.close(CloseReason::Draining);
    serving.await.unwrap();
    assert_eq!(open.link.closed(), Some(Some(CloseReason::Draining)));
}

/// A pool with one connection, and that connection's other end.
struct Pair {
    pool: Pool,
    id: u64,
    peer: WebSocket<TcpStream>,
}

impl Pair {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, address) = listener.accept().unwrap();
        let mut pool = Pool::new(PoolConfig::default(), Arc::new(ConnectionIds::default()));
        let upgraded = Upgraded { stream, leftover: Vec::new(), peer: address };
        let id = pool.add(upgraded).unwrap();
        Self { pool, id, peer: WebSocket::from_raw_socket(peer, Role::Client, None) }
    }

    /// Reads until something is found.
    fn found(&mut self) -> Vec<PoolRead> {
        let mut all = Vec::new();
        while all.is_empty() {
            self.pool.read_all(|_, found| all.push(found));
            std::thread::yield_now();
        }
        all
    }

    /// The closing frame that the peer gets.
    fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.peer.read().unwrap() {
                Message::Close(frame) => return frame.map(|frame| frame.code.into()),
                Message::Binary(_) => {}
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                    panic!("nobody sent this")
                }
            }
        }
    }
}

#[test]
fn the_pool_carries_messages_both_ways() {
    let mut pair = Pair::new();
    for size in [1, 125, 126, 255, 256, CLIENT_MESSAGE_BYTES_MAX] {
        let message = Bytes::from(vec![9; size]);
        pair.peer.send(Message::Binary(message.clone())).unwrap();
        assert_eq!(pair.found(), [PoolRead::Message(message.clone())]);
        assert_eq!(pair.pool.send(pair.id, &message), SendOutcome::Sent);
        assert_eq!(pair.peer.read().unwrap(), Message::Binary(message));
    }
    pair.peer.send(Message::Ping("are you there".into())).unwrap();
    pair.peer.send(Message::binary("x")).unwrap();
    assert_eq!(pair.found(), [PoolRead::Message("x".into())]);
    pair.pool.flush_all(|_, _| unreachable!("nothing waits"));
    assert_eq!(pair.peer.read().unwrap(), Message::Pong("are you there".into()));
    let code = CloseCode::Away;
    pair.peer.close(Some(CloseFrame { code, reason: "".into() })).unwrap();
    assert_eq!(pair.found(), [PoolRead::Closed(None)]);
    assert_eq!(pair.close_code(), Some(code.into()));
    assert_eq!(pair.pool.send(pair.id, b"late"), SendOutcome::Gone);
    assert!(pair.pool.is_empty());
}

#[test]
fn bytes_behind_the_handshake_are_not_lost() {
    let mut pair = Pair::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, address) = listener.accept().unwrap();
    // A masked frame with the mask 0.
    let leftover = vec![0x82, 0x83, 0, 0, 0, 0, 1, 2, 3];
    pair.pool.add(Upgraded { stream, leftover, peer: address }).unwrap();
    assert_eq!(pair.found(), [PoolRead::Message(vec![1, 2, 3].into())]);
    assert_eq!(pair.pool.len(), 2);
    drop(peer);
    assert_eq!(pair.found(), [PoolRead::Closed(None)]);
    assert_eq!(pair.pool.len(), 1);
}

#[test]
fn the_pool_closes_what_is_no_message() {
    let too_large = Message::Binary(vec![0; CLIENT_MESSAGE_BYTES_MAX + 1].into());
    for (message, reason) in [
        (Message::text("hello"), CloseReason::Malformed),
        (Message::binary(""), CloseReason::Malformed),
        (too_large, CloseReason::TooLarge),
    ] {
        let mut pair = Pair::new();
        pair.peer.send(message).unwrap();
        assert_eq!(pair.found(), [PoolRead::Closed(Some(reason))]);
        assert_eq!(pair.close_code(), Some(4000 + u16::from(reason as u8)));
        assert!(pair.pool.is_empty());
    }
}

#[test]
fn what_follows_a_message_too_large_is_read_past() {
    use std::io::Write;
    let mut pair = Pair::new();
    pair.peer.get_mut().write_all(&[0x82, 0xfe, 0x0b, 0xb8, 0, 0, 0, 0]).unwrap();
    assert_eq!(pair.found(), [PoolRead::Closed(Some(CloseReason::TooLarge))]);
    for _ in 0..30 {
        pair.peer.get_mut().write_all(&[0; 100]).unwrap();
        pair.pool.read_all(|_, found| panic!("{found:?}"));
    }
    assert_eq!(pair.close_code(), Some(4000 + u16::from(CloseReason::TooLarge as u8)));
}

#[test]
fn garbage_is_closed_and_forgotten() {
    use std::io::{Read, Write};
    let mut pair = Pair::new();
    pair.peer.get_mut().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(pair.found(), [PoolRead::Closed(Some(CloseReason::Malformed))]);
    pair.pool.read_all(|_, found| panic!("{found:?}"));
    let mut rest = Vec::new();
    // Whether the end or a reset comes first is up to the kernel.
    let _ = pair.peer.get_mut().read_to_end(&mut rest);
    assert_eq!(&rest[2..4], &4001_u16.to_be_bytes());
}

#[test]
fn a_slow_reader_costs_frames_and_no_memory() {
    let mut pair = Pair::new();
    let config = PoolConfig::default();
    let frame = [5; 1_000];
    let mut sent = 0;
    loop {
        match pair.pool.send(pair.id, &frame) {
            SendOutcome::Sent | SendOutcome::Queued { .. } => sent += 1,
            SendOutcome::Slow => break,
            SendOutcome::Gone => panic!("gone after {sent}"),
        }
        assert!(sent < 100_000, "the socket takes everything");
        assert!(pair.pool.waiting_bytes(pair.id) <= config.queue_bytes_max);
    }
    assert_eq!(pair.pool.send(pair.id, &[1]), SendOutcome::Slow, "until it has drained");
    let (mut pool, id, mut peer) = (pair.pool, pair.id, pair.peer);
    let reading = std::thread::spawn(move || {
        let lengths: Vec<usize> = (0..=sent).map(|_| peer.read().unwrap().len()).collect();
        (lengths, peer)
    });
    let mut drained = false;
    while !drained {
        pool.flush_all(|_, found| drained = found == PoolRead::Drained);
        std::thread::yield_now();
    }
    assert_eq!(pool.waiting_bytes(id), 0);
    assert_eq!(pool.send(id, &[2; 10]), SendOutcome::Sent);
    let (lengths, _peer) = reading.join().unwrap();
    assert!(lengths[..sent].iter().all(|&length| length == frame.len()));
    assert_eq!(lengths[sent], 10);
}

#[test]
fn a_closed_connection_that_does_not_answer_is_dropped() {
    use std::io::Read;
    let mut pair = Pair::new();
    pair.pool.close(pair.id, CloseReason::Idle);
    assert!(pair.pool.is_empty());
    for _ in 0..PoolConfig::default().closing_passes_max {
        pair.pool.read_all(|_, found| panic!("{found:?}"));
    }
    let mut all = Vec::new();
    pair.peer.get_mut().read_to_end(&mut all).unwrap();
    assert_eq!(&all[2..4], &4009_u16.to_be_bytes());
}

/// An HTTP server that greets, and upgrades on `/ws`.
async fn http_server(
    config: HttpConfig,
) -> (SocketAddr, Arc<HttpCounters>, Receiver<Upgraded>, oneshot::Sender<()>) {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (upgraded, received) = unbounded();
    let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
        let upgraded = upgraded.clone();
        let response = if request.uri().path() == "/ws" {
            websocket_upgrade(&mut request, move |socket| upgraded.send(socket).unwrap())
                .unwrap_or_else(|error| error.response())
                .map(|()| String::new())
        } else {
            Response::new("welcome".to_owned())
        };
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    let counters = Arc::new(HttpCounters::default());
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { drop(stopped.await) };
    tokio::spawn(serve(listener, service, config, Arc::clone(&counters), shutdown));
    (address, counters, received, stop)
}

#[tokio::test]
async fn websocket_goes_from_http_to_the_pool_and_back() {
    let (address, _, received, _stop) = http_server(HttpConfig::default()).await;
    let gateway = std::thread::spawn(move || {
        let mut pool = Pool::new(PoolConfig::default(), Arc::new(ConnectionIds::default()));
        let id = pool.add(received.recv().unwrap()).unwrap();
        let mut all = Vec::new();
        while all.is_empty() {
            pool.read_all(|_, found| all.push(found));
        }
        pool.send(id, b"welcome");
        pool.close(id, CloseReason::Full);
        for _ in 0..1_000 {
            pool.read_all(|_, found| panic!("{found:?}"));
            std::thread::yield_now();
        }
        all
    });
    let connector = Connector::new(Trust::AnyOnLoopback);
    let Connected { link, mut messages } =
        connector.connect(Transport::WebSocket, &address.to_string()).await.unwrap();
    link.send(Bytes::from_static(b"hello")).unwrap();
    assert_eq!(messages.recv().await.unwrap(), "welcome");
    assert_eq!(messages.recv().await, None);
    assert_eq!(link.closed(), Some(Some(CloseReason::Full)));
    assert_eq!(gateway.join().unwrap(), [PoolRead::Message("hello".into())]);
}

#[tokio::test]
async fn a_websocket_client_says_goodbye() {
    let (address, _, received, _stop) = http_server(HttpConfig::default()).await;
    let gateway = std::thread::spawn(move || {
        let mut pool = Pool::new(PoolConfig::default(), Arc::new(ConnectionIds::default()));
        pool.add(received.recv().unwrap()).unwrap();
        let mut all = Vec::new();
        while !pool.is_empty() {
            pool.read_all(|_, found| all.push(found));
        }
        all
    });
    let connector = Connector::new(Trust::AnyOnLoopback);
    let url = format!("ws://{address}/ws");
    let Connected { link, mut messages } =
        connector.connect(Transport::WebSocket, &url).await.unwrap();
    link.send(Bytes::from_static(b"bye")).unwrap();
    link.close();
    assert_eq!(messages.recv().await, None);
    let all = gateway.join().unwrap();
    assert_eq!(all, [PoolRead::Message("bye".into()), PoolRead::Closed(None)]);
}

/// What the server answers to these bytes before it closes.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn bad_handshakes_are_answered() {
    let (address, _, _, _stop) = http_server(HttpConfig::default()).await;
    let upgrade = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nHost: x\r\n";
    for (headers, status) in [
        ("Host: x\r\nConnection: close\r\n".to_owned(), "426"),
        (format!("{upgrade}Sec-WebSocket-Version: 8\r\nConnection: close\r\n"), "426"),
        (format!("{upgrade}Sec-WebSocket-Version: 13\r\nConnection: close\r\n"), "400"),
    ] {
        let answer = exchange(address, &format!("GET /ws HTTP/1.1\r\n{headers}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.to_lowercase().contains("sec-websocket-version: 13"), "{answer}");
    }
    let answer = exchange(address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with("welcome"), "{answer}");
}

#[tokio::test]
async fn idle_http_connections_are_bounded_and_time_out() {
    let config = HttpConfig {
        per_address_max: 2,
        head_timeout: Duration::from_millis(200),
        ..HttpConfig::default()
    };
    let (address, counters, _, _stop) = http_server(config).await;
    let connect = || tokio::net::TcpStream::connect(address);
    let mut held = [connect().await.unwrap(), connect().await.unwrap()];
    let mut refused = connect().await.unwrap();
    assert_eq!(refused.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(counters.refused_address.load(Relaxed), 1);
    held[0].write_all(b"GET / HT").await.unwrap();
    for stream in &mut held {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
    }
    let answer = exchange(address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with("welcome"), "{answer}");
}

#[tokio::test]
async fn the_http_server_stops() {
    let (address, _, _, stop) = http_server(HttpConfig::default()).await;
    let mut idle = tokio::net::TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut buffer = [0; 4_096];
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    stop.send(()).unwrap();
    assert_eq!(idle.read(&mut buffer).await.unwrap(), 0);
}
