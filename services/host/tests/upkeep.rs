//! What is recorded takes no memory for each record, also when nobody ever asks for the metrics. A test binary of its
//! own: memory is the whole process's.

use cleave_host::config::{Faults, HostSettings, Loader, TelemetrySettings, Validate};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Bytes that one record takes until it is folded.
const RECORD: usize = 24;
/// How much is recorded in all.
const RECORDS: usize = 10_000_000;
/// In how many pieces, each a while after the last one.
const PIECES: usize = 50;

#[derive(Deserialize)]
struct Settings {
    #[expect(dead_code, reason = "the section is part of the schema")]
    host: HostSettings,
    telemetry: TelemetrySettings,
}

impl Validate for Settings {
    fn validate(&self, _: &mut Faults) {}
}

/// Bytes of memory that the process has from the system.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes
        .and_then(|kb| kb.parse::<usize>().ok())
        .expect("a size")
        * 1024
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for is time itself, on a thread that runs nothing else"
)]
fn records_that_nobody_asks_for_do_not_pile_up() {
    let settings: Settings = Loader::new("test").load().expect("settings");
    cleave_host::telemetry::init(&settings.telemetry);
    let histogram = metrics::histogram!("test.duration");
    let before = resident();
    let mut most = 0;
    for piece in 1..=PIECES {
        let began = Instant::now();
        for _ in 0..RECORDS / PIECES {
            histogram.record(0.001);
        }
        most = most.max(resident().saturating_sub(before));
        // Spread over some rounds of upkeep, whatever the machine takes for a piece.
        std::thread::sleep(Duration::from_millis(150).saturating_sub(began.elapsed()));
        let unfolded = RECORDS / PIECES * piece * RECORD;
        assert!(
            most < 40 << 20 || most < unfolded / 2,
            "{most} bytes after {unfolded}"
        );
    }
    assert!(most < RECORDS * RECORD / 2, "{most} bytes more");
}
