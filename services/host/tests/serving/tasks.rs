//! Tasks tick on their period, when woken, and again after whatever went wrong.

use crate::rig::{host, page, reply};
use cleave_host::{Report, Running, StreamTask, Task};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc;

const NEVER: Duration = Duration::from_secs(3600);

async fn start(task: impl Into<cleave_host::Job>) -> Running {
    host(&[], |_| async { reply("fine") })
        .task(task)
        .start()
        .await
        .expect("started")
}

#[tokio::test]
async fn a_task_ticks_at_once_and_when_it_is_woken() {
    let (tell, mut ticks) = mpsc::unbounded_channel();
    let wake = Arc::new(Notify::new());
    let task = Task::new("counter", NEVER, move || {
        let told = tell.send(());
        async move {
            told?;
            Ok(Report::did(1))
        }
    });
    let running = start(task.wake(Arc::clone(&wake))).await;
    ticks.recv().await.expect("first");

    wake.notify_one();

    ticks.recv().await.expect("second");
    assert!(running.shutdown().await.clean);
}

#[tokio::test]
async fn a_task_with_more_to_do_ticks_again_at_once() {
    let (tell, mut ticks) = mpsc::unbounded_channel();
    let count = AtomicU32::new(0);
    let task = Task::new("batches", NEVER, move || {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let told = tell.send(n);
        async move {
            told?;
            Ok(if n < 2 {
                Report::more(100)
            } else {
                Report::did(3)
            })
        }
    });
    let _running = start(task).await;

    for n in 0..3 {
        assert_eq!(ticks.recv().await, Some(n));
    }
}

#[tokio::test]
async fn a_tick_that_panics_or_fails_is_told_and_tried_again() {
    let (tell, mut ticks) = mpsc::unbounded_channel();
    let count = AtomicU32::new(0);
    let task = Task::new("shaky", NEVER, move || {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let tell = tell.clone();
        async move {
            assert!(n > 0, "as the test asked");
            anyhow::ensure!(n > 1, "not yet");
            tell.send(n)?;
            Ok(Report::idle())
        }
    });
    let running = start(task).await;

    assert_eq!(ticks.recv().await, Some(2));
    let shaky = loop {
        let (_, text) = page(running.admin_addr(), "/mesh").await;
        let state: Value = serde_json::from_str(&text).expect("json");
        if state["tasks"]["shaky"]["runs"] == 3 {
            break state["tasks"]["shaky"].clone();
        }
    };
    assert_eq!(shaky["failures_in_a_row"], 0);
    assert_eq!(shaky["last_error"], Value::Null);
}

#[tokio::test]
async fn a_stream_that_ends_is_opened_again_and_stops_with_the_service() {
    let (tell, mut opened) = mpsc::unbounded_channel();
    let count = AtomicU32::new(0);
    let task = StreamTask::new("follower", move |session| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let tell = tell.clone();
        async move {
            tell.send(n)?;
            session.progress();
            anyhow::ensure!(n > 0, "the peer went away");
            session.stopped().await;
            Ok(())
        }
    });
    let running = start(task).await;
    assert_eq!(opened.recv().await, Some(0));
    assert_eq!(opened.recv().await, Some(1));

    assert!(running.shutdown().await.clean);
}

#[tokio::test]
async fn given_a_stream_that_could_not_be_opened_when_something_arrives_then_the_task_has_recovered()
 {
    let (tell, mut opened) = mpsc::unbounded_channel();
    let count = AtomicU32::new(0);
    let arrive = Arc::new(Notify::new());
    let arrives = Arc::clone(&arrive);
    let task = StreamTask::new("follower", move |session| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let (tell, arrives) = (tell.clone(), Arc::clone(&arrives));
        async move {
            tell.send(n)?;
            anyhow::ensure!(n > 0, "the peer is away");
            arrives.notified().await;
            session.progress();
            session.stopped().await;
            Ok(())
        }
    });
    // Given a task that has failed, and whose stream is open again
    let running = start(task).await;
    assert_eq!(opened.recv().await, Some(0));
    assert_eq!(opened.recv().await, Some(1));
    let state = async || {
        let (_, text) = page(running.admin_addr(), "/mesh").await;
        let state: Value = serde_json::from_str(&text).expect("json");
        state["tasks"]["follower"].clone()
    };
    let failed = state().await;
    assert_eq!(failed["failures_in_a_row"], 1);
    assert_eq!(failed["last_error"], "the peer is away");

    // When something arrives on it
    arrive.notify_one();

    // Then the failure is over, although the stream goes on
    while state().await["failures_in_a_row"] != 0 {
        crate::rig::rest().await;
    }
    assert_eq!(state().await["last_error"], Value::Null);
}
