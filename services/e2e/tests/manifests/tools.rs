//! What people apply by hand beside the services: pods that copy, put back and verify. They fit what the overlay
//! `embedded` makes, and what a Job is told to do is done, on a database on this machine.

use crate::{Faults, SERVICES, containers, pods, service};
use anyhow::{Context as _, Result, ensure};
use cleave_e2e::Manifests;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

/// Where the volume of a database is, in every pod.
const VOLUME: &str = "/var/lib/cleave";

fn render(tool: &str, components: &[&str]) -> Result<Option<Manifests>> {
    Manifests::render_in(|to| {
        let used: Vec<_> = components
            .iter()
            .map(|name| to(&format!("components/{name}")))
            .collect();
        json!({"resources": [to(&format!("tools/{tool}"))], "components": used}).to_string()
    })
}

/// The claim and the URL of the embedded database of a service.
fn embedded(overlay: &Manifests, service: &str) -> Result<(Value, Value)> {
    let workload = overlay.find("StatefulSet", service)?;
    let claim = workload["spec"]["volumeClaimTemplates"][0]["metadata"]["name"].as_str();
    let claim = format!("{}-{service}-0", claim.context("a claim")?);
    let container = &workload["spec"]["template"]["spec"]["containers"][0];
    Ok((json!({"claimName": claim}), container["env"][0].clone()))
}

/// Whether a volume that is mounted where the database is expected is this claim.
fn mounts(spec: &Value, claim: &Value) -> bool {
    let container = &spec["containers"][0];
    let mut all = container["volumeMounts"].as_array().into_iter().flatten();
    let mount = all.find(|mount| mount["mountPath"] == VOLUME);
    let mut volumes = spec["volumes"].as_array().into_iter().flatten();
    volumes.any(|volume| {
        mount.is_some_and(|mount| mount["name"] == volume["name"])
            && volume["persistentVolumeClaim"] == *claim
    })
}

#[test]
fn given_the_embedded_overlay_when_tools_are_rendered_then_they_are_on_its_volumes() -> Result<()> {
    let Some(overlay) = Manifests::render("embedded", &[])? else {
        return Ok(());
    };
    let (Some(files), Some(restore)) = (render("files", &[])?, render("restore", &[])?) else {
        return Ok(());
    };
    let mut faults = Faults::default();
    for (service, _) in SERVICES {
        let (claim, url) = embedded(&overlay, service)?;
        let pod = files.find("Pod", &format!("{service}-files"))?;
        let job = restore.find("Job", &format!("{service}-restore"))?;
        for (which, labels, spec) in [
            ("files", &pod["metadata"]["labels"], &pod["spec"]),
            (
                "restore",
                &job["spec"]["template"]["metadata"]["labels"],
                &job["spec"]["template"]["spec"],
            ),
        ] {
            pods::check_security(which, spec, &mut faults);
            faults.unless(mounts(spec, &claim), || format!("{which}: not on {claim}"));
            let served = overlay.find("Service", service)?;
            let taken = crate::scaling::selects(&served["spec"]["selector"], labels);
            faults.unless(!taken, || format!("{which} is taken for a replica"));
        }
        for container in containers(&job["spec"]["template"]) {
            pods::check_container("restore", service, container, &mut faults);
            faults.unless(container["env"] == json!([url]), || {
                format!("restore: {}, and the service has {url}", container["env"])
            });
        }
    }
    assert!(faults.0.is_empty(), "{:#?}", faults.0);
    Ok(())
}

#[test]
fn given_any_identity_when_verification_is_rendered_then_services_let_it_in() -> Result<()> {
    let mut faults = Faults::default();
    for components in [&[][..], &["mtls"]] {
        let Some(manifests) = render("verify", components)? else {
            return Ok(());
        };
        let job = manifests.find("Job", "cleave-verify")?;
        let pod = &job["spec"]["template"];
        pods::check_security("verify", &pod["spec"], &mut faults);
        let caller = &pod["metadata"]["labels"]["cleave.local/caller"];
        faults.unless(caller == service(job), || format!("it calls as {caller}"));
        let arguments = &pod["spec"]["containers"][0]["args"];
        for (service, _) in SERVICES {
            let port = crate::settings::usual_ports(service)[0].context("a port")?;
            let named = json!(format!("dns:///{service}:{port}"));
            let all = arguments.as_array().context("arguments")?;
            faults.unless(all.contains(&named), || format!("{arguments}: no {named}"));
        }
    }
    assert!(faults.0.is_empty(), "{:#?}", faults.0);
    Ok(())
}

/// Runs the binary of a service with a folder of this machine in the place of the volume.
fn run(service: &str, arguments: &[&str], url: &Value, folder: &Path) -> Result<Output> {
    let here = |text: &str| text.replace(VOLUME, &folder.display().to_string());
    let (name, value) = (url["name"].as_str(), url["value"].as_str());
    let output = Command::new(pods::program(service).context("a program")?)
        .args(arguments.iter().map(|argument| here(argument)))
        .env(name.context("a name")?, here(value.context("a value")?))
        .output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{service} {arguments:?}: {complaint}"
    );
    Ok(output)
}

#[test]
fn given_a_copy_on_the_volume_when_the_job_is_carried_out_then_it_is_the_database() -> Result<()> {
    let Some(restore) = render("restore", &[])? else {
        return Ok(());
    };
    for (service, _) in SERVICES {
        // given
        let job = restore.find("Job", &format!("{service}-restore"))?;
        let container = &job["spec"]["template"]["spec"]["containers"][0];
        let url = &container["env"][0];
        let folder = tempfile::tempdir()?;
        run(service, &["migrate"], url, folder.path())?;
        run(
            service,
            &["backup", "/var/lib/cleave/restore.db"],
            url,
            folder.path(),
        )?;

        // when
        let told = container["args"].as_array().into_iter().flatten();
        let told: Vec<_> = told.filter_map(Value::as_str).collect();
        let output = run(service, &told, url, folder.path())?;

        // then
        let said = String::from_utf8(output.stdout)?;
        assert!(said.starts_with("restored: "), "{said}");
        assert!(said.contains("before-restore"), "{said}");
    }
    Ok(())
}
