//! The end of a service, in order and in bounded time.
//!
//! One object for SIGTERM, Ctrl-C and tests. Each stage is a token; whoever takes part waits for its own:
//! health turns NOT_SERVING (`begun`), then the listener closes and endless streams end (`closing`), those that
//! do not look a moment later than the others, then the tasks stop after their tick (`tasks`), and under one hard
//! cap everything is dropped (`killed`).

use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// The end of a service. Clones are the same object.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    stages: Arc<Stages>,
}

#[derive(Debug, Default)]
struct Stages {
    begun: CancellationToken,
    closing: CancellationToken,
    tasks: CancellationToken,
    killed: CancellationToken,
}

impl Drain {
    /// A service that is not ending.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the end. Doing it again changes nothing.
    pub fn begin(&self) {
        self.stages.begun.cancel();
    }

    /// Whether the end has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.stages.begun.is_cancelled()
    }

    /// Waits until the end has begun.
    pub async fn begun(&self) {
        self.stages.begun.cancelled().await;
    }

    /// Cancelled when streams without an end of their own must end; with [`Drain::status`].
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.stages.closing
    }

    /// What a stream ends with, so that its caller goes to another replica.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::unavailable("the service is shutting down; connect again")
    }

    /// Cancelled when tasks must stop after their tick.
    pub(crate) fn tasks(&self) -> &CancellationToken {
        &self.stages.tasks
    }

    /// Cancelled when whatever still runs is dropped.
    pub(crate) fn killed(&self) -> &CancellationToken {
        &self.stages.killed
    }

    /// Enters the second stage.
    pub(crate) fn close(&self) {
        self.stages.closing.cancel();
    }

    /// Enters the third stage.
    pub(crate) fn stop_tasks(&self) {
        self.stages.tasks.cancel();
    }

    /// Enters the last stage, and with it all others.
    pub(crate) fn kill(&self) {
        self.begin();
        self.close();
        self.stop_tasks();
        self.stages.killed.cancel();
    }
}

/// Waits for the operating system to ask for the end: SIGTERM or Ctrl-C.
pub async fn asked_by_system() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    biased;
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
                return;
            }
            Err(error) => tracing::warn!(%error, "SIGTERM cannot be watched"),
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Nobody will ask: only the program itself can begin the end.
        std::future::pending::<()>().await;
    }
}
