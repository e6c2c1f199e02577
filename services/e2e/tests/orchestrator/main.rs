//! What an orchestrator does to a service, by its manifests: kubelet, Deployment, drain and name service, with real
//! processes as the pods.
//!
//! Probes, their thresholds, replicas, surge, budget and grace are read from the rendered manifests. Periods are divided
//! by a number that each scenario names; bounds in time, such as timeouts and the grace period, are kept. Each pod has
//! an address of its own in 127.0.0.0/8, and is found by the name of the headless Service.
//!
//! The replicas share a PostgreSQL; without one nothing is covered, which is told on stderr.

mod cluster;
mod crash;
mod disruption;
mod kubelet;
mod migration;
mod names;
mod outage;
mod pod;
mod rig;
mod rollout;
mod side;
mod spec;

use tokio::sync::{Mutex, MutexGuard};

/// Waits until no other scenario runs: each measures what callers feel.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}
