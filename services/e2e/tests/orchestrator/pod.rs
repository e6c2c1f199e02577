//! One pod: where it is, what runs in it, and what its kubelet found.

use crate::kubelet;
use crate::spec::Spec;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the pods of one revision are made of.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub(crate) revision: u32,
    /// The database as the Secret names it, for what checks the schema and for what serves.
    pub(crate) schema: String,
    pub(crate) database: String,
    /// Settings beyond the manifests'.
    pub(crate) settings: Vec<(String, String)>,
}

/// What is done with a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Its first container waits for the schema.
    #[default]
    Waiting,
    /// It runs, ready or not.
    Running,
    /// It ended, and is started again later.
    Resting,
    /// It was told to end.
    Terminating,
    /// It has ended for good.
    Gone,
}

/// What is known of a pod.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) ready_since: Option<Instant>,
    pub(crate) restarts: u32,
    /// Whether it outlived its grace period.
    pub(crate) killed: bool,
    /// How it ended, when it did not when it was told to.
    pub(crate) words: String,
    /// Probes of liveness so far, and those of readiness that passed.
    pub(crate) alive_probes: u64,
    pub(crate) ready_probes: u64,
}

/// A pod's life, as its kubelet sees it.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) ip: Ipv4Addr,
    pub(crate) spec: Arc<Spec>,
    pub(crate) template: Template,
    pub(crate) log: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) state: watch::Sender<State>,
    /// Cancelled when the pod is deleted.
    pub(crate) deleted: CancellationToken,
}

/// A pod on a node.
#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) node: usize,
    pub(crate) life: Arc<Life>,
}

impl Pod {
    /// Starts its life.
    pub(crate) fn start(node: usize, life: Life) -> Self {
        let life = Arc::new(life);
        tokio::spawn(kubelet::keep(Arc::clone(&life)));
        Self { node, life }
    }

    pub(crate) fn state(&self) -> State {
        self.life.state.borrow().clone()
    }

    pub(crate) fn revision(&self) -> u32 {
        self.life.template.revision
    }

    pub(crate) fn delete(&self) {
        self.life.deleted.cancel();
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.life.deleted.is_cancelled()
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.is_deleted() && self.state().ready_since.is_some()
    }

    /// Whether it has been ready for long enough to count.
    pub(crate) fn is_available(&self) -> bool {
        let ready = self.state().ready_since;
        !self.is_deleted() && ready.is_some_and(|since| since.elapsed() >= self.life.spec.min_ready)
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        SocketAddr::from((self.life.ip, self.life.spec.admin))
    }

    /// What its processes logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.life.log).unwrap_or_default()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.delete();
    }
}
