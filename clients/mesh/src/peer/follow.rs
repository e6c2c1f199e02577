//! Asks a resolver again and again, and hands what it says to the members.

use super::discovery::{Members, Resolve, ResolveError, Resolved};
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
    let mut trouble = Trouble::new(Arc::clone(&members.shared.peer));
    loop {
        let asked = Instant::now();
        let wait = match resolver.resolve().await {
            Ok(found) => {
                trouble.over();
                let wait = found.valid_for;
                accept(&members, found, authority.as_ref());
                wait.map(|wait| wait.clamp(tuning.resolve_floor, tuning.resolve_ceiling))
            }
            Err(error) => {
                // What was known stays: an outage of the name service is none of the peer's.
                trouble.goes_on(&error);
                members.known();
                let wait = tuning.resolve_floor * (1 << trouble.failures.min(10));
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

/// What stands in the way of lookups: a warning when it changes, not at each of them.
struct Trouble {
    peer: Arc<str>,
    /// Lookups that have failed in a row.
    failures: u32,
    /// What was said of it last.
    told: Option<String>,
}

impl Trouble {
    fn new(peer: Arc<str>) -> Self {
        Self {
            peer,
            failures: 0,
            told: None,
        }
    }

    fn goes_on(&mut self, error: &ResolveError) {
        self.failures = self.failures.saturating_add(1);
        let (peer, why) = (&*self.peer, error.to_string());
        if self.told.as_ref() == Some(&why) {
            tracing::debug!(rpc.peer = peer, %error, "still cannot look the peer up");
        } else {
            tracing::warn!(rpc.peer = peer, %error, "cannot look the peer up");
            self.told = Some(why);
        }
    }

    fn over(&mut self) {
        self.failures = 0;
        if self.told.take().is_some() {
            tracing::info!(rpc.peer = &*self.peer, "the peer can be looked up again");
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
