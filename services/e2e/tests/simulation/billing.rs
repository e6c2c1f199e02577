//! A replica of Billing: the real host and contracts over the ledger in memory.

use crate::ledger::Tables;
use crate::wire;
use crate::world::World;
use billing_client::pb;
use billing_domain::adjustment::{Direction, Kind, PostAdjustment};
use billing_domain::payment::RecordPayment;
use billing_domain::reserve::ReleaseReservation;
use cleave_contracts::billing::v1::account_service_server::AccountServiceServer;
use cleave_contracts::billing::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use cleave_contracts::billing::v1::reservation_service_server::{
    ReservationService, ReservationServiceServer,
};
use cleave_host::{Drain, Report, Running, Session, StreamTask, Task};
use cleave_kernel::ReservationId;
use futures::stream::BoxStream;
use operations_client::OperationsClient;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status, async_trait};

/// One replica's view of the world.
#[derive(Clone)]
pub(crate) struct Billing {
    pub(crate) world: Arc<World>,
    pub(crate) host: &'static str,
    pub(crate) drain: Drain,
}

/// What this simulation has no use for.
pub(crate) fn absent() -> Status {
    Status::unimplemented("not simulated")
}

/// Runs a replica for ever.
pub(crate) async fn run(world: Arc<World>, host: &'static str) -> turmoil::Result {
    let mesh = world.mesh("billing", cleave_contracts::POLICIES);
    world.tally.mesh();
    let operations = OperationsClient::new(mesh.to(operations_client::PEER)?);
    let start = async || {
        let drain = Drain::new();
        let billing = Billing {
            world: Arc::clone(&world),
            host,
            drain: drain.clone(),
        };
        start(billing, operations.clone(), mesh.clone()).await
    };
    Ok(world.keep(host, start).await?)
}

async fn start(
    billing: Billing,
    operations: OperationsClient,
    mesh: cleave_mesh::Mesh,
) -> anyhow::Result<Running> {
    let (follower, keeper, teller) = (billing.clone(), billing.clone(), billing.clone());
    billing
        .world
        .host("billing")
        .drain(billing.drain.clone())
        .service(LedgerServiceServer::new(billing.clone()))
        .service(ReservationServiceServer::new(billing.clone()))
        .service(AccountServiceServer::new(billing.clone()))
        .task(StreamTask::new("delivery", move |session| {
            let (billing, operations) = (follower.clone(), operations.clone());
            async move { billing.follow(&operations, session).await }
        }))
        .task(Task::new("expiry", Duration::from_millis(400), move || {
            let billing = keeper.clone();
            async move { Ok(Report::did(billing.expire().await)) }
        }))
        .task(Task::new(
            "telling",
            Duration::from_millis(200),
            move || {
                teller.world.hear(teller.host, &mesh);
                async { Ok(Report::idle()) }
            },
        ))
        .start()
        .await
}

impl Billing {
    /// One transaction, with the ways there and back: the replica may be gone before either.
    pub(crate) async fn commit<T>(&self, act: impl FnOnce(&mut Tables) -> T) -> T {
        self.world.travel(self.host).await;
        let done = self.world.ledger.commit(self.world.now(self.host), act);
        self.world.travel(self.host).await;
        done
    }

    pub(crate) fn arrive(&self, method: &str, id: &str) -> Result<(), Status> {
        self.world.tally.arrived();
        self.world.arrive(self.host, method, id)
    }

    /// Moves on what is due by this replica's clock.
    async fn expire(&self) -> u64 {
        self.commit(|tables| {
            let now = tables.work.now();
            let live = |answer: &Result<Vec<u8>, _>| {
                let bytes = answer.as_ref().ok()?;
                let response: pb::ReserveBudgetResponse = prost::Message::decode(&**bytes).ok()?;
                response.reservation?.id.parse::<ReservationId>().ok()
            };
            let known: Vec<_> = tables
                .answers
                .values()
                .filter_map(|(_, answer)| live(answer))
                .collect();
            let due = |id: &ReservationId| {
                let reservation = tables.work.reservation(*id);
                reservation.is_some_and(|one| one.is_live() && one.serve_until <= now)
            };
            let due: Vec<_> = known.into_iter().filter(due).collect();
            tables
                .work
                .expire_reservations(&due)
                .expect("the book agrees")
        })
        .await
    }

    /// Takes over Operations' delivery, with how far that gets, in one transaction each time.
    async fn follow(&self, operations: &OperationsClient, session: Session) -> anyhow::Result<()> {
        use futures::StreamExt as _;
        let resume_token = self.world.ledger.tables().progress.to_string();
        let request = operations_client::pb::WatchDeliveryRequest {
            resume_token,
            max_batch_rows: 0,
        };
        let mut messages = operations.watch_delivery(request).await?;
        loop {
            let message = tokio::select! {
                biased;
                () = session.stopped() => return Ok(()),
                message = messages.next() => message,
            };
            let Some(message) = message.transpose()? else {
                return Ok(());
            };
            let rows = message
                .rows
                .iter()
                .map(wire::row)
                .collect::<Result<Vec<_>, _>>()?;
            let reached = message.resume_token.parse()?;
            self.commit(|tables| tables.take_over(&rows, reached)).await;
            session.progress();
        }
    }
}

