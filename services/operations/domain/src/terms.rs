//! Terms of a line item: what it is charged. Versions are immutable; delivery names the version it was served under.

use cleave_kernel::{AdvertiserId, CampaignId, Currency, LineItemId, Micros, Timestamp, Violation};
use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::{Campaign, LineItem, LineItemKind, Refusal};

/// The unit of COST_PLUS: rates are in parts per million of cost.
pub const COST_PLUS_UNIT: i64 = 1_000_000;
/// The usual unit of CPM and VCPM.
pub const MILLE: i64 = 1000;
/// Largest unit.
const UNIT_MAX: i64 = 1_000_000_000;

named! {
    /// What a line item is charged for.
    pub enum PricingModel {
        /// Valid impressions.
        Cpm = "CPM",
        /// Viewable impressions.
        Vcpm = "VCPM",
        /// Valid clicks.
        Cpc = "CPC",
        /// Installs.
        Cpi = "CPI",
        /// Actions.
        Cpa = "CPA",
        /// One fee for a version of the terms.
        Flat = "FLAT",
        /// A fee for each civil day with an impression.
        Cpd = "CPD",
        /// Media cost times a markup.
        CostPlus = "COST_PLUS",
    }
}

named! {
    /// Whose counts are billed.
    pub enum BillingSource {
        /// The network's own.
        Own = "OWN",
        /// A third party's.
        ThirdParty = "THIRD_PARTY",
        /// What the contract fixes.
        Contracted = "CONTRACTED",
    }
}

named! {
    /// Who carries delivery beyond what may be billed.
    pub enum OverdeliveryPolicy {
        /// The publisher is paid on what was served.
        PlatformAbsorbs = "PLATFORM_ABSORBS",
        /// The publisher is paid on what was billed.
        CapBoth = "CAP_BOTH",
    }
}

/// The commercial part of terms, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsSpec {
    /// What is charged for.
    pub model: PricingModel,
    /// Price of `unit`; parts per million of cost under COST_PLUS.
    pub rate: Micros,
    /// How much of the billable quantity the rate buys.
    pub unit: i64,
    /// Whose counts are billed.
    pub billing_source: BillingSource,
    /// Most that is billed for an accounting month.
    pub billing_cap: Option<Micros>,
    /// Who carries what lies beyond.
    pub overdelivery: OverdeliveryPolicy,
}

impl TermsSpec {
    /// The spec with its default unit filled in.
    ///
    /// # Errors
    /// When the rate is negative, the unit does not fit the model, or the cap is not above zero.
    pub fn checked(mut self) -> Result<Self, Violation> {
        if self.rate.is_negative() {
            return Err(Violation::new(
                "rate_micros",
                "NEGATIVE",
                "the rate may not be negative",
            ));
        }
        if self.billing_cap.is_some_and(|cap| !cap.is_positive()) {
            return Err(Violation::new(
                "billing_cap_micros",
                "NOT_POSITIVE",
                "a cap lies above zero; leave it out when nothing limits the charge",
            ));
        }
        self.unit = unit_of(self.model, self.unit)?;
        Ok(self)
    }
}

fn unit_of(model: PricingModel, asked: i64) -> Result<i64, Violation> {
    let (usual, free) = match model {
        PricingModel::Cpm | PricingModel::Vcpm => (MILLE, true),
        PricingModel::CostPlus => (COST_PLUS_UNIT, false),
        PricingModel::Cpc
        | PricingModel::Cpi
        | PricingModel::Cpa
        | PricingModel::Flat
        | PricingModel::Cpd => (1, false),
    };
    match asked {
        0 => Ok(usual),
        asked if asked == usual || free && (1..=UNIT_MAX).contains(&asked) => Ok(asked),
        _ => Err(Violation::new(
            "unit",
            "OUT_OF_RANGE",
            format!("the unit of {model} is {usual}; leave it out"),
        )),
    }
}

/// One published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Whose terms they are.
    pub line_item_id: LineItemId,
    /// Which version, from 1.
    pub version: i64,
    /// The line item's campaign.
    pub campaign_id: CampaignId,
    /// Who is charged.
    pub advertiser_id: AdvertiserId,
    /// What every amount is counted in.
    pub currency: Currency,
    /// The commercial part.
    pub spec: TermsSpec,
    /// When it was published.
    pub effective_at: Timestamp,
    /// What people called the line item then.
    pub line_item_name: String,
    /// What people called the campaign then.
    pub campaign_name: String,
}

