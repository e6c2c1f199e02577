use operations_client::pb;
use pb::rev_share_scope::Scope;
use prost_types::Timestamp;
use tonic::Code;

use crate::make::{START, ad_unit, line_item, new_share};
use crate::server::{Server, faulty, refused};

const NETWORK: Scope = Scope::Network(pb::NetworkScope {});

fn after_start(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: START.seconds + seconds,
        nanos: 0,
    })
}

#[tokio::test]
async fn given_shares_of_several_scopes_when_resolved_then_the_most_specific_wins() {
    let server = Server::alone().await;
    let unit = ad_unit(&server).await;
    let resolve = |seconds: i64| {
        server.client.resolve_rev_share(pb::ResolveRevShareRequest {
            ad_unit_id: unit.id.clone(),
            time: after_start(seconds),
        })
    };
    refused(resolve(0).await, Code::NotFound, "REV_SHARE_UNRESOLVED");

    for (scope, ppm, seconds) in [
        (NETWORK, 500_000, 0),
        (Scope::GameId(unit.game_id.clone()), 600_000, 10),
        (NETWORK, 550_000, 20),
        (Scope::AdUnitId(unit.id.clone()), 700_000, 30),
    ] {
        let request = new_share(scope, ppm, after_start(seconds));
        server.client.create_rev_share(request).await.unwrap();
    }

    let expected = [
        (0, 500_000, Some(10)),
        (10, 600_000, Some(30)),
        (29, 600_000, Some(30)),
        (30, 700_000, None),
    ];
    for (seconds, ppm, until) in expected {
        let found = resolve(seconds).await.unwrap().rev_share.unwrap();
        assert_eq!(found.share_ppm, ppm, "{seconds}");
        assert_eq!(found.until_time, until.and_then(after_start), "{seconds}");
        assert_eq!(found.game_id, unit.game_id);
    }
    let listed = server
        .client
        .list_rev_shares(pb::ListRevSharesRequest {
            scope: Some(pb::RevShareScope {
                scope: Some(NETWORK),
            }),
            ..Default::default()
        })
        .await
        .unwrap()
        .rev_shares;
    assert_eq!(listed.len(), 2);
    let read = pb::GetRevShareRequest {
        id: listed[1].id.clone(),
    };
    let read = server
        .client
        .get_rev_share(read)
        .await
        .unwrap()
        .rev_share
        .unwrap();
    assert_eq!((read.version, read.share_ppm), (2, 550_000));
}

#[tokio::test]
async fn given_a_version_when_the_next_is_not_later_then_it_is_refused() {
    let server = Server::alone().await;
    let publish = |ppm, seconds| {
        server
            .client
            .create_rev_share(new_share(NETWORK, ppm, after_start(seconds)))
    };
    publish(500_000, 100).await.unwrap();
    let error = refused(
        publish(600_000, 100).await,
        Code::FailedPrecondition,
        "VERSION_ORDER",
    );
    assert_eq!(error.metadata["latest_version"], "1");
    assert_eq!(
        faulty(publish(1_000_001, 200).await),
        ["rev_share.share_ppm"]
    );
    let nothing = pb::CreateRevShareRequest {
        rev_share: Some(pb::RevShare::default()),
        ..new_share(NETWORK, 0, None)
    };
    assert_eq!(
        faulty(server.client.create_rev_share(nothing).await),
        ["rev_share.scope"]
    );
}

#[tokio::test]
async fn given_delivery_under_a_share_when_it_would_change_then_it_is_refused() {
    let server = Server::alone().await;
    let unit = ad_unit(&server).await;
    let item = line_item(&server).await;
    let scope = || Scope::AdUnitId(unit.id.clone());
    let report = pb::ReportDeliveryRequest {
        source: "test".to_owned(),
        rows: vec![pb::DeliveryRow {
            key: Some(pb::DeliveryKey {
                source: "test".to_owned(),
                line_item_id: item.id.clone(),
                terms_version: 1,
                ad_unit_id: unit.id.clone(),
                hour: after_start(3600),
            }),
            revision: 1,
            counts: Some(pb::DeliveryCounts {
                requests: 2,
                impressions: 1,
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    };
    let stored = server
        .client
        .report_delivery(futures::stream::iter([report]))
        .await
        .unwrap();
    assert_eq!(stored.inserted_count, 1, "{stored:?}");

    // Nothing held for the hour, so a share may still be given to it.
    let first = new_share(scope(), 500_000, after_start(0));
    server.client.create_rev_share(first).await.unwrap();
    let changed = new_share(scope(), 600_000, after_start(1800));
    let error = refused(
        server.client.create_rev_share(changed).await,
        Code::FailedPrecondition,
        "SHARE_IN_USE",
    );
    assert_eq!(error.metadata["ad_unit_id"], unit.id);

    // What is less specific than what holds changes nothing, and what comes later does not either.
    let network = new_share(NETWORK, 400_000, after_start(0));
    server.client.create_rev_share(network).await.unwrap();
    let later = new_share(scope(), 600_000, after_start(7200));
    server.client.create_rev_share(later).await.unwrap();
}

#[tokio::test]
async fn given_nobody_when_a_share_is_published_then_the_scope_is_not_found() {
    let server = Server::alone().await;
    let nobody = cleave_kernel::PublisherId::generate().to_string();
    let request = new_share(Scope::PublisherId(nobody), 1, None);
    refused(
        server.client.create_rev_share(request).await,
        Code::NotFound,
        "RESOURCE_NOT_FOUND",
    );
    let missing = pb::GetRevShareRequest {
        id: cleave_kernel::RevShareId::generate().to_string(),
    };
    refused(
        server.client.get_rev_share(missing).await,
        Code::NotFound,
        "RESOURCE_NOT_FOUND",
    );
}
