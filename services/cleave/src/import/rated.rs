//! Waits until Billing has rated what was imported.

use std::time::Duration;

use anyhow::Result;
use billing_client::pb::{Charge, ListChargesRequest, ListParkedRowsRequest};
use billing_client::{BillingClient, CallError};
use cleave_kernel::Timestamp;
use futures::stream::TryStreamExt;
use operations_client::OperationsClient;
use operations_client::pb::GetDeliveryDigestRequest;

use super::plan::Plan;
use super::report::{Rated, Report};
use crate::output;
use crate::peers::Peers;
use crate::time::to_proto;

/// How long Billing may take without rating a single row more.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest span that a digest covers.
const DIGEST_SPAN: Duration = Duration::from_secs(62 * 24 * 3600);

/// Waits while Billing gets on; says how far it came.
pub(super) async fn wait(peers: &Peers, plan: &Plan, report: &mut Report) -> Result<()> {
    let delivered_rows = delivered(&peers.operations, plan).await?;
    let progress = output::progress("rated by Billing", u64::try_from(delivered_rows)?);
    let mut best = 0;
    let mut last_step = tokio::time::Instant::now();
    loop {
        let rated_rows = rated(peers, plan).await?.unwrap_or(best);
        progress.set_position(u64::try_from(rated_rows)?);
        if rated_rows > best {
            best = rated_rows;
            last_step = tokio::time::Instant::now();
        }
        let complete = rated_rows >= delivered_rows;
        if complete || last_step.elapsed() > PATIENCE {
            progress.finish_and_clear();
            report.rated = Some(Rated {
                delivered_rows,
                rated_rows,
                parked_rows: parked(&peers.billing).await?.unwrap_or(0),
                complete,
            });
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Rows that the source has in the span of the plan.
async fn delivered(client: &OperationsClient, plan: &Plan) -> Result<i64> {
    let Some((mut start, end)) = plan.span() else {
        return Ok(0);
    };
    let mut rows = 0;
    while start < end {
        let until: Timestamp = end.min(start.plus(DIGEST_SPAN));
        let request = GetDeliveryDigestRequest {
            source: plan.source.clone(),
            start_time: Some(to_proto(start)),
            end_time: Some(to_proto(until)),
        };
        let answer = client.get_delivery_digest(request).await?;
        rows += answer
            .digests
            .iter()
            .map(|digest| digest.row_count)
            .sum::<i64>();
        start = until;
    }
    Ok(rows)
}

/// Rows of the plan's advertisers that are rated; nothing while Billing cannot be asked.
async fn rated(peers: &Peers, plan: &Plan) -> Result<Option<i64>, CallError> {
    let mut rows = 0;
    for advertiser in plan.advertisers.keys() {
        let request = ListChargesRequest {
            advertiser_id: advertiser.to_string(),
            ..Default::default()
        };
        let sum = |rows, charge: Charge| std::future::ready(Ok(rows + charge.row_count));
        let charges = peers.billing.list_all_charges(request);
        match reached(charges.try_fold(rows, sum).await)? {
            Some(sum) => rows = sum,
            None => return Ok(None),
        }
    }
    Ok(Some(rows))
}

/// Rows that wait; nothing while Billing cannot be asked.
async fn parked(client: &BillingClient) -> Result<Option<i64>, CallError> {
    let answer = client
        .list_parked_rows(ListParkedRowsRequest::default())
        .await;
    Ok(reached(answer)?.map(|page| page.total_count))
}

/// What was answered; nothing when the peer is away, which passes.
fn reached<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_transient() => Ok(None),
        Err(error) => Err(error),
    }
}
