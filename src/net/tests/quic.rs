//! The pool of QUIC connections, against quinn as its peer.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use web_transport_quinn::proto::ConnectRequest;

use crate::model::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::net::certificate::{Development, load_or_make};
use crate::net::client::{ConnectError, Connected, Connector, parse_as, quic_config};
use crate::net::quic::{Pool, PoolRead, QuicConfig, QuicCounters};
use crate::net::tls::Trust;
use crate::net::{ConnectionIds, SendOutcome, Transport};
use crate::protocol::{ALPN, CloseReason};

fn development(name: &str) -> Development {
    let folder: PathBuf =
        std::env::temp_dir().join(format!("undercroft-net-{}-{name}", std::process::id()));
    let made = load_or_make(&folder, &[], SystemTime::now()).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    made
}

type Job = Box<dyn FnOnce(&mut Pool) + Send>;

/// A pool and the thread that owns it, which reads it every millisecond.
struct Server {
    address: String,
    counters: Arc<QuicCounters>,
    jobs: Option<Sender<Job>>,
    reads: Receiver<(u64, PoolRead)>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn new(name: &str, config: QuicConfig) -> (Self, Connector) {
        let made = development(name);
        let server = Self::start(&made, 0, config);
        (server, Connector::new(Trust::Hashes(made.hashes)))
    }

