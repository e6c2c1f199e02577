//! Keeps line items supplied with leases, and watches what becomes of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cleave_host::{Report, Task};
use cleave_kernel::LineItemId;
use futures::StreamExt;
use operations_domain::lease::{LeasePolicy, LeaseState};
use operations_domain::line_item_status::{Computed, LineItemStatus};
use operations_domain::named::Named;
use operations_store::lease::LeaseRecord;
use tokio::sync::{Mutex, Notify};

use super::meter;
use crate::app::{App, DeliveredMemory, LeaseAnswer, LeaseRound};
use crate::peers::billing::{Answer, Billing};

/// Calls to Billing that are out at the same time.
const CALLS_AT_ONCE: usize = 16;
/// Leases asked about in one tick.
const LEASES_AT_ONCE: usize = 200;

/// What one tick leaves to the next. Nothing is lost with it: it is read again.
#[derive(Default)]
struct Memory {
    delivered: DeliveredMemory,
    /// What line items did when last seen.
    seen: HashMap<LineItemId, LineItemStatus>,
    /// The currencies that were on lease.
    currencies: HashSet<&'static str>,
}

/// The task; `wake` runs it at once.
pub fn task(
    app: App,
    billing: Billing,
    policy: LeasePolicy,
    period: Duration,
    wake: Arc<Notify>,
) -> Task {
    let memory = Arc::new(Mutex::new(Memory::default()));
    Task::new("lease-keeper", period, move || {
        let (app, billing, memory) = (app.clone(), billing.clone(), Arc::clone(&memory));
        async move { tick(&app, &billing, &policy, &mut *memory.lock().await).await }
    })
    .wake(wake)
}

async fn tick(
    app: &App,
    billing: &Billing,
    policy: &LeasePolicy,
    memory: &mut Memory,
) -> anyhow::Result<Report> {
    let round = app.lease_round(policy, &mut memory.delivered).await?;
    publish(&round, memory);
    let limit = u64::try_from(LEASES_AT_ONCE).unwrap_or(u64::MAX);
    let waiting = app.waiting_leases(limit).await?;
    let full = waiting.len() == LEASES_AT_ONCE;
    let answers: Vec<(LeaseRecord, LeaseAnswer)> = futures::stream::iter(waiting)
        .map(|record| async move {
            let answer = ask(billing, &record).await;
            (record, answer)
        })
        .buffer_unordered(CALLS_AT_ONCE)
        .collect()
        .await;
    let silent = answers
        .iter()
        .filter(|(_, answer)| *answer == LeaseAnswer::Silent)
        .count();
    let answered = answers.len() - silent;
    if !answers.is_empty() {
        app.store_lease_answers(&answers).await?;
    }
    let forgot = app.forget_leases().await?;
    let done = u64::try_from(round.decided + answered).unwrap_or(u64::MAX);
    // While Billing is silent the period is pace enough.
    Ok(if forgot || full && silent == 0 {
        Report::more(done)
    } else {
        Report::did(done)
    })
}

async fn ask(billing: &Billing, record: &LeaseRecord) -> LeaseAnswer {
    let (call, answer) = if record.lease.state == LeaseState::Planned {
        let answer = match billing.reserve(record).await {
            Answer::Done(grant) => LeaseAnswer::Granted {
                reservation: grant.reservation,
                granted: grant.granted,
            },
            Answer::Refused { reason, message } => LeaseAnswer::Refused { reason, message },
            Answer::Silent { error } => silent(record, &error),
        };
        ("reserve", answer)
    } else {
        let answer = match billing.release(record).await {
            // Refused means that it is over already: expired, or used up.
            Answer::Done(()) | Answer::Refused { .. } => LeaseAnswer::Over,
            Answer::Silent { error } => silent(record, &error),
        };
        ("release", answer)
    };
    let outcome = match &answer {
        LeaseAnswer::Granted { .. } => "granted",
        LeaseAnswer::Refused { .. } => "refused",
        LeaseAnswer::Over => "over",
        LeaseAnswer::Silent => "silent",
    };
    meter::lease_call(call, outcome);
    answer
}

fn silent(record: &LeaseRecord, error: &str) -> LeaseAnswer {
    tracing::debug!(
        line_item.id = %record.lease.line_item,
        request.id = %record.lease.request,
        error,
        "Billing did not answer about a lease"
    );
    LeaseAnswer::Silent
}

/// Tells logs and metrics what line items do.
fn publish(round: &LeaseRound, memory: &mut Memory) {
    meter::exposure(&round.exposure, &mut memory.currencies);
    meter::running_out(round.running_out);
    let mut counts: HashMap<LineItemStatus, u32> = HashMap::new();
    let mut now = HashMap::with_capacity(round.statuses.len());
    for (id, computed) in &round.statuses {
        *counts.entry(computed.status).or_default() += 1;
        let before = memory.seen.get(id).copied();
        if before.is_some_and(|before| before != computed.status) {
            announce(*id, before, computed);
        }
        now.insert(*id, computed.status);
    }
    memory.seen = now;
    meter::line_items(&counts);
}

fn announce(id: LineItemId, before: Option<LineItemStatus>, computed: &Computed) {
    let reasons: Vec<&str> = computed
        .reasons
        .iter()
        .map(|reason| reason.message.as_str())
        .collect();
    tracing::info!(
        line_item.id = %id,
        status.before = before.map(Named::name),
        status.now = computed.status.name(),
        reasons = reasons.join("; "),
        "a line item changed what it does"
    );
}
