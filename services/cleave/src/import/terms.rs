//! The terms of a map: what is charged for, and how much.

use operations_client::pb::{BillingSource, LineItemTerms};
use operations_client::types::{OverdeliveryPolicy, PricingModel};
use serde::Deserialize;

use super::map::{MapFault, amount};

/// The terms of every line item.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TermsMap {
    /// CPM, VCPM, CPC, CPI, CPA, FLAT, CPD or COST_PLUS.
    model: String,
    /// The price of `unit`, as a decimal amount. Not for COST_PLUS.
    #[serde(default)]
    rate: Option<String>,
    /// For COST_PLUS: what is billed of the cost, in parts per million.
    #[serde(default)]
    markup_ppm: Option<i64>,
    /// What the rate buys; 1000 for CPM and VCPM, else 1.
    #[serde(default)]
    unit: i64,
    /// The most that is billed in a month.
    #[serde(default)]
    monthly_cap: Option<String>,
    /// PLATFORM_ABSORBS or CAP_BOTH.
    #[serde(default)]
    overdelivery: Option<String>,
}

impl TermsMap {
    /// The pricing model, as the map names it.
    pub(super) fn name(&self) -> &str {
        &self.model
    }

    /// The pricing model.
    pub(super) fn model(&self) -> Result<PricingModel, MapFault> {
        PricingModel::from_str_name(&format!("PRICING_MODEL_{}", self.model))
            .filter(|model| *model != PricingModel::Unspecified)
            .ok_or_else(|| {
                let known = "is one of CPM, VCPM, CPC, CPI, CPA, FLAT, CPD, COST_PLUS";
                MapFault::new("terms.model", known)
            })
    }

    /// The terms of every line item, as they are sent.
    pub(super) fn read(&self) -> Result<LineItemTerms, MapFault> {
        let model = self.model()?;
        let rate_micros = match (model, &self.rate, self.markup_ppm) {
            (PricingModel::CostPlus, None, Some(markup)) if markup >= 0 => markup,
            (PricingModel::CostPlus, ..) => {
                let what =
                    "is set for COST_PLUS, and rate is not; 1_000_000 bills the cost as it is";
                return Err(MapFault::new("terms.markup_ppm", what));
            }
            (_, Some(_), None) => amount("terms.rate", self.rate.as_ref())?.unwrap_or_default(),
            _ => {
                return Err(MapFault::new(
                    "terms.rate",
                    "is the price of `unit`, such as \"0.25\"",
                ));
            }
        };
        let policy = self.overdelivery.as_deref().unwrap_or("PLATFORM_ABSORBS");
        let policy = OverdeliveryPolicy::from_str_name(&format!("OVERDELIVERY_POLICY_{policy}"))
            .filter(|policy| *policy != OverdeliveryPolicy::Unspecified)
            .ok_or_else(|| {
                MapFault::new("terms.overdelivery", "is PLATFORM_ABSORBS or CAP_BOTH")
            })?;
        Ok(LineItemTerms {
            pricing_model: model.into(),
            rate_micros,
            unit: self.unit,
            billing_source: BillingSource::ThirdParty.into(),
            billing_cap_micros: amount("terms.monthly_cap", self.monthly_cap.as_ref())?,
            overdelivery_policy: policy.into(),
            ..Default::default()
        })
    }
}
