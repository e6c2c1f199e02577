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
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Connections that a busy worker has not yet taken: as many as the system lets wait for all of them together, so
/// that none is closed because many came at once.
const BACKLOG: usize = 1_024;
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

    /// Gives a connection to the next worker that takes one; closes it when none does.
    pub(super) fn hand_over(&self, connection: Incoming, slot: Slot) {
        let turn = self.inner.next.fetch_add(1, Ordering::Relaxed);
        if let Some((_, slot)) = deal(&self.inner.queues, turn, (connection, slot)) {
            slot.metrics().refused.increment(1);
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

/// Puts the item into one of the queues, from `turn` on: an empty one if there is any, for whoever blocks does not
/// take from its own. Gives it back when all are full.
fn deal<T>(queues: &[mpsc::Sender<T>], turn: usize, mut item: T) -> Option<T> {
    let (later, sooner) = queues.split_at(turn % queues.len());
    let in_turn = || sooner.iter().chain(later);
    let empty = in_turn().filter(|queue| queue.capacity() == queue.max_capacity());
    for queue in empty.chain(in_turn()) {
        match queue.try_send(item) {
            Ok(()) => return None,
            Err(TrySendError::Full(back) | TrySendError::Closed(back)) => item = back,
        }
    }
    Some(item)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_workers_that_fall_behind_then_whoever_has_room_is_next_and_what_nobody_takes_comes_back()
     {
        // Given three workers with room for two each, and turns that begin at the second one
        let (queues, mut taken): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel(2)).unzip();
        let mut drain = |worker: usize| {
            std::iter::from_fn(|| taken[worker].try_recv().ok()).collect::<Vec<_>>()
        };

        // When only the first one takes what it gets, each turn
        let mut first = Vec::new();
        for turn in 1..=6 {
            assert_eq!(deal(&queues, turn, turn), None);
            first.extend(drain(0));
        }

        // Then the others have one connection each waiting
        assert_eq!(first, [3, 4, 5, 6]);
        // And when none takes any, all that fits waits, and the rest comes back
        let back: Vec<_> = (7..=12)
            .filter_map(|turn| deal(&queues, turn, turn))
            .collect();
        assert_eq!(back, [11, 12]);
        assert_eq!(
            [drain(0), drain(1), drain(2)],
            [vec![7, 9], vec![1, 10], vec![2, 8]]
        );
    }
}
