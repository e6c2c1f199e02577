//! The last answers of methods whose policy says CACHE: used while the peer cannot be asked, and no longer
//! than the policy allows.

use crate::metadata::CACHED_AGE_MS;
use crate::policy::{MethodPolicy, OnUnavailable};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

/// What all answers of a peer may take together.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Larger answers are not kept.
const MAX_ANSWER: usize = 1024 * 1024;
/// What an entry takes besides its bytes, about.
const OVERHEAD: usize = 128;

/// On a response that came out of the cache: how old it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FromCache {
    /// The time since the peer gave it.
    pub age: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    path: &'static str,
    request: Bytes,
}

#[derive(Debug, Clone)]
struct Entry {
    body: Bytes,
    headers: Arc<HeaderMap>,
    at: Instant,
}

/// The last answers of one peer.
#[derive(Debug, Clone)]
pub(crate) struct Cache(moka::sync::Cache<Key, Entry>);

impl Cache {
    pub(crate) fn new() -> Self {
        let weigh = |key: &Key, entry: &Entry| {
            let weight = key.request.len() + entry.body.len() + OVERHEAD;
            u32::try_from(weight).unwrap_or(u32::MAX)
        };
        let cache = moka::sync::Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(weigh)
            .build();
        Self(cache)
    }

    /// The place of a call's answer, when its method keeps answers.
    pub(crate) fn slot(&self, method: &'static MethodPolicy, request: Bytes) -> Option<Slot> {
        let OnUnavailable::Cache { max_age } = method.on_unavailable else {
            return None;
        };
        let path = method.path;
        method.is_unary().then(|| Slot {
            cache: self.clone(),
            key: Key { path, request },
            max_age,
        })
    }
}

/// The place of one call's answer.
#[derive(Debug)]
pub(crate) struct Slot {
    cache: Cache,
    key: Key,
    max_age: Duration,
}

impl Slot {
    /// Whether it holds an answer that is young enough.
    pub(crate) fn is_filled(&self) -> bool {
        self.entry().is_some()
    }

    /// The last answer, while it is young enough, and its age.
    fn entry(&self) -> Option<(Entry, Duration)> {
        let entry = self.cache.0.get(&self.key)?;
        let age = entry.at.elapsed();
        (age <= self.max_age).then_some((entry, age))
    }

    /// The last answer, while it is young enough.
    pub(crate) fn read(&self) -> Option<http::Response<Body>> {
        let (entry, age) = self.entry()?;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let frames = [Frame::data(entry.body), Frame::trailers(trailers)].map(Ok::<_, Status>);
        let body = StreamBody::new(futures::stream::iter(frames));
        let mut response = http::Response::new(Body::new(body));
        *response.headers_mut() = HeaderMap::clone(&entry.headers);
        let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        response
            .headers_mut()
            .insert(CACHED_AGE_MS, HeaderValue::from(millis));
        response.extensions_mut().insert(FromCache { age });
        Some(response)
    }

    /// Collects an answer as it passes.
    pub(crate) fn keep(self, headers: &HeaderMap) -> Keeping {
        Keeping {
            slot: self,
            headers: headers.clone(),
            pieces: Vec::new(),
            length: 0,
        }
    }
}

/// An answer on its way into the cache.
#[derive(Debug)]
pub(crate) struct Keeping {
    slot: Slot,
    headers: HeaderMap,
    pieces: Vec<Bytes>,
    length: usize,
}

impl Keeping {
    /// Some more of it passed.
    pub(crate) fn push(&mut self, piece: &Bytes) {
        self.length += piece.len();
        if self.length <= MAX_ANSWER {
            self.pieces.push(piece.clone());
        }
    }

    /// It was an answer, and this was all.
    pub(crate) fn done(self) {
        if self.length > MAX_ANSWER {
            return;
        }
        // Copied, so that no larger buffer is held on to.
        let mut body = BytesMut::with_capacity(self.length);
        self.pieces
            .iter()
            .for_each(|piece| body.extend_from_slice(piece));
        let entry = Entry {
            body: body.freeze(),
            headers: Arc::new(self.headers),
            at: Instant::now(),
        };
        self.slot.cache.0.insert(self.slot.key, entry);
    }
}
