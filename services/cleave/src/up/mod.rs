//! `cleave up`: both services in this process, over real gRPC on loopback, each with a database of its own.

mod address;
pub(crate) mod database;
mod pair;
mod ready;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use self::pair::Pair;
use crate::peers::IdentityArgs;
use crate::sample;

pub(crate) use self::address::{BILLING, BILLING_ADMIN, OPERATIONS, OPERATIONS_ADMIN};
pub(crate) use self::pair::settings;
pub(crate) use self::ready::Ready;

/// Where the embedded databases are when nobody says otherwise.
pub(crate) const DATA_DIR: &str = "cleave-data";

/// Options of `cleave up`.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    /// Where the embedded databases are. Created when it does not exist.
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// Address of Operations; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = address::OPERATIONS)]
    operations: String,
    /// Address of Billing; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = address::BILLING)]
    billing: String,
    /// Database of Operations, instead of the embedded one: postgres://... or mysql://...
    #[arg(long, value_name = "URL")]
    operations_db: Option<String>,
    /// Database of Billing, instead of the embedded one.
    #[arg(long, value_name = "URL")]
    billing_db: Option<String>,
    /// Once ready, write the addresses to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Start empty: without the sample network that an empty data directory gets.
    #[arg(long)]
    empty: bool,
    #[command(flatten)]
    identity: IdentityArgs,
}

/// Serves until Ctrl-C or SIGTERM, then drains.
pub(crate) async fn up(args: UpArgs) -> Result<ExitCode> {
    let mut asked = std::pin::pin!(cleave_host::asked_by_system());
    std::fs::create_dir_all(&args.data_dir)
        .with_context(|| format!("creating {}", args.data_dir.display()))?;
    let pair = Pair::start(&args).await?;
    let served = tokio::select! {
        () = &mut asked => Ok(()),
        served = serve(&args, &pair) => served,
    };
    eprintln!("draining");
    let clean = pair.shutdown().await;
    served?;
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Gets ready, says so, and serves until one of the services ends.
async fn serve(args: &UpArgs, pair: &Pair) -> Result<()> {
    pair.ready().await;
    if !args.empty {
        sample::load_if_empty(&pair.peers(&args.identity)?, &args.data_dir).await?;
    }
    if let Some(file) = &args.ready_file {
        ready::write(file, pair)?;
    }
    if ready::print(pair).is_err() {
        tracing::debug!("nobody reads what is printed");
    }
    pair.ended().await;
    Ok(())
}
