//! What every pod must be: nobody's root, without a writable image or the API server's token, of an image that the
//! release builds, with arguments that the binary takes.

use crate::{Faults, containers, name, pods, service};
use cleave_e2e::Manifests;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// The user of the images.
const USER: u32 = 65_532;

pub(crate) fn check(manifests: &Manifests, faults: &mut Faults) {
    let mut found = 0;
    for (document, pod) in pods(manifests) {
        let which = name(document);
        found += 1;
        let spec = &pod["spec"];
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
        let program = service(document).to_owned();
        for container in containers(pod) {
            check_container(&which, &program, container, faults);
        }
    }
    faults.unless(found >= 2, || "there are not two workloads".to_owned());
}

fn check_container(which: &str, service: &str, container: &Value, faults: &mut Faults) {
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
    let image = format!("cleave/{service}:{}", env!("CARGO_PKG_VERSION"));
    let given = &container["image"];
    faults.unless(*given == json!(image), || {
        format!("{which}: the image is {given}, not {image}")
    });
    for place in [
        "/resources/requests/cpu",
        "/resources/requests/memory",
        "/resources/limits/memory",
    ] {
        let asked = container.pointer(place).is_some_and(Value::is_string);
        faults.unless(asked, || format!("{which}: no {place}"));
    }
    let arguments: Vec<_> = container["args"].as_array().into_iter().flatten().collect();
    let taken = takes(service, &arguments);
    faults.unless(taken, || {
        format!("{which}: {service} does not take {arguments:?}")
    });
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
