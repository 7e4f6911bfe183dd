//! The HTTP routes of the administrative port, 9090.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ring::digest::{SHA256, digest};

use super::{Health, Metrics, Obstacle, request_id};

/// Begins to drain the process; given who wants it, it says why not. It may wait.
pub type Begin = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// The way to drain a process over its administrative port, for whoever has the token.
#[derive(Default)]
pub struct Drain {
    token: Option<String>,
    /// There once the process has started.
    begin: OnceLock<Begin>,
}

impl Drain {
    #[must_use]
    pub fn new(token: Option<String>) -> Self {
        Self { token, begin: OnceLock::new() }
    }

    /// From now on it can be drained.
    pub fn allow(&self, begin: Begin) {
        // It is called once.
        let _ = self.begin.set(begin);
    }

    /// Whether headers carry the token. The digests are compared in constant time, which tells
    /// nothing of the token.
    fn is_authorized(token: &str, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let [given, token] = [given, token].map(|text| digest(&SHA256, text.as_bytes()));
        let pairs = given.as_ref().iter().zip(token.as_ref());
        pairs.fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }

    async fn answer(
        self: Arc<Self>,
        headers: HeaderMap,
        from: String,
        metrics: &Metrics,
    ) -> Response {
        let said = |status, text: &str| (status, format!("{text}\n")).into_response();
        let Some(token) = &self.token else {
            let text = "this process was started without --admin-token-file: end it by SIGTERM";
            return said(StatusCode::FORBIDDEN, text);
        };
        let id = request_id::of(&headers);
        if !Self::is_authorized(token, &headers) {
            metrics.drains_refused.inc();
            log::warn!(correlation_id = id; "a drain that {from} asks for is refused: the token is missing or wrong");
            return said(StatusCode::UNAUTHORIZED, "send the token: Authorization: Bearer TOKEN");
        }
        let begun = tokio::task::spawn_blocking(move || match self.begin.get() {
            Some(begin) => begin(&format!("POST /admin/drain from {from}, request {id}")),
            None => Err("the process is still starting".to_owned()),
        });
        match begun.await {
            Ok(Ok(())) => said(StatusCode::ACCEPTED, "draining"),
            Ok(Err(why)) => said(StatusCode::SERVICE_UNAVAILABLE, &why),
            Err(_) => said(StatusCode::INTERNAL_SERVER_ERROR, "see the log"),
        }
    }
}

impl std::fmt::Debug for Drain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drain").finish_non_exhaustive()
    }
}

/// Routes for probes and scrapers: `/health/live`, `/health/ready`, `/health/startup` (200 or 503,
/// a reason a line) and `/metrics`; and `/admin/drain`, of which GET says whether the process is
/// draining and POST begins it. The port is for operators: it must not be open to players.
pub fn router(health: Arc<Health>, metrics: Arc<Metrics>, drain: Arc<Drain>) -> Router {
    let (live, ready, startup) = (health.clone(), health.clone(), health.clone());
    let counted = metrics.clone();
    let begin = move |extensions: Extensions, headers: HeaderMap| {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let from = peer.map_or_else(|| "nowhere".to_owned(), |ConnectInfo(at)| at.ip().to_string());
        let (drain, metrics) = (drain.clone(), counted.clone());
        async move { drain.answer(headers, from, &metrics).await }
    };
    let state = move || {
        let is_draining = health.not_ready().contains(&Obstacle::Draining.text());
        std::future::ready(if is_draining { "draining\n" } else { "serving\n" })
    };
    Router::new()
        .route("/admin/drain", get(state).post(begin))
        .route("/health/live", get(move || std::future::ready(answer(&live.not_live()))))
        .route("/health/ready", get(move || std::future::ready(answer(&ready.not_ready()))))
        .route(
            "/health/startup",
            get(move || {
                let reasons: &[&str] =
                    if startup.is_started() { &[] } else { &["the server is starting"] };
                std::future::ready(answer(reasons))
            }),
        )
        .route("/metrics", get(move || std::future::ready(text(&metrics))))
        .layer(middleware::from_fn(name_request))
}

/// Gives each request a name that its answer and the log have in common.
async fn name_request(mut request: Request, next: Next) -> Response {
    let id = request_id::of(request.headers());
    request_id::name(request.headers_mut(), &id);
    let mut response = next.run(request).await;
    request_id::name(response.headers_mut(), &id);
    response
}

fn answer(reasons: &[&str]) -> Response {
    if reasons.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n"))).into_response()
}

fn text(metrics: &Metrics) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, metrics.encode()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::telemetry::Obstacle;

    async fn fetch(router: &Router, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = TowerToHyperService::new(router.clone()).call(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn probes_follow_the_health() {
        let health = Arc::new(Health::new());
        let router = router(health.clone(), Arc::new(Metrics::new()), Arc::default());
        assert_eq!(fetch(&router, "/health/live").await, (200, "ok\n".into()));
        assert_eq!(fetch(&router, "/health/startup").await.0, 503);
        assert_eq!(fetch(&router, "/health/ready").await.0, 503);
        health.set_started();
        health.raise(Obstacle::JournalFailing);
        assert_eq!(fetch(&router, "/health/startup").await.0, 200);
        let (status, text) = fetch(&router, "/health/ready").await;
        assert_eq!((status, text.as_str()), (503, "the journal cannot be written\n"));
        health.clear(Obstacle::JournalFailing);
        assert_eq!(fetch(&router, "/health/ready").await.0, 200);
        let (status, text) = fetch(&router, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("game_server_players_online 0"));
        assert_eq!(fetch(&router, "/elsewhere").await.0, 404);
    }

    #[tokio::test]
    async fn only_whoever_has_the_token_drains() {
        let metrics = Arc::new(Metrics::new());
        let ask = |drain: &Arc<Drain>, token: &str| {
            let router = router(Arc::new(Health::new()), metrics.clone(), drain.clone());
            let request = Request::post("/admin/drain").header("authorization", token);
            let request = request.header("x-request-id", "a-1").body(Body::empty()).unwrap();
            async move {
                let answer = TowerToHyperService::new(router).call(request).await.unwrap();
                assert_eq!(answer.headers()["x-request-id"], "a-1");
                answer.status()
            }
        };
        let without = Arc::new(Drain::default());
        assert_eq!(ask(&without, "Bearer ").await, StatusCode::FORBIDDEN);
        let drain = Arc::new(Drain::new(Some("secret".to_owned())));
        for token in ["", "secret", "Bearer", "Bearer secre", "Bearer secret1", "Basic secret"] {
            assert_eq!(ask(&drain, token).await, StatusCode::UNAUTHORIZED, "{token}");
        }
        assert_eq!(metrics.drains_refused.get(), 6);
        assert_eq!(ask(&drain, "Bearer secret").await, StatusCode::SERVICE_UNAVAILABLE);
        let (tell, told) = std::sync::mpsc::channel();
        drain.allow(Box::new(move |who| tell.send(who.to_owned()).map_err(|it| it.to_string())));
        assert_eq!(ask(&drain, "Bearer secret").await, StatusCode::ACCEPTED);
        assert_eq!(told.recv().unwrap(), "POST /admin/drain from nowhere, request a-1");
        drop(told);
        assert_eq!(ask(&drain, "Bearer secret").await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
