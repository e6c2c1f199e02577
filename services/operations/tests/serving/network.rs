//! A small network: somebody who buys, somebody who sells, something that serves.

use cleave_kernel::{AdvertiserId, Clock};
use operations_client::{pb, types};

use crate::server::{Server, request, wire};

/// What a test reports delivery of.
pub(crate) struct Network {
    pub(crate) advertiser_id: String,
    pub(crate) campaign_id: String,
    pub(crate) line_item_id: String,
    pub(crate) ad_unit_id: String,
}

impl Network {
    /// A network with money, whose line item is wanted to run: CPM, one rupee for each impression.
    pub(crate) async fn serving(server: &Server) -> Self {
        let network = Self::funded(server, 1_000_000_000).await;
        network.enable(server).await;
        network
    }

    /// The same, the line item not yet enabled, with so much money.
    pub(crate) async fn funded(server: &Server, micros: i64) -> Self {
        let network = Self::draft(server, pb::LineItem::default()).await;
        network.active(server).await;
        if micros > 0 {
            server.billing.pay(&network.advertiser_id, micros);
        }
        network.approve(server).await;
        network
    }

    /// The network with a draft of a campaign and of a line item, after what `line_item` says of its limits.
    pub(crate) async fn draft(server: &Server, line_item: pb::LineItem) -> Self {
        let advertiser_id = advertiser(server).await;
        let campaign_id = campaign(server, &advertiser_id).await;
        Self {
            line_item_id: new_line_item(server, &campaign_id, line_item).await,
            ad_unit_id: ad_unit(server).await,
            campaign_id,
            advertiser_id,
        }
    }

    /// Waits until the advertiser is active.
    pub(crate) async fn active(&self, server: &Server) {
        server
            .until("the advertiser is active", || async {
                let asked = pb::GetAdvertiserRequest {
                    id: self.advertiser_id.clone(),
                };
                let advertiser = server.client.get_advertiser(asked).await.unwrap();
                let state = advertiser.advertiser.unwrap().state();
                (state == pb::advertiser::State::Active).then_some(())
            })
            .await;
    }

    /// Has the campaign submitted by one and approved by another.
    pub(crate) async fn approve(&self, server: &Server) {
        let asked = pb::GetCampaignRequest {
            id: self.campaign_id.clone(),
        };
        let campaign = server.client.get_campaign(asked).await.unwrap().campaign;
        let submitted = server
            .client
            .submit_campaign(pb::SubmitCampaignRequest {
                request_id: request(),
                id: self.campaign_id.clone(),
                etag: campaign.unwrap().etag,
                actor: "maker".to_owned(),
                note: String::new(),
            })
            .await
            .unwrap();
        let approval = pb::ApproveCampaignRequest {
            request_id: request(),
            id: self.campaign_id.clone(),
            etag: submitted.campaign.unwrap().etag,
            actor: "checker".to_owned(),
            note: String::new(),
        };
        server.client.approve_campaign(approval).await.unwrap();
    }

    /// Asks for the line item to run.
    pub(crate) async fn enable(&self, server: &Server) {
        let asked = || async {
            let enable = pb::EnableLineItemRequest {
                request_id: request(),
                id: self.line_item_id.clone(),
                etag: self.line_item(server).await.etag,
            };
            server.client.enable_line_item(enable).await.ok()
        };
        server.until("the line item is enabled", asked).await;
    }

    /// Stops the line item.
    pub(crate) async fn pause(&self, server: &Server) {
        let pause = pb::PauseLineItemRequest {
            request_id: request(),
            id: self.line_item_id.clone(),
            etag: self.line_item(server).await.etag,
        };
        server.client.pause_line_item(pause).await.unwrap();
    }

    /// The line item as it is now.
    pub(crate) async fn line_item(&self, server: &Server) -> pb::LineItem {
        let asked = pb::GetLineItemRequest {
            id: self.line_item_id.clone(),
        };
        let answer = server.client.get_line_item(asked).await.unwrap();
        answer.line_item.unwrap()
    }

    /// Waits until the line item does this.
    pub(crate) async fn until(&self, server: &Server, status: pb::LineItemStatus) -> pb::LineItem {
        let seen = std::cell::RefCell::new(None);
        let found = server.until_some(|| async {
            let line_item = self.line_item(server).await;
            if line_item.status() == status {
                return Some(line_item);
            }
            *seen.borrow_mut() = Some((line_item.status(), line_item.status_reasons));
            None
        });
        found
            .await
            .unwrap_or_else(|| panic!("in vain: {status:?}; it is {:?}", seen.borrow()))
    }

