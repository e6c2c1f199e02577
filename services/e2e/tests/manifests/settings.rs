//! What each container is configured by: files and variables are taken by the service's own loader, which refuses keys
//! that it does not know, and what comes of them fits the ports and the database that the manifests speak of.

use crate::{Faults, SERVICES, containers, name, pods, service};
use anyhow::{Context as _, Result};
use billing::Billing;
use cleave_e2e::{Manifests, manifests};
use cleave_host::command::Program;
use cleave_host::config::HostSettings;
use operations::Operations;
use serde_json::Value;
use std::net::SocketAddr;

/// What stands in the Secret that a variable is taken from.
const SECRET: &str = "postgres://cleave:secret@database/cleave";

/// What a container of a service was told.
pub(crate) struct Told {
    pub(crate) host: HostSettings,
    pub(crate) database: String,
    pub(crate) peer: String,
    /// Where traces go; empty for nowhere.
    pub(crate) collector: String,
}

pub(crate) fn check(manifests: &Manifests, faults: &mut Faults) {
    for (document, pod) in pods(manifests) {
        for container in containers(pod) {
            let told = of(manifests, service(document), pod, container);
            let told = told.with_context(|| name(document));
            faults.take(told);
        }
    }
    for (service, peer) in SERVICES {
        let Some(pod) = faults.take(
            manifests
                .workload(service)
                .map(|one| &one["spec"]["template"]),
        ) else {
            continue;
        };
        let container = &pod["spec"]["containers"][0];
        let Some(told) = faults.take(of(manifests, service, pod, container)) else {
            continue;
        };
        check_ports(service, &told, container, faults);
        let grpc = usual_ports(peer)[0].unwrap_or_default();
        let target = format!("dns:///{peer}:{grpc}");
        faults.unless(told.peer == target, || {
            format!("{service} calls {}, not {target}", told.peer)
        });
        check_embedded(manifests, service, &told, container, faults);
    }
}

/// A container's ports are those on which the service listens, and those on which it would without being told.
fn check_ports(service: &str, told: &Told, container: &Value, faults: &mut Faults) {
    let listens = [port(&told.host.listen), port(&told.host.admin)];
    let usual = usual_ports(service);
    faults.unless(listens == usual, || {
        format!("{service} listens on {listens:?}, not {usual:?}")
    });
    for (name, listens) in ["grpc", "admin"].into_iter().zip(listens) {
        let mut ports = container["ports"].as_array().into_iter().flatten();
        let open = ports.find(|port| port["name"] == name);
        let open = open.and_then(|port| port["containerPort"].as_u64());
        faults.unless(open == listens.map(u64::from), || {
            format!("{service}: port {name} is {open:?}")
        });
    }
    for address in [&told.host.listen, &told.host.admin] {
        let reachable = address.starts_with("0.0.0.0:");
        faults.unless(reachable, || {
            format!("{service} listens on {address}, where no other pod gets")
        });
    }
}

/// An embedded database lies on a volume that outlives the pod, and nobody else opens it.
fn check_embedded(
    manifests: &Manifests,
    service: &str,
    told: &Told,
    container: &Value,
    faults: &mut Faults,
) {
    let Some(file) = told.database.strip_prefix("sqlite://") else {
        return;
    };
    let Some(workload) = faults.take(manifests.find("StatefulSet", service)) else {
        return;
    };
    let claims = workload["spec"]["volumeClaimTemplates"]
        .as_array()
        .into_iter()
        .flatten();
    let claimed: Vec<_> = claims.map(|claim| &claim["metadata"]["name"]).collect();
    let mut mounts = container["volumeMounts"].as_array().into_iter().flatten();
    let kept = mounts.any(|mount| {
        let path = mount["mountPath"].as_str().unwrap_or("?");
        file.starts_with(&format!("{path}/")) && claimed.contains(&&mount["name"])
    });
    faults.unless(kept, || {
        format!("{service}: {file} is on no volume that is kept")
    });
    let replicas = &workload["spec"]["replicas"];
    faults.unless(*replicas == 1, || {
        format!("{service}: {replicas} replicas of one file")
    });
}

