//! `DeliveryService`: reports in, rows out.

mod batch;
mod convert;
mod report;
mod watch;

use cleave_contracts::operations::v1::delivery_service_server::DeliveryService;
use cleave_contracts::operations::v1::{
    FreezeDeliveryRequest, FreezeDeliveryResponse, GetDeliveryDigestRequest,
    GetDeliveryDigestResponse, ListDeliveryRequest, ListDeliveryResponse, ReportDeliveryRequest,
    ReportDeliveryResponse, WatchDeliveryRequest, WatchDeliveryResponse,
};
use cleave_kernel::Violations;
use operations_domain::delivery::Gates;
use operations_domain::watermark::settled_through;
use std::pin::Pin;
use tonic::{Request, Response, Status, Streaming};

use super::page::page;
use super::request::request;
use super::{Watching, reply};
use crate::app::{App, DeliveryIntake, Error};

/// Serves delivery.
#[derive(Clone)]
pub struct Delivery {
    app: App,
    intake: DeliveryIntake,
    watching: Watching,
}

impl Delivery {
    /// Serves it from this app; reports go to `intake`.
    pub const fn new(app: App, intake: DeliveryIntake, watching: Watching) -> Self {
        Self {
            app,
            intake,
            watching,
        }
    }

    async fn list(&self, mut message: ListDeliveryRequest) -> Result<ListDeliveryResponse, Error> {
        let page = page!("ListDelivery", message)?;
        let filter = convert::filter(&message)?;
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let (rows, next, head) = self
            .app
            .list_delivery(&filter, page.after()?, limit)
            .await?;
        let gates = Gates {
            frozen_through: head.frozen_through,
            complete_through: None,
        };
        Ok(ListDeliveryResponse {
            rows: rows.iter().map(|row| convert::row(row, &gates)).collect(),
            next_page_token: page.next(next)?,
            revision: head.seq,
        })
    }

    async fn digest(
        &self,
        message: GetDeliveryDigestRequest,
    ) -> Result<GetDeliveryDigestResponse, Error> {
        let (source, from, until) = convert::digest_range(&message)?;
        let (digests, revision) = self
            .app
            .delivery_digests(source.as_ref(), from, until)
            .await?;
        Ok(GetDeliveryDigestResponse {
            digests: digests.iter().map(convert::digest).collect(),
            revision,
        })
    }

    async fn freeze(
        &self,
        message: FreezeDeliveryRequest,
    ) -> Result<FreezeDeliveryResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("FreezeDelivery", &message, &message.request_id));
        let through =
            super::convert::instant("through_time", message.through_time).and_then(|through| {
                settled_through(through, self.app.clock().now())
                    .map_err(|fault| fault.under("through_time"))
            });
        let asked = request.zip(faults.take(through));
        let (request, through) = faults.into_result(asked)?;
        let outcome = self.app.freeze_delivery(request, through).await?;
        Ok(FreezeDeliveryResponse {
            frozen_count: outcome.frozen,
            revision: outcome.seq,
            through_time: super::convert::time(outcome.through),
        })
    }
}

#[tonic::async_trait]
impl DeliveryService for Delivery {
    async fn report_delivery(
        &self,
        request: Request<Streaming<ReportDeliveryRequest>>,
    ) -> Result<Response<ReportDeliveryResponse>, Status> {
        let drain = &self.watching.drain;
        report::report(&self.intake, self.app.clock(), drain, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn list_delivery(
        &self,
        request: Request<ListDeliveryRequest>,
    ) -> Result<Response<ListDeliveryResponse>, Status> {
        reply(self.list(request.into_inner()).await)
    }

    type WatchDeliveryStream =
        Pin<Box<dyn futures::Stream<Item = Result<WatchDeliveryResponse, Status>> + Send>>;

    async fn watch_delivery(
        &self,
        request: Request<WatchDeliveryRequest>,
    ) -> Result<Response<Self::WatchDeliveryStream>, Status> {
        let stream = watch::watch(&self.app, &self.watching, request.into_inner()).await?;
        Ok(Response::new(Box::pin(stream)))
    }

    async fn get_delivery_digest(
        &self,
        request: Request<GetDeliveryDigestRequest>,
    ) -> Result<Response<GetDeliveryDigestResponse>, Status> {
        reply(self.digest(request.into_inner()).await)
    }

    async fn freeze_delivery(
        &self,
        request: Request<FreezeDeliveryRequest>,
    ) -> Result<Response<FreezeDeliveryResponse>, Status> {
        reply(self.freeze(request.into_inner()).await)
    }
}
