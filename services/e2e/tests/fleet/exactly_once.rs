//! Replicas are killed at random while clients pay, hold and release money through the balancing mesh, and repeat
//! what was not answered: everything that was acknowledged is in the ledger, once.

use crate::{billing, turn};
use anyhow::{Context as _, Result};
use billing_client::{BillingClient, pb as billing_pb};
use cleave_e2e::advertisers::{self, Advertiser, HELD, balances_of, reservation_for};
use cleave_e2e::network::{money, request_id, verified};
use cleave_e2e::{Replicas, until};
use cleave_mesh::{CallError, Mesh};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// How often a replica is killed.
const KILLS: usize = 15;
/// Advertisers, each with a client of its own.
const CLIENTS: usize = 4;
/// What every payment pays, in micros.
const PAYMENT: i64 = 7_000_003;
/// What every correction takes, in micros.
const CORRECTION: i64 = 1_000_001;

/// What one client has been told is done.
#[derive(Debug, Default)]
struct Done {
    payments: AtomicI64,
    corrections: AtomicI64,
    /// Reservations less releases.
    held: AtomicI64,
}

/// What all clients share.
#[derive(Debug, Default)]
struct Progress {
    stop: AtomicBool,
    acknowledged: AtomicU64,
    /// Calls that failed for good as far as the mesh goes, so that the client repeated them.
    repeated: AtomicU64,
}

/// A client and its advertiser.
#[derive(Clone)]
struct Client {
    billing: BillingClient,
    advertiser: Advertiser,
    done: Arc<Done>,
    progress: Arc<Progress>,
}

impl Client {
    /// Pays, corrects, holds, and releases every other hold, until it is stopped.
    async fn work(self) -> Result<()> {
        let mut turn = 0_u64;
        while !self.progress.stop.load(Ordering::SeqCst) {
            self.pay().await?;
            self.correct().await?;
            let reservation_id = self.hold().await?;
            if turn.is_multiple_of(2) {
                self.release(reservation_id).await?;
            }
            turn += 1;
            self.progress.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    async fn pay(&self) -> Result<()> {
        let request_id = request_id();
        let request = billing_pb::RecordPaymentRequest {
            external_ref: format!("bank-{request_id}"),
            request_id,
            account_id: self.advertiser.account_id.clone(),
            amount: Some(money(PAYMENT)),
            ..Default::default()
        };
        self.insist(|| self.billing.record_payment(request.clone()))
            .await?;
        self.done.payments.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn correct(&self) -> Result<()> {
        let request = billing_pb::PostAdjustmentRequest {
            request_id: request_id(),
            account_id: self.advertiser.account_id.clone(),
            kind: billing_pb::adjustment::Kind::Discrepancy.into(),
            direction: billing_pb::adjustment::Direction::Debit.into(),
            amount: Some(money(CORRECTION)),
            reason: "counted twice".to_owned(),
            actor: "asha".to_owned(),
        };
        self.insist(|| self.billing.post_adjustment(request.clone()))
            .await?;
        self.done.corrections.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn hold(&self) -> Result<String> {
        let request = reservation_for(&self.advertiser);
        let reply = self
            .insist(|| self.billing.reserve_budget(request.clone()))
            .await?;
        self.done.held.fetch_add(1, Ordering::SeqCst);
        Ok(reply.reservation.context("a reservation")?.id)
    }

    async fn release(&self, reservation_id: String) -> Result<()> {
        let request = billing_pb::ReleaseReservationRequest {
            request_id: request_id(),
            reservation_id,
            counted_spend: Some(money(0)),
        };
        self.insist(|| self.billing.release_reservation(request.clone()))
            .await?;
        self.done.held.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    /// Repeats a call until a replica answers it.
    async fn insist<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        loop {
            match call().await {
                Ok(reply) => return Ok(reply),
                Err(error) if error.is_unavailable() => {
                    self.progress.repeated.fetch_add(1, Ordering::SeqCst);
                    sleep(Duration::from_millis(5)).await;
                }
                Err(error) => return Err(error).context("a repeated call was refused"),
            }
        }
    }

    /// The account holds what was acknowledged, no more and no less.
    async fn exact(&self) -> Result<()> {
        let balances = self
            .billing
            .get_balances(balances_of(&self.advertiser))
            .await?;
        let count = |counter: &AtomicI64| counter.load(Ordering::SeqCst);
        let paid = count(&self.done.payments) * PAYMENT;
        let corrected = count(&self.done.corrections) * CORRECTION;
        assert_eq!(balances.balance_micros, paid - corrected);
        assert_eq!(balances.held_micros, count(&self.done.held) * HELD);
        Ok(())
    }
}

/// As many replicas as can share rows here.
async fn replicas() -> Result<Replicas> {
    let mut replicas = Replicas::new(billing(), "billing", 3).await?;
    if !replicas.share_rows() {
        replicas = Replicas::new(billing(), "billing", 1).await?;
    }
    replicas.set("peers.operations", "");
    replicas.start().await?;
    Ok(replicas)
}

#[tokio::test(flavor = "multi_thread")]
async fn given_random_kills_when_mutations_are_repeated_then_each_has_its_effect_once() -> Result<()>
{
    let _turn = turn().await;
    let mut replicas = replicas().await?;
    let mesh = Mesh::builder(cleave_contracts::POLICIES)
        .caller("cleave")
        .peer("billing", &replicas.addresses())
        .build()?;
    let billing = BillingClient::new(mesh.to("billing")?);
    let progress = Arc::new(Progress::default());
    let mut clients = Vec::new();
    for advertiser in advertisers::open(&replicas, CLIENTS).await? {
        clients.push(Client {
            billing: billing.clone(),
            advertiser,
            done: Arc::default(),
            progress: Arc::clone(&progress),
        });
    }
    let working: Vec<_> = clients
        .iter()
        .map(|client| tokio::spawn(client.clone().work()))
        .collect();

    for _ in 0..KILLS {
        let before = progress.acknowledged.load(Ordering::SeqCst);
        until::holds("work gets done", || async {
            progress.acknowledged.load(Ordering::SeqCst) > before
        })
        .await;
        // Any moment will do: the kill shall hit calls and commits alike.
        sleep(Duration::from_millis(fastrand::u64(0..60))).await;
        let victim = fastrand::usize(..replicas.len());
        replicas[victim].kill()?;
        replicas[victim].start().await?;
    }
    progress.stop.store(true, Ordering::SeqCst);
    for client in working {
        client.await??;
    }

    for client in &clients {
        client.exact().await?;
    }
    verified(&billing).await?;
    println!(
        "mutations across kills | {} replicas, {KILLS} kills, {} rounds of 3 or 4 mutations, {} repeated by the \
         clients beyond the mesh's own: the ledger is exact",
        replicas.len(),
        progress.acknowledged.load(Ordering::SeqCst),
        progress.repeated.load(Ordering::SeqCst)
    );
    Ok(())
}
