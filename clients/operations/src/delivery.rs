//! Delivery.

use cleave_contracts::operations::v1::delivery_service_client::DeliveryServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    follow::{Messages, follow},
    paging::{self, Page},
};
use futures::stream::{Stream, TryStreamExt};

use crate::{OperationsClient, pb};

impl OperationsClient {
    /// Takes rows in bulk.
    pub async fn report_delivery(
        &self,
        requests: impl Stream<Item = pb::ReportDeliveryRequest> + Send + 'static,
    ) -> Result<pb::ReportDeliveryResponse, CallError> {
        Ok(self
            .delivery()
            .report_delivery(requests)
            .await?
            .into_inner())
    }

    /// Lists rows in the order of their keys.
    pub async fn list_delivery(
        &self,
        request: pb::ListDeliveryRequest,
    ) -> Result<pb::ListDeliveryResponse, CallError> {
        Ok(self.delivery().list_delivery(request).await?.into_inner())
    }

    /// Streams the current state of rows in the order in which they changed, from the token on and
    /// then as they change.
    pub async fn watch_delivery(
        &self,
        request: pb::WatchDeliveryRequest,
    ) -> Result<Messages<pb::WatchDeliveryResponse>, CallError> {
        let messages = self.delivery().watch_delivery(request).await?.into_inner();
        Ok(Box::pin(messages.map_err(CallError::from)))
    }

    /// Answers counts, sums and a hash over rows, to compare both sides.
    pub async fn get_delivery_digest(
        &self,
        request: pb::GetDeliveryDigestRequest,
    ) -> Result<pb::GetDeliveryDigestResponse, CallError> {
        Ok(self
            .delivery()
            .get_delivery_digest(request)
            .await?
            .into_inner())
    }

    /// Freezes the rows of the hours before an instant, for good.
    pub async fn freeze_delivery(
        &self,
        request: pb::FreezeDeliveryRequest,
    ) -> Result<pb::FreezeDeliveryResponse, CallError> {
        Ok(self.delivery().freeze_delivery(request).await?.into_inner())
    }

    /// All delivery that the request asks for, page after page.
    pub fn list_all_delivery(
        &self,
        request: pb::ListDeliveryRequest,
    ) -> impl Stream<Item = Result<pb::DeliveryRow, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_delivery(request).await?;
                Ok(Page {
                    items: page.rows,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    /// Follows `watch_delivery` across broken connections; see [`follow`](cleave_mesh::follow).
    pub fn follow_delivery(
        &self,
        request: pb::WatchDeliveryRequest,
    ) -> impl Stream<Item = Result<pb::WatchDeliveryResponse, CallError>> + Send + use<> {
        fn token_of(message: &pb::WatchDeliveryResponse) -> &str {
            &message.resume_token
        }
        let client = self.clone();
        let token = request.resume_token.clone();
        follow(token, token_of, move |resume_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.resume_token = resume_token;
            async move { client.watch_delivery(request).await }
        })
    }

    fn delivery(&self) -> DeliveryServiceClient<MeshChannel> {
        DeliveryServiceClient::new(self.channel.clone())
    }
}
