//! One thread per core, each with a runtime of its own that serves its share of the connections.
//!
//! A call never moves between threads, which costs less than half of what a work-stealing runtime takes.
//! The runtimes outlive their connections until the service is over: connections to a database that were
//! opened by a handler belong to them.

use super::call::Stack;
use super::connection;
use super::handshake::Handshake;
use super::listen::Incoming;
use super::slot::Slot;
use crate::drain::Drain;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Connections that a busy worker has not yet taken.
const BACKLOG: usize = 256;
/// What a runtime's blocking threads get at the very end.
const BLOCKING_GRACE: Duration = Duration::from_millis(100);

/// A connection on its way to a worker, with its place.
type Accepted = (Incoming, Slot);

/// What each worker serves, with the proof that it does.
type Shares = Vec<(Worker, TaskTrackerToken)>;

/// The workers of one service. Clones are the same workers.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queues: Vec<mpsc::Sender<Accepted>>,
    next: AtomicUsize,
    serving: TaskTracker,
    release: CancellationToken,
}

impl Workers {
    /// Starts `count` threads; 0 means one per core.
    pub(crate) fn start(
        name: &str,
        count: usize,
        handshake: &Handshake,
        stack: &Stack,
        drain: &Drain,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if count == 0 { cores() } else { count };
        let (workers, shares) = Self::divide(count, handshake, stack, drain);
        let mut threads = Vec::with_capacity(count);
        for (index, (worker, serving)) in shares.into_iter().enumerate() {
            let thread = std::thread::Builder::new().name(format!("{name}-{index}"));
            let runtime = Builder::new_current_thread().enable_all().build()?;
            threads.push(thread.spawn(move || {
                runtime.block_on(worker.run(serving));
                runtime.shutdown_timeout(BLOCKING_GRACE);
            })?);
        }
        Ok((workers, threads))
    }

    /// Serves on the present runtime, for a network whose connections cannot leave it.
    pub(crate) fn here(handshake: &Handshake, stack: &Stack, drain: &Drain) -> Self {
        let (workers, shares) = Self::divide(1, handshake, stack, drain);
        for (worker, serving) in shares {
            tokio::spawn(worker.run(serving));
        }
        workers
    }

    fn divide(count: usize, handshake: &Handshake, stack: &Stack, drain: &Drain) -> (Self, Shares) {
        let serving = TaskTracker::new();
        let release = CancellationToken::new();
        let mut queues = Vec::with_capacity(count);
        let mut shares = Vec::with_capacity(count);
        for _ in 0..count {
            let (queue, connections) = mpsc::channel(BACKLOG);
            let worker = Worker {
                connections,
                handshake: handshake.clone(),
                stack: stack.clone(),
                drain: drain.clone(),
                release: release.clone(),
            };
            shares.push((worker, serving.token()));
            queues.push(queue);
        }
        serving.close();
        let inner = Arc::new(Inner {
            queues,
            next: AtomicUsize::new(0),
            serving,
            release,
        });
        (Self { inner }, shares)
    }

    /// Gives a connection to the next worker.
    pub(super) async fn hand_over(&self, connection: Incoming, slot: Slot) {
        let turn = self.inner.next.fetch_add(1, Ordering::Relaxed) % self.inner.queues.len();
        if self.inner.queues[turn]
            .send((connection, slot))
            .await
            .is_err()
        {
            tracing::debug!("a connection came too late");
        }
    }

    /// Waits until every worker has finished its connections, after the drain has closed.
    pub(crate) async fn finished(&self) {
        self.inner.serving.wait().await;
    }

    /// Lets the threads end.
    pub(crate) fn release(&self) {
        self.inner.release.cancel();
    }
}

/// One thread's share.
struct Worker {
    connections: mpsc::Receiver<Accepted>,
    handshake: Handshake,
    stack: Stack,
    drain: Drain,
    release: CancellationToken,
}

impl Worker {
    /// Serves until the drain; holds `_serving` while a connection is open.
    async fn run(mut self, serving: TaskTrackerToken) {
        let open = TaskTracker::new();
        loop {
            tokio::select! {
                biased;
                () = self.drain.token().cancelled() => break,
                accepted = self.connections.recv() => match accepted {
                    Some(accepted) => self.serve(accepted, &open),
                    None => break,
                },
            }
        }
        // What was accepted before the listener closed is still served.
        self.connections.close();
        while let Some(accepted) = self.connections.recv().await {
            self.serve(accepted, &open);
        }
        open.close();
        tokio::select! {
            biased;
            () = open.wait() => {}
            () = self.drain.killed().cancelled() => {}
        }
        drop(serving);
        tokio::select! {
            biased;
            () = self.release.cancelled() => {}
            () = self.drain.killed().cancelled() => {}
        }
    }

    fn serve(&self, (connection, slot): Accepted, open: &TaskTracker) {
        match connection.settle() {
            Ok(socket) => {
                open.spawn(connection::serve(
                    socket,
                    self.handshake.clone(),
                    self.stack.clone(),
                    self.drain.clone(),
                    slot,
                ));
            }
            Err(error) => tracing::debug!(%error, "a connection could not be used"),
        }
    }
}
