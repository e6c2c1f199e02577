use std::collections::BTreeMap;

use cleave_storage::feed;
use futures::StreamExt;
use operations_client::pb;
use pb::catalog_change::Subject;
use pb::rev_share_scope::Scope;
use tonic::Code;

use crate::make::{ad_unit, advertiser, line_item, new_share, publisher};
use crate::server::{Server, refused, request_id};

/// What somebody who follows the catalogue knows.
#[derive(Debug, Default, PartialEq)]
struct Projection {
    rows: BTreeMap<String, pb::CatalogChange>,
    token: String,
}

impl Projection {
    /// Takes in everything up to the next sign that there is no more.
    async fn follow(&mut self, server: &Server) {
        let request = pb::WatchCatalogRequest {
            resume_token: self.token.clone(),
        };
        let mut stream = server.client.watch_catalog(request).await.unwrap();
        while let Some(message) = stream.next().await {
            let message = message.unwrap();
            for change in message.changes {
                let key = match change.subject.as_ref().unwrap() {
                    Subject::Party(party) => party.id.clone(),
                    Subject::LineItemTerms(terms) => {
                        format!("{}/{}", terms.line_item_id, terms.version)
                    }
                    Subject::RevShare(share) => share.id.clone(),
                    Subject::Campaign(campaign) => campaign.id.clone(),
                };
                self.rows.insert(key, change);
            }
            self.token = message.resume_token;
            if message.heartbeat {
                return;
            }
        }
        panic!("the stream ended");
    }
}

#[tokio::test]
async fn given_any_token_when_followed_then_the_projection_is_the_same() {
    let server = Server::alone().await;
    let mut early = Projection::default();
    early.follow(&server).await;
    assert!(early.rows.is_empty());
    let item = line_item(&server).await;
    let mut halfway = Projection::default();
    halfway.follow(&server).await;
    // An advertiser, its campaign and the terms of its line item.
    assert_eq!(halfway.rows.len(), 3);
    let owner = publisher(&server).await;
    let share = new_share(Scope::PublisherId(owner.id.clone()), 700_000, None);
    server.client.create_rev_share(share).await.unwrap();
    let campaign = pb::GetCampaignRequest {
        id: item.campaign_id,
    };
    let mut campaign = server
        .client
        .get_campaign(campaign)
        .await
        .unwrap()
        .campaign
        .unwrap();
    campaign.display_name = "Summer".to_owned();
    let update = pb::UpdateCampaignRequest {
        request_id: request_id(),
        campaign: Some(campaign),
        update_mask: None,
    };
    server.client.update_campaign(update).await.unwrap();

    early.follow(&server).await;
    halfway.follow(&server).await;
    let mut late = Projection::default();
    late.follow(&server).await;

    assert_eq!(early, halfway);
    assert_eq!(early, late);
    assert_eq!(late.rows.len(), 5);
}

#[tokio::test]
async fn given_tokens_that_cannot_be_resumed_when_followed_then_they_are_refused() {
    let server = Server::alone().await;
    let mut reader = Projection::default();
    advertiser(&server).await;
    reader.follow(&server).await;
    let open = async |token: &str| {
        let request = pb::WatchCatalogRequest {
            resume_token: token.to_owned(),
        };
        match server.client.watch_catalog(request).await {
            Err(error) => Err(error),
            Ok(mut stream) => stream.next().await.unwrap().map(drop),
        }
    };
    refused(
        open("rubbish").await,
        Code::InvalidArgument,
        "RESUME_TOKEN_INVALID",
    );
    let restored = server
        .database
        .db()
        .transaction("restore", |txn| async move { feed::bump_epoch(&txn).await })
        .await;
    restored.unwrap();
    refused(
        open(&reader.token).await,
        Code::OutOfRange,
        "RESUME_TOKEN_EXPIRED",
    );
}

#[tokio::test]
async fn given_changes_of_other_things_only_when_followed_then_heartbeats_come_all_the_same() {
    let server = Server::alone().await;
    let owner = publisher(&server).await;
    let request = pb::WatchCatalogRequest::default();
    let mut stream = server.client.watch_catalog(request).await.unwrap();
    while !stream.next().await.unwrap().unwrap().heartbeat {}
    let busy = async {
        loop {
            let game = crate::make::new_game(&owner.id);
            server.client.create_game(game).await.unwrap();
        }
    };
    let heard = async {
        for _ in 0..3 {
            assert!(stream.next().await.unwrap().unwrap().heartbeat);
        }
    };
    let heard = tokio::time::timeout(std::time::Duration::from_secs(20), heard);
    tokio::select! {
        () = busy => {}
        heard = heard => heard.unwrap(),
    }
}

#[tokio::test]
async fn given_a_stream_when_the_server_drains_then_it_ends_as_unavailable() {
    let server = Server::alone().await;
    let request = pb::WatchCatalogRequest::default();
    let mut stream = server.client.watch_catalog(request).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let running = server.running.clone();
    let stopping = tokio::spawn(async move { running.shutdown().await });
    let last = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    let error = last.unwrap().unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    assert!(stopping.await.unwrap().clean);
}

#[tokio::test]
async fn given_ids_when_looked_up_together_then_what_is_missing_is_said() {
    let server = Server::alone().await;
    let buyer = advertiser(&server).await;
    let seller = publisher(&server).await;
    let nobody = cleave_kernel::AdvertiserId::generate().to_string();
    let ids = vec![seller.id.clone(), nobody.clone(), buyer.id.clone()];
    let found = server
        .client
        .batch_get_parties(pb::BatchGetPartiesRequest { ids })
        .await
        .unwrap()
        .value;
    let names: Vec<&str> = found
        .parties
        .iter()
        .map(|party| party.id.as_str())
        .collect();
    assert_eq!(names, [seller.id.as_str(), buyer.id.as_str()]);
    assert_eq!(found.parties[1].state, "PENDING_BILLING");
    assert_eq!(found.missing_ids, [nobody]);

    let unit = ad_unit(&server).await;
    let query = |ad_unit_id: &str| pb::RevShareQuery {
        ad_unit_id: ad_unit_id.to_owned(),
        time: Some(crate::make::START),
    };
    let other = query(&cleave_kernel::AdUnitId::generate().to_string());
    let share = new_share(
        Scope::AdUnitId(unit.id.clone()),
        700_000,
        Some(crate::make::START),
    );
    server.client.create_rev_share(share).await.unwrap();
    let queries = vec![other.clone(), query(&unit.id)];
    let found = server
        .client
        .batch_get_rev_share(pb::BatchGetRevShareRequest { queries })
        .await
        .unwrap()
        .value;
    assert_eq!(found.rev_shares[0].share_ppm, 700_000);
    assert_eq!(found.missing_queries, [other]);
}
