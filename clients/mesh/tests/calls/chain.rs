//! What a call carries down a chain of calls, and where that stops it.

use crate::peer::{Peer, refuse, reply, unary};
use cleave_mesh::context::{self, CallContext};
use cleave_mesh::{CallError, Cause, Chain};
use http::{HeaderMap, HeaderValue};
use tonic::Code;

/// The context of a call that came with this metadata.
fn inbound(metadata: &[(&'static str, &'static str)]) -> CallContext {
    let pairs = metadata.iter().copied();
    let headers: HeaderMap = pairs
        .map(|(key, value)| (key.parse().expect("name"), HeaderValue::from_static(value)))
        .collect();
    CallContext {
        chain: Chain::read(&headers),
        ..CallContext::root()
    }
}

#[tokio::test]
async fn the_path_grows_and_only_the_first_caller_repeats() {
    let peer = Peer::start(|_, _| async { refuse(Code::Unavailable) }).await;
    let above = inbound(&[("cleave-hops", "people;retries")]);

    let call = context::scope(above, unary(&peer.channel, "Read", "x"));
    call.await.expect_err("refused");

    let attempts = peer.attempts();
    assert_eq!(attempts.len(), 1, "who is further up repeats");
    assert_eq!(attempts[0]["cleave-hops"], "people;retries,tester");
}

#[tokio::test]
async fn the_first_caller_says_that_it_repeats_and_others_do_not() {
    let peer = Peer::start(|_, _| async { reply(&["ok"], Code::Ok) }).await;

    unary(&peer.channel, "Read", "x").await.expect("answer");
    unary(&peer.channel, "Short", "x").await.expect("answer");
    unary(&peer.channel, "Hedged", "x").await.expect("answer");

    let attempts = peer.attempts();
    assert_eq!(attempts[0]["cleave-hops"], "tester;retries");
    assert_eq!(attempts[1]["cleave-hops"], "tester");
    assert_eq!(attempts[2]["cleave-hops"], "tester;retries", "by copies");
}

#[tokio::test]
async fn a_call_in_a_circle_is_not_sent() {
    let peer = Peer::start(|_, _| async { reply(&["ok"], Code::Ok) }).await;
    let circle = inbound(&[("cleave-hops", "tester,script,tester,script")]);

    let call = context::scope(circle, unary(&peer.channel, "Read", "x"));
    let error = CallError::from(call.await.expect_err("stopped"));

    assert_eq!(
        (error.code, error.cause),
        (Code::FailedPrecondition, Cause::CallLoop)
    );
    assert!(error.message.contains("tester, script"), "{error}");
    assert!(peer.attempts().is_empty());
}
