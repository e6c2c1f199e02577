//! What reported delivery is worth under the terms it was served under: Operations' own forecast of the
//! charge, by which it sizes leases and keeps caps. What is charged is Billing's to say.

use crate::delivery::DeliveryCounts;
use crate::terms::{PricingModel, TermsSpec};
use cleave_kernel::{LineItemId, Micros, Overflow, Timestamp};
use jiff::tz::TimeZone;

/// Micros of cost that one unit of a cost-plus rate is counted in.
const PPM: i64 = 1_000_000;

/// What a quantity is sold for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Price {
    /// What is counted.
    pub model: PricingModel,
    /// Micros per `unit`; parts per million of cost under `CostPlus`.
    pub rate_micros: i64,
    /// How many of what is counted the rate buys.
    pub unit: i64,
}

/// The delivery of one line item under one version of its terms on one civil day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DayTotal {
    /// The line item.
    pub line_item: LineItemId,
    /// The version of its terms.
    pub terms_version: i64,
    /// The day, see [`civil_day`].
    pub day: i32,
    /// The sums over sources, ad units and hours.
    pub counts: DeliveryCounts,
}

/// What was delivered of a line item so far, over all versions of its terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DeliveredFacts {
    /// How much of what its terms count.
    pub quantity: i64,
    /// What that is worth.
    pub served: Micros,
    /// How much of that worth falls on the present civil day.
    pub served_today: Micros,
}

impl From<&TermsSpec> for Price {
    fn from(spec: &TermsSpec) -> Self {
        Self {
            model: spec.model,
            rate_micros: spec.rate.get(),
            unit: spec.unit,
        }
    }
}

impl Price {
    /// What `days`, all of one line item and one version of its terms, are worth.
    ///
    /// # Errors
    /// When the worth does not fit into 64 bits.
    pub fn forecast<'a>(
        &self,
        days: impl IntoIterator<Item = &'a DayTotal>,
    ) -> Result<Micros, Overflow> {
        let mut total = DeliveryCounts::default();
        let mut served_days = 0_i64;
        for day in days {
            total = total.plus(day.counts);
            served_days += i64::from(valid_impressions(&day.counts) > 0);
        }
        match self.model {
            PricingModel::Flat if served_days > 0 => Ok(Micros::new(self.rate_micros)),
            PricingModel::Flat => Ok(Micros::ZERO),
            PricingModel::Cpd => Micros::rate(served_days, self.rate_micros, 1),
            PricingModel::CostPlus => Micros::rate(total.media_cost_micros, self.rate_micros, PPM),
            PricingModel::Cpm
            | PricingModel::Vcpm
            | PricingModel::Cpc
            | PricingModel::Cpi
            | PricingModel::Cpa => {
                Micros::rate(quantity(self.model, &total), self.rate_micros, self.unit)
            }
        }
    }
}

/// What `model` counts of `counts`; nothing under a model that charges by time.
pub fn quantity(model: PricingModel, counts: &DeliveryCounts) -> i64 {
    match model {
        PricingModel::Cpm => valid_impressions(counts),
        PricingModel::Vcpm => counts.viewable_impressions,
        PricingModel::Cpc => counts.clicks - counts.invalid_clicks,
        PricingModel::Cpi => counts.installs,
        PricingModel::Cpa => counts.actions,
        PricingModel::CostPlus => counts.media_cost_micros,
        PricingModel::Flat | PricingModel::Cpd => 0,
    }
}

/// The civil day of `at` in `zone`, in days since 1970-01-01.
pub fn civil_day(at: Timestamp, zone: &TimeZone) -> i32 {
    const DAY_MICROS: i64 = 86_400_000_000;
    // Beyond the calendar there are no zones either.
    let offset = jiff::Timestamp::from_microsecond(at.micros())
        .map_or(0, |instant| zone.to_offset(instant).seconds());
    let local = at.micros().saturating_add(i64::from(offset) * 1_000_000);
    i32::try_from(local.div_euclid(DAY_MICROS)).unwrap_or(i32::MAX)
}

fn valid_impressions(counts: &DeliveryCounts) -> i64 {
    counts.impressions - counts.invalid_impressions
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(day: i32, counts: DeliveryCounts) -> DayTotal {
        DayTotal {
            line_item: LineItemId::from_uuid(uuid::Uuid::nil()),
            terms_version: 1,
            day,
            counts,
        }
    }

    fn shown(impressions: i64, invalid_impressions: i64) -> DeliveryCounts {
        DeliveryCounts {
            impressions,
            invalid_impressions,
            ..DeliveryCounts::default()
        }
    }

    fn worth(model: PricingModel, rate_micros: i64, unit: i64, days: &[DayTotal]) -> i64 {
        let price = Price {
            model,
            rate_micros,
            unit,
        };
        price.forecast(days).unwrap().get()
    }

    #[test]
    fn golden_cpm_quantities_are_worth_what_billing_charges() {
        let expected = [
            (1, 1234),
            (2, 2469),
            (3, 3703),
            (999, 1_233_332),
            (1000, 1_234_567),
            (1001, 1_235_801),
        ];
        for (n, micros) in expected {
            let days = [day(1, shown(n, 0))];
            assert_eq!(worth(PricingModel::Cpm, 1_234_567, 1000, &days), micros);
        }
    }

    #[test]
    fn each_model_counts_its_own() {
        let counts = DeliveryCounts::from_array([9, 100, 70, 20, 3, 2, 10, 4, 5_500_000]);
        let cases = [
            (PricingModel::Cpm, 90),
            (PricingModel::Vcpm, 70),
            (PricingModel::Cpc, 16),
            (PricingModel::Cpi, 3),
            (PricingModel::Cpa, 2),
            (PricingModel::CostPlus, 5_500_000),
            (PricingModel::Flat, 0),
            (PricingModel::Cpd, 0),
        ];
        for (model, expected) in cases {
            assert_eq!(quantity(model, &counts), expected, "{model:?}");
        }
        let days = [day(1, counts)];
        assert_eq!(
            worth(PricingModel::CostPlus, 1_100_000, 1, &days),
            6_050_000
        );
    }

    #[test]
    fn fees_by_time_need_a_valid_impression() {
        let days = [
            day(1, shown(5, 5)),
            day(2, shown(5, 4)),
            day(3, shown(1, 0)),
        ];
        assert_eq!(worth(PricingModel::Flat, 700, 1, &days), 700);
        assert_eq!(worth(PricingModel::Flat, 700, 1, &days[..1]), 0);
        assert_eq!(worth(PricingModel::Cpd, 700, 1, &days), 1400);
    }

    #[test]
    fn a_day_begins_at_midnight_of_its_zone() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        let midnight = Timestamp::from_micros(-19_800_000_000);
        assert_eq!(civil_day(midnight, &zone), 0);
        assert_eq!(
            civil_day(midnight.minus(std::time::Duration::from_micros(1)), &zone),
            -1
        );
        assert_eq!(civil_day(Timestamp::EPOCH, &TimeZone::UTC), 0);
    }

    proptest! {
        #[test]
        fn worth_does_not_depend_on_how_days_are_cut(counts in prop::collection::vec(0_i64..1_000_000, 1..20), rate in 0_i64..1_000_000_000) {
            let days: Vec<DayTotal> = counts.iter().map(|&n| day(1, shown(n, 0))).collect();
            let whole = [day(1, shown(counts.iter().sum(), 0))];
            prop_assert_eq!(worth(PricingModel::Cpm, rate, 1000, &days), worth(PricingModel::Cpm, rate, 1000, &whole));
        }
    }
}
