//! Operations' delivery: reported, and followed for ever.

use crate::billing::absent;
use crate::operations::Operations;
use crate::wire;
use cleave_contracts::operations::v1::delivery_service_server::DeliveryService;
use futures::stream::{self, BoxStream};
use operations_client::pb;
use std::pin::pin;
use std::time::Duration;
use tonic::{Request, Response, Status, Streaming, async_trait};

/// A stream that has nothing to say tells so this often.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// Who follows delivery.
struct Follower {
    operations: Operations,
    position: i64,
    over: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<Result<pb::WatchDeliveryResponse, Status>> {
        if self.over {
            return None;
        }
        let Operations { world, drain, .. } = self.operations.clone();
        let (rows, reached) = loop {
            let mut change = pin!(world.delivery.grown());
            change.as_mut().enable();
            let news = world.delivery.after(self.position);
            if !news.0.is_empty() {
                break news;
            }
            tokio::select! {
                biased;
                () = drain.token().cancelled() => {
                    self.over = true;
                    return Some(Err(drain.status()));
                }
                () = change => {}
                () = tokio::time::sleep(HEARTBEAT) => break news,
            }
        };
        self.position = reached;
        Some(Ok(pb::WatchDeliveryResponse {
            heartbeat: rows.is_empty(),
            rows: rows.iter().map(wire::row_to_wire).collect(),
            resume_token: reached.to_string(),
            revision: reached,
            ..pb::WatchDeliveryResponse::default()
        }))
    }
}

#[async_trait]
impl DeliveryService for Operations {
    type WatchDeliveryStream = BoxStream<'static, Result<pb::WatchDeliveryResponse, Status>>;

    async fn report_delivery(
        &self,
        request: Request<Streaming<pb::ReportDeliveryRequest>>,
    ) -> Result<Response<pb::ReportDeliveryResponse>, Status> {
        let mut messages = request.into_inner();
        let mut rows = Vec::new();
        while let Some(message) = messages.message().await? {
            for row in &message.rows {
                rows.push(wire::row(row)?);
            }
        }
        self.world.arrive(self.host, "ReportDelivery", "")?;
        self.world.travel(self.host).await;
        let updated_count = self.world.delivery.report(rows);
        self.world.travel(self.host).await;
        Ok(Response::new(pb::ReportDeliveryResponse {
            updated_count,
            ..pb::ReportDeliveryResponse::default()
        }))
    }

    async fn watch_delivery(
        &self,
        request: Request<pb::WatchDeliveryRequest>,
    ) -> Result<Response<Self::WatchDeliveryStream>, Status> {
        let token = request.into_inner().resume_token;
        self.world.arrive(self.host, "WatchDelivery", &token)?;
        let follower = Follower {
            position: token.parse().unwrap_or(0),
            operations: self.clone(),
            over: false,
        };
        let messages = stream::unfold(follower, |mut follower| async move {
            Some((follower.next().await?, follower))
        });
        Ok(Response::new(Box::pin(messages)))
    }

    async fn list_delivery(
        &self,
        _: Request<pb::ListDeliveryRequest>,
    ) -> Result<Response<pb::ListDeliveryResponse>, Status> {
        Err(absent())
    }

    async fn get_delivery_digest(
        &self,
        _: Request<pb::GetDeliveryDigestRequest>,
    ) -> Result<Response<pb::GetDeliveryDigestResponse>, Status> {
        Err(absent())
    }

    async fn freeze_delivery(
        &self,
        _: Request<pb::FreezeDeliveryRequest>,
    ) -> Result<Response<pb::FreezeDeliveryResponse>, Status> {
        Err(absent())
    }
}
