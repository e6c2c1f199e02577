//! Both services as processes: killed, restarted, one without the other, and fed rubbish.

mod contract;
mod copies;
mod kill;
mod outage;
mod restore;
mod rubbish;
mod upgrade;
mod watch;

use cleave_e2e::{Engine, Pair, Programs};
use std::path::Path;

/// The pair on fresh databases of `engine`, started; `None` where that engine is not at hand.
async fn started(engine: Engine) -> anyhow::Result<Option<Pair>> {
    let programs = Programs {
        operations: Path::new(env!("CARGO_BIN_EXE_e2e-operations")),
        billing: Path::new(env!("CARGO_BIN_EXE_e2e-billing")),
    };
    let Some(mut pair) = Pair::new(engine, programs).await? else {
        return Ok(None);
    };
    pair.start().await?;
    Ok(Some(pair))
}
