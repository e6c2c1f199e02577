//! Resume tokens of the fake, and the heartbeat of its streams.

use std::time::{Duration, SystemTime};

use futures::stream::{self, BoxStream};
use prost_types::Timestamp;
use tonic::{Code, Status};
use uuid::Uuid;

use super::refusal::refuse;
use super::world::{Globe, World};

/// How often a quiet stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// A message of a stream, and what the stream needs to know of it.
pub(super) struct Step<M> {
    pub(super) message: M,
    /// Where the stream is once it is sent.
    pub(super) position: i64,
    /// It carries nothing new.
    pub(super) quiet: bool,
}

/// A token for a position of one of the feeds.
pub(super) fn token(world: &World, feed: &str, position: i64) -> String {
    format!("{feed}:{}:{position}", world.epoch)
}

/// Where a stream goes on from.
pub(super) fn position(world: &World, feed: &str, token: &str) -> Result<i64, Status> {
    if token.is_empty() {
        return Ok(0);
    }
    let invalid = || refuse(Code::InvalidArgument, "RESUME_TOKEN_INVALID", &[]);
    let mut parts = token.split(':');
    let named = parts.next() == Some(feed);
    let epoch = parts.next().and_then(|epoch| Uuid::parse_str(epoch).ok());
    let seq = parts.next().and_then(|seq| seq.parse::<i64>().ok());
    match (epoch, seq) {
        (Some(epoch), Some(seq)) if named => {
            if epoch == world.epoch && seq <= world.revision {
                Ok(seq)
            } else {
                Err(refuse(Code::OutOfRange, "RESUME_TOKEN_EXPIRED", &[]))
            }
        }
        _ => Err(invalid()),
    }
}

/// A stream of what `step` makes of each position: at once while there is something to say, else on a change
/// or when a heartbeat is due. The first message comes at once.
pub(super) fn watch<M: Send + 'static>(
    globe: Globe,
    start: i64,
    step: impl FnMut(&World, i64) -> Step<M> + Send + 'static,
) -> BoxStream<'static, Result<M, Status>> {
    let changes = globe.changes();
    let state = (globe, changes, step, start, true);
    Box::pin(stream::unfold(
        state,
        |(globe, mut changes, mut step, mut after, first)| async move {
            loop {
                changes.mark_unchanged();
                let next = globe.edit(|world| step(world, after));
                let due = first || !next.quiet || {
                    after = next.position;
                    tokio::time::timeout(HEARTBEAT, changes.changed())
                        .await
                        .is_err()
                };
                if due {
                    let position = next.position;
                    return Some((Ok(next.message), (globe, changes, step, position, false)));
                }
            }
        },
    ))
}

/// When a message is read, as the contract wants every message to say.
#[expect(
    clippy::disallowed_methods,
    reason = "a client crate may not see the kernel's clock, and ages must look real"
)]
pub(super) fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}
