//! The fake Operations passes the conformance cases.

use futures::StreamExt;
use operations_client::conformance::{Arrange, SHARE_PPM, Stage, hour};
use operations_client::fake::{FakeOperations, ShareVersion, new_id};
use operations_client::types::{OverdeliveryPolicy, PartyKind, PricingModel};
use operations_client::{OperationsClient, pb};
use prost_types::Timestamp;

struct Faked(FakeOperations);

impl Faked {
    async fn start() -> Self {
        Self(FakeOperations::start().await.expect("a port is free"))
    }

    fn put_party(&self, id: &str, kind: PartyKind) {
        self.0.put_party(pb::Party {
            id: id.to_owned(),
            kind: kind.into(),
            display_name: "Conformance".to_owned(),
            state: "ACTIVE".to_owned(),
            currency_code: "INR".to_owned(),
            ..Default::default()
        });
    }
}

impl Arrange for Faked {
    fn client(&self) -> OperationsClient {
        self.0.client()
    }

    async fn stage(&self) -> Stage {
        let stage = Stage {
            advertiser_id: new_id("adv"),
            publisher_id: new_id("pub"),
            game_id: new_id("game"),
            ad_unit_id: new_id("unit"),
            line_item_id: new_id("line"),
            source: new_id("source"),
        };
        self.put_party(&stage.advertiser_id, PartyKind::Advertiser);
        self.put_party(&stage.publisher_id, PartyKind::Publisher);
        self.0.publish_terms(pb::LineItemTerms {
            line_item_id: stage.line_item_id.clone(),
            version: 1,
            campaign_id: new_id("camp"),
            advertiser_id: stage.advertiser_id.clone(),
            currency_code: "INR".to_owned(),
            pricing_model: PricingModel::Cpm.into(),
            rate_micros: 1_234_567,
            unit: 1000,
            billing_source: pb::BillingSource::Own.into(),
            overdelivery_policy: OverdeliveryPolicy::PlatformAbsorbs.into(),
            effective_time: Some(hour(0)),
            ..Default::default()
        });
        self.0.publish_share(ShareVersion {
            ad_unit_id: stage.ad_unit_id.clone(),
            publisher_id: stage.publisher_id.clone(),
            game_id: stage.game_id.clone(),
            share_ppm: SHARE_PPM,
            effective_time: hour(0),
        });
        stage
    }

    async fn report(&self, rows: Vec<pb::DeliveryRow>) {
        self.0.report(rows);
    }

    async fn complete_through(&self, source: &str, instant: Timestamp) {
        self.0.complete_through(source, instant);
    }

    async fn foreign_token(&self) -> String {
        let request = pb::WatchDeliveryRequest::default();
        let mut stream = self
            .client()
            .watch_delivery(request)
            .await
            .expect("it opens");
        let message = stream.next().await.expect("a message comes");
        self.0.restore();
        message.expect("the stream holds").resume_token
    }
}

operations_client::operations_conformance!(Faked::start().await);
