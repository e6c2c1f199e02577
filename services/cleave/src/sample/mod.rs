//! The sample network: a few advertisers and publishers, and an hour of their delivery, so that there is
//! something to look at. Everything goes through the public RPCs, and comes out the same every time.

mod build;
mod network;
mod serving;
mod start;
mod traffic;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use operations_client::OperationsClient;
use operations_client::pb::ListAdvertisersRequest;

use self::start::Start;
use crate::peers::Peers;

/// Stands in the data directory while the sample is being loaded, and says when that began: what was cut short
/// goes on with the same content.
const UNFINISHED: &str = "sample.unfinished";

/// Loads the sample into services that have nothing, or goes on with a load that was cut short.
pub(crate) async fn load_if_empty(peers: &Peers, data_dir: &Path) -> Result<()> {
    let marker = data_dir.join(UNFINISHED);
    let unfinished = fs::read_to_string(&marker).ok();
    if unfinished.is_none() && !is_empty(&peers.operations).await? {
        return Ok(());
    }
    let start = match unfinished.and_then(|text| text.parse().ok()) {
        Some(start) => start,
        None => {
            let start = Start::now();
            fs::write(&marker, start.to_string())
                .with_context(|| format!("writing {}", marker.display()))?;
            start
        }
    };
    eprintln!("loading the sample network and an hour of its delivery (--empty leaves it out)");
    build::build(peers, start.began())
        .await
        .context("building the sample network")?;
    serving::serve_an_hour(peers, start.hour())
        .await
        .context("serving the sample network")?;
    fs::remove_file(&marker).with_context(|| format!("removing {}", marker.display()))
}

async fn is_empty(client: &OperationsClient) -> Result<bool> {
    let request = ListAdvertisersRequest {
        page_size: 1,
        ..Default::default()
    };
    Ok(client
        .list_advertisers(request)
        .await?
        .advertisers
        .is_empty())
}
