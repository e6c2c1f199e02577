//! An answer, and how fresh it is.

use crate::metadata::CACHED_AGE_MS;
use std::time::{Duration, SystemTime};
use tonic::Response;

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The peer gave it just now.
    Live,
    /// The peer could not be asked: it is its last answer.
    Cache,
}

/// An answer, and how fresh it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading<T> {
    /// The answer.
    pub value: T,
    /// The revision that the answer itself names; zero when it names none.
    pub revision: i64,
    /// When the peer gave it.
    pub as_of: SystemTime,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Reading<T> {
    /// Reads what the mesh says about a response that came just now; `revision` finds the revision in it.
    #[expect(
        clippy::disallowed_methods,
        reason = "when an answer came is a matter of this machine's clock, and no service's time"
    )]
    pub fn now(response: Response<T>, revision: impl FnOnce(&T) -> i64) -> Self {
        Self::of(response, SystemTime::now(), revision)
    }

    /// Whether the peer could not be asked.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        matches!(self.origin, Origin::Cache)
    }

    /// Reads what the mesh says about a response that came at `now`; `revision` finds the revision in it.
    pub fn of(response: Response<T>, now: SystemTime, revision: impl FnOnce(&T) -> i64) -> Self {
        let age = response
            .metadata()
            .get(CACHED_AGE_MS)
            .and_then(|age| age.to_str().ok()?.parse().ok())
            .map(Duration::from_millis);
        let value = response.into_inner();
        Self {
            revision: revision(&value),
            value,
            as_of: now - age.unwrap_or_default(),
            origin: match age {
                Some(_) => Origin::Cache,
                None => Origin::Live,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_out_of_the_cache_says_how_old_it_is() {
        let mut response = Response::new(7_i64);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let live = Reading::of(response, now, |value| *value);
        assert_eq!((live.origin, live.as_of), (Origin::Live, now));

        response = Response::new(7);
        let age = tonic::metadata::MetadataValue::from(5_000);
        response.metadata_mut().insert(CACHED_AGE_MS, age);
        let reading = Reading::of(response, now, |value| *value);

        assert_eq!((reading.origin, reading.revision), (Origin::Cache, 7));
        assert_eq!(reading.as_of, now - Duration::from_secs(5));
    }
}
