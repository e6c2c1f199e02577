//! CampaignService.

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::campaign_service_server::CampaignService;
use cleave_kernel::{AdvertiserId, CampaignId, Violation, Violations};
use operations_domain::text::{self, NAME_MAX, NOTE_MAX, SHORT_MAX};
use operations_domain::{
    Approval, ApprovalState, Campaign, CampaignChange, CampaignState, NewCampaign, Statement,
};
use operations_store::Filter;
use tonic::{Request, Response, Status};

use super::mask::Mask;
use super::names::{self, Wire};
use super::page::page;
use super::request::{Fields, Verb, request, resource, verb, version};
use super::{convert, reply};
use crate::app::{App, Error};

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

/// Serves CampaignService.
#[derive(Clone)]
pub struct Campaigns {
    app: App,
}

impl Campaigns {
    /// Served from `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn create(
        &self,
        message: pb::CreateCampaignRequest,
    ) -> Result<pb::CreateCampaignResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("CreateCampaign", &message, &message.request_id));
        let new = faults.take(new_campaign(message.campaign));
        let (request, new) = faults.into_result(request.zip(new))?;
        let campaign = self.app.create_campaign(request, new).await?;
        Ok(pb::CreateCampaignResponse {
            campaign: Some(to_wire(campaign)),
        })
    }

    async fn list(
        &self,
        mut message: pb::ListCampaignsRequest,
    ) -> Result<pb::ListCampaignsResponse, Error> {
        let page = page!("ListCampaigns", message)?;
        let states: Vec<CampaignState> = names::list("states", &message.states)?;
        let advertiser: Option<AdvertiserId> =
            convert::optional_id("advertiser_id", &message.advertiser_id)?;
        let external_ref = text::optional("external_ref", &message.external_ref, SHORT_MAX)?;
        let filter = Filter::all()
            .is("advertiser_id", advertiser.map(AdvertiserId::uuid))
            .any("state", &states)
            .is("external_ref", external_ref);
        let (campaigns, end) = self.app.list(filter, page.request()?).await?;
        Ok(pb::ListCampaignsResponse {
            campaigns: campaigns.into_iter().map(to_wire).collect(),
            next_page_token: page.next(end)?,
        })
    }

    async fn update(
        &self,
        message: pb::UpdateCampaignRequest,
    ) -> Result<pb::UpdateCampaignResponse, Error> {
        let request = request("UpdateCampaign", &message, &message.request_id)?;
        let wanted = resource("campaign", message.campaign)?;
        let mask = Mask::parse(message.update_mask, &WRITTEN, &OUTPUT)?;
        let (id, version, change) = change(&wanted, &mask)?;
        let campaign = self
            .app
            .update_campaign(request, id, version, change)
            .await?;
        Ok(pb::UpdateCampaignResponse {
            campaign: Some(to_wire(campaign)),
        })
    }

    async fn submit(
        &self,
        message: pb::SubmitCampaignRequest,
    ) -> Result<pb::SubmitCampaignResponse, Error> {
        let Verb {
            request,
            id,
            version,
        } = verb!("SubmitCampaign", &message)?;
        let statement = statement(&message.actor, &message.note)?;
        let (campaign, approval) = self
            .app
            .submit_campaign(request, id, version, statement)
            .await?;
        Ok(pb::SubmitCampaignResponse {
            campaign: Some(to_wire(campaign)),
            approval: Some(to_wire_approval(approval)),
        })
    }

    async fn approve(
        &self,
        message: pb::ApproveCampaignRequest,
    ) -> Result<pb::ApproveCampaignResponse, Error> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ApproveCampaign", &message)?;
        let statement = statement(&message.actor, &message.note)?;
        let (campaign, approval) = self
            .app
            .approve_campaign(request, id, version, statement)
            .await?;
        Ok(pb::ApproveCampaignResponse {
            campaign: Some(to_wire(campaign)),
            approval: Some(to_wire_approval(approval)),
        })
    }

    async fn disapprove(
        &self,
        message: pb::DisapproveCampaignRequest,
    ) -> Result<pb::DisapproveCampaignResponse, Error> {
        let Verb {
            request,
            id,
            version,
        } = verb!("DisapproveCampaign", &message)?;
        text::required("note", &message.note, NOTE_MAX)?;
        let statement = statement(&message.actor, &message.note)?;
        let (campaign, approval) = self
            .app
            .disapprove_campaign(request, id, version, statement)
            .await?;
        Ok(pb::DisapproveCampaignResponse {
            campaign: Some(to_wire(campaign)),
            approval: Some(to_wire_approval(approval)),
        })
    }

    async fn withdraw(
        &self,
        message: pb::WithdrawCampaignRequest,
    ) -> Result<pb::WithdrawCampaignResponse, Error> {
        let Verb {
            request,
            id,
            version,
        } = verb!("WithdrawCampaign", &message)?;
        let statement = statement(&message.actor, &message.note)?;
        let (campaign, approval) = self
            .app
            .withdraw_campaign(request, id, version, statement)
            .await?;
        Ok(pb::WithdrawCampaignResponse {
            campaign: Some(to_wire(campaign)),
            approval: Some(to_wire_approval(approval)),
        })
    }

    async fn approvals(
        &self,
        mut message: pb::ListApprovalsRequest,
    ) -> Result<pb::ListApprovalsResponse, Error> {
        let page = page!("ListApprovals", message)?;
        let states: Vec<ApprovalState> = names::list("states", &message.states)?;
        let campaign: Option<CampaignId> =
            convert::optional_id("campaign_id", &message.campaign_id)?;
        let filter = Filter::all()
            .is("campaign_id", campaign.map(CampaignId::uuid))
            .any("state", &states);
        let (approvals, end) = self.app.list(filter, page.request()?).await?;
        Ok(pb::ListApprovalsResponse {
            approvals: approvals.into_iter().map(to_wire_approval).collect(),
            next_page_token: page.next(end)?,
        })
    }
}

