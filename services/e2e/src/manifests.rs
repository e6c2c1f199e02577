//! What kustomize makes of `deploy/kubernetes`, as an orchestrator gets it.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize as _;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names what renders: `kubectl kustomize`, or `kustomize build`.
const TOOL: &str = "CLEAVE_KUSTOMIZE";
const USUAL_TOOL: &str = "kubectl kustomize";

/// All documents of one rendering.
#[derive(Debug, Clone)]
pub struct Manifests {
    documents: Vec<Value>,
}

impl Manifests {
    /// An overlay with these components; `None` where nothing is at hand that could render it, which is told on
    /// stderr.
    ///
    /// # Errors
    /// When it cannot be rendered.
    pub fn render(overlay: &str, components: &[&str]) -> Result<Option<Self>> {
        // A component has no say about where it is used, so a place is made that uses it.
        let place = |to: &dyn Fn(&str) -> String| {
            let used = components.iter().map(|name| format!("components/{name}"));
            serde_json::json!({
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": [to(&format!("overlays/{overlay}"))],
                "components": used.map(|path| to(&path)).collect::<Vec<_>>(),
            })
            .to_string()
        };
        Self::render_in(place).with_context(|| format!("{overlay} {components:?}"))
    }

    /// A kustomization of somebody's own, which is given the way to each folder of the manifests that it names; `None`
    /// as for [`render`](Self::render).
    ///
    /// # Errors
    /// When it cannot be rendered.
    pub fn render_in(
        place: impl FnOnce(&dyn Fn(&str) -> String) -> String,
    ) -> Result<Option<Self>> {
        let Some(tool) = tool() else {
            eprintln!(
                "no kubectl is at hand, and {TOOL} names no other: manifests are not covered"
            );
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let root = from_root(folder.path());
        let text = place(&|path| root.join(path).display().to_string());
        fs::write(folder.path().join("kustomization.yaml"), text)?;
        let [program, arguments @ ..] = &*tool else {
            anyhow::bail!("{TOOL} names nothing");
        };
        let done = Command::new(program)
            .args(arguments)
            .arg(folder.path())
            .output()
            .with_context(|| format!("running {program}"))?;
        let complaint = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "{complaint}");
        Self::parse(&String::from_utf8(done.stdout)?).map(Some)
    }

    /// The documents in this text.
    ///
    /// # Errors
    /// When it is not YAML.
    pub fn parse(text: &str) -> Result<Self> {
        let documents = yaml_serde::Deserializer::from_str(text)
            .map(Value::deserialize)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { documents })
    }

    /// All documents.
    #[must_use]
    pub fn documents(&self) -> &[Value] {
        &self.documents
    }

    /// All documents, to be changed.
    pub fn documents_mut(&mut self) -> &mut Vec<Value> {
        &mut self.documents
    }

    /// Those of one kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.documents
            .iter()
            .filter(move |document| document["kind"] == kind)
    }

    /// The one of this kind and name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, kind: &str, name: &str) -> Result<&Value> {
        let mut all = self.documents.iter();
        all.find(|document| document["kind"] == kind && document["metadata"]["name"] == name)
            .with_context(|| format!("there is no {kind} {name}"))
    }

    /// What keeps the replicas of a service running: a Deployment or a StatefulSet.
    ///
    /// # Errors
    /// When nothing does.
    pub fn workload(&self, service: &str) -> Result<&Value> {
        self.find("Deployment", service)
            .or_else(|_| self.find("StatefulSet", service))
    }
}

/// The folder of the manifests in the source tree.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kubernetes")
}

/// The way from a folder to the manifests: kustomize takes relative ones only.
fn from_root(folder: &Path) -> PathBuf {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let up = folder.components().skip(1).map(|_| "..");
    let root = up.collect::<PathBuf>();
    let manifests = self::folder();
    let manifests = manifests.canonicalize().unwrap_or(manifests);
    root.join(manifests.strip_prefix("/").unwrap_or(&manifests))
}

/// The words of the command that renders a folder.
fn tool() -> Option<Vec<String>> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    if let Ok(line) = std::env::var(TOOL) {
        return Some(words(&line));
    }
    let known = Command::new("kubectl")
        .args(["version", "--client"])
        .output();
    known
        .is_ok_and(|done| done.status.success())
        .then(|| words(USUAL_TOOL))
}
