//! Reads all sources, in order, and hands out typed settings or every fault.

use super::documentation;
use super::fault::{Fault, Faults, Rejected};
use super::merge::{from_text, lay, leaves, nest};
use serde::de::DeserializeOwned;
use std::path::Path;
use toml::{Table, Value};

/// The sections that every service has.
const HOST_DEFAULTS: &str = include_str!("host.default.toml");
/// Separates the parts of a key in the name of an environment variable.
const ENV_SEPARATOR: &str = "__";

/// Settings that can be wrong in ways that types do not tell.
pub trait Validate {
    /// Adds what is wrong; all of it, not the first.
    fn validate(&self, faults: &mut Faults);
}

/// Collects the sources of settings.
#[derive(Debug)]
pub struct Loader {
    prefix: String,
    defaults: Table,
    documents: Vec<String>,
    merged: Table,
    faults: Faults,
}

impl Loader {
    /// The sections that every service has; `prefix` begins the names of environment variables.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let loader = Self {
            prefix: format!("{}{ENV_SEPARATOR}", prefix.to_uppercase()),
            defaults: Table::new(),
            documents: Vec::new(),
            merged: Table::new(),
            faults: Faults::default(),
        };
        loader.defaults(HOST_DEFAULTS)
    }

    /// Adds documented defaults: further sections, and other values for earlier ones. They are part of
    /// the program, so a mistake in them shows up as a fault like any other.
    #[must_use]
    pub fn defaults(mut self, document: &str) -> Self {
        match document.parse::<Table>() {
            Ok(table) => extend(&mut self.defaults, table),
            Err(error) => self.fault(
                "",
                "the built-in defaults",
                error.to_string(),
                "report this",
            ),
        }
        self.documents.push(document.to_owned());
        self.merged = self.defaults.clone();
        self
    }

    /// The documented defaults, as a file that can be edited.
    #[must_use]
    pub fn documentation(&self) -> String {
        documentation::join(&self.documents, &self.defaults)
    }

    /// Lays a file over what is there.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Self {
        let source = path.display().to_string();
        let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
        match read.and_then(|text| text.parse::<Table>().map_err(|error| error.to_string())) {
            Ok(table) => lay(&mut self.merged, table, "", &source, &mut self.faults),
            Err(problem) => self.fault("", &source, problem, "give a readable TOML file"),
        }
        self
    }

    /// Lays the process's environment over what is there: `PREFIX__SECTION__KEY`.
    #[must_use]
    pub fn env(self) -> Self {
        self.variables(std::env::vars_os().filter_map(|(name, value)| {
            Some((
                name.into_string().ok()?,
                value.to_string_lossy().into_owned(),
            ))
        }))
    }

    /// Lays these variables over what is there; others than those of the prefix are none of ours.
    #[must_use]
    pub fn variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        for (name, text) in variables {
            if let Some(rest) = name.strip_prefix(&self.prefix) {
                let key = rest.replace(ENV_SEPARATOR, ".").to_lowercase();
                self.lay_text(&key, &text, &format!("environment variable {name}"));
            }
        }
        self
    }

    /// Lays one value over what is there, as a flag gives it.
    #[must_use]
    pub fn set(mut self, key: &str, text: &str) -> Self {
        self.lay_text(key, text, "the command line");
        self
    }

    fn lay_text(&mut self, key: &str, text: &str, source: &str) {
        let table = from_text(&self.merged, key, text);
        lay(&mut self.merged, table, "", source, &mut self.faults);
    }

    fn fault(&mut self, key: &str, source: &str, problem: String, mend: &str) {
        self.faults.found.push(Fault {
            key: key.to_owned(),
            source: source.to_owned(),
            problem: problem.trim_end().to_owned(),
            mend: mend.to_owned(),
        });
    }

    /// The settings.
    ///
    /// # Errors
    /// With every fault of every source.
    pub fn load<S: DeserializeOwned + Validate>(mut self) -> Result<S, Rejected> {
        self.restore_unreadable::<S>();
        match typed::<S>(&self.merged) {
            Ok(settings) => {
                settings.validate(&mut self.faults);
                if self.faults.found.is_empty() {
                    return Ok(settings);
                }
            }
            Err(problem) => self.fault("", "the built-in defaults", problem, "report this"),
        }
        Err(Rejected(self.faults.found))
    }

    /// Tries each value that is not a default alone among the defaults: so every one that its type
    /// refuses is found, not only the first, and the rest can still be validated.
    fn restore_unreadable<S: DeserializeOwned>(&mut self) {
        let mut given = Vec::new();
        leaves(&self.merged, "", &mut given);
        for (key, value) in given {
            let Some(source) = self.faults.sources.get(&key).cloned() else {
                continue;
            };
            let mut alone = self.defaults.clone();
            put(&mut alone, &key, value.clone());
            if let Err(problem) = typed::<S>(&alone) {
                let default = lookup(&self.defaults, &key);
                let mend = format!("the default is {default}");
                self.fault(&key, &source, problem, &mend);
                put(&mut self.merged, &key, default);
            }
        }
    }
}

