//! Publishers.

use cleave_contracts::operations::v1::publisher_service_client::PublisherServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{OperationsClient, pb};

impl OperationsClient {
    /// Records an application and asks Billing to open the account.
    pub async fn create_publisher(
        &self,
        request: pb::CreatePublisherRequest,
    ) -> Result<pb::CreatePublisherResponse, CallError> {
        Ok(self
            .publishers()
            .create_publisher(request)
            .await?
            .into_inner())
    }

    /// Answers one publisher, terminated ones too.
    pub async fn get_publisher(
        &self,
        request: pb::GetPublisherRequest,
    ) -> Result<pb::GetPublisherResponse, CallError> {
        Ok(self.publishers().get_publisher(request).await?.into_inner())
    }

    /// Lists publishers, oldest first.
    pub async fn list_publishers(
        &self,
        request: pb::ListPublishersRequest,
    ) -> Result<pb::ListPublishersResponse, CallError> {
        Ok(self
            .publishers()
            .list_publishers(request)
            .await?
            .into_inner())
    }

    /// Changes the fields that people write.
    pub async fn update_publisher(
        &self,
        request: pb::UpdatePublisherRequest,
    ) -> Result<pb::UpdatePublisherResponse, CallError> {
        Ok(self
            .publishers()
            .update_publisher(request)
            .await?
            .into_inner())
    }

    /// Lets an APPLIED publisher serve; needs its account to be open.
    pub async fn activate_publisher(
        &self,
        request: pb::ActivatePublisherRequest,
    ) -> Result<pb::ActivatePublisherResponse, CallError> {
        Ok(self
            .publishers()
            .activate_publisher(request)
            .await?
            .into_inner())
    }

    /// Stops an ACTIVE publisher.
    pub async fn suspend_publisher(
        &self,
        request: pb::SuspendPublisherRequest,
    ) -> Result<pb::SuspendPublisherResponse, CallError> {
        Ok(self
            .publishers()
            .suspend_publisher(request)
            .await?
            .into_inner())
    }

    /// Lets a SUSPENDED publisher serve again.
    pub async fn resume_publisher(
        &self,
        request: pb::ResumePublisherRequest,
    ) -> Result<pb::ResumePublisherResponse, CallError> {
        Ok(self
            .publishers()
            .resume_publisher(request)
            .await?
            .into_inner())
    }

    /// Puts a publisher away for good.
    pub async fn terminate_publisher(
        &self,
        request: pb::TerminatePublisherRequest,
    ) -> Result<pb::TerminatePublisherResponse, CallError> {
        Ok(self
            .publishers()
            .terminate_publisher(request)
            .await?
            .into_inner())
    }

    /// All publishers that the request asks for, page after page.
    pub fn list_all_publishers(
        &self,
        request: pb::ListPublishersRequest,
    ) -> impl Stream<Item = Result<pb::Publisher, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_publishers(request).await?;
                Ok(Page {
                    items: page.publishers,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn publishers(&self) -> PublisherServiceClient<MeshChannel> {
        PublisherServiceClient::new(self.channel.clone())
    }
}
