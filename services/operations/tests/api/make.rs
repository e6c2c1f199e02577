//! Nouns that tests are about, made through the client, plain and valid.

use operations_client::pb;
use operations_client::types::{AccountMode, OverdeliveryPolicy, PricingModel};
use prost_types::Timestamp;

use crate::server::{Server, advertiser_now, request_id, until};

/// When everything that has a start starts: 2026-01-01T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp {
    seconds: 1_767_225_600,
    nanos: 0,
};

/// What it takes to create an advertiser.
pub(crate) fn new_advertiser() -> pb::CreateAdvertiserRequest {
    pb::CreateAdvertiserRequest {
        request_id: request_id(),
        advertiser: Some(pb::Advertiser {
            display_name: "Tea House".to_owned(),
            currency_code: "INR".to_owned(),
            billing_proposal: Some(pb::BillingProposal {
                mode: AccountMode::Prepaid.into(),
                ..Default::default()
            }),
            ..Default::default()
        }),
    }
}

/// An advertiser that waits for its account.
pub(crate) async fn advertiser(server: &Server) -> pb::Advertiser {
    let answer = server.client.create_advertiser(new_advertiser()).await;
    answer.unwrap().advertiser.unwrap()
}

/// An advertiser whose account the fake Billing has opened, with `micros` in it.
pub(crate) async fn active_advertiser(server: &Server, micros: i64) -> pb::Advertiser {
    let id = advertiser(server).await.id;
    let active = until("an active advertiser", async || {
        let now = advertiser_now(server, &id).await;
        (now.state() == pb::advertiser::State::Active).then_some(now)
    })
    .await;
    if micros > 0 {
        server.billing().pay(&id, micros);
    }
    active
}

/// What it takes to create a publisher.
pub(crate) fn new_publisher() -> pb::CreatePublisherRequest {
    pb::CreatePublisherRequest {
        request_id: request_id(),
        publisher: Some(pb::Publisher {
            display_name: "Game House".to_owned(),
            currency_code: "INR".to_owned(),
            ..Default::default()
        }),
    }
}

/// A publisher that has applied.
pub(crate) async fn publisher(server: &Server) -> pb::Publisher {
    let answer = server.client.create_publisher(new_publisher()).await;
    answer.unwrap().publisher.unwrap()
}

/// What it takes to create a game of a publisher.
pub(crate) fn new_game(publisher_id: &str) -> pb::CreateGameRequest {
    pb::CreateGameRequest {
        request_id: request_id(),
        game: Some(pb::Game {
            publisher_id: publisher_id.to_owned(),
            display_name: "Cricket".to_owned(),
            bundle: format!("com.example.{}", request_id()),
            store: pb::GameStore::Play.into(),
            ..Default::default()
        }),
    }
}

/// A draft of a game of a new publisher.
pub(crate) async fn game(server: &Server) -> pb::Game {
    let publisher = publisher(server).await;
    let answer = server.client.create_game(new_game(&publisher.id)).await;
    answer.unwrap().game.unwrap()
}

/// What it takes to create an ad unit of a game.
pub(crate) fn new_ad_unit(game_id: &str) -> pb::CreateAdUnitRequest {
    pb::CreateAdUnitRequest {
        request_id: request_id(),
        ad_unit: Some(pb::AdUnit {
            game_id: game_id.to_owned(),
            display_name: "Billboard".to_owned(),
            format: pb::AdFormat::NativeInScene.into(),
            ..Default::default()
        }),
    }
}

/// An ad unit of a new game.
pub(crate) async fn ad_unit(server: &Server) -> pb::AdUnit {
    let game = game(server).await;
    let answer = server.client.create_ad_unit(new_ad_unit(&game.id)).await;
    answer.unwrap().ad_unit.unwrap()
}

/// What it takes to create a campaign of an advertiser.
pub(crate) fn new_campaign(advertiser_id: &str) -> pb::CreateCampaignRequest {
    pb::CreateCampaignRequest {
        request_id: request_id(),
        campaign: Some(pb::Campaign {
            advertiser_id: advertiser_id.to_owned(),
            display_name: "Spring".to_owned(),
            start_time: Some(START),
            ..Default::default()
        }),
    }
}

/// A draft of a campaign of an advertiser.
pub(crate) async fn campaign_of(server: &Server, advertiser_id: &str) -> pb::Campaign {
    let answer = server
        .client
        .create_campaign(new_campaign(advertiser_id))
        .await;
    answer.unwrap().campaign.unwrap()
}

/// A draft of a campaign of a new advertiser.
pub(crate) async fn campaign(server: &Server) -> pb::Campaign {
    let advertiser = advertiser(server).await;
    campaign_of(server, &advertiser.id).await
}

/// 1.234567 per thousand impressions.
pub(crate) fn cpm() -> pb::LineItemTerms {
    pb::LineItemTerms {
        pricing_model: PricingModel::Cpm.into(),
        rate_micros: 1_234_567,
        billing_source: pb::BillingSource::Own.into(),
        overdelivery_policy: OverdeliveryPolicy::PlatformAbsorbs.into(),
        ..Default::default()
    }
}

/// What it takes to create a line item of a campaign, with terms.
pub(crate) fn new_line_item(campaign_id: &str) -> pb::CreateLineItemRequest {
    pb::CreateLineItemRequest {
        request_id: request_id(),
        line_item: Some(pb::LineItem {
            campaign_id: campaign_id.to_owned(),
            display_name: "Billboards".to_owned(),
            kind: pb::LineItemKind::Network.into(),
            start_time: Some(START),
            ..Default::default()
        }),
        terms: Some(cpm()),
    }
}

/// A draft of a line item of a campaign, with terms.
pub(crate) async fn line_item_of(server: &Server, campaign_id: &str) -> pb::LineItem {
    let answer = server
        .client
        .create_line_item(new_line_item(campaign_id))
        .await;
    answer.unwrap().line_item.unwrap()
}

/// A draft of a line item of a new campaign, with terms.
pub(crate) async fn line_item(server: &Server) -> pb::LineItem {
    let campaign = campaign(server).await;
    line_item_of(server, &campaign.id).await
}

/// The campaign, approved by another person than asked for it.
pub(crate) async fn approve(server: &Server, campaign: pb::Campaign) -> pb::Campaign {
    let submitted = server
        .client
        .submit_campaign(pb::SubmitCampaignRequest {
            request_id: request_id(),
            id: campaign.id,
            etag: campaign.etag,
            actor: "maker@example.com".to_owned(),
            note: String::new(),
        })
        .await
        .unwrap()
        .campaign
        .unwrap();
    let approved = server
        .client
        .approve_campaign(pb::ApproveCampaignRequest {
            request_id: request_id(),
            id: submitted.id,
            etag: submitted.etag,
            actor: "checker@example.com".to_owned(),
            note: String::new(),
        })
        .await;
    approved.unwrap().campaign.unwrap()
}

/// What it takes to publish a share of a scope from an instant on.
pub(crate) fn new_share(
    scope: pb::rev_share_scope::Scope,
    share_ppm: i64,
    effective_time: Option<Timestamp>,
) -> pb::CreateRevShareRequest {
    pb::CreateRevShareRequest {
        request_id: request_id(),
        rev_share: Some(pb::RevShare {
            scope: Some(pb::RevShareScope { scope: Some(scope) }),
            share_ppm,
            effective_time,
            ..Default::default()
        }),
    }
}
