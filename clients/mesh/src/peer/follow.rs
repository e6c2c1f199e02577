//! Asks a resolver again and again, and hands what it says to the members.

use super::discovery::{Members, Resolve, Resolved};
use crate::trouble::Trouble;
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
    let mut failures = 0;
    loop {
        let asked = Instant::now();
        let wait = match resolver.resolve().await {
            Ok(found) => {
                failures = 0;
                if trouble.is_over() {
                    tracing::info!(rpc.peer = &*peer, "the peer can be looked up again");
                }
                let wait = found.valid_for;
                accept(&members, found, authority.as_ref());
                wait.map(|wait| wait.clamp(tuning.resolve_floor, tuning.resolve_ceiling))
            }
            Err(error) => {
                // What was known stays: an outage of the name service is none of the peer's.
                if trouble.is_new(&error) {
                    tracing::warn!(rpc.peer = &*peer, %error, "cannot look the peer up");
                } else {
                    tracing::debug!(rpc.peer = &*peer, %error, "still cannot look the peer up");
                }
                members.known();
                failures += 1;
                let wait = tuning.resolve_floor * (1 << failures.min(10_u32));
                Some(wait.min(tuning.resolve_ceiling))
            }
        };
        let again = async {
            match wait {
                Some(wait) => sleep_until(asked + jittered(wait)).await,
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

fn accept(members: &Members, found: Resolved, authority: Option<&Authority>) {
    let addresses = found.addresses.into_iter().filter_map(|address| {
        let named = authority.cloned().or_else(|| address.parse().ok())?;
        Some((address, named))
    });
    members.set(addresses);
}

fn jittered(wait: Duration) -> Duration {
    wait * fastrand::u32(JITTER_PERCENT) / 100
}
