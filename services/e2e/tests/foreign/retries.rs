//! A foreign client with a retry policy of its own: what the host tells it makes its retries right.

use crate::services::host;
use crate::tools::Tools;
use anyhow::Result;
use cleave_host::status::Domain;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tonic::{Request, Response, Status};

/// What the host saw of an attempt.
type Seen = Arc<Mutex<Vec<(Instant, Option<String>)>>>;

/// A policy that any gRPC client understands. Its waits are short, but not so short that grpcio forgets to end
/// them: it does below some milliseconds.
fn policy() -> Value {
    json!({"methodConfig": [{
        "name": [{"service": "test.Script"}],
        "retryPolicy": {
            "maxAttempts": 4, "initialBackoff": "0.02s", "maxBackoff": "0.05s",
            "backoffMultiplier": 1.0,
            "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
        },
    }]})
}

fn note(seen: &Seen, request: &Request<String>) -> usize {
    let mut seen = seen.lock().expect("not poisoned");
    let previous = request.metadata().get("grpc-previous-rpc-attempts");
    let previous = previous.map(|value| value.to_str().expect("text").to_owned());
    seen.push((Instant::now(), previous));
    seen.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_retry_policy_when_attempts_fail_then_the_client_repeats_them() -> Result<()> {
    let Some(tools) = Tools::find("a Python client's retries") else {
        return Ok(());
    };
    let seen = Seen::default();
    let noting = Arc::clone(&seen);
    let host = host(move |request| match note(&noting, &request) {
        1 | 2 => Err(Status::unavailable("not yet")),
        _ => Ok(Response::new(request.into_inner())),
    })
    .await?;
    let order = json!({"target": host.addr().to_string(), "plain": true, "config": policy(),
        "method": "/test.Script/Call", "request": "hello"});
    let called = tools.caller()?.ask(order).await?;
    assert_eq!(called["code"], "OK", "{called} {seen:?}");
    assert_eq!(called["replies"][0], "hello");
    let previous: Vec<_> = seen
        .lock()
        .expect("not poisoned")
        .iter()
        .map(|one| one.1.clone())
        .collect();
    assert_eq!(previous, [None, Some("1".to_owned()), Some("2".to_owned())]);
    host.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_an_overloaded_host_when_it_names_a_time_then_the_client_waits_for_it() -> Result<()>
{
    const PUSHBACK: Duration = Duration::from_millis(400);
    let Some(tools) = Tools::find("pushback obeyed by a Python client") else {
        return Ok(());
    };
    let seen = Seen::default();
    let noting = Arc::clone(&seen);
    let host = host(move |request| match note(&noting, &request) {
        1 => {
            let domain = Domain::new("script.test");
            Err(domain.exhausted("BUSY", "come back later", PUSHBACK).into())
        }
        _ => Ok(Response::new(request.into_inner())),
    })
    .await?;
    let order = json!({"target": host.addr().to_string(), "plain": true, "config": policy(),
        "method": "/test.Script/Call", "request": "hello"});
    let called = tools.caller()?.ask(order).await?;
    assert_eq!(called["code"], "OK", "{called}");
    let times: Vec<_> = seen
        .lock()
        .expect("not poisoned")
        .iter()
        .map(|one| one.0)
        .collect();
    assert_eq!(times.len(), 2);
    assert!(times[1] - times[0] >= PUSHBACK, "{:?}", times[1] - times[0]);
    host.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_deadline_when_the_client_sets_it_then_the_handler_knows_it() -> Result<()> {
    let Some(tools) = Tools::find("a Python client's deadline") else {
        return Ok(());
    };
    let left = Arc::new(AtomicUsize::new(0));
    let noting = Arc::clone(&left);
    let host = host(move |_| {
        let deadline = cleave_mesh::Deadline::current();
        let millis = deadline.map_or(0, |deadline| deadline.remaining().as_millis());
        noting.store(
            usize::try_from(millis).unwrap_or(usize::MAX),
            Ordering::SeqCst,
        );
        Err(Status::deadline_exceeded("in good time"))
    })
    .await?;
    let order = json!({"target": host.addr().to_string(), "plain": true, "timeout": 5,
        "method": "/test.Script/Call", "request": "hello"});
    let called = tools.caller()?.ask(order).await?;
    assert_eq!(called["code"], "DEADLINE_EXCEEDED", "{called}");
    let left = left.load(Ordering::SeqCst);
    assert!((1..=5_000).contains(&left), "{left}");
    host.shutdown().await;
    Ok(())
}
