//! Rows that can never be rated, and accounts that would close over them: through the contract.

use crate::delivery::Pair;
use crate::server::{Server, fields, inr, payment, refused, request_id};
use billing_client::pb;
use billing_client::pb::parked_row::Reason;
use cleave_kernel::DeliveryRowId;
use cleave_storage::testing::TestDatabase;
use futures::TryStreamExt;
use std::time::Duration;
use tonic::Code;

/// Longer than a month and its corrections.
const LATE: Duration = Duration::from_secs(80 * 24 * 60 * 60);

fn write_off(rows: &[(&str, i64)]) -> pb::WriteOffParkedRowsRequest {
    let named = rows.iter().map(|(id, revision)| pb::ParkedRowRef {
        id: (*id).to_owned(),
        revision: *revision,
    });
    pb::WriteOffParkedRowsRequest {
        request_id: request_id(),
        rows: named.collect(),
        reason: "the account has closed".to_owned(),
        actor: "finance@example.com".to_owned(),
    }
}

async fn close(
    server: &Server,
    id: &str,
) -> Result<pb::CloseAccountResponse, billing_client::CallError> {
    let account = server.account(id).await;
    let request = pb::CloseAccountRequest {
        request_id: request_id(),
        account_id: account.id,
        etag: account.etag,
    };
    server.client.close_account(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_late_correction_of_a_closed_account_when_written_off_then_rating_goes_on() {
    for database in TestDatabase::each_engine().await {
        let pair = Pair::over(database, 100).await;
        pair.publish_terms(1, 1);
        pair.operations.report([pair.row(0, 1, 100)]);
        pair.operations
            .complete_through("own", crate::delivery::instant(20));
        pair.rated(100).await;
        let (server, advertiser) = (&pair.server, &pair.advertiser.id);
        let error = refused(
            close(server, advertiser).await,
            Code::FailedPrecondition,
            "DELIVERY_OPEN",
        );
        assert_eq!(error.metadata["account_id"], *advertiser);
        assert_eq!(error.metadata["parked_row_count"], "0");
        assert!(
            error.metadata["open_until_time"].starts_with("20"),
            "{error:?}"
        );
        server.clock.advance(LATE);
        close(server, advertiser).await.unwrap();

        pair.operations.report([pair.row(0, 2, 70)]);
        let parked = pair.until_parked(1).await.remove(0);
        assert_eq!(parked.reason(), Reason::AccountClosed);
        let through = pair.spend().await.rated_through_time;
        assert_eq!(through, Some(crate::delivery::instant(0)));

        let request = write_off(&[(&parked.id, 1)]);
        let answer = server.client.write_off_parked_rows(request).await;
        let error = refused(answer, Code::Aborted, "PARKED_ROW_CHANGED");
        assert_eq!(
            (
                &error.metadata["row_id"],
                error.metadata["revision"].as_str()
            ),
            (&parked.id, "2")
        );

        let request = write_off(&[(&parked.id, 2)]);
        let first = server
            .client
            .write_off_parked_rows(request.clone())
            .await
            .unwrap();
        let row = &first.rows[0];
        assert!(row.rated, "{row:?}");
        assert_eq!(
            (row.actor.as_str(), row.park_reason()),
            ("finance@example.com", Reason::AccountClosed)
        );
        let adjustment = &first.adjustments[0];
        assert_eq!(adjustment.kind(), pb::adjustment::Kind::WriteOff);
        assert_eq!(
            (&adjustment.account_id, &adjustment.amount),
            (advertiser, &inr(30))
        );
        // A repetition answers the same; the row itself is gone.
        let again = server.client.write_off_parked_rows(request).await.unwrap();
        assert_eq!(again, first);
        let answer = server
            .client
            .write_off_parked_rows(write_off(&[(&parked.id, 2)]))
            .await;
        let error = refused(answer, Code::NotFound, "PARKED_ROW_NOT_FOUND");
        assert_eq!(error.metadata["row_id"], parked.id);

        pair.rated(70).await;
        let through = pair.spend().await.rated_through_time;
        assert_eq!(through, Some(crate::delivery::instant(20)));
        assert_eq!(pair.earned().await, 49);
        let request = pb::ListWrittenOffRowsRequest::default();
        let listed = server
            .client
            .list_written_off_rows(request.clone())
            .await
            .unwrap();
        assert_eq!(listed.rows, first.rows);
        let all: Vec<_> = server
            .client
            .list_all_written_off_rows(request)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(all, first.rows);
        server.verified().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_rows_that_cannot_be_read_then_the_others_go_on_and_they_are_listed() {
    for database in TestDatabase::each_engine().await {
        let pair = Pair::over(database, 1000).await;
        pair.publish_terms(1, 1);
        let mut nameless = pair.row(1, 1, 5);
        nameless.key.as_mut().unwrap().line_item_id = "camp_\0?".to_owned();
        let mut countless = pair.row(2, 1, 5);
        countless.counts = None;
        let mut sourceless = pair.row(3, 1, 5);
        sourceless.key.as_mut().unwrap().source = "x".repeat(101);
        let mut hourless = pair.row(4, 1, 5);
        hourless.key.as_mut().unwrap().hour = None;
        let bad = [nameless, countless.clone(), sourceless, hourless];
        pair.operations.report(bad);
        pair.operations.report([pair.row(5, 1, 10)]);
        pair.operations
            .complete_through("own", crate::delivery::instant(20));
        pair.rated(10).await;
        let parked = pair.until_parked(4).await;
        assert!(parked.iter().all(|row| row.reason() == Reason::Unreadable));
        assert_eq!(parked.iter().filter(|row| row.hour.is_none()).count(), 1);
        let rows = parked
            .iter()
            .filter(|row| !row.detail.starts_with("counts"));
        let rows: Vec<_> = rows.map(|row| (row.id.as_str(), row.revision)).collect();
        let request = write_off(&rows);
        let answer = pair
            .server
            .client
            .write_off_parked_rows(request)
            .await
            .unwrap();
        assert!(
            answer
                .rows
                .iter()
                .all(|row| !row.rated && !row.content.is_empty())
        );
        let through = pair.spend().await.rated_through_time;
        assert_eq!(through, Some(crate::delivery::instant(2)));
        // A better revision of the row whose key could be read takes its place.
        pair.operations.report([pair.row(2, 2, 7)]);
        pair.rated(17).await;
        assert!(pair.parked().await.is_empty());
        let through = pair.spend().await.rated_through_time;
        assert_eq!(through, Some(crate::delivery::instant(20)));
        pair.server.verified().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_faults_in_a_write_off_then_each_is_named() {
    let server = Server::start().await;
    let id = DeliveryRowId::generate().to_string();
    let request = pb::WriteOffParkedRowsRequest {
        reason: String::new(),
        actor: "x".repeat(201),
        ..write_off(&[(&id, 1), ("line_x", 1), (&id, 2)])
    };
    let answer = server.client.write_off_parked_rows(request).await;
    let error = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(
        fields(&error),
        ["rows[1].id", "rows[2].id", "reason", "actor"]
    );
    for request in [write_off(&[]), write_off(&vec![(id.as_str(), 1); 501])] {
        let answer = server.client.write_off_parked_rows(request).await;
        let error = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
        assert_eq!(fields(&error), ["rows"]);
    }
    let account = server.advertiser(10).await;
    server
        .client
        .record_payment(payment(&account.id, 1))
        .await
        .unwrap();
    let request = pb::PostAdjustmentRequest {
        request_id: request_id(),
        account_id: account.id,
        kind: pb::adjustment::Kind::WriteOff.into(),
        direction: pb::adjustment::Direction::Debit.into(),
        amount: inr(1),
        reason: "by hand".to_owned(),
        actor: "finance@example.com".to_owned(),
    };
    let answer = server.client.post_adjustment(request).await;
    let error = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields(&error), ["kind"]);
}
