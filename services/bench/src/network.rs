//! The smallest network that delivery can be reported about. Intake asks whether the line item, its terms and the ad
//! unit exist, not whether anything is approved or serves.

use anyhow::{Context, Result};
use cleave_contracts::operations::v1 as ops;
use cleave_contracts::types::v1 as types;
use operations_client::OperationsClient;
use prost_types::Timestamp;
use uuid::Uuid;

use crate::billing::CURRENCY;

/// How many line items are reported about,
const LINE_ITEMS: usize = 20;
/// each on so many ad units.
const AD_UNITS: usize = 10;
/// What everything is called.
const DISPLAY_NAME: &str = "Benchmark";
/// When flights and terms begin, long before any hour that is reported.
const SINCE: Timestamp = Timestamp {
    seconds: 1_700_000_000,
    nanos: 0,
};

/// What rows may refer to.
pub(crate) struct Network {
    /// Who needs an account: the advertiser and the publisher.
    pub(crate) parties: [String; 2],
    /// The line items, all on version 1 of their terms.
    pub(crate) line_items: Vec<String>,
    /// The ad units.
    pub(crate) ad_units: Vec<String>,
}

impl Network {
    /// Makes a network of one advertiser and one publisher.
    ///
    /// # Errors
    /// When a call is refused.
    pub(crate) async fn build(operations: &OperationsClient) -> Result<Self> {
        let advertiser = create_advertiser(operations).await?;
        let campaign = create_campaign(operations, &advertiser).await?;
        let mut line_items = Vec::new();
        for _ in 0..LINE_ITEMS {
            line_items.push(create_line_item(operations, &campaign).await?);
        }
        let publisher = create_publisher(operations).await?;
        let game = create_game(operations, &publisher).await?;
        let mut ad_units = Vec::new();
        for _ in 0..AD_UNITS {
            ad_units.push(create_ad_unit(operations, &game).await?);
        }
        Ok(Self {
            parties: [advertiser, publisher],
            line_items,
            ad_units,
        })
    }
}

fn request_id() -> String {
    Uuid::now_v7().to_string()
}

async fn create_advertiser(operations: &OperationsClient) -> Result<String> {
    let advertiser = ops::Advertiser {
        display_name: DISPLAY_NAME.to_owned(),
        time_zone: "UTC".to_owned(),
        currency_code: CURRENCY.to_owned(),
        billing_proposal: Some(ops::BillingProposal {
            mode: types::AccountMode::Postpaid.into(),
            credit_limit_micros: 1_000_000_000,
            net_days: 30,
        }),
        ..Default::default()
    };
    let request = ops::CreateAdvertiserRequest {
        request_id: request_id(),
        advertiser: Some(advertiser),
    };
    let created = operations.create_advertiser(request).await?.advertiser;
    Ok(created.context("an advertiser")?.id)
}

async fn create_campaign(operations: &OperationsClient, advertiser: &str) -> Result<String> {
    let campaign = ops::Campaign {
        advertiser_id: advertiser.to_owned(),
        display_name: DISPLAY_NAME.to_owned(),
        start_time: Some(SINCE),
        ..Default::default()
    };
    let request = ops::CreateCampaignRequest {
        request_id: request_id(),
        campaign: Some(campaign),
    };
    let created = operations.create_campaign(request).await?.campaign;
    Ok(created.context("a campaign")?.id)
}

async fn create_line_item(operations: &OperationsClient, campaign: &str) -> Result<String> {
    let line_item = ops::LineItem {
        campaign_id: campaign.to_owned(),
        display_name: DISPLAY_NAME.to_owned(),
        kind: ops::LineItemKind::Network.into(),
        start_time: Some(SINCE),
        ..Default::default()
    };
    let terms = ops::LineItemTerms {
        pricing_model: types::PricingModel::Cpc.into(),
        rate_micros: 1000,
        unit: 1,
        billing_source: ops::BillingSource::Own.into(),
        overdelivery_policy: types::OverdeliveryPolicy::PlatformAbsorbs.into(),
        effective_time: Some(SINCE),
        ..Default::default()
    };
    let request = ops::CreateLineItemRequest {
        request_id: request_id(),
        line_item: Some(line_item),
        terms: Some(terms),
    };
    let created = operations.create_line_item(request).await?.line_item;
    Ok(created.context("a line item")?.id)
}

async fn create_publisher(operations: &OperationsClient) -> Result<String> {
    let publisher = ops::Publisher {
        display_name: DISPLAY_NAME.to_owned(),
        seller_domain: "bench.example".to_owned(),
        seller_id: "bench".to_owned(),
        currency_code: CURRENCY.to_owned(),
        billing_proposal: Some(ops::BillingProposal {
            mode: types::AccountMode::Postpaid.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let request = ops::CreatePublisherRequest {
        request_id: request_id(),
        publisher: Some(publisher),
    };
    let created = operations.create_publisher(request).await?.publisher;
    Ok(created.context("a publisher")?.id)
}

async fn create_game(operations: &OperationsClient, publisher: &str) -> Result<String> {
    let game = ops::Game {
        publisher_id: publisher.to_owned(),
        display_name: DISPLAY_NAME.to_owned(),
        bundle: "example.bench".to_owned(),
        store: ops::GameStore::Play.into(),
        ..Default::default()
    };
    let request = ops::CreateGameRequest {
        request_id: request_id(),
        game: Some(game),
    };
    let created = operations.create_game(request).await?.game;
    Ok(created.context("a game")?.id)
}

async fn create_ad_unit(operations: &OperationsClient, game: &str) -> Result<String> {
    let ad_unit = ops::AdUnit {
        game_id: game.to_owned(),
        display_name: DISPLAY_NAME.to_owned(),
        format: ops::AdFormat::NativeInScene.into(),
        width: 320,
        height: 180,
        currency_code: CURRENCY.to_owned(),
        ..Default::default()
    };
    let request = ops::CreateAdUnitRequest {
        request_id: request_id(),
        ad_unit: Some(ad_unit),
    };
    let created = operations.create_ad_unit(request).await?.ad_unit;
    Ok(created.context("an ad unit")?.id)
}
