//! `VerifyLedger`: what the store reports, as it reports it.

use crate::app::{App, Error};
use crate::rpc::Answers;
use billing_store::{Finding, FindingKind, Phase, Report, StoreError, Summary};
use cleave_contracts::billing::v1 as pb;
use futures::StreamExt;
use pb::verify_ledger_response::Event;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Reports that may wait for a slow reader.
const WAITING: usize = 64;
/// Findings that are sent; the rest is counted.
const FINDINGS: i64 = 1000;

pub(super) fn verify(app: &App, skip_rating: bool) -> Answers<pb::VerifyLedgerResponse> {
    let (reports, received) = mpsc::channel(WAITING);
    let store = app.store().clone();
    // Whoever drops the answer ends the work.
    let mut checked = JoinSet::new();
    checked.spawn(async move { store.verify_ledger(skip_rating, reports).await });
    let found = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
    let counted = std::sync::Arc::clone(&found);
    let reported = ReceiverStream::new(received).filter_map(move |report| {
        let event = event(report, &counted);
        async move { event.map(|event| Ok(answer(event))) }
    });
    let end = futures::stream::once(async move {
        let finding_count = || found.load(std::sync::atomic::Ordering::SeqCst);
        match checked.join_next().await {
            Some(Ok(Ok(checked))) => Ok(answer(Event::Summary(summary(&checked, finding_count())))),
            Some(Ok(Err(error))) => Err(Status::from(Error::from(error))),
            Some(Err(_)) | None => Err(Status::from(Error::from(StoreError::Lost))),
        }
    });
    Box::pin(reported.chain(end))
}

const fn answer(event: Event) -> pb::VerifyLedgerResponse {
    pb::VerifyLedgerResponse { event: Some(event) }
}

fn event(report: Report, found: &std::sync::atomic::AtomicI64) -> Option<Event> {
    use std::sync::atomic::Ordering;
    match report {
        Report::Begun => {
            found.store(0, Ordering::SeqCst);
            None
        }
        Report::Progress { phase, done, total } => Some(Event::Progress(pb::VerifyProgress {
            phase: match phase {
                Phase::Transfers => pb::VerifyPhase::Transfers,
                Phase::Counters => pb::VerifyPhase::Counters,
                Phase::Buckets => pb::VerifyPhase::Buckets,
            }
            .into(),
            done_count: done,
            total_count: total,
        })),
        Report::Found(finding) => {
            let before = found.fetch_add(1, Ordering::SeqCst);
            (before < FINDINGS).then(|| Event::Finding(wire(finding)))
        }
    }
}

fn wire(finding: Finding) -> pb::VerifyFinding {
    use pb::verify_finding::Kind;
    pb::VerifyFinding {
        kind: match finding.kind {
            FindingKind::SeqGap => Kind::SeqGap,
            FindingKind::TransferInvalid => Kind::TransferInvalid,
            FindingKind::CounterMismatch => Kind::CounterMismatch,
            FindingKind::Unbalanced => Kind::Unbalanced,
            FindingKind::ReservationMismatch => Kind::ReservationMismatch,
            FindingKind::LimitExceeded => Kind::LimitExceeded,
            FindingKind::BucketMismatch => Kind::BucketMismatch,
            FindingKind::FundingMismatch => Kind::FundingMismatch,
        }
        .into(),
        subject: finding.subject,
        field: finding.field.to_owned(),
        expected: finding.expected,
        found: finding.found,
    }
}

const fn summary(summary: &Summary, finding_count: i64) -> pb::VerifySummary {
    pb::VerifySummary {
        transfer_count: summary.transfers,
        ledger_account_count: summary.ledger_accounts,
        reservation_count: summary.reservations,
        bucket_count: summary.buckets,
        row_count: summary.rows,
        finding_count,
        revision: summary.seq,
    }
}
