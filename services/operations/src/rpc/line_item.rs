//! LineItemService.

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::line_item_service_server::LineItemService;
use cleave_kernel::{AdvertiserId, CampaignId, LineItemId, Micros, Violation, Violations};
use operations_domain::line_item_status::Reason;
use operations_domain::text::{self, NAME_MAX, SHORT_MAX};
use operations_domain::{
    Limits, LineItemChange, LineItemState, NewLineItem, PRIORITY_MAX, PRIORITY_USUAL, Pacing,
};
use operations_store::Filter;
use operations_store::terms::TermsKey;
use tonic::{Request, Response, Status};

use super::mask::Mask;
use super::names::{self, Wire};
use super::page::page;
use super::request::{Fields, Verb, batch, request, resource, verb, version};
use super::{convert, explain, reply, terms};
use crate::app::{App, Error, LineItemView};

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

/// Serves LineItemService.
#[derive(Clone)]
pub struct LineItems {
    app: App,
}

impl LineItems {
    /// Served from `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn create(
        &self,
        message: pb::CreateLineItemRequest,
    ) -> Result<pb::CreateLineItemResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("CreateLineItem", &message, &message.request_id));
        let spec = faults.take(message.terms.as_ref().map(terms::spec).transpose());
        let new = faults.take(new_line_item(message.line_item));
        let ((request, new), spec) = faults.into_result(request.zip(new).zip(spec))?;
        let (view, terms) = self.app.create_line_item(request, new, spec).await?;
        Ok(pb::CreateLineItemResponse {
            line_item: Some(to_wire(view)),
            terms: terms.map(terms::to_wire),
        })
    }

    async fn list(
        &self,
        mut message: pb::ListLineItemsRequest,
    ) -> Result<pb::ListLineItemsResponse, Error> {
        let page = page!("ListLineItems", message)?;
        let states: Vec<LineItemState> = names::list("states", &message.states)?;
        let campaign: Option<CampaignId> =
            convert::optional_id("campaign_id", &message.campaign_id)?;
        let advertiser: Option<AdvertiserId> =
            convert::optional_id("advertiser_id", &message.advertiser_id)?;
        let external_ref = text::optional("external_ref", &message.external_ref, SHORT_MAX)?;
        let filter = Filter::all()
            .is("campaign_id", campaign.map(CampaignId::uuid))
            .is("advertiser_id", advertiser.map(AdvertiserId::uuid))
            .any("state", &states)
            .is("external_ref", external_ref);
        let (views, end) = self.app.list_line_items(filter, page.request()?).await?;
        Ok(pb::ListLineItemsResponse {
            line_items: views.into_iter().map(to_wire).collect(),
            next_page_token: page.next(end)?,
        })
    }

    async fn update(
        &self,
        message: pb::UpdateLineItemRequest,
    ) -> Result<pb::UpdateLineItemResponse, Error> {
        let request = request("UpdateLineItem", &message, &message.request_id)?;
        let wanted = resource("line_item", message.line_item)?;
        let mask = Mask::parse(message.update_mask, &WRITTEN, &OUTPUT)?;
        let (id, version, change) = change(&wanted, &mask)?;
        let view = self
            .app
            .update_line_item(request, id, version, change)
            .await?;
        Ok(pb::UpdateLineItemResponse {
            line_item: Some(to_wire(view)),
        })
    }

    async fn publish(
        &self,
        message: pb::PublishTermsRequest,
    ) -> Result<pb::PublishTermsResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("PublishTerms", &message, &message.request_id));
        let id = faults.take(convert::id("line_item_id", &message.line_item_id));
        let version = faults.take(version(&message.etag));
        let spec = faults.take(resource("terms", message.terms.as_ref()).and_then(terms::spec));
        let (((request, id), version), spec) =
            faults.into_result(request.zip(id).zip(version).zip(spec))?;
        let (published, view) = self.app.publish_terms(request, id, version, spec).await?;
        Ok(pb::PublishTermsResponse {
            terms: Some(terms::to_wire(published)),
            line_item: Some(to_wire(view)),
        })
    }

    async fn versions(
        &self,
        mut message: pb::ListTermsRequest,
    ) -> Result<pb::ListTermsResponse, Error> {
        let page = page!("ListTerms", message)?;
        let id = convert::id("line_item_id", &message.line_item_id)?;
        let after = page.after::<i64>()?.unwrap_or(0);
        let (versions, more) = self.app.list_terms(id, after, page.limit).await?;
        let end = versions.last().map(|version| version.version);
        Ok(pb::ListTermsResponse {
            next_page_token: page.next(end.filter(|_| more))?,
            terms: versions.into_iter().map(terms::to_wire).collect(),
        })
    }

    async fn get_terms(
        &self,
        message: pb::BatchGetLineItemTermsRequest,
    ) -> Result<pb::BatchGetLineItemTermsResponse, Error> {
        let keys: Vec<TermsKey> = batch("keys", &message.keys, terms::key)?;
        let mut answer = pb::BatchGetLineItemTermsResponse::default();
        for (key, found) in message
            .keys
            .into_iter()
            .zip(self.app.get_terms(&keys).await?)
        {
            match found {
                Some(version) => answer.terms.push(terms::to_wire(version)),
                None => answer.missing_keys.push(key),
            }
        }
        Ok(answer)
    }
}

