//! Any token of a watch, old or new, rebuilds the same projection; one from before a restore is refused.

use crate::started;
use anyhow::{Context, Result};
use cleave_e2e::network::{self, Network, Plan, clicks_row};
use cleave_e2e::{Engine, until};
use cleave_storage::feed;
use futures::{StreamExt, stream};
use operations_client::{OperationsClient, pb as operations};
use std::collections::BTreeMap;
use tonic::Code;

/// Hours that are reported.
const HOURS: i64 = 12;
/// Revisions that each of them goes through.
const REVISIONS: i64 = 4;

/// Clicks and revision of each hour.
type Projection = BTreeMap<i64, (i64, i64)>;

#[tokio::test(flavor = "multi_thread")]
async fn given_any_token_when_replayed_then_the_projection_is_the_same() -> Result<()> {
    for engine in Engine::ALL {
        let Some(pair) = started(engine).await? else {
            continue;
        };
        let operations = pair.operations_client()?;
        let network =
            network::build(&operations, &pair.billing_client()?, &Plan::default()).await?;

        // given: a watcher that notes its projection at every token while rows are revised
        let mut noted = vec![(String::new(), Projection::new())];
        for revision in 1..=REVISIONS {
            report_all(&operations, &network, revision).await?;
            let (token, mut projection) = noted
                .last()
                .cloned()
                .context("the first is the empty one")?;
            follow(&operations, token, &mut projection, revision, &mut noted).await?;
        }
        let truth = noted.last().cloned().context("something was noted")?.1;
        assert_eq!(truth, source(&operations).await?, "{engine}");

        // when: every token that was ever handed out is resumed
        for (token, mut projection) in noted.clone() {
            follow(
                &operations,
                token,
                &mut projection,
                REVISIONS,
                &mut Vec::new(),
            )
            .await?;
            // then: each leads to the same projection
            assert_eq!(projection, truth, "{engine}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_restored_database_when_an_old_token_is_used_then_it_is_refused() -> Result<()> {
    let mut pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is always at hand")?;
    let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
    let network = network::build(&operations, &billing, &Plan::default()).await?;
    report_all(&operations, &network, 1).await?;
    let mut noted = Vec::new();
    follow(
        &operations,
        String::new(),
        &mut Projection::new(),
        1,
        &mut noted,
    )
    .await?;
    let (token, _) = noted.pop().context("a token")?;

    // given: the database was restored, which starts a new epoch
    pair.operations.kill()?;
    pair.operations_db
        .db()
        .transaction("restore", |txn| async move { feed::bump_epoch(&txn).await })
        .await?;
    pair.operations.start().await?;

    // when: a token from before is used
    let refused = first_message(&operations, token)
        .await
        .expect_err("the token is of another life");

    // then: it is refused by name, and Billing, which held such a token, starts again by itself
    assert_eq!(refused.code, Code::OutOfRange);
    assert!(refused.is_reason("RESUME_TOKEN_EXPIRED"), "{refused:?}");
    report_all(&operations, &network, 2).await?;
    let clicks = (1..=HOURS).map(|hour| hour * 2).sum::<i64>();
    until::holds("Billing has caught up after the restore", || async {
        let spend = network::spend(&billing, &network.line_item_ids[0]).await;
        spend.is_ok_and(|spend| spend.rated_micros == clicks * 1_000_000)
    })
    .await;
    Ok(())
}

/// Reports every hour at `revision`, with clicks that tell hour and revision.
async fn report_all(operations: &OperationsClient, network: &Network, revision: i64) -> Result<()> {
    let rows = (1..=HOURS)
        .map(|hour| clicks_row(network, 0, -hour, revision, hour * revision))
        .collect();
    let message = operations::ReportDeliveryRequest {
        source: network::SOURCE.to_owned(),
        rows,
        ..Default::default()
    };
    let reply = operations.report_delivery(stream::iter([message])).await?;
    assert_eq!(reply.rejected_count, 0, "{:?}", reply.rejections);
    Ok(())
}

/// Applies messages from `token` on until every hour is at `revision`; notes token and projection after each.
async fn follow(
    operations: &OperationsClient,
    token: String,
    projection: &mut Projection,
    revision: i64,
    noted: &mut Vec<(String, Projection)>,
) -> Result<()> {
    let complete = |projection: &Projection| {
        projection.len() == usize::try_from(HOURS).unwrap_or(0)
            && projection.values().all(|(seen, _)| *seen == revision)
    };
    if complete(projection) {
        return Ok(());
    }
    let request = operations::WatchDeliveryRequest {
        resume_token: token,
        max_batch_rows: 5,
    };
    let mut messages = operations.watch_delivery(request).await?;
    while !complete(projection) {
        let message = messages
            .next()
            .await
            .context("a watch does not end by itself")??;
        for row in &message.rows {
            apply(projection, row)?;
        }
        noted.push((message.resume_token, projection.clone()));
    }
    Ok(())
}

/// What Operations itself lists.
async fn source(operations: &OperationsClient) -> Result<Projection> {
    let reply = operations
        .list_delivery(operations::ListDeliveryRequest::default())
        .await?;
    let mut projection = Projection::new();
    for row in &reply.rows {
        apply(&mut projection, row)?;
    }
    Ok(projection)
}

fn apply(projection: &mut Projection, row: &operations::DeliveryRow) -> Result<()> {
    let hour = row
        .key
        .as_ref()
        .and_then(|key| key.hour)
        .context("a row has an hour")?
        .seconds;
    let clicks = row.counts.context("a row has counts")?.clicks;
    let held = projection.entry(hour).or_default();
    if row.revision > held.0 {
        *held = (row.revision, clicks);
    }
    Ok(())
}

async fn first_message(
    operations: &OperationsClient,
    resume_token: String,
) -> Result<operations::WatchDeliveryResponse, cleave_mesh::CallError> {
    let request = operations::WatchDeliveryRequest {
        resume_token,
        max_batch_rows: 5,
    };
    let mut messages = operations.watch_delivery(request).await?;
    match messages.next().await {
        Some(message) => message,
        None => Ok(operations::WatchDeliveryResponse::default()),
    }
}
