//! GetAccount at 64 calls in flight, beside a bare server that answers from memory.

use std::time::Duration;

use anyhow::{Context, Result};
use cleave_contracts::billing::v1 as pb;
use cleave_storage::Engine;
use tonic::transport::Channel;

use crate::billing;
use crate::load::{self, Outcome};
use crate::process::{Process, free_addr};
use crate::report::{Latency, Measure, Round, Title};
use crate::service::engine_name;
use crate::setup::Bench;

/// What the measure is called.
pub(crate) const TITLE: Title = Title {
    name: "get_account",
    unit: "calls/s at 64 in flight",
    limit_name: "bare tonic from memory",
};
/// How many accounts there are to read.
const ACCOUNTS: usize = 1000;

/// Runs the measure on `engine`; `None` when that is not at hand.
///
/// # Errors
/// When a server does not start or a call fails.
pub(crate) async fn measure(bench: &Bench, engine: Engine) -> Result<Option<Measure>> {
    let Some(system) = billing::start(bench, engine).await? else {
        return Ok(None);
    };
    let connections = system.process.connect().await?;
    let advertisers = billing::open_accounts(&connections, ACCOUNTS).await?;

    let addr = free_addr()?;
    let mut arguments = vec!["answer-from-memory".to_owned(), addr.to_string()];
    arguments.extend(advertisers.iter().cloned());
    let log = bench.folder.path().join("memory.log");
    let memory = Process::start(&std::env::current_exe()?, arguments, addr, &log).await?;
    let from_memory = memory.connect().await?;

    let mut rounds = Vec::new();
    for _ in 0..bench.rounds {
        let limit = read(bench.span, &from_memory, &advertisers)
            .await
            .context("reading from memory")?;
        let before = system.process.cpu()?;
        let outcome = read(bench.span, &connections, &advertisers)
            .await
            .context("reading accounts")?;
        let cpu = system.process.cpu()?.saturating_sub(before);
        rounds.push(Round {
            value: outcome.rate(),
            limit: limit.rate(),
            cpu_us: outcome.per_call(cpu),
            memory_mib: system.process.memory()?,
            latency: Some(Latency::of(&outcome)),
        });
    }
    Ok(Some(Measure::of(TITLE, engine_name(engine), &rounds)))
}

/// Reads the accounts of `advertisers` at random for `span`.
///
/// # Errors
/// When a call fails.
pub(crate) async fn read(
    span: Duration,
    connections: &[Channel],
    advertisers: &[String],
) -> Result<Outcome> {
    load::drive(span, |caller| {
        let channel = connections[caller % connections.len()].clone();
        let mut client = pb::account_service_client::AccountServiceClient::new(channel);
        let id = advertisers[fastrand::usize(..advertisers.len())].clone();
        let key = pb::get_account_request::Key::OpsRef(id);
        async move {
            client
                .get_account(pb::GetAccountRequest { key: Some(key) })
                .await?;
            Ok(())
        }
    })
    .await
}
