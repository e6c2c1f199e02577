//! A replica of Operations: serves delivery, and has its plan done by Billing.

use crate::calls::{allowed, watched};
use crate::plan::{Answer, What};
use crate::wire;
use crate::world::{World, lock};
use billing_client::{BillingClient, CallError, pb as billing};
use cleave_contracts::billing::v1::ledger_service_client::LedgerServiceClient;
use cleave_contracts::operations::v1::delivery_service_server::DeliveryServiceServer;
use cleave_host::{Drain, Report, Running, Session, StreamTask, Task};
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::{Mesh, MeshChannel};
use futures::StreamExt as _;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// As if the contract promised nothing for this method: then it may not be repeated.
static NO_PROMISE: PolicyTable = PolicyTable::new(&[MethodPolicy::new(
    "/cleave.billing.v1.LedgerService/PostAdjustment",
)]);
/// What a call that may not be repeated is given.
const UNREPEATABLE: Duration = Duration::from_millis(800);

/// One replica's view of the world.
#[derive(Clone)]
pub(crate) struct Operations {
    pub(crate) world: Arc<World>,
    pub(crate) host: &'static str,
    pub(crate) drain: Drain,
    client: BillingClient,
    plain: LedgerServiceClient<MeshChannel>,
    mesh: Mesh,
}

/// Runs a replica for ever.
pub(crate) async fn run(world: Arc<World>, host: &'static str) -> turmoil::Result {
    let mesh = world.mesh("operations", cleave_contracts::POLICIES);
    world.tally.mesh();
    let plain = world.mesh("operations", NO_PROMISE);
    let operations = Operations {
        client: BillingClient::new(mesh.to(billing_client::PEER)?),
        plain: LedgerServiceClient::new(plain.to(billing_client::PEER)?),
        drain: Drain::new(),
        world: Arc::clone(&world),
        host,
        mesh,
    };
    let start = async || {
        let drain = Drain::new();
        start(Operations {
            drain,
            ..operations.clone()
        })
        .await
    };
    Ok(world.keep(host, start).await?)
}

async fn start(operations: Operations) -> anyhow::Result<Running> {
    let each = |act: fn(Operations) -> futures::future::BoxFuture<'static, ()>| {
        let operations = operations.clone();
        move || {
            let done = act(operations.clone());
            async move {
                done.await;
                Ok(Report::idle())
            }
        }
    };
    let watcher = operations.clone();
    let ms = Duration::from_millis;
    operations
        .world
        .host("operations")
        .drain(operations.drain.clone())
        .service(DeliveryServiceServer::new(operations.clone()))
        .task(Task::new(
            "plan",
            ms(60),
            each(|operations| Box::pin(operations.plan())),
        ))
        .task(Task::new(
            "reads",
            ms(50),
            each(|operations| Box::pin(operations.read())),
        ))
        .task(Task::new(
            "favours",
            ms(200),
            each(|operations| Box::pin(operations.favour())),
        ))
        .task(StreamTask::new("accounts", move |session| {
            let operations = watcher.clone();
            async move { operations.watch(session).await }
        }))
        .start()
        .await
}

impl Operations {
    /// Has two steps of the plan done.
    async fn plan(self) {
        futures::future::join(self.step(), self.step()).await;
    }

    async fn step(&self) {
        let Some((index, step)) = self.world.plan.next() else {
            return;
        };
        let path = |method: &str| allowed(&format!("/cleave.billing.v1.{method}"));
        let outcome = match step.what {
            What::Pay(request) => {
                let limit = path("LedgerService/RecordPayment");
                let call = self.client.record_payment(request);
                self.watched(&format!("payment {index}"), limit, call).await
            }
            What::Reserve(request) => {
                let limit = path("ReservationService/ReserveBudget");
                let call = self.client.reserve_budget(request);
                self.watched(&format!("reservation {index}"), limit, call)
                    .await
            }
            What::Release { of, request_id } => {
                let Some(reservation) = self.world.plan.reservation(of) else {
                    return;
                };
                let request = billing::ReleaseReservationRequest {
                    request_id,
                    reservation_id: reservation.id,
                    counted_spend: wire::to_wire(cleave_kernel::Micros::ZERO),
                };
                let limit = path("ReservationService/ReleaseReservation");
                let call = self.client.release_reservation(request);
                self.watched(&format!("release {index} of {of}"), limit, call)
                    .await
            }
        };
        match outcome {
            Ok(bytes) => self
                .world
                .plan
                .answered(self.host, index, Answer::Done(bytes)),
            Err(error) => self.world.plan.refused(self.host, index, &error),
        }
    }

