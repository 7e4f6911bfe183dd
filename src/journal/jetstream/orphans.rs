//! Chunks of snapshots whose writing was broken off: no object names them, so nothing else would ever
//! remove them.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use async_nats::jetstream::stream::LastRawMessageErrorKind;
use futures_util::TryStreamExt;

use super::Log;
use crate::journal::ReadError;

/// How old the newest chunk is by the server's clock before nobody can be writing there any more.
pub(super) const ORPHANED_AFTER: Duration = Duration::from_secs(3_600);

/// Removes the chunks that belong to none of the objects there are. Those that are young may be of
/// a snapshot that somebody is writing.
pub(super) async fn sweep(log: &Log, orphaned_after: Duration) -> Result<(), ReadError> {
    let unavailable = |error: &dyn Error| log.unavailable(error);
    let prefix = format!("$O.{}.C.", log.bucket());
    let mut named = BTreeSet::new();
    for name in log.object_names().await? {
        named.extend(log.object_info(&name).await?.map(|info| format!("{prefix}{}", info.nuid)));
    }
    let stream = log.object_stream().await?;
    let listed = stream.info_with_subjects(format!("{prefix}*")).await;
    let listed = listed.map_err(|error| unavailable(&error))?;
    let now = listed.info.state.last_timestamp;
    let subjects: Vec<(String, usize)> =
        listed.try_collect().await.map_err(|error| unavailable(&error))?;
    for (subject, _) in subjects.iter().filter(|(subject, _)| !named.contains(subject)) {
        let newest = match stream.get_last_raw_message_by_subject(subject).await {
            Ok(newest) => newest,
            // Somebody else has removed it.
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => continue,
            Err(error) => return Err(unavailable(&error)),
        };
        if now - newest.time >= orphaned_after {
            let purged = stream.purge().filter(subject).await;
            purged.map_err(|error| unavailable(&error))?;
        }
    }
    Ok(())
}
