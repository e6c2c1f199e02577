//! What the manifests say of a service, as the orchestrator goes by it.

use crate::side::Side;
use anyhow::{Context as _, Result};
use cleave_e2e::Manifests;
use serde_json::Value;
use std::time::Duration;

const OVERLAY: &str = "postgres";

/// One probe.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) service: String,
    pub(crate) port: u16,
    pub(crate) period: Duration,
    pub(crate) timeout: Duration,
    pub(crate) failures: u64,
}

/// What the orchestrator is told.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) side: Side,
    pub(crate) replicas: usize,
    pub(crate) surge: usize,
    pub(crate) unavailable: usize,
    /// How many replicas a drain may take at one time.
    pub(crate) disruptable: usize,
    /// How long a replica must have been ready to count.
    pub(crate) min_ready: Duration,
    pub(crate) grace: Duration,
    pub(crate) startup: Probe,
    pub(crate) liveness: Probe,
    pub(crate) readiness: Probe,
    pub(crate) port: u16,
    pub(crate) admin: u16,
    /// Whether the name has the addresses of pods that are not ready.
    pub(crate) publishes_all: bool,
    /// The file that the container is started with.
    pub(crate) config: String,
    /// What the container that comes first is started with.
    pub(crate) first: Vec<String>,
    /// What the Job is started with.
    pub(crate) job: Vec<String>,
    /// What periods are divided by.
    pub(crate) scale: u32,
}

impl Spec {
    /// Read from the manifests; `None` where nothing renders them.
    pub(crate) fn read(side: Side, scale: u32) -> Result<Option<Self>> {
        let Some(manifests) = Manifests::render(OVERLAY, &[])? else {
            return Ok(None);
        };
        let name = side.name();
        let workload = &manifests.find("Deployment", name)?["spec"];
        let scaler = &manifests.find("HorizontalPodAutoscaler", name)?["spec"];
        let budget = &manifests.find("PodDisruptionBudget", name)?["spec"];
        let named = &manifests.find("Service", name)?["spec"];
        let mut jobs = manifests.of_kind("Job");
        let job = jobs.find(|job| job["metadata"]["labels"]["app.kubernetes.io/name"] == name);
        let job = &job.context("a Job")?["spec"]["template"]["spec"];
        let pod = &workload["template"]["spec"];
        let container = &pod["containers"][0];
        let rollout = &workload["strategy"]["rollingUpdate"];
        let map = pod["volumes"][0]["configMap"]["name"]
            .as_str()
            .context("a ConfigMap")?;
        let config = &manifests.find("ConfigMap", map)?["data"]["config.toml"];
        let seconds = |value: &Value| number(value).map(Duration::from_secs);
        Ok(Some(Self {
            side,
            replicas: count(&scaler["minReplicas"])?,
            surge: count(&rollout["maxSurge"])?,
            unavailable: count(&rollout["maxUnavailable"])?,
            disruptable: count(&budget["maxUnavailable"])?,
            min_ready: seconds(&workload["minReadySeconds"])? / scale,
            grace: seconds(&pod["terminationGracePeriodSeconds"])?,
            startup: patient(probe(&container["startupProbe"], scale)?, scale),
            liveness: probe(&container["livenessProbe"], scale)?,
            readiness: probe(&container["readinessProbe"], scale)?,
            port: port(&container["ports"][0]["containerPort"])?,
            admin: port(&container["ports"][1]["containerPort"])?,
            publishes_all: named["publishNotReadyAddresses"] == true,
            config: config.as_str().context("a configuration")?.to_owned(),
            first: words(&pod["initContainers"][0]["args"]),
            job: words(&job["containers"][0]["args"]),
            scale,
        }))
    }
}

fn probe(probe: &Value, scale: u32) -> Result<Probe> {
    let grpc = &probe["grpc"];
    Ok(Probe {
        service: grpc["service"].as_str().unwrap_or_default().to_owned(),
        port: port(&grpc["port"])?,
        period: Duration::from_secs(number(&probe["periodSeconds"])?) / scale,
        timeout: Duration::from_secs(number(&probe["timeoutSeconds"])?),
        failures: number(&probe["failureThreshold"])?,
    })
}

/// A probe whose failures together bound a time, which is kept however often it asks.
fn patient(probe: Probe, scale: u32) -> Probe {
    Probe {
        failures: probe.failures * u64::from(scale),
        ..probe
    }
}

fn number(value: &Value) -> Result<u64> {
    value
        .as_u64()
        .with_context(|| format!("{value} is no number"))
}

fn count(value: &Value) -> Result<usize> {
    Ok(usize::try_from(number(value)?)?)
}

fn port(value: &Value) -> Result<u16> {
    Ok(u16::try_from(number(value)?)?)
}

fn words(arguments: &Value) -> Vec<String> {
    let all = arguments.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}
