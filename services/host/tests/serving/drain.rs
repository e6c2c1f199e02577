//! The end: nothing in flight is lost, and nothing holds it up for ever.

use crate::rig::{connect, host, message, reply, respond, unary, watch};
use cleave_host::Drain;
use futures::{StreamExt as _, future, stream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};
use tonic::{Code, Status};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

/// The cap is 25 s unless a test says otherwise.
const LONG_BEFORE_THE_CAP: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_call_in_flight_finishes_and_a_later_one_does_not_get_in() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, wait) = (Arc::clone(&entered), Arc::clone(&go_on));
    let running = host(&[], move |_| {
        let (enter, wait) = (Arc::clone(&enter), Arc::clone(&wait));
        async move {
            enter.notify_one();
            wait.notified().await;
            reply("finished")
        }
    })
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    let call = tokio::spawn(async move { unary(&channel, "Call", String::new()).await });
    entered.notified().await;

    running.drain().begin();
    running.drain().token().cancelled().await;
    go_on.notify_one();

    assert_eq!(call.await.expect("joined").expect("answer"), "finished");
    assert!(running.wait().await.clean);
    tokio::net::TcpStream::connect(running.addr())
        .await
        .expect_err("closed");
}

#[tokio::test]
async fn calls_are_still_accepted_during_the_lame_duck() {
    let running = host(&[("host.lame_duck", "2s")], |_| async { reply("fine") })
        .start()
        .await
        .expect("started");
    running.drain().begin();

    let fine = unary(&connect(running.addr()).await, "Call", String::new()).await;

    assert_eq!(fine.expect("answer"), "fine");
}

#[tokio::test]
async fn a_watch_stream_is_told_to_go_elsewhere() {
    let drain = Drain::new();
    let told = drain.clone();
    let running = host(&[], move |_| {
        let end = told.token().clone().cancelled_owned();
        let farewell = told.status();
        async move {
            let messages = stream::iter([message("first")]).chain(stream::pending());
            let (parts, ()) = farewell.into_http::<()>().into_parts();
            let last = future::ready(http_body::Frame::trailers(parts.headers));
            respond(messages.take_until(end).chain(stream::once(last)).boxed())
        }
    })
    .drain(drain)
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    let mut stream = watch(&channel, String::new()).await.expect("stream");
    assert_eq!(
        stream.message().await.expect("first"),
        Some("first".to_owned())
    );

    running.drain().begin();

    assert_eq!(
        stream.message().await.expect_err("told").code(),
        Code::Unavailable
    );
    assert!(running.wait().await.clean);
}

