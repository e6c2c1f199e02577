//! What a line item is charged for, by version: immutable facts that Operations publishes.

use cleave_kernel::{AdvertiserId, CampaignId, Currency, LineItemId, Micros, Timestamp};
use serde::{Deserialize, Serialize};

macro_rules! pricing_models {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// What a line item is charged for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum PricingModel {$($(#[$doc])* $name,)*}

        impl PricingModel {
            /// Every model.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number that rows carry.
            pub const fn number(self) -> i16 {
                match self {$(Self::$name => $number,)*}
            }
        }
    };
}

pricing_models! {
    /// Valid impressions, priced per thousand or another unit.
    Cpm = 1;
    /// Viewable impressions.
    Vcpm = 2;
    /// Valid clicks.
    Cpc = 3;
    /// Installs.
    Cpi = 4;
    /// Actions.
    Cpa = 5;
    /// One fee for a version of the terms, due with its first impression.
    Flat = 6;
    /// A fee for each civil day that saw an impression.
    Cpd = 7;
    /// The reported media cost times a markup in parts per million.
    CostPlus = 8;
}

impl PricingModel {
    /// The model behind a stored number.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|m| m.number() == number)
    }
}

/// Who carries delivery beyond what may be billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverdeliveryPolicy {
    /// The publisher is paid on what was served.
    PlatformAbsorbs,
    /// The publisher is paid on what was billed.
    CapBoth,
}

impl OverdeliveryPolicy {
    /// The number that rows carry.
    pub const fn number(self) -> i16 {
        match self {
            Self::PlatformAbsorbs => 1,
            Self::CapBoth => 2,
        }
    }

    /// The policy behind a stored number.
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::PlatformAbsorbs),
            2 => Some(Self::CapBoth),
            _ => None,
        }
    }
}

/// One version of a line item's terms. Never changes once published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The line item.
    pub line_item: LineItemId,
    /// Which version, from 1.
    pub version: i64,
    /// The campaign it belongs to.
    pub campaign: CampaignId,
    /// Who is charged.
    pub advertiser: AdvertiserId,
    /// What every amount is counted in, the media cost included.
    pub currency: Currency,
    /// What is charged for.
    pub model: PricingModel,
    /// The price of `unit` of it; parts per million of cost under COST_PLUS.
    pub rate: i64,
    /// How much of it the rate buys, at least 1.
    pub unit: i64,
    /// The most that is billed for one accounting month.
    pub billing_cap: Option<Micros>,
    /// Who carries what lies beyond.
    pub overdelivery: OverdeliveryPolicy,
    /// From when it holds.
    pub effective_at: Timestamp,
}

/// Terms that cannot be rated by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTerms {
    /// A price below zero would pay the advertiser.
    #[error("the rate is negative")]
    NegativeRate,
    /// Nothing can be bought by no unit.
    #[error("the unit is below 1")]
    UnitBelowOne,
    /// A cap below zero.
    #[error("the billing cap is negative")]
    NegativeCap,
}

impl Terms {
    /// The terms, when they can be rated by.
    ///
    /// # Errors
    /// When a number in them makes no sense.
    pub fn checked(self) -> Result<Self, InvalidTerms> {
        if self.rate < 0 {
            Err(InvalidTerms::NegativeRate)
        } else if self.unit < 1 {
            Err(InvalidTerms::UnitBelowOne)
        } else if self.billing_cap.is_some_and(Micros::is_negative) {
            Err(InvalidTerms::NegativeCap)
        } else {
            Ok(self)
        }
    }
}
