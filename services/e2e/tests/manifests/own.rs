//! What people write down to use the manifests: the kustomizations of the runbook, rendered as they stand there.

use anyhow::{Context as _, Result};
use cleave_e2e::{Manifests, manifests};
use serde_json::json;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The kustomizations in the runbook.
fn kustomizations() -> Result<Vec<String>> {
    let runbook = std::fs::read_to_string(manifests::folder().join("../RUNBOOK.md"))?;
    let blocks = runbook.split("```yaml\n# kustomization.yaml\n").skip(1);
    let texts = blocks.filter_map(|block| block.split("```").next());
    Ok(texts.map(str::to_owned).collect())
}

/// Renders one, with folders of this tree for those of the release.
fn render(text: &str) -> Result<Option<Manifests>> {
    let release = format!("?ref={VERSION}");
    Manifests::render_in(|to| {
        let mut parts = text.split("https://YOUR.HOST/cleave//deploy/kubernetes/");
        let mut local = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            // A reference to another release leads nowhere.
            let (folder, rest) = part.split_once(&release).unwrap_or(("nowhere", ""));
            local += &to(folder);
            local += rest;
        }
        local
    })
}

fn images(manifests: &Manifests) -> Vec<&str> {
    crate::pods(manifests)
        .flat_map(|(_, pod)| crate::containers(pod))
        .filter_map(|container| container["image"].as_str())
        .collect()
}

#[test]
fn given_the_runbook_when_its_kustomization_is_rendered_then_all_images_are_of_the_registry_named()
-> Result<()> {
    let texts = kustomizations()?;
    let text = texts.first().context("a kustomization")?;
    let Some(manifests) = render(text)? else {
        return Ok(());
    };
    let images = images(&manifests);
    for image in &images {
        let (name, tag) = image.rsplit_once(':').context("no tag")?;
        assert!(name.starts_with("registry.example/cleave/"), "{image}");
        assert_eq!(tag, VERSION);
    }
    assert!(images.len() >= 4, "{images:?}");
    Ok(())
}

#[test]
fn given_the_runbook_when_the_authority_changes_then_both_sides_believe_the_list_and_the_new_one_signs()
-> Result<()> {
    let texts = kustomizations()?;
    let text = texts.get(1).context("two kustomizations")?;
    // The new authority itself is a file of their own.
    let lines = text
        .lines()
        .filter(|line| !line.contains("- authority-2.yaml"));
    let Some(manifests) = render(&lines.collect::<Vec<_>>().join("\n"))? else {
        return Ok(());
    };

    let issuer = manifests.find("Issuer", "cleave-workloads")?;
    assert_eq!(issuer["spec"]["ca"]["secretName"], "cleave-authority-2");
    for (service, _) in crate::SERVICES {
        let spec = &manifests.workload(service)?["spec"]["template"]["spec"];
        let mut volumes = spec["volumes"].as_array().into_iter().flatten();
        let list = json!({"name": "cleave-authorities"});
        let mounted = volumes.any(|volume| volume["configMap"] == list);
        assert!(mounted, "{service}: {}", spec["volumes"]);
    }
    Ok(())
}