#[tonic::async_trait]
impl CampaignService for Campaigns {
    async fn create_campaign(
        &self,
        message: Request<pb::CreateCampaignRequest>,
    ) -> Result<Response<pb::CreateCampaignResponse>, Status> {
        reply(self.create(message.into_inner()).await)
    }

    async fn get_campaign(
        &self,
        message: Request<pb::GetCampaignRequest>,
    ) -> Result<Response<pb::GetCampaignResponse>, Status> {
        let id = convert::id("id", &message.into_inner().id).map_err(Error::from)?;
        let campaign = self.app.get::<Campaign>(id).await?;
        reply(Ok(pb::GetCampaignResponse {
            campaign: Some(to_wire(campaign)),
        }))
    }

    async fn list_campaigns(
        &self,
        message: Request<pb::ListCampaignsRequest>,
    ) -> Result<Response<pb::ListCampaignsResponse>, Status> {
        reply(self.list(message.into_inner()).await)
    }

    async fn update_campaign(
        &self,
        message: Request<pb::UpdateCampaignRequest>,
    ) -> Result<Response<pb::UpdateCampaignResponse>, Status> {
        reply(self.update(message.into_inner()).await)
    }

    async fn submit_campaign(
        &self,
        message: Request<pb::SubmitCampaignRequest>,
    ) -> Result<Response<pb::SubmitCampaignResponse>, Status> {
        reply(self.submit(message.into_inner()).await)
    }

    async fn approve_campaign(
        &self,
        message: Request<pb::ApproveCampaignRequest>,
    ) -> Result<Response<pb::ApproveCampaignResponse>, Status> {
        reply(self.approve(message.into_inner()).await)
    }

    async fn disapprove_campaign(
        &self,
        message: Request<pb::DisapproveCampaignRequest>,
    ) -> Result<Response<pb::DisapproveCampaignResponse>, Status> {
        reply(self.disapprove(message.into_inner()).await)
    }

    async fn withdraw_campaign(
        &self,
        message: Request<pb::WithdrawCampaignRequest>,
    ) -> Result<Response<pb::WithdrawCampaignResponse>, Status> {
        reply(self.withdraw(message.into_inner()).await)
    }

    async fn cancel_campaign(
        &self,
        message: Request<pb::CancelCampaignRequest>,
    ) -> Result<Response<pb::CancelCampaignResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("CancelCampaign", message.get_ref())?;
        let campaign = self.app.cancel_campaign(request, id, version).await?;
        reply(Ok(pb::CancelCampaignResponse {
            campaign: Some(to_wire(campaign)),
        }))
    }

    async fn archive_campaign(
        &self,
        message: Request<pb::ArchiveCampaignRequest>,
    ) -> Result<Response<pb::ArchiveCampaignResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ArchiveCampaign", message.get_ref())?;
        let campaign = self.app.archive_campaign(request, id, version).await?;
        reply(Ok(pb::ArchiveCampaignResponse {
            campaign: Some(to_wire(campaign)),
        }))
    }

    async fn list_approvals(
        &self,
        message: Request<pb::ListApprovalsRequest>,
    ) -> Result<Response<pb::ListApprovalsResponse>, Status> {
        reply(self.approvals(message.into_inner()).await)
    }
}

fn new_campaign(wanted: Option<pb::Campaign>) -> Result<NewCampaign, Violations> {
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

fn change(
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

fn statement(actor: &str, note: &str) -> Result<Statement, Violation> {
    Ok(Statement {
        actor: text::required("actor", actor, SHORT_MAX)?,
        note: text::optional("note", note, NOTE_MAX)?,
    })
}

/// A campaign on the wire.
pub(super) fn to_wire(campaign: Campaign) -> pb::Campaign {
    pb::Campaign {
        id: campaign.id.to_string(),
        advertiser_id: campaign.advertiser_id.to_string(),
        display_name: campaign.display_name,
        po_number: convert::or_empty(campaign.po_number),
        external_ref: convert::or_empty(campaign.external_ref),
        currency_code: campaign.currency.to_string(),
        budget_total_micros: campaign.budget.map(cleave_kernel::Micros::get),
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

fn to_wire_approval(approval: Approval) -> pb::Approval {
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
