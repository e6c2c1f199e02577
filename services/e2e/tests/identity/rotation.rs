//! A change of authority under load: the old one, both, certificates of the new one, the new one alone.

use crate::World;
use anyhow::{Context as _, Result};
use billing_client::{BillingClient, pb as billing};
use cleave_e2e::identities::{Authority, Identity};
use cleave_e2e::network::{self, Plan};
use cleave_e2e::{Process, until};
use cleave_mesh::CallError;
use cleave_mesh::tls::Credentials;
use operations_client::{OperationsClient, pb as operations};
use serde_json::Value;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A connection is replaced after this time, give or take a tenth.
const AGE: Duration = Duration::from_secs(3);
/// What its streams get to end.
const GRACE: Duration = Duration::from_secs(1);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(3);
/// Each caller rests so long between its calls.
const PACE: Duration = Duration::from_millis(5);

/// Calls that go on until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    failures: Arc<Mutex<Vec<String>>>,
    callers: JoinSet<()>,
}

impl Load {
    fn new() -> Self {
        Self {
            stop: Arc::default(),
            made: Arc::default(),
            failures: Arc::default(),
            callers: JoinSet::new(),
        }
    }

    /// One more caller, who makes one call after another.
    fn caller<F, R>(&mut self, call: F)
    where
        F: Fn() -> R + Send + 'static,
        R: Future<Output = Result<(), CallError>> + Send,
    {
        let (stop, made) = (Arc::clone(&self.stop), Arc::clone(&self.made));
        let failures = Arc::clone(&self.failures);
        self.callers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                if let Err(error) = call().await {
                    failures
                        .lock()
                        .expect("not poisoned")
                        .push(error.to_string());
                }
                made.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PACE).await;
            }
        });
    }

    async fn more(&self, calls: u64) {
        let goal = self.made.load(Ordering::Relaxed) + calls;
        until::holds("the load goes on", || async {
            self.made.load(Ordering::Relaxed) >= goal
        })
        .await;
    }

    /// The calls made, and why some of them failed.
    async fn end(mut self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended.expect("a caller does not panic");
        }
        let failures = std::mem::take(&mut *self.failures.lock().expect("not poisoned"));
        (self.made.load(Ordering::Relaxed), failures)
    }
}

/// Reads of both services and a write that may be repeated, over and over.
fn load(operations: &OperationsClient, billing: &BillingClient, account_id: &str) -> Load {
    let mut load = Load::new();
    for _ in 0..2 {
        let client = billing.clone();
        let account_id = account_id.to_owned();
        load.caller(move || {
            let client = client.clone();
            let key = billing::get_account_request::Key::AccountId(account_id.clone());
            let request = billing::GetAccountRequest { key: Some(key) };
            async move { client.get_account(request).await.map(drop) }
        });
        let client = operations.clone();
        load.caller(move || {
            let client = client.clone();
            let request = operations::ListDeliveryRequest::default();
            async move { client.list_delivery(request).await.map(drop) }
        });
    }
    let (client, account_id) = (billing.clone(), account_id.to_owned());
    load.caller(move || {
        let (client, account_id) = (client.clone(), account_id.clone());
        let request_id = network::request_id();
        let request = billing::RecordPaymentRequest {
            external_ref: format!("paid-{request_id}"),
            request_id,
            account_id,
            amount: Some(network::money(1)),
            ..Default::default()
        };
        async move { client.record_payment(request).await.map(drop) }
    });
    load
}

/// The generation of the credentials that a process goes by.
async fn generation(process: &Process) -> u64 {
    let mesh = process.mesh().await.ok();
    let generation = mesh.and_then(|mesh| mesh["tls"]["generation"].as_u64());
    generation.unwrap_or_default()
}

/// The connections of a process.
async fn connections(process: &Process) -> Result<Vec<Value>> {
    let mesh = process.mesh().await?;
    Ok(mesh["connections"]
        .as_array()
        .context("connections")?
        .clone())
}

/// The certificates that are shown to a process now.
async fn shown_to(process: &Process) -> Result<BTreeSet<String>> {
    let connections = connections(process).await?;
    let shown = connections
        .iter()
        .filter_map(|one| one["certificate"].as_str());
    Ok(shown.map(str::to_owned).collect())
}

