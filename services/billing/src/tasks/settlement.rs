//! Decides on delivery that nothing covered, once nothing is held for it any more and it has waited long enough.

use crate::app::{App, Error};
use billing_domain::funding::Settlement;
use billing_store::Waiting;
use cleave_host::{Report, Task};
use cleave_kernel::{LineItemId, Timestamp};
use futures::future::join_all;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Line items decided on in one go, which the ledger writer does in one transaction.
const LINE_ITEMS: u64 = 200;
/// The first pause of a line item that failed; it doubles with every failure in a row.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Failing line items whose pauses are kept. Beyond that they are tried once a round, as if they had not failed.
const PAUSES: usize = 10_000;

/// The task; unfunded delivery waits for `settle_after`.
pub(crate) fn task(app: App, period: Duration, settle_after: Duration) -> Task {
    let round = Arc::new(Mutex::new(Round::default()));
    Task::new("settlement", period, move || {
        let (app, round) = (app.clone(), Arc::clone(&round));
        async move { tick(&app, &round, settle_after).await }
    })
}

/// How far the line items have been gone through, and which of them rest after a failure.
#[derive(Debug, Default)]
struct Round {
    after: Option<Waiting>,
    resting: HashMap<LineItemId, Rest>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Timestamp,
    pause: Duration,
}

async fn tick(app: &App, round: &Mutex<Round>, settle_after: Duration) -> anyhow::Result<Report> {
    let now = app.clock().now();
    let before = now.minus(settle_after);
    let after = locked(round, |round| round.after);
    let page = app.store().unfunded_line_items(before, after, LINE_ITEMS);
    let page = page.await?;
    let full = u64::try_from(page.len())? == LINE_ITEMS;
    let due = locked(round, |round| round.due(&page, now));
    // All at once, so that they share a transaction; each has its own outcome.
    let settling = due.iter().map(|item| app.settle_unfunded(*item, before));
    let mut outage = None;
    let mut settled = 0;
    for (line_item, outcome) in due.iter().zip(join_all(settling).await) {
        match outcome {
            Ok(settlement) => {
                settled += 1;
                tell(*line_item, settlement);
                locked(round, |round| round.resting.remove(line_item));
            }
            Err(error) if error.passes() => outage = Some(error),
            Err(error) => {
                let pause = locked(round, |round| round.rest(*line_item, now));
                tracing::error!(
                    line_item.id = %line_item,
                    pause.seconds = pause.as_secs(),
                    %error,
                    "unfunded delivery cannot be decided on; it is tried again after a pause"
                );
            }
        }
    }
    if let Some(error) = outage {
        return Err(error.into());
    }
    // Only now is the page done with: after an outage it is gone through again.
    locked(round, |round| {
        round.after = page.last().copied().filter(|_| full)
    });
    Ok(match (settled, full) {
        (settled, true) => Report::more(settled),
        (0, false) => Report::idle(),
        (settled, false) => Report::did(settled),
    })
}

fn tell(line_item: LineItemId, settled: Settlement) {
    if settled.written_off.is_positive() {
        tracing::warn!(
            line_item.id = %line_item,
            written_off.micros = settled.written_off.get(),
            "delivery that nothing covered is carried by the platform"
        );
    }
}

fn locked<T>(round: &Mutex<Round>, act: impl FnOnce(&mut Round) -> T) -> T {
    // Nothing here panics half-way, so a poisoned lock guards a sound round.
    act(&mut round.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Round {
    /// Those of a page that do not rest.
    fn due(&self, page: &[Waiting], now: Timestamp) -> Vec<LineItemId> {
        let due = |item: &&Waiting| {
            let rest = self.resting.get(&item.line_item);
            rest.is_none_or(|rest| rest.until <= now)
        };
        page.iter().filter(due).map(|item| item.line_item).collect()
    }

    /// Lets a line item that failed rest; answers for how long.
    fn rest(&mut self, line_item: LineItemId, now: Timestamp) -> Duration {
        let before = self.resting.get(&line_item);
        let pause = before.map_or(PAUSE, |rest| (rest.pause * 2).min(LONGEST_PAUSE));
        if before.is_some() || self.resting.len() < PAUSES {
            let until = now.plus(pause);
            self.resting.insert(line_item, Rest { until, pause });
        }
        pause
    }
}

impl Error {
    /// Whether the error says nothing of what was asked, so that the same may well succeed later.
    const fn passes(&self) -> bool {
        match self {
            Self::Overloaded
            | Self::Contention
            | Self::Unavailable
            | Self::CatchingUp { .. }
            | Self::ShuttingDown => true,
            Self::Invalid(_)
            | Self::Refused(_)
            | Self::Mismatch { .. }
            | Self::Expired(_)
            | Self::Fault(_)
            | Self::Store(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_line_item_that_keeps_failing_then_it_rests_longer_and_nobody_else_does() {
        let (failing, other) = (LineItemId::generate(), LineItemId::generate());
        let page = [failing, other].map(|line_item| Waiting {
            since: Timestamp::EPOCH,
            line_item,
        });
        let mut round = Round::default();
        let mut now = Timestamp::EPOCH;
        assert_eq!(round.due(&page, now), [failing, other]);
        assert_eq!(round.rest(failing, now), PAUSE);
        assert_eq!(round.due(&page, now), [other]);
        now = now.plus(PAUSE);
        assert_eq!(round.due(&page, now), [failing, other]);
        assert_eq!(round.rest(failing, now), PAUSE * 2);
        for _ in 0..20 {
            round.rest(failing, now);
        }
        assert_eq!(round.rest(failing, now), LONGEST_PAUSE);
    }
}
