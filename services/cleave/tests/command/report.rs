//! A delivery report as networks send it: ads of three campaigns by day, with the noise of 32-bit floats in its
//! money, and what it should come to, computed another way than the command does.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const HEADER: &str = "Date,ad_id,campaign,age,Impressions,Clicks,Spent,Installs";

/// One line of the report.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) ad: u32,
    pub(crate) campaign: u32,
    pub(crate) impressions: i64,
    pub(crate) clicks: i64,
    /// The cost in thousandths of a micro: three digits more than can be billed.
    pub(crate) cost_nanos: i64,
}

/// A report of so many ads: the same every time.
pub(crate) fn lines(count: u32) -> Vec<Line> {
    let mut rng = fastrand::Rng::with_seed(20230831);
    (0..count)
        .map(|ad| Line {
            ad: 708_746 + ad,
            campaign: [916, 936, 1178][rng.usize(..3)],
            impressions: rng.i64(0..60_000),
            clicks: rng.i64(0..20),
            // Every fifth lies exactly between two micros, where rounding has to choose.
            cost_nanos: match ad % 5 {
                0 => rng.i64(0..40_000_000) * 1000 + 500,
                _ => rng.i64(0..40_000_000_000),
            },
        })
        .collect()
}

/// Writes lines to a file of this name.
pub(crate) fn write(dir: &Path, name: &str, lines: &[Line]) -> PathBuf {
    let mut text = format!("{HEADER}\n");
    for line in lines {
        let (units, nanos) = (
            line.cost_nanos / 1_000_000_000,
            line.cost_nanos % 1_000_000_000,
        );
        let ages = if line.ad % 2 == 0 { "30-34" } else { "35-39" };
        writeln!(
            text,
            "{:02}-08-2023,{},{},{ages},{},{},{units}.{nanos:09},{}",
            17 + line.ad % 14,
            line.ad,
            line.campaign,
            line.impressions,
            line.clicks,
            line.clicks / 3,
        )
        .expect("text takes what is written");
    }
    let path = dir.join(name);
    std::fs::write(&path, text).expect("the directory can be written to");
    path
}

/// Writes a map for the report: `terms` as TOML, everything of this advertiser and source.
pub(crate) fn map(dir: &Path, source: &str, terms: &str) -> PathBuf {
    let text = format!(
        r#"
        source = "{source}"
        currency = "INR"
        share_ppm = 700_000
        time = {{ column = "Date", format = "%d-%m-%Y" }}
        counts = {{ impressions = "Impressions", clicks = "Clicks", media_cost = "Spent", installs = "Installs" }}
        advertiser = {{ name = "Advertiser of {source}", mode = "PREPAID", opening_payment = "1000000" }}
        campaign = {{ name = "Campaign {{campaign}}", start = "2023-08-01" }}
        line_item = {{ name = "Ad {{ad_id}}" }}
        terms = {{ {terms} }}
        publisher = {{ name = "Publisher of {source}" }}
        game = {{ name = "Feed" }}
        ad_unit = {{ name = "Ages {{age}}" }}
        "#
    );
    let path = dir.join(format!("{source}.toml"));
    std::fs::write(&path, text).expect("the directory can be written to");
    path
}

/// Charged and earned, in micros, by campaign.
pub(crate) type Sums = BTreeMap<String, (i64, i64)>;

/// What lines come to when each charges what `charge` says, and the publisher earns 70%.
pub(crate) fn sums(lines: &[Line], charge: impl Fn(&Line) -> i64) -> Sums {
    let mut sums = Sums::new();
    for line in lines {
        let charged = charge(line);
        let sum = sums
            .entry(format!("Campaign {}", line.campaign))
            .or_default();
        sum.0 += charged;
        sum.1 += charged * 7 / 10;
    }
    sums
}

/// The cost of a line in micros, rounded half to even.
pub(crate) fn cost_micros(line: &Line) -> i64 {
    let (micros, rest) = (line.cost_nanos / 1000, line.cost_nanos % 1000);
    micros + i64::from(rest > 500 || (rest == 500 && micros % 2 == 1))
}
