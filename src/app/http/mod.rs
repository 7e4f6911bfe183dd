//! The HTTP routes of the public port, 8080, except `/ws`: accounts, characters, results, the
//! lobby, the page.
//!
//! [`router`] is given everything it serves: the store, the tokens, the page's files. Errors are
//! JSON of one sentence and a code. Requests to `/api` are limited for each client address; no
//! cookie is used, so no request carries a right that its sender did not put in.

mod accounts;
mod answer;
mod cache;
mod limit;
mod lobby;
mod results;
mod routes;
mod site;
#[cfg(test)]
mod tests;
mod trace;
pub mod upgrade;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::calls::Calls;
use crate::app::cluster::gateways::Gateways;
use crate::app::cluster::mail::Alive;
use crate::app::keys::Keys;
use crate::app::lobby::Keeper;
use crate::app::rules::Rules;
use crate::model::AccountId;
use crate::store::{Store, StoreError};
use crate::telemetry::{Metrics, request_id};
use answer::Problem;
use cache::Cache;
use limit::Limiter;
use routes::Labels;
pub use site::{Asset, Site};
use trace::Trace;

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 16 * 1_024;
/// Passwords hashed at a time: each takes 19 MiB and a core.
const HASHES_AT_A_TIME: usize = 2;
/// Requests that may wait for that or be at it; those beyond are sent away.
const HASHES_WAITING_MAX: usize = 32;
/// Requests that may change the lobby or wait for that; those beyond are sent away.
const LOBBY_WAITING_MAX: usize = 32;

/// The SHA-256 of certificates in base64; they change while the server runs.
pub type Hashes = Arc<RwLock<Vec<String>>>;

/// How the routes behave.
#[derive(Clone, Debug)]
pub struct Config {
    pub server_name: String,
    /// Where QUIC and WebTransport listen.
    pub quic_port: u16,
    /// SHA-256 of the certificates that browsers may trust, in base64.
    pub certificate_hashes: Hashes,
    /// Which gateways there are, where they are processes of their own.
    pub gateways: Option<Arc<Gateways>>,
    /// Where parties and tickets are kept.
    pub lobby: Arc<Keeper>,
    /// How characters are called to where a ticket leads.
    pub calls: Option<Calls>,
    pub ticks_per_second: u32,
    /// Seconds for which a token of access is good.
    pub token_lifetime_s: u64,
    /// Requests to `/api` from one address in a minute; they may come at once. Programs on this
    /// machine that ask for themselves are not limited.
    pub requests_per_minute: u32,
    /// Who is banned, and whether accounts are made.
    pub rules: Arc<Rules>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server_name: "undercroft".into(),
            quic_port: 7778,
            certificate_hashes: Hashes::default(),
            gateways: None,
            lobby: Arc::default(),
            calls: None,
            ticks_per_second: crate::model::limits::TICKS_PER_SECOND_DEFAULT,
            token_lifetime_s: 30 * 24 * 3_600,
            requests_per_minute: 120,
            rules: Arc::default(),
        }
    }
}

pub(crate) struct App {
    config: Config,
    store: Arc<Store>,
    tokens: Arc<Keys>,
    metrics: Arc<Metrics>,
    limiter: Limiter,
    hashing: Arc<Semaphore>,
    seats: Arc<Semaphore>,
    site: Site,
    labels: Labels,
    cache: Cache,
    lobby_seats: Arc<Semaphore>,
}

/// The routes. Connections must carry [`ConnectInfo<SocketAddr>`]; without it, all clients share
/// one limit.
pub fn router(
    config: Config,
    store: Arc<Store>,
    tokens: Arc<Keys>,
    metrics: Arc<Metrics>,
    site: Site,
) -> Router {
    let limiter = Limiter::new(config.requests_per_minute, Instant::now());
    let hashing = Arc::new(Semaphore::new(HASHES_AT_A_TIME));
    let seats = Arc::new(Semaphore::new(HASHES_WAITING_MAX));
    let routes = routes::routes();
    let labels = Labels::of(&routes);
    let cache = Cache::new(metrics.clone());
    let lobby_seats = Arc::new(Semaphore::new(LOBBY_WAITING_MAX));
    let app = App {
        config,
        store,
        tokens,
        metrics,
        limiter,
        hashing,
        seats,
        site,
        labels,
        cache,
        lobby_seats,
    };
    let app = Arc::new(app);
    routes
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.answer))
        .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
        .fallback(site::serve)
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

