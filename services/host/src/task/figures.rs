//! Figures for the metrics that must be asked for: what is held, what waits.

use super::{Report, Task};
use crate::meter;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Asking takes this part of the time at most.
const SHARE: u32 = 20;

impl Task {
    /// A task that asks for figures every `period`, or less often when that takes long. Figures that cannot be
    /// had stay as they were: how old they are is a metric of its own.
    pub fn figures<F, R>(service: &'static str, period: Duration, read: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let rest_until = Arc::new(Mutex::new(Instant::now()));
        let read = Arc::new(read);
        Self::new("figures", period, move || {
            let (rest_until, read) = (Arc::clone(&rest_until), Arc::clone(&read));
            async move {
                let resting = || rest_until.lock().unwrap_or_else(PoisonError::into_inner);
                let start = Instant::now();
                if start < *resting() {
                    return Ok(Report::idle());
                }
                let outcome = read().await;
                *resting() = Instant::now() + start.elapsed() * (SHARE - 1);
                outcome?;
                meter::figures_read(service);
                Ok(Report::idle())
            }
        })
    }
}
