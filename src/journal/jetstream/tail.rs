use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use super::record::Record;
use super::{JetStreamReader, Log};
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
            let ended = follow(&log, zone, after, &tell).await;
            tell(Tailed::Ended(ended));
        }))
    }

    /// The tick of the newest message of a zone, as the server has it now.
    pub fn newest(&self, zone: ZoneId) -> Result<Option<Tick>, ReadError> {
        let last = self.log.nats.wait(self.log.last(zone))?;
        Ok(last.map(|last| last.record.tick()))
    }
}

async fn follow(log: &Log, zone: ZoneId, after: Tick, tell: &impl Fn(Tailed)) -> ReadError {
    let start = match start(log, zone, after).await {
        Ok(start) => start,
        Err(error) => return error,
    };
    let config = pull::OrderedConfig {
        filter_subject: log.subject(zone),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: start },
        ..pull::OrderedConfig::default()
    };
    let consumer = match log.entries.create_consumer(config).await {
        Ok(consumer) => consumer,
        Err(error) => return log.unavailable(&error),
    };
    let mut messages = match consumer.messages().await {
        Ok(messages) => messages,
        Err(error) => return log.unavailable(&error),
    };
    while let Some(message) = messages.next().await {
        match message {
            Ok(message) => match Record::decode(zone, &message.payload) {
                Some(Record::Entry { entry, .. }) => tell(Tailed::Entry(entry)),
                Some(Record::Pruned { .. }) => {}
                None => return log.broken(&format!("a message of zone {zone}")),
            },
            Err(error) => return log.unavailable(&error),
        }
    }
    let servers = log.nats.servers().to_owned();
    ReadError::Unavailable { servers, detail: "the messages have come to an end".to_owned() }
}

/// The place in the stream from which on there is what follows a tick.
async fn start(log: &Log, zone: ZoneId, after: Tick) -> Result<u64, ReadError> {
    let Some(last) = log.last(zone).await? else { return Ok(1) };
    if last.record.tick() <= after {
        return Ok(last.sequence + 1);
    }
    Ok(log.first_after(zone, after).await?.map_or(last.sequence, |found| found.sequence))
}
