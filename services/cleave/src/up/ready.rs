//! Saying that the services are ready: to people, and to programs that wait for it.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use cleave_host::Running;
use serde::{Deserialize, Serialize};

use super::pair::Pair;
use crate::output::say;

/// Who listens where.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) operations: String,
    pub(crate) billing: String,
    pub(crate) admin: Admin,
}

/// The admin ports.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Admin {
    pub(crate) operations: String,
    pub(crate) billing: String,
}

impl Ready {
    /// Reads what a pair wrote.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read(file).with_context(|| file.display().to_string())?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} was not written by `cleave up`", file.display()))
    }

    fn of(pair: &Pair) -> Self {
        let admin = |running: &Running| running.admin_addr().to_string();
        Self {
            operations: pair.operations.addr().to_string(),
            billing: pair.billing.addr().to_string(),
            admin: Admin {
                operations: admin(&pair.operations),
                billing: admin(&pair.billing),
            },
        }
    }
}

/// Writes the addresses. Whoever sees the file sees all of it.
pub(super) fn write(file: &Path, pair: &Pair) -> Result<()> {
    let text = serde_json::to_string(&Ready::of(pair))?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, file))
        .with_context(|| format!("writing {}", file.display()))
}

/// Prints where the services are, and what to try.
pub(super) fn print(pair: &Pair) -> io::Result<()> {
    let Ready {
        operations,
        billing,
        admin,
    } = Ready::of(pair);
    say!(
        "ready: operations on {operations}, billing on {billing} \
         (metrics and state on {} and {})",
        admin.operations,
        admin.billing
    )?;
    say!(
        "try:
  grpcurl -plaintext {operations} list
  grpcurl -plaintext -d '{{\"page_size\": 5}}' {operations} cleave.operations.v1.LineItemService/ListLineItems
  grpcurl -plaintext -d '{{\"page_size\": 5}}' {billing} cleave.billing.v1.SpendService/ListCharges
Ctrl-C ends both."
    )?;
    Ok(())
}
