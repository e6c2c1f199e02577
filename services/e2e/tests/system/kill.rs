//! `kill -9` of either service at any moment while a client retries: nothing lost, nothing twice.

use crate::started;
use anyhow::{Context, Result, ensure};
use billing_client::{BillingClient, pb as billing};
use cleave_e2e::network::{self, Network, Plan, clicks_row, money, request_id, verified};
use cleave_e2e::{Engine, Pair, until};
use cleave_mesh::CallError;
use futures::stream;
use operations_client::{OperationsClient, pb as operations};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// How often a service is killed in one run.
const KILLS: usize = 30;
/// What every payment pays, in micros.
const PAYMENT: i64 = 7_000_003;

/// What the clients have been told is done.
#[derive(Default)]
struct Acknowledged {
    stop: AtomicBool,
    payments: AtomicI64,
    /// The last hour that was reported whole.
    hours: AtomicI64,
}

#[tokio::test(flavor = "multi_thread")]
async fn given_kills_on_sqlite_when_clients_retry_then_the_ledger_is_exact() -> Result<()> {
    survive(Engine::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_kills_on_postgres_when_clients_retry_then_the_ledger_is_exact() -> Result<()> {
    survive(Engine::Postgres).await
}

async fn survive(engine: Engine) -> Result<()> {
    let Some(mut pair) = started(engine).await? else {
        return Ok(());
    };
    let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
    let network = Arc::new(network::build(&operations, &billing, &Plan::default()).await?);
    let done = Arc::new(Acknowledged::default());
    let payer = tokio::spawn(pay(billing.clone(), network.clone(), done.clone()));
    let reporter = tokio::spawn(report(operations.clone(), network.clone(), done.clone()));

    for round in 0..KILLS {
        kill_one(&mut pair, round, &done).await?;
    }
    done.stop.store(true, Ordering::SeqCst);
    payer.await??;
    reporter.await??;

    exact(&billing, &network, &done).await
}

/// Lets some work be acknowledged, then kills a service in the midst of more and starts it again.
async fn kill_one(pair: &mut Pair, round: usize, done: &Acknowledged) -> Result<()> {
    let (payments, hours) = (
        done.payments.load(Ordering::SeqCst),
        done.hours.load(Ordering::SeqCst),
    );
    until::holds("both clients get work done", || async {
        done.payments.load(Ordering::SeqCst) > payments && done.hours.load(Ordering::SeqCst) > hours
    })
    .await;
    // Any moment will do: the kill shall hit calls, commits and streams alike.
    sleep(Duration::from_millis(fastrand::u64(0..40))).await;
    let victim = if round.is_multiple_of(2) {
        &mut pair.billing
    } else {
        &mut pair.operations
    };
    victim.kill()?;
    victim.start().await
}

/// Pays again and again; each payment is repeated until it is acknowledged.
async fn pay(billing: BillingClient, network: Arc<Network>, done: Arc<Acknowledged>) -> Result<()> {
    while !done.stop.load(Ordering::SeqCst) {
        let request_id = request_id();
        let request = billing::RecordPaymentRequest {
            external_ref: format!("bank-{request_id}"),
            request_id,
            account_id: network.account_id.clone(),
            amount: Some(money(PAYMENT)),
            ..Default::default()
        };
        insist(|| billing.record_payment(request.clone())).await?;
        done.payments.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Reports one hour after the other; each is sent whole again until it is acknowledged.
async fn report(
    operations: OperationsClient,
    network: Arc<Network>,
    done: Arc<Acknowledged>,
) -> Result<()> {
    let mut hour = 0;
    while !done.stop.load(Ordering::SeqCst) {
        hour += 1;
        let message = operations::ReportDeliveryRequest {
            source: network::SOURCE.to_owned(),
            // Hours run backwards, so that none lies in the future.
            rows: vec![clicks_row(&network, 0, -hour, 1, hour)],
            ..Default::default()
        };
        let reply = insist(|| operations.report_delivery(stream::iter([message.clone()]))).await?;
        ensure!(
            reply.rejected_count == 0,
            "rejected: {:?}",
            reply.rejections
        );
        done.hours.store(hour, Ordering::SeqCst);
    }
    Ok(())
}

/// Repeats a call until the service answers it.
async fn insist<T, F>(mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T, CallError>>,
{
    loop {
        match call().await {
            Ok(reply) => return Ok(reply),
            Err(error) if error.is_unavailable() => sleep(Duration::from_millis(5)).await,
            Err(error) => return Err(error).context("a retried call was refused"),
        }
    }
}

/// The ledger holds every acknowledged payment and every reported click once, and proves itself.
async fn exact(billing: &BillingClient, network: &Network, done: &Acknowledged) -> Result<()> {
    let hours = done.hours.load(Ordering::SeqCst);
    // Hour h reported h clicks at one rupee each.
    let charged = (1..=hours).sum::<i64>() * 1_000_000;
    let line_item_id = &network.line_item_ids[0];
    until::holds("all delivery is rated", || async {
        network::spend(billing, line_item_id)
            .await
            .is_ok_and(|spend| spend.rated_micros == charged)
    })
    .await;
    let request = billing::GetBalancesRequest {
        owner: Some(billing::get_balances_request::Owner::AccountId(
            network.account_id.clone(),
        )),
    };
    let balances = billing.get_balances(request).await?;
    let paid = done.payments.load(Ordering::SeqCst) * PAYMENT;
    assert_eq!(
        balances.balance_micros,
        paid - charged,
        "{hours} hours reported"
    );
    verified(billing).await
}
