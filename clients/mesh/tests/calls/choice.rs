//! Which replica gets a call, beyond failures: where they are, what they say of themselves, how full they are.

use crate::peer::{POLICIES, unary};
use crate::replica::{Fleet, Health, Load, Mode, Replica, WORK, tuning, until};
use cleave_mesh::{CallError, Cause, Mesh, Resolve, ResolveError, Resolved, Tuning};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tonic::Code;

const SERVING: Health = Health::Says(1);
const NOT_SERVING: Health = Health::Says(2);

/// A resolver that says what the test tells it.
#[derive(Clone)]
struct Told(watch::Sender<Result<Vec<String>, String>>);

impl Told {
    fn tell(&self, told: Result<Vec<String>, String>) {
        self.0.send_modify(|known| *known = told);
    }
}

impl Resolve for Told {
    fn resolve(&self) -> BoxFuture<'static, Result<Resolved, ResolveError>> {
        let told = self.0.borrow().clone();
        Box::pin(async move {
            Ok(Resolved {
                addresses: told.map_err(ResolveError)?,
                valid_for: None,
            })
        })
    }

    fn changed(&self) -> BoxFuture<'static, ()> {
        let mut told = self.0.subscribe();
        Box::pin(async move {
            let _ = told.changed().await;
        })
    }
}

#[tokio::test]
async fn replicas_that_come_get_calls_and_those_that_go_finish_theirs() {
    let (one, two) = (Replica::start().await, Replica::start().await);
    let told = Told(watch::Sender::new(Ok(vec![one.address.to_string()])));
    let mesh = Mesh::builder(POLICIES)
        .peer_at("script", Arc::new(told.clone()))
        .tuning(tuning())
        .build()
        .expect("mesh");
    let load = Load::start(&mesh.to("script").expect("peer"), "Write", 4);
    until(|| one.calls() > 50).await;

    told.tell(Ok(vec![one.address.to_string(), two.address.to_string()]));
    until(|| two.calls() > 50).await;
    told.tell(Err("the name service is away".to_owned()));
    load.more(50).await;
    told.tell(Ok(vec![two.address.to_string()]));
    until(|| mesh.state()[0].replicas.len() == 1).await;
    load.more(10).await;
    let before = one.calls();
    load.more(100).await;

    assert_eq!(one.calls(), before, "the one that is gone gets no more");
    assert_eq!(load.stop().await.1.len(), 0);
}

#[tokio::test]
async fn a_peer_without_a_replica_says_so() {
    let told = Told(watch::Sender::new(Ok(Vec::new())));
    let mesh = Mesh::builder(POLICIES)
        .peer_at("script", Arc::new(told))
        .build();
    let channel = mesh.expect("mesh").to("script").expect("peer");

    let error = CallError::from(unary(&channel, "Write", "x").await.expect_err("nobody"));

    assert_eq!(
        (error.code, error.cause),
        (Code::Unavailable, Cause::NoEndpoint)
    );
}

#[tokio::test]
async fn a_replica_that_says_it_drains_gets_no_more_calls() {
    let fleet = Fleet::start(3).await;
    let load = Load::start(&fleet.channel, "Read", 4);
    fleet.warm().await;

    fleet.replicas[0].set(Mode::Drain);
    until(|| fleet.state_of(0) == "draining").await;
    load.more(20).await;
    let before = fleet.replicas[0].calls();
    load.more(500).await;

    assert_eq!(fleet.replicas[0].calls(), before);
    assert_eq!(load.stop().await.1.len(), 0);
}

