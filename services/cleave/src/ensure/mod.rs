//! Brings about that things exist: what is there is left as it is, what is missing is created.
//!
//! The caller chooses the ids, by [`ids`] from names, so asking by id finds what an earlier run created, however
//! far it came. Import and sample network stand on this.

mod buyers;
mod enabling;
pub(crate) mod ids;
mod sellers;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::stream::{self, StreamExt, TryStreamExt};
use operations_client::CallError;
use tonic::Code;

pub(crate) use self::buyers::{advertiser, campaign, line_item, opening_payment};
pub(crate) use self::enabling::{approved, enabled};
pub(crate) use self::sellers::{ad_unit, game, publisher, share};
use crate::output;

/// How many calls are out at once.
const AT_ONCE: usize = 8;
/// How long a state may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the state is looked at meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Does one thing for each item, several at once; counts those that it was done for anew.
pub(crate) async fn each<T, Fut>(
    what: &'static str,
    items: impl ExactSizeIterator<Item = T>,
    ensure: impl Fn(T) -> Fut,
) -> Result<usize>
where
    Fut: Future<Output = Result<bool>>,
{
    let progress = output::progress(what, u64::try_from(items.len())?);
    let created = stream::iter(items.map(ensure))
        .buffer_unordered(AT_ONCE)
        .try_fold(0, |created, is_new| {
            progress.inc(1);
            std::future::ready(Ok(created + usize::from(is_new)))
        })
        .await?;
    progress.finish_and_clear();
    Ok(created)
}

/// What a read found; nothing when there is no such thing.
fn found<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks again and again until there is what is waited for.
pub(crate) async fn until<T, Fut>(what: &str, look: impl Fn() -> Fut) -> Result<T>
where
    Fut: Future<Output = Result<Option<T>>>,
{
    let looking = async {
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(seen) => seen,
        Err(_) => bail!(
            "{what}: not within {} seconds. Is Billing running?",
            PATIENCE.as_secs()
        ),
    }
}

/// The thing that an answer always has.
fn answered<T>(thing: Option<T>) -> Result<T> {
    thing.context("the answer lacks its resource")
}
