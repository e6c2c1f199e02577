//! `serve`: until the operating system asks for the end.

use super::{EXIT_FAILURE, Program};
use crate::drain::asked_by_system;
use crate::running::Running;
use anyhow::Context as _;
use serde_json::json;
use std::path::PathBuf;

/// Serves until the end; 0 when everything came to its own end.
pub(super) async fn serve<P: Program>(
    settings: P::Settings,
    ready_file: Option<PathBuf>,
) -> anyhow::Result<u8> {
    let running = Box::pin(P::start(settings)).await?;
    let drain = running.drain().clone();
    tokio::spawn(async move {
        asked_by_system().await;
        drain.begin();
        // Asked a second time: the person does not want to wait.
        asked_by_system().await;
        drain.kill();
    });
    if let Some(file) = ready_file {
        tokio::select! {
            biased;
            () = running.ready() => write_ready(&running, &file).await?,
            () = running.drain().begun() => {}
        }
    }
    let stopped = running.wait().await;
    Ok(if stopped.clean { 0 } else { EXIT_FAILURE })
}

/// Written whole or not at all: somebody waits for this file.
async fn write_ready(running: &Running, file: &PathBuf) -> anyhow::Result<()> {
    let text = json!({ "listen": running.addr(), "admin": running.admin_addr() }).to_string();
    let draft = file.with_extension("draft");
    tokio::fs::write(&draft, text)
        .await
        .with_context(|| draft.display().to_string())?;
    tokio::fs::rename(&draft, file)
        .await
        .with_context(|| file.display().to_string())
}
