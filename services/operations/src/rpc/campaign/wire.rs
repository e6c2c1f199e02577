//! Campaigns and approvals on the wire, each way.

use cleave_contracts::operations::v1 as pb;
use cleave_kernel::{CampaignId, Micros, Violation, Violations};
use operations_domain::text::{self, NAME_MAX, NOTE_MAX, SHORT_MAX};
use operations_domain::{Approval, Campaign, CampaignChange, NewCampaign, Statement};
use prost_types::FieldMask;

use crate::rpc::convert;
use crate::rpc::mask::Mask;
use crate::rpc::names::Wire;
use crate::rpc::request::{Fields, resource, version};

const WRITTEN: [&str; 6] = [
    "display_name",
    "po_number",
    "external_ref",
    "budget_total_micros",
    "start_time",
    "end_time",
];
const OUTPUT: [&str; 7] = [
    "id",
    "currency_code",
    "state",
    "approval_id",
    "create_time",
    "update_time",
    "etag",
];

/// The mask of an update.
pub(super) fn mask(mask: Option<FieldMask>) -> Result<Mask, Violation> {
    Mask::parse(mask, &WRITTEN, &OUTPUT)
}

/// What a request for a new campaign asks for.
pub(super) fn new_campaign(wanted: Option<pb::Campaign>) -> Result<NewCampaign, Violations> {
    let wanted = resource("campaign", wanted)?;
    let mut fields = Fields::of("campaign");
    let id = fields.take(convert::optional_id("id", &wanted.id));
    let advertiser_id = fields.take(convert::id("advertiser_id", &wanted.advertiser_id));
    let display_name = fields.take(text::required(
        "display_name",
        &wanted.display_name,
        NAME_MAX,
    ));
    let po_number = fields.take(text::optional("po_number", &wanted.po_number, SHORT_MAX));
    let external_ref = fields.take(text::optional(
        "external_ref",
        &wanted.external_ref,
        SHORT_MAX,
    ));
    let budget = fields.take(convert::positive(
        "budget_total_micros",
        wanted.budget_total_micros,
    ));
    let flight = fields.take(convert::flight(wanted.start_time, wanted.end_time));
    fields.make(|| {
        Some(NewCampaign {
            id: id?.unwrap_or_else(CampaignId::generate),
            advertiser_id: advertiser_id?,
            display_name: display_name?,
            po_number: po_number?,
            external_ref: external_ref?,
            budget: budget?,
            flight: flight?,
        })
    })
}

/// Which row a request means to change, at which version, and how.
pub(super) fn change(
    wanted: &pb::Campaign,
    mask: &Mask,
) -> Result<(CampaignId, i64, CampaignChange), Violation> {
    let read = || {
        let budget = wanted.budget_total_micros;
        Ok((
            convert::id("id", &wanted.id)?,
            version(&wanted.etag)?,
            CampaignChange {
                display_name: mask.text("display_name", &wanted.display_name, NAME_MAX)?,
                po_number: mask.maybe_text("po_number", &wanted.po_number, SHORT_MAX)?,
                external_ref: mask.maybe_text("external_ref", &wanted.external_ref, SHORT_MAX)?,
                budget: mask.value("budget_total_micros", budget.is_some(), || {
                    convert::positive("budget_total_micros", budget)
                })?,
                starts_at: mask.value("start_time", wanted.start_time.is_some(), || {
                    convert::instant("start_time", wanted.start_time)
                })?,
                ends_at: mask.value("end_time", wanted.end_time.is_some(), || {
                    convert::optional_instant("end_time", wanted.end_time)
                })?,
            },
        ))
    };
    read().map_err(|fault: Violation| fault.under("campaign"))
}

/// Who decides, and what they have to say.
pub(super) fn statement(actor: &str, note: &str) -> Result<Statement, Violation> {
    Ok(Statement {
        actor: text::required("actor", actor, SHORT_MAX)?,
        note: text::optional("note", note, NOTE_MAX)?,
    })
}

/// A campaign on the wire.
pub(in crate::rpc) fn to_wire(campaign: Campaign) -> pb::Campaign {
    pb::Campaign {
        id: campaign.id.to_string(),
        advertiser_id: campaign.advertiser_id.to_string(),
        display_name: campaign.display_name,
        po_number: convert::or_empty(campaign.po_number),
        external_ref: convert::or_empty(campaign.external_ref),
        currency_code: campaign.currency.to_string(),
        budget_total_micros: campaign.budget.map(Micros::get),
        start_time: convert::time(campaign.flight.starts_at),
        end_time: campaign.flight.ends_at.and_then(convert::time),
        state: campaign.state.to_wire(),
        approval_id: campaign
            .approval_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        create_time: convert::time(campaign.stamp.created_at),
        update_time: convert::time(campaign.stamp.updated_at),
        etag: convert::etag(campaign.stamp),
    }
}

/// A request for approval on the wire.
pub(super) fn to_wire_approval(approval: Approval) -> pb::Approval {
    let (decision, decided_at) = approval.decision.unzip();
    let (decider, decision_note) = decision
        .map(|decision| (decision.actor, decision.note))
        .unwrap_or_default();
    pb::Approval {
        id: approval.id.to_string(),
        campaign_id: approval.campaign_id.to_string(),
        state: approval.state.to_wire(),
        requester: approval.request.actor,
        decider,
        request_note: convert::or_empty(approval.request.note),
        decision_note: convert::or_empty(decision_note),
        create_time: convert::time(approval.stamp.created_at),
        decide_time: decided_at.and_then(convert::time),
    }
}