#[tokio::test]
async fn given_streams_that_know_nothing_of_the_end_then_they_are_told_and_a_call_in_flight_finishes()
 {
    // Given streams of every kind whose handlers do not look at the drain, and a call that takes longer
    let (entered, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (enter, wait) = (Arc::clone(&entered), Arc::clone(&go_on));
    let running = host(&[], move |request| {
        let (enter, wait) = (Arc::clone(&enter), Arc::clone(&wait));
        async move {
            enter.add_permits(1);
            if request.uri().path().ends_with("Call") {
                wait.notified().await;
                return reply("finished");
            }
            if request.headers().contains_key("x-no-head") {
                future::pending::<()>().await;
            }
            let messages = stream::iter([message("first")]).chain(stream::pending());
            respond(messages.boxed())
        }
    })
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    let mut stream = watch(&channel, String::new()).await.expect("stream");
    let first = stream.message().await.expect("first");
    assert_eq!(first, Some("first".to_owned()));
    let mut headless = tonic::Request::new(String::new());
    headless
        .metadata_mut()
        .insert("x-no-head", "1".parse().expect("value"));
    let headless = tokio::spawn({
        let channel = channel.clone();
        async move { watch(&channel, headless).await.map(drop) }
    });
    let mut reflection = ServerReflectionClient::new(channel.clone());
    let silent = reflection.server_reflection_info(stream::pending()).await;
    let mut silent = silent.expect("stream").into_inner();
    let call = tokio::spawn(async move { unary(&channel, "Call", String::new()).await });
    let _ = entered.acquire_many(3).await.expect("open");
    let start = Instant::now();

    // When the service ends
    running.drain().begin();

    // Then each is told to go elsewhere, long before the cap
    let told = [
        stream.message().await.map(drop),
        headless.await.expect("joined"),
        silent.message().await.map(drop),
    ];
    for told in told {
        let told = told.expect_err("told");
        assert_eq!(told.code(), Code::Unavailable, "{told:?}");
        assert!(told.message().contains("shutting down"), "{told:?}");
    }
    // And the call is not cut off
    go_on.notify_one();
    assert_eq!(call.await.expect("joined").expect("answer"), "finished");
    assert!(running.wait().await.clean);
    assert!(
        start.elapsed() < LONG_BEFORE_THE_CAP,
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_at_the_cap() {
    let running = host(&[("host.drain_cap", "300ms")], |_| async {
        respond(stream::repeat_with(|| message(&"x".repeat(100_000))).boxed())
    })
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    let _unread = watch(&channel, String::new()).await.expect("stream");
    let start = Instant::now();

    let stopped = running.shutdown().await;

    assert!(!stopped.clean);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_client_that_never_reads_does_not_hold_up_the_end() {
    let running = host(&[], |_| async {
        respond(stream::repeat_with(|| message(&"x".repeat(100_000))).boxed())
    })
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    let _unread = watch(&channel, String::new()).await.expect("stream");

    let stopped = tokio::time::timeout(Duration::from_secs(20), running.shutdown()).await;

    assert!(stopped.expect("long before the cap").clean);
}

#[tokio::test]
async fn a_call_that_takes_longer_than_a_farewell_finishes() {
    let entered = Arc::new(Notify::new());
    let enter = Arc::clone(&entered);
    let running = host(&[], move |_| {
        let enter = Arc::clone(&enter);
        async move {
            enter.notify_one();
            tokio::time::sleep(Duration::from_secs(5)).await;
            reply("finished")
        }
    })
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    let call = tokio::spawn(async move { unary(&channel, "Call", String::new()).await });
    entered.notified().await;

    assert!(running.shutdown().await.clean);

    assert_eq!(call.await.expect("joined").expect("answer"), "finished");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_is_left_behind_at_the_cap() {
    let entered = Arc::new(Notify::new());
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let (enter, blocked) = (Arc::clone(&entered), Arc::new(Mutex::new(blocked)));
    let running = host(&[("host.drain_cap", "300ms")], move |_| {
        let (enter, blocked) = (Arc::clone(&enter), Arc::clone(&blocked));
        async move {
            enter.notify_one();
            // Returns once the test lets go of the other end.
            let _ = blocked.lock().expect("not poisoned").recv();
            reply("too late")
        }
    })
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    let call = tokio::spawn(async move { unary(&channel, "Call", String::new()).await });
    entered.notified().await;
    let start = Instant::now();

    let stopped = running.shutdown().await;

    assert!(!stopped.clean);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    drop(release);
    call.abort();
}

#[tokio::test]
async fn a_client_that_says_nothing_does_not_hold_up_the_end() {
    let running = host(&[], |_| async { reply("fine") })
        .start()
        .await
        .expect("started");
    let _silent = tokio::net::TcpStream::connect(running.addr())
        .await
        .expect("connected");

    assert!(running.shutdown().await.clean);
}

#[tokio::test]
async fn tasks_stop_after_their_tick_and_pools_close_last() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let (ticking, ticks) = (Arc::new(Notify::new()), Arc::clone(&order));
    let (inside, release) = (Arc::clone(&ticking), Arc::new(Notify::new()));
    let go_on = Arc::clone(&release);
    let tick = move || {
        let (inside, go_on, ticks) = (Arc::clone(&inside), Arc::clone(&go_on), Arc::clone(&ticks));
        async move {
            inside.notify_one();
            go_on.notified().await;
            ticks.lock().expect("not poisoned").push("tick");
            Ok(cleave_host::Report::idle())
        }
    };
    let closes = Arc::clone(&order);
    let running = host(&[], |_| async { reply("fine") })
        .task(cleave_host::Task::new(
            "slow",
            Duration::from_secs(60),
            tick,
        ))
        .on_stopped("database", async move {
            closes.lock().expect("not poisoned").push("closed");
            Ok(())
        })
        .start()
        .await
        .expect("started");
    ticking.notified().await;

    running.drain().begin();
    running.drain().token().cancelled().await;
    release.notify_one();

    assert!(running.wait().await.clean);
    assert_eq!(*order.lock().expect("not poisoned"), ["tick", "closed"]);
}

#[tokio::test]
async fn two_services_of_one_process_end_apart() {
    let first = host(&[], |_| async { reply("first") })
        .start()
        .await
        .expect("started");
    let second = host(&[], |_| async { reply("second") })
        .start()
        .await
        .expect("started");

    assert!(first.shutdown().await.clean);

    let answer = unary(&connect(second.addr()).await, "Call", String::new()).await;
    assert_eq!(answer.expect("answer"), "second");
    assert!(!second.drain().has_begun());
}

#[tokio::test]
async fn every_answer_during_the_drain_tells_the_caller_to_turn_away() {
    let running = host(&[("host.lame_duck", "20s")], |request| async move {
        if request.headers().contains_key("x-fail") {
            Status::not_found("as the test asked").into_http()
        } else {
            reply("fine")
        }
    })
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    let before = hints(&channel).await;

    running.drain().begin();

    assert_eq!(before, [None, None, None]);
    let told = || Some("1".to_owned());
    assert_eq!(hints(&channel).await, [told(), told(), told()]);
}

/// What an answer with a message, one without, and one of the host itself say about the end.
async fn hints(channel: &tonic::transport::Channel) -> [Option<String>; 3] {
    use http_body_util::BodyExt as _;
    use tower::{Service as _, ServiceExt as _};
    let mut found = [None, None, None];
    let metadata = ["x-none", "x-fail", "grpc-timeout"];
    for (hint, name) in found.iter_mut().zip(metadata) {
        let request = http::Request::post("/test.Script/Call")
            .header("content-type", "application/grpc")
            .header(name, "soon")
            .body(tonic::body::Body::empty())
            .expect("request");
        let mut channel = channel.clone();
        let answer = channel.ready().await.expect("ready").call(request).await;
        let (head, body) = answer.expect("answer").into_parts();
        let trailers = body.collect().await.expect("body").trailers().cloned();
        *hint = [Some(head.headers), trailers]
            .into_iter()
            .flatten()
            .find_map(|map| map.get("cleave-draining").cloned())
            .map(|value| value.to_str().expect("text").to_owned());
    }
    found
}
