use operations_client::pb;
use pb::publisher::State;
use tonic::Code;

use crate::make::{new_publisher, publisher};
use crate::server::{Server, faulty, mask, refused, request_id, until};

async fn now(server: &Server, id: &str) -> pb::Publisher {
    let request = pb::GetPublisherRequest { id: id.to_owned() };
    let answer = server.client.get_publisher(request).await;
    answer.unwrap().publisher.unwrap()
}

async fn activate(
    server: &Server,
    subject: &pb::Publisher,
) -> Result<pb::ActivatePublisherResponse, operations_client::CallError> {
    let request = pb::ActivatePublisherRequest {
        request_id: request_id(),
        id: subject.id.clone(),
        etag: subject.etag.clone(),
    };
    server.client.activate_publisher(request).await
}

/// A publisher that serves.
pub(crate) async fn active_publisher(server: &Server) -> pb::Publisher {
    let id = publisher(server).await.id;
    let ready = until("an open account", async || {
        let now = now(server, &id).await;
        (!now.account_id.is_empty()).then_some(now)
    })
    .await;
    activate(server, &ready).await.unwrap().publisher.unwrap()
}

#[tokio::test]
async fn given_no_account_when_activated_then_it_is_refused_until_billing_opened_it() {
    let alone = Server::alone().await;
    let waiting = publisher(&alone).await;
    let error = refused(
        activate(&alone, &waiting).await,
        Code::FailedPrecondition,
        "BILLING_ACCOUNT_PENDING",
    );
    assert_eq!(error.metadata["resource_type"], "publisher");

    let server = Server::start().await;
    assert_eq!(active_publisher(&server).await.state(), State::Active);
}

#[tokio::test]
async fn given_each_verb_when_called_then_the_state_follows() {
    let server = Server::start().await;
    let active = active_publisher(&server).await;
    let suspended = server
        .client
        .suspend_publisher(pb::SuspendPublisherRequest {
            request_id: request_id(),
            id: active.id.clone(),
            etag: active.etag,
        })
        .await
        .unwrap()
        .publisher
        .unwrap();
    assert_eq!(suspended.state(), State::Suspended);
    let resumed = server
        .client
        .resume_publisher(pb::ResumePublisherRequest {
            request_id: request_id(),
            id: suspended.id,
            etag: suspended.etag,
        })
        .await
        .unwrap()
        .publisher
        .unwrap();
    assert_eq!(resumed.state(), State::Active);
    let terminated = server
        .client
        .terminate_publisher(pb::TerminatePublisherRequest {
            request_id: request_id(),
            id: resumed.id,
            etag: resumed.etag,
        })
        .await
        .unwrap()
        .publisher
        .unwrap();
    assert_eq!(terminated.state(), State::Terminated);
    assert!(activate(&server, &terminated).await.is_err());
    let listed = server
        .client
        .list_publishers(pb::ListPublishersRequest {
            states: vec![State::Terminated.into()],
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(listed.publishers, [terminated]);
}

#[tokio::test]
async fn given_a_seller_entry_when_taken_or_half_then_it_is_refused() {
    let server = Server::alone().await;
    let mut request = new_publisher();
    let wanted = request.publisher.as_mut().unwrap();
    wanted.seller_domain = "ads.example".to_owned();
    wanted.contact_emails = vec!["a@example.com".to_owned(), "b@example.com".to_owned()];
    let fields = faulty(server.client.create_publisher(request.clone()).await);
    assert_eq!(fields, ["publisher.seller_id"]);

    request.publisher.as_mut().unwrap().seller_id = "7".to_owned();
    let holder = server.client.create_publisher(request.clone()).await;
    let holder = holder.unwrap().publisher.unwrap();
    assert_eq!(holder.contact_emails.len(), 2);
    request.request_id = request_id();
    let error = refused(
        server.client.create_publisher(request).await,
        Code::AlreadyExists,
        "RESOURCE_EXISTS",
    );
    assert_eq!(error.metadata["field"], "seller_id");

    let mut other = publisher(&server).await;
    other.seller_domain = "ads.example".to_owned();
    other.seller_id = "7".to_owned();
    let update = pb::UpdatePublisherRequest {
        request_id: request_id(),
        publisher: Some(other),
        update_mask: mask(&["seller_domain", "seller_id"]),
    };
    refused(
        server.client.update_publisher(update).await,
        Code::AlreadyExists,
        "RESOURCE_EXISTS",
    );
}

#[tokio::test]
async fn given_something_that_is_no_address_when_created_then_it_is_named() {
    let server = Server::alone().await;
    let mut request = new_publisher();
    request.publisher.as_mut().unwrap().contact_emails =
        vec!["a@example.com".to_owned(), "nowhere".to_owned()];
    let fields = faulty(server.client.create_publisher(request).await);
    assert_eq!(fields, ["publisher.contact_emails[1]"]);
}
