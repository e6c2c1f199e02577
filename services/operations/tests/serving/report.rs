//! `ReportDelivery`.

use futures::stream;
use operations_client::{CallError, pb};
use pb::row_rejection::Reason;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::network::Network;
use crate::server::{Server, refused};

/// A batch of rows that the ad server counted.
pub(crate) fn batch(rows: Vec<pb::DeliveryRow>) -> pb::ReportDeliveryRequest {
    pb::ReportDeliveryRequest {
        source: "adserver".to_owned(),
        rows,
        ..Default::default()
    }
}

pub(crate) async fn report(
    server: &Server,
    batches: Vec<pb::ReportDeliveryRequest>,
) -> Result<pb::ReportDeliveryResponse, CallError> {
    server.client.report_delivery(stream::iter(batches)).await
}

fn counts(answer: &pb::ReportDeliveryResponse) -> [i64; 4] {
    [
        answer.inserted_count,
        answer.updated_count,
        answer.stale_count,
        answer.rejected_count,
    ]
}

#[tokio::test]
async fn given_a_report_when_sent_again_whole_then_every_row_is_stale() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let mut last = batch(vec![network.row(&server, 3, 1, 30)]);
    last.complete_through = Some(server.hour(1));
    let batches = vec![
        batch(vec![network.row(&server, 1, 1, 10)]),
        batch(vec![
            network.row(&server, 1, 2, 11),
            network.row(&server, 2, 1, 20),
        ]),
        last,
    ];

    let first = report(&server, batches.clone()).await.unwrap();
    assert_eq!(counts(&first), [3, 1, 0, 0]);
    assert_eq!(first.complete_through, Some(server.hour(1)));

    // The watermark would refuse these rows if they were news.
    let again = report(&server, batches).await.unwrap();
    assert_eq!(counts(&again), [0, 0, 4, 0]);
    assert_eq!(again.revision, first.revision);
}

#[tokio::test]
async fn given_a_stream_that_breaks_off_then_what_was_stored_stays_and_the_rest_can_follow() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let (send, receive) = mpsc::channel(1);
    let client = server.client.clone();
    let call =
        tokio::spawn(async move { client.report_delivery(ReceiverStream::new(receive)).await });
    send.send(batch(vec![network.row(&server, 2, 1, 5)]))
        .await
        .unwrap();
    let stored = || async {
        let listed = server.client.list_delivery(Default::default()).await;
        (!listed.unwrap().rows.is_empty()).then_some(())
    };
    server.until("the first batch is stored", stored).await;
    call.abort();
    drop(send);

    let whole = vec![
        batch(vec![network.row(&server, 2, 1, 5)]),
        batch(vec![network.row(&server, 1, 1, 6)]),
    ];
    let answer = report(&server, whole).await.unwrap();
    assert_eq!(counts(&answer), [1, 0, 1, 0]);
}