    /// What the fake Billing has granted for the line item, oldest first.
    pub(crate) fn reservations(&self, server: &Server) -> Vec<billing_client::pb::Reservation> {
        let all = server.billing.reservations();
        all.into_iter()
            .filter(|held| held.line_item_id == self.line_item_id)
            .collect()
    }

    /// A row of the network in the hour `back` hours ago.
    pub(crate) fn row(
        &self,
        server: &Server,
        back: i64,
        revision: i64,
        impressions: i64,
    ) -> pb::DeliveryRow {
        pb::DeliveryRow {
            key: Some(pb::DeliveryKey {
                source: String::new(),
                line_item_id: self.line_item_id.clone(),
                terms_version: 1,
                ad_unit_id: self.ad_unit_id.clone(),
                hour: Some(server.hour(back)),
            }),
            revision,
            counts: Some(pb::DeliveryCounts {
                impressions,
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

async fn advertiser(server: &Server) -> String {
    let created = server
        .client
        .create_advertiser(pb::CreateAdvertiserRequest {
            request_id: request(),
            advertiser: Some(pb::Advertiser {
                id: AdvertiserId::generate().to_string(),
                display_name: "Tea House".to_owned(),
                time_zone: "Asia/Kolkata".to_owned(),
                currency_code: "INR".to_owned(),
                billing_proposal: Some(pb::BillingProposal {
                    mode: types::AccountMode::Prepaid.into(),
                    ..Default::default()
                }),
                ..Default::default()
            }),
        })
        .await;
    created.unwrap().advertiser.unwrap().id
}

async fn campaign(server: &Server, advertiser_id: &str) -> String {
    let created = server
        .client
        .create_campaign(pb::CreateCampaignRequest {
            request_id: request(),
            campaign: Some(pb::Campaign {
                advertiser_id: advertiser_id.to_owned(),
                display_name: "Spring".to_owned(),
                start_time: wire(server.clock.now()),
                ..Default::default()
            }),
        })
        .await;
    created.unwrap().campaign.unwrap().id
}

async fn new_line_item(server: &Server, campaign_id: &str, limits: pb::LineItem) -> String {
    let created = server
        .client
        .create_line_item(pb::CreateLineItemRequest {
            request_id: request(),
            line_item: Some(pb::LineItem {
                campaign_id: campaign_id.to_owned(),
                display_name: "Billboards".to_owned(),
                kind: pb::LineItemKind::Network.into(),
                start_time: wire(server.clock.now()),
                ..limits
            }),
            terms: Some(pb::LineItemTerms {
                pricing_model: types::PricingModel::Cpm.into(),
                rate_micros: 1_000_000,
                unit: 1,
                billing_source: pb::BillingSource::Own.into(),
                overdelivery_policy: types::OverdeliveryPolicy::PlatformAbsorbs.into(),
                ..Default::default()
            }),
        })
        .await;
    created.unwrap().line_item.unwrap().id
}

async fn ad_unit(server: &Server) -> String {
    let publisher = pb::Publisher {
        display_name: "Game House".to_owned(),
        currency_code: "INR".to_owned(),
        ..Default::default()
    };
    let created = server
        .client
        .create_publisher(pb::CreatePublisherRequest {
            request_id: request(),
            publisher: Some(publisher),
        })
        .await;
    let publisher_id = created.unwrap().publisher.unwrap().id;
    let game = pb::Game {
        bundle: format!("com.example.{publisher_id}"),
        publisher_id,
        display_name: "Cricket".to_owned(),
        store: pb::GameStore::Play.into(),
        ..Default::default()
    };
    let created = server
        .client
        .create_game(pb::CreateGameRequest {
            request_id: request(),
            game: Some(game),
        })
        .await;
    let unit = pb::AdUnit {
        game_id: created.unwrap().game.unwrap().id,
        display_name: "Billboard".to_owned(),
        format: pb::AdFormat::NativeInScene.into(),
        ..Default::default()
    };
    let created = server
        .client
        .create_ad_unit(pb::CreateAdUnitRequest {
            request_id: request(),
            ad_unit: Some(unit),
        })
        .await;
    created.unwrap().ad_unit.unwrap().id
}
