//! Credentials that follow their files.

use super::files::{Contents, TlsError, TlsFiles};
use super::identity::TrustDomain;
use super::snapshot::Snapshot;
use arc_swap::ArcSwap;
use metrics::{Counter, counter, gauge};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// What a reading of files that have changed comes to.
const RELOADED: &str = "ok";
const REFUSED: &str = "error";

/// Credentials that follow their files. Clones are the same object.
#[derive(Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
}

struct Inner {
    files: TlsFiles,
    domain: TrustDomain,
    current: ArcSwap<Snapshot>,
    /// What the current snapshot was made of; held while reading, so that readings do not overtake.
    contents: Mutex<Contents>,
    generation: watch::Sender<u64>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("files", &self.inner.files)
            .field("generation", &self.current().generation())
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn load(files: TlsFiles, domain: TrustDomain) -> Result<Self, TlsError> {
        let contents = files.read()?;
        let snapshot = Snapshot::new(1, &files, &contents, &domain)?;
        tell_expiry(&files.certificate, &snapshot);
        Ok(Self {
            inner: Arc::new(Inner {
                files,
                domain,
                current: ArcSwap::from_pointee(snapshot),
                contents: Mutex::new(contents),
                generation: watch::Sender::new(1),
            }),
        })
    }

    /// The newest that could be used.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.inner.current.load_full()
    }

    /// Told the generation of each new snapshot.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.generation.subscribe()
    }

    /// Reads the files again; tells whether anything was new. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// When they cannot be used; what was current stays so.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let inner = &*self.inner;
        let mut last = inner
            .contents
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let contents = inner.files.read()?;
        if contents == *last {
            return Ok(false);
        }
        let generation = self.current().generation() + 1;
        let snapshot = Snapshot::new(generation, &inner.files, &contents, &inner.domain)?;
        tell_expiry(&inner.files.certificate, &snapshot);
        inner.current.store(Arc::new(snapshot));
        *last = contents;
        inner.generation.send_replace(generation);
        Ok(true)
    }

    /// Reads the files again every `period`, for ever.
    pub async fn follow(self, period: Duration) {
        let mut problem = None;
        for outcome in [RELOADED, REFUSED] {
            // There from the beginning: what appears with its first event shows no rise.
            reloads(outcome).increment(0);
        }
        loop {
            tokio::time::sleep(period).await;
            let credentials = self.clone();
            let read = tokio::task::spawn_blocking(move || credentials.reload()).await;
            // A join error means that the runtime is ending.
            let Ok(outcome) = read else { return };
            problem = self.tell(outcome, problem);
        }
    }

    /// Logs and counts what a reading came to; the same problem is logged once.
    fn tell(&self, outcome: Result<bool, TlsError>, before: Option<String>) -> Option<String> {
        match outcome {
            Ok(false) => None,
            Ok(true) => {
                reloads(RELOADED).increment(1);
                let generation = self.current().generation();
                tracing::info!(tls.generation = generation, "new credentials are in force");
                None
            }
            Err(error) => {
                reloads(REFUSED).increment(1);
                let problem = error.to_string();
                if before.as_ref() != Some(&problem) {
                    tracing::warn!(problem, "new credentials cannot be used; the old ones stay");
                }
                Some(problem)
            }
        }
    }
}

fn reloads(outcome: &'static str) -> Counter {
    counter!("cleave.tls.reloads", "outcome" => outcome)
}

/// The second at which the certificate expires, for alerts.
fn tell_expiry(certificate: &Path, snapshot: &Snapshot) {
    let file = certificate.display().to_string();
    let expiry = Duration::from_secs(snapshot.not_after().as_secs());
    gauge!("cleave.tls.certificate_expiry_timestamp_seconds", "file" => file)
        .set(expiry.as_secs_f64());
}
