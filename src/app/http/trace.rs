//! What the log says of a request: who asked, what came of it, and under which name the client
//! knows it.

use std::sync::{Arc, OnceLock};

use axum::http::{HeaderMap, Method, StatusCode};
use log::Level;

use crate::model::AccountId;
use crate::telemetry::request_id;

tokio::task_local! {
    static TRACE: Arc<Trace>;
}

/// One request on its way through the routes, which note what they learn of it.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) id: String,
    account: OnceLock<AccountId>,
    problem: OnceLock<(Level, String)>,
}

impl Trace {
    pub(super) fn of(headers: &HeaderMap) -> Arc<Self> {
        Arc::new(Self { id: request_id::of(headers), ..Self::default() })
    }

    /// Answers a request, of which notes are taken meanwhile.
    pub(super) async fn follow<F: Future>(self: &Arc<Self>, answer: F) -> F::Output {
        TRACE.scope(self.clone(), answer).await
    }

    /// Leaves a line of a request that has changed something or got something else than it asked
    /// for.
    pub(super) fn log(&self, route: &str, method: &Method, status: StatusCode) {
        let (level, what) = match self.problem.get() {
            Some((level, problem)) => (*level, problem.as_str()),
            None if method == Method::POST || method == Method::DELETE => (Level::Info, "done"),
            None => return,
        };
        let (id, status) = (self.id.as_str(), status.as_u16());
        match self.account.get() {
            Some(account) => log::log!(
                level, player_id = account.0, correlation_id = id, status = status;
                "{route}: {what}"
            ),
            None => log::log!(level, correlation_id = id, status = status; "{route}: {what}"),
        }
    }
}

/// The request that is being answered is this account's.
pub(super) fn note_account(account: AccountId) {
    // Outside of a request nothing is noted; whoever is known first has asked.
    let _ = TRACE.try_with(|trace| trace.account.set(account));
}

/// Why the request that is being answered gets something else than it has asked for: by a fault of
/// ours, or by a mistake of the client's.
pub(super) fn note_problem(is_ours: bool, problem: &impl ToString) {
    let level = if is_ours { Level::Error } else { Level::Debug };
    let _ = TRACE.try_with(|trace| trace.problem.set((level, problem.to_string())));
}
