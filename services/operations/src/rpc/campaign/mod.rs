//! CampaignService.

mod wire;

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::campaign_service_server::CampaignService;
use cleave_kernel::{AdvertiserId, CampaignId, Violations};
use operations_domain::text::{self, NOTE_MAX, SHORT_MAX};
use operations_domain::{ApprovalState, Campaign, CampaignState};
use operations_store::Filter;
use tonic::{Request, Response, Status};

use self::wire::{change, new_campaign, statement, to_wire_approval};
use super::names;
use super::page::page;
use super::request::{Verb, request, resource, verb};
use super::{convert, reply};
use crate::app::{App, Error};

pub(super) use self::wire::to_wire;

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
        let listed = self.app.list(filter, page.request()?).await?;
        let (campaigns, next_page_token) = page.answer(listed, to_wire)?;
        Ok(pb::ListCampaignsResponse {
            campaigns,
            next_page_token,
        })
    }

    async fn update(
        &self,
        message: pb::UpdateCampaignRequest,
    ) -> Result<pb::UpdateCampaignResponse, Error> {
        let request = request("UpdateCampaign", &message, &message.request_id)?;
        let wanted = resource("campaign", message.campaign)?;
        let mask = wire::mask(message.update_mask)?;
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
        let listed = self.app.list(filter, page.request()?).await?;
        let (approvals, next_page_token) = page.answer(listed, to_wire_approval)?;
        Ok(pb::ListApprovalsResponse {
            approvals,
            next_page_token,
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
