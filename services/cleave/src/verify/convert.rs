//! Operations' answers as the rating rules take them.

use anyhow::{Context, Result};
use billing_domain::delivery::DeliveryCounts;
use billing_domain::rev_share::RevShare;
use billing_domain::terms::{OverdeliveryPolicy, PricingModel, Terms};
use cleave_kernel::{Micros, Ppm};
use operations_client::{pb, types};

use crate::time::from_proto;

pub(super) fn terms(wire: &pb::LineItemTerms) -> Result<Terms> {
    Ok(Terms {
        line_item: wire.line_item_id.parse()?,
        version: wire.version,
        campaign: wire.campaign_id.parse()?,
        advertiser: wire.advertiser_id.parse()?,
        currency: wire.currency_code.parse()?,
        model: model(wire.pricing_model()).context("terms of an unknown pricing model")?,
        rate: wire.rate_micros,
        unit: wire.unit,
        billing_cap: wire.billing_cap_micros.map(Micros::new),
        overdelivery: policy(wire.overdelivery_policy())
            .context("terms of an unknown overdelivery policy")?,
        effective_at: from_proto(wire.effective_time.as_ref()),
    })
}

pub(super) fn rev_share(wire: &pb::ResolvedRevShare) -> Result<RevShare> {
    Ok(RevShare {
        id: wire.rev_share_id.parse()?,
        version: wire.version,
        ad_unit: wire.ad_unit_id.parse()?,
        game: wire.game_id.parse()?,
        publisher: wire.publisher_id.parse()?,
        share: Ppm::new(u32::try_from(wire.share_ppm)?)?,
    })
}

pub(super) const fn counts(wire: &pb::DeliveryCounts) -> DeliveryCounts {
    DeliveryCounts {
        requests: wire.requests,
        impressions: wire.impressions,
        viewable_impressions: wire.viewable_impressions,
        clicks: wire.clicks,
        installs: wire.installs,
        actions: wire.actions,
        invalid_impressions: wire.invalid_impressions,
        invalid_clicks: wire.invalid_clicks,
        media_cost: wire.media_cost_micros,
    }
}

const fn model(wire: types::PricingModel) -> Option<PricingModel> {
    match wire {
        types::PricingModel::Unspecified => None,
        types::PricingModel::Cpm => Some(PricingModel::Cpm),
        types::PricingModel::Vcpm => Some(PricingModel::Vcpm),
        types::PricingModel::Cpc => Some(PricingModel::Cpc),
        types::PricingModel::Cpi => Some(PricingModel::Cpi),
        types::PricingModel::Cpa => Some(PricingModel::Cpa),
        types::PricingModel::Flat => Some(PricingModel::Flat),
        types::PricingModel::Cpd => Some(PricingModel::Cpd),
        types::PricingModel::CostPlus => Some(PricingModel::CostPlus),
    }
}

const fn policy(wire: types::OverdeliveryPolicy) -> Option<OverdeliveryPolicy> {
    match wire {
        types::OverdeliveryPolicy::Unspecified => None,
        types::OverdeliveryPolicy::PlatformAbsorbs => Some(OverdeliveryPolicy::PlatformAbsorbs),
        types::OverdeliveryPolicy::CapBoth => Some(OverdeliveryPolicy::CapBoth),
    }
}
