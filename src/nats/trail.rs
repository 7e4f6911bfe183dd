//! What is written down in NATS for good: things are appended, and none is ever replaced.

use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use bytes::Bytes;

use super::{Nats, in_words, streams};

/// The trail cannot be used; one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
#[error(
    "the trail {name} in NATS at {servers} cannot be used: {detail}; see whether JetStream is up \
     and has room"
)]
pub struct TrailError {
    name: String,
    servers: String,
    detail: String,
}

/// A trail; clones share it. Must not be used on a thread of the runtime.
#[derive(Clone, Debug)]
pub struct Trail {
    nats: Nats,
    name: String,
}

impl Trail {
    /// Opens a trail, and makes it where there is none.
    pub fn open(nats: &Nats, name: &str) -> Result<Self, TrailError> {
        let trail = Self { nats: nats.clone(), name: name.to_owned() };
        let config = stream::Config {
            name: trail.stream(),
            subjects: vec![trail.subject()],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            // A full store refuses what is new; by default it would forget what is old.
            discard: DiscardPolicy::New,
            deny_delete: true,
            deny_purge: true,
            ..stream::Config::default()
        };
        nats.wait(streams::open(nats, config)).map_err(|detail| trail.unusable(detail))?;
        Ok(trail)
    }

    /// Appends something; when it returns, it is kept.
    pub fn append(&self, payload: Bytes) -> Result<(), TrailError> {
        let kept = self
            .nats
            .wait(async { self.nats.jetstream().publish(self.subject(), payload).await?.await });
        kept.map(drop).map_err(|error| self.failed(&error))
    }

    /// The newest things, at most so many, the oldest of them first.
    pub fn newest(&self, count: u64) -> Result<Vec<Bytes>, TrailError> {
        let read: Result<_, async_nats::Error> = self.nats.wait(async {
            let stream = self.nats.jetstream().get_stream(self.stream()).await?;
            let state = &stream.cached_info().state;
            let last = state.last_sequence;
            let from = (last + 1).saturating_sub(count).max(state.first_sequence).max(1);
            let mut found = Vec::new();
            for sequence in from..=last {
                found.push(stream.get_raw_message(sequence).await?.payload);
            }
            Ok(found)
        });
        read.map_err(|error| self.failed(&*error))
    }

    fn stream(&self) -> String {
        format!("{}-{}", self.nats.prefix(), self.name)
    }

    fn subject(&self) -> String {
        format!("{}.{}", self.nats.prefix(), self.name)
    }

    fn failed(&self, error: &dyn std::error::Error) -> TrailError {
        self.unusable(in_words(error))
    }

    fn unusable(&self, detail: String) -> TrailError {
        let (name, servers) = (self.name.clone(), self.nats.servers().to_owned());
        TrailError { name, servers, detail }
    }
}
