//! Which replica gets a call: the less costly of two chosen at random among those that nothing speaks
//! against.
//!
//! Replicas that do not serve, and those whose failures added up, come only after all others, but they do
//! come: the last one is never left out.

use super::endpoint::{Endpoint, Rank};
use super::ticket::Mark;
use crate::contract::Prospect;
use crate::metrics::Pick;
use std::sync::Arc;
use tokio::time::Instant;

/// What a call asks of the choice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// Whether the call may be sent again, so that it can be risked on a replica in probation.
    pub(crate) repeatable: bool,
    /// Whether it is better to wait for an attempt to connect than to fail: nothing can stand in for the
    /// answer.
    pub(crate) patient: bool,
    /// The replica that has just failed it.
    pub(crate) avoid: Option<&'a Mark>,
    /// The method's place in the table of policies.
    pub(crate) method: Option<usize>,
}

/// A choice.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    pub(super) endpoint: &'a Arc<Endpoint>,
    /// What is known of it.
    pub(super) pick: Pick,
}

/// Chooses among the replicas that can take a call at once.
pub(super) fn choose<'a>(
    endpoints: &'a [Arc<Endpoint>],
    wish: Wish<'_>,
    now: Instant,
) -> Option<Choice<'a>> {
    let mut two = Two::default();
    for endpoint in endpoints {
        let Some(prospect) = endpoint.room_for(wish.method) else {
            continue;
        };
        let avoided = wish.avoid.is_some_and(|mark| mark.is(endpoint));
        let absent = prospect == Prospect::Absent;
        if !avoided && !absent && endpoint.breaker.claim_probe(wish.repeatable, now) {
            return Some(Choice {
                endpoint,
                pick: Pick::Probe,
            });
        }
        two.offer(endpoint, (absent, endpoint.rank(), avoided));
    }
    let pick = match two.best?.1 {
        Rank::Good => Pick::Good,
        Rank::Unwilling => Pick::Unwilling,
        Rank::Ejected => Pick::Ejected,
    };
    let endpoint = two.cheaper(now)?;
    Some(Choice { endpoint, pick })
}

/// Whether it may not have the method at all, what is known of it, and whether it has just failed the call.
type Standing = (bool, Rank, bool);

/// Two at random out of those that rank best.
#[derive(Default)]
struct Two<'a> {
    best: Option<Standing>,
    seen: usize,
    first: Option<&'a Arc<Endpoint>>,
    second: Option<&'a Arc<Endpoint>>,
}

impl<'a> Two<'a> {
    fn offer(&mut self, endpoint: &'a Arc<Endpoint>, rank: Standing) {
        match self.best {
            Some(best) if rank > best => return,
            Some(best) if rank == best => {}
            _ => {
                *self = Self::default();
                self.best = Some(rank);
            }
        }
        self.seen += 1;
        if self.first.is_none() {
            self.first = Some(endpoint);
        } else if self.second.is_none() {
            self.second = Some(endpoint);
        } else {
            match fastrand::usize(..self.seen) {
                0 => self.first = Some(endpoint),
                1 => self.second = Some(endpoint),
                _ => {}
            }
        }
    }

    fn cheaper(self, now: Instant) -> Option<&'a Arc<Endpoint>> {
        let (Some(first), Some(second)) = (self.first, self.second) else {
            return self.first;
        };
        let (a, b) = (first.load.cost(now), second.load.cost(now));
        let second_wins = b < a || (b <= a && fastrand::bool());
        Some(if second_wins { second } else { first })
    }
}
