use operations_client::pb;
use pb::game::State;
use tonic::Code;

use crate::make::{game, new_game, publisher};
use crate::publisher::active_publisher;
use crate::server::{Server, faulty, mask, refused, request_id};

async fn submit(server: &Server, subject: pb::Game) -> pb::Game {
    let request = pb::SubmitGameRequest {
        request_id: request_id(),
        id: subject.id,
        etag: subject.etag,
    };
    let answer = server.client.submit_game(request).await;
    answer.unwrap().game.unwrap()
}

fn approve(subject: &pb::Game) -> pb::ApproveGameRequest {
    pb::ApproveGameRequest {
        request_id: request_id(),
        id: subject.id.clone(),
        etag: subject.etag.clone(),
        note: "fine".to_owned(),
    }
}

#[tokio::test]
async fn given_an_active_publisher_when_reviewed_then_the_game_is_approved() {
    let server = Server::start().await;
    let owner = active_publisher(&server).await;
    let draft = server.client.create_game(new_game(&owner.id)).await;
    let draft = draft.unwrap().game.unwrap();
    assert_eq!(draft.state(), State::Draft);

    let waiting = submit(&server, draft).await;
    let approved = server.client.approve_game(approve(&waiting)).await;

    let approved = approved.unwrap().game.unwrap();
    assert_eq!(approved.state(), State::Approved);
    assert_eq!(approved.review_note, "fine");
}

#[tokio::test]
async fn given_a_publisher_that_is_not_active_when_approved_then_it_is_refused() {
    let server = Server::alone().await;
    let waiting = submit(&server, game(&server).await).await;
    let error = refused(
        server.client.approve_game(approve(&waiting)).await,
        Code::FailedPrecondition,
        "PARENT_NOT_READY",
    );
    assert_eq!(error.metadata["state"], "APPLIED");
}

#[tokio::test]
async fn given_a_rejection_when_reasoned_then_the_game_may_be_submitted_again() {
    let server = Server::alone().await;
    let waiting = submit(&server, game(&server).await).await;
    let mut reject = pb::RejectGameRequest {
        request_id: request_id(),
        id: waiting.id.clone(),
        etag: waiting.etag.clone(),
        note: String::new(),
    };
    assert_eq!(
        faulty(server.client.reject_game(reject.clone()).await),
        ["note"]
    );
    reject.note = "no icon".to_owned();
    let rejected = server
        .client
        .reject_game(reject)
        .await
        .unwrap()
        .game
        .unwrap();
    assert_eq!(rejected.review_note, "no icon");

    let again = submit(&server, rejected).await;
    assert_eq!(again.state(), State::InReview);
    let update = pb::UpdateGameRequest {
        request_id: request_id(),
        game: Some(again),
        update_mask: mask(&["category"]),
    };
    refused(
        server.client.update_game(update).await,
        Code::FailedPrecondition,
        "STATE_NOT_ALLOWED",
    );
}

#[tokio::test]
async fn given_a_bundle_when_taken_in_its_store_then_it_is_refused_there_only() {
    let server = Server::alone().await;
    let owner = publisher(&server).await;
    let mut request = new_game(&owner.id);
    let first = server.client.create_game(request.clone()).await;
    let first = first.unwrap().game.unwrap();
    request.request_id = request_id();
    refused(
        server.client.create_game(request.clone()).await,
        Code::AlreadyExists,
        "RESOURCE_EXISTS",
    );
    request.request_id = request_id();
    request.game.as_mut().unwrap().store = pb::GameStore::Other.into();
    let second = server.client.create_game(request.clone()).await;
    let second = second.unwrap().game.unwrap();

    let list = |store: pb::GameStore| {
        server.client.list_games(pb::ListGamesRequest {
            publisher_id: owner.id.clone(),
            store: store.into(),
            bundle: first.bundle.clone(),
            ..Default::default()
        })
    };
    let everywhere = list(pb::GameStore::Unspecified).await.unwrap().games;
    assert_eq!(everywhere.len(), 2);
    assert_eq!(list(pb::GameStore::Other).await.unwrap().games, [second]);
}

#[tokio::test]
async fn given_an_unknown_publisher_when_a_game_is_created_then_it_is_not_found() {
    let server = Server::alone().await;
    let nobody = cleave_kernel::PublisherId::generate().to_string();
    let error = refused(
        server.client.create_game(new_game(&nobody)).await,
        Code::NotFound,
        "RESOURCE_NOT_FOUND",
    );
    assert_eq!(error.metadata["resource_type"], "publisher");
}

#[tokio::test]
async fn given_a_game_when_updated_and_archived_then_it_stays_readable() {
    let server = Server::alone().await;
    let mut subject = game(&server).await;
    subject.category = "sports".to_owned();
    let update = pb::UpdateGameRequest {
        request_id: request_id(),
        game: Some(subject),
        update_mask: None,
    };
    let changed = server
        .client
        .update_game(update)
        .await
        .unwrap()
        .game
        .unwrap();
    assert_eq!(changed.category, "sports");
    let archive = pb::ArchiveGameRequest {
        request_id: request_id(),
        id: changed.id.clone(),
        etag: changed.etag,
    };
    let archived = server
        .client
        .archive_game(archive)
        .await
        .unwrap()
        .game
        .unwrap();
    let read = server
        .client
        .get_game(pb::GetGameRequest { id: changed.id });
    assert_eq!(read.await.unwrap().game.unwrap(), archived);
    assert_eq!(archived.state(), State::Archived);
}