/// What a container is told by its file and its variables.
pub(crate) fn of(
    manifests: &Manifests,
    service: &str,
    pod: &Value,
    container: &Value,
) -> Result<Told> {
    match service {
        "operations" => {
            let settings = load::<Operations>(manifests, pod, container)?;
            Ok(Told {
                host: settings.host,
                database: settings.database.url,
                peer: settings.peers.billing,
                collector: settings.telemetry.otlp.endpoint,
            })
        }
        "billing" => {
            let settings = load::<Billing>(manifests, pod, container)?;
            Ok(Told {
                host: settings.host,
                database: settings.database.url,
                peer: settings.peers.operations,
                collector: settings.telemetry.otlp.endpoint,
            })
        }
        other => anyhow::bail!("there is no service {other:?}"),
    }
}

fn load<P: Program>(manifests: &Manifests, pod: &Value, container: &Value) -> Result<P::Settings> {
    let mut loader = P::loader();
    let arguments: Vec<_> = container["args"].as_array().into_iter().flatten().collect();
    if let Some(at) = arguments
        .iter()
        .position(|argument| *argument == "--config")
    {
        let path = arguments.get(at + 1).and_then(|path| path.as_str());
        let text = mounted(
            manifests,
            pod,
            container,
            path.context("--config names no file")?,
        )?;
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        loader = loader.file(file.path());
    }
    // The loader leaves alone what does not begin like its own: here nothing else is expected.
    let prefix = format!("{}__", P::NAME.to_uppercase());
    let mut variables = of_image(P::NAME, &prefix)?;
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"]
            .as_str()
            .context("a variable without a name")?;
        anyhow::ensure!(
            name.starts_with(&prefix),
            "variable {name} is read by nobody"
        );
        let value = variable["value"].as_str().unwrap_or(SECRET);
        variables.push((name.to_owned(), value.to_owned()));
    }
    loader = loader.variables(variables);
    if arguments.first().is_some_and(|command| *command != "serve") {
        // As the binary does for a command that does not listen.
        loader = loader.set("host.listen", "127.0.0.1:0");
    }
    Ok(loader.load()?)
}

/// The variables that the image itself sets.
fn of_image(service: &str, prefix: &str) -> Result<Vec<(String, String)>> {
    let file = format!("../images/{service}/Dockerfile");
    let text = std::fs::read_to_string(manifests::folder().join(file))?;
    let words = text.split_whitespace();
    let set = words.filter(|word| word.starts_with(prefix));
    let pairs = set.filter_map(|word| word.split_once('='));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

/// The text of the file at this path in a container.
fn mounted(manifests: &Manifests, pod: &Value, container: &Value, path: &str) -> Result<String> {
    let find = |list: &Value, key: &str, value: &Value| -> Option<Value> {
        let mut all = list.as_array().into_iter().flatten();
        all.find(|one| one[key] == *value).cloned()
    };
    let mount = find(&container["volumeMounts"], "mountPath", &Value::from(path));
    let mount = mount.with_context(|| format!("nothing is mounted at {path}"))?;
    let volume = find(&pod["spec"]["volumes"], "name", &mount["name"]).context("no such volume")?;
    let map = volume["configMap"]["name"]
        .as_str()
        .context("not of a ConfigMap")?;
    let key = mount["subPath"].as_str().context("no file of it")?;
    let text = manifests.find("ConfigMap", map)?["data"][key].as_str();
    Ok(text
        .with_context(|| format!("{map} has no {key}"))?
        .to_owned())
}

/// Where the service listens unless it is told otherwise.
pub(crate) fn usual_ports(service: &str) -> [Option<u16>; 2] {
    let host = match service {
        "operations" => usual::<Operations>(),
        _ => usual::<Billing>(),
    };
    host.map_or([None; 2], |host| [port(&host.listen), port(&host.admin)])
}

fn usual<P: Program>() -> Option<HostSettings> {
    let settings = P::loader().load::<P::Settings>().ok()?;
    Some(P::host(&settings).clone())
}

fn port(address: &str) -> Option<u16> {
    address
        .parse()
        .ok()
        .map(|address: SocketAddr| address.port())
}
