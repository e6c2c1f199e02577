//! Billing's own proof of its ledger, followed to its end.

use anyhow::{Result, bail};
use billing_client::BillingClient;
use billing_client::pb::verify_ledger_response::Event;
use billing_client::pb::{VerifyFinding, VerifyLedgerRequest, VerifyPhase};
use futures::stream::TryStreamExt;
use serde::Serialize;

use super::Difference;
use crate::output;

/// What Billing checked.
#[derive(Debug, Default, Serialize)]
pub(super) struct LedgerCheck {
    pub(super) transfers: i64,
    pub(super) ledger_accounts: i64,
    pub(super) reservations: i64,
    pub(super) buckets: i64,
    pub(super) rows: i64,
    pub(super) findings: i64,
    /// The first finding.
    pub(super) difference: Option<Difference>,
}

/// Lets Billing verify its ledger.
pub(super) async fn check(client: &BillingClient) -> Result<LedgerCheck> {
    let request = VerifyLedgerRequest { skip_rating: false };
    let mut events = client.verify_ledger(request).await?;
    let progress = output::progress("verifying the ledger", 0);
    let mut check = LedgerCheck::default();
    while let Some(message) = events.try_next().await? {
        match message.event {
            Some(Event::Progress(at)) => {
                progress.set_message(phase(at.phase()));
                progress.set_length(u64::try_from(at.total_count)?);
                progress.set_position(u64::try_from(at.done_count)?);
            }
            Some(Event::Finding(finding)) => {
                check.difference.get_or_insert_with(|| difference(finding));
            }
            Some(Event::Summary(summary)) => {
                progress.finish_and_clear();
                check.transfers = summary.transfer_count;
                check.ledger_accounts = summary.ledger_account_count;
                check.reservations = summary.reservation_count;
                check.buckets = summary.bucket_count;
                check.rows = summary.row_count;
                check.findings = summary.finding_count;
                return Ok(check);
            }
            // An event of a later version of the contract.
            None => {}
        }
    }
    bail!("Billing ended its verification before the summary")
}

const fn phase(phase: VerifyPhase) -> &'static str {
    match phase {
        VerifyPhase::Unspecified => "verifying",
        VerifyPhase::Transfers => "replaying transfers",
        VerifyPhase::Counters => "comparing counters",
        VerifyPhase::Buckets => "rating buckets",
    }
}

fn difference(finding: VerifyFinding) -> Difference {
    let kind = finding.kind().as_str_name().trim_start_matches("KIND_");
    Difference {
        row: format!("{kind} {}", finding.subject),
        field: finding.field,
        expected: finding.expected,
        found: finding.found,
    }
}
