//! Where series are made.

use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};

/// Whether what happens is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Books {
    /// By the recorder of the process.
    #[default]
    Kept,
    /// By nobody: who calls is no part of what the process is watched for.
    Closed,
}

impl Books {
    pub(super) fn counter(self, name: &'static str, labels: Vec<Label>) -> Counter {
        match self {
            Self::Kept => counter!(name, labels),
            Self::Closed => Counter::noop(),
        }
    }

    pub(super) fn gauge(self, name: &'static str, labels: Vec<Label>) -> Gauge {
        match self {
            Self::Kept => gauge!(name, labels),
            Self::Closed => Gauge::noop(),
        }
    }

    pub(super) fn histogram(self, name: &'static str, labels: Vec<Label>) -> Histogram {
        match self {
            Self::Kept => histogram!(name, labels),
            Self::Closed => Histogram::noop(),
        }
    }
}
