//! What one side keeps in NATS until the other side has taken it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use bytes::Bytes;
use futures_util::StreamExt;

use super::{Nats, in_words, streams};

/// How long a taker may say nothing before another one gets what it has.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How long the server is asked for something before it is asked again.
const ASK_FOR: Duration = Duration::from_secs(5);
/// The wait before something is tried again that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The queue cannot be used; one line with cause.
#[derive(Debug, thiserror::Error)]
#[error("the queue {name} in NATS at {servers} cannot be used: {detail}")]
pub struct QueueError {
    name: String,
    servers: String,
    detail: String,
}

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It may be taken later: what comes behind it waits.
    Yet(String),
    /// It never will be: it is put aside, and what comes behind it is taken.
    Ever(String),
}

/// A queue; clones share it.
#[derive(Clone, Debug)]
pub struct Queue {
    nats: Nats,
    name: String,
}

impl Queue {
    /// Opens a queue, and makes it where there is none.
    pub fn open(nats: &Nats, name: &str) -> Result<Self, QueueError> {
        let queue = Self { nats: nats.clone(), name: name.to_owned() };
        let config = stream::Config {
            name: queue.stream(),
            subjects: vec![queue.subject()],
            storage: StorageType::File,
            // What was taken is done with.
            retention: RetentionPolicy::WorkQueue,
            // A full store refuses what is new; by default it would forget what is old.
            discard: DiscardPolicy::New,
            ..stream::Config::default()
        };
        nats.wait(streams::open(nats, config)).map_err(|detail| queue.unusable(detail))?;
        let aside = stream::Config {
            name: format!("{}-refused", queue.stream()),
            subjects: vec![queue.aside()],
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            ..stream::Config::default()
        };
        nats.wait(streams::open(nats, aside)).map_err(|detail| queue.unusable(detail))?;
        Ok(queue)
    }

    /// Keeps something; when it returns, it is kept. `key` names it: told twice, it may be kept
    /// twice. Must not be called on a thread of the runtime.
    pub fn keep(&self, key: &str, payload: Bytes) -> Result<(), QueueError> {
        let message = PublishMessage::build().payload(payload).message_id(key);
        let kept = self.nats.wait(async {
            self.nats.jetstream().send_publish(self.subject(), message).await?.await
        });
        kept.map(drop).map_err(|error| self.failed(&error))
    }

    /// Has all taken that is kept, in order, until the process ends. What `take` fails to take, it
    /// is given again, unless it says that it never will; `take` may wait. Beside what was kept it
    /// is given when that was, in seconds since 1970.
    pub async fn follow(
        self,
        take: impl Fn(Bytes, u64) -> Result<(), NotTaken> + Send + Sync + 'static,
    ) {
        let take = Arc::new(take);
        loop {
            let Err(detail) = self.follow_once(&take).await;
            log::warn!("the queue {} cannot be read: {detail}", self.name);
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Ends with an error.
    async fn follow_once(
        &self,
        take: &Arc<impl Fn(Bytes, u64) -> Result<(), NotTaken> + Send + Sync + 'static>,
    ) -> Result<Infallible, String> {
        let config = pull::Config {
            durable_name: Some(self.name.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            // One after the other: what is said of a character later is true later.
            max_ack_pending: 1,
            ..pull::Config::default()
        };
        let jetstream = self.nats.jetstream();
        let stream = jetstream.get_stream_no_info(self.stream()).await;
        let stream = stream.map_err(|error| in_words(&error))?;
        let consumer: PullConsumer = stream
            .get_or_create_consumer(&self.name, config)
            .await
            .map_err(|error| in_words(&error))?;
        let mut is_failing = false;
        loop {
            // What is asked for ahead would come to nobody where taking goes on for long, and to
            // another taker only after [`ACK_WAIT`].
            let asked = consumer.batch().max_messages(1).expires(ASK_FOR).messages().await;
            let next = asked.map_err(|error| in_words(&error))?.next().await;
            let Some(message) = next else { continue };
            let message = message.map_err(|error| error.to_string())?;
            let published = message.info().map_err(|error| error.to_string())?.published;
            let kept = u64::try_from(published.unix_timestamp()).unwrap_or_default();
            loop {
                let (take, payload) = (take.clone(), message.payload.clone());
                let taken = tokio::task::spawn_blocking(move || take(payload, kept)).await;
                let detail = match taken.map_err(|error| error.to_string())? {
                    Ok(()) => break,
                    Err(NotTaken::Yet(detail)) => detail,
                    Err(NotTaken::Ever(detail)) => {
                        self.put_aside(message.payload.clone()).await?;
                        log::error!("put aside in {}-refused: {detail}", self.stream());
                        break;
                    }
                };
                if !std::mem::replace(&mut is_failing, true) {
                    log::error!("{detail}; trying again");
                }
                let working = message.ack_with(AckKind::Progress).await;
                working.map_err(|error| error.to_string())?;
                tokio::time::sleep(RETRY_AFTER).await;
            }
            if std::mem::take(&mut is_failing) {
                log::info!("what is in the queue {} is taken again", self.name);
            }
            message.ack().await.map_err(|error| error.to_string())?;
        }
    }

    /// Keeps what is refused for good, until somebody looks; twice where the process ends here.
    async fn put_aside(&self, payload: Bytes) -> Result<(), String> {
        let jetstream = self.nats.jetstream();
        let sent = jetstream.publish(self.aside(), payload).await;
        sent.map_err(|error| in_words(&error))?.await.map_err(|error| in_words(&error))?;
        Ok(())
    }

    fn aside(&self) -> String {
        format!("{}-refused", self.subject())
    }

    fn stream(&self) -> String {
        format!("{}-{}", self.nats.prefix(), self.name)
    }

    fn subject(&self) -> String {
        format!("{}.{}", self.nats.prefix(), self.name)
    }

    fn failed(&self, error: &dyn std::error::Error) -> QueueError {
        self.unusable(in_words(error))
    }

    fn unusable(&self, detail: String) -> QueueError {
        let (name, servers) = (self.name.clone(), self.nats.servers().to_owned());
        QueueError { name, servers, detail }
    }
}
