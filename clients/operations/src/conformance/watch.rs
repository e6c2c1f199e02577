//! Cases of following delivery.

use futures::StreamExt;
use tonic::Code;

use super::arrange::{Arrange, PATIENCE, Stage, hour, refused, row};
use crate::{digest, pb};

/// What a follower has seen of one stage.
#[derive(Debug, Default)]
struct Seen {
    token: String,
    /// The rows in the order in which they came.
    rows: Vec<pb::DeliveryRow>,
    watermarks: Vec<pb::DeliveryWatermark>,
    heartbeats: usize,
}

impl Seen {
    /// Hour number, revision and impressions of each row.
    fn told(&self) -> Vec<(i64, i64, i64)> {
        let told = |row: &pb::DeliveryRow| {
            let hour_start = row.key.as_ref()?.hour?.seconds;
            let number = (hour_start - hour(0).seconds) / 3600;
            Some((number, row.revision, row.counts.as_ref()?.impressions))
        };
        self.rows.iter().filter_map(told).collect()
    }
}

/// Follows from `token` until enough is seen of the stage; rows of other stages are passed over.
async fn follow_until(
    operations: &impl Arrange,
    stage: &Stage,
    token: &str,
    max_batch_rows: i32,
    enough: impl Fn(&Seen) -> bool,
) -> Seen {
    let request = pb::WatchDeliveryRequest {
        resume_token: token.to_owned(),
        max_batch_rows,
    };
    let opened = operations.client().watch_delivery(request).await;
    let mut stream = opened.expect("a watch opens");
    let mut seen = Seen::default();
    let mut revision = 0;
    let following = async {
        while let Some(message) = stream.next().await {
            let message = message.expect("the stream holds");
            assert!(message.revision >= revision, "revisions only rise");
            assert!(!message.resume_token.is_empty());
            check(&message, max_batch_rows);
            revision = message.revision;
            seen.token = message.resume_token;
            seen.heartbeats += usize::from(message.heartbeat);
            let own = |row: &pb::DeliveryRow| {
                row.key
                    .as_ref()
                    .is_some_and(|key| key.line_item_id == stage.line_item_id)
            };
            seen.rows.extend(message.rows.into_iter().filter(own));
            let own = |mark: &pb::DeliveryWatermark| mark.source == stage.source;
            seen.watermarks
                .extend(message.watermarks.into_iter().filter(own));
            if enough(&seen) {
                return;
            }
        }
        panic!("the stream ended");
    };
    let followed = tokio::time::timeout(PATIENCE, following).await;
    followed.unwrap_or_else(|_| panic!("waited in vain; seen: {seen:?}"));
    seen
}

/// What holds for every message.
fn check(message: &pb::WatchDeliveryResponse, max_batch_rows: i32) {
    let most = usize::try_from(max_batch_rows)
        .ok()
        .filter(|most| *most > 0);
    assert!(most.is_none_or(|most| message.rows.len() <= most));
    let is_quiet = message.rows.is_empty() && message.watermarks.is_empty();
    assert!(
        !message.heartbeat || is_quiet,
        "a heartbeat carries nothing"
    );
    assert!(message.as_of.is_some(), "a message says when it was so");
    if !message.rows.is_empty() {
        let digest = digest::of_rows(&message.rows).expect("the rows are whole");
        assert_eq!(message.digest, digest);
    }
    let is_whole = |row: &pb::DeliveryRow| row.state() == pb::DeliveryState::Provisional;
    assert!(message.rows.iter().all(is_whole));
}

/// Without a token everything there is comes, in the order in which it was reported.
pub async fn delivery_comes_whole_from_the_beginning(operations: &impl Arrange) {
    let stage = operations.stage().await;
    operations.report(vec![row(&stage, 1, 1, 100)]).await;
    operations
        .report(vec![row(&stage, 0, 1, 50), row(&stage, 2, 1, 70)])
        .await;
    for _ in 0..2 {
        let seen = follow_until(operations, &stage, "", 0, |seen| seen.rows.len() >= 3).await;
        let told = seen.told();
        assert_eq!(told[0], (1, 1, 100));
        assert!(told.contains(&(0, 1, 50)) && told.contains(&(2, 1, 70)));
    }
}

/// From a token, only what changed after it comes: as often as the token is used.
pub async fn delivery_goes_on_from_its_token(operations: &impl Arrange) {
    let stage = operations.stage().await;
    operations.report(vec![row(&stage, 0, 1, 10)]).await;
    let first = follow_until(operations, &stage, "", 0, |seen| !seen.rows.is_empty()).await;

    operations.report(vec![row(&stage, 1, 1, 20)]).await;
    for _ in 0..2 {
        let next = follow_until(operations, &stage, &first.token, 0, |s| !s.rows.is_empty()).await;
        assert_eq!(next.told(), [(1, 1, 20)]);
    }
}

