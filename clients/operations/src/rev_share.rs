//! Revenue shares.

use cleave_contracts::operations::v1::rev_share_service_client::RevShareServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{OperationsClient, pb};

impl OperationsClient {
    /// Publishes the next version of a scope's share.
    pub async fn create_rev_share(
        &self,
        request: pb::CreateRevShareRequest,
    ) -> Result<pb::CreateRevShareResponse, CallError> {
        Ok(self
            .rev_shares()
            .create_rev_share(request)
            .await?
            .into_inner())
    }

    /// Answers one version.
    pub async fn get_rev_share(
        &self,
        request: pb::GetRevShareRequest,
    ) -> Result<pb::GetRevShareResponse, CallError> {
        Ok(self.rev_shares().get_rev_share(request).await?.into_inner())
    }

    /// Lists versions, oldest first.
    pub async fn list_rev_shares(
        &self,
        request: pb::ListRevSharesRequest,
    ) -> Result<pb::ListRevSharesResponse, CallError> {
        Ok(self
            .rev_shares()
            .list_rev_shares(request)
            .await?
            .into_inner())
    }

    /// Answers the share that holds for an ad unit at an instant.
    pub async fn resolve_rev_share(
        &self,
        request: pb::ResolveRevShareRequest,
    ) -> Result<pb::ResolveRevShareResponse, CallError> {
        Ok(self
            .rev_shares()
            .resolve_rev_share(request)
            .await?
            .into_inner())
    }

    /// All rev shares that the request asks for, page after page.
    pub fn list_all_rev_shares(
        &self,
        request: pb::ListRevSharesRequest,
    ) -> impl Stream<Item = Result<pb::RevShare, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_rev_shares(request).await?;
                Ok(Page {
                    items: page.rev_shares,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn rev_shares(&self) -> RevShareServiceClient<MeshChannel> {
        RevShareServiceClient::new(self.channel.clone())
    }
}
