//! What a call's headers must be before anything else looks at them.

use crate::status::too_large;
use cleave_mesh::context::CallContext;
use cleave_mesh::metadata::{GRPC_TIMEOUT, TRACEPARENT, TRACESTATE};
use cleave_mesh::timeout;
use cleave_mesh::{Chain, TraceContext};
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;

/// What HTTP/2 adds to each header when it counts the size of a list.
const ENTRY_OVERHEAD: usize = 32;
/// How the messages of a request are compressed.
const ENCODING: &str = "grpc-encoding";
/// How the messages of the answer may be.
const ACCEPT_ENCODING: &str = "grpc-accept-encoding";
/// Not at all.
const IDENTITY: &str = "identity";
/// Longer names of callers are not believed.
const MAX_CALLER: usize = 64;

/// Refuses metadata that is too much, or not what gRPC allows.
pub(super) fn check(headers: &HeaderMap, limit: u32) -> Result<(), Status> {
    let size: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ENTRY_OVERHEAD)
        .sum();
    if size > usize::try_from(limit).unwrap_or(usize::MAX) {
        let message = format!("the metadata takes {size} bytes, the limit is {limit}");
        return Err(too_large(message));
    }
    for (name, value) in headers {
        if !name.as_str().ends_with("-bin") && value.to_str().is_err() {
            let message = format!("metadata {name} holds bytes that are not printable ASCII");
            return Err(Status::invalid_argument(message));
        }
    }
    Ok(())
}

/// Keeps answers as they are for a caller who does not compress its own message: many clients say that they
/// read compressed answers, whether that is worth its price or not.
pub(super) fn answer_in_kind(headers: &mut HeaderMap) {
    let compresses = headers
        .get(ENCODING)
        .is_some_and(|encoding| encoding != IDENTITY);
    if !compresses {
        headers.remove(ACCEPT_ENCODING);
    }
}

/// How long the caller says that it will wait.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else {
        return Ok(None);
    };
    timeout::parse(value.as_bytes())
        .map(Some)
        .map_err(|error| Status::invalid_argument(error.to_string()))
}

/// Where the call stands in its trace, and who calls; the deadline is decided elsewhere.
pub(super) fn context(headers: &HeaderMap) -> CallContext {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let trace =
        text(TRACEPARENT)
            .and_then(TraceContext::parse)
            .map_or_else(TraceContext::root, |parent| {
                parent
                    .with_state(text(TRACESTATE).unwrap_or_default())
                    .child()
            });
    let chain = Chain::read(headers);
    let caller = chain.caller().filter(|name| name.len() <= MAX_CALLER);
    CallContext {
        deadline: None,
        trace,
        caller: caller.map(Arc::from),
        chain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn headers(name: &'static str, value: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_bytes(value).expect("value"));
        headers
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_by_name() {
        let status = check(&headers("x-note", "naïve".as_bytes()), 1_000).expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("x-note"));
        assert!(check(&headers("x-note-bin", "naïve".as_bytes()), 1_000).is_ok());
    }

    #[test]
    fn too_much_metadata_is_refused_with_the_limit() {
        let status = check(&headers("x-note", &[b'a'; 2_000]), 1_000).expect_err("refused");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("1000"));
    }

    #[test]
    fn a_timeout_that_cannot_be_read_is_refused() {
        let status = timeout(&headers("grpc-timeout", b"soon")).expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
        let read = timeout(&headers("grpc-timeout", b"20m")).expect("read");
        assert_eq!(read, Some(Duration::from_millis(20)));
    }
}
