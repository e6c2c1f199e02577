//! The cases that the fake passes as well.

use operations_client::conformance::{Arrange, SHARE_PPM, START, Stage};
use operations_client::{OperationsClient, pb};
use pb::rev_share_scope::Scope;
use prost_types::Timestamp;

use crate::make::{ad_unit, line_item, new_share};
use crate::server::{Server, client};

impl Arrange for Server {
    fn client(&self) -> OperationsClient {
        client(&self.running)
    }

    async fn stage(&self) -> Stage {
        let unit = ad_unit(self).await;
        let item = line_item(self).await;
        let start = Timestamp {
            seconds: START,
            nanos: 0,
        };
        let share = new_share(Scope::AdUnitId(unit.id.clone()), SHARE_PPM, Some(start));
        self.client.create_rev_share(share).await.unwrap();
        let game = pb::GetGameRequest {
            id: unit.game_id.clone(),
        };
        let game = self.client.get_game(game).await.unwrap().game.unwrap();
        Stage {
            advertiser_id: item.advertiser_id,
            publisher_id: game.publisher_id,
            game_id: unit.game_id,
            ad_unit_id: unit.id,
            source: format!("source-{}", item.id.to_lowercase()),
            line_item_id: item.id,
        }
    }

    async fn report(&self, rows: Vec<pb::DeliveryRow>) {
        let source = rows[0].key.as_ref().unwrap().source.clone();
        let request = pb::ReportDeliveryRequest {
            source,
            rows,
            ..Default::default()
        };
        let requests = futures::stream::iter([request]);
        let answer = self.client.report_delivery(requests).await.unwrap();
        assert_eq!(answer.rejected_count, 0, "{answer:?}");
    }

    async fn complete_through(&self, source: &str, instant: Timestamp) {
        let request = pb::ReportDeliveryRequest {
            source: source.to_owned(),
            complete_through: Some(instant),
            ..Default::default()
        };
        let requests = futures::stream::iter([request]);
        self.client.report_delivery(requests).await.unwrap();
    }

    async fn foreign_token(&self) -> String {
        use futures::StreamExt;
        let other = Self::alone().await;
        let request = pb::WatchDeliveryRequest::default();
        let mut stream = other.client.watch_delivery(request).await.unwrap();
        stream.next().await.unwrap().unwrap().resume_token
    }
}

operations_client::operations_conformance!(Server::alone().await);
