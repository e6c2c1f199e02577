//! A service that runs, and how it ends.

use crate::config::HostSettings;
use crate::drain::Drain;
use crate::health::Readiness;
use crate::meter;
use crate::serve::Workers;
use crate::task::Driver;
use futures::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle as Thread;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What the threads get to end once everything on them was dropped.
const JOIN_GRACE: Duration = Duration::from_secs(1);

/// Something to do once calls and tasks are over.
pub(crate) struct Hook {
    pub(crate) name: &'static str,
    pub(crate) work: BoxFuture<'static, anyhow::Result<()>>,
}

/// Everything that runs.
pub(crate) struct Parts {
    pub(crate) name: Arc<str>,
    pub(crate) settings: HostSettings,
    pub(crate) listen: SocketAddr,
    pub(crate) admin_addr: SocketAddr,
    pub(crate) readiness: Readiness,
    pub(crate) drain: Drain,
    pub(crate) workers: Workers,
    pub(crate) threads: Vec<Thread<()>>,
    pub(crate) accepting: JoinHandle<()>,
    pub(crate) tasks: Driver,
    pub(crate) admin: JoinHandle<()>,
    pub(crate) hooks: Vec<Hook>,
}

/// How a service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether every call, task and hook came to its own end, rather than being cut off at the cap.
    pub clean: bool,
}

/// A service that runs. Dropping it does not end the service; [`Running::shutdown`] does.
#[derive(Debug, Clone)]
pub struct Running {
    listen: SocketAddr,
    admin: SocketAddr,
    readiness: Readiness,
    drain: Drain,
    stopped: watch::Receiver<Option<Stopped>>,
}

impl Running {
    pub(crate) fn new(parts: Parts) -> Self {
        let (told, stopped) = watch::channel(None);
        let running = Self {
            listen: parts.listen,
            admin: parts.admin_addr,
            readiness: parts.readiness.clone(),
            drain: parts.drain.clone(),
            stopped,
        };
        tokio::spawn(async move {
            let outcome = parts.end().await;
            told.send_replace(Some(outcome));
        });
        running
    }

    /// Where calls are served.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.listen
    }

    /// Where the admin port is.
    #[must_use]
    pub const fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// The end of the service.
    #[must_use]
    pub const fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Waits until the probes pass and calls are welcome.
    pub async fn ready(&self) {
        self.readiness.ready().await;
    }

    /// Waits until the service has ended.
    pub async fn wait(&self) -> Stopped {
        let mut stopped = self.stopped.clone();
        let ended = stopped
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|outcome| *outcome);
        // The task that ends the service tells the outcome unless its runtime is gone.
        ended.unwrap_or(Stopped { clean: false })
    }

    /// Ends the service and waits until it has ended.
    pub async fn shutdown(&self) -> Stopped {
        self.drain.begin();
        self.wait().await
    }
}

impl Parts {
    /// Waits for the end to begin, then goes through it in order, under the cap.
    async fn end(mut self) -> Stopped {
        let draining = meter::draining(&self.name);
        draining.set(0);
        self.drain.begun().await;
        draining.set(1);
        let start = Instant::now();
        tracing::info!(service.name = &*self.name, "draining");
        let cap = self.settings.drain_cap;
        let clean = tokio::time::timeout(cap, self.orderly()).await.is_ok();
        if !clean {
            tracing::warn!(
                service.name = &*self.name,
                cap_ms = cap.as_millis(),
                "drain cut off"
            );
        }
        self.workers.release();
        self.drain.kill();
        let threads = std::mem::take(&mut self.threads);
        let joined = threads.is_empty() || join(threads).await;
        self.admin.abort();
        crate::telemetry::flush(cap.saturating_sub(start.elapsed())).await;
        let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(service.name = &*self.name, clean, elapsed_ms, "stopped");
        Stopped {
            clean: clean && joined,
        }
    }

    /// The order of the end: health says no already; calls are still accepted for a while, for those who
    /// have not noticed; then nothing new comes in, streams end, calls and tasks finish, pools close.
    async fn orderly(&mut self) {
        self.readiness.set(false);
        tokio::time::sleep(self.settings.lame_duck).await;
        self.drain.close();
        // Ends by itself once the drain has closed; its failure would be a panic, logged already.
        let _ = (&mut self.accepting).await;
        self.workers.finished().await;
        self.drain.stop_tasks();
        self.tasks.stopped().await;
        for hook in std::mem::take(&mut self.hooks) {
            if let Err(error) = hook.work.await {
                tracing::warn!(hook.name, problem = %format!("{error:#}"), "not closed cleanly");
            }
        }
    }
}

/// Waits for the threads; whether all came to their end. A handler that blocks its thread must not hold up
/// the end of the service either.
async fn join(threads: Vec<Thread<()>>) -> bool {
    let joined = tokio::task::spawn_blocking(move || {
        threads.into_iter().all(|thread| thread.join().is_ok())
    });
    matches!(tokio::time::timeout(JOIN_GRACE, joined).await, Ok(Ok(true)))
}
