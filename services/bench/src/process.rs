//! Starts servers as processes and ends them with the value that holds them.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tonic::transport::Channel;

use crate::{cpu, footprint, load};

/// How long a server may take until it accepts connections.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; killed when dropped.
pub(crate) struct Process {
    child: Child,
    url: String,
}

impl Process {
    /// Starts `program`, which is to serve at `addr`, and waits until it accepts connections.
    ///
    /// # Errors
    /// When it ends, or stays silent for a minute.
    pub(crate) async fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        addr: SocketAddr,
        log: &Path,
    ) -> Result<Self> {
        let log_file = std::fs::File::create(log)?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut process = Self {
            child,
            url: format!("http://{addr}"),
        };
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(addr).await.is_err() {
            let ended = process.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!(
                    "{} does not serve at {addr} ({ended:?}):\n{said}",
                    program.display()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(process)
    }

    /// Connections to it, for callers to share.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn connect(&self) -> Result<Vec<Channel>> {
        load::connect(&self.url).await
    }

    /// Where it serves.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// CPU time that it has used so far.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu::used_by(self.child.id())
    }

    /// Memory that it takes now, in MiB.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn memory(&self) -> Result<f64> {
        footprint::of(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It serves scratch data: nothing is worth a drain.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on the loopback that nothing serves.
///
/// # Errors
/// When there is none.
pub(crate) fn free_addr() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
