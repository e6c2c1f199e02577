//! Runs the tasks of a service and stops them.

use super::state::TaskState;
use super::stream::StreamTask;
use super::tick::Task;
use crate::probe::Probe;
use cleave_mesh::context::{self, CallContext};
use futures::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Either kind of task.
#[derive(Debug)]
pub enum Job {
    /// One that ticks.
    Tick(Task),
    /// One that follows a stream.
    Stream(StreamTask),
}

impl From<Task> for Job {
    fn from(task: Task) -> Self {
        Self::Tick(task)
    }
}

impl From<StreamTask> for Job {
    fn from(task: StreamTask) -> Self {
        Self::Stream(task)
    }
}

/// The running tasks of a service.
#[derive(Debug, Clone)]
pub(crate) struct Driver {
    running: TaskTracker,
    states: Arc<[TaskState]>,
}

impl Driver {
    /// Starts the tasks; they run until `stop`, dropped at once on `kill`.
    pub(crate) fn start(
        service: &str,
        jobs: Vec<Job>,
        stop: &CancellationToken,
        kill: &CancellationToken,
    ) -> Self {
        let service: Arc<str> = Arc::from(service);
        let running = TaskTracker::new();
        let mut states = Vec::with_capacity(jobs.len());
        for job in jobs {
            let (name, required) = match &job {
                Job::Tick(task) => (task.name, task.required),
                Job::Stream(task) => (task.name, false),
            };
            let state = TaskState::new(Arc::clone(&service), name, required);
            states.push(state.clone());
            let (stop, kill) = (stop.clone(), kill.clone());
            running.spawn(async move {
                let run = async move {
                    match job {
                        Job::Tick(task) => task.run(state, stop).await,
                        Job::Stream(task) => task.run(state, stop).await,
                    }
                };
                tokio::select! {
                    biased;
                    () = run => {}
                    () = kill.cancelled() => {}
                }
            });
        }
        running.close();
        Self {
            running,
            states: states.into(),
        }
    }

    /// Waits until all have stopped.
    pub(crate) async fn stopped(&self) {
        self.running.wait().await;
    }

    /// Fails while a task keeps the service from being ready.
    pub(crate) fn probe(&self, patience: Duration) -> Probe {
        let states = Arc::clone(&self.states);
        Probe::new("tasks", move || {
            let troubles: Vec<String> = states
                .iter()
                .filter_map(|state| state.trouble(patience))
                .collect();
            async move {
                anyhow::ensure!(troubles.is_empty(), troubles.join("; "));
                Ok(())
            }
        })
    }

    /// What is known of each.
    pub(crate) fn states(&self) -> &[TaskState] {
        &self.states
    }
}

/// Runs a piece of a task as the start of a trace; a panic is a failure like any other.
pub(super) async fn attempt<T>(
    name: &'static str,
    work: impl Future<Output = anyhow::Result<T>>,
) -> Result<T, String> {
    let context = CallContext::root();
    let trace = context.trace.trace_id();
    let span = tracing::info_span!(
        "task",
        task.name = name,
        // Of a call that it makes, and that fails.
        rpc.cause = tracing::field::Empty,
        trace.id = %trace,
    );
    let work = context::scope(context, work).instrument(span);
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err("it panicked".to_owned()),
    }
}

/// Waits, but not beyond the stop.
pub(super) async fn pause(wait: Duration, stop: &CancellationToken) {
    tokio::select! {
        biased;
        () = tokio::time::sleep(wait) => {}
        () = stop.cancelled() => {}
    }
}
