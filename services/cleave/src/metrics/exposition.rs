//! The text format of Prometheus, 0.0.4: strict, and bounded in what it keeps.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;

/// More samples than this come from something else.
const MAX_SAMPLES: usize = 400_000;
/// More labels than this on one sample are a mistake.
const MAX_LABELS: usize = 32;

/// Everything that was exposed, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Exposition {
    samples: Vec<Sample>,
}

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Sample {
    /// The value of a label; nothing where there is none.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

impl Exposition {
    /// Reads the whole text.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut samples = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            ensure!(
                samples.len() < MAX_SAMPLES,
                "more than {MAX_SAMPLES} samples"
            );
            let sample = sample(line).with_context(|| format!("line {}", number + 1))?;
            samples.push(sample);
        }
        Ok(Self { samples })
    }

    /// The samples of this name.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.name == name)
    }

    /// The one sample of this name, when there is one.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.named(name).map(|sample| sample.value).next()
    }
}

/// `name{label="value",...} value [timestamp]`
fn sample(line: &str) -> Result<Sample> {
    let end = line.find(|c: char| !is_name(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    ensure!(is_identifier(name), "no name of a metric");
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (BTreeMap::new(), rest),
    };
    ensure!(rest.starts_with(char::is_whitespace), "no value");
    let mut words = rest.split_whitespace();
    let value = number(words.next().context("no value")?)?;
    if let Some(timestamp) = words.next() {
        timestamp.parse::<i64>().context("no timestamp")?;
    }
    ensure!(words.next().is_none(), "more than a value and a timestamp");
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Result<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        ensure!(labels.len() < MAX_LABELS, "more than {MAX_LABELS} labels");
        let (name, after) = rest.split_once('=').context("a label without a value")?;
        let name = name.trim();
        ensure!(
            is_identifier(name) && !name.contains(':'),
            "no name of a label"
        );
        let quoted = after.trim_start().strip_prefix('"');
        let (value, after) = text(quoted.context("a value without quotes")?)?;
        let before = labels.insert(name.to_owned(), value);
        ensure!(before.is_none(), "label {name} twice");
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => ensure!(rest.starts_with('}'), "no comma between labels"),
        }
    }
}

/// The text up to the closing quote, and what follows it.
fn text(rest: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &rest[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                _ => bail!("an unknown escape"),
            },
            c => value.push(c),
        }
    }
    bail!("a value without an end")
}

fn number(word: &str) -> Result<f64> {
    match word {
        "+Inf" | "Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        "NaN" => Ok(f64::NAN),
        _ if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            word.parse().context("not a number")
        }
        _ => bail!("not a number"),
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(sample: &Sample) -> String {
        let escape = |text: &str| {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            text.replace('\n', "\\n")
        };
        let labels = sample.labels.iter();
        let labels: Vec<_> = labels
            .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
            .collect();
        format!(
            "{}{{{}}} {:?}\n",
            sample.name,
            labels.join(","),
            sample.value
        )
    }

    fn any_sample() -> impl Strategy<Value = Sample> {
        let labels = proptest::collection::btree_map("[a-z_][a-z0-9_]{0,6}", any::<String>(), 0..5);
        let value = prop_oneof![proptest::num::f64::NORMAL, Just(0.0)];
        ("[a-zA-Z_:][a-zA-Z0-9_:]{0,20}", labels, value).prop_map(|(name, labels, value)| {
            // Lines end where the format says, and nowhere else.
            let labels = labels
                .into_iter()
                .map(|(name, text)| (name, text.replace('\r', "")));
            Sample {
                name,
                labels: labels.collect(),
                value,
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(samples in proptest::collection::vec(any_sample(), 0..8)) {
            let text: String = samples.iter().map(written).collect();
            prop_assert_eq!(Exposition::parse(&text).expect("valid").samples, samples);
        }

        #[test]
        fn rubbish_is_refused_without_a_panic(text in any::<String>()) {
            let _ = Exposition::parse(&text);
        }

        #[test]
        fn what_is_almost_right_does_not_panic(text in "[a-c]{1,2}[{}=\", \\\\a0-9.+]{0,30}") {
            let _ = Exposition::parse(&text);
        }
    }

    #[test]
    fn the_format_is_read_strictly() {
        let text = "# HELP a b\n# TYPE a counter\n\na{x=\"1\\\"\\n\", y=\"\",} 3 1700000000000\nb NaN\nc{le=\"+Inf\"} +Inf\n";
        let read = Exposition::parse(text).expect("valid");
        assert_eq!(read.samples[0].label("x"), "1\"\n");
        assert_eq!(read.value("a"), Some(3.0));
        assert!(read.value("b").is_some_and(f64::is_nan));
        assert_eq!(read.value("c"), Some(f64::INFINITY));
        for wrong in [
            "a",
            "a 1 2 3",
            "a x",
            "1a 1",
            "a{x=1} 1",
            "a{x=\"1} 1",
            "a{x=\"1\" y=\"2\"} 1",
            "a{x=\"1\",x=\"2\"} 1",
            "a{=\"1\"} 1",
            "a{x=\"\\q\"} 1",
            "a{x=\"1\"}1",
            "a inf",
            "{} 1",
        ] {
            assert!(Exposition::parse(wrong).is_err(), "{wrong}");
        }
    }
}
