//! Where a call comes from: what is known of its connection.

use super::activity::{Activity, Busy};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nobody has an identity here: callers are believed.
    Believed,
    /// A client without a certificate where others have one.
    Anonymous,
    /// A workload that has proved to be this one.
    Workload(Arc<str>),
}

/// What is known of the connection that a call comes over.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) remote: Option<SocketAddr>,
    pub(super) identity: Identity,
    pub(super) activity: Arc<Activity>,
    /// Cancelled when streams must leave the connection.
    pub(super) retired: CancellationToken,
}

impl Origin {
    pub(super) fn new(remote: Option<SocketAddr>, identity: Identity) -> Self {
        Self {
            remote,
            identity,
            activity: Arc::new(Activity::new()),
            retired: CancellationToken::new(),
        }
    }

    /// A call begins.
    pub(super) fn busy(&self) -> Busy {
        self.activity.begin()
    }
}