    async fn watched<M: prost::Message>(
        &self,
        what: &str,
        limit: Duration,
        call: impl Future<Output = Result<M, CallError>>,
    ) -> Result<Vec<u8>, CallError> {
        let answer = watched(&self.world, self.host, what, limit, call).await?;
        Ok(answer.encode_to_vec())
    }

    /// Reads something, and tells how the peers are.
    async fn read(self) {
        self.world.hear(self.host, &self.mesh);
        let advertiser = self.world.plan.advertisers[fastrand::usize(..crate::plan::ADVERTISERS)];
        let account = crate::ledger::account_of(advertiser).to_string();
        let request = billing::GetBalancesRequest {
            owner: Some(billing::get_balances_request::Owner::AccountId(account)),
        };
        let limit = allowed("/cleave.billing.v1.LedgerService/GetBalances");
        // A failed read is in the journal, and harms nobody.
        let _ = self
            .watched("balances", limit, self.client.get_balances(request))
            .await;
        if let Some(known) = self.world.plan.any_reservation() {
            let request = billing::GetReservationRequest {
                reservation_id: known.id.clone(),
            };
            let limit = allowed("/cleave.billing.v1.ReservationService/GetReservation");
            let call = self.client.get_reservation(request);
            let found = watched(&self.world, self.host, "a reservation", limit, call).await;
            let found = found.ok().and_then(|found| found.reservation);
            if found.is_some_and(|found| found.granted != known.granted) {
                self.world
                    .journal
                    .broke(self.host, format_args!("{} changed", known.id));
            }
        }
    }

    /// Does somebody a favour: a call that may not be repeated.
    async fn favour(self) {
        if self.world.journal.now() > crate::scenario::CHAOS {
            return;
        }
        let advertiser = self.world.plan.advertisers[fastrand::usize(..crate::plan::ADVERTISERS)];
        let id = Uuid::from_u128(fastrand::u128(..)).to_string();
        let message = billing::PostAdjustmentRequest {
            request_id: id.clone(),
            account_id: crate::ledger::account_of(advertiser).to_string(),
            amount: wire::to_wire(cleave_kernel::Micros::new(fastrand::i64(1..50))),
            actor: self.host.to_owned(),
            ..billing::PostAdjustmentRequest::default()
        };
        lock(&self.world.tally.unrepeatable)
            .entry(id.clone())
            .or_default();
        let mut request = tonic::Request::new(message);
        request.set_timeout(UNREPEATABLE);
        let mut client = self.plain.clone();
        let call = async {
            client
                .post_adjustment(request)
                .await
                .map_err(CallError::from)
        };
        let outcome = watched(&self.world, self.host, "a favour", UNREPEATABLE, call).await;
        // These have no part in what may be repeated.
        self.world
            .tally
            .calls
            .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        let mut calls = lock(&self.world.tally.unrepeatable);
        calls.entry(id).or_default().1 = Some(outcome.is_ok());
    }

    /// Follows the accounts, which never go back.
    async fn watch(&self, session: Session) -> anyhow::Result<()> {
        // A new life knows nothing: it begins at the beginning.
        lock(&self.world.seen).entry(self.host).or_default().clear();
        let request = billing::WatchAccountsRequest::default();
        let mut messages = Box::pin(self.client.follow_accounts(request));
        loop {
            let message = tokio::select! {
                biased;
                () = session.stopped() => return Ok(()),
                message = messages.next() => message,
            };
            let Some(message) = message.transpose()? else {
                return Ok(());
            };
            session.progress();
            for info in message.accounts {
                let news = (info.available_micros, info.held_micros, info.revision);
                let mut seen = lock(&self.world.seen);
                let before = seen
                    .entry(self.host)
                    .or_default()
                    .insert(info.account_id, news);
                if before.is_some_and(|(_, _, revision)| revision > info.revision) {
                    let back = format_args!("an account went back to {news:?} from {before:?}")
                        .to_string();
                    self.world.journal.broke(self.host, back);
                }
            }
        }
    }
}
