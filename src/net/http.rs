//! The HTTP/1.1 server under the API and the browser client, and the door to WebSocket.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tungstenite::handshake::derive_accept_key;

use super::Upgraded;
use super::slots::{Refused, Slot, Slots};

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long accepting pauses when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Limits of the HTTP server.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Connections that speak HTTP at the same time; an upgraded one no longer counts.
    pub connections_max: usize,
    /// Of these, connections of one address (IPv6: of one /64).
    pub per_address_max: usize,
    /// Whether all connections are those of a proxy: the peer of a request is the one whom it names
    /// last in `X-Forwarded-For`, and no address has a share.
    pub is_behind_proxy: bool,
    /// How long a connection may take to send a request's head, from its start or from the end of
    /// the request before.
    pub head_timeout: Duration,
    /// How long a connection may live: the bound of everything slow that a peer can do.
    pub lifetime: Duration,
    /// How long requests may still run after the shutdown began.
    pub drain_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            per_address_max: 256,
            is_behind_proxy: false,
            head_timeout: Duration::from_secs(5),
            lifetime: Duration::from_secs(120),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// What happened at the door since the start.
#[derive(Debug, Default)]
pub struct HttpCounters {
    /// Connections that were accepted and served.
    pub accepted: AtomicU64,
    /// Closed at once: too many are open.
    pub refused_full: AtomicU64,
    /// Closed at once: the address has its share.
    pub refused_address: AtomicU64,
    /// Connections that ended in an error, a timeout included.
    pub failed: AtomicU64,
    /// Times that accepting failed, most likely for want of file descriptors.
    pub accept_errors: AtomicU64,
}

/// The peer of a request, in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Serves until `shutdown`, then lets requests finish within the drain timeout.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    config: HttpConfig,
    counters: Arc<HttpCounters>,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let all = config.connections_max;
    let share = if config.is_behind_proxy { all } else { config.per_address_max };
    let slots = Slots::new(all, share);
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match slots.hold(peer.ip()) {
                    Ok(slot) => {
                        count(&counters.accepted);
                        let connection = Connection {
                            stream,
                            peer,
                            slot,
                            config: config.clone(),
                            counters: Arc::clone(&counters),
                            stopped: stopped.clone(),
                        };
                        connections.spawn(connection.serve(service.clone()));
                    }
                    Err(Refused::All) => count(&counters.refused_full),
                    Err(Refused::Address) => count(&counters.refused_address),
                },
                Err(error) => pause(&error, &counters).await,
            },
            Some(_) = connections.join_next() => {}
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    stop.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What still runs afterwards is aborted with the set.
    let _ = timeout(config.drain_timeout, drained).await;
}

async fn pause(error: &io::Error, counters: &HttpCounters) {
    count(&counters.accept_errors);
    let of_one_peer =
        matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !of_one_peer {
        log::error!("accepting a connection failed: {error}");
        sleep(ACCEPT_PAUSE).await;
    }
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    slot: Slot,
    config: HttpConfig,
    counters: Arc<HttpCounters>,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn serve<S, B>(self, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Self { stream, peer, slot: _slot, config, counters, mut stopped } = self;
        // Without it a response of two writes may wait for an acknowledgement in between.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |mut request: Request<Incoming>| {
            let peer = match config.is_behind_proxy.then(|| forwarded_for(request.headers())) {
                Some(Some(client)) => SocketAddr::new(client, 0),
                Some(None) | None => peer,
            };
            request.extensions_mut().insert(Peer(peer));
            service.call(request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(config.head_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = sleep(config.lifetime) => {
                connection.as_mut().graceful_shutdown();
                match timeout(config.head_timeout, connection).await {
                    Ok(result) => result,
                    Err(_) => return count(&counters.failed),
                }
            }
            () = async { drop(stopped.wait_for(|&stop| stop).await) } => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if result.is_err() {
            count(&counters.failed);
        }
    }
}

/// Whom the nearest proxy has heard.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?;
    let named = line.to_str().ok()?.rsplit(',').next()?;
    named.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Why a request is not a WebSocket handshake that this server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    #[error("this address speaks WebSocket: the request does not ask for an upgrade")]
    NotAsked,
    #[error("only version 13 of WebSocket is spoken here")]
    Version,
    #[error("the key of the handshake is missing or malformed")]
    Key,
}

impl UpgradeError {
    /// The answer without a body; a wrong version is told the right one.
    #[must_use]
    pub fn response(self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = match self {
            Self::NotAsked | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key => StatusCode::BAD_REQUEST,
        };
        let headers = response.headers_mut();
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if self != Self::Key {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        response
    }
}

/// Checks a WebSocket handshake and answers it with 101; when the answer is out, the connection
/// leaves HTTP and goes to `upgraded`. The request must come from [`serve`].
pub fn websocket_upgrade<B>(
    request: &mut Request<B>,
    upgraded: impl FnOnce(Upgraded) + Send + 'static,
) -> Result<Response<()>, UpgradeError> {
    let headers = request.headers();
    let asked = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_token(headers, &CONNECTION, "upgrade")
        && has_token(headers, &UPGRADE, "websocket");
    if !asked {
        return Err(UpgradeError::NotAsked);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(UpgradeError::Version);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(UpgradeError::Key)?.as_bytes();
    // Sixteen bytes in base64.
    if key.len() != 24 || !key.ends_with(b"==") {
        return Err(UpgradeError::Key);
    }
    let accept = HeaderValue::from_str(&derive_accept_key(key)).expect("base64 is plain ASCII");
    let Some(&Peer(peer)) = request.extensions().get() else {
        return Err(UpgradeError::NotAsked);
    };
    tokio::spawn(hand_over(hyper::upgrade::on(request), peer, upgraded));
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

async fn hand_over(
    upgrade: hyper::upgrade::OnUpgrade,
    peer: SocketAddr,
    upgraded: impl FnOnce(Upgraded),
) {
    let Ok(connection) = upgrade.await else {
        log::debug!("{peer} went away during the WebSocket handshake");
        return;
    };
    let Ok(parts) = connection.downcast::<TokioIo<TcpStream>>() else {
        log::error!("a WebSocket handshake of {peer} came over something else than TCP");
        return;
    };
    match parts.io.into_inner().into_std() {
        // tokio's sockets are non-blocking already.
        Ok(stream) => upgraded(Upgraded { stream, leftover: parts.read_buf.to_vec(), peer }),
        Err(error) => log::error!("taking the socket of {peer} out of the runtime failed: {error}"),
    }
}

/// Whether a header that lists tokens has this one.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}
