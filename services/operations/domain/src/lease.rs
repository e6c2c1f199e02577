//! Leases on money: what a line item may serve before Billing has rated it. No lease, no serving.
//!
//! A lease is an intent that is stored before Billing is asked, so that a crash repeats the same request. It
//! is served against until its time or its money is over; rows that arrive later still count towards it until
//! it settles.

use cleave_kernel::{LineItemId, Micros, RequestId, ReservationId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::named::named;

named! {
    /// The life of a lease.
    pub enum LeaseState {
        /// Billing is to be asked, or was and has not answered.
        Planned = "PLANNED",
        /// Granted.
        Held = "HELD",
        /// Billing is to be told that it ended, or was and has not answered.
        Releasing = "RELEASING",
        /// Over.
        Closed = "CLOSED",
    }
}

/// A lease on a part of an account's money for one line item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The request that asks for it, the same however often it is sent; also its key.
    pub request: RequestId,
    /// What it serves.
    pub line_item: LineItemId,
    /// The terms it was asked under.
    pub terms_version: i64,
    /// Its life.
    pub state: LeaseState,
    /// How much was asked for.
    pub asked: Micros,
    /// The least that is of use.
    pub least: Micros,
    /// When it was planned. Time counts from here and not from Billing's answer, which comes later: whatever
    /// the two clocks say, we stop before Billing does.
    pub planned_at: Timestamp,
    /// Until when it may be served against.
    pub serve_until: Timestamp,
    /// Until when rows may draw from it.
    pub settle_until: Timestamp,
    /// Billing's name for it, once granted.
    pub reservation: Option<ReservationId>,
    /// How much was granted.
    pub granted: Micros,
    /// When the answer came.
    pub granted_at: Option<Timestamp>,
    /// What reported delivery has used of it; beyond `granted` when more was served than it covers.
    pub counted: Micros,
}

impl Lease {
    /// What is left of the money.
    pub fn left(&self) -> Micros {
        match self.granted.checked_sub(self.counted) {
            Ok(left) if left.is_positive() => left,
            Ok(_) | Err(_) => Micros::ZERO,
        }
    }

    /// Whether it may be served against at `now`.
    pub fn serves(&self, now: Timestamp) -> bool {
        self.state == LeaseState::Held && now < self.serve_until && self.left().is_positive()
    }

    /// Whether rows that arrive now count towards it.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.state == LeaseState::Held && now < self.settle_until
    }

    /// Whether the grant came too late to be served against at all.
    fn stillborn(&self) -> bool {
        self.granted_at.is_some_and(|at| at >= self.serve_until)
    }
}

/// Sizes and spans by which leases are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeasePolicy {
    /// How long a lease serves.
    pub serve_for: Duration,
    /// How long rows may draw from it, counted from the same moment.
    pub settle_for: Duration,
    /// How much to ask for while no spend is known.
    pub first: Micros,
    /// The least to ask for, and the least that is of use.
    pub least: Micros,
    /// The most to ask for.
    pub most: Micros,
    /// Room above the forecast, in percent.
    pub headroom_percent: u32,
    /// Ask for the next lease when this much of the money is used, in percent.
    pub renew_used_percent: u32,
    /// Or when this much of the time has gone by, in percent.
    pub renew_time_percent: u32,
    /// How long to wait after a refusal, unless the account changes before.
    pub retry_after: Duration,
}

impl Default for LeasePolicy {
    fn default() -> Self {
        Self {
            serve_for: Duration::from_secs(300),
            settle_for: Duration::from_secs(3 * 3600),
            first: Micros::new(10_000_000),
            least: Micros::new(10_000),
            most: Micros::new(10_000_000_000),
            headroom_percent: 25,
            renew_used_percent: 70,
            renew_time_percent: 60,
            retry_after: Duration::from_secs(30),
        }
    }
}

/// What the size of the next lease follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// What was spent in the recent past.
    pub recent: Micros,
    /// How long that past is.
    pub recent_span: Duration,
    /// What is left of the lifetime cap; none without one.
    pub lifetime_left: Option<Micros>,
    /// What is left of today's cap; none without one.
    pub today_left: Option<Micros>,
}

named! {
    /// The cap that leaves nothing to ask for.
    pub enum SpentCap {
        /// The cap on everything.
        Lifetime = "LIFETIME",
        /// The cap on a day.
        Daily = "DAILY",
    }
}

/// How much to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseSize {
    /// How much.
    pub asked: Micros,
    /// The least that is of use.
    pub least: Micros,
}

/// Why Billing granted nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRefusal {
    /// Billing's reason: `INSUFFICIENT_FUNDS`, `ACCOUNT_BLOCKED`.
    pub reason: String,
    /// The same for a person.
    pub message: String,
    /// When it was refused.
    pub at: Timestamp,
    /// The revision of the account that was known then; another one is worth another try.
    pub account_revision: i64,
}

/// What the computed status of a line item takes from its leases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseFacts {
    /// Until when there is something to serve against.
    pub serve_until: Option<Timestamp>,
    /// The most that may be served now.
    pub left: Micros,
    /// Whether Billing was asked and has not answered.
    pub pending: bool,
    /// Why Billing granted nothing when last asked.
    pub refusal: Option<LeaseRefusal>,
    /// Since when Billing does not answer.
    pub unreachable_since: Option<Timestamp>,
}

