//! What Operations says, in the words of the domain. It is the contract that is read here, not a person's input: what
//! does not fit is a fault of one side, and stops what depends on it rather than being guessed at.

use billing_domain::delivery::{DeliveryCounts, DeliveryKey, DeliveryRow};
use billing_domain::rev_share::RevShare;
use billing_domain::terms::{OverdeliveryPolicy, PricingModel, Terms};
use cleave_contracts::types::v1 as types;
use cleave_kernel::{AdUnitId, Currency, Micros, Ppm, Timestamp};
use operations_client::pb;
use std::fmt::Display;

/// A message that does not keep the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub(crate) struct Malformed {
    field: &'static str,
    problem: String,
}

fn malformed(field: &'static str, problem: impl Display) -> Malformed {
    Malformed {
        field,
        problem: problem.to_string(),
    }
}

fn missing(field: &'static str) -> Malformed {
    malformed(field, "is missing")
}

/// A revenue share, from when it holds, and an instant at which it does.
#[derive(Debug, Clone)]
pub(crate) struct ShareSpan {
    pub(crate) at: Timestamp,
    pub(crate) share: RevShare,
    pub(crate) from: Timestamp,
}

pub(crate) fn delivery_row(row: pb::DeliveryRow) -> Result<DeliveryRow, Malformed> {
    let key = row.key.ok_or_else(|| missing("key"))?;
    let counts = row.counts.ok_or_else(|| missing("counts"))?;
    let line_item = key.line_item_id.parse();
    let ad_unit = key.ad_unit_id.parse();
    Ok(DeliveryRow {
        key: DeliveryKey {
            source: key.source,
            line_item: line_item.map_err(|error| malformed("key.line_item_id", error))?,
            terms_version: key.terms_version,
            ad_unit: ad_unit.map_err(|error| malformed("key.ad_unit_id", error))?,
            hour: time("key.hour", key.hour.as_ref())?,
        },
        revision: row.revision,
        counts: DeliveryCounts {
            requests: counts.requests,
            impressions: counts.impressions,
            viewable_impressions: counts.viewable_impressions,
            clicks: counts.clicks,
            installs: counts.installs,
            actions: counts.actions,
            invalid_impressions: counts.invalid_impressions,
            invalid_clicks: counts.invalid_clicks,
            media_cost: counts.media_cost_micros,
        },
    })
}

pub(crate) fn terms(terms: &pb::LineItemTerms) -> Result<Terms, Malformed> {
    let line_item = terms.line_item_id.parse();
    let campaign = terms.campaign_id.parse();
    let advertiser = terms.advertiser_id.parse();
    let currency = Currency::from_code(&terms.currency_code);
    let checked = Terms {
        line_item: line_item.map_err(|error| malformed("line_item_id", error))?,
        version: terms.version,
        campaign: campaign.map_err(|error| malformed("campaign_id", error))?,
        advertiser: advertiser.map_err(|error| malformed("advertiser_id", error))?,
        currency: currency.map_err(|error| malformed("currency_code", error))?,
        model: model(terms.pricing_model())?,
        rate: terms.rate_micros,
        unit: terms.unit,
        billing_cap: terms.billing_cap_micros.map(Micros::new),
        overdelivery: overdelivery(terms.overdelivery_policy())?,
        effective_at: time("effective_time", terms.effective_time.as_ref())?,
    }
    .checked();
    checked.map_err(|error| malformed("terms", error))
}

fn model(model: types::PricingModel) -> Result<PricingModel, Malformed> {
    match model {
        types::PricingModel::Unspecified => Err(malformed("pricing_model", "is not known here")),
        types::PricingModel::Cpm => Ok(PricingModel::Cpm),
        types::PricingModel::Vcpm => Ok(PricingModel::Vcpm),
        types::PricingModel::Cpc => Ok(PricingModel::Cpc),
        types::PricingModel::Cpi => Ok(PricingModel::Cpi),
        types::PricingModel::Cpa => Ok(PricingModel::Cpa),
        types::PricingModel::Flat => Ok(PricingModel::Flat),
        types::PricingModel::Cpd => Ok(PricingModel::Cpd),
        types::PricingModel::CostPlus => Ok(PricingModel::CostPlus),
    }
}

fn overdelivery(policy: types::OverdeliveryPolicy) -> Result<OverdeliveryPolicy, Malformed> {
    match policy {
        types::OverdeliveryPolicy::Unspecified => {
            Err(malformed("overdelivery_policy", "is not known here"))
        }
        types::OverdeliveryPolicy::PlatformAbsorbs => Ok(OverdeliveryPolicy::PlatformAbsorbs),
        types::OverdeliveryPolicy::CapBoth => Ok(OverdeliveryPolicy::CapBoth),
    }
}

pub(crate) fn share(resolved: &pb::ResolvedRevShare) -> Result<ShareSpan, Malformed> {
    let ad_unit = resolved.ad_unit_id.parse();
    let ad_unit: AdUnitId = ad_unit.map_err(|error| malformed("ad_unit_id", error))?;
    let id = resolved.rev_share_id.parse();
    let game = resolved.game_id.parse();
    let publisher = resolved.publisher_id.parse();
    Ok(ShareSpan {
        at: time("time", resolved.time.as_ref())?,
        share: RevShare {
            id: id.map_err(|error| malformed("rev_share_id", error))?,
            version: resolved.version,
            ad_unit,
            game: game.map_err(|error| malformed("game_id", error))?,
            publisher: publisher.map_err(|error| malformed("publisher_id", error))?,
            share: Ppm::try_from(resolved.share_ppm)
                .map_err(|error| malformed("share_ppm", error))?,
        },
        from: time("effective_time", resolved.effective_time.as_ref())?,
    })
}

pub(crate) fn time(
    field: &'static str,
    time: Option<&prost_types::Timestamp>,
) -> Result<Timestamp, Malformed> {
    let time = time.ok_or_else(|| missing(field))?;
    let micros = time.seconds.checked_mul(1_000_000);
    let micros = micros.and_then(|micros| micros.checked_add(i64::from(time.nanos) / 1000));
    micros
        .map(Timestamp::from_micros)
        .ok_or_else(|| malformed(field, "lies beyond all times"))
}
