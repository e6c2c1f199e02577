//! Waiting for a condition, never for a time.

use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a condition may take to come true before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Calls `look` until it answers something, and answers that.
///
/// # Panics
/// When it has answered nothing for a minute: `what` says what was waited for.
pub async fn some<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain until {what}"
        );
        sleep(LOOK).await;
    }
}

/// Calls `look` until it answers true.
///
/// # Panics
/// When it has not for a minute.
pub async fn holds<F>(what: &str, mut look: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    some(what, || {
        let seen = look();
        async move { seen.await.then_some(()) }
    })
    .await;
}