/// The most that may be served at `now`.
pub fn servable<'a>(leases: impl IntoIterator<Item = &'a Lease>, now: Timestamp) -> Micros {
    let live = leases.into_iter().filter(|lease| lease.serves(now));
    Micros::checked_sum(live.map(Lease::left)).unwrap_or(Micros::MAX)
}

/// Whether an answer is awaited while what serves is at its end: over, or in its last fifth.
pub fn running_out<'a>(
    policy: &LeasePolicy,
    leases: impl IntoIterator<Item = &'a Lease>,
    now: Timestamp,
) -> bool {
    let soon = now.plus(policy.serve_for / 5);
    let (mut asked, mut enough) = (false, false);
    for lease in leases {
        asked |= lease.state == LeaseState::Planned;
        enough |= lease.serves(soon);
    }
    asked && !enough
}

/// Whether to ask for a lease: none serves, or what serves is nearly used up, in money or in time. Never while
/// an answer is awaited.
pub fn should_ask(policy: &LeasePolicy, leases: &[Lease], now: Timestamp) -> bool {
    if leases
        .iter()
        .any(|lease| lease.state == LeaseState::Planned)
    {
        return false;
    }
    let live = || leases.iter().filter(|lease| lease.serves(now));
    let Some(newest) = live().max_by_key(|lease| lease.serve_until) else {
        return true;
    };
    let granted: i128 = live().map(|lease| i128::from(lease.granted.get())).sum();
    let used: i128 = live().map(|lease| i128::from(lease.counted.get())).sum();
    let span = newest.serve_until.since(newest.planned_at);
    let gone = now.since(newest.planned_at);
    used * 100 >= granted * i128::from(policy.renew_used_percent)
        || gone.as_micros() * 100 >= span.as_micros() * u128::from(policy.renew_time_percent)
}

/// Whether a refusal is old enough, or out of date, so that asking again makes sense.
pub fn may_ask_again(
    policy: &LeasePolicy,
    refusal: Option<&LeaseRefusal>,
    account_revision: i64,
    now: Timestamp,
) -> bool {
    refusal.is_none_or(|refusal| {
        refusal.account_revision != account_revision || now.since(refusal.at) >= policy.retry_after
    })
}

/// How much to ask for, `open` being what may still be served under live leases.
///
/// # Errors
/// The cap that leaves nothing to ask for.
pub fn size(policy: &LeasePolicy, demand: &Demand, open: Micros) -> Result<LeaseSize, SpentCap> {
    let mut asked = forecast(policy, demand).clamp(policy.least, policy.most);
    let caps = [
        (SpentCap::Lifetime, demand.lifetime_left),
        (SpentCap::Daily, demand.today_left),
    ];
    for (cap, left) in caps {
        let Some(left) = left else { continue };
        match left.checked_sub(open) {
            Ok(room) if room.is_positive() => asked = asked.min(room),
            Ok(_) | Err(_) => return Err(cap),
        }
    }
    Ok(LeaseSize {
        asked,
        least: policy.least.min(asked),
    })
}

fn forecast(policy: &LeasePolicy, demand: &Demand) -> Micros {
    if !demand.recent.is_positive() || demand.recent_span.is_zero() {
        return policy.first;
    }
    let micros = |span: Duration| i128::try_from(span.as_micros()).unwrap_or(i128::MAX);
    let percent = i128::from(policy.headroom_percent) + 100;
    let wanted = i128::from(demand.recent.get())
        .saturating_mul(micros(policy.serve_for))
        .saturating_mul(percent)
        / micros(demand.recent_span).saturating_mul(100);
    i64::try_from(wanted).map_or(Micros::MAX, Micros::new)
}

/// Counts `spend` that was reported towards `leases`, the oldest first as Billing draws from them; what exceeds
/// them all counts towards the newest, and a correction downwards gives back to the newest first.
pub fn count(leases: &mut [Lease], spend: Micros, now: Timestamp) {
    leases.sort_by_key(|lease| (lease.planned_at, lease.request));
    let mut rest = spend.get();
    if rest < 0 {
        for lease in leases.iter_mut().rev().filter(|lease| lease.counts(now)) {
            let given = lease.counted.get().min(rest.saturating_neg());
            lease.counted = Micros::new(lease.counted.get() - given);
            rest += given;
        }
        return;
    }
    for lease in leases.iter_mut().filter(|lease| lease.counts(now)) {
        let taken = lease.left().get().min(rest);
        lease.counted = Micros::new(lease.counted.get() + taken);
        rest -= taken;
    }
    if let Some(newest) = leases.iter_mut().rev().find(|lease| lease.counts(now)) {
        newest.counted = Micros::new(newest.counted.get().saturating_add(rest));
    }
}

/// What becomes of a granted lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing yet.
    Stays,
    /// Nothing more will count towards it: tell Billing what did.
    Release,
    /// Billing has let it expire.
    Expired,
}

/// Whether `lease` ends at `now`, `reported_through` being the instant before which every source has reported.
pub fn ending(lease: &Lease, reported_through: Option<Timestamp>, now: Timestamp) -> Ending {
    if lease.state != LeaseState::Held {
        Ending::Stays
    } else if now >= lease.settle_until {
        Ending::Expired
    } else if now < lease.serve_until {
        Ending::Stays
    } else if lease.stillborn()
        || reported_through.is_some_and(|through| through >= lease.serve_until)
    {
        Ending::Release
    } else {
        Ending::Stays
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
