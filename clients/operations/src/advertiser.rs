//! Advertisers.

use cleave_contracts::operations::v1::advertiser_service_client::AdvertiserServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{OperationsClient, pb};

impl OperationsClient {
    /// Creates an advertiser and asks Billing to open its account; it is ACTIVE once Billing has.
    pub async fn create_advertiser(
        &self,
        request: pb::CreateAdvertiserRequest,
    ) -> Result<pb::CreateAdvertiserResponse, CallError> {
        Ok(self
            .advertisers()
            .create_advertiser(request)
            .await?
            .into_inner())
    }

    /// Answers one advertiser, archived ones too.
    pub async fn get_advertiser(
        &self,
        request: pb::GetAdvertiserRequest,
    ) -> Result<pb::GetAdvertiserResponse, CallError> {
        Ok(self
            .advertisers()
            .get_advertiser(request)
            .await?
            .into_inner())
    }

    /// Lists advertisers, oldest first.
    pub async fn list_advertisers(
        &self,
        request: pb::ListAdvertisersRequest,
    ) -> Result<pb::ListAdvertisersResponse, CallError> {
        Ok(self
            .advertisers()
            .list_advertisers(request)
            .await?
            .into_inner())
    }

    /// Changes the fields that people write.
    pub async fn update_advertiser(
        &self,
        request: pb::UpdateAdvertiserRequest,
    ) -> Result<pb::UpdateAdvertiserResponse, CallError> {
        Ok(self
            .advertisers()
            .update_advertiser(request)
            .await?
            .into_inner())
    }

    /// Stops everything of an ACTIVE advertiser.
    pub async fn suspend_advertiser(
        &self,
        request: pb::SuspendAdvertiserRequest,
    ) -> Result<pb::SuspendAdvertiserResponse, CallError> {
        Ok(self
            .advertisers()
            .suspend_advertiser(request)
            .await?
            .into_inner())
    }

    /// Lets a SUSPENDED advertiser run again.
    pub async fn resume_advertiser(
        &self,
        request: pb::ResumeAdvertiserRequest,
    ) -> Result<pb::ResumeAdvertiserResponse, CallError> {
        Ok(self
            .advertisers()
            .resume_advertiser(request)
            .await?
            .into_inner())
    }

    /// Puts an advertiser away for good.
    pub async fn archive_advertiser(
        &self,
        request: pb::ArchiveAdvertiserRequest,
    ) -> Result<pb::ArchiveAdvertiserResponse, CallError> {
        Ok(self
            .advertisers()
            .archive_advertiser(request)
            .await?
            .into_inner())
    }

    /// All advertisers that the request asks for, page after page.
    pub fn list_all_advertisers(
        &self,
        request: pb::ListAdvertisersRequest,
    ) -> impl Stream<Item = Result<pb::Advertiser, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_advertisers(request).await?;
                Ok(Page {
                    items: page.advertisers,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn advertisers(&self) -> AdvertiserServiceClient<MeshChannel> {
        AdvertiserServiceClient::new(self.channel.clone())
    }
}
