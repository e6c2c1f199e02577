//! Creates everything of the sample network that does not exist yet.

use anyhow::Result;
use cleave_kernel::{AdUnitId, AdvertiserId, CampaignId, GameId, LineItemId, PublisherId};
use operations_client::OperationsClient;
use operations_client::pb::rev_share_scope::Scope;
use operations_client::pb::{
    AdUnit, Advertiser, BillingProposal, BillingSource, Campaign, Game, LineItem, LineItemKind,
    LineItemTerms, NetworkScope, Publisher, RevShare, RevShareScope,
};
use prost_types::Timestamp;

use super::network::{
    APPROVER, BUYERS, Buyer, CURRENCY, Item, NETWORK_SHARE_PPM, Order, SELLERS, SUBMITTER, Seller,
    Title,
};
use crate::ensure;
use crate::ensure::ids::uuid_of;
use crate::peers::Peers;
use crate::time::to_proto;

/// The id of a line item of the sample.
pub(super) fn line_item_id(buyer: &str, order: &str, item: &str) -> LineItemId {
    LineItemId::from_uuid(uuid_of(&["sample", "line item", buyer, order, item]))
}

/// The ids of all ad units of the sample, in the order of the network.
pub(super) fn ad_unit_ids() -> Vec<AdUnitId> {
    let titles = SELLERS.iter().flat_map(|seller| seller.games);
    titles
        .flat_map(|title| title.units.iter().map(|unit| ad_unit_id(title, unit.name)))
        .collect()
}

fn ad_unit_id(title: &Title, unit: &str) -> AdUnitId {
    AdUnitId::from_uuid(uuid_of(&["sample", "ad unit", title.bundle, unit]))
}

/// Builds the network, sellers first.
pub(super) async fn build(peers: &Peers, began: cleave_kernel::Timestamp) -> Result<()> {
    let start = to_proto(began);
    let client = &peers.operations;
    let network = Scope::Network(NetworkScope {});
    share(client, "network", network, NETWORK_SHARE_PPM, start).await?;
    for seller in SELLERS {
        build_seller(client, seller, start).await?;
    }
    for buyer in BUYERS {
        build_buyer(peers, buyer, start).await?;
    }
    Ok(())
}

async fn share(
    client: &OperationsClient,
    name: &str,
    scope: Scope,
    share_ppm: i64,
    start: Timestamp,
) -> Result<()> {
    let wanted = RevShare {
        scope: Some(RevShareScope { scope: Some(scope) }),
        share_ppm,
        effective_time: Some(start),
        note: "sample".to_owned(),
        ..Default::default()
    };
    ensure::share(client, &["sample", "share", name], wanted).await
}

async fn build_seller(client: &OperationsClient, seller: &Seller, start: Timestamp) -> Result<()> {
    let id = PublisherId::from_uuid(uuid_of(&["sample", "publisher", seller.name]));
    let wanted = Publisher {
        id: id.to_string(),
        display_name: seller.name.to_owned(),
        seller_domain: seller.domain.to_owned(),
        seller_id: "1".to_owned(),
        currency_code: CURRENCY.to_owned(),
        ..Default::default()
    };
    ensure::publisher(client, wanted).await?;
    if let Some(share_ppm) = seller.share_ppm {
        let scope = Scope::PublisherId(id.to_string());
        share(client, seller.name, scope, share_ppm, start).await?;
    }
    for title in seller.games {
        build_title(client, id, title).await?;
    }
    Ok(())
}

async fn build_title(
    client: &OperationsClient,
    publisher: PublisherId,
    title: &Title,
) -> Result<()> {
    let id = GameId::from_uuid(uuid_of(&["sample", "game", title.bundle]));
    let wanted = Game {
        id: id.to_string(),
        publisher_id: publisher.to_string(),
        display_name: title.name.to_owned(),
        bundle: title.bundle.to_owned(),
        store: title.store.into(),
        category: title.category.to_owned(),
        ..Default::default()
    };
    ensure::game(client, wanted).await?;
    for unit in title.units {
        let wanted = AdUnit {
            id: ad_unit_id(title, unit.name).to_string(),
            game_id: id.to_string(),
            display_name: unit.name.to_owned(),
            format: unit.format.into(),
            ..Default::default()
        };
        ensure::ad_unit(client, wanted).await?;
    }
    Ok(())
}

async fn build_buyer(peers: &Peers, buyer: &Buyer, start: Timestamp) -> Result<()> {
    let client = &peers.operations;
    let id = AdvertiserId::from_uuid(uuid_of(&["sample", "advertiser", buyer.name]));
    let wanted = Advertiser {
        id: id.to_string(),
        display_name: buyer.name.to_owned(),
        domain: buyer.domain.to_owned(),
        category: buyer.category.to_owned(),
        currency_code: CURRENCY.to_owned(),
        billing_proposal: Some(BillingProposal {
            mode: buyer.mode.into(),
            credit_limit_micros: buyer.credit_limit_micros,
            net_days: buyer.net_days,
        }),
        ..Default::default()
    };
    let (advertiser, _) = ensure::advertiser(client, wanted).await?;
    ensure::opening_payment(peers, &advertiser, buyer.opening_payment_micros).await?;
    for order in buyer.campaigns {
        build_order(client, buyer, id, order, start).await?;
    }
    Ok(())
}

async fn build_order(
    client: &OperationsClient,
    buyer: &Buyer,
    advertiser: AdvertiserId,
    order: &Order,
    start: Timestamp,
) -> Result<()> {
    let id = CampaignId::from_uuid(uuid_of(&["sample", "campaign", buyer.name, order.name]));
    let wanted = Campaign {
        id: id.to_string(),
        advertiser_id: advertiser.to_string(),
        display_name: order.name.to_owned(),
        start_time: Some(start),
        ..Default::default()
    };
    ensure::campaign(client, wanted).await?;
    for item in order.items {
        let wanted = LineItem {
            id: line_item_id(buyer.name, order.name, item.name).to_string(),
            campaign_id: id.to_string(),
            display_name: item.name.to_owned(),
            kind: LineItemKind::Network.into(),
            start_time: Some(start),
            ..Default::default()
        };
        ensure::line_item(client, wanted, terms(item)).await?;
    }
    ensure::approved(client, &id.to_string(), SUBMITTER, APPROVER).await?;
    for item in order.items {
        let id = line_item_id(buyer.name, order.name, item.name);
        ensure::enabled(client, &id.to_string()).await?;
    }
    Ok(())
}

fn terms(item: &Item) -> LineItemTerms {
    LineItemTerms {
        pricing_model: item.model.into(),
        rate_micros: item.rate_micros,
        billing_source: BillingSource::Own.into(),
        billing_cap_micros: item.monthly_cap_micros,
        overdelivery_policy: item.overdelivery.into(),
        ..Default::default()
    }
}
