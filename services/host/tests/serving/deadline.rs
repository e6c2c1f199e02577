//! Every call is over at its deadline, whatever its handler does.

use crate::rig::{connect, message, reply, respond, start, trailers, unary, watch};
use cleave_mesh::{Deadline, context};
use futures::{StreamExt as _, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tonic::{Code, Request};

/// Notifies when it is dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn a_handler_is_dropped_at_the_policy_s_timeout_when_the_caller_gives_none() {
    let dropped = Arc::new(Notify::new());
    let guard = Arc::clone(&dropped);
    let running = start(move |_| {
        let guard = OnDrop(Arc::clone(&guard));
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    })
    .await;

    let status = unary(&connect(running.addr()).await, "Short", String::new()).await;

    assert_eq!(status.expect_err("expired").code(), Code::DeadlineExceeded);
    dropped.notified().await;
}

#[tokio::test]
async fn a_handler_is_dropped_when_its_caller_goes_away() {
    let dropped = Arc::new(Notify::new());
    let entered = Arc::new(Notify::new());
    let (guard, enter) = (Arc::clone(&dropped), Arc::clone(&entered));
    let running = start(move |_| {
        let guard = OnDrop(Arc::clone(&guard));
        enter.notify_one();
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    })
    .await;

    let channel = connect(running.addr()).await;
    let call = tokio::spawn(async move { unary(&channel, "Call", String::new()).await });
    entered.notified().await;
    call.abort();

    dropped.notified().await;
}

#[tokio::test]
async fn a_stream_ends_at_its_caller_s_deadline_after_what_was_sent() {
    let running = start(|_| async {
        respond(
            stream::iter([message("first")])
                .chain(stream::pending())
                .boxed(),
        )
    })
    .await;
    let channel = connect(running.addr()).await;

    // The header is set by hand: tonic's own client would otherwise watch the time as well.
    let mut request = Request::new(String::new());
    request
        .metadata_mut()
        .insert("grpc-timeout", "1S".parse().expect("value"));
    let mut stream = watch(&channel, request).await.expect("stream");

    assert_eq!(
        stream.message().await.expect("first"),
        Some("first".to_owned())
    );
    let status = stream.message().await.expect_err("expired");
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
}

#[tokio::test]
async fn a_timeout_that_cannot_be_read_is_refused() {
    let running = start(|_| async { reply("never") }).await;
    let mut request = Request::new(String::new());
    request
        .metadata_mut()
        .insert("grpc-timeout", "soon".parse().expect("value"));

    let status = unary(&connect(running.addr()).await, "Call", request).await;

    assert_eq!(status.expect_err("refused").code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_handler_knows_deadline_trace_and_caller() {
    let running = start(|_| async {
        let call = context::current().expect("a call");
        let left = Deadline::current().expect("a deadline").remaining();
        let trace = call.trace.trace_id().to_string();
        let soon = left <= Duration::from_secs(3);
        reply(&format!(
            "{} {trace} {soon}",
            call.caller.expect("a caller")
        ))
    })
    .await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut request = Request::new(String::new());
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    request
        .metadata_mut()
        .insert("traceparent", parent.parse().expect("value"));
    request
        .metadata_mut()
        .insert("cleave-hops", "operations".parse().expect("value"));
    request.set_timeout(Duration::from_secs(3));

    let seen = unary(&connect(running.addr()).await, "Call", request)
        .await
        .expect("answer");

    assert_eq!(seen, format!("operations {trace} true"));
}

#[tokio::test]
async fn nobody_gets_more_time_than_the_service_gives() {
    let settings = [("host.max_timeout", "2s")];
    let handler = |_| async {
        let left = Deadline::current().expect("a deadline").remaining();
        reply(&(left <= Duration::from_secs(2)).to_string())
    };
    let running = crate::rig::host(&settings, handler)
        .start()
        .await
        .expect("started");
    let mut request = Request::new(String::new());
    request.set_timeout(Duration::from_secs(3600));

    let seen = unary(&connect(running.addr()).await, "Call", request)
        .await
        .expect("answer");

    assert_eq!(seen, "true");
}

#[tokio::test]
async fn given_a_method_of_no_contract_and_no_timeout_then_its_handler_has_the_longest_time_there_is()
 {
    // Given a handler that never answers, for a method that no policy names
    let settings = [("host.max_timeout", "50ms")];
    let running = crate::rig::host(&settings, |_| std::future::pending())
        .start()
        .await
        .expect("started");

    // When it is called without a timeout
    let channel = connect(running.addr()).await;
    let status = unary(&channel, "Nameless", String::new()).await;

    // Then it is over all the same
    assert_eq!(status.expect_err("expired").code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn given_a_stream_of_no_contract_then_it_lasts_beyond_the_longest_time_of_a_call() {
    // Given a stream that no policy names
    let settings = [("host.max_timeout", "20ms")];
    let running = crate::rig::host(&settings, |_| async {
        let later = tokio::time::sleep(Duration::from_millis(100));
        let messages = stream::once(later).map(|()| message("late"));
        respond(messages.chain(stream::iter([trailers(Code::Ok)])).boxed())
    })
    .start()
    .await
    .expect("started");

    // When its first message comes late
    let channel = connect(running.addr()).await;
    let answer = unary(&channel, "Nameless", String::new()).await;

    // Then it comes
    assert_eq!(answer.expect("answer"), "late");
}
