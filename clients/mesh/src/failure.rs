//! Turns what the transport reports into the status that gRPC prescribes.
//!
//! tonic reports a lost connection as UNKNOWN or CANCELLED, depending on what else is linked. Here it is
//! always UNAVAILABLE; only a stream that the peer reset on purpose says otherwise.

use crate::cause::Cause;
use crate::names::{GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::error::Error;
use tonic::{Code, Status};

/// What a tonic server says, under CANCELLED, when the caller's deadline passed.
const TONIC_EXPIRED: &str = "Timeout expired";

/// Binary metadata may come with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The status for an error of the transport.
pub(crate) fn classify(error: &(dyn Error + 'static), peer: &str) -> Status {
    let mut root = error;
    loop {
        if let Some(h2) = root.downcast_ref::<h2::Error>()
            && h2.is_reset()
            && h2.is_remote()
        {
            return reset(h2.reason(), peer);
        }
        match root.source() {
            Some(source) => root = source,
            None => break,
        }
    }
    let message = match root.downcast_ref::<std::io::Error>() {
        // What TLS says of it would be a link to its manual.
        Some(end) if end.kind() == std::io::ErrorKind::UnexpectedEof => {
            format!("peer {peer} closed the connection without a word")
        }
        _ => format!("peer {peer} closed the connection: {root}"),
    };
    Cause::ConnectionLost.status(Code::Unavailable, message)
}

/// Whether the peer certainly did nothing about the request: it refused the stream, or went away before it.
pub(crate) fn is_unseen(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(h2) = error.downcast_ref::<h2::Error>() {
            let refused = h2.is_reset() && h2.reason() == Some(h2::Reason::REFUSED_STREAM);
            // Only the streams above the last one that the peer names fail in this way.
            return h2.is_remote() && (refused || h2.is_go_away());
        }
        next = error.source();
    }
    false
}

/// The same for an error out of a response body; what is not the transport's stays as it is.
pub(crate) fn classify_body(status: Status, peer: &str) -> Status {
    if Cause::of(&status).is_some() {
        return status;
    }
    let mut next = status.source();
    while let Some(error) = next {
        if error.is::<hyper::Error>() || error.is::<h2::Error>() {
            return classify(error, peer);
        }
        next = error.source();
    }
    status
}

/// The peer ended the stream without a status.
fn reset(reason: Option<h2::Reason>, peer: &str) -> Status {
    let code = match reason {
        Some(h2::Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(h2::Reason::CANCEL) => Code::Cancelled,
        Some(h2::Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(h2::Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
        _ => Code::Internal,
    };
    let reason = reason.map_or_else(|| "no reason".to_owned(), |reason| format!("{reason:?}"));
    Cause::Reset.status(code, format!("peer {peer} reset the stream: {reason}"))
}

/// The status code in a response's headers or trailers.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// The code that stands for an HTTP status that is not a gRPC answer.
pub(crate) fn code_of_http(status: StatusCode) -> Option<Code> {
    match status.as_u16() {
        200 => None,
        400 => Some(Code::Internal),
        401 => Some(Code::Unauthenticated),
        403 => Some(Code::PermissionDenied),
        404 => Some(Code::Unimplemented),
        429 | 502 | 503 | 504 => Some(Code::Unavailable),
        _ => Some(Code::Unknown),
    }
}

/// Mends what a peer sent before tonic reads it: a passed deadline gets its own code, and details that
/// are not base64, over which tonic panics, are dropped. Answers the status code, without which tonic reads none
/// of it.
pub(crate) fn mend(headers: &mut HeaderMap) -> Option<Code> {
    let mut code = code_in(headers)?;
    if headers.len() == 1 {
        // The status alone, as of nearly every answer.
        return Some(code);
    }
    if code == Code::Cancelled && headers.get(GRPC_MESSAGE).is_some_and(is_tonic_expiry) {
        headers.insert(GRPC_STATUS, HeaderValue::from_static("4"));
        code = Code::DeadlineExceeded;
    }
    let broken = headers
        .get(GRPC_STATUS_DETAILS)
        .is_some_and(|details| LENIENT.decode(details.as_bytes()).is_err());
    if broken {
        headers.remove(GRPC_STATUS_DETAILS);
    }
    Some(code)
}

/// Whether this is tonic's sentence, percent-encoded or not.
fn is_tonic_expiry(text: &HeaderValue) -> bool {
    text.to_str()
        .is_ok_and(|text| text.replace("%20", " ") == TONIC_EXPIRED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (k.parse().expect("name"), HeaderValue::from_static(v)))
            .collect()
    }

    #[test]
    fn tonic_s_expiry_becomes_deadline_exceeded() {
        let mut trailers = headers(&[("grpc-status", "1"), ("grpc-message", "Timeout%20expired")]);
        mend(&mut trailers);
        assert_eq!(code_in(&trailers), Some(Code::DeadlineExceeded));
    }

    #[test]
    fn a_cancellation_stays_one() {
        let mut trailers = headers(&[("grpc-status", "1"), ("grpc-message", "by%20hand")]);
        mend(&mut trailers);
        assert_eq!(code_in(&trailers), Some(Code::Cancelled));
    }

    #[test]
    fn details_that_are_not_base64_are_dropped() {
        let mut bad = headers(&[("grpc-status", "3"), ("grpc-status-details-bin", "%%%")]);
        mend(&mut bad);
        assert!(
            Status::from_header_map(&bad)
                .expect("status")
                .details()
                .is_empty()
        );

        let mut good = headers(&[("grpc-status", "3"), ("grpc-status-details-bin", "CAM")]);
        mend(&mut good);
        assert_eq!(
            Status::from_header_map(&good).expect("status").details(),
            [8, 3]
        );
    }

    #[test]
    fn an_error_of_no_known_kind_is_a_lost_connection() {
        let status = classify(&std::io::Error::other("gone"), "billing");
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(Cause::of(&status), Some(Cause::ConnectionLost));
    }
}
