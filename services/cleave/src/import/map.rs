//! The map: what the columns of a file mean, and on what terms its delivery is billed.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cleave_kernel::{Currency, Ppm, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use operations_client::pb::{BillingProposal, LineItemTerms};
use operations_client::types::{AccountMode, PricingModel};
use serde::Deserialize;

use super::decimal;
use super::template::Template;
use super::terms::TermsMap;
use super::when::TimeMap;

/// A map as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Map {
    /// Who counted: the name of the delivery source. Part of every id.
    pub(crate) source: String,
    /// The currency of every amount.
    pub(crate) currency: String,
    /// What publishers earn, in parts per million.
    pub(crate) share_ppm: i64,
    /// Adds up lines of the same ad unit, line item and hour. Such a file must not be split.
    #[serde(default)]
    pub(crate) sum: bool,
    pub(crate) time: TimeMap,
    pub(crate) counts: CountColumns,
    pub(crate) advertiser: AdvertiserMap,
    pub(crate) campaign: CampaignMap,
    pub(crate) line_item: Named,
    pub(crate) terms: TermsMap,
    pub(crate) publisher: Named,
    pub(crate) game: Named,
    pub(crate) ad_unit: Named,
}

/// The columns that hold counts; a count without one is zero.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CountColumns {
    pub(crate) requests: Option<String>,
    pub(crate) impressions: Option<String>,
    pub(crate) viewable_impressions: Option<String>,
    pub(crate) clicks: Option<String>,
    pub(crate) installs: Option<String>,
    pub(crate) actions: Option<String>,
    pub(crate) invalid_impressions: Option<String>,
    pub(crate) invalid_clicks: Option<String>,
    /// An amount, not a count.
    pub(crate) media_cost: Option<String>,
}

/// A thing that is known by a name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) name: Template,
}

/// Who is charged, and how it pays.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdvertiserMap {
    pub(crate) name: Template,
    /// PREPAID, POSTPAID or PREPAID_WITH_CREDIT.
    mode: String,
    #[serde(default)]
    credit_limit: Option<String>,
    #[serde(default)]
    net_days: i32,
    /// Paid in when the advertiser is created.
    #[serde(default)]
    opening_payment: Option<String>,
}

/// Campaigns, and since when they run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CampaignMap {
    pub(crate) name: Template,
    /// The first day of delivery, `2023-08-01`, or one before it.
    start: String,
}

/// Something that a map cannot say.
#[derive(Clone, Debug)]
pub(crate) struct MapFault {
    key: &'static str,
    problem: String,
}

impl MapFault {
    pub(crate) fn new(key: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { key, problem }
    }
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

impl Map {
    /// Reads a map and checks it whole.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {name}"))?;
        Self::parse(&text).with_context(|| format!("the map {name}"))
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let map: Self = toml::from_str(text)?;
        let faults: Vec<_> = [
            map.check_source(),
            map.currency().err(),
            map.check_share(),
            map.time.reader().err(),
            map.start().err(),
            map.terms().err(),
            map.proposal().err(),
            map.opening_payment().err(),
            map.check_counts(),
        ]
        .into_iter()
        .flatten()
        .collect();
        if faults.is_empty() {
            return Ok(map);
        }
        let list: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        bail!(
            "{} of its settings cannot be used:{}",
            list.len(),
            list.concat()
        )
    }

