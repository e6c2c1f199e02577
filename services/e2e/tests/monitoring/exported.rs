//! What is exported, and what a query asks for beyond that.

use crate::files::Query;
use crate::promql::{Selector, names};
use std::collections::{BTreeMap, BTreeSet};

/// The series of the caller's half, most of which only trouble brings forth. A test of the host holds this list
/// against what it really counts.
const GOLDEN: &str = include_str!("../../../host/tests/serving/metrics.golden");
/// What labels say only where something is wrong, so that a pair that is well does not show it.
const TROUBLE: [(&str, &str); 2] = [("outcome", "error"), ("level", "unsafe")];

/// The metrics there are: for each its labels, for each of those its values. No values are known of those that were
/// not seen.
#[derive(Debug, Default)]
pub(crate) struct Exported {
    metrics: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Exported {
    /// The series of the golden list.
    pub(crate) fn golden() -> Self {
        let mut exported = Self::default();
        for line in GOLDEN.lines() {
            let Some((metric, rest)) = line.split_once('{') else {
                continue;
            };
            let (labels, buckets) = rest.split_once('}').unwrap_or((rest, ""));
            let labels = || labels.split(',').map(|label| (label.to_owned(), None));
            let targets = [("job".to_owned(), None), ("instance".to_owned(), None)];
            let of = |name: String, more: Option<(String, Option<String>)>| {
                (name, labels().chain(targets.clone()).chain(more))
            };
            if buckets.is_empty() {
                let (name, labels) = of(metric.to_owned(), None);
                exported.add(name, labels);
                continue;
            }
            let le = Some(("le".to_owned(), None));
            for (end, more) in [("bucket", le), ("sum", None), ("count", None)] {
                let (name, labels) = of(format!("{metric}_{end}"), more);
                exported.add(name, labels);
            }
        }
        exported
    }

    /// There is such a series.
    pub(crate) fn add(
        &mut self,
        metric: String,
        labels: impl IntoIterator<Item = (String, Option<String>)>,
    ) {
        let known = self.metrics.entry(metric).or_default();
        for (label, value) in labels {
            known.entry(label).or_default().extend(value);
        }
    }

    /// What the query names and nobody exports.
    pub(crate) fn faults(&self, query: &Query) -> Vec<String> {
        let names = names(&query.text);
        let mut faults: Vec<String> = names
            .selectors
            .iter()
            .flat_map(|selector| self.faults_of(selector))
            .collect();
        let labels: BTreeSet<&str> = names
            .selectors
            .iter()
            .filter_map(|selector| self.metrics.get(&selector.metric))
            .flat_map(|labels| labels.keys().map(String::as_str))
            .collect();
        for label in names.labels.iter().chain(&query.shown) {
            if !labels.contains(label.as_str()) {
                faults.push(format!("nothing in it has the label {label}"));
            }
        }
        if names.selectors.is_empty() {
            faults.push("it asks for nothing".to_owned());
        }
        faults
            .into_iter()
            .map(|fault| format!("{}: {fault}\n    {}", query.place, query.text))
            .collect()
    }

    fn faults_of(&self, selector: &Selector) -> Vec<String> {
        let metric = &selector.metric;
        let Some(labels) = self.metrics.get(metric) else {
            return vec![format!("nobody exports {metric}")];
        };
        let fault = |(label, operator, value): &(String, String, String)| {
            let Some(values) = labels.get(label) else {
                return Some(format!("{metric} has no label {label}"));
            };
            let seen = values.is_empty() || values.contains(value);
            let trouble = TROUBLE.contains(&(label, value));
            (operator == "=" && !seen && !trouble)
                .then(|| format!("{metric} has no {label}={value:?}"))
        };
        selector.matchers.iter().filter_map(fault).collect()
    }
}

#[test]
fn what_nobody_exports_is_found() {
    let mut exported = Exported::golden();
    let label = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
    exported.add("seen".to_owned(), [label("job", "a"), label("le", "0.1")]);
    let faults = |text: &str, shown: &[&str]| {
        let shown = shown.iter().map(|label| (*label).to_owned()).collect();
        let (place, text) = ("test".to_owned(), text.to_owned());
        exported.faults(&Query { place, text, shown }).len()
    };
    assert_eq!(
        faults("sum by (job) (rate(seen{le=\"0.1\"}[5m]))", &["job"]),
        0
    );
    assert_eq!(
        faults("grpc_client_call_retries_sum{grpc_target=\"x\"}", &[]),
        0
    );
    assert_eq!(faults("unseen", &[]), 1);
    assert_eq!(faults("grpc_client_call_retries", &[]), 1);
    assert_eq!(faults("seen{unknown=\"\"}", &[]), 1);
    assert_eq!(faults("seen{le=\"0.2\"}", &[]), 1);
    assert_eq!(faults("sum by (unknown) (seen)", &[]), 1);
    assert_eq!(faults("seen", &["unknown"]), 1);
}
