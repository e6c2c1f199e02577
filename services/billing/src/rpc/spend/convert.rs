//! Spend on the wire and in the domain.

use crate::app::{Error, Spend};
use crate::rpc::convert::{self as value, checked};
use billing_domain::Period;
use billing_domain::bucket::Bucket;
use billing_domain::delivery::RowId;
use billing_domain::parked_row::{ParkReason, ParkedRow, Quarantined};
use billing_domain::rating_set::LineItemTotals;
use billing_domain::terms::PricingModel;
use billing_store::{ChargeFilter, Earnings, EarningsFilter, GroupBy, Waits};
use cleave_contracts::billing::v1 as pb;
use cleave_contracts::types::v1 as types;
use cleave_kernel::{
    AdUnitId, DeliveryRowId, GameId, LineItemId, Micros, Overflow, Timestamp, Violation, Violations,
};

/// The most line items in one question.
const LINE_ITEMS: usize = 1000;

pub(super) fn line_items(
    message: &pb::BatchGetSpendRequest,
) -> Result<Vec<LineItemId>, Violations> {
    let field = "line_item_ids";
    let ids = &message.line_item_ids;
    if ids.is_empty() {
        return Err(Violation::required(field).into());
    }
    if ids.len() > LINE_ITEMS {
        let mend = format!("give at most {LINE_ITEMS}");
        return Err(Violation::new(field, "TOO_MANY", mend).into());
    }
    let mut bad = Violations::new();
    let parse = |(index, text): (usize, &String)| {
        value::id("", text).map_err(|violation| violation.at(index).under(field))
    };
    let parsed: Vec<_> = ids.iter().enumerate().map(parse).collect();
    let parsed = parsed.into_iter().filter_map(|id| bad.take(id)).collect();
    checked(bad, Some(parsed))
}

pub(super) fn spends(
    ids: &[LineItemId],
    spend: &Spend,
    now: Timestamp,
) -> Result<pb::BatchGetSpendResponse, Error> {
    let mut spends = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for id in ids {
        let held = spend.held.get(id);
        match (spend.totals.get(id), held) {
            (Some(totals), _) => {
                let held = held.map_or(Micros::ZERO, |(_, held)| *held);
                spends.push(line_item_spend(totals, held).map_err(fault)?);
            }
            (None, Some((currency, held))) => spends.push(pb::LineItemSpend {
                line_item_id: id.to_string(),
                currency_code: currency.code().to_owned(),
                held_micros: held.get(),
                funding: Some(pb::LineItemFunding {
                    line_item_id: id.to_string(),
                    currency_code: currency.code().to_owned(),
                    ..pb::LineItemFunding::default()
                }),
                ..pb::LineItemSpend::default()
            }),
            (None, None) => missing.push(id.to_string()),
        }
    }
    Ok(pb::BatchGetSpendResponse {
        spends,
        missing_line_item_ids: missing,
        rated_through_time: spend.rated_through.map(value::time),
        revision: spend.revision,
        as_of_time: Some(value::time(now)),
    })
}

fn fault(error: Overflow) -> Error {
    Error::Fault(error.to_string())
}

fn line_item_spend(totals: &LineItemTotals, held: Micros) -> Result<pb::LineItemSpend, Overflow> {
    let beyond_cap = totals.amounts.served.checked_sub(totals.amounts.billed)?;
    let overdelivered = beyond_cap.checked_add(totals.funding.written_off)?;
    Ok(pb::LineItemSpend {
        line_item_id: totals.line_item.to_string(),
        campaign_id: totals.campaign.to_string(),
        currency_code: totals.currency.code().to_owned(),
        rated_micros: totals.amounts.billed.get(),
        held_micros: held.get(),
        overdelivered_micros: overdelivered.get(),
        funding: Some(funding(totals)),
    })
}

pub(super) fn funding(totals: &LineItemTotals) -> pb::LineItemFunding {
    pb::LineItemFunding {
        line_item_id: totals.line_item.to_string(),
        currency_code: totals.currency.code().to_owned(),
        charged_micros: totals.funding.charged.get(),
        unfunded_micros: totals.funding.unfunded.get(),
        written_off_micros: totals.funding.written_off.get(),
    }
}

/// An accounting month, if one is given.
fn period(field: &str, text: &str) -> Result<Option<Period>, Violation> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| Violation::new(field, "INVALID_PERIOD", "give a month as \"2026-11\""))
}

pub(super) fn earnings_filter(
    message: &pb::GetPublisherEarningsRequest,
) -> Result<EarningsFilter, Violations> {
    use pb::get_publisher_earnings_request::GroupBy as Wire;
    let mut bad = Violations::new();
    let publisher = bad.take(value::id("publisher_id", &message.publisher_id));
    let from = bad.take(period("start_period", &message.start_period));
    let through = bad.take(period("end_period", &message.end_period));
    let group_by = value::optional("group_by", message.group_by, |wire: Wire| {
        Some(match wire {
            Wire::Unspecified | Wire::Period => GroupBy::Period,
            Wire::Game => GroupBy::Game,
            Wire::AdUnit => GroupBy::AdUnit,
        })
    });
    let group_by = bad.take(group_by);
    let parsed = || {
        Some(EarningsFilter {
            publisher: publisher?,
            from: from?,
            through: through?,
            group_by: group_by??,
        })
    };
    let parsed = parsed();
    checked(bad, parsed)
}