    fn check_source(&self) -> Option<MapFault> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.:".contains(&b);
        let sound = (1..=100).contains(&self.source.len()) && self.source.bytes().all(allowed);
        let what = "is a name of up to 100 letters a-z, digits and -_.:";
        (!sound).then(|| MapFault::new("source", what))
    }

    fn check_share(&self) -> Option<MapFault> {
        let share = u32::try_from(self.share_ppm).ok().map(Ppm::new);
        let sound = share.is_some_and(|share| share.is_ok());
        (!sound).then(|| MapFault::new("share_ppm", "lies between 0 and 1_000_000"))
    }

    /// Whether the count that the terms bill is in the file at all.
    fn check_counts(&self) -> Option<MapFault> {
        let counts = &self.counts;
        let (key, column) = match self.terms.model().ok()? {
            PricingModel::Cpm | PricingModel::Flat | PricingModel::Cpd => {
                ("counts.impressions", &counts.impressions)
            }
            PricingModel::Vcpm => ("counts.viewable_impressions", &counts.viewable_impressions),
            PricingModel::Cpc => ("counts.clicks", &counts.clicks),
            PricingModel::Cpi => ("counts.installs", &counts.installs),
            PricingModel::Cpa => ("counts.actions", &counts.actions),
            PricingModel::CostPlus => ("counts.media_cost", &counts.media_cost),
            PricingModel::Unspecified => return None,
        };
        let what = format!("is what {} bills: it needs a column", self.terms.name());
        column.is_none().then(|| MapFault::new(key, what))
    }

    pub(crate) fn currency(&self) -> Result<Currency, MapFault> {
        Currency::from_code(&self.currency)
            .map_err(|error| MapFault::new("currency", error.to_string()))
    }

    /// When everything the map brings in starts.
    pub(crate) fn start(&self) -> Result<Timestamp, MapFault> {
        let fault = |_| MapFault::new("campaign.start", "is a day such as \"2023-08-01\"");
        let date: Date = self.campaign.start.parse().map_err(fault)?;
        let midnight = date.at(0, 0, 0, 0);
        let start = TimeZone::UTC.to_timestamp(midnight).map_err(fault)?;
        // The earliest place on Earth begins its day so much before UTC.
        let start = start.as_microsecond() - 14 * 3_600_000_000;
        Ok(Timestamp::from_micros(start))
    }

    /// The terms of every line item, as they are sent.
    pub(crate) fn terms(&self) -> Result<LineItemTerms, MapFault> {
        self.terms.read()
    }

    /// How the advertiser's account is to be opened.
    pub(crate) fn proposal(&self) -> Result<BillingProposal, MapFault> {
        let advertiser = &self.advertiser;
        let mode = AccountMode::from_str_name(&format!("ACCOUNT_MODE_{}", advertiser.mode))
            .filter(|mode| *mode != AccountMode::Unspecified)
            .ok_or_else(|| {
                MapFault::new(
                    "advertiser.mode",
                    "is PREPAID, POSTPAID or PREPAID_WITH_CREDIT",
                )
            })?;
        let limit = amount("advertiser.credit_limit", advertiser.credit_limit.as_ref())?;
        Ok(BillingProposal {
            mode: mode.into(),
            credit_limit_micros: limit.unwrap_or_default(),
            net_days: advertiser.net_days,
        })
    }

    /// What a new advertiser pays in, in micros.
    pub(crate) fn opening_payment(&self) -> Result<i64, MapFault> {
        let payment = self.advertiser.opening_payment.as_ref();
        Ok(amount("advertiser.opening_payment", payment)?.unwrap_or_default())
    }

    /// Every column that a template names.
    pub(crate) fn template_columns(&self) -> impl Iterator<Item = &str> {
        [
            &self.advertiser.name,
            &self.campaign.name,
            &self.line_item.name,
            &self.publisher.name,
            &self.game.name,
            &self.ad_unit.name,
        ]
        .into_iter()
        .flat_map(Template::columns)
    }
}

pub(super) fn amount(key: &'static str, text: Option<&String>) -> Result<Option<i64>, MapFault> {
    text.map(|text| decimal::micros(text))
        .transpose()
        .map_err(|error| MapFault::new(key, error.to_string()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A sound map for a file with these columns.
    pub(crate) const MAP: &str = r#"
        source = "test"
        currency = "INR"
        share_ppm = 700_000
        time = { column = "day", format = "%Y-%m-%d" }
        counts = { impressions = "imps", clicks = "clicks", media_cost = "cost" }
        advertiser = { name = "Acme", mode = "PREPAID", opening_payment = "1000" }
        campaign = { name = "Campaign {campaign}", start = "2023-08-01" }
        line_item = { name = "Ad {ad}" }
        terms = { model = "COST_PLUS", markup_ppm = 1_000_000 }
        publisher = { name = "Studio" }
        game = { name = "Game" }
        ad_unit = { name = "Feed" }
    "#;

    #[test]
    fn a_sound_map_is_read() {
        let map = Map::parse(MAP).expect("a sound map");
        let terms = map.terms().expect("sound terms");
        assert_eq!(terms.pricing_model(), PricingModel::CostPlus);
        assert_eq!(terms.rate_micros, 1_000_000);
        assert_eq!(map.opening_payment().expect("an amount"), 1_000_000_000);
        assert_eq!(
            map.template_columns().collect::<Vec<_>>(),
            ["campaign", "ad"]
        );
    }

    #[test]
    fn the_example_is_a_sound_map() {
        let map = Map::parse(super::super::EXAMPLE_MAP).expect("a sound map");
        assert_eq!(map.source, "reseller-2023");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let wrong = MAP
            .replace("\"INR\"", "\"rupees\"")
            .replace("PREPAID", "BARTER")
            .replace("700_000", "1_000_001")
            .replace("COST_PLUS", "CPV");
        let error = Map::parse(&wrong).expect_err("a wrong map").to_string();
        for key in ["currency", "advertiser.mode", "share_ppm", "terms.model"] {
            assert!(error.contains(key), "{key} is missing in: {error}");
        }
    }

    #[test]
    fn a_model_needs_the_column_that_it_bills() {
        let wrong = MAP.replace("media_cost", "requests");
        let error = Map::parse(&wrong).expect_err("nothing to bill").to_string();
        assert!(error.contains("counts.media_cost"), "{error}");
    }
}