/// A correction is sent to those who follow, and replaces the row for those who start later.
pub async fn a_corrected_row_comes_as_it_is_now(operations: &impl Arrange) {
    let stage = operations.stage().await;
    operations
        .report(vec![row(&stage, 0, 1, 1000), row(&stage, 1, 1, 5)])
        .await;
    let first = follow_until(operations, &stage, "", 0, |seen| seen.rows.len() >= 2).await;

    let mut correction = row(&stage, 0, 2, 940);
    correction.set_reason(pb::DeliveryReason::Ivt);
    operations.report(vec![correction]).await;

    let next = follow_until(operations, &stage, &first.token, 0, |seen| {
        !seen.rows.is_empty()
    })
    .await;
    assert_eq!(next.told(), [(0, 2, 940)]);
    assert_eq!(next.rows[0].reason(), pb::DeliveryReason::Ivt);
    let anew = follow_until(operations, &stage, "", 0, |seen| seen.rows.len() >= 2).await;
    assert_eq!(anew.told(), [(1, 1, 5), (0, 2, 940)]);
}

/// A revision that is stored already changes nothing and is not sent.
pub async fn a_stale_report_is_not_news(operations: &impl Arrange) {
    let stage = operations.stage().await;
    operations.report(vec![row(&stage, 0, 3, 300)]).await;
    let first = follow_until(operations, &stage, "", 0, |seen| !seen.rows.is_empty()).await;

    operations
        .report(vec![row(&stage, 0, 3, 1), row(&stage, 1, 1, 8)])
        .await;
    operations.report(vec![row(&stage, 0, 2, 2)]).await;
    operations.report(vec![row(&stage, 2, 1, 9)]).await;

    let next = follow_until(operations, &stage, &first.token, 0, |seen| {
        seen.rows.len() >= 2
    })
    .await;
    assert_eq!(next.told(), [(1, 1, 8), (2, 1, 9)]);
}

/// However small the batches, nothing is lost between them, and each token goes on where it stood.
pub async fn batches_are_as_small_as_asked_for(operations: &impl Arrange) {
    let stage = operations.stage().await;
    let rows: Vec<_> = (0..25)
        .map(|number| row(&stage, number, 1, number + 1))
        .collect();
    operations.report(rows).await;
    let all = follow_until(operations, &stage, "", 4, |seen| seen.rows.len() >= 25).await;
    let mut told = all.told();
    told.sort_unstable();
    assert_eq!(
        told,
        (0..25)
            .map(|number| (number, 1, number + 1))
            .collect::<Vec<_>>()
    );

    let half = follow_until(operations, &stage, "", 4, |seen| seen.rows.len() >= 12).await;
    let missing = 25 - half.rows.len();
    let rest = follow_until(operations, &stage, &half.token, 7, |seen| {
        seen.rows.len() >= missing
    })
    .await;
    let mut told: Vec<_> = half.told().into_iter().chain(rest.told()).collect();
    told.sort_unstable();
    assert_eq!(told.len(), 25);
    told.dedup();
    assert_eq!(told.len(), 25, "no row came twice");
}

/// A watermark is told once the rows before it have been, and again when it moves.
pub async fn watermarks_come_with_the_head(operations: &impl Arrange) {
    let stage = operations.stage().await;
    operations
        .report(vec![row(&stage, 0, 1, 1), row(&stage, 1, 1, 1)])
        .await;
    operations.complete_through(&stage.source, hour(2)).await;

    let told = |seen: &Seen| !seen.watermarks.is_empty();
    let seen = follow_until(operations, &stage, "", 1, told).await;
    assert_eq!(seen.rows.len(), 2, "the rows came first");
    let mark = &seen.watermarks[0];
    assert_eq!(mark.complete_through, Some(hour(2)));

    operations.complete_through(&stage.source, hour(3)).await;
    let moved = |seen: &Seen| {
        let through = |mark: &pb::DeliveryWatermark| mark.complete_through == Some(hour(3));
        seen.watermarks.iter().any(through)
    };
    follow_until(operations, &stage, &seen.token, 0, moved).await;
}

/// Also when nothing happens, the token moves on.
pub async fn a_quiet_watch_sends_heartbeats_with_tokens(operations: &impl Arrange) {
    let stage = operations.stage().await;
    operations.report(vec![row(&stage, 0, 1, 1)]).await;
    let first = follow_until(operations, &stage, "", 0, |seen| !seen.rows.is_empty()).await;
    let quiet = follow_until(operations, &stage, &first.token, 0, |s| s.heartbeats > 0).await;

    operations.report(vec![row(&stage, 1, 1, 2)]).await;
    let next = follow_until(operations, &stage, &quiet.token, 0, |s| !s.rows.is_empty()).await;
    assert_eq!(next.told(), [(1, 1, 2)]);
}

async fn watch_refused(operations: &impl Arrange, token: String, code: Code, reason: &str) {
    let request = pb::WatchDeliveryRequest {
        resume_token: token,
        max_batch_rows: 0,
    };
    let answer = match operations.client().watch_delivery(request).await {
        Ok(mut stream) => stream.next().await.expect("the stream says so"),
        Err(error) => Err(error),
    };
    refused(answer, code, reason);
}

/// A token from before a restore must not be believed.
pub async fn a_token_of_another_life_is_refused(operations: &impl Arrange) {
    let token = operations.foreign_token().await;
    watch_refused(operations, token, Code::OutOfRange, "RESUME_TOKEN_EXPIRED").await;
}

/// A text that no stream handed out is a mistake of the caller.
pub async fn a_token_that_is_none_is_refused(operations: &impl Arrange) {
    let token = "not a token".to_owned();
    watch_refused(
        operations,
        token,
        Code::InvalidArgument,
        "RESUME_TOKEN_INVALID",
    )
    .await;
}
