//! The tap: calls as they end, with their messages, for whoever watches on the admin port.
//!
//! A call that nobody watches pays one relaxed load. One that somebody may want to see has the beginning of its
//! messages copied, up to a limit, and is handed to the viewers when it ends; each viewer decodes on its own
//! time and misses what it cannot take in. Fields that the contract marks `debug_redact` are never shown, nor is
//! what the contract does not know ([`show`]).

mod filter;
mod page;
mod recording;
mod show;

pub(crate) use filter::Query;
pub(crate) use page::stream;
pub(crate) use recording::{End, Recorder, Tape};
pub(crate) use show::Contracts;

use cleave_mesh::context::CallContext;
use filter::Filter;
use recording::Recorded;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Viewers at one time.
const VIEWERS: usize = 4;
/// Calls that wait for one viewer.
const WAITING: usize = 64;
/// Calls recorded at one time; each keeps up to two limits of bytes.
const RECORDERS: usize = 256;

/// Everybody who watches the calls of a service. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taps {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The number of viewers, to be read without the lock.
    watching: AtomicUsize,
    viewers: Mutex<Vec<Arc<Viewer>>>,
    recorders: AtomicUsize,
}

/// One who watches.
#[derive(Debug)]
struct Viewer {
    filter: Filter,
    calls: mpsc::Sender<Arc<Recorded>>,
    /// Calls that it should have seen and did not.
    lost: AtomicU64,
}

/// There are as many viewers as there may be.
#[derive(Debug, thiserror::Error)]
#[error("{VIEWERS} viewers watch already")]
pub(crate) struct Crowded;

impl Taps {
    /// A call begins; its recorder, when somebody may want to see it.
    pub(crate) fn begin(&self, path: &str, context: &CallContext) -> Option<Recorder> {
        if self.shared.watching.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.record(path, context)
    }

    #[cold]
    fn record(&self, path: &str, context: &CallContext) -> Option<Recorder> {
        let caller = context.caller.as_deref();
        let viewers: Vec<Arc<Viewer>> = self
            .viewers()
            .iter()
            .filter(|viewer| viewer.filter.may_pass(path, caller))
            .cloned()
            .collect();
        if viewers.is_empty() {
            return None;
        }
        if self.shared.recorders.fetch_add(1, Ordering::Relaxed) >= RECORDERS {
            self.shared.recorders.fetch_sub(1, Ordering::Relaxed);
            for viewer in &viewers {
                viewer.lose();
            }
            return None;
        }
        Some(Recorder::new(self.clone(), viewers))
    }

    fn watch(&self, filter: Filter) -> Result<Watch, Crowded> {
        let (calls, received) = mpsc::channel(WAITING);
        let viewer = Arc::new(Viewer {
            filter,
            calls,
            lost: AtomicU64::new(0),
        });
        let mut viewers = self.viewers();
        if viewers.len() >= VIEWERS {
            return Err(Crowded);
        }
        viewers.push(Arc::clone(&viewer));
        self.shared.watching.store(viewers.len(), Ordering::Relaxed);
        drop(viewers);
        Ok(Watch {
            taps: self.clone(),
            viewer,
            calls: received,
        })
    }

    fn viewers(&self) -> MutexGuard<'_, Vec<Arc<Viewer>>> {
        let viewers = self.shared.viewers.lock();
        viewers.unwrap_or_else(PoisonError::into_inner)
    }

    fn recorder_done(&self) {
        self.shared.recorders.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Viewer {
    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Hands a call over, if it is one of those asked for; never waits.
    fn offer(&self, call: &Arc<Recorded>) {
        if self.filter.passes(call) && self.calls.try_send(Arc::clone(call)).is_err() {
            self.lose();
        }
    }
}

/// A viewer's end of its tap. Dropped, the tap is closed.
struct Watch {
    taps: Taps,
    viewer: Arc<Viewer>,
    calls: mpsc::Receiver<Arc<Recorded>>,
}

impl Watch {
    /// The next call, and how many were lost since the last one.
    async fn next(&mut self) -> Option<(u64, Arc<Recorded>)> {
        let call = self.calls.recv().await?;
        Some((self.viewer.lost.swap(0, Ordering::Relaxed), call))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut viewers = self.taps.viewers();
        viewers.retain(|viewer| !Arc::ptr_eq(viewer, &self.viewer));
        self.taps
            .shared
            .watching
            .store(viewers.len(), Ordering::Relaxed);
    }
}