#[async_trait]
impl LedgerService for Billing {
    type VerifyLedgerStream = BoxStream<'static, Result<pb::VerifyLedgerResponse, Status>>;

    async fn record_payment(
        &self,
        request: Request<pb::RecordPaymentRequest>,
    ) -> Result<Response<pb::RecordPaymentResponse>, Status> {
        let message = request.into_inner();
        self.arrive("RecordPayment", &message.request_id)?;
        let command = RecordPayment {
            account: wire::id("account_id", &message.account_id)?,
            amount: wire::amount(message.amount.as_ref())?,
            external_ref: message.external_ref.clone(),
            method: message.method.clone(),
            received_at: None,
        };
        let act = |work: &mut billing_domain::Work| {
            work.record_payment(&command)
                .map(|recorded| wire::recorded(&recorded))
        };
        let outcome = self
            .commit(|tables| tables.once(&message.request_id, &message, act))
            .await;
        outcome.map(Response::new)
    }

    /// Promises nothing here: it is called by a mesh that does not know the contract, and that must not
    /// repeat it.
    async fn post_adjustment(
        &self,
        request: Request<pb::PostAdjustmentRequest>,
    ) -> Result<Response<pb::PostAdjustmentResponse>, Status> {
        let message = request.into_inner();
        let id = message.request_id.clone();
        crate::world::lock(&self.world.tally.unrepeatable)
            .entry(id.clone())
            .or_default()
            .0 += 1;
        self.world.arrive(self.host, "PostAdjustment", &id)?;
        let command = PostAdjustment {
            account: wire::id("account_id", &message.account_id)?,
            kind: Kind::Goodwill,
            direction: Direction::Credit,
            amount: wire::amount(message.amount.as_ref())?,
            reason: id,
            actor: message.actor.clone(),
        };
        let done = self
            .commit(|tables| tables.work.post_adjustment(&command))
            .await;
        done.map_err(|refusal| Status::failed_precondition(refusal.to_string()))?;
        Ok(Response::new(pb::PostAdjustmentResponse {
            adjustment: None,
        }))
    }

    async fn get_balances(
        &self,
        request: Request<pb::GetBalancesRequest>,
    ) -> Result<Response<pb::GetBalancesResponse>, Status> {
        self.arrive("GetBalances", "")?;
        let Some(pb::get_balances_request::Owner::AccountId(account)) = request.into_inner().owner
        else {
            return Err(absent());
        };
        let id = wire::id("account_id", &account)?;
        let balances = self.commit(|tables| tables.balances()).await;
        let (available_micros, held_micros) = balances.get(&id).copied().ok_or_else(absent)?;
        Ok(Response::new(pb::GetBalancesResponse {
            account_id: account,
            available_micros,
            held_micros,
            ..pb::GetBalancesResponse::default()
        }))
    }

    async fn list_transfers(
        &self,
        _: Request<pb::ListTransfersRequest>,
    ) -> Result<Response<pb::ListTransfersResponse>, Status> {
        Err(absent())
    }

    async fn verify_ledger(
        &self,
        _: Request<pb::VerifyLedgerRequest>,
    ) -> Result<Response<Self::VerifyLedgerStream>, Status> {
        Err(absent())
    }
}

#[async_trait]
impl ReservationService for Billing {
    async fn reserve_budget(
        &self,
        request: Request<pb::ReserveBudgetRequest>,
    ) -> Result<Response<pb::ReserveBudgetResponse>, Status> {
        let message = request.into_inner();
        self.arrive("ReserveBudget", &message.request_id)?;
        let command = wire::reserve(&message)?;
        let act = |work: &mut billing_domain::Work| {
            work.reserve_budget(&command)
                .map(|reserved| wire::reserved(&reserved))
        };
        let outcome = self
            .commit(|tables| tables.once(&message.request_id, &message, act))
            .await;
        outcome.map(Response::new)
    }

    async fn release_reservation(
        &self,
        request: Request<pb::ReleaseReservationRequest>,
    ) -> Result<Response<pb::ReleaseReservationResponse>, Status> {
        let message = request.into_inner();
        self.arrive("ReleaseReservation", &message.request_id)?;
        let command = ReleaseReservation {
            reservation: wire::id("reservation_id", &message.reservation_id)?,
            counted_spend: wire::amount(message.counted_spend.as_ref())?,
        };
        let act = |work: &mut billing_domain::Work| {
            work.release_reservation(&command)
                .map(|released| wire::released(&released))
        };
        let outcome = self
            .commit(|tables| tables.once(&message.request_id, &message, act))
            .await;
        outcome.map(Response::new)
    }

    async fn get_reservation(
        &self,
        request: Request<pb::GetReservationRequest>,
    ) -> Result<Response<pb::GetReservationResponse>, Status> {
        let message = request.into_inner();
        self.arrive("GetReservation", &message.reservation_id)?;
        let id = wire::id("reservation_id", &message.reservation_id)?;
        let found = self
            .commit(|tables| tables.work.reservation(id).map(wire::reservation))
            .await;
        let found = found.ok_or_else(|| Status::not_found("no such reservation"))?;
        Ok(Response::new(pb::GetReservationResponse {
            reservation: Some(found),
        }))
    }

    async fn list_reservations(
        &self,
        _: Request<pb::ListReservationsRequest>,
    ) -> Result<Response<pb::ListReservationsResponse>, Status> {
        Err(absent())
    }
}
