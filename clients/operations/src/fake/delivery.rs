//! DeliveryService, as far as it is faked.

use cleave_contracts::operations::v1::delivery_service_server::DeliveryService;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::feed::{self, Step};
use super::refusal::{Faults, not_faked};
use super::world::{Globe, World};
use crate::{digest, pb};

/// The name of the feed in its tokens.
const FEED: &str = "delivery";
/// Rows in a message when the request does not say.
const BATCH: usize = 1000;
/// Most rows in a message.
const MAX_BATCH: usize = 5000;

#[async_trait]
impl DeliveryService for Globe {
    type WatchDeliveryStream = BoxStream<'static, Result<pb::WatchDeliveryResponse, Status>>;

    async fn watch_delivery(
        &self,
        request: Request<pb::WatchDeliveryRequest>,
    ) -> Result<Response<Self::WatchDeliveryStream>, Status> {
        let request = request.into_inner();
        let wanted = usize::try_from(request.max_batch_rows);
        let mut faults = Faults::default();
        faults.require(wanted.is_ok(), "max_batch_rows", "0 or more");
        faults.refuse()?;
        let limit = match wanted {
            Ok(0) | Err(_) => BATCH,
            Ok(rows) => rows.min(MAX_BATCH),
        };
        let start = self.edit(|world| feed::position(world, FEED, &request.resume_token))?;
        // The watermarks that the stream has told; none of them before it first reaches the head.
        let mut told = None;
        let messages = feed::watch(self.clone(), start, move |world, after| {
            let step = batch(world, after, limit, told);
            if step.position == world.revision {
                told = Some(world.revision);
            }
            step
        });
        Ok(Response::new(messages))
    }

    async fn report_delivery(
        &self,
        _: Request<Streaming<pb::ReportDeliveryRequest>>,
    ) -> Result<Response<pb::ReportDeliveryResponse>, Status> {
        Err(not_faked())
    }

    async fn list_delivery(
        &self,
        _: Request<pb::ListDeliveryRequest>,
    ) -> Result<Response<pb::ListDeliveryResponse>, Status> {
        Err(not_faked())
    }

    async fn get_delivery_digest(
        &self,
        _: Request<pb::GetDeliveryDigestRequest>,
    ) -> Result<Response<pb::GetDeliveryDigestResponse>, Status> {
        Err(not_faked())
    }

    async fn freeze_delivery(
        &self,
        _: Request<pb::FreezeDeliveryRequest>,
    ) -> Result<Response<pb::FreezeDeliveryResponse>, Status> {
        Err(not_faked())
    }
}

/// The next rows after a position, with the watermarks that are new to a stream which has reached the head.
fn batch(
    world: &World,
    after: i64,
    limit: usize,
    told: Option<i64>,
) -> Step<pb::WatchDeliveryResponse> {
    let mut rows: Vec<_> = world.rows.values().filter(|(_, at)| *at > after).collect();
    rows.sort_by_key(|(_, at)| *at);
    let at_head = rows.len() <= limit;
    rows.truncate(limit);
    let position = match rows.last() {
        Some((_, at)) if !at_head => *at,
        Some(_) | None => world.revision,
    };
    let rows: Vec<_> = rows.into_iter().map(|(row, _)| row.clone()).collect();
    let watermarks: Vec<_> = world
        .watermarks
        .values()
        .filter(|mark| at_head && told.is_none_or(|told| mark.revision > told))
        .cloned()
        .collect();
    let quiet = rows.is_empty() && watermarks.is_empty();
    let digest = digest::of_rows(&rows).filter(|_| !rows.is_empty());
    let message = pb::WatchDeliveryResponse {
        digest: digest.map(Vec::from).unwrap_or_default(),
        rows,
        resume_token: feed::token(world, FEED, position),
        as_of: Some(feed::now()),
        watermarks,
        revision: position,
        heartbeat: quiet,
    };
    Step {
        message,
        position,
        quiet,
    }
}
