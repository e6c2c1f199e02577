//! Line items on the wire, each way.

use cleave_contracts::operations::v1 as pb;
use cleave_kernel::{LineItemId, Micros, Violation, Violations};
use operations_domain::line_item_status::Reason;
use operations_domain::text::{self, NAME_MAX, SHORT_MAX};
use operations_domain::{
    Limits, LineItemChange, NewLineItem, PRIORITY_MAX, PRIORITY_USUAL, Pacing,
};
use prost_types::FieldMask;

use crate::app::LineItemView;
use crate::rpc::convert;
use crate::rpc::mask::Mask;
use crate::rpc::names::{self, Wire};
use crate::rpc::request::{Fields, resource, version};

const WRITTEN: [&str; 9] = [
    "display_name",
    "external_ref",
    "priority",
    "start_time",
    "end_time",
    "goal_count",
    "daily_cap_micros",
    "lifetime_cap_micros",
    "pacing",
];
const OUTPUT: [&str; 10] = [
    "id",
    "advertiser_id",
    "currency_code",
    "state",
    "status",
    "status_reasons",
    "terms_version",
    "create_time",
    "update_time",
    "etag",
];

/// The mask of an update.
pub(super) fn mask(mask: Option<FieldMask>) -> Result<Mask, Violation> {
    Mask::parse(mask, &WRITTEN, &OUTPUT)
}

/// What a request for a new line item asks for.
pub(super) fn new_line_item(wanted: Option<pb::LineItem>) -> Result<NewLineItem, Violations> {
    let wanted = resource("line_item", wanted)?;
    let mut fields = Fields::of("line_item");
    let id = fields.take(convert::optional_id("id", &wanted.id));
    let campaign_id = fields.take(convert::id("campaign_id", &wanted.campaign_id));
    let display_name = fields.take(text::required(
        "display_name",
        &wanted.display_name,
        NAME_MAX,
    ));
    let external_ref = fields.take(text::optional(
        "external_ref",
        &wanted.external_ref,
        SHORT_MAX,
    ));
    let kind = fields.take(names::required("kind", wanted.kind));
    let priority = fields.take(priority(wanted.priority));
    let flight = fields.take(convert::flight(wanted.start_time, wanted.end_time));
    let limits = fields.take(limits(&wanted).checked());
    let pacing = fields.take(pacing(wanted.pacing));
    fields.make(|| {
        Some(NewLineItem {
            id: id?.unwrap_or_else(LineItemId::generate),
            campaign_id: campaign_id?,
            display_name: display_name?,
            external_ref: external_ref?,
            kind: kind?,
            priority: priority?,
            flight: flight?,
            limits: limits?,
            pacing: pacing?,
        })
    })
}

const fn limits(wanted: &pb::LineItem) -> Limits {
    Limits {
        goal: wanted.goal_count,
        daily_cap: match wanted.daily_cap_micros {
            Some(micros) => Some(Micros::new(micros)),
            None => None,
        },
        lifetime_cap: match wanted.lifetime_cap_micros {
            Some(micros) => Some(Micros::new(micros)),
            None => None,
        },
    }
}

fn priority(wanted: i32) -> Result<i16, Violation> {
    match i16::try_from(wanted) {
        Ok(0) => Ok(PRIORITY_USUAL),
        Ok(priority) if (1..=PRIORITY_MAX).contains(&priority) => Ok(priority),
        _ => Err(Violation::new(
            "priority",
            "OUT_OF_RANGE",
            format!("priorities lie between 1 and {PRIORITY_MAX}"),
        )),
    }
}

fn pacing(wanted: i32) -> Result<Pacing, Violation> {
    Ok(names::optional("pacing", wanted)?.unwrap_or(Pacing::Even))
}

/// Which row a request means to change, at which version, and how.
pub(super) fn change(
    wanted: &pb::LineItem,
    mask: &Mask,
) -> Result<(LineItemId, i64, LineItemChange), Violation> {
    let limits = limits(wanted);
    let read = || {
        Ok((
            convert::id("id", &wanted.id)?,
            version(&wanted.etag)?,
            LineItemChange {
                display_name: mask.text("display_name", &wanted.display_name, NAME_MAX)?,
                external_ref: mask.maybe_text("external_ref", &wanted.external_ref, SHORT_MAX)?,
                priority: mask.value("priority", wanted.priority != 0, || {
                    priority(wanted.priority)
                })?,
                starts_at: mask.value("start_time", wanted.start_time.is_some(), || {
                    convert::instant("start_time", wanted.start_time)
                })?,
                ends_at: mask.value("end_time", wanted.end_time.is_some(), || {
                    convert::optional_instant("end_time", wanted.end_time)
                })?,
                goal: mask.value("goal_count", limits.goal.is_some(), || Ok(limits.goal))?,
                daily_cap: mask.value("daily_cap_micros", limits.daily_cap.is_some(), || {
                    Ok(limits.daily_cap)
                })?,
                lifetime_cap: mask.value(
                    "lifetime_cap_micros",
                    limits.lifetime_cap.is_some(),
                    || Ok(limits.lifetime_cap),
                )?,
                pacing: mask.value("pacing", wanted.pacing != 0, || pacing(wanted.pacing))?,
            },
        ))
    };
    read().map_err(|fault: Violation| fault.under("line_item"))
}

/// A line item on the wire.
pub(in crate::rpc) fn to_wire(view: LineItemView) -> pb::LineItem {
    let LineItemView { line_item, status } = view;
    pb::LineItem {
        id: line_item.id.to_string(),
        campaign_id: line_item.campaign_id.to_string(),
        advertiser_id: line_item.advertiser_id.to_string(),
        display_name: line_item.display_name,
        external_ref: convert::or_empty(line_item.external_ref),
        kind: line_item.kind.to_wire(),
        priority: i32::from(line_item.priority),
        currency_code: line_item.currency.to_string(),
        start_time: convert::time(line_item.flight.starts_at),
        end_time: line_item.flight.ends_at.and_then(convert::time),
        goal_count: line_item.limits.goal,
        daily_cap_micros: line_item.limits.daily_cap.map(Micros::get),
        lifetime_cap_micros: line_item.limits.lifetime_cap.map(Micros::get),
        pacing: line_item.pacing.to_wire(),
        state: line_item.state.to_wire(),
        status: status.status.to_wire(),
        status_reasons: status.reasons.into_iter().map(to_wire_reason).collect(),
        terms_version: line_item.terms_version,
        create_time: convert::time(line_item.stamp.created_at),
        update_time: convert::time(line_item.stamp.updated_at),
        etag: convert::etag(line_item.stamp),
    }
}

/// A reason on the wire.
pub(in crate::rpc) fn to_wire_reason(reason: Reason) -> pb::StatusReason {
    pb::StatusReason {
        code: reason.code.to_wire(),
        message: reason.message,
    }
}
