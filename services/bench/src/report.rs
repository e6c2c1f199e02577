//! What was measured, as a table for people or one JSON object a line for programs.

use serde::Serialize;

use crate::load::Outcome;

/// One round of one measure: the system and its limit, one right after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    /// What the system reached.
    pub(crate) value: f64,
    /// What its limit reached.
    pub(crate) limit: f64,
    /// CPU of the service for each call or row, in microseconds.
    pub(crate) cpu_us: f64,
    /// Memory of the service when the load ended, in MiB.
    pub(crate) memory_mib: f64,
    /// Latencies of the system, where calls were made.
    pub(crate) latency: Option<Latency>,
}

/// Latencies of one round.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Latency {
    /// The median, in milliseconds.
    pub(crate) p50_ms: f64,
    /// The 99th percentile, in milliseconds.
    pub(crate) p99_ms: f64,
}

impl Latency {
    /// The latencies of `outcome`.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        Self {
            p50_ms: outcome.median.as_secs_f64() * 1e3,
            p99_ms: outcome.p99.as_secs_f64() * 1e3,
        }
    }
}

/// One measure: the median of its rounds, beside the limit of the same run.
#[derive(Debug, Serialize)]
pub(crate) struct Measure {
    /// What was measured.
    pub(crate) name: &'static str,
    /// Of what.
    pub(crate) unit: &'static str,
    /// What the system reached.
    pub(crate) value: f64,
    /// What the limit reached.
    pub(crate) limit: f64,
    /// `value / limit`, the median of the rounds' own ratios.
    pub(crate) ratio: f64,
    /// The least and the greatest ratio of a round.
    pub(crate) ratio_range: (f64, f64),
    /// Which database stood behind.
    pub(crate) engine: &'static str,
    /// What the limit is.
    pub(crate) limit_name: &'static str,
    /// CPU of the service for each call or row, in microseconds.
    pub(crate) server_cpu_us: f64,
    /// Memory of the service under load, in MiB.
    pub(crate) server_memory_mib: f64,
    /// Latencies of the system, where calls were made.
    #[serde(flatten)]
    pub(crate) latency: Option<Latency>,
    /// How many rounds were run.
    pub(crate) rounds: usize,
}

/// What a measure is called, whatever its figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Title {
    /// What is measured.
    pub(crate) name: &'static str,
    /// Of what.
    pub(crate) unit: &'static str,
    /// What the limit is.
    pub(crate) limit_name: &'static str,
}

impl Measure {
    /// The medians of `rounds`, of which there is at least one.
    pub(crate) fn of(title: Title, engine: &'static str, rounds: &[Round]) -> Self {
        let ratios: Vec<f64> = rounds
            .iter()
            .map(|round| round.value / round.limit)
            .collect();
        let latency = |pick: fn(&Latency) -> f64| {
            median(rounds.iter().filter_map(|r| r.latency.as_ref().map(pick)))
        };
        let with_latency = rounds.iter().any(|round| round.latency.is_some());
        Self {
            name: title.name,
            unit: title.unit,
            value: median(rounds.iter().map(|round| round.value)),
            limit: median(rounds.iter().map(|round| round.limit)),
            ratio: median(ratios.iter().copied()),
            ratio_range: (
                ratios.iter().copied().fold(f64::INFINITY, f64::min),
                ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ),
            engine,
            limit_name: title.limit_name,
            server_cpu_us: median(rounds.iter().map(|round| round.cpu_us)),
            server_memory_mib: median(rounds.iter().map(|round| round.memory_mib)),
            latency: with_latency.then(|| Latency {
                p50_ms: latency(|l| l.p50_ms),
                p99_ms: latency(|l| l.p99_ms),
            }),
            rounds: rounds.len(),
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints measures as they come.
pub(crate) struct Printer {
    json: bool,
    head_printed: bool,
}

impl Printer {
    /// A printer of a table, or of one JSON object a line.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            head_printed: false,
        }
    }

    /// Prints a measure; nothing for one that was skipped.
    ///
    /// # Errors
    /// Never: a measure is plain data.
    pub(crate) fn line(&mut self, measure: Option<Measure>) -> serde_json::Result<()> {
        let Some(measure) = measure else {
            return Ok(());
        };
        if self.json {
            println!("{}", serde_json::to_string(&measure)?);
            return Ok(());
        }
        if !std::mem::replace(&mut self.head_printed, true) {
            println!("{}", table_head());
        }
        println!("{}", table_line(&measure));
        Ok(())
    }
}

/// The head of the table.
fn table_head() -> String {
    format!(
        "{:<18} {:<10} {:>11} {:>11}  {:<22} {:>9} {:>7} {:>8} {:>8}  {}",
        "measure",
        "engine",
        "value",
        "limit",
        "ratio [min-max]",
        "CPU us",
        "PSS MiB",
        "p50 ms",
        "p99 ms",
        "unit; limit"
    )
}

/// One line of the table.
fn table_line(measure: &Measure) -> String {
    let (least, most) = measure.ratio_range;
    let ratio = format!("{:.2} [{least:.2}-{most:.2}]", measure.ratio);
    let milliseconds = |pick: fn(&Latency) -> f64| {
        measure
            .latency
            .as_ref()
            .map_or_else(|| "-".to_owned(), |l| format!("{:.2}", pick(l)))
    };
    format!(
        "{:<18} {:<10} {:>11.0} {:>11.0}  {:<22} {:>9.1} {:>7.0} {:>8} {:>8}  {}; {}",
        measure.name,
        measure.engine,
        measure.value,
        measure.limit,
        ratio,
        measure.server_cpu_us,
        measure.server_memory_mib,
        milliseconds(|l| l.p50_ms),
        milliseconds(|l| l.p99_ms),
        measure.unit,
        measure.limit_name,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLE: Title = Title {
        name: "get_account",
        unit: "calls/s",
        limit_name: "from memory",
    };

    fn round(value: f64, limit: f64) -> Round {
        Round {
            value,
            limit,
            cpu_us: 20.0,
            memory_mib: 50.0,
            latency: Some(Latency {
                p50_ms: 1.0,
                p99_ms: 2.0,
            }),
        }
    }

    #[test]
    fn given_three_rounds_then_medians_and_the_range_of_ratios_are_reported() {
        let rounds = [round(10.0, 20.0), round(30.0, 40.0), round(20.0, 80.0)];
        let measure = Measure::of(TITLE, "sqlite", &rounds);
        assert_eq!(
            (measure.value, measure.limit, measure.ratio),
            (20.0, 40.0, 0.5)
        );
        assert_eq!(measure.ratio_range, (0.25, 0.75));
    }

    #[test]
    fn given_a_measure_then_its_json_has_the_agreed_keys() {
        let measure = Measure::of(TITLE, "sqlite", &[round(10.0, 20.0)]);
        let json = serde_json::to_value(&measure).expect("a measure is plain data");
        for key in [
            "name",
            "unit",
            "value",
            "limit",
            "ratio",
            "engine",
            "p50_ms",
            "server_cpu_us",
            "server_memory_mib",
        ] {
            assert!(json.get(key).is_some(), "no {key} in {json}");
        }
    }
}
