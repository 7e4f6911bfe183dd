//! The connection to NATS that a process has.
//!
//! The rooms that use it are called from threads of their own: [`Nats::wait`] runs what they want
//! of the server on the runtime that the connection lives on.

mod bus;
mod queue;
pub mod streams;
pub mod table;
#[cfg(test)]
pub(crate) mod tests;
pub mod trail;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, Context, ErrorCode, context::ContextBuilder};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use tokio::runtime::Handle;
use tokio::sync::watch;

pub use bus::{Bus, NoAnswer, Subscription};
pub use queue::{NotTaken, Queue, QueueError};

/// The oldest server that has what is needed: metadata of streams.
const VERSION_MIN: (i64, i64, i64) = (2, 10, 0);
/// Bytes that a message must be allowed to have.
pub const MESSAGE_BYTES_MIN: usize = 2 << 20;
/// How long the server may take for a call before it counts as not answering.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a silent server is asked whether it lives; two that are not answered end a connection.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait between two attempts to connect again.
const RECONNECT_MAX: Duration = Duration::from_millis(500);

/// Where NATS is and who this process is there.
#[derive(Clone, Debug)]
pub struct Config {
    /// `nats://host:port`, or several with commas between them.
    pub servers: String,
    /// The name of the process, as the server's monitoring shows it.
    pub name: String,
    pub token: Option<String>,
    /// What the names of all streams and subjects begin with: several worlds may share a server.
    pub prefix: String,
    /// On how many servers each stream is to lie; nothing: on one, where it is not there yet.
    pub replicas: Option<usize>,
}

/// Why there is no connection; one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{servers:?} is no address of NATS: give it as nats://host:4222")]
    Address { servers: String },
    #[error("NATS at {servers} refused the credentials; check the token")]
    Refused { servers: String },
    #[error("NATS at {servers} cannot be reached ({detail}); start it or correct the address")]
    Unreachable { servers: String, detail: String },
    #[error("NATS at {servers} has version {found}, at least 2.10 is needed; update it")]
    Old { servers: String, found: String },
    #[error(
        "NATS at {servers} takes messages of {found} bytes; set max_payload to {MESSAGE_BYTES_MIN} \
         or more in its configuration"
    )]
    Payload { servers: String, found: usize },
}

/// Whether the server can be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    Up,
    Lost,
}

/// A connection, which comes back by itself; clones share it.
#[derive(Clone)]
pub struct Nats(Arc<Inner>);

struct Inner {
    state: watch::Receiver<ConnectionState>,
    runtime: Handle,
    client: Client,
    jetstream: Context,
    servers: String,
    prefix: String,
    replicas: Option<usize>,
}

impl Nats {
    /// Connects; must not be called on a thread of the runtime.
    pub fn connect(runtime: &Handle, config: &Config) -> Result<Self, ConnectError> {
        let servers = config.servers.clone();
        let (tell, state) = watch::channel(ConnectionState::Up);
        let mut options = ConnectOptions::new()
            .name(&config.name)
            .ping_interval(PING_INTERVAL)
            .connection_timeout(CALL_TIMEOUT)
            .request_timeout(Some(CALL_TIMEOUT))
            .reconnect_delay_callback(|attempt| {
                let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
                Duration::from_millis(50).saturating_mul(attempt).min(RECONNECT_MAX)
            })
            .event_callback(move |event| {
                log::info!("NATS: {event}");
                let state = match event {
                    Event::Connected => Some(ConnectionState::Up),
                    Event::Disconnected | Event::Closed => Some(ConnectionState::Lost),
                    Event::LameDuckMode
                    | Event::Draining
                    | Event::SlowConsumer(_)
                    | Event::ServerError(_)
                    | Event::ClientError(_) => None,
                };
                if let Some(state) = state {
                    tell.send_replace(state);
                }
                std::future::ready(())
            });
        if let Some(token) = &config.token {
            options = options.token(token.clone());
        }
        let addresses: Vec<&str> = servers.split(',').collect();
        let client = runtime.block_on(options.connect(addresses)).map_err(|error| {
            let servers = servers.clone();
            match error.kind() {
                ConnectErrorKind::ServerParse => ConnectError::Address { servers },
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    ConnectError::Refused { servers }
                }
                ConnectErrorKind::Dns
                | ConnectErrorKind::TimedOut
                | ConnectErrorKind::Tls
                | ConnectErrorKind::Io
                | ConnectErrorKind::MaxReconnects => {
                    ConnectError::Unreachable { servers, detail: in_words(&error) }
                }
            }
        })?;
        let (major, minor, patch) = VERSION_MIN;
        let info = client.server_info();
        if !client.is_server_compatible(major, minor, patch) {
            return Err(ConnectError::Old { servers, found: info.version });
        }
        if info.max_payload < MESSAGE_BYTES_MIN {
            return Err(ConnectError::Payload { servers, found: info.max_payload });
        }
        let jetstream = {
            // It starts a task.
            let _entered = runtime.enter();
            ContextBuilder::new().timeout(CALL_TIMEOUT).build(client.clone())
        };
        let (prefix, replicas) = (config.prefix.clone(), config.replicas);
        let runtime = runtime.clone();
        let inner = Inner { state, runtime, client, jetstream, servers, prefix, replicas };
        Ok(Self(Arc::new(inner)))
    }

    /// Runs a call to its end. Must not be called on a thread of the runtime.
    pub fn wait<F: Future>(&self, call: F) -> F::Output {
        self.0.runtime.block_on(call)
    }

    /// Runs something beside the caller, on the runtime.
    pub fn spawn<F>(&self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.runtime.spawn(work)
    }

    /// Whether the server can be heard, to be watched.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.0.state.clone()
    }

    #[must_use]
    pub fn jetstream(&self) -> &Context {
        &self.0.jetstream
    }

    /// Bytes that the server takes in one message.
    #[must_use]
    pub fn message_bytes_max(&self) -> usize {
        self.0.client.max_payload()
    }

    /// Where the servers are, for messages.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.0.servers
    }

    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("servers", &self.0.servers).finish_non_exhaustive()
    }
}

/// The code of the JetStream error that caused another, if one did.
#[must_use]
pub fn error_code(error: &(dyn Error + 'static)) -> Option<ErrorCode> {
    let own = error.downcast_ref::<jetstream::Error>().map(jetstream::Error::error_code);
    own.or_else(|| error_code(error.source()?))
}

/// Whether the server has refused a message because another one is the newest of its subject. It
/// has two codes for that, of which the library knows one.
#[must_use]
pub fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    matches!(
        error_code(error),
        Some(
            ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT
        )
    )
}

/// An error and its causes in one line.
#[must_use]
pub fn in_words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
