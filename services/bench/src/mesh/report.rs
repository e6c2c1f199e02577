//! What the kinds of callers cost, a line for each setting.

use super::{Kind, Setting, Turn};
use serde_json::json;

/// What was measured in one setting.
pub(super) struct Line {
    setting: Setting,
    turns: Vec<(Kind, Turn)>,
}

/// The head of the table.
pub(super) fn head() -> String {
    format!(
        "{:<9} {:>9} {:>7} {:>5} {:>9} {:>9} {:>9}  {:<22} {:>9} {:>9} {:>9}  {}",
        "in flight",
        "endpoints",
        "threads",
        "TLS",
        "hyper us",
        "tonic us",
        "mesh us",
        "mesh/tonic [min-max]",
        "hyper/s",
        "tonic/s",
        "mesh/s",
        "CPU of the caller a call, in us; calls a second"
    )
}

impl Line {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            setting,
            turns: Vec::new(),
        }
    }

    /// A turn of a caller; each round has one of every kind.
    pub(super) fn add(&mut self, kind: Kind, turn: Turn) {
        self.turns.push((kind, turn));
    }

    /// As a line of the table.
    pub(super) fn text(&self) -> String {
        let cpu = |kind| format!("{:.1}", median(self.of(kind, Turn::cpu_us)));
        let rate = |kind| format!("{:.0}", median(self.of(kind, Turn::rate)));
        let (ratio, least, most) = self.ratio();
        let ratio = format!("{ratio:.2} [{least:.2}-{most:.2}]");
        format!(
            "{:<9} {:>9} {:>7} {:>5} {:>9} {:>9} {:>9}  {:<22} {:>9} {:>9} {:>9}",
            self.setting.in_flight,
            self.setting.endpoints,
            self.setting.threads,
            if self.setting.secure { "on" } else { "off" },
            cpu(Kind::Hyper),
            cpu(Kind::Tonic),
            cpu(Kind::Mesh),
            ratio,
            rate(Kind::Hyper),
            rate(Kind::Tonic),
            rate(Kind::Mesh),
        )
    }

    /// As one JSON object.
    ///
    /// # Errors
    /// Never: it is plain data.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let (ratio, least, most) = self.ratio();
        let kinds = Kind::ALL.map(|kind| {
            json!({
                "kind": kind,
                "cpu_us": median(self.of(kind, Turn::cpu_us)),
                "calls_per_second": median(self.of(kind, Turn::rate)),
            })
        });
        serde_json::to_string(&json!({
            "name": super::NAME,
            "in_flight": self.setting.in_flight,
            "endpoints": self.setting.endpoints,
            "threads": self.setting.threads,
            "tls": self.setting.secure,
            "callers": kinds,
            "cpu_ratio": ratio,
            "cpu_ratio_range": [least, most],
        }))
    }

    /// The mesh's CPU for a call over tonic's in the same round: the median, the least, the most.
    fn ratio(&self) -> (f64, f64, f64) {
        let tonic = self.of(Kind::Tonic, Turn::cpu_us);
        let mesh = self.of(Kind::Mesh, Turn::cpu_us);
        let ratios: Vec<f64> = mesh.iter().zip(tonic).map(|(m, t)| m / t).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (median(ratios), least, most)
    }

    fn of(&self, kind: Kind, figure: fn(&Turn) -> f64) -> Vec<f64> {
        let turns = self.turns.iter().filter(|(of, _)| *of == kind);
        turns.map(|(_, turn)| figure(turn)).collect()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_rounds_then_each_compares_what_ran_side_by_side() {
        let setting = Setting {
            in_flight: 1,
            endpoints: 1,
            threads: 1,
            secure: false,
        };
        let mut line = Line::new(setting);
        for (slow, mesh) in [(1.0, 12.0), (2.0, 22.0), (4.0, 60.0)] {
            for (kind, cpu) in [
                (Kind::Hyper, 5.0),
                (Kind::Tonic, 10.0 * slow),
                (Kind::Mesh, mesh),
            ] {
                let turn = Turn {
                    calls: 1_000_000,
                    seconds: 1.0,
                    cpu,
                };
                line.add(kind, turn);
            }
        }
        assert_eq!(line.ratio(), (1.2, 1.1, 1.5));
        assert!(
            line.json()
                .expect("plain data")
                .contains("\"kind\":\"tonic\"")
        );
    }
}
