//! The HTTP routes of the administrative port, 9090.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Health, Metrics};

/// Routes for probes and scrapers: `/health/live`, `/health/ready`, `/health/startup` (200 or 503,
/// a reason a line) and `/metrics`. The port is for operators: it must not be open to players.
pub fn router(health: Arc<Health>, metrics: Arc<Metrics>) -> Router {
    let (live, ready, startup) = (health.clone(), health.clone(), health);
    Router::new()
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
        let router = router(health.clone(), Arc::new(Metrics::new()));
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
}
