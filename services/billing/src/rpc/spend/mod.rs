//! `SpendService`.

mod convert;

pub(crate) use convert::park_reason;

use super::convert as value;
use super::page::Page;
use crate::app::{App, Error};
use billing_domain::bucket::BucketKey;
use billing_domain::delivery::RowId;
use billing_store::Earnings;
use cleave_contracts::billing::v1 as pb;
use cleave_contracts::billing::v1::spend_service_server::SpendService;
use cleave_storage::filter_hash;
use std::collections::BTreeSet;
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;

/// Serves `SpendService`.
#[derive(Clone)]
pub struct Spends {
    app: App,
}

impl Spends {
    /// Answers by `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }
}

/// What earnings are listed in the order of: month, game or ad unit, currency.
type EarningsKey = (i32, Uuid, String);

fn key(earnings: &Earnings) -> EarningsKey {
    let currency = earnings.currency.code().to_owned();
    (earnings.period.index(), earnings.subject, currency)
}

#[async_trait]
impl SpendService for Spends {
    async fn batch_get_spend(
        &self,
        request: Request<pb::BatchGetSpendRequest>,
    ) -> Result<Response<pb::BatchGetSpendResponse>, Status> {
        let ids = convert::line_items(&request.into_inner()).map_err(Error::from)?;
        let spend = self.app.spend(&ids).await?;
        let now = self.app.clock().now();
        Ok(Response::new(convert::spends(&ids, &spend, now)?))
    }

    async fn get_publisher_earnings(
        &self,
        request: Request<pb::GetPublisherEarningsRequest>,
    ) -> Result<Response<pb::GetPublisherEarningsResponse>, Status> {
        let message = request.into_inner();
        let filter = convert::earnings_filter(&message).map_err(Error::from)?;
        let hash = filter_hash(&[
            b"earnings",
            message.publisher_id.as_bytes(),
            message.start_period.as_bytes(),
            message.end_period.as_bytes(),
            &message.group_by.to_be_bytes(),
        ]);
        let page: Page<EarningsKey> =
            Page::read(message.page_size, &message.page_token, hash).map_err(Error::from)?;
        let store = self.app.store();
        let rated_through = store.rated_through().await.map_err(Error::from)?;
        let earnings = store
            .publisher_earnings(&filter)
            .await
            .map_err(Error::from)?;
        let after = |earnings: &Earnings| page.after.as_ref().is_none_or(|at| key(earnings) > *at);
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let mut shown: Vec<_> = earnings.into_iter().filter(after).take(limit).collect();
        let next_page_token = page.cut(&mut shown, key)?;
        Ok(Response::new(pb::GetPublisherEarningsResponse {
            earnings: shown
                .iter()
                .map(|earnings| convert::earning(earnings, filter.group_by))
                .collect(),
            next_page_token,
            rated_through_time: rated_through.map(value::time),
            as_of_time: Some(value::time(self.app.clock().now())),
        }))
    }

    async fn list_charges(
        &self,
        request: Request<pb::ListChargesRequest>,
    ) -> Result<Response<pb::ListChargesResponse>, Status> {
        let message = request.into_inner();
        let filter = convert::charge_filter(&message).map_err(Error::from)?;
        let hash = filter_hash(&[
            b"charges",
            message.advertiser_id.as_bytes(),
            message.campaign_id.as_bytes(),
            message.line_item_id.as_bytes(),
            message.publisher_id.as_bytes(),
            message.period.as_bytes(),
        ]);
        let page: Page<BucketKey> =
            Page::read(message.page_size, &message.page_token, hash).map_err(Error::from)?;
        let store = self.app.store();
        let rated_through = store.rated_through().await.map_err(Error::from)?;
        let listed = store.list_charges(&filter, page.after, page.limit()).await;
        let mut listed = listed.map_err(Error::from)?;
        let next_page_token = page.cut(&mut listed, |bucket| bucket.basis.key)?;
        let items: BTreeSet<_> = listed.iter().map(|b| b.basis.key.line_item).collect();
        let items: Vec<_> = items.into_iter().collect();
        let totals = store.line_item_totals(&items).await.map_err(Error::from)?;
        let charges = listed.iter().map(convert::charge);
        Ok(Response::new(pb::ListChargesResponse {
            charges: charges.collect::<Result<_, _>>()?,
            next_page_token,
            fundings: totals.iter().map(convert::funding).collect(),
            rated_through_time: rated_through.map(value::time),
            as_of_time: Some(value::time(self.app.clock().now())),
        }))
    }

    async fn list_parked_rows(
        &self,
        request: Request<pb::ListParkedRowsRequest>,
    ) -> Result<Response<pb::ListParkedRowsResponse>, Status> {
        let message = request.into_inner();
        let hash = filter_hash(&[b"parked_rows"]);
        let page: Page<Uuid> =
            Page::read(message.page_size, &message.page_token, hash).map_err(Error::from)?;
        let store = self.app.store();
        let after = page.after.map(RowId::from_uuid);
        let listed = store.list_parked(after, page.limit()).await;
        let mut listed = listed.map_err(Error::from)?;
        let next_page_token = page.cut(&mut listed.rows, |(id, _)| id.uuid())?;
        Ok(Response::new(pb::ListParkedRowsResponse {
            rows: listed
                .rows
                .iter()
                .map(|(id, row)| convert::waiting_row(*id, row))
                .collect(),
            next_page_token,
            total_count: listed.total,
        }))
    }
}
