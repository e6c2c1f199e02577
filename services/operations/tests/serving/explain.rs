//! `ExplainLineItem`.

use operations_client::pb;
use pb::explain_step::{Source, Subject, Verdict};
use std::time::Duration;
use tonic::Code;

use crate::network::Network;
use crate::server::{Server, refused};

async fn explain(server: &Server, network: &Network) -> pb::ExplainLineItemResponse {
    let asked = pb::ExplainLineItemRequest {
        id: network.line_item_id.clone(),
    };
    server.client.explain_line_item(asked).await.unwrap()
}

fn step(answer: &pb::ExplainLineItemResponse, subject: Subject) -> &pb::ExplainStep {
    let found = answer.steps.iter().find(|step| step.subject() == subject);
    found.unwrap_or_else(|| panic!("{subject:?} is not explained"))
}

#[tokio::test]
async fn given_a_serving_line_item_then_every_step_passes_with_revision_and_age() {
    let server = Server::start().await;
    let network = Network::serving(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
    let answer = explain(&server, &network).await;
    assert_eq!(answer.steps.len(), 8);
    for step in &answer.steps {
        assert_eq!(step.verdict(), Verdict::Pass, "{step:?}");
        assert!(!step.message.is_empty() && step.as_of.is_some() && step.age.is_some());
    }
    let account = step(&answer, Subject::Account);
    assert_eq!(
        (account.source(), account.state.as_str()),
        (Source::Billing, "ACTIVE")
    );
    assert!(account.revision > 0);
    let lease = step(&answer, Subject::Lease);
    assert_eq!(lease.subject_id, network.reservations(&server)[0].id);
    assert_eq!(step(&answer, Subject::Terms).revision, 1);
}

#[tokio::test]
async fn given_several_things_missing_then_each_is_told_with_its_age() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    network.active(&server).await;
    server.billing.pay(&network.advertiser_id, 1_000_000);
    server
        .until("the money is known", || async {
            let answer = explain(&server, &network).await;
            (step(&answer, Subject::Account).state == "ACTIVE").then_some(())
        })
        .await;
    server.billing.server().go_down().await;
    server.clock.advance(Duration::from_secs(120));
    let answer = explain(&server, &network).await;
    assert_eq!(
        answer.line_item.as_ref().unwrap().status(),
        pb::LineItemStatus::Draft
    );
    assert_eq!(step(&answer, Subject::LineItem).verdict(), Verdict::Block);
    assert_eq!(step(&answer, Subject::Campaign).verdict(), Verdict::Block);
    let account = step(&answer, Subject::Account);
    assert_eq!(account.verdict(), Verdict::Limit, "{account:?}");
    assert!(account.age.as_ref().unwrap().seconds >= 120);
    assert_eq!(step(&answer, Subject::Lease).state, "NONE");
}

#[tokio::test]
async fn given_an_unknown_line_item_then_it_is_not_found() {
    let server = Server::start().await;
    let asked = pb::ExplainLineItemRequest {
        id: cleave_kernel::LineItemId::generate().to_string(),
    };
    let answer = server.client.explain_line_item(asked).await;
    refused(answer, Code::NotFound, pb::ErrorReason::ResourceNotFound);
    let asked = pb::ExplainLineItemRequest {
        id: "nonsense".to_owned(),
    };
    let answer = server.client.explain_line_item(asked).await;
    refused(answer, Code::InvalidArgument, pb::ErrorReason::InvalidField);
}
