//! What every pod must be: nobody's root, without a writable image or the API server's token, of an image that the
//! release builds, with arguments that the binary takes.

use crate::{Faults, containers, name, pods, service};
use cleave_e2e::Manifests;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// The registry that images are named for until somebody says where they are: it can never be anybody's.
const NOBODYS: &str = "registry.invalid";
/// The user of the images.
const USER: u32 = 65_532;

pub(crate) fn check(manifests: &Manifests, faults: &mut Faults) {
    let mut found = 0;
    for (document, pod) in pods(manifests) {
        let which = name(document);
        found += 1;
        check_security(&which, &pod["spec"], faults);
        let program = service(document).to_owned();
        for container in containers(pod) {
            check_container(&which, &program, container, faults);
        }
    }
    faults.unless(found >= 2, || "there are not two workloads".to_owned());
}

/// Nobody's root, with nothing that it could write to or grow into.
pub(crate) fn check_security(which: &str, spec: &Value, faults: &mut Faults) {
    let security = &spec["securityContext"];
    for (place, value, expected) in [
        (
            "automountServiceAccountToken",
            &spec["automountServiceAccountToken"],
            json!(false),
        ),
        ("runAsNonRoot", &security["runAsNonRoot"], json!(true)),
        ("runAsUser", &security["runAsUser"], json!(USER)),
        ("runAsGroup", &security["runAsGroup"], json!(USER)),
        (
            "seccompProfile",
            &security["seccompProfile"]["type"],
            json!("RuntimeDefault"),
        ),
    ] {
        faults.unless(*value == expected, || {
            format!("{which}: {place} is {value}")
        });
    }
    for container in ["initContainers", "containers"]
        .iter()
        .filter_map(|key| spec[key].as_array())
        .flatten()
    {
        check_confined(which, container, faults);
    }
}

fn check_confined(which: &str, container: &Value, faults: &mut Faults) {
    let security = &container["securityContext"];
    for (place, value, expected) in [
        (
            "allowPrivilegeEscalation",
            &security["allowPrivilegeEscalation"],
            json!(false),
        ),
        (
            "readOnlyRootFilesystem",
            &security["readOnlyRootFilesystem"],
            json!(true),
        ),
        (
            "capabilities.drop",
            &security["capabilities"]["drop"],
            json!(["ALL"]),
        ),
    ] {
        faults.unless(*value == expected, || {
            format!("{which}: {place} is {value}")
        });
    }
    for place in [
        "/resources/requests/cpu",
        "/resources/requests/memory",
        "/resources/limits/memory",
    ] {
        let asked = container.pointer(place).is_some_and(Value::is_string);
        faults.unless(asked, || format!("{which}: no {place}"));
    }
}

/// An image that the release builds, with arguments that its binary takes.
pub(crate) fn check_container(which: &str, service: &str, container: &Value, faults: &mut Faults) {
    let image = format!("{NOBODYS}/cleave/{service}:{}", env!("CARGO_PKG_VERSION"));
    let given = &container["image"];
    faults.unless(*given == json!(image), || {
        format!("{which}: the image is {given}, not {image}")
    });
    let arguments: Vec<_> = container["args"].as_array().into_iter().flatten().collect();
    let taken = takes(service, &arguments);
    faults.unless(taken, || {
        format!("{which}: {service} does not take {arguments:?}")
    });
}

/// Whether the image that the release builds runs as the user that pods are given.
#[test]
fn given_the_images_then_they_are_of_the_user_that_pods_run_as() -> anyhow::Result<()> {
    for (service, _) in crate::SERVICES {
        let file = cleave_e2e::manifests::folder().join(format!("../images/{service}/Dockerfile"));
        let text = std::fs::read_to_string(file)?;
        assert!(
            text.contains(&format!("\nUSER {USER}:{USER}\n")),
            "{service}"
        );
        assert!(
            text.contains(&format!("\nENTRYPOINT [\"/{service}\"]\n")),
            "{service}"
        );
    }
    Ok(())
}

/// Whether the binary of the service has such arguments.
fn takes(service: &str, arguments: &[&Value]) -> bool {
    let Some(program) = program(service) else {
        return false;
    };
    let asked = Command::new(program)
        .args(arguments.iter().filter_map(|argument| argument.as_str()))
        // Asked for help it does nothing, but arguments that it does not know are refused all the same.
        .arg("--help")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    !arguments.is_empty() && asked.is_ok_and(|status| status.success())
}

/// The binary of a service.
pub(crate) fn program(service: &str) -> Option<&'static Path> {
    match service {
        "operations" => Some(Path::new(env!("CARGO_BIN_EXE_e2e-operations"))),
        "billing" => Some(Path::new(env!("CARGO_BIN_EXE_e2e-billing"))),
        _ => None,
    }
}
