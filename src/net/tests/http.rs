//! HTTP, and the way from it to the pool of WebSockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, unbounded};
use hyper::service::service_fn;
use hyper::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::net::client::{Connected, Connector};
use crate::net::http::{HttpConfig, HttpCounters, Peer, serve, websocket_upgrade};
use crate::net::tls::Trust;
use crate::net::websocket::{Pool, PoolConfig, PoolRead};
use crate::net::{ConnectionIds, Transport, Upgraded};
use crate::protocol::CloseReason;

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
        } else if request.uri().path() == "/peer" {
            let Peer(peer) = request.extensions().get().unwrap();
            Response::new(peer.ip().to_string())
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
async fn a_proxy_says_for_whom_it_asks_and_nobody_else_may() {
    let ask = async |is_behind_proxy, headers: &str| {
        let config = HttpConfig { is_behind_proxy, per_address_max: 1, ..HttpConfig::default() };
        let (address, counters, _, _stop) = http_server(config).await;
        let _held = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!("GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        // An error: the connection was refused before it was read.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        let peer = answer.rsplit("\r\n").next().unwrap_or_default().to_owned();
        (peer, counters.refused_address.load(Relaxed))
    };
    let check = async |headers, peer: &str| {
        assert_eq!(ask(true, headers).await, (peer.to_owned(), 0), "{headers}");
    };
    check("X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7").await;
    // What a client claims stands before what the proxy has added.
    check("X-Forwarded-For: 10.1.1.1, 192.0.2.7\r\n", "192.0.2.7").await;
    check("X-Forwarded-For: 10.1.1.1\r\nX-Forwarded-For: ::ffff:192.0.2.7\r\n", "192.0.2.7").await;
    check("X-Forwarded-For: nobody\r\n", "127.0.0.1").await;
    check("", "127.0.0.1").await;
    assert_eq!(ask(false, "X-Forwarded-For: 192.0.2.7\r\n").await, (String::new(), 1));
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
