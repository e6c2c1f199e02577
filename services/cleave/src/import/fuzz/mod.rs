//! Files of other systems, as bytes that nobody has chosen.

use super::map::Map;
use super::{EXAMPLE_MAP, decimal, lines};

/// A map for three columns.
const MAP: &str = r#"
    source = "fuzz"
    currency = "INR"
    share_ppm = 700_000
    time = { column = "at", format = "%Y-%m-%d %H:%M" }
    counts = { impressions = "shown", media_cost = "cost" }
    advertiser = { name = "Acme", mode = "PREPAID", opening_payment = "1000" }
    campaign = { name = "Campaign", start = "2023-08-01" }
    line_item = { name = "Ad" }
    terms = { model = "COST_PLUS", markup_ppm = 1_000_000 }
    publisher = { name = "Studio" }
    game = { name = "Game" }
    ad_unit = { name = "Feed" }
"#;

#[test]
fn map() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        if let Ok(map) = Map::parse(text) {
            map.currency().expect("checked");
            map.start().expect("checked");
            map.terms().expect("checked");
            map.proposal().expect("checked");
            map.opening_payment().expect("checked");
        }
    });
}

#[test]
fn file() {
    let map = Map::parse(MAP).expect("a sound map");
    let example = Map::parse(EXAMPLE_MAP).expect("a sound map");
    bolero::check!().for_each(|bytes: &[u8]| {
        for map in [&map, &example] {
            let Ok((plan, faults)) = lines::read_from(bytes, map) else {
                continue;
            };
            let lines = bytes
                .iter()
                .filter(|byte| matches!(byte, b'\n' | b'\r'))
                .count()
                + 1;
            for row in plan.rows.values() {
                assert!(row.counts.impressions >= 0 && row.counts.media_cost_micros >= 0);
            }
            assert!(plan.rows.len() <= lines);
            assert!(faults.is_empty() || lines > 1);
        }
    });
}

#[test]
fn amount() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        if let Ok(micros) = decimal::micros(text) {
            let plain = format!(
                "{}.{:06}",
                micros / 1_000_000,
                micros.unsigned_abs() % 1_000_000
            );
            let sign = if micros < 0 && micros > -1_000_000 {
                "-"
            } else {
                ""
            };
            assert_eq!(decimal::micros(&format!("{sign}{plain}")), Ok(micros));
        }
    });
}
