//! The kubelet: runs the containers of a pod, probes them, starts them again later and later, and ends them.

use crate::pod::{Life, Phase, State};
use crate::side::Side;
use crate::spec::Probe;
use anyhow::{Context as _, Result};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// The rest after the first end; doubled each time.
const FIRST_REST: Duration = Duration::from_secs(10);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// So much of what a process said last is kept.
const LAST_WORDS: usize = 600;

/// How a pod's containers came to an end.
enum End {
    Deleted,
    /// By themselves, or because they were found dead.
    Failed(String),
}

/// Keeps a pod until it is deleted.
pub(crate) async fn keep(life: Arc<Life>) {
    let mut rest = FIRST_REST;
    loop {
        let end = match run(&life).await {
            Ok(end) => end,
            Err(error) => End::Failed(format!("{error:#}")),
        };
        let End::Failed(words) = end else { break };
        life.change(|state| {
            state.phase = Phase::Resting;
            state.ready_since = None;
            state.restarts += 1;
            state.words = words;
        });
        tokio::select! {
            biased;
            () = life.deleted.cancelled() => break,
            () = sleep(rest / life.spec.scale) => {}
        }
        rest = LONGEST_REST.min(rest * 2);
    }
    life.change(|state| {
        state.phase = Phase::Gone;
        state.ready_since = None;
    });
}

impl Life {
    fn change(&self, how: impl FnOnce(&mut State)) {
        self.state.send_modify(how);
    }

    /// What the pod's processes said last.
    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let from = text.len().saturating_sub(LAST_WORDS);
        text.get(from..).unwrap_or(&text).to_owned()
    }

    /// Starts a process of the pod.
    fn spawn(&self, arguments: &[String], database: &str) -> Result<Child> {
        spawn(self.spec.side, arguments, database, &self.log)
    }
}

/// Starts the binary of the image with what the Secret holds.
pub(crate) fn spawn(side: Side, arguments: &[String], database: &str, log: &Path) -> Result<Child> {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)?;
    let child = Command::new(side.binary())
        .args(arguments)
        .env(side.database_variable(), database)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}

/// Runs the containers of a pod once.
async fn run(life: &Life) -> Result<End> {
    life.change(|state| state.phase = Phase::Waiting);
    let mut first = life.spawn(&life.spec.first, &life.template.schema)?;
    tokio::select! {
        biased;
        () = life.deleted.cancelled() => {
            terminate(life, &mut first).await?;
            return Ok(End::Deleted);
        }
        ended = first.wait() => if !ended?.success() {
            return Ok(End::Failed(life.last_words()));
        }
    }
    let mut arguments = vec!["serve".to_owned(), "--config".to_owned()];
    arguments.push(life.config.display().to_string());
    let (listen, admin) = (life.spec.port, life.spec.admin);
    let peer = format!("peers.{}", life.spec.side.peer());
    let own = [
        ("host.listen", format!("{}:{listen}", life.ip)),
        ("host.admin", format!("{}:{admin}", life.ip)),
        (peer.as_str(), String::new()),
        ("host.workers", "1".to_owned()),
        ("database.connections", "4".to_owned()),
    ];
    let own = own.map(|(key, value)| (key.to_owned(), value));
    for (key, value) in own.iter().chain(&life.template.settings) {
        arguments.extend(["--set".to_owned(), format!("{key}={value}")]);
    }
    let mut child = life.spawn(&arguments, &life.template.database)?;
    life.change(|state| state.phase = Phase::Running);
    let found = tokio::select! {
        biased;
        () = life.deleted.cancelled() => None,
        ended = child.wait() => {
            return Ok(End::Failed(format!("{}: {}", ended?, life.last_words())));
        }
        why = watch(life) => Some(why),
    };
    terminate(life, &mut child).await?;
    Ok(found.map_or(End::Deleted, End::Failed))
}

/// Tells a process to end, and makes it when its time is over.
async fn terminate(life: &Life, child: &mut Child) -> Result<()> {
    life.change(|state| {
        state.phase = Phase::Terminating;
        state.ready_since = None;
    });
    let pid = child.id().context("it has ended already")?;
    let told = Command::new("kill")
        .arg("-TERM")
        .arg(pid.to_string())
        .status()
        .await?;
    anyhow::ensure!(told.success(), "SIGTERM could not be sent");
    if timeout(life.spec.grace, child.wait()).await.is_err() {
        life.change(|state| state.killed = true);
        child.kill().await?;
    }
    Ok(())
}

/// Probes a process for as long as it passes for alive; answers why it does no more.
async fn watch(life: &Life) -> String {
    let spec = &life.spec;
    let mut failures = 0;
    while !passes(life, &spec.startup).await {
        failures += 1;
        if failures >= spec.startup.failures {
            return "it did not start in time".to_owned();
        }
        sleep(spec.startup.period).await;
    }
    tokio::select! {
        biased;
        why = alive(life) => why,
        never = ready(life) => match never {},
    }
}

async fn alive(life: &Life) -> String {
    let probe = &life.spec.liveness;
    let mut failures = 0;
    while failures < probe.failures {
        failures = if passes(life, probe).await {
            0
        } else {
            failures + 1
        };
        life.change(|state| state.alive_probes += 1);
        sleep(probe.period).await;
    }
    "it was found dead".to_owned()
}

async fn ready(life: &Life) -> std::convert::Infallible {
    let probe = &life.spec.readiness;
    let mut failures = 0;
    loop {
        if passes(life, probe).await {
            failures = 0;
            life.change(|state| {
                state.ready_probes += 1;
                state.ready_since.get_or_insert_with(Instant::now);
            });
        } else {
            failures += 1;
            if failures >= probe.failures {
                life.change(|state| state.ready_since = None);
            }
        }
        sleep(probe.period).await;
    }
}

/// Asks once, over a connection of its own and in plaintext, as the kubelet does.
async fn passes(life: &Life, probe: &Probe) -> bool {
    let asking = async {
        let url = format!("http://{}:{}", life.ip, probe.port);
        let channel = Endpoint::from_shared(url)?.connect().await?;
        let service = probe.service.clone();
        let request = HealthCheckRequest { service };
        let answer = HealthClient::new(channel).check(request).await?;
        anyhow::Ok(answer.into_inner().status() == ServingStatus::Serving)
    };
    matches!(timeout(probe.timeout, asking).await, Ok(Ok(true)))
}
