//! Reads what a statement needs from both services.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use anyhow::{Context, Result};
use billing_client::BillingClient;
use billing_client::pb::get_balances_request::Owner;
use billing_client::pb::{
    GetBalancesRequest, GetPublisherEarningsRequest, LedgerBalance, LedgerCode, ListChargesRequest,
    ListParkedRowsRequest,
};
use futures::stream::{StreamExt, TryStreamExt};
use operations_client::OperationsClient;
use operations_client::pb::{
    ListAdUnitsRequest, ListAdvertisersRequest, ListCampaignsRequest, ListDeliveryRequest,
    ListGamesRequest, ListLineItemsRequest, ListPublishersRequest,
};

use super::books::{Books, PlatformLedger};
use crate::peers::Peers;

/// Pages of charges are the largest that there are.
const PAGE: i32 = 1000;

/// Reads both services.
pub(super) async fn gather(peers: &Peers) -> Result<Books> {
    let mut books = Books::default();
    names(&peers.operations, &mut books).await?;
    delivery(&peers.operations, &mut books).await?;
    charges(&peers.billing, &mut books).await?;
    earnings(&peers.billing, &mut books).await?;
    ledgers(&peers.billing, &mut books).await?;
    let parked = peers
        .billing
        .list_parked_rows(ListParkedRowsRequest::default());
    books.parked_rows = parked.await?.total_count;
    Ok(books)
}

async fn names(client: &OperationsClient, books: &mut Books) -> Result<()> {
    let mut advertisers = pin!(client.list_all_advertisers(ListAdvertisersRequest::default()));
    while let Some(advertiser) = advertisers.try_next().await? {
        books.names.insert(advertiser.id, advertiser.display_name);
    }
    let mut publishers = pin!(client.list_all_publishers(ListPublishersRequest::default()));
    while let Some(publisher) = publishers.try_next().await? {
        books.names.insert(publisher.id, publisher.display_name);
    }
    let mut campaigns = pin!(client.list_all_campaigns(ListCampaignsRequest::default()));
    while let Some(campaign) = campaigns.try_next().await? {
        books
            .advertisers
            .insert(campaign.id.clone(), campaign.advertiser_id);
        books.names.insert(campaign.id, campaign.display_name);
    }
    Ok(())
}

/// Sums every row there is, by the campaign of its line item and the publisher of its ad unit.
async fn delivery(client: &OperationsClient, books: &mut Books) -> Result<()> {
    let campaigns = client
        .list_all_line_items(ListLineItemsRequest::default())
        .map_ok(|line_item| (line_item.id, line_item.campaign_id))
        .try_collect::<BTreeMap<_, _>>()
        .await?;
    let games = client
        .list_all_games(ListGamesRequest::default())
        .map_ok(|game| (game.id, game.publisher_id))
        .try_collect::<BTreeMap<_, _>>()
        .await?;
    let publishers = client
        .list_all_ad_units(ListAdUnitsRequest::default())
        .map_ok(|unit| {
            (
                unit.id,
                games.get(&unit.game_id).cloned().unwrap_or_default(),
            )
        })
        .try_collect::<BTreeMap<_, _>>()
        .await?;
    let mut rows = pin!(client.list_all_delivery(ListDeliveryRequest::default()));
    while let Some(row) = rows.try_next().await? {
        let key = row.key.context("a delivery row has no key")?;
        let counts = row.counts.unwrap_or_default();
        let campaign = campaigns
            .get(&key.line_item_id)
            .cloned()
            .unwrap_or_default();
        let publisher = publishers.get(&key.ad_unit_id).cloned().unwrap_or_default();
        let delivered = &mut books.delivered;
        delivered
            .by_campaign
            .entry(campaign)
            .or_default()
            .add(&counts);
        delivered
            .by_publisher
            .entry(publisher)
            .or_default()
            .add(&counts);
        delivered.rows += 1;
    }
    Ok(())
}

/// Reads the buckets, and the funding of their line items, which comes beside each page.
async fn charges(client: &BillingClient, books: &mut Books) -> Result<()> {
    let mut request = ListChargesRequest {
        page_size: PAGE,
        ..Default::default()
    };
    loop {
        let page = client.list_charges(request.clone()).await?;
        books.charges.extend(page.charges);
        for funding in page.fundings {
            books.fundings.insert(funding.line_item_id.clone(), funding);
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

async fn earnings(client: &BillingClient, books: &mut Books) -> Result<()> {
    let publishers: BTreeSet<_> = books
        .charges
        .iter()
        .map(|c| c.publisher_id.clone())
        .collect();
    for publisher_id in publishers {
        let request = GetPublisherEarningsRequest {
            publisher_id: publisher_id.clone(),
            ..Default::default()
        };
        let mut earnings = pin!(client.get_all_publisher_earnings(request));
        while let Some(earning) = earnings.next().await {
            let earning = earning?;
            let key = (publisher_id.clone(), earning.currency_code);
            *books.earnings.entry(key).or_default() +=
                earning.estimated_micros + earning.final_micros;
        }
    }
    Ok(())
}

async fn ledgers(client: &BillingClient, books: &mut Books) -> Result<()> {
    let currencies: BTreeSet<_> = books
        .charges
        .iter()
        .map(|c| c.currency_code.clone())
        .collect();
    for currency in currencies {
        let request = GetBalancesRequest {
            owner: Some(Owner::PlatformCurrencyCode(currency.clone())),
        };
        let answer = client.get_balances(request).await?;
        let ledger = PlatformLedger {
            network_revenue_micros: balance(&answer.balances, LedgerCode::NetworkRevenue),
            overdelivery_cost_micros: balance(&answer.balances, LedgerCode::OverdeliveryCost),
            delivery_clearing_micros: balance(&answer.balances, LedgerCode::DeliveryClearing),
        };
        books.ledgers.insert(currency, ledger);
    }
    Ok(())
}

/// The posted balance of one of the platform's accounts; zero while it has not been used.
fn balance(balances: &[LedgerBalance], code: LedgerCode) -> i64 {
    let of_code = |balance: &&LedgerBalance| {
        let account = balance.account.as_ref();
        account.is_some_and(|account| account.code() == code)
    };
    balances
        .iter()
        .filter(of_code)
        .map(|balance| balance.balance_micros)
        .sum()
}