    fn start(made: &Development, port: u16, config: QuicConfig) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let ids = Arc::new(ConnectionIds::default());
        let mut pool = Pool::bind(socket, &made.identity, &[7; 32], config, ids).unwrap();
        let (address, counters) = (pool.local_addr().unwrap().to_string(), pool.counters());
        let (jobs, inbox) = unbounded::<Job>();
        let (found, reads) = unbounded();
        let thread = std::thread::spawn(move || {
            loop {
                // Whoever does not listen does not care.
                pool.read_all(|id, read| drop(found.send((id, read))));
                pool.flush();
                match inbox.recv_timeout(Duration::from_millis(1)) {
                    Ok(job) => job(&mut pool),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Self { address, counters, jobs: Some(jobs), reads, thread: Some(thread) }
    }

    /// Lets the pool do something and waits for what comes of it.
    async fn run<T: Send + 'static>(&self, job: impl FnOnce(&mut Pool) -> T + Send + 'static) -> T {
        let (answer, answered) = bounded(1);
        let job = Box::new(move |pool: &mut Pool| answer.send(job(pool)).unwrap());
        self.jobs.as_ref().unwrap().send(job).unwrap();
        tokio::task::spawn_blocking(move || answered.recv().unwrap()).await.unwrap()
    }

    /// What the pool finds next.
    async fn read(&self) -> (u64, PoolRead) {
        let reads = self.reads.clone();
        tokio::task::spawn_blocking(move || reads.recv().unwrap()).await.unwrap()
    }

    /// Waits for the next connection and its number.
    async fn opened(&self) -> (u64, Transport) {
        let (id, read) = self.read().await;
        let PoolRead::Opened { transport, .. } = read else { panic!("{read:?}") };
        (id, transport)
    }

    /// Waits until the pool satisfies the condition.
    async fn until(&self, condition: impl Fn(&Pool) -> bool + Clone + Send + 'static) {
        while !self
            .run({
                let condition = condition.clone();
                move |pool| condition(pool)
            })
            .await
        {}
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the pool's thread has panicked");
        }
    }
}

fn message(bytes: &'static [u8]) -> PoolRead {
    PoolRead::Message(Bytes::from_static(bytes))
}

async fn check_both_ways(transport: Transport) {
    let (server, connector) = Server::new(transport.label(), QuicConfig::default());
    let Connected { link, mut messages } =
        connector.connect(transport, &server.address).await.unwrap();
    let largest = Bytes::from(vec![7; CLIENT_MESSAGE_BYTES_MAX]);
    let mut opened = None;
    for sent in [Bytes::from_static(b"hello"), largest] {
        link.send(sent.clone()).unwrap();
        let id = match opened {
            Some(id) => id,
            None => {
                let (id, found) = server.opened().await;
                assert_eq!(found, transport);
                *opened.insert(id)
            }
        };
        assert_eq!(server.read().await, (id, PoolRead::Message(sent.clone())));
        let answer = sent.clone();
        let outcome = server.run(move |pool| pool.send_datagram(id, &answer)).await;
        assert!(matches!(outcome, SendOutcome::Sent), "{outcome:?}");
        assert_eq!(messages.recv().await.as_ref(), Some(&sent));
        let answer = sent.clone();
        server.run(move |pool| pool.send_reliable(id, &answer)).await;
        assert_eq!(messages.recv().await.as_ref(), Some(&sent));
    }
    let id = opened.unwrap();
    link.send_datagram(Bytes::from_static(b"datagram")).unwrap();
    assert_eq!(server.read().await, (id, message(b"datagram")));
    link.close();
    assert_eq!(server.read().await, (id, PoolRead::Closed(None)));
    assert_eq!(messages.recv().await, None);
    connector.wait_closed().await;
    assert_eq!(server.counters.opened.load(Relaxed), 1);
    assert_eq!(server.run(move |pool| pool.send_reliable(id, b"late")).await, SendOutcome::Gone);
}

#[tokio::test]
async fn quic_carries_messages_both_ways() {
    check_both_ways(Transport::Quic).await;
}

#[tokio::test]
async fn webtransport_carries_messages_both_ways() {
    check_both_ways(Transport::WebTransport).await;
}

/// What the client hears when it sends this message first.
async fn check_violation(name: &str, sent: Vec<u8>, reason: CloseReason) {
    for transport in [Transport::Quic, Transport::WebTransport] {
        let (server, connector) = Server::new(name, QuicConfig::default());
        let Connected { link, mut messages } =
            connector.connect(transport, &server.address).await.unwrap();
        link.send(sent.clone().into()).unwrap();
        let (id, _) = server.opened().await;
        assert_eq!(server.read().await, (id, PoolRead::Closed(Some(reason))));
        assert_eq!(messages.recv().await, None);
        assert_eq!(link.closed(), Some(Some(reason)), "{transport:?}");
        assert_eq!(server.counters.violations.load(Relaxed), 1);
    }
}

#[tokio::test]
async fn a_message_too_large_ends_the_connection() {
    let sent = vec![1; CLIENT_MESSAGE_BYTES_MAX + 1];
    check_violation("large", sent, CloseReason::TooLarge).await;
}

#[tokio::test]
async fn an_empty_message_ends_the_connection() {
    check_violation("empty", Vec::new(), CloseReason::Malformed).await;
}

#[tokio::test]
async fn a_connection_closes_after_what_was_sent() {
    for transport in [Transport::Quic, Transport::WebTransport] {
        let (server, connector) = Server::new("closing", QuicConfig::default());
        let Connected { link, mut messages } =
            connector.connect(transport, &server.address).await.unwrap();
        link.send(Bytes::from_static(b"hello")).unwrap();
        let (id, _) = server.opened().await;
        server
            .run(move |pool| {
                for _ in 0..100 {
                    pool.send_reliable(id, &[3; 500]);
                }
                pool.send_reliable(id, b"last words");
                pool.close(id, CloseReason::Draining);
                assert_eq!(pool.send_reliable(id, b"late"), SendOutcome::Gone);
            })
            .await;
        for _ in 0..100 {
            assert_eq!(messages.recv().await.unwrap().len(), 500);
        }
        assert_eq!(messages.recv().await.unwrap(), "last words");
        assert_eq!(messages.recv().await, None);
        assert_eq!(link.closed(), Some(Some(CloseReason::Draining)), "{transport:?}");
        server.until(Pool::is_empty).await;
    }
}

#[tokio::test]
async fn a_server_that_was_killed_tells_its_old_peers_when_it_is_back() {
    let made = development("killed");
    let forever = QuicConfig { idle_timeout: Duration::from_secs(3_600), ..QuicConfig::default() };
    let server = Server::start(&made, 0, forever.clone());
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = quic_config(&Trust::AnyOnLoopback, ALPN);
    let address: SocketAddr = server.address.parse().unwrap();
    let connection = endpoint.connect_with(client, address, "localhost").unwrap().await.unwrap();
    connection.send_datagram(Bytes::from_static(&[1; 100])).unwrap();
    // A pool that is dropped says nothing to anybody.
    drop(server);
    let _server = Server::start(&made, address.port(), forever);
    connection.send_datagram(Bytes::from_static(&[1; 100])).unwrap();
    assert_eq!(connection.closed().await, quinn::ConnectionError::Reset);
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_refused_more_and_closed_in_time() {
    let (server, _) = Server::new("deaf", QuicConfig::default());
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = quic_config(&Trust::AnyOnLoopback, ALPN);
    let address = server.address.parse().unwrap();
    let connection = endpoint.connect_with(client, address, "localhost").unwrap().await.unwrap();
    let (mut send, _unread) = connection.open_bi().await.unwrap();
    send.write_all(&[2, 0, 1, 1]).await.unwrap();
    let (id, _) = server.opened().await;
    let sent = server
        .run(move |pool| {
            (0..).take_while(|_| pool.send_reliable(id, &[4; 1_000]) != SendOutcome::Slow).count()
        })
        .await;
    assert!((60..100).contains(&sent), "{sent} kilobytes wait");
    server.run(move |pool| pool.close(id, CloseReason::TooSlow)).await;
    let quinn::ConnectionError::ApplicationClosed(closed) = connection.closed().await else {
        panic!("the server says why")
    };
    assert_eq!(closed.error_code, quinn::VarInt::from(CloseReason::TooSlow as u8));
}

#[tokio::test]
async fn half_open_connections_are_bounded_and_time_out() {
    let config = QuicConfig {
        unfinished_per_address_max: 2,
        handshake_timeout: Duration::from_millis(300),
        ..QuicConfig::default()
    };
    let (server, _) = Server::new("half-open", config);
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = quic_config(&Trust::AnyOnLoopback, ALPN);
    let connect = || {
        let address = server.address.parse().unwrap();
        endpoint.connect_with(client.clone(), address, "localhost").unwrap()
    };
    let first = connect().await.unwrap();
    let second = connect().await.unwrap();
    assert!(connect().await.is_err());
    assert_eq!(server.counters.refused_unfinished.load(Relaxed), 1);
    first.closed().await;
    second.closed().await;
    assert_eq!(server.counters.timed_out.load(Relaxed), 2);
    assert_eq!(server.run(|pool| pool.unfinished()).await, 0);
}

#[tokio::test]
async fn an_address_has_its_share_only() {
    let config = QuicConfig { per_address_max: 1, ..QuicConfig::default() };
    let (server, connector) = Server::new("share", config);
    let first = connector.connect(Transport::Quic, &server.address).await.unwrap();
    first.link.send(Bytes::from_static(b"here")).unwrap();
    server.opened().await;
    assert!(connector.connect(Transport::Quic, &server.address).await.is_err());
    assert_eq!(server.counters.refused_address.load(Relaxed), 1);
}

#[tokio::test]
async fn a_stranger_proves_its_address_when_it_gets_crowded() {
    let (server, connector) =
        Server::new("retry", QuicConfig { retry_from: 0, ..QuicConfig::default() });
    connector.connect(Transport::Quic, &server.address).await.unwrap();
    assert_eq!(server.counters.retried.load(Relaxed), 1);
}

#[tokio::test]
async fn handshakes_wait_for_their_turn() {
    let (server, connector) =
        Server::new("turn", QuicConfig { handshakes_per_pass_max: 1, ..QuicConfig::default() });
    let all = (0..8).map(|_| connector.connect(Transport::WebTransport, &server.address));
    for connected in futures_util::future::join_all(all).await {
        connected.unwrap();
    }
    assert_eq!(server.counters.failed.load(Relaxed), 0);
}

#[tokio::test]
async fn another_certificate_is_shown_at_once_and_only_known_ones_are_believed() {
    let (server, before) = Server::new("identity", QuicConfig::default());
    before.connect(Transport::Quic, &server.address).await.unwrap();
    let next = development("identity-next");
    let identity = next.identity.clone();
    server.run(move |pool| pool.set_identity(&identity).unwrap()).await;
    let refused = before.connect(Transport::Quic, &server.address).await;
    assert!(matches!(refused, Err(ConnectError::Handshake(_))), "{refused:?}");
    let after = Connector::new(Trust::Hashes(next.hashes));
    after.connect(Transport::Quic, &server.address).await.unwrap();
    let anyone = Connector::new(Trust::AnyOnLoopback);
    anyone.connect(Transport::WebTransport, &server.address).await.unwrap();
    let refused = anyone.connect(Transport::Quic, "192.0.2.1:7778").await;
    assert!(matches!(refused, Err(ConnectError::NotLoopback { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_draining_server_refuses_newcomers_and_lets_the_rest_finish() {
    let (server, connector) = Server::new("draining", QuicConfig::default());
    let open = connector.connect(Transport::Quic, &server.address).await.unwrap();
    open.link.send(Bytes::from_static(b"here")).unwrap();
    let (id, _) = server.opened().await;
    server.run(Pool::drain).await;
    assert!(connector.connect(Transport::Quic, &server.address).await.is_err());
    assert_eq!(server.counters.refused_draining.load(Relaxed), 1);
    assert!(!server.run(|pool| pool.is_empty()).await);
    server.run(move |pool| pool.close(id, CloseReason::Draining)).await;
    server.until(Pool::is_empty).await;
    connector.wait_closed().await;
    assert_eq!(open.link.closed(), Some(Some(CloseReason::Draining)));
}

#[tokio::test]
async fn a_browser_that_asks_for_something_else_is_refused() {
    let (server, _) = Server::new("elsewhere", QuicConfig::default());
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = quic_config(&Trust::AnyOnLoopback, web_transport_quinn::ALPN.as_bytes());
    let address = server.address.parse().unwrap();
    let connection = endpoint.connect_with(client, address, "localhost").unwrap().await.unwrap();
    let (mut send, _answer) = connection.open_bi().await.unwrap();
    send.write_all(&[0, 3, 7, 7, 7]).await.unwrap();
    connection.closed().await;
    assert_eq!(server.counters.failed.load(Relaxed), 1);
}

#[tokio::test]
async fn a_browser_may_say_all_it_has_at_once() {
    let (server, _) = Server::new("at-once", QuicConfig::default());
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = quic_config(&Trust::AnyOnLoopback, web_transport_quinn::ALPN.as_bytes());
    let address = server.address.parse().unwrap();
    let connection = endpoint.connect_with(client, address, "localhost").unwrap().await.unwrap();
    let (mut connect, _answer) = connection.open_bi().await.unwrap();
    let (mut control, _unread) = connection.open_bi().await.unwrap();
    // A stream of session 0, a message, the end: before the session is there.
    control.write_all(&[0x40, 0x41, 0, 2, 0, b'h', b'i']).await.unwrap();
    control.finish().unwrap();
    let url = parse_as("https://localhost/wt", |request: ConnectRequest| request.url).unwrap();
    let mut request = Vec::new();
    ConnectRequest::from(url).encode(&mut request).unwrap();
    connect.write_all(&request).await.unwrap();
    let (id, transport) = server.opened().await;
    assert_eq!(transport, Transport::WebTransport);
    assert_eq!(server.read().await, (id, message(b"hi")));
    assert_eq!(server.read().await, (id, PoolRead::Closed(None)));
    connection.closed().await;
    server.until(Pool::is_empty).await;
}
