//! What an update goes by: probes of names that fit, times that add up, a migration that is awaited.

use crate::settings::{self, Told};
use crate::{Faults, SERVICES, name, service};
use cleave_e2e::Manifests;
use cleave_host::LIVENESS;
use serde_json::{Value, json};
use std::time::Duration;

/// Beyond its own cap, what a process takes to end: threads, the last of the runtime, its start of the end.
const AFTER_DRAIN: Duration = Duration::from_secs(3);

pub(crate) fn check(manifests: &Manifests, faults: &mut Faults) {
    for (service, _) in SERVICES {
        let Some(workload) = faults.take(manifests.workload(service)) else {
            continue;
        };
        let pod = &workload["spec"]["template"];
        let container = &pod["spec"]["containers"][0];
        let Some(told) = faults.take(settings::of(manifests, service, pod, container)) else {
            continue;
        };
        check_grace(service, pod, &told, faults);
        check_probes(service, container, &told, faults);
        check_migration(manifests, workload, &told, faults);
        if workload["kind"] == "Deployment" {
            let least = &workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"];
            faults.unless(*least == 0, || {
                format!("{service}: a rollout takes {least} away")
            });
        }
    }
}

fn check_grace(service: &str, pod: &Value, told: &Told, faults: &mut Faults) {
    let seconds = pod["spec"]["terminationGracePeriodSeconds"].as_u64();
    let grace = Duration::from_secs(seconds.unwrap_or_default());
    let needed = told.host.drain_cap + AFTER_DRAIN;
    faults.unless(grace > needed, || {
        format!("{service}: {grace:?} of grace are not more than {needed:?}")
    });
}

fn check_probes(service: &str, container: &Value, told: &Told, faults: &mut Faults) {
    let admin = settings::usual_ports(service)[1];
    for (probe, asks) in [
        ("startupProbe", json!(LIVENESS)),
        ("livenessProbe", json!(LIVENESS)),
        // Absent: all services.
        ("readinessProbe", Value::Null),
    ] {
        let grpc = &container[probe]["grpc"];
        faults.unless(grpc.is_object() && grpc["service"] == asks, || {
            format!("{service}: the {probe} asks {grpc}, not for {asks}")
        });
        let port = grpc["port"].as_u64();
        faults.unless(port == admin.map(u64::from), || {
            format!("{service}: the {probe} asks at {port:?}, which is not the admin port")
        });
    }
    let period = container["readinessProbe"]["periodSeconds"].as_u64();
    let period = Duration::from_secs(period.unwrap_or(10));
    let own = told.host.probe_period + told.host.probe_timeout;
    faults.unless(own < period, || {
        format!("{service}: what a probe sees every {period:?} may be {own:?} old")
    });
    let least = &container["readinessProbe"]["failureThreshold"];
    faults.unless(*least == 1, || {
        format!("{service}: not ready only after {least} periods")
    });
}

/// The rows are brought up to date by one Job that replicas wait for, or by the one process that has them.
fn check_migration(manifests: &Manifests, workload: &Value, told: &Told, faults: &mut Faults) {
    let own = service(workload);
    let mut jobs = manifests.of_kind("Job").filter(|job| service(job) == own);
    if told.database.starts_with("sqlite:") {
        let job = jobs.next().map(name);
        faults.unless(job.is_none(), || {
            format!("{job:?} would open the file of {own}")
        });
        return;
    }
    let release = env!("CARGO_PKG_VERSION").replace('.', "-");
    let expected = format!("{own}-migrate-{release}");
    let Some(job) = jobs.next() else {
        faults.unless(false, || format!("{own}: nobody migrates"));
        return;
    };
    let called = &job["metadata"]["name"];
    faults.unless(*called == json!(expected), || {
        format!("{called} is not called {expected}")
    });
    let runs = &job["spec"]["template"]["spec"]["containers"][0];
    let waits = &workload["spec"]["template"]["spec"]["initContainers"][0];
    let migrates = runs["args"] == json!(["migrate"]);
    faults.unless(migrates, || format!("{expected} does {}", runs["args"]));
    let given: Vec<_> = waits["args"].as_array().into_iter().flatten().collect();
    let awaits = given.starts_with(&[&json!("migrate"), &json!("--check"), &json!("--wait")]);
    faults.unless(awaits, || {
        format!("{own}: the first container does {given:?}")
    });
    for key in ["image", "env"] {
        let same = runs[key] == waits[key];
        faults.unless(same, || {
            format!("{own}: the Job and who waits for it have another {key}")
        });
    }
}
