//! CatalogService.

use std::collections::VecDeque;
use std::pin::Pin;

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::catalog_change::Subject as WireSubject;
use cleave_contracts::operations::v1::catalog_service_server::CatalogService;
use cleave_contracts::types::v1::PartyKind;
use cleave_kernel::{AdUnitId, Timestamp, Violation, Violations};
use cleave_storage::feed::{FeedPosition, FeedWatcher};
use cleave_storage::{ResumeToken, TokenError, filter_hash};
use futures::Stream;
use operations_domain::{Advertiser, Party, Publisher};
use operations_store::catalog::Subject;
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::request::batch;
use super::{Watching, campaign, convert, reply, rev_share, terms};
use crate::app::{App, Error};

/// Serves CatalogService.
#[derive(Clone)]
pub struct Catalog {
    app: App,
    watching: Watching,
}

impl Catalog {
    /// Served from `app`.
    pub const fn new(app: App, watching: Watching) -> Self {
        Self { app, watching }
    }

    async fn open(&self, message: pb::WatchCatalogRequest) -> Result<CatalogWatch, Error> {
        let position = self.app.feed_position().await?;
        let after = start(&message.resume_token, &position)?;
        Ok(CatalogWatch {
            app: self.app.clone(),
            watching: self.watching.clone(),
            watcher: self.app.store().signal().subscribe(),
            epoch: position.epoch,
            after,
            ready: VecDeque::new(),
            beat_at: Instant::now(),
        })
    }

    async fn parties(
        &self,
        message: pb::BatchGetPartiesRequest,
    ) -> Result<pb::BatchGetPartiesResponse, Error> {
        let ids: Vec<Party> = batch("ids", &message.ids, |id| Ok(party(id)?))?;
        let mut answer = pb::BatchGetPartiesResponse::default();
        for (id, found) in message
            .ids
            .into_iter()
            .zip(self.app.get_parties(&ids).await?)
        {
            match found {
                Some(Subject::Advertiser(found)) => answer.parties.push(advertiser(found)),
                Some(Subject::Publisher(found)) => answer.parties.push(publisher(found)),
                Some(Subject::RevShare(_) | Subject::Campaign(_) | Subject::Terms(_)) | None => {
                    answer.missing_ids.push(id);
                }
            }
        }
        Ok(answer)
    }

    async fn rev_shares(
        &self,
        message: pb::BatchGetRevShareRequest,
    ) -> Result<pb::BatchGetRevShareResponse, Error> {
        let queries: Vec<(AdUnitId, Timestamp)> = batch("queries", &message.queries, query)?;
        let resolved = self.app.resolve_rev_shares(&queries).await?;
        let mut answer = pb::BatchGetRevShareResponse::default();
        for (query, found) in message.queries.into_iter().zip(resolved) {
            match found {
                Some(found) => answer.rev_shares.push(rev_share::to_wire_resolved(found)),
                None => answer.missing_queries.push(query),
            }
        }
        Ok(answer)
    }
}

#[tonic::async_trait]
impl CatalogService for Catalog {
    type WatchCatalogStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchCatalogResponse, Status>> + Send>>;

    async fn watch_catalog(
        &self,
        message: Request<pb::WatchCatalogRequest>,
    ) -> Result<Response<Self::WatchCatalogStream>, Status> {
        let watch = self.open(message.into_inner()).await?;
        let steps = futures::stream::unfold(Some(watch), |watch| async move {
            let mut watch = watch?;
            match watch.step().await {
                Ok(message) => Some((Ok(message), Some(watch))),
                Err(status) => Some((Err(status), None)),
            }
        });
        Ok(Response::new(Box::pin(steps)))
    }

    async fn batch_get_parties(
        &self,
        message: Request<pb::BatchGetPartiesRequest>,
    ) -> Result<Response<pb::BatchGetPartiesResponse>, Status> {
        reply(self.parties(message.into_inner()).await)
    }

    async fn batch_get_rev_share(
        &self,
        message: Request<pb::BatchGetRevShareRequest>,
    ) -> Result<Response<pb::BatchGetRevShareResponse>, Status> {
        reply(self.rev_shares(message.into_inner()).await)
    }
}

/// One stream of WatchCatalog.
struct CatalogWatch {
    app: App,
    watching: Watching,
    watcher: FeedWatcher,
    epoch: Uuid,
    after: i64,
    ready: VecDeque<pb::WatchCatalogResponse>,
    /// When the reader is to hear something at the latest; at once in the beginning.
    beat_at: Instant,
}

