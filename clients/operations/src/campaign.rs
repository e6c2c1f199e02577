//! Campaigns and their approval.

use cleave_contracts::operations::v1::campaign_service_client::CampaignServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{OperationsClient, pb};

impl OperationsClient {
    /// Creates a DRAFT of a campaign.
    pub async fn create_campaign(
        &self,
        request: pb::CreateCampaignRequest,
    ) -> Result<pb::CreateCampaignResponse, CallError> {
        Ok(self
            .campaigns()
            .create_campaign(request)
            .await?
            .into_inner())
    }

    /// Answers one campaign, archived ones too.
    pub async fn get_campaign(
        &self,
        request: pb::GetCampaignRequest,
    ) -> Result<pb::GetCampaignResponse, CallError> {
        Ok(self.campaigns().get_campaign(request).await?.into_inner())
    }

    /// Lists campaigns, oldest first.
    pub async fn list_campaigns(
        &self,
        request: pb::ListCampaignsRequest,
    ) -> Result<pb::ListCampaignsResponse, CallError> {
        Ok(self.campaigns().list_campaigns(request).await?.into_inner())
    }

    /// Changes the fields that people write, as far as the state allows.
    pub async fn update_campaign(
        &self,
        request: pb::UpdateCampaignRequest,
    ) -> Result<pb::UpdateCampaignResponse, CallError> {
        Ok(self
            .campaigns()
            .update_campaign(request)
            .await?
            .into_inner())
    }

    /// Asks for approval of a DRAFT or DISAPPROVED campaign; needs a line item with terms.
    pub async fn submit_campaign(
        &self,
        request: pb::SubmitCampaignRequest,
    ) -> Result<pb::SubmitCampaignResponse, CallError> {
        Ok(self
            .campaigns()
            .submit_campaign(request)
            .await?
            .into_inner())
    }

    /// Grants approval, by another person than asked for it.
    pub async fn approve_campaign(
        &self,
        request: pb::ApproveCampaignRequest,
    ) -> Result<pb::ApproveCampaignResponse, CallError> {
        Ok(self
            .campaigns()
            .approve_campaign(request)
            .await?
            .into_inner())
    }

    /// Refuses approval, by another person than asked for it.
    pub async fn disapprove_campaign(
        &self,
        request: pb::DisapproveCampaignRequest,
    ) -> Result<pb::DisapproveCampaignResponse, CallError> {
        Ok(self
            .campaigns()
            .disapprove_campaign(request)
            .await?
            .into_inner())
    }

    /// Takes a submission back.
    pub async fn withdraw_campaign(
        &self,
        request: pb::WithdrawCampaignRequest,
    ) -> Result<pb::WithdrawCampaignResponse, CallError> {
        Ok(self
            .campaigns()
            .withdraw_campaign(request)
            .await?
            .into_inner())
    }

    /// Stops a campaign for good.
    pub async fn cancel_campaign(
        &self,
        request: pb::CancelCampaignRequest,
    ) -> Result<pb::CancelCampaignResponse, CallError> {
        Ok(self
            .campaigns()
            .cancel_campaign(request)
            .await?
            .into_inner())
    }

    /// Puts away a campaign that is canceled, never approved, or over.
    pub async fn archive_campaign(
        &self,
        request: pb::ArchiveCampaignRequest,
    ) -> Result<pb::ArchiveCampaignResponse, CallError> {
        Ok(self
            .campaigns()
            .archive_campaign(request)
            .await?
            .into_inner())
    }

    /// Lists requests for approval, oldest first.
    pub async fn list_approvals(
        &self,
        request: pb::ListApprovalsRequest,
    ) -> Result<pb::ListApprovalsResponse, CallError> {
        Ok(self.campaigns().list_approvals(request).await?.into_inner())
    }

    /// All campaigns that the request asks for, page after page.
    pub fn list_all_campaigns(
        &self,
        request: pb::ListCampaignsRequest,
    ) -> impl Stream<Item = Result<pb::Campaign, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_campaigns(request).await?;
                Ok(Page {
                    items: page.campaigns,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    /// All approvals that the request asks for, page after page.
    pub fn list_all_approvals(
        &self,
        request: pb::ListApprovalsRequest,
    ) -> impl Stream<Item = Result<pb::Approval, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_approvals(request).await?;
                Ok(Page {
                    items: page.approvals,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn campaigns(&self) -> CampaignServiceClient<MeshChannel> {
        CampaignServiceClient::new(self.channel.clone())
    }
}
