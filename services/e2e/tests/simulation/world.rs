//! What the replicas of one run share: their databases, the journal, and what faults do to them from
//! within.

use crate::calls::Tally;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::network::Network;
use crate::plan::Plan;
use crate::rows::Delivery;
use crate::settings::{PORT, host, tuning};
use cleave_host::{Host, HostBuilder, Running};
use cleave_kernel::Timestamp;
use cleave_mesh::policy::PolicyTable;
use cleave_mesh::{Mesh, PeerState};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tonic::Status;

/// When the simulated world begins: noon of some day.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// What goes wrong inside a host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble {
    /// Its database takes up to so much longer, in milliseconds.
    pub(crate) slow_ms: u64,
    /// It answers UNAVAILABLE at once.
    pub(crate) refuses: bool,
    /// Its clock is ahead, or behind.
    pub(crate) skew: Duration,
    pub(crate) behind: bool,
}

/// What a watcher of accounts has seen, by account: free, held, revision.
pub(crate) type Seen = BTreeMap<String, (i64, i64, i64)>;

/// What was last heard of a host that calls peers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    pub(crate) peers: Vec<PeerState>,
    pub(crate) tasks: usize,
    pub(crate) streams: usize,
    pub(crate) at: Duration,
}

/// What the replicas of one run share.
pub(crate) struct World {
    pub(crate) journal: Arc<Journal>,
    pub(crate) network: Network,
    pub(crate) ledger: Ledger,
    pub(crate) delivery: Delivery,
    pub(crate) plan: Plan,
    pub(crate) tally: Tally,
    /// The addresses of each side.
    pub(crate) billing: String,
    pub(crate) operations: String,
    pub(crate) trouble: Mutex<BTreeMap<&'static str, Trouble>>,
    pub(crate) running: Mutex<BTreeMap<&'static str, Running>>,
    /// Tells hosts that they die.
    pub(crate) deaths: BTreeMap<&'static str, Notify>,
    pub(crate) seen: Mutex<BTreeMap<&'static str, Seen>>,
    pub(crate) heard: Mutex<BTreeMap<&'static str, Heard>>,
    /// What the source of delivery has served, on its disk.
    pub(crate) served: Mutex<BTreeMap<usize, (i64, i64)>>,
}

/// The guarded value; every value here is whole between two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The addresses of hosts, as a peer is configured.
pub(crate) fn addresses(hosts: &[&str]) -> String {
    let addresses: Vec<_> = hosts
        .iter()
        .map(|host| format!("http://{host}:{PORT}"))
        .collect();
    addresses.join(",")
}

impl World {
    /// What goes wrong inside a host now.
    pub(crate) fn trouble(&self, host: &str) -> Trouble {
        lock(&self.trouble).get(host).cloned().unwrap_or_default()
    }

    /// The instant by a host's own clock.
    pub(crate) fn now(&self, host: &str) -> Timestamp {
        let trouble = self.trouble(host);
        let now = BEGINNING.plus(self.journal.now());
        if trouble.behind {
            now.minus(trouble.skew)
        } else {
            now.plus(trouble.skew)
        }
    }

    /// The way to the database, or back from it.
    pub(crate) async fn travel(&self, host: &str) {
        let slow = self.trouble(host).slow_ms;
        let micros = fastrand::u64(100..3_000) + fastrand::u64(0..=slow * 1_000);
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }

    /// A call has reached the handler of a host.
    pub(crate) fn arrive(&self, host: &str, method: &str, id: &str) -> Result<(), Status> {
        self.journal.note(host, format_args!("has {method} {id}"));
        if self.trouble(host).refuses {
            return Err(Status::unavailable("told to refuse"));
        }
        Ok(())
    }

    /// A service on this host, but for what it serves.
    pub(crate) fn host(&self, name: &str) -> HostBuilder {
        Host::builder(name, &host())
            .policies(cleave_contracts::POLICIES)
            .network(Arc::new(self.network.clone()))
    }

    /// A mesh in which both sides can be reached.
    pub(crate) fn mesh(&self, caller: &str, policies: PolicyTable) -> Mesh {
        Mesh::builder(policies)
            .caller(caller)
            .peer(billing_client::PEER, &self.billing)
            .peer(operations_client::PEER, &self.operations)
            .connect(Arc::new(self.network.clone()))
            .tuning(tuning())
            .build()
            .expect("addresses of hosts")
    }

    /// Takes note of what a host knows of its peers, and of how much is going on there.
    pub(crate) fn hear(&self, host: &'static str, mesh: &Mesh) {
        let heard = Heard {
            peers: mesh.state(),
            tasks: tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
            streams: self.network.open_here(host),
            at: self.journal.now(),
        };
        lock(&self.heard).insert(host, heard);
    }

    /// Runs a host until it dies.
    pub(crate) async fn live(
        &self,
        host: &'static str,
        life: impl Future<Output = turmoil::Result>,
    ) -> turmoil::Result {
        tokio::select! {
            biased;
            () = self.deaths[host].notified() => self.network.sever(host),
            ended = life => return ended,
        }
        // What is left is dropped from outside.
        std::future::pending().await
    }

    /// Runs a service until it has drained, and starts it again.
    pub(crate) async fn keep(
        &self,
        host: &'static str,
        start: impl AsyncFn() -> anyhow::Result<Running>,
    ) -> anyhow::Result<()> {
        loop {
            let running = start().await?;
            self.journal.note(host, format_args!("is up"));
            lock(&self.running).insert(host, running.clone());
            running.drain().begun().await;
            let begun = tokio::time::Instant::now();
            let stopped = running.wait().await;
            let took = begun.elapsed();
            self.journal
                .note(host, format_args!("drained, clean: {}", stopped.clean));
            if took > crate::settings::DRAIN_CAP + Duration::from_millis(50) {
                self.journal
                    .broke(host, format_args!("its drain took {took:?}"));
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}