#[tokio::test]
async fn given_bad_rows_then_each_is_rejected_by_itself_with_its_reason() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let row = |back: i64| network.row(&server, back, 1, 10);
    let with_key = |change: &dyn Fn(&mut pb::DeliveryKey)| {
        let mut row = row(1);
        row.key.as_mut().map(change);
        row
    };
    let with_counts = |change: &dyn Fn(&mut pb::DeliveryCounts)| {
        let mut row = row(1);
        row.counts.as_mut().map(change);
        row
    };
    let unknown_line = cleave_kernel::LineItemId::generate().to_string();
    let unknown_unit = cleave_kernel::AdUnitId::generate().to_string();
    let campaign = network.campaign_id.clone();
    let cases = [
        (
            with_key(&|key| key.source = "other".to_owned()),
            Reason::WrongSource,
            "key.source",
        ),
        (
            with_key(&|key| key.line_item_id = campaign.clone()),
            Reason::InvalidField,
            "key.line_item_id",
        ),
        (
            with_key(&|key| key.line_item_id.clear()),
            Reason::InvalidField,
            "key.line_item_id",
        ),
        (
            with_key(&|key| key.line_item_id = unknown_line.clone()),
            Reason::UnknownLineItem,
            "key.line_item_id",
        ),
        (
            with_key(&|key| key.terms_version = 2),
            Reason::UnknownTerms,
            "key.terms_version",
        ),
        (
            with_key(&|key| key.terms_version = -1),
            Reason::InvalidField,
            "key.terms_version",
        ),
        (
            with_key(&|key| key.ad_unit_id = unknown_unit.clone()),
            Reason::UnknownAdUnit,
            "key.ad_unit_id",
        ),
        (
            with_key(&|key| key.hour = None),
            Reason::InvalidField,
            "key.hour",
        ),
        (
            with_key(&|key| {
                if let Some(hour) = key.hour.as_mut() {
                    hour.seconds += 1;
                }
            }),
            Reason::InvalidHour,
            "key.hour",
        ),
        (row(-3), Reason::InvalidHour, "key.hour"),
        (
            with_counts(&|counts| counts.clicks = -1),
            Reason::InvalidCounts,
            "counts.clicks",
        ),
        (
            with_counts(&|counts| counts.requests = i64::MAX),
            Reason::InvalidCounts,
            "counts.requests",
        ),
        (
            with_counts(&|counts| counts.invalid_impressions = 11),
            Reason::InvalidCounts,
            "counts.invalid_impressions",
        ),
        (
            pb::DeliveryRow {
                revision: 0,
                ..row(1)
            },
            Reason::InvalidField,
            "revision",
        ),
        (
            pb::DeliveryRow {
                reason: 99,
                ..row(1)
            },
            Reason::InvalidField,
            "reason",
        ),
        (
            pb::DeliveryRow {
                key: None,
                ..row(1)
            },
            Reason::InvalidField,
            "key",
        ),
        (
            pb::DeliveryRow {
                counts: None,
                ..row(1)
            },
            Reason::InvalidField,
            "counts",
        ),
    ];
    let rows: Vec<pb::DeliveryRow> = cases.iter().map(|(row, ..)| row.clone()).collect();
    let good = batch(vec![row(2), row(2)]);
    let answer = report(&server, vec![good, batch(rows)]).await.unwrap();

    let rejected = i64::try_from(cases.len()).unwrap() + 1;
    assert_eq!(counts(&answer), [1, 0, 0, rejected]);
    let duplicate = &answer.rejections[0];
    assert_eq!((duplicate.batch_index, duplicate.row_index), (0, 1));
    assert_eq!(duplicate.reason(), Reason::DuplicateKey);
    for (index, ((_, reason, field), rejection)) in
        cases.iter().zip(&answer.rejections[1..]).enumerate()
    {
        assert_eq!(rejection.batch_index, 1);
        assert_eq!(rejection.row_index, i64::try_from(index).unwrap());
        assert_eq!(rejection.reason(), *reason, "{rejection:?}");
        assert_eq!(rejection.field, *field, "{rejection:?}");
        assert!(!rejection.message.is_empty());
    }
}

#[tokio::test]
async fn given_many_bad_rows_then_all_are_counted_and_the_first_thousand_told() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let bad = vec![network.row(&server, 1, 0, 1); 800];
    let answer = report(&server, vec![batch(bad.clone()), batch(bad)])
        .await
        .unwrap();
    assert_eq!(answer.rejected_count, 1600);
    assert_eq!(answer.rejections.len(), 1000);
}

#[tokio::test]
async fn given_a_complete_hour_then_late_live_rows_are_told_apart() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let mut complete = batch(vec![network.row(&server, 2, 1, 1)]);
    complete.complete_through = Some(server.hour(1));
    let mut late = network.row(&server, 3, 1, 1);
    late.reason = pb::DeliveryReason::Late.into();
    let after = batch(vec![
        network.row(&server, 2, 2, 1),
        late,
        network.row(&server, 1, 1, 1),
    ]);
    let answer = report(&server, vec![complete, after]).await.unwrap();
    assert_eq!(counts(&answer), [3, 0, 0, 1]);
    assert_eq!(answer.rejections[0].reason(), Reason::BehindWatermark);
}

#[tokio::test]
async fn given_a_batch_that_cannot_be_one_then_the_stream_ends_naming_the_field() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let good = || batch(vec![network.row(&server, 1, 1, 1)]);
    let cases = [
        (
            pb::ReportDeliveryRequest {
                source: String::new(),
                ..good()
            },
            "source",
        ),
        (
            pb::ReportDeliveryRequest {
                source: "Ad Server".to_owned(),
                ..good()
            },
            "source",
        ),
        (
            pb::ReportDeliveryRequest {
                source: "other".to_owned(),
                ..good()
            },
            "source",
        ),
        (
            pb::ReportDeliveryRequest {
                complete_through: Some(server.hour(-2)),
                ..good()
            },
            "complete_through",
        ),
        (batch(vec![pb::DeliveryRow::default(); 5001]), "rows"),
    ];
    for (second, field) in cases {
        let answer = report(&server, vec![good(), second]).await;
        let error = refused(answer, Code::InvalidArgument, pb::ErrorReason::InvalidField);
        assert_eq!(error.violations[0].field, field, "{error:?}");
    }
    // The batches before were stored all the same.
    let listed = server
        .client
        .list_delivery(Default::default())
        .await
        .unwrap();
    assert_eq!(listed.rows.len(), 1);
}

#[tokio::test]
async fn given_an_empty_stream_then_there_is_nothing_to_answer_but_zeros() {
    let server = Server::start().await;
    let answer = report(&server, Vec::new()).await.unwrap();
    assert_eq!(answer, pb::ReportDeliveryResponse::default());
}
