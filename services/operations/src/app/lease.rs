//! Keeps every line item that would serve supplied with leases, and gives back what it does not need.
//!
//! Deciding and calling are apart. A round decides and stores what is to be asked of Billing, with the request
//! that asks it; the answers are stored when they come. Whatever happens in between, the next round finds what
//! was stored and repeats the same requests.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cleave_kernel::{LineItemId, Timestamp};
use operations_domain::lease::{LeasePolicy, running_out, servable};
use operations_domain::line_item_status::{Computed, StatusFacts, compute};
use operations_domain::{LineItem, LineItemState, Terms};
use operations_store::lease::{
    LeaseRecord, enabled_line_items, ended_lines, forget_leases, live_leases, lock_open_leases,
    store_leases, waiting_leases,
};
use operations_store::lease_line::{lease_lines, lock_lines, store_lines};
use operations_store::terms::{self, TermsKey};
use operations_store::{Unit, delivery, record};

use super::context::Context;
use super::lease_plan::{Round, needs_action, plan, settle};
use super::{App, DeliveredMemory, Error};

/// Line items looked at together.
const PAGE: usize = 500;
/// Leases whose end is dealt with in one round.
const ENDED_AT_ONCE: u64 = 1000;
/// How long leases that are over are kept, for people who ask why.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// A source that has said nothing for so long holds nothing up.
const SOURCE_SILENT: Duration = Duration::from_secs(24 * 3600);

/// What a round found and did.
#[derive(Debug, Clone, Default)]
pub struct LeaseRound {
    /// Leases that were planned or ended.
    pub decided: usize,
    /// What each line item that people want to run does.
    pub statuses: Vec<(LineItemId, Computed)>,
    /// What may be served at the moment, by currency.
    pub exposure: HashMap<&'static str, i128>,
    /// Line items that ask for a lease in vain while the one they have is at its end.
    pub running_out: usize,
}

