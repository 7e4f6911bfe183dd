use std::convert::Infallible;

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use super::record::Record;
use super::{Found, JetStreamReader, Log};
use crate::journal::{Entry, ReadError};
use crate::model::{Tick, ZoneId};

/// What a tail tells.
#[derive(Debug)]
pub enum Tailed {
    Entry(Entry),
    /// It tells no more, and why.
    Ended(ReadError),
}

/// Tells the entries of a zone as they are written, until it is dropped.
#[derive(Debug)]
pub struct Tail(JoinHandle<()>);

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl JetStreamReader {
    /// Tells the entries of a zone after a tick, oldest first and none left out, those that are
    /// written later too. `tell` is called on the runtime and must not wait.
    pub fn tail(
        &self,
        zone: ZoneId,
        after: Tick,
        tell: impl Fn(Tailed) + Send + Sync + 'static,
    ) -> Tail {
        let log = self.log.clone();
        Tail(self.log.nats.spawn(async move {
            let Err(ended) = follow(&log, zone, after, &tell).await;
            tell(Tailed::Ended(ended));
        }))
    }

    /// The tick of the newest message of a zone, as the server has it now.
    pub fn newest(&self, zone: ZoneId) -> Result<Option<Tick>, ReadError> {
        let last = self.log.nats.wait(self.log.last(zone))?;
        Ok(last.map(|last| last.record.tick()))
    }
}

/// Ends with an error only.
async fn follow(
    log: &Log,
    zone: ZoneId,
    after: Tick,
    tell: &impl Fn(Tailed),
) -> Result<Infallible, ReadError> {
    let start = start(log, zone, after).await?;
    let mut messages = Messages::from(log, zone, start).await?;
    loop {
        if let Record::Entry { entry, .. } = messages.next().await?.record {
            tell(Tailed::Entry(entry));
        }
    }
}

/// The messages of a zone, those that are written later too.
pub(super) struct Messages<'a> {
    log: &'a Log,
    zone: ZoneId,
    messages: pull::Ordered,
}

impl<'a> Messages<'a> {
    /// Those from a place in the stream on.
    pub(super) async fn from(
        log: &'a Log,
        zone: ZoneId,
        start_sequence: u64,
    ) -> Result<Self, ReadError> {
        let config = pull::OrderedConfig {
            filter_subject: log.subject(zone),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ..pull::OrderedConfig::default()
        };
        let consumer = log.entries.create_consumer(config).await;
        let messages = consumer.map_err(|error| log.unavailable(&error))?.messages().await;
        Ok(Self { log, zone, messages: messages.map_err(|error| log.unavailable(&error))? })
    }

    /// The next one, which is waited for.
    pub(super) async fn next(&mut self) -> Result<Found, ReadError> {
        let Self { log, zone, messages } = self;
        let unavailable = |detail: String| {
            let servers = log.nats.servers().to_owned();
            ReadError::Unavailable { servers, detail }
        };
        let next = messages.next().await;
        let next =
            next.ok_or_else(|| unavailable("the messages have come to an end".to_owned()))?;
        let message = next.map_err(|error| log.unavailable(&error))?;
        let info = message.info().map_err(|error| unavailable(error.to_string()))?;
        log.decode(*zone, info.stream_sequence, &message.payload)
    }
}

/// The place in the stream from which on there is what follows a tick.
async fn start(log: &Log, zone: ZoneId, after: Tick) -> Result<u64, ReadError> {
    let Some(last) = log.last(zone).await? else { return Ok(1) };
    if last.record.tick() <= after {
        return Ok(last.sequence + 1);
    }
    Ok(log.first_after(zone, after).await?.map_or(last.sequence, |found| found.sequence))
}
