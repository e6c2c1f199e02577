//! `migrate`: brings the database to the schema of this version, or looks whether it has it.

use super::health::parse_duration;
use super::{EXIT_FAILURE, Program};
use clap::Args;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked whether somebody else has migrated.
const LOOK: Duration = Duration::from_millis(500);

/// Whether to change the schema, or to look at it.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Change nothing: exit with 1 while the schema is older than this version
    #[arg(long)]
    check: bool,
    /// With --check: until the schema is up to date, look again for so long, also while no database answers
    #[arg(long, requires = "check", value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    wait: Duration,
}

impl Schema {
    /// Migrates or looks; answers the exit code.
    pub(super) async fn run<P: Program>(self, settings: P::Settings) -> anyhow::Result<u8> {
        if !self.check {
            return P::migrate(settings).await.map(|()| 0);
        }
        let start = Instant::now();
        let mut told = None;
        loop {
            let Some(problem) = problem::<P>(&settings).await else {
                tracing::info!("the schema is up to date");
                return Ok(0);
            };
            if start.elapsed() >= self.wait {
                eprintln!("{}: {problem}", P::NAME);
                return Ok(EXIT_FAILURE);
            }
            if told.as_ref() != Some(&problem) {
                tracing::info!(problem, "waiting for the schema");
                told = Some(problem);
            }
            sleep(LOOK).await;
        }
    }
}

/// Why this version cannot serve on the database; none when it can.
async fn problem<P: Program>(settings: &P::Settings) -> Option<String> {
    match P::pending(settings).await {
        Ok(pending) if pending.is_empty() => None,
        Ok(pending) => Some(format!(
            "the schema is older than this version: run `{} migrate`, which adds {}",
            P::NAME,
            pending.join(", ")
        )),
        Err(error) => Some(format!("{error:#}")),
    }
}