#[tokio::test]
async fn a_replica_that_does_not_serve_waits_until_it_does() {
    let one = Replica::start_with(None, SERVING).await;
    let two = Replica::start_with(None, NOT_SERVING).await;
    let mesh = Mesh::builder(POLICIES)
        .peer("script", &format!("{},{}", one.address, two.address))
        .tuning(tuning())
        .build()
        .expect("mesh");
    let state = |index: usize| mesh.state()[0].replicas[index].state;
    let load = Load::start(&mesh.to("script").expect("peer"), "Read", 4);
    until(|| state(0) == "ready" && state(1) == "not serving").await;
    let before = two.calls();
    load.more(200).await;
    assert!(two.calls() <= before + 4, "only what was under way");

    two.say(SERVING);
    until(|| two.calls() > before + 50).await;
    one.say(NOT_SERVING);
    until(|| state(0) == "not serving").await;
    load.more(10).await;
    let before = one.calls();
    load.more(200).await;
    assert_eq!(one.calls(), before);

    two.say(NOT_SERVING);
    load.more(200).await;
    assert_eq!(
        load.stop().await.1.len(),
        0,
        "the last ones are asked all the same"
    );
}

#[tokio::test]
async fn more_connections_are_made_when_the_streams_run_out_but_not_without_end() {
    let one = Replica::start_with(Some(2), Health::Absent).await;
    one.set(Mode::Answer(WORK * 20));
    let mesh = Mesh::builder(POLICIES)
        .peer("script", &one.address.to_string())
        .tuning(tuning())
        .build()
        .expect("mesh");
    let load = Load::start(&mesh.to("script").expect("peer"), "Write", 40);

    until(|| mesh.state()[0].replicas[0].connections == 10).await;
    load.more(200).await;

    assert_eq!(mesh.state()[0].replicas[0].connections, 10);
    assert_eq!(load.stop().await.1.len(), 0);
}

#[tokio::test]
async fn a_replica_that_stalls_one_call_is_left_for_another_in_time() {
    let fleet = Fleet::start(2).await;
    let load = Load::start(&fleet.channel, "Read", 4);
    fleet.warm().await;
    load.stop().await;
    fleet.replicas[0].set(Mode::Hang);

    for _ in 0..8 {
        let mut request = tonic::Request::new("x".to_owned());
        request.set_timeout(Duration::from_secs(2));
        crate::peer::call(&fleet.channel, "Read", request)
            .await
            .expect("the other one answers");
    }
}

#[tokio::test]
async fn a_refusal_by_a_replica_that_was_ejected_is_a_refusal() {
    let fleet = Fleet::start(1).await;
    let ask = async |method| {
        unary(&fleet.channel, method, "x")
            .await
            .map_err(CallError::from)
    };
    fleet.replicas[0].set(Mode::Refuse(Code::Unavailable));
    let mut failed = ask("Write").await.expect_err("refused");
    for _ in 0..100 {
        if fleet.state_of(0) == "ejected" {
            break;
        }
        failed = ask("Write").await.expect_err("refused");
    }
    assert_eq!(failed.code, Code::Unavailable);
    let failed = ask("Write").await.expect_err("refused");
    assert_eq!(failed.cause, Cause::Ejected);

    fleet.replicas[0].set(Mode::Refuse(Code::FailedPrecondition));
    let refused = ask("Write").await.expect_err("refused");

    assert_eq!(refused.code, Code::FailedPrecondition);
    assert_eq!(refused.cause, Cause::Refused);
}

#[tokio::test]
async fn given_a_replica_of_one_stream_when_its_health_is_told_then_calls_get_the_stream() {
    // Given a replica that allows a single stream, and one connection to it
    let replica = Replica::start_with(Some(1), SERVING).await;
    let mesh = Mesh::builder(POLICIES)
        .peer("script", &replica.address.to_string())
        .tuning(Tuning {
            max_connections: 1,
            ..tuning()
        })
        .build()
        .expect("mesh");

    // When calls leave it idle now and then, for longer than it takes to try the watch again
    let channel = mesh.to("script").expect("peer");
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(1_500) {
        unary(&channel, "Write", "x").await.expect("an answer");
        tokio::time::sleep(WORK).await;
    }

    // Then each had the stream, and the replica is taken to serve
    assert_eq!(mesh.state()[0].replicas[0].state, "ready");
}
