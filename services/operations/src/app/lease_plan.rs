//! What a round of the lease keeper decides about one line item.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cleave_kernel::{LineItemId, Micros, RequestId, Timestamp};
use operations_domain::Terms;
use operations_domain::lease::{
    Ending, Lease, LeasePolicy, LeaseState, count, ending, may_ask_again, servable, should_ask,
    size,
};
use operations_domain::line_item_status::StatusFacts;
use operations_domain::serving::{demand, wants_lease};
use operations_store::lease::LeaseRecord;
use operations_store::lease_line::LeaseLine;

/// What is known at the start of a round.
pub(super) struct Round {
    pub(super) now: Timestamp,
    /// How long the civil day has lasted.
    pub(super) today: Duration,
    pub(super) reported_through: Option<Timestamp>,
    pub(super) live: HashMap<LineItemId, Vec<LeaseRecord>>,
    pub(super) ended: HashSet<LineItemId>,
}

/// Whether there is anything to do about the leases of a line item, `live` being those that serve or are asked for.
pub(super) fn needs_action(
    policy: &LeasePolicy,
    round: &Round,
    facts: &StatusFacts<'_>,
    live: &[LeaseRecord],
    line: Option<&LeaseLine>,
) -> bool {
    let id = facts.line_item.id;
    let moved = line.is_some_and(|line| line.spend_counted != facts.delivered.served);
    let wanted = wants_lease(facts, round.now);
    let idle = live
        .iter()
        .any(|record| record.lease.state == LeaseState::Held);
    round.ended.contains(&id)
        || moved
        || !wanted && idle
        || wanted && asks(policy, round, facts, &bare(live), line)
}

/// Whether to ask for a lease now, caps apart.
fn asks(
    policy: &LeasePolicy,
    round: &Round,
    facts: &StatusFacts<'_>,
    leases: &[Lease],
    line: Option<&LeaseLine>,
) -> bool {
    let revision = facts.account.map_or(0, |known| known.account.revision);
    let refusal = line.and_then(|line| line.refusal.as_ref());
    should_ask(policy, leases, round.now)
        && may_ask_again(policy, refusal, revision, round.now)
        && size(
            policy,
            &demand(facts, round.today),
            servable(leases, round.now),
        )
        .is_ok()
}

fn bare(records: &[LeaseRecord]) -> Vec<Lease> {
    records.iter().map(|record| record.lease.clone()).collect()
}

/// Counts what was delivered towards the leases, and ends those whose time has come.
pub(super) fn settle(
    round: &Round,
    facts: &StatusFacts<'_>,
    records: &mut [LeaseRecord],
    line: &mut LeaseLine,
) {
    let now = round.now;
    let served = facts.delivered.served;
    let mut leases = bare(records);
    let spend = served
        .checked_sub(line.spend_counted)
        .unwrap_or(Micros::ZERO);
    count(&mut leases, spend, now);
    line.spend_counted = served;
    let stops = !wants_lease(facts, now);
    let counted: HashMap<RequestId, Micros> = leases
        .into_iter()
        .map(|lease| (lease.request, lease.counted))
        .collect();
    for LeaseRecord { lease, .. } in records {
        lease.counted = counted.get(&lease.request).copied().unwrap_or_default();
        if stops && lease.serves(now) {
            lease.serve_until = now;
            line.serve_until = Some(now);
        }
        match ending(lease, round.reported_through, now) {
            Ending::Stays => {}
            Ending::Release => lease.state = LeaseState::Releasing,
            Ending::Expired => lease.state = LeaseState::Closed,
        }
    }
}

/// The next lease of the line item, if it is to have one.
pub(super) fn plan(
    policy: &LeasePolicy,
    round: &Round,
    facts: &StatusFacts<'_>,
    records: &[LeaseRecord],
    line: &LeaseLine,
    terms: &Terms,
) -> Option<LeaseRecord> {
    let now = round.now;
    let leases = bare(records);
    if !wants_lease(facts, now) || !asks(policy, round, facts, &leases, Some(line)) {
        return None;
    }
    let open = servable(&leases, now);
    let size = size(policy, &demand(facts, round.today), open).ok()?;
    Some(LeaseRecord {
        advertiser: facts.line_item.advertiser_id,
        currency: terms.currency,
        lease: Lease {
            request: RequestId::generate(),
            line_item: facts.line_item.id,
            terms_version: terms.version,
            state: LeaseState::Planned,
            asked: size.asked,
            least: size.least,
            planned_at: now,
            serve_until: now.plus(policy.serve_for),
            settle_until: now.plus(policy.settle_for),
            reservation: None,
            granted: Micros::ZERO,
            granted_at: None,
            counted: Micros::ZERO,
        },
    })
}
