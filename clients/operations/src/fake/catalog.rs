//! CatalogService: the feed of the catalogue and its lookups.

use cleave_contracts::operations::v1::catalog_service_server::CatalogService;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::feed::{self, Step};
use super::refusal::Faults;
use super::world::{Globe, World, order};
use crate::pb;

/// The name of the feed in its tokens.
const FEED: &str = "catalog";

#[async_trait]
impl CatalogService for Globe {
    type WatchCatalogStream = BoxStream<'static, Result<pb::WatchCatalogResponse, Status>>;

    async fn watch_catalog(
        &self,
        request: Request<pb::WatchCatalogRequest>,
    ) -> Result<Response<Self::WatchCatalogStream>, Status> {
        let token = request.into_inner().resume_token;
        let start = self.edit(|world| feed::position(world, FEED, &token))?;
        let messages = feed::watch(self.clone(), start, |world, after| {
            let changes = world.catalog_since(after);
            let quiet = changes.is_empty();
            let message = pb::WatchCatalogResponse {
                changes: changes
                    .into_iter()
                    .map(|subject| pb::CatalogChange {
                        subject: Some(subject),
                    })
                    .collect(),
                resume_token: feed::token(world, FEED, world.revision),
                as_of: Some(feed::now()),
                revision: world.revision,
                heartbeat: quiet,
            };
            Step {
                message,
                position: world.revision,
                quiet,
            }
        });
        Ok(Response::new(messages))
    }

    async fn batch_get_parties(
        &self,
        request: Request<pb::BatchGetPartiesRequest>,
    ) -> Result<Response<pb::BatchGetPartiesResponse>, Status> {
        let ids = request.into_inner().ids;
        let mut faults = Faults::default();
        faults.require((1..=1000).contains(&ids.len()), "ids", "1 to 1000");
        for (index, id) in ids.iter().enumerate() {
            faults.require_id(id, &["adv", "pub"], &format!("ids[{index}]"));
        }
        faults.refuse()?;
        Ok(Response::new(self.edit(|world| {
            let mut response = pb::BatchGetPartiesResponse::default();
            for id in ids {
                match world.parties.get(&id) {
                    Some((party, _)) => response.parties.push(party.clone()),
                    None => response.missing_ids.push(id),
                }
            }
            response
        })))
    }

    async fn batch_get_rev_share(
        &self,
        request: Request<pb::BatchGetRevShareRequest>,
    ) -> Result<Response<pb::BatchGetRevShareResponse>, Status> {
        let queries = request.into_inner().queries;
        let mut faults = Faults::default();
        faults.require((1..=1000).contains(&queries.len()), "queries", "1 to 1000");
        for (index, query) in queries.iter().enumerate() {
            let field = format!("queries[{index}].ad_unit_id");
            faults.require_id(&query.ad_unit_id, &["unit"], &field);
            let field = format!("queries[{index}].time");
            faults.require(query.time.is_some(), &field, "given");
        }
        faults.refuse()?;
        Ok(Response::new(self.edit(|world| {
            let mut response = pb::BatchGetRevShareResponse::default();
            for query in queries {
                match resolve(world, &query) {
                    Some(share) => response.rev_shares.push(share),
                    None => response.missing_queries.push(query),
                }
            }
            response
        })))
    }
}

/// The last share of the ad unit that was in effect at the instant.
fn resolve(world: &World, query: &pb::RevShareQuery) -> Option<pb::ResolvedRevShare> {
    let time = query.time?;
    let shares = world.shares.get(&query.ad_unit_id)?;
    let begun = |effective: &prost_types::Timestamp| order(effective) <= order(&time);
    let next = shares.partition_point(|(share, _)| begun(&share.version.effective_time));
    let (share, _) = shares.get(next.checked_sub(1)?)?;
    Some(pb::ResolvedRevShare {
        ad_unit_id: query.ad_unit_id.clone(),
        time: query.time,
        publisher_id: share.version.publisher_id.clone(),
        game_id: share.version.game_id.clone(),
        rev_share_id: share.rev_share.id.clone(),
        version: share.rev_share.version,
        share_ppm: share.version.share_ppm,
        effective_time: share.rev_share.effective_time,
        until_time: shares
            .get(next)
            .map(|(share, _)| share.version.effective_time),
        scope: share.rev_share.scope.clone(),
    })
}
