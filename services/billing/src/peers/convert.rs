//! What Operations says, in the words of the domain. It is the contract that is read here, not a person's input: what
//! does not fit is a fault of one side, and stops what depends on it rather than being guessed at.

use billing_domain::delivery::{DeliveryCounts, DeliveryKey, DeliveryRow, RowId};
use billing_domain::parked_row::UnreadableRow;
use billing_domain::rev_share::RevShare;
use billing_domain::terms::{OverdeliveryPolicy, PricingModel, Terms};
use cleave_contracts::types::v1 as types;
use cleave_kernel::{AdUnitId, Currency, Micros, Ppm, Timestamp};
use operations_client::pb;
use prost::Message;
use std::fmt::Display;

/// The most characters of a source, or of an id that is none.
const TEXT: usize = 100;
/// The most characters of what is wrong.
const PROBLEM: usize = 500;
/// The most bytes kept of a row that cannot be read.
const CONTENT: usize = 4096;

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

/// A row, or what of it could be read.
pub(crate) fn delivery_row(row: pb::DeliveryRow) -> Result<DeliveryRow, Box<UnreadableRow>> {
    readable(&row).map_err(|problem| Box::new(unreadable(&row, &problem)))
}

fn readable(row: &pb::DeliveryRow) -> Result<DeliveryRow, Malformed> {
    let key = delivery_key(row.key.as_ref())?;
    let counts = row.counts.as_ref().ok_or_else(|| missing("counts"))?;
    if row.revision < 1 {
        return Err(malformed("revision", "is below 1"));
    }
    Ok(DeliveryRow {
        key,
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

fn delivery_key(key: Option<&pb::DeliveryKey>) -> Result<DeliveryKey, Malformed> {
    let key = key.ok_or_else(|| missing("key"))?;
    let line_item = key.line_item_id.parse();
    let ad_unit = key.ad_unit_id.parse();
    Ok(DeliveryKey {
        source: source("key.source", &key.source)?,
        line_item: line_item.map_err(|error| malformed("key.line_item_id", error))?,
        terms_version: key.terms_version,
        ad_unit: ad_unit.map_err(|error| malformed("key.ad_unit_id", error))?,
        hour: time("key.hour", key.hour.as_ref())?,
    })
}

/// Who counted. One that cannot be stored would fail the whole batch it is in.
pub(crate) fn source(field: &'static str, text: &str) -> Result<String, Malformed> {
    let fits = (1..=TEXT).contains(&text.chars().count()) && !text.contains('\0');
    if fits {
        Ok(text.to_owned())
    } else {
        Err(malformed(field, "is no name of 1 to 100 characters"))
    }
}

fn unreadable(row: &pb::DeliveryRow, problem: &Malformed) -> UnreadableRow {
    let mut content = row.encode_to_vec();
    let sent = row.key.clone().unwrap_or_default();
    // What names the row, so that a later revision of it is known as one.
    let id = match delivery_key(row.key.as_ref()) {
        Ok(key) => key.id(),
        Err(_) if row.key.is_some() => RowId::of_unreadable(&sent.encode_to_vec()),
        Err(_) => RowId::of_unreadable(&content),
    };
    content.truncate(CONTENT);
    UnreadableRow {
        id,
        source: storable(&sent.source, TEXT),
        line_item: storable(&sent.line_item_id, TEXT),
        terms_version: sent.terms_version,
        ad_unit: storable(&sent.ad_unit_id, TEXT),
        hour: time("key.hour", sent.hour.as_ref()).unwrap_or(Timestamp::EPOCH),
        revision: row.revision,
        content,
        problem: storable(&problem.to_string(), PROBLEM),
    }
}

/// As much of a text as can be stored.
fn storable(text: &str, most: usize) -> String {
    let chars = text.chars().take(most);
    chars
        .map(|char| if char == '\0' { '\u{fffd}' } else { char })
        .collect()
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
