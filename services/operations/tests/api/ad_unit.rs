use operations_client::pb;
use pb::ad_unit::State;
use tonic::Code;

use crate::make::{ad_unit, game, new_ad_unit};
use crate::server::{Server, faulty, mask, refused, request_id};

#[tokio::test]
async fn given_each_verb_when_called_then_the_state_follows() {
    let server = Server::alone().await;
    let active = ad_unit(&server).await;
    assert_eq!(active.state(), State::Active);
    let paused = server
        .client
        .pause_ad_unit(pb::PauseAdUnitRequest {
            request_id: request_id(),
            id: active.id.clone(),
            etag: active.etag,
        })
        .await
        .unwrap()
        .ad_unit
        .unwrap();
    assert_eq!(paused.state(), State::Paused);
    let resumed = server
        .client
        .resume_ad_unit(pb::ResumeAdUnitRequest {
            request_id: request_id(),
            id: paused.id,
            etag: paused.etag,
        })
        .await
        .unwrap()
        .ad_unit
        .unwrap();
    let archived = server
        .client
        .archive_ad_unit(pb::ArchiveAdUnitRequest {
            request_id: request_id(),
            id: resumed.id.clone(),
            etag: resumed.etag,
        })
        .await
        .unwrap()
        .ad_unit
        .unwrap();
    assert_eq!(archived.state(), State::Archived);
    let read = server
        .client
        .get_ad_unit(pb::GetAdUnitRequest { id: resumed.id });
    assert_eq!(read.await.unwrap().ad_unit.unwrap(), archived);
}

#[tokio::test]
async fn given_a_floor_without_currency_when_set_then_it_is_refused() {
    let server = Server::alone().await;
    let mut subject = ad_unit(&server).await;
    subject.floor_micros = 5_000_000;
    let update = |ad_unit: pb::AdUnit| {
        server.client.update_ad_unit(pb::UpdateAdUnitRequest {
            request_id: request_id(),
            ad_unit: Some(ad_unit),
            update_mask: mask(&["floor_micros", "currency_code"]),
        })
    };
    assert_eq!(
        faulty(update(subject.clone()).await),
        ["ad_unit.currency_code"]
    );
    subject.currency_code = "USD".to_owned();
    let priced = update(subject).await.unwrap().ad_unit.unwrap();
    assert_eq!(
        (priced.floor_micros, priced.currency_code.as_str()),
        (5_000_000, "USD")
    );
}

#[tokio::test]
async fn given_a_tag_when_taken_in_its_game_then_it_is_refused_there_only() {
    let server = Server::alone().await;
    let here = game(&server).await;
    let there = game(&server).await;
    let tagged = |game: &pb::Game| {
        let mut request = new_ad_unit(&game.id);
        request.ad_unit.as_mut().unwrap().tag_id = "billboard".to_owned();
        server.client.create_ad_unit(request)
    };
    let first = tagged(&here).await.unwrap().ad_unit.unwrap();
    let error = refused(tagged(&here).await, Code::AlreadyExists, "RESOURCE_EXISTS");
    assert_eq!(error.metadata["resource_id"], first.id);
    tagged(&there).await.unwrap();
    let listed = server
        .client
        .list_ad_units(pb::ListAdUnitsRequest {
            game_id: here.id,
            tag_id: "billboard".to_owned(),
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(listed.ad_units, [first]);
}
