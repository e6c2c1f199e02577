//! One service as a process: started, killed, started again at the same address.

use crate::admin;
use crate::identities::Identity;
use anyhow::{Context, Result, bail, ensure};
use cleave_mesh::tls::Credentials;
use cleave_mesh::{Mesh, MeshChannel};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a process may take to serve after its start, or to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where processes listen.
const LISTENERS: Range<u16> = 12_000..32_000;

/// A service that runs as a process of its own.
pub struct Process {
    program: PathBuf,
    settings: Vec<(String, String)>,
    addr: SocketAddr,
    admin: SocketAddr,
    log: PathBuf,
    child: Option<Child>,
    identity: Option<Arc<Identity>>,
    name: String,
}

impl Process {
    /// A process of `program` that is not started yet, on two free ports of the loopback.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new(program: impl Into<PathBuf>, name: &str, folder: &Path) -> Result<Self> {
        let (addr, admin) = (free_port()?, free_port()?);
        Ok(Self {
            program: program.into(),
            settings: vec![
                ("host.listen".to_owned(), addr.to_string()),
                ("host.admin".to_owned(), admin.to_string()),
            ],
            addr,
            admin,
            log: folder.join(format!("{name}.log")),
            child: None,
            identity: None,
            name: name.to_owned(),
        })
    }

    /// Runs another program from its next start on: another release of the same service.
    pub fn becomes(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Sets one key of the service's configuration.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.settings.push((key.to_owned(), value.into()));
    }

    /// Gives it an identity: it speaks TLS from its next start on, and proves to be that workload.
    pub fn identify(&mut self, identity: &Arc<Identity>) {
        let files = identity.files();
        let text = |path: &Path| path.display().to_string();
        self.set("host.tls.certificate", text(&files.certificate));
        self.set("host.tls.key", text(&files.key));
        if let Some(authority) = &files.authority {
            self.set("host.tls.authority", text(authority));
        }
        self.set("host.tls.reload_period", "50ms");
        self.identity = Some(Arc::clone(identity));
    }

    /// Where it serves.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its admin port listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// A channel to it, from this test; in plaintext.
    ///
    /// # Errors
    /// When the address cannot be dialled at all.
    pub fn channel(&self) -> Result<MeshChannel> {
        let mesh = Mesh::builder(cleave_contracts::POLICIES)
            .caller("cleave")
            .peer("service", &format!("http://{}", self.addr))
            .build()?;
        Ok(mesh.to("service")?)
    }

    /// A channel to it, from this test, by these credentials.
    ///
    /// # Errors
    /// When the credentials leave nothing to check it by.
    pub fn channel_by(&self, credentials: &Credentials) -> Result<MeshChannel> {
        let mesh = Mesh::builder(cleave_contracts::POLICIES)
            .caller("cleave")
            .credentials(credentials.clone())
            .peer(&self.name, &format!("https://{}", self.addr))
            .build()?;
        Ok(mesh.to(&self.name)?)
    }

    /// What its admin port shows of the mesh.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn mesh(&self) -> Result<serde_json::Value> {
        let page = admin::page(self.admin, "/mesh").await?;
        Ok(serde_json::from_str(&page)?)
    }

    /// Starts the process and waits until it accepts calls.
    ///
    /// # Errors
    /// When it ends or stays silent instead: with its log.
    pub async fn start(&mut self) -> Result<()> {
        self.spawn()?;
        self.serving().await
    }

    /// Starts the process and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&mut self) -> Result<()> {
        ensure!(
            self.child.is_none(),
            "{} runs already",
            self.program.display()
        );
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.arg("serve").args(self.flags());
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Runs another command of the same program on the same settings, and answers what it said.
    ///
    /// # Errors
    /// When it fails: with what it said.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(self.flags());
        let run = tokio::task::spawn_blocking(move || command.output());
        let output = run.await??;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {said}");
        Ok(said)
    }

    fn flags(&self) -> impl Iterator<Item = String> {
        let flag = |(key, value): &(String, String)| ["--set".to_owned(), format!("{key}={value}")];
        self.settings.iter().flat_map(flag)
    }

    /// Waits until the health service says SERVING for the whole process.
    ///
    /// # Errors
    /// When the process ends or a minute passes instead.
    pub async fn serving(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.as_mut().context("not started")?.try_wait()? {
                bail!(
                    "ended with {status} instead of serving:\n{}",
                    self.log_text()
                );
            }
            if self.is_serving().await {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "does not serve:\n{}",
                self.log_text()
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether it serves; those who ask in plaintext are not heard where there are identities.
    async fn is_serving(&self) -> bool {
        match &self.identity {
            None => is_serving(&format!("http://{}", self.addr)).await,
            Some(_) => admin::page(self.admin, "/readyz").await.is_ok(),
        }
    }

    /// Ends the process at once, as a power cut would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("not running")?;
        // SIGKILL on Unix.
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks the process to end with SIGTERM and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not end in time.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("not running")?;
        let told = Command::new("kill")
            .arg("-TERM")
            .arg(child.id().to_string())
            .status()?;
        ensure!(told.success(), "SIGTERM could not be sent");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                child.kill()?;
                bail!("did not end after SIGTERM:\n{}", self.log_text());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// What the process has logged so far.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            // The test is over: whether the process was still there no longer matters.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn is_serving(url: &str) -> bool {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

    let Ok(endpoint) = tonic::transport::Endpoint::from_shared(url.to_owned()) else {
        return false;
    };
    let Ok(channel) = endpoint.connect().await else {
        return false;
    };
    let checked = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await;
    checked.is_ok_and(|reply| reply.into_inner().status() == ServingStatus::Serving)
}

/// A port that nobody listens on. Below those that the system gives to whoever connects, so that it stays free until
/// the process listens on it, and again while it is restarted.
fn free_port() -> Result<SocketAddr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..LISTENERS.len() {
        // Processes that run side by side begin at different places.
        let next = std::process::id().wrapping_mul(61) + NEXT.fetch_add(1, Ordering::Relaxed);
        let span = u32::from(LISTENERS.end - LISTENERS.start);
        let port = LISTENERS.start + u16::try_from(next % span)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no port from {LISTENERS:?} is free")
}
