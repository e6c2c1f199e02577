//! Asks a resolver again and again, and hands what it says to the members.

use super::discovery::{Members, Resolve, ResolveError, Resolved};
use crate::trouble::Trouble;
use crate::tuning::Tuning;
use http::uri::Authority;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Lookups are spread over this range around their time, in percent, so that callers do not ask together.
const JITTER_PERCENT: std::ops::RangeInclusive<u32> = 90..=100;

/// Follows the resolver for ever.
pub(super) async fn follow(
    members: Arc<Members>,
    resolver: Arc<dyn Resolve>,
    authority: Option<Authority>,
) {
    let tuning = &members.shared.tuning;
    let peer = Arc::clone(&members.shared.peer);
    let mut trouble = Trouble::default();
    let mut failures = 0_u32;
    loop {
        let asked = Instant::now();
        let wait = match look_up(&*resolver, tuning.resolve_timeout).await {
            Ok(found) => {
                failures = 0;
                if trouble.is_over() {
                    tracing::info!(rpc.peer = &*peer, "the peer can be looked up again");
                }
                let wait = found.valid_for;
                accept(&members, found, authority.as_ref());
                wait.map(|wait| within(tuning, wait))
            }
            Err(error) => {
                // What was known stays: an outage of the name service is none of the peer's.
                if trouble.is_new(&error) {
                    tracing::warn!(rpc.peer = &*peer, %error, "cannot look the peer up");
                } else {
                    tracing::debug!(rpc.peer = &*peer, %error, "still cannot look the peer up");
                }
                members.known();
                failures = failures.saturating_add(1);
                let grown = tuning.resolve_floor.saturating_mul(1 << failures.min(10));
                Some(within(tuning, grown))
            }
        };
        let again = async {
            match wait {
                Some(wait) => sleep_until(asked + wait).await,
                None => std::future::pending().await,
            }
        };
        let doubted = async {
            members.shared.doubted.notified().await;
            sleep_until(asked + tuning.resolve_floor).await;
        };
        tokio::select! {
            biased;
            () = again => {}
            () = doubted => {}
            () = resolver.changed() => {}
        }
    }
}

/// Asks the resolver, which may be anybody's, for no longer than this.
async fn look_up(resolver: &dyn Resolve, limit: Duration) -> Result<Resolved, ResolveError> {
    let answer = tokio::time::timeout(limit, resolver.resolve()).await;
    answer.unwrap_or_else(|_| Err(ResolveError(format!("no answer within {limit:?}"))))
}

fn accept(members: &Members, found: Resolved, authority: Option<&Authority>) {
    let addresses = found.addresses.into_iter().filter_map(|address| {
        let named = authority.cloned().or_else(|| address.parse().ok())?;
        Some((address, named))
    });
    members.set(addresses);
}

/// The wait within its bounds, a little of it left to chance.
fn within(tuning: &Tuning, wait: Duration) -> Duration {
    let wait = wait.min(tuning.resolve_ceiling);
    let spread = wait / 100 * fastrand::u32(JITTER_PERCENT);
    spread.max(tuning.resolve_floor)
}
