//! A small ad network, made through the public calls of both services.

use crate::until;
use anyhow::{Context, Result, bail};
use billing_client::{BillingClient, pb as billing, types};
use futures::StreamExt as _;
use operations_client::{OperationsClient, pb as operations};
use prost_types::Timestamp;
use uuid::Uuid;

/// The currency of everything here.
pub const CURRENCY: &str = "INR";
/// The publisher's share, in parts per million.
pub const SHARE_PPM: i64 = 700_000;
/// The start of the hour that all delivery here belongs to: 2026-11-01T00:00:00Z.
pub const HOUR: Timestamp = Timestamp {
    seconds: 1_793_491_200,
    nanos: 0,
};
/// Who counts the delivery.
pub const SOURCE: &str = "ad-server";

/// One advertiser with a campaign, one publisher with a game: enough to deliver and to bill.
#[derive(Debug, Clone)]
pub struct Network {
    /// The advertiser, `adv_...`.
    pub advertiser_id: String,
    /// Its billing account, `acct_...`.
    pub account_id: String,
    /// The approved campaign, `camp_...`.
    pub campaign_id: String,
    /// The enabled line items, `line_...`, all on version 1 of their terms.
    pub line_item_ids: Vec<String>,
    /// The publisher, `pub_...`.
    pub publisher_id: String,
    /// The ad unit, `unit_...`.
    pub ad_unit_id: String,
}

/// What a network is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How the advertiser pays.
    pub mode: types::AccountMode,
    /// The advertiser's credit, in micros.
    pub credit_limit_micros: i64,
    /// What the advertiser pays in at the start, in micros; zero pays nothing.
    pub opening_micros: i64,
    /// Enabled line items, each with these terms.
    pub line_items: usize,
    /// What a line item is charged for.
    pub pricing_model: types::PricingModel,
    /// The price of `unit`, in micros.
    pub rate_micros: i64,
    /// How many make one price.
    pub unit: i64,
}

impl Default for Plan {
    /// A postpaid advertiser with a generous limit and one line item on CPC at one rupee.
    fn default() -> Self {
        Self {
            mode: types::AccountMode::Postpaid,
            credit_limit_micros: 1_000_000_000_000_000,
            opening_micros: 0,
            line_items: 1,
            pricing_model: types::PricingModel::Cpc,
            rate_micros: 1_000_000,
            unit: 1,
        }
    }
}

/// A new request id.
pub fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// An amount of [`CURRENCY`].
pub fn money(micros: i64) -> types::Money {
    types::Money {
        currency_code: CURRENCY.to_owned(),
        micros,
    }
}

/// Makes the network of `plan`, and waits until the advertiser and the publisher have their accounts.
///
/// # Errors
/// When a call is refused.
pub async fn build(
    operations: &OperationsClient,
    billing: &BillingClient,
    plan: &Plan,
) -> Result<Network> {
    let (publisher_id, ad_unit_id) = build_inventory(operations).await?;
    let (advertiser_id, account_id) = advertiser(operations, plan).await?;
    publish_share(operations, &publisher_id).await?;
    if plan.opening_micros > 0 {
        pay(billing, &account_id, plan.opening_micros).await?;
    }
    let (campaign_id, line_item_ids) = build_campaign(operations, &advertiser_id, plan).await?;
    Ok(Network {
        advertiser_id,
        account_id,
        campaign_id,
        line_item_ids,
        publisher_id,
        ad_unit_id,
    })
}

/// Pays `micros` into an account.
///
/// # Errors
/// When the payment is refused.
pub async fn pay(billing: &BillingClient, account_id: &str, micros: i64) -> Result<()> {
    let request_id = request_id();
    let request = billing::RecordPaymentRequest {
        external_ref: format!("opening-{request_id}"),
        request_id,
        account_id: account_id.to_owned(),
        amount: Some(money(micros)),
        ..Default::default()
    };
    billing.record_payment(request).await?;
    Ok(())
}

/// Creates the advertiser of `plan` and waits until it has its account; answers the ids of both.
///
/// # Errors
/// When a call is refused.
pub async fn advertiser(operations: &OperationsClient, plan: &Plan) -> Result<(String, String)> {
    let advertiser_id = create_advertiser(operations, plan).await?;
    let account_id = active_account(operations, &advertiser_id).await;
    Ok((advertiser_id, account_id))
}

