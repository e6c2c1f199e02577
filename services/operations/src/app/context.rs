//! Everything around line items that their statuses depend on, read in bulk.

use std::collections::{HashMap, HashSet};

use cleave_kernel::{AdvertiserId, CampaignId, LineItemId};
use operations_domain::account::AccountFacts;
use operations_domain::delivery_total::{DeliveredFacts, civil_day};
use operations_domain::lease::LeaseFacts;
use operations_domain::line_item_status::StatusFacts;
use operations_domain::{Advertiser, Campaign, LineItem};
use operations_store::{account, delivery, lease_line, record};

use super::{App, Error};

/// What the statuses of some line items depend on beside themselves.
pub(crate) struct Context {
    campaigns: HashMap<CampaignId, Campaign>,
    advertisers: HashMap<AdvertiserId, Advertiser>,
    accounts: HashMap<AdvertiserId, AccountFacts>,
    leases: HashMap<LineItemId, LeaseFacts>,
    delivered: HashMap<LineItemId, DeliveredFacts>,
}

impl Context {
    /// Reads all of it.
    pub(crate) async fn load(app: &App, line_items: &[LineItem]) -> Result<Self, Error> {
        let today = civil_day(app.clock.now(), &app.zone);
        let ids: Vec<LineItemId> = line_items.iter().map(|item| item.id).collect();
        let ids = &ids;
        let delivered = app
            .store
            .db()
            .read("delivered_facts", |conn| async move {
                Ok::<_, Error>(delivery::delivered_facts(conn, ids, today).await?)
            })
            .await?;
        Self::around(app, line_items, delivered).await
    }

    /// Reads what lies around line items of which it is known what was delivered.
    pub(crate) async fn around(
        app: &App,
        line_items: &[LineItem],
        delivered: HashMap<LineItemId, DeliveredFacts>,
    ) -> Result<Self, Error> {
        let now = app.clock.now();
        let campaigns: HashSet<_> = line_items.iter().map(|item| item.campaign_id).collect();
        let campaigns: Vec<CampaignId> = campaigns.into_iter().collect();
        let owners: HashSet<_> = line_items.iter().map(|item| item.advertiser_id).collect();
        let owners: Vec<AdvertiserId> = owners.into_iter().collect();
        let ids: Vec<LineItemId> = line_items.iter().map(|item| item.id).collect();
        let (campaigns, owners, ids, delivered) = (&campaigns, &owners, &ids, &delivered);
        app.store
            .db()
            .read("line_item_context", |conn| async move {
                let campaigns = record::find_many::<Campaign, _>(conn, campaigns).await?;
                let advertisers = record::find_many::<Advertiser, _>(conn, owners).await?;
                Ok(Self {
                    campaigns: campaigns
                        .into_iter()
                        .map(|found| (found.id, found))
                        .collect(),
                    advertisers: advertisers
                        .into_iter()
                        .map(|found| (found.id, found))
                        .collect(),
                    accounts: account::account_facts(conn, owners, now).await?,
                    leases: lease_line::lease_facts(conn, ids, now).await?,
                    delivered: delivered.clone(),
                })
            })
            .await
    }

    /// What the status of one of the line items depends on.
    pub(crate) fn facts<'a>(&'a self, line_item: &'a LineItem) -> Option<StatusFacts<'a>> {
        let delivered = self.delivered.get(&line_item.id).copied();
        Some(StatusFacts {
            line_item,
            campaign: self.campaigns.get(&line_item.campaign_id)?,
            advertiser: self.advertisers.get(&line_item.advertiser_id)?,
            account: self.accounts.get(&line_item.advertiser_id),
            lease: self.leases.get(&line_item.id),
            delivered: delivered.unwrap_or_default(),
        })
    }
}
