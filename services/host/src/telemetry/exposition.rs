//! Metrics in the text format of Prometheus, 0.0.4.

use super::registry::{Family, Points};
use metrics::Label;
use std::fmt::{Display, Write as _};

/// The families, one after another.
pub(super) fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        let name = legal(&family.name);
        if let Some(meaning) = &family.meaning {
            line(
                &mut text,
                format_args!("# HELP {name} {}", escaped(&meaning.text, false)),
            );
        }
        line(
            &mut text,
            format_args!("# TYPE {name} {}", kind(&family.points)),
        );
        samples(&mut text, &name, &family.points);
        text.push('\n');
    }
    text
}

const fn kind(points: &Points) -> &'static str {
    match points {
        Points::Counters(_) => "counter",
        Points::Gauges(_) => "gauge",
        Points::Histograms(_) => "histogram",
    }
}

fn samples(text: &mut String, name: &str, points: &Points) {
    match points {
        Points::Counters(series) => {
            for (labels, value) in series {
                sample(text, name, &pairs(labels), value);
            }
        }
        Points::Gauges(series) => {
            for (labels, value) in series {
                sample(text, name, &pairs(labels), value);
            }
        }
        Points::Histograms(series) => {
            for (labels, measured) in series {
                let (labels, bucket) = (pairs(labels), format!("{name}_bucket"));
                let comma = if labels.is_empty() { "" } else { "," };
                for (bound, count) in measured.cumulative() {
                    sample(
                        text,
                        &bucket,
                        &format!("{labels}{comma}le=\"{bound}\""),
                        count,
                    );
                }
                let count = measured.count();
                sample(text, &bucket, &format!("{labels}{comma}le=\"+Inf\""), count);
                sample(text, &format!("{name}_sum"), &labels, measured.sum);
                sample(text, &format!("{name}_count"), &labels, count);
            }
        }
    }
}

fn sample(text: &mut String, name: &str, labels: &str, value: impl Display) {
    match labels {
        "" => line(text, format_args!("{name} {value}")),
        labels => line(text, format_args!("{name}{{{labels}}} {value}")),
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Nothing fails to be written to memory.
    let _ = writeln!(text, "{line}");
}

/// Labels as they stand between the braces.
fn pairs(labels: &[Label]) -> String {
    let pair = |label: &Label| {
        format!(
            "{}=\"{}\"",
            legal(label.key()),
            escaped(label.value(), true)
        )
    };
    labels.iter().map(pair).collect::<Vec<_>>().join(",")
}

/// A name as the format allows it: all else in ours is dots.
fn legal(name: &str) -> String {
    name.replace(
        |letter: char| !letter.is_ascii_alphanumeric() && letter != '_',
        "_",
    )
}

fn escaped(value: &str, quoted: bool) -> String {
    let value = value.replace('\\', "\\\\").replace('\n', "\\n");
    match quoted {
        true => value.replace('"', "\\\""),
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::Series;
    use super::*;
    use metrics::{counter, describe_counter, gauge, histogram, with_local_recorder};

    #[test]
    fn given_series_of_each_kind_then_they_are_written_by_name_and_labels() {
        let series = Series::new();
        with_local_recorder(&series, || {
            describe_counter!("calls.begun", "Calls\nbegun");
            counter!("calls.begun", "grpc.method" => "b").increment(2);
            counter!("calls.begun", "grpc.method" => "a \"quoted\" \\ name").increment(1);
            gauge!("open").set(1.5);
            histogram!("storage_gather_batch_size", "of" => "keys").record(3.0);
            histogram!("storage_gather_batch_size", "of" => "keys").record(1_000.0);
        });

        let text = text(&series.families());

        let expected = [
            "# HELP calls_begun Calls\\nbegun",
            "# TYPE calls_begun counter",
            "calls_begun{grpc_method=\"a \\\"quoted\\\" \\\\ name\"} 1",
            "calls_begun{grpc_method=\"b\"} 2",
            "",
            "# TYPE open gauge",
            "open 1.5",
            "",
            "# TYPE storage_gather_batch_size histogram",
            "storage_gather_batch_size_bucket{of=\"keys\",le=\"1\"} 0",
            "storage_gather_batch_size_bucket{of=\"keys\",le=\"2\"} 0",
            "storage_gather_batch_size_bucket{of=\"keys\",le=\"4\"} 1",
        ];
        assert!(text.starts_with(&expected.join("\n")), "{text}");
        let end = [
            "storage_gather_batch_size_bucket{of=\"keys\",le=\"+Inf\"} 2",
            "storage_gather_batch_size_sum{of=\"keys\"} 1003",
            "storage_gather_batch_size_count{of=\"keys\"} 2\n\n",
        ];
        assert!(text.ends_with(&end.join("\n")), "{text}");
    }
}