impl App {
    /// Looks at every line item that people want to run or that has a lease, and stores what follows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_round(
        &self,
        policy: &LeasePolicy,
        memory: &mut DeliveredMemory,
    ) -> Result<LeaseRound, Error> {
        let round = self.begin_round().await?;
        memory.catch_up(self).await?;
        let memory = &*memory;
        let mut found = LeaseRound::default();
        for record in round.live.values().flatten() {
            let left = servable([&record.lease], round.now);
            *found.exposure.entry(record.currency.code()).or_default() += i128::from(left.get());
        }
        let waits = |leases: &&Vec<LeaseRecord>| {
            running_out(policy, leases.iter().map(|record| &record.lease), round.now)
        };
        found.running_out = round.live.values().filter(waits).count();
        let mut seen = HashSet::new();
        let mut after = None;
        loop {
            let ids = self.enabled_page(after).await?;
            after = ids.last().copied();
            seen.extend(ids.iter().copied());
            self.look_at(policy, &round, memory, &ids, &mut found)
                .await?;
            if ids.len() < PAGE {
                break;
            }
        }
        let others = round.live.keys().chain(&round.ended);
        let others: HashSet<LineItemId> = others.filter(|id| !seen.contains(id)).copied().collect();
        let others: Vec<LineItemId> = others.into_iter().collect();
        for ids in others.chunks(PAGE) {
            self.look_at(policy, &round, memory, ids, &mut found)
                .await?;
        }
        Ok(found)
    }

    /// The leases that Billing is to be asked or told about, at most `limit` of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_leases(&self, limit: u64) -> Result<Vec<LeaseRecord>, Error> {
        self.store
            .db()
            .read("waiting_leases", |conn| async move {
                Ok::<_, Error>(waiting_leases(conn, limit).await?)
            })
            .await
    }

    /// Deletes leases that were over long ago; answers whether there may be more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_leases(&self) -> Result<bool, Error> {
        const AT_ONCE: u64 = 1000;
        let now = self.clock.now();
        let forgotten = self
            .store
            .write("forget_leases", now, |unit| async move {
                Ok::<_, Error>(forget_leases(&unit, now.minus(KEPT), AT_ONCE).await?)
            })
            .await?;
        Ok(u64::try_from(forgotten).is_ok_and(|count| count == AT_ONCE))
    }

    async fn begin_round(&self) -> Result<Round, Error> {
        let now = self.clock.now();
        self.store
            .db()
            .read("begin_lease_round", |conn| async move {
                // Read first: delivery up to here is then counted before a lease that it ends is given back.
                let reported_through = delivery::watermarks(conn, 0, i64::MAX)
                    .await?
                    .into_iter()
                    .filter(|mark| now.since(mark.updated_at) < SOURCE_SILENT)
                    .map(|mark| mark.complete_through)
                    .min();
                let mut live: HashMap<LineItemId, Vec<LeaseRecord>> = HashMap::new();
                for record in live_leases(conn, now).await? {
                    live.entry(record.lease.line_item).or_default().push(record);
                }
                let ended = ended_lines(conn, reported_through, now, ENDED_AT_ONCE).await?;
                Ok::<_, Error>(Round {
                    now,
                    today: self.day_so_far(now),
                    reported_through,
                    live,
                    ended: ended.into_iter().collect(),
                })
            })
            .await
    }

    fn day_so_far(&self, now: Timestamp) -> Duration {
        let start = now
            .in_zone(&self.zone)
            .and_then(|local| local.start_of_day().ok())
            .map(|start| Timestamp::from_micros(start.timestamp().as_microsecond()));
        start.map_or(Duration::ZERO, |start| now.since(start))
    }

    async fn enabled_page(&self, after: Option<LineItemId>) -> Result<Vec<LineItemId>, Error> {
        let limit = u64::try_from(PAGE).unwrap_or(u64::MAX);
        self.store
            .db()
            .read("enabled_line_items", |conn| async move {
                Ok::<_, Error>(enabled_line_items(conn, after, limit).await?)
            })
            .await
    }

    /// Looks at some line items without locking anything, and acts on those for which there is something to do.
    async fn look_at(
        &self,
        policy: &LeasePolicy,
        round: &Round,
        memory: &DeliveredMemory,
        ids: &[LineItemId],
        found: &mut LeaseRound,
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let (items, lines) = self
            .store
            .db()
            .read("lease_line_items", |conn| async move {
                let items = record::find_many::<LineItem, _>(conn, ids).await?;
                Ok::<_, Error>((items, lease_lines(conn, ids).await?))
            })
            .await?;
        let context = Context::around(self, &items, memory.of(ids)).await?;
        let mut busy = Vec::new();
        for item in &items {
            let Some(facts) = context.facts(item) else {
                continue;
            };
            if item.state == LineItemState::Enabled {
                found.statuses.push((item.id, compute(&facts, round.now)));
            }
            let live = round.live.get(&item.id).map_or(&[][..], Vec::as_slice);
            if needs_action(policy, round, &facts, live, lines.get(&item.id)) {
                busy.push(facts);
            }
        }
        if !busy.is_empty() {
            found.decided += self.act(policy, round, &busy).await?;
        }
        Ok(())
    }

    /// Decides again, with everything locked, and stores what follows.
    async fn act(
        &self,
        policy: &LeasePolicy,
        round: &Round,
        busy: &[StatusFacts<'_>],
    ) -> Result<usize, Error> {
        let now = round.now;
        self.store
            .write("plan_leases", now, |unit| async move {
                let ids: Vec<LineItemId> = busy.iter().map(|facts| facts.line_item.id).collect();
                let mut lines = lock_lines(&unit, &ids).await?;
                let mut open = by_line_item(lock_open_leases(&unit, &ids).await?);
                let terms = current_terms(&unit, busy).await?;
                let mut changed = Vec::new();
                for facts in busy {
                    let id = facts.line_item.id;
                    let mut leases = open.remove(&id).unwrap_or_default();
                    let before = leases.clone();
                    let line = lines.entry(id).or_default();
                    settle(round, facts, &mut leases, line);
                    if let Some(terms) = terms.get(&id) {
                        leases.extend(plan(policy, round, facts, &leases, line, terms));
                    }
                    changed.extend(leases.into_iter().filter(|lease| !before.contains(lease)));
                }
                store_lines(&unit, &lines).await?;
                store_leases(&unit, &changed).await?;
                Ok(changed.len())
            })
            .await
    }
}

fn by_line_item(records: Vec<LeaseRecord>) -> HashMap<LineItemId, Vec<LeaseRecord>> {
    let mut leases: HashMap<LineItemId, Vec<LeaseRecord>> = HashMap::new();
    for record in records {
        leases
            .entry(record.lease.line_item)
            .or_default()
            .push(record);
    }
    leases
}

async fn current_terms(
    unit: &Unit,
    busy: &[StatusFacts<'_>],
) -> Result<HashMap<LineItemId, Terms>, Error> {
    let keys: Vec<TermsKey> = busy
        .iter()
        .map(|facts| TermsKey {
            line_item_id: facts.line_item.id,
            version: facts.line_item.terms_version,
        })
        .collect();
    let terms = terms::find_many(&**unit, &keys).await?;
    Ok(terms
        .into_iter()
        .map(|terms| (terms.line_item_id, terms))
        .collect())
}
