//! What Billing answered about leases, stored.

use std::collections::HashMap;

use cleave_kernel::{LineItemId, Micros, RequestId, ReservationId, Timestamp};
use operations_domain::lease::{LeaseRefusal, LeaseState};
use operations_store::account::accounts_of;
use operations_store::lease::{LeaseRecord, lock_open_leases, store_leases};
use operations_store::lease_line::{LeaseLine, lock_lines, store_lines};
use uuid::Uuid;

use super::{App, Error};

/// What came of asking or telling Billing about a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It was granted.
    Granted {
        /// Billing's name for it.
        reservation: ReservationId,
        /// How much.
        granted: Micros,
    },
    /// It was refused.
    Refused {
        /// Billing's reason.
        reason: String,
        /// The same for a person.
        message: String,
    },
    /// It was given back, or is over for another reason.
    Over,
    /// Nothing came that counts.
    Silent,
}

impl App {
    /// Stores what came of asking about leases.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn store_lease_answers(
        &self,
        answers: &[(LeaseRecord, LeaseAnswer)],
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let ids: Vec<LineItemId> = answers
            .iter()
            .map(|(asked, _)| asked.lease.line_item)
            .collect();
        let owners: Vec<Uuid> = answers
            .iter()
            .map(|(asked, _)| asked.advertiser.uuid())
            .collect();
        let by_request: HashMap<RequestId, &LeaseAnswer> = answers
            .iter()
            .map(|(asked, answer)| (asked.lease.request, answer))
            .collect();
        let (ids, owners, by_request) = (&ids, &owners, &by_request);
        self.store
            .write("store_lease_answers", now, |unit| async move {
                let mut lines = lock_lines(&unit, ids).await?;
                let revisions: HashMap<Uuid, i64> = accounts_of(&**unit, owners)
                    .await?
                    .into_iter()
                    .map(|account| (account.owner, account.revision))
                    .collect();
                let mut changed = Vec::new();
                for mut record in lock_open_leases(&unit, ids).await? {
                    let Some(answer) = by_request.get(&record.lease.request) else {
                        continue;
                    };
                    let line = lines.entry(record.lease.line_item).or_default();
                    let revision = revisions.get(&record.advertiser.uuid()).copied();
                    apply(&mut record, line, answer, revision.unwrap_or(0), now);
                    changed.push(record);
                }
                store_lines(&unit, &lines).await?;
                store_leases(&unit, &changed).await?;
                Ok(())
            })
            .await
    }
}

/// What the answer makes of a lease. One that another replica has answered meanwhile stays as it is.
fn apply(
    record: &mut LeaseRecord,
    line: &mut LeaseLine,
    answer: &LeaseAnswer,
    account_revision: i64,
    now: Timestamp,
) {
    let lease = &mut record.lease;
    match (lease.state, answer) {
        (
            LeaseState::Planned,
            LeaseAnswer::Granted {
                reservation,
                granted,
            },
        ) => {
            lease.state = LeaseState::Held;
            lease.reservation = Some(*reservation);
            lease.granted = *granted;
            lease.granted_at = Some(now);
            line.refusal = None;
            line.unreachable_since = None;
            line.serve_until = line.serve_until.max(Some(lease.serve_until));
        }
        (LeaseState::Planned, LeaseAnswer::Refused { reason, message }) => {
            lease.state = LeaseState::Closed;
            line.unreachable_since = None;
            line.refusal = Some(LeaseRefusal {
                reason: reason.clone(),
                message: message.clone(),
                at: now,
                account_revision,
            });
        }
        (LeaseState::Planned, LeaseAnswer::Silent) => {
            line.unreachable_since.get_or_insert(now);
        }
        (LeaseState::Releasing, LeaseAnswer::Over | LeaseAnswer::Refused { .. }) => {
            lease.state = LeaseState::Closed;
        }
        (LeaseState::Planned, LeaseAnswer::Over)
        | (LeaseState::Releasing, LeaseAnswer::Granted { .. } | LeaseAnswer::Silent)
        | (LeaseState::Held | LeaseState::Closed, _) => {}
    }
}
