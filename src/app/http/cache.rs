//! Answers that stay good for a while.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use super::answer::{self, Problem};
use crate::telemetry::Metrics;

/// Answers that are kept at once; while there are so many, others are made each time.
const ANSWERS_MAX: usize = 4_096;

/// A kind of answer: its name in metrics, and how long it is good.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) lasts: Duration,
}

/// Keeps answers, each under its kind and what it is about.
pub(super) struct Cache {
    kept: Mutex<HashMap<(Kind, String), (Instant, Bytes)>>,
    metrics: Arc<Metrics>,
}

impl Cache {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { kept: Mutex::default(), metrics }
    }

    /// The answer about something: the one at hand, or a new one. Whoever asks is told how long it
    /// stays good.
    pub(super) async fn answer<T: Serialize>(
        &self,
        kind: Kind,
        about: String,
        make: impl Future<Output = Result<T, Problem>>,
    ) -> Result<Response, Problem> {
        let key = (kind, about);
        let known = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(&key).filter(|(made, _)| made.elapsed() < kind.lasts).cloned()
        };
        let labels = &[kind.name];
        let (made, bytes) = if let Some(known) = known {
            self.metrics.cache_hits.with_label_values(labels).inc();
            known
        } else {
            self.metrics.cache_misses.with_label_values(labels).inc();
            // As old as what it was made from.
            let begun = Instant::now();
            let bytes = serde_json::to_vec(&make.await?).map_err(|_| Problem::Internal)?;
            let fresh = (begun, Bytes::from(bytes));
            self.keep(key, fresh.clone());
            fresh
        };
        let left = kind.lasts.saturating_sub(made.elapsed()).as_secs();
        let mut response = answer::bytes(StatusCode::OK, bytes);
        if let Ok(value) = HeaderValue::try_from(format!("public, max-age={left}")) {
            response.headers_mut().insert(header::CACHE_CONTROL, value);
        }
        Ok(response)
    }

    fn keep(&self, key: (Kind, String), answer: (Instant, Bytes)) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= ANSWERS_MAX {
            kept.retain(|(kind, _), (made, _)| made.elapsed() < kind.lasts);
        }
        if kept.len() < ANSWERS_MAX {
            kept.insert(key, answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Kind = Kind { name: "long", lasts: Duration::from_secs(3_600) };
    const GONE: Kind = Kind { name: "gone", lasts: Duration::ZERO };

    #[tokio::test]
    async fn an_answer_is_made_once_while_it_is_good() {
        let metrics = Arc::new(Metrics::new());
        let cache = Cache::new(metrics.clone());
        let counts = |kind: Kind| {
            let of =
                |counter: &prometheus::IntCounterVec| counter.with_label_values(&[kind.name]).get();
            (of(&metrics.cache_hits), of(&metrics.cache_misses))
        };
        let ask = |kind, about: &str| cache.answer(kind, about.to_owned(), async { Ok(1) });
        for about in ["a", "a", "b", "a"] {
            let response = ask(LONG, about).await.unwrap();
            let said = response.headers()["cache-control"].to_str().unwrap();
            let age = said.strip_prefix("public, max-age=").unwrap().parse::<u64>().unwrap();
            assert!((1..=3_600).contains(&age), "{said}");
        }
        assert_eq!(counts(LONG), (2, 2));
        ask(GONE, "a").await.unwrap();
        ask(GONE, "a").await.unwrap();
        assert_eq!(counts(GONE), (0, 2));
        let failed = cache.answer(LONG, "c".into(), async { Err::<i32, _>(Problem::Busy) }).await;
        assert!(failed.is_err());
        ask(LONG, "c").await.unwrap();
        assert_eq!(counts(LONG), (2, 4));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_what_is_old_makes_room() {
        let cache = Cache::new(Arc::new(Metrics::new()));
        let ask = |kind, about: usize| cache.answer(kind, about.to_string(), async { Ok(1) });
        let len = || cache.kept.lock().unwrap().len();
        for about in 0..ANSWERS_MAX {
            ask(GONE, about).await.unwrap();
        }
        assert_eq!(len(), ANSWERS_MAX);
        ask(LONG, 0).await.unwrap();
        assert_eq!(len(), 1);
        for about in 0..ANSWERS_MAX + 9 {
            ask(LONG, about).await.unwrap();
        }
        assert_eq!(len(), ANSWERS_MAX);
    }
}
