//! What is wrong with the settings.

use std::collections::BTreeMap;
use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, such as `host.listen`.
    pub key: String,
    /// Where its value came from.
    pub source: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub mend: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} (from {}); {}",
            self.key, self.problem, self.source, self.mend
        )
    }
}

/// Collects what is wrong; knows where each value came from.
#[derive(Debug, Default)]
pub struct Faults {
    pub(crate) found: Vec<Fault>,
    pub(crate) sources: BTreeMap<String, String>,
}

impl Faults {
    /// The value of `key` cannot be used: what is wrong, and what to do.
    pub fn add(&mut self, key: &str, problem: impl Into<String>, mend: impl Into<String>) {
        let source = self
            .sources
            .get(key)
            .map_or("the defaults", String::as_str)
            .to_owned();
        self.found.push(Fault {
            key: key.to_owned(),
            source,
            problem: problem.into(),
            mend: mend.into(),
        });
    }
}

/// Settings that cannot be used, with every reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected(pub Vec<Fault>);

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(
            f,
            "the settings have {count} fault{}:",
            if count == 1 { "" } else { "s" }
        )?;
        self.0
            .iter()
            .try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

impl std::error::Error for Rejected {}
