//! Terms on the wire, each way.

use cleave_contracts::operations::v1 as pb;
use cleave_kernel::{Micros, Violation, Violations};
use operations_domain::{Terms, TermsSpec};
use operations_store::terms::TermsKey;

use super::convert;
use super::names::{self, Wire};

/// The commercial part of the terms that a request carries.
pub(super) fn spec(wanted: &pb::LineItemTerms) -> Result<TermsSpec, Violation> {
    let read = || {
        let spec = TermsSpec {
            model: names::required("pricing_model", wanted.pricing_model)?,
            rate: Micros::new(wanted.rate_micros),
            unit: wanted.unit,
            billing_source: names::required("billing_source", wanted.billing_source)?,
            billing_cap: wanted.billing_cap_micros.map(Micros::new),
            overdelivery: names::required("overdelivery_policy", wanted.overdelivery_policy)?,
        };
        spec.checked()
    };
    read().map_err(|fault: Violation| fault.under("terms"))
}

/// The key that names a version.
pub(super) fn key(key: &pb::LineItemTermsKey) -> Result<TermsKey, Violations> {
    let mut faults = Violations::new();
    let line_item_id = faults.take(convert::id("line_item_id", &key.line_item_id));
    if key.version < 1 {
        faults.push(Violation::new(
            "version",
            "OUT_OF_RANGE",
            "versions count from 1",
        ));
    }
    let key = line_item_id.map(|line_item_id| TermsKey {
        line_item_id,
        version: key.version,
    });
    faults.into_result(key)
}

/// A version on the wire.
pub(super) fn to_wire(terms: Terms) -> pb::LineItemTerms {
    let spec = terms.spec;
    pb::LineItemTerms {
        line_item_id: terms.line_item_id.to_string(),
        version: terms.version,
        campaign_id: terms.campaign_id.to_string(),
        advertiser_id: terms.advertiser_id.to_string(),
        currency_code: terms.currency.to_string(),
        pricing_model: spec.model.to_wire(),
        rate_micros: spec.rate.get(),
        unit: spec.unit,
        billing_source: spec.billing_source.to_wire(),
        billing_cap_micros: spec.billing_cap.map(Micros::get),
        overdelivery_policy: spec.overdelivery.to_wire(),
        effective_time: convert::time(terms.effective_at),
        line_item_name: terms.line_item_name,
        campaign_name: terms.campaign_name,
    }
}
