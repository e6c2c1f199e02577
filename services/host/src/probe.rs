//! Readiness probes: what must answer before calls are welcome, the database first of all.

use crate::drain::Drain;
use crate::health::Readiness;
use crate::meter;
use futures::future::BoxFuture;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// While something fails, it is asked again this soon.
const EAGER_PERIOD: Duration = Duration::from_millis(100);

type Check = dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync;

/// Something that must answer.
#[derive(Clone)]
pub(crate) struct Probe {
    name: &'static str,
    check: Arc<Check>,
}

impl Probe {
    /// A probe that passes when `check` does.
    pub(crate) fn new<F, R>(name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self {
            name,
            check: Arc::new(move || Box::pin(check())),
        }
    }

    /// One that takes longer than `patience` has failed.
    async fn run(&self, patience: Duration) -> Result<(), String> {
        match tokio::time::timeout(patience, (self.check)()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("{error:#}")),
            Err(_) => Err(format!("no answer within {patience:?}")),
        }
    }
}

/// What a probe last found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    name: &'static str,
    ok: bool,
    problem: Option<String>,
}

/// Runs the probes and keeps what they found.
#[derive(Clone)]
pub(crate) struct Probes {
    service: Arc<str>,
    probes: Arc<[Probe]>,
    patience: Duration,
    findings: Arc<Mutex<Vec<Finding>>>,
}

impl Probes {
    /// Probes that have `patience` each.
    pub(crate) fn new(service: &Arc<str>, probes: Vec<Probe>, patience: Duration) -> Self {
        Self {
            service: Arc::clone(service),
            probes: probes.into(),
            patience,
            findings: Arc::default(),
        }
    }

    /// What was found last, for the admin port.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Runs all probes every `period` until the end begins.
    pub(crate) async fn watch(self, readiness: Readiness, drain: Drain, period: Duration) {
        loop {
            let ready = tokio::select! {
                biased;
                ready = self.run() => ready,
                () = drain.begun() => break,
            };
            readiness.set(ready);
            let wait = if ready {
                period
            } else {
                period.min(EAGER_PERIOD)
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait) => {}
                () = drain.begun() => break,
            }
        }
        readiness.set(false);
    }

    /// Whether all probes pass.
    async fn run(&self) -> bool {
        let runs = self.probes.iter().map(|probe| probe.run(self.patience));
        let results = futures::future::join_all(runs).await;
        let findings: Vec<Finding> = self
            .probes
            .iter()
            .zip(results)
            .map(|(probe, result)| Finding {
                name: probe.name,
                ok: result.is_ok(),
                problem: result.err(),
            })
            .collect();
        let ready = findings.iter().all(|finding| finding.ok);
        let mut last = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        for finding in &findings {
            meter::probe(&self.service, finding.name, finding.ok);
            let before = last
                .iter()
                .find(|old| old.name == finding.name)
                .map(|old| old.ok);
            match (before, &finding.problem) {
                (Some(true) | None, Some(problem)) => {
                    tracing::warn!(probe.name = finding.name, problem, "not ready");
                }
                (Some(false), None) => tracing::info!(probe.name = finding.name, "ready again"),
                _ => {}
            }
        }
        *last = findings;
        ready
    }
}