/// The table as settings, or the first line of what serde has to say.
fn typed<S: DeserializeOwned>(table: &Table) -> Result<S, String> {
    table
        .clone()
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

fn put(table: &mut Table, key: &str, value: Value) {
    extend(table, nest(key, value));
}

/// The value at a dotted key; empty text when there is none.
pub(super) fn lookup(table: &Table, key: &str) -> Value {
    key.split('.')
        .try_fold(Value::Table(table.clone()), |value, name| {
            value.get(name).cloned()
        })
        .unwrap_or_else(|| Value::String(String::new()))
}

/// Adds and replaces, table by table.
fn extend(base: &mut Table, over: Table) {
    for (name, value) in over {
        match (base.get_mut(&name), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => extend(inner, value),
            (_, value) => {
                base.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HostSettings, TelemetrySettings, duration};
    use serde::Deserialize;
    use std::time::Duration;

    const DEFAULTS: &str = r#"
        [host]
        listen = "127.0.0.1:50051"
        [lease]
        # How often.
        period = "2s"
        batch = 100
        owners = ["a"]
    "#;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        host: HostSettings,
        telemetry: TelemetrySettings,
        lease: Lease,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Lease {
        #[serde(with = "duration")]
        period: Duration,
        batch: u32,
        owners: Vec<String>,
    }

    impl Validate for Settings {
        fn validate(&self, faults: &mut Faults) {
            self.host.validate(faults);
            self.telemetry.validate(faults);
            if self.lease.batch == 0 {
                faults.add("lease.batch", "must not be zero", "give at least 1");
            }
        }
    }

    fn loader() -> Loader {
        Loader::new("demo").defaults(DEFAULTS)
    }

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_defaults_alone_are_settings() {
        let settings: Settings = loader().load().expect("settings");
        assert_eq!(settings.lease.period, Duration::from_secs(2));
        assert_eq!(settings.host.listen, "127.0.0.1:50051");
    }

    #[test]
    fn flags_go_before_environment_before_file() {
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), "[lease]\nperiod = \"3s\"\nbatch = 7\n").expect("write");

        let settings: Settings = loader()
            .file(file.path())
            .variables(variables(&[
                ("DEMO__LEASE__BATCH", "8"),
                ("DEMO__LEASE__OWNERS", "x, y"),
                ("OTHER__LEASE__BATCH", "nonsense"),
            ]))
            .set("lease.batch", "9")
            .load()
            .expect("settings");

        assert_eq!(settings.lease.period, Duration::from_secs(3));
        assert_eq!(settings.lease.batch, 9);
        assert_eq!(settings.lease.owners, ["x", "y"]);
    }

    #[test]
    fn every_fault_is_listed_at_once_with_key_source_and_mend() {
        let file = tempfile::NamedTempFile::new().expect("file");
        let text = "[lease]\nperiodd = \"3s\"\nbatch = \"many\"\n[leese]\nx = 1\n";
        std::fs::write(file.path(), text).expect("write");

        let rejected = loader()
            .file(file.path())
            .variables(variables(&[("DEMO__LEASE__PERIOD", "soon")]))
            .set("lease.batch", "-4")
            .set("host.listen", "nowhere")
            .load::<Settings>()
            .expect_err("rejected");

        let keys: Vec<&str> = rejected.0.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "lease.batch",
                "lease.periodd",
                "leese",
                "lease.batch",
                "lease.period",
                "host.listen"
            ]
        );
        let text = rejected.to_string();
        assert!(text.contains("did you mean period?"), "{text}");
        assert!(
            text.contains("environment variable DEMO__LEASE__PERIOD"),
            "{text}"
        );
        assert!(text.contains("the command line"), "{text}");
    }

    #[test]
    fn what_types_cannot_tell_is_validated_and_names_its_source() {
        let rejected = loader()
            .set("lease.batch", "0")
            .load::<Settings>()
            .expect_err("rejected");
        assert_eq!(
            rejected.0,
            [Fault {
                key: "lease.batch".to_owned(),
                source: "the command line".to_owned(),
                problem: "must not be zero".to_owned(),
                mend: "give at least 1".to_owned(),
            }]
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_one_of_the_faults() {
        let rejected = loader()
            .file(Path::new("/nonexistent/demo.toml"))
            .set("lease.batch", "0")
            .load::<Settings>()
            .expect_err("rejected");
        assert_eq!(rejected.0.len(), 2);
    }
}