/// All three workloads.
struct Workloads<'a> {
    world: &'a World,
    cleave: &'a Credentials,
}

impl Workloads<'_> {
    fn each(&self) -> [(&'static str, &Identity); 3] {
        let World {
            identities, cleave, ..
        } = self.world;
        [
            ("operations", &identities.operations),
            ("billing", &identities.billing),
            ("cleave", cleave),
        ]
    }

    /// Changes the files of all three, and waits until each goes by them.
    async fn change(&self, change: impl Fn(&str, &Identity) -> Result<()>) -> Result<()> {
        let (one, two) = (&self.world.pair.operations, &self.world.pair.billing);
        let before = (generation(one).await, generation(two).await);
        let own = self.cleave.current().generation();
        for (name, identity) in self.each() {
            change(name, identity)?;
        }
        until::holds("everybody goes by the new files", || async {
            generation(one).await > before.0
                && generation(two).await > before.1
                && self.cleave.current().generation() > own
        })
        .await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_load_when_the_authority_changes_then_no_call_fails_and_no_old_connection_stays()
-> Result<()> {
    // given
    let mut world = World::new().await?;
    for process in [&mut world.pair.operations, &mut world.pair.billing] {
        process.set("host.max_connection_age", format!("{}s", AGE.as_secs()));
        process.set("host.max_connection_grace", format!("{}s", GRACE.as_secs()));
    }
    world.pair.start().await?;
    let cleave = world.cleave.credentials()?;
    tokio::spawn(cleave.clone().follow(Duration::from_millis(50)));
    let operations = OperationsClient::new(world.pair.operations.channel_by(&cleave)?);
    let billing = BillingClient::new(world.pair.billing.channel_by(&cleave)?);
    let network = network::build(&operations, &billing, &Plan::default()).await?;
    let load = load(&operations, &billing, &network.account_id);
    load.more(200).await;
    let processes = [&world.pair.operations, &world.pair.billing];
    let mut old = BTreeSet::new();
    for process in processes {
        old.extend(shown_to(process).await?);
    }
    assert!(old.len() >= 3, "operations, billing and cleave: {old:?}");

    // when
    let (workloads, new) = (
        Workloads {
            world: &world,
            cleave: &cleave,
        },
        Authority::new()?,
    );
    let both = format!("{}{}", world.authority.pem(), new.pem());
    workloads.change(|_, own| own.believe(&both)).await?;
    load.more(100).await;
    workloads
        .change(|name, own| own.prove(&new.issue(name)?))
        .await?;
    let changed = Instant::now();
    load.more(100).await;
    workloads.change(|_, own| own.believe(&new.pem())).await?;

    // then: the oldest connection on an old certificate is no older than the cap, until there is none
    let cap = AGE.mul_f64(1.1) + GRACE + SLACK;
    for process in processes {
        until::holds("the old certificates are gone", || async {
            let connections = connections(process).await.expect("admin port");
            let old: Vec<_> = connections
                .iter()
                .filter(|one| {
                    one["certificate"]
                        .as_str()
                        .is_some_and(|own| old.contains(own))
                })
                .collect();
            for one in &old {
                let age = Duration::from_millis(one["age_ms"].as_u64().unwrap_or(u64::MAX));
                assert!(age <= cap, "{one}");
            }
            old.is_empty()
        })
        .await;
    }
    let gone = changed.elapsed();
    load.more(200).await;
    let (made, failures) = load.end().await;
    println!(
        "{made} calls, {} failed; old certificates gone after {gone:?}",
        failures.len()
    );
    assert_eq!(failures, Vec::<String>::new());
    assert!(gone <= cap, "{gone:?}");

    // and: what the old authority vouches for is worth nothing any more
    let late = Identity::new(&world.authority, "cleave")?;
    late.believe(&new.pem())?;
    let channel = world.pair.billing.channel_by(&late.credentials()?)?;
    let request = billing::GetAccountRequest::default();
    let refused = BillingClient::new(channel).get_account(request).await;
    assert_eq!(
        refused.expect_err("refused").cause,
        cleave_mesh::Cause::IdentityRefused
    );
    Ok(())
}
