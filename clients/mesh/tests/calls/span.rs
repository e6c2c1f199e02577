//! What is told of a call to whoever collects the steps of traces.

use crate::peer::{Peer, refuse, reply, unary};
use cleave_mesh::context::{self, CallContext};
use cleave_mesh::span::{self, Collector, Span, SpanKind};
use cleave_mesh::{Cause, TraceContext};
use std::sync::{Arc, Mutex};
use tonic::Code;

/// Keeps the steps of one trace; those of other tests are none of its business.
#[derive(Clone)]
struct Kept {
    trace: u128,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector for Kept {
    fn wants(&self, trace: &TraceContext) -> bool {
        trace.ids().0 == self.trace
    }

    fn collect(&self, span: Span) {
        self.spans.lock().expect("not poisoned").push(span);
    }
}

#[tokio::test]
async fn given_a_collector_when_a_call_fails_then_its_step_says_why() {
    let inbound = CallContext::root();
    let kept = Kept {
        trace: inbound.trace.ids().0,
        spans: Arc::default(),
    };
    assert!(span::collect(kept.clone()), "the only collector");
    let peer = Peer::start(|n, _| async move {
        match n {
            1 => reply(&["fine"], Code::Ok),
            _ => refuse(Code::NotFound),
        }
    })
    .await;

    let calls = async {
        unary(&peer.channel, "Write", "x").await.expect("answer");
        unary(&peer.channel, "Write", "x")
            .await
            .expect_err("refused");
    };
    context::scope(inbound, calls).await;

    let spans = kept.spans.lock().expect("not poisoned");
    let calls = spans.iter().filter(|span| span.kind == SpanKind::Sent);
    let ends: Vec<_> = calls.map(|span| (span.code, span.cause)).collect();
    let expected = [(Code::Ok, None), (Code::NotFound, Some(Cause::Refused))];
    assert_eq!(ends, expected);
}