async fn create_advertiser(operations: &OperationsClient, plan: &Plan) -> Result<String> {
    let request = operations::CreateAdvertiserRequest {
        request_id: request_id(),
        advertiser: Some(operations::Advertiser {
            display_name: "Sunrise Games".to_owned(),
            time_zone: "Asia/Kolkata".to_owned(),
            currency_code: CURRENCY.to_owned(),
            billing_proposal: Some(operations::BillingProposal {
                mode: plan.mode.into(),
                credit_limit_micros: plan.credit_limit_micros,
                net_days: if plan.mode == types::AccountMode::Prepaid {
                    0
                } else {
                    30
                },
            }),
            ..Default::default()
        }),
    };
    let created = operations.create_advertiser(request).await?;
    Ok(created
        .advertiser
        .context("the reply holds the advertiser")?
        .id)
}

async fn active_account(operations: &OperationsClient, advertiser_id: &str) -> String {
    until::some("Billing has opened the advertiser's account", || async {
        let request = operations::GetAdvertiserRequest {
            id: advertiser_id.to_owned(),
        };
        let advertiser = operations.get_advertiser(request).await.ok()?.advertiser?;
        (advertiser.state() == operations::advertiser::State::Active)
            .then_some(advertiser.account_id)
    })
    .await
}

async fn build_inventory(operations: &OperationsClient) -> Result<(String, String)> {
    let request = operations::CreatePublisherRequest {
        request_id: request_id(),
        publisher: Some(operations::Publisher {
            display_name: "Meadow Studio".to_owned(),
            seller_domain: "meadow.example".to_owned(),
            seller_id: Uuid::now_v7().simple().to_string(),
            currency_code: CURRENCY.to_owned(),
            billing_proposal: Some(operations::BillingProposal {
                mode: types::AccountMode::Postpaid.into(),
                ..Default::default()
            }),
            ..Default::default()
        }),
    };
    let publisher = operations
        .create_publisher(request)
        .await?
        .publisher
        .context("a publisher")?;
    let publisher_id = publisher.id;
    until::holds("Billing has opened the publisher's account", || async {
        let request = operations::GetPublisherRequest {
            id: publisher_id.clone(),
        };
        let found = operations.get_publisher(request).await;
        found.is_ok_and(|found| {
            found
                .publisher
                .is_some_and(|publisher| !publisher.account_id.is_empty())
        })
    })
    .await;
    let request = operations::CreateGameRequest {
        request_id: request_id(),
        game: Some(operations::Game {
            publisher_id: publisher_id.clone(),
            display_name: "Kite Runner".to_owned(),
            bundle: format!("example.kite.b{}", Uuid::now_v7().simple()),
            store: operations::GameStore::Play.into(),
            ..Default::default()
        }),
    };
    let game = operations
        .create_game(request)
        .await?
        .game
        .context("a game")?;
    let request = operations::CreateAdUnitRequest {
        request_id: request_id(),
        ad_unit: Some(operations::AdUnit {
            game_id: game.id,
            display_name: "Billboard".to_owned(),
            format: operations::AdFormat::NativeInScene.into(),
            width: 320,
            height: 180,
            currency_code: CURRENCY.to_owned(),
            ..Default::default()
        }),
    };
    let ad_unit = operations
        .create_ad_unit(request)
        .await?
        .ad_unit
        .context("an ad unit")?;
    Ok((publisher_id, ad_unit.id))
}

/// Publishes the publisher's share from long ago on, as is allowed while nothing was delivered.
async fn publish_share(operations: &OperationsClient, publisher_id: &str) -> Result<()> {
    let scope = operations::rev_share_scope::Scope::PublisherId(publisher_id.to_owned());
    let request = operations::CreateRevShareRequest {
        request_id: request_id(),
        rev_share: Some(operations::RevShare {
            scope: Some(operations::RevShareScope { scope: Some(scope) }),
            share_ppm: SHARE_PPM,
            effective_time: Some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            ..Default::default()
        }),
    };
    operations.create_rev_share(request).await?;
    Ok(())
}

async fn build_campaign(
    operations: &OperationsClient,
    advertiser_id: &str,
    plan: &Plan,
) -> Result<(String, Vec<String>)> {
    let request = operations::CreateCampaignRequest {
        request_id: request_id(),
        campaign: Some(operations::Campaign {
            advertiser_id: advertiser_id.to_owned(),
            display_name: "Launch".to_owned(),
            currency_code: CURRENCY.to_owned(),
            start_time: Some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            ..Default::default()
        }),
    };
    let campaign = operations
        .create_campaign(request)
        .await?
        .campaign
        .context("a campaign")?;
    let mut line_items = Vec::new();
    for _ in 0..plan.line_items {
        line_items.push(create_line_item(operations, &campaign.id, plan).await?);
    }
    approve(operations, &campaign.id).await?;
    let mut line_item_ids = Vec::new();
    for item in line_items {
        let request = operations::EnableLineItemRequest {
            request_id: request_id(),
            id: item.id.clone(),
            etag: item.etag,
        };
        // An account is told of twice, by its opening and by the feed, and only the feed tells how it stands.
        until::some("the standing of the account is known", || async {
            match operations.enable_line_item(request.clone()).await {
                Err(error) if error.is_reason("BILLING_ACCOUNT_PENDING") => None,
                enabled => Some(enabled),
            }
        })
        .await?;
        line_item_ids.push(item.id);
    }
    Ok((campaign.id, line_item_ids))
}