impl Terms {
    /// The next version of the terms of `line_item`, after `last`.
    ///
    /// # Errors
    /// When the campaign does not take changes, a house item would cost something, or a frozen part would change.
    pub fn publish(
        spec: TermsSpec,
        line_item: &LineItem,
        campaign: &Campaign,
        last: Option<&Self>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        line_item.require_open("have terms published")?;
        campaign.require_open_to_change("have terms published")?;
        if line_item.kind == LineItemKind::House && !spec.rate.is_zero() {
            return Err(Refusal::field(
                "terms.rate_micros",
                "NOT_APPLICABLE",
                "the rate of a house line item is 0",
            ));
        }
        if let Some(last) = last
            && campaign.approved_at.is_some()
            && last.spec.billing_source != spec.billing_source
        {
            return Err(Refusal::TermsFrozen {
                line_item_id: line_item.id.to_string(),
                field: "billing_source".to_owned(),
            });
        }
        Ok(Self {
            line_item_id: line_item.id,
            version: last.map_or(0, |last| last.version) + 1,
            campaign_id: campaign.id,
            advertiser_id: campaign.advertiser_id,
            currency: campaign.currency,
            spec,
            effective_at: last.map_or(now, |last| last.effective_at.max(now)),
            line_item_name: line_item.display_name.clone(),
            campaign_name: campaign.display_name.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, advertiser, campaign, line_item, spec};

    #[test]
    fn each_model_has_its_unit() {
        use PricingModel::{CostPlus, Cpc, Cpd, Cpm, Flat, Vcpm};
        let cases = [
            (Cpm, 0, Some(1000)),
            (Vcpm, 1, Some(1)),
            (Cpm, -1, None),
            (Cpm, UNIT_MAX + 1, None),
            (Cpc, 0, Some(1)),
            (Cpc, 1000, None),
            (Flat, 1, Some(1)),
            (Cpd, 2, None),
            (CostPlus, 0, Some(1_000_000)),
            (CostPlus, 1, None),
        ];
        for (model, asked, unit) in cases {
            assert_eq!(unit_of(model, asked).ok(), unit, "{model} {asked}");
        }
    }

    #[test]
    fn amounts_below_zero_are_refused() {
        let negative = TermsSpec {
            rate: Micros::new(-1),
            ..spec()
        };
        assert_eq!(negative.checked().unwrap_err().field, "rate_micros");
        let no_cap = TermsSpec {
            billing_cap: Some(Micros::ZERO),
            ..spec()
        };
        assert_eq!(no_cap.checked().unwrap_err().field, "billing_cap_micros");
    }

    #[test]
    fn versions_follow_each_other_and_keep_the_billing_source_once_approved() {
        let mut order = campaign(&advertiser());
        let item = line_item(&order);
        let first = Terms::publish(spec(), &item, &order, None, NOW).unwrap();
        let third_party = TermsSpec {
            billing_source: BillingSource::ThirdParty,
            ..spec()
        };

        let second = Terms::publish(third_party, &item, &order, Some(&first), NOW).unwrap();
        order.approved_at = Some(NOW);
        let refused = Terms::publish(spec(), &item, &order, Some(&second), NOW);

        assert_eq!((first.version, second.version), (1, 2));
        assert!(matches!(refused, Err(Refusal::TermsFrozen { .. })));
    }

    #[test]
    fn the_clock_may_go_back_but_versions_do_not() {
        let order = campaign(&advertiser());
        let item = line_item(&order);
        let mut first = Terms::publish(spec(), &item, &order, None, NOW).unwrap();
        first.effective_at = Timestamp::from_micros(NOW.micros() + 5);
        let second = Terms::publish(spec(), &item, &order, Some(&first), NOW).unwrap();
        assert_eq!(second.effective_at, first.effective_at);
    }

    #[test]
    fn a_house_line_item_costs_nothing() {
        let order = campaign(&advertiser());
        let mut item = line_item(&order);
        item.kind = LineItemKind::House;
        assert!(Terms::publish(spec(), &item, &order, None, NOW).is_err());
        let free = TermsSpec {
            rate: Micros::ZERO,
            ..spec()
        };
        assert!(Terms::publish(free, &item, &order, None, NOW).is_ok());
    }
}
