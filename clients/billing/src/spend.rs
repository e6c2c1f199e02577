//! What delivery has cost and earned.

use cleave_contracts::billing::v1::spend_service_client::SpendServiceClient;
use cleave_mesh::{
    CallError, MeshChannel, Reading,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{BillingClient, pb};

/// What stands for the revision of an answer that names none.
const UNNUMBERED: i64 = 0;

impl BillingClient {
    /// Reads what line items have cost so far; the last answer where Billing cannot be asked.
    pub async fn batch_get_spend(
        &self,
        request: pb::BatchGetSpendRequest,
    ) -> Result<Reading<pb::BatchGetSpendResponse>, CallError> {
        let answer = self.spend().batch_get_spend(request).await?;
        Ok(Reading::now(answer, |answer| answer.revision))
    }

    /// Sums what a publisher earned; the last answer where Billing cannot be asked.
    pub async fn get_publisher_earnings(
        &self,
        request: pb::GetPublisherEarningsRequest,
    ) -> Result<Reading<pb::GetPublisherEarningsResponse>, CallError> {
        let answer = self.spend().get_publisher_earnings(request).await?;
        Ok(Reading::now(answer, |_| UNNUMBERED))
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
                let page = client.get_publisher_earnings(request).await?.value;
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
