//! The connections. sqlx has a pool, too: there, a server that is away costs each call its whole
//! time and its cause, and one that falls silent keeps the connections that were just given back.

use std::error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Error, PgConnection};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::StoreError;

/// Connections at once; further calls wait for a turn.
const CONNECTIONS_MAX: usize = 8;
/// Longest time that a call takes, with its wait for a turn.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// Less than [`CALL_TIMEOUT`], so that the server says what took so long.
const STATEMENT_TIMEOUT: &str = "1500ms";

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    Refused(StoreError),
    Postgres(Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

/// At most [`CONNECTIONS_MAX`] connections; one that failed is never used again.
pub(super) struct Pool {
    options: PgConnectOptions,
    server: String,
    turns: Semaphore,
    idle: Mutex<Vec<PgConnection>>,
}

impl Pool {
    pub(super) fn new(options: PgConnectOptions, server: String) -> Self {
        let options = options.options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            // What a process that is gone had locked is free again.
            ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT),
        ]);
        let turns = Semaphore::new(CONNECTIONS_MAX);
        Self { options, server, turns, idle: Mutex::default() }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Runs `work` on a connection, within [`CALL_TIMEOUT`].
    pub(super) async fn call<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let called = timeout(CALL_TIMEOUT, async {
            let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
            let mut connection = self.connection().await?;
            let result = work(&mut connection).await;
            if !matches!(result, Err(Failure::Postgres(_))) {
                self.idle().push(connection);
            }
            result
        });
        let detail = match called.await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(Failure::Refused(error))) => return Err(error),
            Ok(Err(Failure::Postgres(error))) => in_words(&error),
            Err(_) => format!("no answer within {} s", CALL_TIMEOUT.as_secs()),
        };
        // The others are likely no better.
        self.idle().clear();
        Err(StoreError::Unavailable { server: self.server.clone(), detail })
    }

    /// The same in a transaction, which is undone unless `work` succeeds.
    pub(super) async fn change<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let changed = self.call(async |connection| {
            let mut transaction = connection.begin().await?;
            let result = work(&mut transaction).await;
            match &result {
                Ok(_) => transaction.commit().await?,
                Err(Failure::Refused(_)) => transaction.rollback().await?,
                // The connection is not used again: its end is the transaction's.
                Err(Failure::Postgres(_)) => {}
            }
            result
        });
        changed.await
    }

    async fn connection(&self) -> Result<PgConnection, Error> {
        let kept = self.idle().pop();
        if let Some(mut connection) = kept
            && connection.ping().await.is_ok()
        {
            return Ok(connection);
        }
        PgConnection::connect_with(&self.options).await
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What went wrong, without what libraries say around it.
pub(super) fn in_words(error: &dyn error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