impl App {
    /// Seconds since 1970.
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
    }

    /// Refuses those who are banned, by account or by address.
    fn admit(&self, account: Option<AccountId>, from: IpAddr) -> Result<(), Problem> {
        let Some(ban) = self.config.rules.banned(account, from) else { return Ok(()) };
        self.metrics.requests_refused.with_label_values(&["banned"]).inc();
        let wait = ban.rest(Duration::from_secs(self.now()));
        Err(Problem::Banned { reason: ban.reason, wait })
    }

    /// Refuses to make an account while none are made.
    fn admit_account(&self) -> Result<(), Problem> {
        if self.config.rules.flags().register_accounts {
            return Ok(());
        }
        self.metrics.requests_refused.with_label_values(&["closed"]).inc();
        Err(Problem::Closed)
    }
}

/// Runs a call to the store where waiting is allowed.
async fn blocking<T: Send + 'static>(
    app: &Arc<App>,
    call: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let store = app.store.clone();
    let done = tokio::task::spawn_blocking(move || call(&store)).await;
    Ok(done.map_err(|_| Problem::Internal)??)
}

async fn info(State(app): State<Arc<App>>) -> Response {
    let config = &app.config;
    let hashes = config.certificate_hashes.read().unwrap_or_else(PoisonError::into_inner).clone();
    answer::json(
        StatusCode::OK,
        &json!({
            "name": config.server_name,
            "version": env!("CARGO_PKG_VERSION"),
            "protocol": crate::protocol::VERSION,
            "quic_port": config.quic_port,
            "certificate_hashes": hashes,
            "gateways": config.gateways.as_ref().map(|gateways| shown(&gateways.open())),
            "ticks_per_second": config.ticks_per_second,
        }),
    )
}

/// Gateways as clients are told of them: `host:port` each, `:port` where the host is the one they
/// have asked.
fn shown(gateways: &[Alive]) -> Vec<Value> {
    let show = |alive: &Alive| {
        json!({
            "websocket": alive.websocket,
            "quic": alive.quic,
            "certificate_hashes": alive.certificate_hashes,
        })
    };
    gateways.iter().map(show).collect()
}

/// Around every request: the limit, the measure, the headers that browsers need to be told.
async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let trace = Trace::of(request.headers());
    let method = request.method().clone();
    let path = request.uri().path();
    let is_api = path.starts_with("/api/") || path == "/api";
    let matched = request.extensions().get::<MatchedPath>();
    let label = matched.and_then(|it| app.labels.find(request.method(), it.as_str()));
    let route = label.unwrap_or(if app.site.has(path) { "asset" } else { "other" });
    let policy = content_policy(&app.config, request.headers().get(header::HOST));
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let client = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |it| it.ip().to_canonical());
    // Programs on this machine are its operator's own; a proxy says for whom it asks.
    let is_own = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !request.headers().contains_key("x-forwarded-for");
    let limited = is_api && !is_own;
    let admitted = if limited { app.limiter.admit(client, begun) } else { Ok(()) };
    let admitted = match admitted {
        Ok(()) if is_api => app.admit(None, client),
        Ok(()) => Ok(()),
        Err(wait) => {
            app.metrics.rate_limits_exceeded.with_label_values(&["http"]).inc();
            Err(Problem::TooMany { wait })
        }
    };
    let answer = async {
        match admitted {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    };
    let mut response = trace.follow(answer).await;
    let headers = response.headers_mut();
    request_id::name(headers, &trace.id);
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            header::HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_api {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    let status = response.status();
    if status.is_server_error() {
        app.metrics.errors.with_label_values(&["http"]).inc();
    }
    trace.log(route, &method, status);
    let labels = [route, status.as_str()];
    let seconds = begun.elapsed().as_secs_f64();
    app.metrics.request_duration.with_label_values(&labels).observe(seconds);
    response
}

/// What the page may load: its own files, and connections to this server alone. `'self'` covers
/// neither another port nor, in older browsers, WebSocket; so the host is named where it is one.
fn content_policy(config: &Config, host: Option<&HeaderValue>) -> HeaderValue {
    const REST: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
        font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
        frame-ancestors 'none'; connect-src 'self'";
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b".-:[]".contains(&c);
    let host = host.and_then(|h| h.to_str().ok()).filter(|h| h.bytes().all(is_plain));
    let named = host.filter(|host| !host.is_empty()).and_then(|host| {
        let name = match host.rfind(']') {
            Some(end) => &host[..=end],
            None => host.split(':').next().unwrap_or(host),
        };
        let port = config.quic_port;
        let mut policy = format!("{REST} ws://{host} wss://{host} https://{name}:{port}");
        for gateway in config.gateways.iter().flat_map(|gateways| gateways.open()) {
            let full = |address: &str| match address.strip_prefix(':') {
                Some(port) => format!("{name}:{port}"),
                None => address.to_owned(),
            };
            let (websocket, quic) = (full(&gateway.websocket), full(&gateway.quic));
            policy += &format!(" ws://{websocket} wss://{websocket} https://{quic}");
        }
        HeaderValue::try_from(policy).ok()
    });
    named.unwrap_or(HeaderValue::from_static(REST))
}
