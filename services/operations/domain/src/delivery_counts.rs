//! What a row of delivery counts.

use cleave_kernel::Violation;
use serde::{Deserialize, Serialize};

/// Most that one count may say, so that the sums of many rows stay within 64 bits.
pub const MAX_COUNT: i64 = 1_000_000_000_000;
/// Most media cost that one row may say, in micros.
pub const MAX_MEDIA_COST: i64 = 10_000_000_000_000_000;

/// What was counted so far. Every number is cumulative within the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct DeliveryCounts {
    /// Times an ad was asked for.
    pub requests: i64,
    /// Times it was shown, the invalid ones included.
    pub impressions: i64,
    /// Times it was shown so that it could be seen.
    pub viewable_impressions: i64,
    /// Clicks, the invalid ones included.
    pub clicks: i64,
    /// Installs that followed.
    pub installs: i64,
    /// Other actions that followed.
    pub actions: i64,
    /// Impressions that do not count.
    pub invalid_impressions: i64,
    /// Clicks that do not count.
    pub invalid_clicks: i64,
    /// What the inventory cost, in micros of the line item's currency.
    pub media_cost_micros: i64,
}

impl DeliveryCounts {
    /// How many numbers there are.
    pub const LEN: usize = 9;

    /// The numbers in the order of the contract.
    pub const fn to_array(self) -> [i64; Self::LEN] {
        [
            self.requests,
            self.impressions,
            self.viewable_impressions,
            self.clicks,
            self.installs,
            self.actions,
            self.invalid_impressions,
            self.invalid_clicks,
            self.media_cost_micros,
        ]
    }

    /// The counts behind numbers in the order of the contract.
    pub const fn from_array(numbers: [i64; Self::LEN]) -> Self {
        let [
            requests,
            impressions,
            viewable_impressions,
            clicks,
            installs,
            actions,
            invalid_impressions,
            invalid_clicks,
            media_cost_micros,
        ] = numbers;
        Self {
            requests,
            impressions,
            viewable_impressions,
            clicks,
            installs,
            actions,
            invalid_impressions,
            invalid_clicks,
            media_cost_micros,
        }
    }

    /// The sum, held at the ends of 64 bits: bounds on rows keep real sums far from them.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, i64::saturating_add)
    }

    /// The difference, held like the sum.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, i64::saturating_sub)
    }

    fn zip(self, other: Self, op: impl Fn(i64, i64) -> i64) -> Self {
        let (left, right) = (self.to_array(), other.to_array());
        Self::from_array(std::array::from_fn(|index| op(left[index], right[index])))
    }

    /// The first number that cannot be.
    pub(crate) fn fault(&self) -> Option<Violation> {
        const NAMES: [&str; DeliveryCounts::LEN] = [
            "requests",
            "impressions",
            "viewable_impressions",
            "clicks",
            "installs",
            "actions",
            "invalid_impressions",
            "invalid_clicks",
            "media_cost_micros",
        ];
        for (name, number) in NAMES.into_iter().zip(self.to_array()) {
            let most = if name == "media_cost_micros" {
                MAX_MEDIA_COST
            } else {
                MAX_COUNT
            };
            if !(0..=most).contains(&number) {
                return Some(Violation::new(
                    name,
                    "OUT_OF_RANGE",
                    format!("{number} does not lie between 0 and {most}"),
                ));
            }
        }
        let parts = [
            (
                "invalid_impressions",
                self.invalid_impressions,
                self.impressions,
            ),
            (
                "viewable_impressions",
                self.viewable_impressions,
                self.impressions,
            ),
            ("invalid_clicks", self.invalid_clicks, self.clicks),
        ];
        let (name, part, whole) = parts.into_iter().find(|(_, part, whole)| part > whole)?;
        Some(Violation::new(
            name,
            "MORE_THAN_TOTAL",
            format!("{part} is more than the {whole} that it is a part of"),
        ))
    }
}
