//! Every replica of both services is restarted again and again under load: no call fails, no stream is lost, and
//! no client that is stuck holds up the end.

use crate::{programs, turn};
use anyhow::{Context as _, Result, ensure};
use billing_client::{BillingClient, pb as billing_pb};
use cleave_e2e::advertisers::{self, Advertiser};
use cleave_e2e::steady::{Failure, Steady};
use cleave_e2e::{Process, Programs, Replicas, Stuck, tools, until};
use cleave_mesh::{CallError, Mesh};
use futures::{Stream, StreamExt as _};
use operations_client::{OperationsClient, pb as operations_pb};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often every replica is restarted.
const ROUNDS: usize = 10;
/// The replicas of each service.
pub(crate) const REPLICAS: usize = 2;
/// Calls per second to each service.
pub(crate) const RATE: u64 = 25;
/// The longest that a drain may take.
const CAP: Duration = Duration::from_secs(10);

/// Both services, and typed clients that know all replicas.
pub(crate) struct Both {
    pub(crate) operations: Replicas,
    pub(crate) billing: Replicas,
    pub(crate) operations_client: OperationsClient,
    pub(crate) billing_client: BillingClient,
}

impl Both {
    /// Starts replicas of these binaries.
    pub(crate) async fn start(programs: Programs<'_>) -> Result<Self> {
        let mut operations = Replicas::new(programs.operations, "operations", REPLICAS).await?;
        let mut billing = Replicas::new(programs.billing, "billing", REPLICAS).await?;
        operations.set("peers.billing", &billing.addresses());
        billing.set("peers.operations", &operations.addresses());
        for replicas in [&mut operations, &mut billing] {
            replicas.set("host.drain_cap", &format!("{}s", CAP.as_secs()));
            replicas.set("watch.heartbeat", "500ms");
        }
        let (one, other) = tokio::join!(operations.start(), billing.start());
        one?;
        other?;
        let mesh = Mesh::builder(cleave_contracts::POLICIES)
            .caller("cleave")
            .peer("operations", &operations.addresses())
            .peer("billing", &billing.addresses())
            .build()?;
        Ok(Self {
            operations_client: OperationsClient::new(mesh.to("operations")?),
            billing_client: BillingClient::new(mesh.to("billing")?),
            operations,
            billing,
        })
    }

    /// Restarts the replicas of this index, one of each service; the longest drain. Clients are stuck on the
    /// first of each.
    async fn restart(&mut self, index: usize) -> Result<Duration> {
        let (operations, billing) = (&mut self.operations[index], &mut self.billing[index]);
        let mut stuck = Vec::new();
        if index == 0 {
            for process in [&operations, &billing] {
                stuck.push(Stuck::watching(process.addr()).await?);
                stuck.push(Stuck::flooded(process.addr()).await?);
            }
        }
        let (one, other) = tokio::join!(restart(operations), restart(billing));
        Ok(one?.max(other?))
    }
}

/// Ends a replica and starts it again; how long the drain took.
pub(crate) async fn restart(process: &mut Process) -> Result<Duration> {
    let start = Instant::now();
    let status = process.stop().await?;
    let drained = start.elapsed();
    ensure!(
        status.success(),
        "{status} after {drained:?}:\n{}",
        process.log_text()
    );
    ensure!(drained < CAP, "the drain took {drained:?}");
    process.start().await?;
    Ok(drained)
}

/// A stream that is followed, whatever happens to the replicas.
pub(crate) struct Followed {
    messages: Arc<AtomicU64>,
    following: JoinHandle<Result<()>>,
}

impl Followed {
    pub(crate) fn start<M: Send>(
        what: &'static str,
        stream: impl Stream<Item = Result<M, CallError>> + Send + 'static,
    ) -> Self {
        let messages = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&messages);
        let following = tokio::spawn(async move {
            let mut stream = pin!(stream);
            while let Some(message) = stream.next().await {
                message.with_context(|| format!("following {what}"))?;
                count.fetch_add(1, Ordering::SeqCst);
            }
            anyhow::bail!("{what} ended")
        });
        Self {
            messages,
            following,
        }
    }

    /// Waits until the stream, or what it has become, says something.
    pub(crate) async fn speaks(&self) {
        let heard = self.messages.load(Ordering::SeqCst);
        until::holds("a followed stream speaks", || async {
            assert!(!self.following.is_finished(), "a followed stream ended");
            self.messages.load(Ordering::SeqCst) > heard + 1
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_load_and_stuck_clients_when_every_replica_restarts_then_no_call_fails() -> Result<()>
{
    let _turn = turn().await;
    let mut both = Both::start(programs()).await?;
    let known: Arc<[Advertiser]> = advertisers::open(&both.billing, 4).await?.into();
    let client = both.billing_client.clone();
    let to_billing = Steady::start(RATE, move |number| {
        let (client, known) = (client.clone(), Arc::clone(&known));
        async move { Ok(advertisers::call(&client, &known, number).await?) }
    });
    let client = both.operations_client.clone();
    let to_operations = Steady::start(RATE, move |number| {
        let client = client.clone();
        async move { Ok::<_, Failure>(tools::call(&client, number).await?) }
    });
    let followed = [
        Followed::start(
            "accounts",
            both.billing_client
                .follow_accounts(billing_pb::WatchAccountsRequest::default()),
        ),
        Followed::start(
            "delivery",
            both.operations_client
                .follow_delivery(operations_pb::WatchDeliveryRequest::default()),
        ),
    ];

    let start = Instant::now();
    let mut longest = Duration::ZERO;
    for _ in 0..ROUNDS {
        for index in 0..REPLICAS {
            longest = longest.max(both.restart(index).await?);
            for stream in &followed {
                stream.speaks().await;
            }
        }
    }

    let took = start.elapsed();
    let (billing, operations) = (to_billing.stop().await, to_operations.stop().await);
    println!(
        "rolling restart        | {} restarts in {took:.1?}, longest drain {longest:.1?}, all exit codes 0 | billing: {} \
         of {} failed, slowest {:.0?} | operations: {} of {} failed, slowest {:.0?}",
        2 * REPLICAS * ROUNDS,
        billing.failed(),
        billing.calls(),
        billing.slowest(),
        operations.failed(),
        operations.calls(),
        operations.slowest()
    );
    assert!(
        billing.failed() + operations.failed() == 0,
        "billing: {}; operations: {}\n{}\n{}",
        billing.why(),
        operations.why(),
        both.billing.complaints(),
        both.operations.complaints()
    );
    Ok(())
}