#[tonic::async_trait]
impl LineItemService for LineItems {
    async fn create_line_item(
        &self,
        message: Request<pb::CreateLineItemRequest>,
    ) -> Result<Response<pb::CreateLineItemResponse>, Status> {
        reply(self.create(message.into_inner()).await)
    }

    async fn get_line_item(
        &self,
        message: Request<pb::GetLineItemRequest>,
    ) -> Result<Response<pb::GetLineItemResponse>, Status> {
        let id = convert::id("id", &message.into_inner().id).map_err(Error::from)?;
        let view = self.app.get_line_item(id).await?;
        reply(Ok(pb::GetLineItemResponse {
            line_item: Some(to_wire(view)),
        }))
    }

    async fn list_line_items(
        &self,
        message: Request<pb::ListLineItemsRequest>,
    ) -> Result<Response<pb::ListLineItemsResponse>, Status> {
        reply(self.list(message.into_inner()).await)
    }

    async fn update_line_item(
        &self,
        message: Request<pb::UpdateLineItemRequest>,
    ) -> Result<Response<pb::UpdateLineItemResponse>, Status> {
        reply(self.update(message.into_inner()).await)
    }

    async fn enable_line_item(
        &self,
        message: Request<pb::EnableLineItemRequest>,
    ) -> Result<Response<pb::EnableLineItemResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("EnableLineItem", message.get_ref())?;
        let view = self.app.enable_line_item(request, id, version).await?;
        reply(Ok(pb::EnableLineItemResponse {
            line_item: Some(to_wire(view)),
        }))
    }

    async fn pause_line_item(
        &self,
        message: Request<pb::PauseLineItemRequest>,
    ) -> Result<Response<pb::PauseLineItemResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("PauseLineItem", message.get_ref())?;
        let view = self.app.pause_line_item(request, id, version).await?;
        reply(Ok(pb::PauseLineItemResponse {
            line_item: Some(to_wire(view)),
        }))
    }

    async fn remove_line_item(
        &self,
        message: Request<pb::RemoveLineItemRequest>,
    ) -> Result<Response<pb::RemoveLineItemResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("RemoveLineItem", message.get_ref())?;
        let view = self.app.remove_line_item(request, id, version).await?;
        reply(Ok(pb::RemoveLineItemResponse {
            line_item: Some(to_wire(view)),
        }))
    }

    async fn publish_terms(
        &self,
        message: Request<pb::PublishTermsRequest>,
    ) -> Result<Response<pb::PublishTermsResponse>, Status> {
        reply(self.publish(message.into_inner()).await)
    }

    async fn list_terms(
        &self,
        message: Request<pb::ListTermsRequest>,
    ) -> Result<Response<pb::ListTermsResponse>, Status> {
        reply(self.versions(message.into_inner()).await)
    }

    async fn batch_get_line_item_terms(
        &self,
        message: Request<pb::BatchGetLineItemTermsRequest>,
    ) -> Result<Response<pb::BatchGetLineItemTermsResponse>, Status> {
        reply(self.get_terms(message.into_inner()).await)
    }

    async fn explain_line_item(
        &self,
        message: Request<pb::ExplainLineItemRequest>,
    ) -> Result<Response<pb::ExplainLineItemResponse>, Status> {
        reply(explain::explain_line_item(&self.app, message.into_inner()).await)
    }
}

fn new_line_item(wanted: Option<pb::LineItem>) -> Result<NewLineItem, Violations> {
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

fn change(
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
pub(super) fn to_wire(view: LineItemView) -> pb::LineItem {
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
pub(super) fn to_wire_reason(reason: Reason) -> pb::StatusReason {
    pb::StatusReason {
        code: reason.code.to_wire(),
        message: reason.message,
    }
}