impl CatalogWatch {
    /// The next message: changes if there are any, else a sign of life when it is time for one.
    async fn step(&mut self) -> Result<pb::WatchCatalogResponse, Status> {
        let drain = self.watching.drain.clone();
        tokio::select! {
            biased;
            () = drain.token().cancelled() => Err(drain.status()),
            message = self.next() => Ok(message?),
        }
    }

    async fn next(&mut self) -> Result<pb::WatchCatalogResponse, Error> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                self.beat_at = Instant::now() + self.watching.heartbeat;
                return Ok(message);
            }
            let page = self.app.catalog_changes(self.after).await?;
            self.after = page.next;
            if !page.changes.is_empty() {
                let changes = page.changes.into_iter().map(change).collect();
                self.ready
                    .push_back(self.message(changes, page.as_of, false));
                continue;
            }
            if page.more {
                continue;
            }
            if Instant::now() >= self.beat_at {
                self.ready
                    .push_back(self.message(Vec::new(), page.as_of, true));
                continue;
            }
            // Changes of other topics wake this as well, so the time is one for all waits between two messages.
            let news = self.watcher.past(self.after);
            let _ = tokio::time::timeout_at(self.beat_at, news).await;
        }
    }

    fn message(
        &self,
        changes: Vec<pb::CatalogChange>,
        as_of: Timestamp,
        heartbeat: bool,
    ) -> pb::WatchCatalogResponse {
        let token = ResumeToken {
            epoch: self.epoch,
            seq: self.after,
            filter_hash: feed_hash(),
        };
        pb::WatchCatalogResponse {
            changes,
            resume_token: token.encode(),
            as_of: convert::time(as_of),
            revision: self.after,
            heartbeat,
        }
    }
}

/// What tokens of this stream are bound to.
fn feed_hash() -> u64 {
    filter_hash(&[b"WatchCatalog"])
}

/// Where a stream with this token starts.
fn start(token: &str, position: &FeedPosition) -> Result<i64, Error> {
    if token.is_empty() {
        return Ok(0);
    }
    ResumeToken::decode(token)
        .and_then(|token| token.check(position, feed_hash()))
        .map_err(|error: TokenError| Error::ResumeToken(error))
}

fn query(query: &pb::RevShareQuery) -> Result<(AdUnitId, Timestamp), Violations> {
    let mut faults = Violations::new();
    let id = faults.take(convert::id("ad_unit_id", &query.ad_unit_id));
    let at = faults.take(convert::instant("time", query.time));
    faults.into_result(id.zip(at))
}

fn party(text: &str) -> Result<Party, Violation> {
    if text.is_empty() {
        return Err(Violation::required(""));
    }
    let advertiser = text.parse().map(Party::Advertiser);
    let publisher = || text.parse().map(Party::Publisher);
    advertiser.or_else(|_| publisher()).map_err(|_| {
        Violation::new(
            "",
            "INVALID_ID",
            "this is not the id of an advertiser (adv_...) or publisher (pub_...)",
        )
    })
}

fn change(subject: Subject) -> pb::CatalogChange {
    let subject = match subject {
        Subject::Advertiser(found) => WireSubject::Party(advertiser(found)),
        Subject::Publisher(found) => WireSubject::Party(publisher(found)),
        Subject::Terms(found) => WireSubject::LineItemTerms(terms::to_wire(found)),
        Subject::RevShare(found) => WireSubject::RevShare(rev_share::to_wire(found)),
        Subject::Campaign(found) => WireSubject::Campaign(campaign::to_wire(found)),
    };
    pb::CatalogChange {
        subject: Some(subject),
    }
}

fn advertiser(advertiser: Advertiser) -> pb::Party {
    pb::Party {
        id: advertiser.id.to_string(),
        kind: PartyKind::Advertiser.into(),
        display_name: advertiser.display_name,
        state: advertiser.state.to_string(),
        domain: convert::or_empty(advertiser.domain),
        category: convert::or_empty(advertiser.category),
        currency_code: advertiser.currency.to_string(),
        account_id: advertiser
            .account_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        revision: advertiser.stamp.version,
    }
}

fn publisher(publisher: Publisher) -> pb::Party {
    pb::Party {
        id: publisher.id.to_string(),
        kind: PartyKind::Publisher.into(),
        display_name: publisher.display_name,
        state: publisher.state.to_string(),
        domain: publisher
            .seller
            .map(|seller| seller.domain)
            .unwrap_or_default(),
        category: String::new(),
        currency_code: publisher.currency.to_string(),
        account_id: publisher
            .account_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        revision: publisher.stamp.version,
    }
}