pub(super) fn earning(earnings: &Earnings, group_by: GroupBy) -> pb::PublisherEarning {
    let mut earning = pb::PublisherEarning {
        period: earnings.period.to_string(),
        currency_code: earnings.currency.code().to_owned(),
        estimated_micros: earnings.amounts.earned.get(),
        served_micros: earnings.amounts.served.get(),
        billed_micros: earnings.amounts.billed.get(),
        ..pb::PublisherEarning::default()
    };
    match group_by {
        GroupBy::Period => {}
        GroupBy::Game => earning.game_id = GameId::from_uuid(earnings.subject).to_string(),
        GroupBy::AdUnit => earning.ad_unit_id = AdUnitId::from_uuid(earnings.subject).to_string(),
    }
    earning
}

pub(super) fn charge_filter(message: &pb::ListChargesRequest) -> Result<ChargeFilter, Violations> {
    let mut bad = Violations::new();
    let advertiser = value::optional_id("advertiser_id", &message.advertiser_id);
    let advertiser = bad.take(advertiser).flatten();
    let campaign = value::optional_id("campaign_id", &message.campaign_id);
    let campaign = bad.take(campaign).flatten();
    let line_item = value::optional_id("line_item_id", &message.line_item_id);
    let line_item = bad.take(line_item).flatten();
    let publisher = value::optional_id("publisher_id", &message.publisher_id);
    let publisher = bad.take(publisher).flatten();
    let period = bad.take(period("period", &message.period)).flatten();
    let filter = ChargeFilter {
        advertiser,
        campaign,
        line_item,
        publisher,
        period,
    };
    checked(bad, Some(filter))
}

pub(super) fn charge(bucket: &Bucket) -> Result<pb::Charge, Error> {
    let (key, amounts) = (&bucket.basis.key, &bucket.amounts);
    let (terms, share) = (&bucket.basis.terms, &bucket.basis.rev_share);
    let overdelivered = amounts.served.checked_sub(amounts.billed).map_err(fault)?;
    Ok(pb::Charge {
        line_item_id: key.line_item.to_string(),
        terms_version: key.terms_version,
        ad_unit_id: key.ad_unit.to_string(),
        rev_share_id: key.rev_share.to_string(),
        share_version: share.version,
        share_ppm: share.share.into(),
        period: key.period.to_string(),
        campaign_id: terms.campaign.to_string(),
        advertiser_id: terms.advertiser.to_string(),
        publisher_id: share.publisher.to_string(),
        game_id: share.game.to_string(),
        currency_code: terms.currency.code().to_owned(),
        pricing_model: pricing_model(terms.model).into(),
        quantity: bucket.measure.quantity,
        row_count: bucket.measure.rows,
        served_micros: amounts.served.get(),
        billed_micros: amounts.billed.get(),
        overdelivered_micros: overdelivered.get(),
        earning_micros: amounts.earned.get(),
        revenue_micros: amounts.revenue.get(),
        cost_micros: amounts.absorbed.get(),
        update_time: Some(value::time(bucket.updated_at)),
    })
}

const fn pricing_model(model: PricingModel) -> types::PricingModel {
    match model {
        PricingModel::Cpm => types::PricingModel::Cpm,
        PricingModel::Vcpm => types::PricingModel::Vcpm,
        PricingModel::Cpc => types::PricingModel::Cpc,
        PricingModel::Cpi => types::PricingModel::Cpi,
        PricingModel::Cpa => types::PricingModel::Cpa,
        PricingModel::Flat => types::PricingModel::Flat,
        PricingModel::Cpd => types::PricingModel::Cpd,
        PricingModel::CostPlus => types::PricingModel::CostPlus,
    }
}

pub(super) fn waiting_row(id: RowId, row: &Waits) -> pb::ParkedRow {
    let id = DeliveryRowId::from_uuid(id.uuid()).to_string();
    match row {
        Waits::ToBeRated(parked) => parked_row(id, parked),
        Waits::Unreadable(kept) => unreadable_row(id, kept),
    }
}

fn unreadable_row(id: String, kept: &Quarantined) -> pb::ParkedRow {
    let row = &kept.row;
    pb::ParkedRow {
        id,
        source: row.source.clone(),
        line_item_id: row.line_item.clone(),
        terms_version: row.terms_version,
        ad_unit_id: row.ad_unit.clone(),
        hour: value::known_time(row.hour),
        revision: row.revision,
        reason: pb::parked_row::Reason::Unreadable.into(),
        detail: row.problem.clone(),
        park_time: Some(value::time(kept.parked_at)),
        try_time: Some(value::time(kept.seen_at)),
        try_count: kept.times,
    }
}

fn parked_row(id: String, parked: &ParkedRow) -> pb::ParkedRow {
    let key = &parked.row.key;
    pb::ParkedRow {
        id,
        source: key.source.clone(),
        line_item_id: key.line_item.to_string(),
        terms_version: key.terms_version,
        ad_unit_id: key.ad_unit.to_string(),
        hour: Some(value::time(key.hour)),
        revision: parked.row.revision,
        reason: park_reason(parked.obstacle.reason).into(),
        detail: parked.obstacle.detail.clone(),
        park_time: Some(value::time(parked.parked_at)),
        try_time: Some(value::time(parked.tried_at)),
        try_count: parked.tries,
    }
}

pub(crate) const fn park_reason(reason: ParkReason) -> pb::parked_row::Reason {
    use pb::parked_row::Reason;
    match reason {
        ParkReason::MissingTerms => Reason::MissingTerms,
        ParkReason::MissingShare => Reason::MissingShare,
        ParkReason::MissingAccount => Reason::MissingAccount,
        ParkReason::CurrencyMismatch => Reason::CurrencyMismatch,
        ParkReason::Overflow => Reason::Overflow,
        ParkReason::InvalidRow => Reason::InvalidRow,
        ParkReason::AccountClosed => Reason::AccountClosed,
        ParkReason::Unreadable => Reason::Unreadable,
    }
}
