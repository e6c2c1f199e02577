//! `WatchDelivery`.

use std::time::Duration;

use futures::StreamExt;
use operations_client::{CallError, digest, pb};
use tonic::Code;

use crate::network::Network;
use crate::report::{batch, report};
use crate::server::{Server, refused};

const PATIENCE: Duration = Duration::from_secs(10);

type Messages = cleave_mesh::follow::Messages<pb::WatchDeliveryResponse>;

async fn watch(server: &Server, resume_token: &str, max_batch_rows: i32) -> Messages {
    let asked = pb::WatchDeliveryRequest {
        resume_token: resume_token.to_owned(),
        max_batch_rows,
    };
    server.client.watch_delivery(asked).await.unwrap()
}

async fn next(messages: &mut Messages) -> Result<pb::WatchDeliveryResponse, CallError> {
    tokio::time::timeout(PATIENCE, messages.next())
        .await
        .expect("a message comes in time")
        .expect("the stream goes on")
}

/// The first error of a watch with this token: on opening, or as the first message.
async fn refusal(server: &Server, resume_token: &str, rows: i32) -> Result<(), CallError> {
    let asked = pb::WatchDeliveryRequest {
        resume_token: resume_token.to_owned(),
        max_batch_rows: rows,
    };
    let mut messages = server.client.watch_delivery(asked).await?;
    next(&mut messages).await.map(drop)
}

#[tokio::test]
async fn given_rows_then_a_watch_sends_pages_with_digests_and_then_what_comes() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let rows = (1..=5)
        .map(|back| network.row(&server, back, 1, back))
        .collect();
    let mut all = batch(rows);
    all.complete_through = Some(server.hour(0));
    report(&server, vec![all]).await.unwrap();

    let mut messages = watch(&server, "", 2).await;
    let mut sizes = Vec::new();
    let mut revision = 0;
    for page in 0..3 {
        let message = next(&mut messages).await.unwrap();
        assert!(message.revision > revision && !message.heartbeat);
        revision = message.revision;
        let expected = digest::of_rows(&message.rows).unwrap();
        assert_eq!(message.digest, expected);
        assert_eq!(
            message.watermarks.len(),
            usize::from(page == 2),
            "{message:?}"
        );
        for watermark in &message.watermarks {
            assert!(watermark.revision <= message.revision);
            assert_eq!(watermark.complete_through, Some(server.hour(0)));
        }
        sizes.push(message.rows.len());
    }
    assert_eq!(sizes, [2, 2, 1]);

    let mut correction = network.row(&server, 4, 2, 1);
    correction.reason = pb::DeliveryReason::Ivt.into();
    report(&server, vec![batch(vec![correction])])
        .await
        .unwrap();
    let news = loop {
        let message = next(&mut messages).await.unwrap();
        if !message.heartbeat {
            break message;
        }
    };
    assert_eq!(news.rows.len(), 1);
    let row = &news.rows[0];
    assert_eq!((row.revision, row.reason()), (2, pb::DeliveryReason::Ivt));
    assert_eq!(row.state(), pb::DeliveryState::Provisional);
    assert_eq!(row.key.as_ref().unwrap().source, "adserver");
    assert!(row.report_time.is_some() && news.watermarks.is_empty());
}

#[tokio::test]
async fn given_any_token_then_a_watch_goes_on_from_there_and_ends_at_the_same_state() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    for revision in 1..=4 {
        let rows = (1..=3).map(|back| network.row(&server, back, revision, revision));
        report(&server, vec![batch(rows.collect())]).await.unwrap();
    }
    let mut tokens = vec![String::new()];
    let mut messages = watch(&server, "", 1).await;
    while tokens.len() < 4 {
        tokens.push(next(&mut messages).await.unwrap().resume_token);
    }
    for (taken, token) in tokens.iter().enumerate() {
        let mut messages = watch(&server, token, 10).await;
        let message = next(&mut messages).await.unwrap();
        assert_eq!(message.rows.len(), 3 - taken);
        assert!(message.rows.iter().all(|row| row.revision == 4));
        assert_eq!(message.heartbeat, taken == 3);
    }
}

#[tokio::test]
async fn given_silence_then_heartbeats_carry_a_token_that_serves_a_restarted_service() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    report(&server, vec![batch(vec![network.row(&server, 1, 1, 1)])])
        .await
        .unwrap();
    let mut messages = watch(&server, "", 0).await;
    assert_eq!(next(&mut messages).await.unwrap().rows.len(), 1);
    let beat = next(&mut messages).await.unwrap();
    assert!(beat.heartbeat && beat.rows.is_empty() && beat.digest.is_empty());
    assert!(beat.as_of.is_some());

    // The end of the service ends the stream so that its caller goes elsewhere.
    let ended = tokio::spawn(async move {
        loop {
            if let Err(error) = next(&mut messages).await {
                return error;
            }
        }
    });
    let server = server.restart().await;
    refused::<()>(
        Err(ended.await.unwrap()),
        Code::Unavailable,
        pb::ErrorReason::ShuttingDown,
    );

    let mut messages = watch(&server, &beat.resume_token, 0).await;
    let first = next(&mut messages).await.unwrap();
    assert!(first.rows.is_empty(), "{first:?}");
}

#[tokio::test]
async fn given_a_token_that_does_not_fit_then_it_is_refused_with_its_reason() {
    let server = Server::start().await;
    let other = Server::start().await;
    let network = Network::draft(&other, pb::LineItem::default()).await;
    report(&other, vec![batch(vec![network.row(&other, 1, 1, 1)])])
        .await
        .unwrap();
    let foreign = next(&mut watch(&other, "", 0).await)
        .await
        .unwrap()
        .resume_token;

    let expired = refusal(&server, &foreign, 0).await;
    refused(
        expired,
        Code::OutOfRange,
        pb::ErrorReason::ResumeTokenExpired,
    );
    let rubbish = refusal(&server, "rubbish", 0).await;
    refused(
        rubbish,
        Code::InvalidArgument,
        pb::ErrorReason::ResumeTokenInvalid,
    );
    let negative = refusal(&server, "", -1).await;
    refused(
        negative,
        Code::InvalidArgument,
        pb::ErrorReason::InvalidField,
    );
}
