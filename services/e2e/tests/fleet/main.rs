//! What must hold when replicas, or whole peers, fail under load: both services as processes, or hosts of the
//! tests' own, over real sockets.
//!
//! The scenarios take turns, because each one measures what callers feel.

mod bad_replica;
mod chain;
mod control;
mod exactly_once;
mod host;
mod outage;
mod overload;
mod rollout;
mod upgrade;

use cleave_e2e::Programs;
use std::path::Path;
use tokio::sync::{Mutex, MutexGuard};

/// The Billing binary.
pub(crate) fn billing() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_e2e-billing"))
}

/// The Operations binary.
pub(crate) fn operations() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_e2e-operations"))
}

/// Both of this build.
pub(crate) fn programs() -> Programs<'static> {
    Programs {
        operations: operations(),
        billing: billing(),
    }
}

/// Waits until no other scenario runs.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}
