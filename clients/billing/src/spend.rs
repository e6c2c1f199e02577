//! What delivery has cost and earned.

use cleave_contracts::billing::v1::spend_service_client::SpendServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{BillingClient, pb};

impl BillingClient {
    /// Reads what line items have cost so far.
    pub async fn batch_get_spend(
        &self,
        request: pb::BatchGetSpendRequest,
    ) -> Result<pb::BatchGetSpendResponse, CallError> {
        Ok(self.spend().batch_get_spend(request).await?.into_inner())
    }

    /// Sums what a publisher earned.
    pub async fn get_publisher_earnings(
        &self,
        request: pb::GetPublisherEarningsRequest,
    ) -> Result<pb::GetPublisherEarningsResponse, CallError> {
        Ok(self
            .spend()
            .get_publisher_earnings(request)
            .await?
            .into_inner())
    }

    /// Lists rated buckets in the order of their keys.
    pub async fn list_charges(
        &self,
        request: pb::ListChargesRequest,
    ) -> Result<pb::ListChargesResponse, CallError> {
        Ok(self.spend().list_charges(request).await?.into_inner())
    }

    /// Lists delivery rows that cannot be rated yet, in the order of their keys.
    pub async fn list_parked_rows(
        &self,
        request: pb::ListParkedRowsRequest,
    ) -> Result<pb::ListParkedRowsResponse, CallError> {
        Ok(self.spend().list_parked_rows(request).await?.into_inner())
    }

    /// All publisher earnings that the request asks for, page after page.
    pub fn get_all_publisher_earnings(
        &self,
        request: pb::GetPublisherEarningsRequest,
    ) -> impl Stream<Item = Result<pb::PublisherEarning, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.get_publisher_earnings(request).await?;
                Ok(Page {
                    items: page.earnings,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    /// All charges that the request asks for, page after page.
    pub fn list_all_charges(
        &self,
        request: pb::ListChargesRequest,
    ) -> impl Stream<Item = Result<pb::Charge, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_charges(request).await?;
                Ok(Page {
                    items: page.charges,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    /// All parked rows that the request asks for, page after page.
    pub fn list_all_parked_rows(
        &self,
        request: pb::ListParkedRowsRequest,
    ) -> impl Stream<Item = Result<pb::ParkedRow, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_parked_rows(request).await?;
                Ok(Page {
                    items: page.rows,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn spend(&self) -> SpendServiceClient<MeshChannel> {
        SpendServiceClient::new(self.channel.clone())
    }
}