async fn create_line_item(
    operations: &OperationsClient,
    campaign_id: &str,
    plan: &Plan,
) -> Result<operations::LineItem> {
    let request = operations::CreateLineItemRequest {
        request_id: request_id(),
        line_item: Some(operations::LineItem {
            campaign_id: campaign_id.to_owned(),
            display_name: "Line".to_owned(),
            kind: operations::LineItemKind::Network.into(),
            priority: 8,
            start_time: Some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            ..Default::default()
        }),
        terms: Some(operations::LineItemTerms {
            pricing_model: plan.pricing_model.into(),
            rate_micros: plan.rate_micros,
            unit: plan.unit,
            billing_source: operations::BillingSource::Own.into(),
            overdelivery_policy: types::OverdeliveryPolicy::PlatformAbsorbs.into(),
            effective_time: Some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            ..Default::default()
        }),
    };
    operations
        .create_line_item(request)
        .await?
        .line_item
        .context("a line item")
}

/// One person asks, another approves.
async fn approve(operations: &OperationsClient, campaign_id: &str) -> Result<()> {
    let request = operations::GetCampaignRequest {
        id: campaign_id.to_owned(),
    };
    let campaign = operations
        .get_campaign(request)
        .await?
        .campaign
        .context("a campaign")?;
    let request = operations::SubmitCampaignRequest {
        request_id: request_id(),
        id: campaign.id,
        etag: campaign.etag,
        actor: "asha".to_owned(),
        ..Default::default()
    };
    let campaign = operations
        .submit_campaign(request)
        .await?
        .campaign
        .context("a campaign")?;
    let request = operations::ApproveCampaignRequest {
        request_id: request_id(),
        id: campaign.id,
        etag: campaign.etag,
        actor: "binod".to_owned(),
        ..Default::default()
    };
    operations.approve_campaign(request).await?;
    Ok(())
}

/// A delivery row of `clicks` clicks for one line item in [`HOUR`] plus `hour_offset` hours, at `revision`.
pub fn clicks_row(
    network: &Network,
    line_item: usize,
    hour_offset: i64,
    revision: i64,
    clicks: i64,
) -> operations::DeliveryRow {
    operations::DeliveryRow {
        key: Some(operations::DeliveryKey {
            source: SOURCE.to_owned(),
            line_item_id: network.line_item_ids[line_item].clone(),
            terms_version: 1,
            ad_unit_id: network.ad_unit_id.clone(),
            hour: Some(Timestamp {
                seconds: HOUR.seconds + hour_offset * 3600,
                nanos: 0,
            }),
        }),
        revision,
        counts: Some(operations::DeliveryCounts {
            requests: clicks * 20,
            impressions: clicks * 10,
            viewable_impressions: clicks * 8,
            clicks,
            ..Default::default()
        }),
        reason: operations::DeliveryReason::Live.into(),
        ..Default::default()
    }
}

/// What one line item has cost so far.
///
/// # Errors
/// When Billing cannot be asked.
pub async fn spend(billing: &BillingClient, line_item_id: &str) -> Result<billing::LineItemSpend> {
    let request = billing::BatchGetSpendRequest {
        line_item_ids: vec![line_item_id.to_owned()],
    };
    let reply = billing.batch_get_spend(request).await?.value;
    Ok(reply.spends.into_iter().next().unwrap_or_default())
}

/// Runs the ledger's own proof.
///
/// # Errors
/// When the ledger disagrees with itself, or the proof does not end.
pub async fn verified(billing: &BillingClient) -> Result<()> {
    use billing::verify_ledger_response::Event;
    let mut messages = billing
        .verify_ledger(billing::VerifyLedgerRequest::default())
        .await?;
    let mut summary = None;
    while let Some(message) = messages.next().await {
        match message?.event {
            Some(Event::Finding(finding)) => bail!("the ledger disagrees: {finding:?}"),
            Some(Event::Summary(found)) => summary = Some(found),
            Some(Event::Progress(_)) | None => {}
        }
    }
    summary.context("the check ends with a summary")?;
    Ok(())
}
