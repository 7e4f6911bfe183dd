//! How all of our streams are made: with as many replicas as is asked for, and read at their leader.
//!
//! A follower may not have yet what was acknowledged, so none is asked for a message
//! (`allow_direct`). Consumers may run at one: they are told everything, only later.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::stream::{Config, Stream};

use super::{Nats, in_words};

/// Opens a stream, and makes it where there is none; gives what is wrong in words.
pub async fn open(nats: &Nats, config: Config) -> Result<Stream, String> {
    let stream = open_as_is(nats, config).await?;
    bring(nats, stream).await
}

/// The same, but a stream that is there stays as it is.
pub async fn open_as_is(nats: &Nats, config: Config) -> Result<Stream, String> {
    let num_replicas = nats.0.replicas.unwrap_or(1);
    let config = Config { num_replicas, allow_direct: false, ..config };
    let name = config.name.clone();
    let opened = nats.jetstream().get_or_create_stream(config).await;
    opened.map_err(|error| in_vain(&name, num_replicas, &error))
}

/// Brings a stream to what is asked for.
pub async fn bring(nats: &Nats, stream: Stream) -> Result<Stream, String> {
    let found = &stream.cached_info().config;
    let num_replicas = nats.0.replicas.unwrap_or(found.num_replicas);
    if found.num_replicas == num_replicas && !found.allow_direct {
        return Ok(stream);
    }
    let config = Config { num_replicas, allow_direct: false, ..found.clone() };
    let name = &config.name;
    let updated = nats.jetstream().update_stream(&config).await;
    updated.map_err(|error| in_vain(name, num_replicas, &error))?;
    if found.num_replicas != num_replicas {
        log::info!("the stream {name} has {num_replicas} replicas from now on");
    }
    nats.jetstream().get_stream(name).await.map_err(|error| in_words(&error))
}

fn in_vain(name: &str, replicas: usize, error: &CreateStreamError) -> String {
    let words = in_words(error);
    let has_no_place = matches!(error.kind(), CreateStreamErrorKind::JetStream(cause) if [
        ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED,
        ErrorCode::CLUSTER_NO_PEERS,
        ErrorCode::INSUFFICIENT_RESOURCES,
    ].contains(&cause.error_code()));
    if has_no_place {
        format!(
            "{replicas} replicas of {name} have no place ({words}): start the other servers of the \
             cluster, or ask for fewer with --nats-replicas"
        )
    } else {
        words
    }
}
