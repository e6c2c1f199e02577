//! Brings about that everything a plan names exists: what is there is left as it is, what is missing is created.
//!
//! Ids follow from names, so asking by id finds what an earlier import created, however far it came.

mod buyers;
mod sellers;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::stream::{self, StreamExt, TryStreamExt};
use operations_client::CallError;
use tonic::Code;

use super::map::{Map, MapFault};
use super::plan::Plan;
use super::report::Report;
use crate::output;
use crate::peers::Peers;

/// How many calls are out at once.
const AT_ONCE: usize = 16;
/// How long Billing may take to open an account.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the state is looked at meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// Creates what is missing.
pub(super) async fn all(peers: &Peers, map: &Map, plan: &Plan, report: &mut Report) -> Result<()> {
    let created = &mut report.created;
    created.advertisers = buyers::advertisers(peers, map, plan).await?;
    created.publishers = sellers::publishers(&peers.operations, map, plan).await?;
    created.games = sellers::games(&peers.operations, plan).await?;
    created.ad_units = sellers::ad_units(&peers.operations, plan).await?;
    created.campaigns = buyers::campaigns(&peers.operations, map, plan).await?;
    created.line_items = buyers::line_items(&peers.operations, map, plan).await?;
    Ok(())
}

/// Does one thing for each item, several at once; counts those that it was done for anew.
async fn each<T, Fut>(
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
async fn until<T, Fut>(what: &str, look: impl Fn() -> Fut) -> Result<T>
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

fn sound(fault: MapFault) -> anyhow::Error {
    anyhow::anyhow!("the map: {fault}")
}
