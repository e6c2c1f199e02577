//! What peers send, as bytes that nobody has chosen: each parser is given the kept corpus, then what chance
//! makes, and with `deploy/fuzz` what coverage leads to. Beside "no panic", each says what must hold.

mod contract;

use crate::chain::Hop;
use crate::error::CallError;
use crate::failure;
use crate::framing::FrameMeter;
use crate::names::HOPS;
use crate::peer::{FrameSpy, Target, Word, next_health};
use crate::retry::Pushback;
use crate::tls::TrustDomain;
use crate::{Chain, TraceContext, timeout};
use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use std::time::Duration;
use tonic::Status;

/// The first byte tells where the rest is cut.
fn pieces(bytes: &[u8]) -> (&[u8], usize) {
    let (cut, rest) = bytes.split_first().unwrap_or((&0, &[]));
    (rest, usize::from(*cut).max(1))
}

/// Headers out of lines `name: value`; what HTTP would not carry is left out.
fn headers(bytes: &[u8]) -> HeaderMap {
    let lines = bytes.split(|byte| *byte == b'\n');
    let header = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii_start()).ok()?;
        Some((name, value))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(header) {
        headers.append(name, value);
    }
    headers
}

#[test]
fn timeout_is_read_back_as_written() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(read) = timeout::parse(bytes) else {
            return;
        };
        let again = timeout::parse(timeout::format(read).as_bytes()).expect("our own text");
        assert!(again <= read.max(Duration::from_nanos(1)));
        assert!(read - again.min(read) <= read / 1_000 + Duration::from_nanos(1));
    });
}

#[test]
fn trace_context_is_read_back_as_written() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        let (parent, state) = text.split_once('\n').unwrap_or((text, ""));
        let Some(trace) = TraceContext::parse(parent) else {
            return;
        };
        let trace = trace.with_state(state);
        let again = TraceContext::parse(&trace.to_string()).expect("our own text");
        assert_eq!(again.to_string(), trace.to_string());
        assert_eq!(
            trace.child().trace_id().to_string(),
            trace.trace_id().to_string()
        );
        if let Some(state) = trace.state() {
            HeaderValue::from_str(state).expect("what is passed on is a header");
        }
    });
}

#[test]
fn chain_grows_by_one_hop_and_ends() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut chain = Chain::read(&headers(bytes));
        let own = Hop::new("operations").expect("a name");
        for _ in 0..32 {
            let before = chain.hops().count();
            let Some(path) = chain.header(&own, false) else {
                break;
            };
            chain = Chain::read(&HeaderMap::from_iter([(HOPS, path)]));
            let after = chain.hops().count();
            assert!(after <= before + 1 || before == 0);
        }
        assert!(!chain.may_reach("billing"), "a circle has no end");
    });
}

#[test]
fn pushback_is_a_wait_or_never() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(value) = HeaderValue::from_bytes(bytes) else {
            return;
        };
        let mut headers = HeaderMap::new();
        headers.insert(crate::metadata::RETRY_PUSHBACK_MS, value);
        let read = Pushback::in_headers(&headers).expect("there is one");
        if let Pushback::After(wait) = read {
            assert!(
                bytes
                    .iter()
                    .all(|byte| byte.is_ascii_digit() || *byte == b'+')
            );
            assert!(wait.as_millis() <= u128::from(u64::MAX));
        }
    });
}

#[test]
fn frames_are_heard_however_they_are_cut() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let (stream, cut) = pieces(bytes);
        let hear = |cut: usize| {
            let (mut spy, mut words): (_, Vec<Word>) = (FrameSpy::default(), Vec::new());
            for piece in stream.chunks(cut) {
                spy.push(piece, |word| words.push(word));
            }
            words
        };
        assert_eq!(hear(cut), hear(stream.len().max(1)));
    });
}

#[test]
fn messages_are_counted_however_they_are_cut() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let (stream, cut) = pieces(bytes);
        let count = |cut: usize| {
            let mut meter = FrameMeter::new(1_000);
            let fits = stream.chunks(cut).try_for_each(|piece| meter.push(piece));
            (fits, meter.messages(), meter.bytes())
        };
        assert_eq!(count(cut), count(stream.len().max(1)));
    });
}

#[test]
fn trailers_become_a_status() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut headers = headers(bytes);
        failure::mend(&mut headers);
        if let Some(status) = Status::from_header_map(&headers) {
            let code = status.code();
            assert_eq!(CallError::from(status).code, code);
        }
    });
}

#[test]
fn health_is_heard_message_by_message() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut left = BytesMut::from(bytes);
        while let Some(_status) = next_health(&mut left) {
            assert!(left.len() < bytes.len());
        }
    });
}

#[test]
fn certificate_names_one_workload_of_the_domain() {
    let domain = TrustDomain::parse("cleave.local").expect("a domain");
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(workload) = domain.workload_of(&CertificateDer::from(bytes)) {
            assert_eq!(domain.workload(&domain.id(workload.name())), Ok(workload));
        }
    });
}

#[test]
fn spiffe_id_is_read_back_as_written() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        let (domain, id) = text.split_once('\n').unwrap_or(("cleave.local", text));
        let Ok(domain) = TrustDomain::parse(domain) else {
            return;
        };
        if let Ok(workload) = domain.workload(id) {
            assert_eq!(domain.id(workload.name()), id);
            assert!(!workload.name().contains(['/', '%', '\0']));
        }
    });
}

#[test]
fn addresses_are_usable_or_refused() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        if let Ok(Target::Fixed(fixed, _)) = Target::parse("billing", text) {
            assert!(!fixed.is_empty());
            for (address, authority) in fixed {
                assert!(authority.port_u16().is_some(), "{address} has no port");
            }
        }
    });
}
