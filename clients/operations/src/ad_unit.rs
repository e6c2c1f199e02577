//! Ad units.

use cleave_contracts::operations::v1::ad_unit_service_client::AdUnitServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{OperationsClient, pb};

impl OperationsClient {
    /// Creates an ACTIVE ad unit in a game.
    pub async fn create_ad_unit(
        &self,
        request: pb::CreateAdUnitRequest,
    ) -> Result<pb::CreateAdUnitResponse, CallError> {
        Ok(self.ad_units().create_ad_unit(request).await?.into_inner())
    }

    /// Answers one ad unit, archived ones too.
    pub async fn get_ad_unit(
        &self,
        request: pb::GetAdUnitRequest,
    ) -> Result<pb::GetAdUnitResponse, CallError> {
        Ok(self.ad_units().get_ad_unit(request).await?.into_inner())
    }

    /// Lists ad units, oldest first.
    pub async fn list_ad_units(
        &self,
        request: pb::ListAdUnitsRequest,
    ) -> Result<pb::ListAdUnitsResponse, CallError> {
        Ok(self.ad_units().list_ad_units(request).await?.into_inner())
    }

    /// Changes the fields that people write.
    pub async fn update_ad_unit(
        &self,
        request: pb::UpdateAdUnitRequest,
    ) -> Result<pb::UpdateAdUnitResponse, CallError> {
        Ok(self.ad_units().update_ad_unit(request).await?.into_inner())
    }

    /// Stops an ACTIVE ad unit.
    pub async fn pause_ad_unit(
        &self,
        request: pb::PauseAdUnitRequest,
    ) -> Result<pb::PauseAdUnitResponse, CallError> {
        Ok(self.ad_units().pause_ad_unit(request).await?.into_inner())
    }

    /// Lets a PAUSED ad unit serve again.
    pub async fn resume_ad_unit(
        &self,
        request: pb::ResumeAdUnitRequest,
    ) -> Result<pb::ResumeAdUnitResponse, CallError> {
        Ok(self.ad_units().resume_ad_unit(request).await?.into_inner())
    }

    /// Puts an ad unit away for good.
    pub async fn archive_ad_unit(
        &self,
        request: pb::ArchiveAdUnitRequest,
    ) -> Result<pb::ArchiveAdUnitResponse, CallError> {
        Ok(self.ad_units().archive_ad_unit(request).await?.into_inner())
    }

    /// All ad units that the request asks for, page after page.
    pub fn list_all_ad_units(
        &self,
        request: pb::ListAdUnitsRequest,
    ) -> impl Stream<Item = Result<pb::AdUnit, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_ad_units(request).await?;
                Ok(Page {
                    items: page.ad_units,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn ad_units(&self) -> AdUnitServiceClient<MeshChannel> {
        AdUnitServiceClient::new(self.channel.clone())
    }
}
