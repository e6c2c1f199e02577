//! The names of [`metadata`](crate::metadata) as header maps want them: parsed and hashed without an allocation.

use crate::metadata;
use http::HeaderName;

pub(crate) const DRAINING: HeaderName = HeaderName::from_static(metadata::DRAINING);
pub(crate) const GRPC_MESSAGE: HeaderName = HeaderName::from_static(metadata::GRPC_MESSAGE);
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static(metadata::GRPC_STATUS);
pub(crate) const GRPC_STATUS_DETAILS: HeaderName =
    HeaderName::from_static(metadata::GRPC_STATUS_DETAILS);
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static(metadata::GRPC_TIMEOUT);
pub(crate) const HOPS: HeaderName = HeaderName::from_static(metadata::HOPS);
pub(crate) const PREVIOUS_ATTEMPTS: HeaderName =
    HeaderName::from_static(metadata::PREVIOUS_ATTEMPTS);
pub(crate) const RETRY_PUSHBACK_MS: HeaderName =
    HeaderName::from_static(metadata::RETRY_PUSHBACK_MS);
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static(metadata::TRACEPARENT);
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static(metadata::TRACESTATE);
