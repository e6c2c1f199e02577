//! Line items, their terms, and why they do what they do.

use cleave_contracts::operations::v1::line_item_service_client::LineItemServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{OperationsClient, pb};

impl OperationsClient {
    /// Creates a DRAFT of a line item, with first terms when they are given.
    pub async fn create_line_item(
        &self,
        request: pb::CreateLineItemRequest,
    ) -> Result<pb::CreateLineItemResponse, CallError> {
        Ok(self
            .line_items()
            .create_line_item(request)
            .await?
            .into_inner())
    }

    /// Answers one line item, removed ones too.
    pub async fn get_line_item(
        &self,
        request: pb::GetLineItemRequest,
    ) -> Result<pb::GetLineItemResponse, CallError> {
        Ok(self.line_items().get_line_item(request).await?.into_inner())
    }

    /// Lists line items, oldest first.
    pub async fn list_line_items(
        &self,
        request: pb::ListLineItemsRequest,
    ) -> Result<pb::ListLineItemsResponse, CallError> {
        Ok(self
            .line_items()
            .list_line_items(request)
            .await?
            .into_inner())
    }

    /// Changes the fields that people write.
    pub async fn update_line_item(
        &self,
        request: pb::UpdateLineItemRequest,
    ) -> Result<pb::UpdateLineItemResponse, CallError> {
        Ok(self
            .line_items()
            .update_line_item(request)
            .await?
            .into_inner())
    }

    /// Asks for a line item to run; needs terms, an active advertiser and an account in good standing.
    pub async fn enable_line_item(
        &self,
        request: pb::EnableLineItemRequest,
    ) -> Result<pb::EnableLineItemResponse, CallError> {
        Ok(self
            .line_items()
            .enable_line_item(request)
            .await?
            .into_inner())
    }

    /// Stops an ENABLED line item.
    pub async fn pause_line_item(
        &self,
        request: pb::PauseLineItemRequest,
    ) -> Result<pb::PauseLineItemResponse, CallError> {
        Ok(self
            .line_items()
            .pause_line_item(request)
            .await?
            .into_inner())
    }

    /// Takes a line item out for good.
    pub async fn remove_line_item(
        &self,
        request: pb::RemoveLineItemRequest,
    ) -> Result<pb::RemoveLineItemResponse, CallError> {
        Ok(self
            .line_items()
            .remove_line_item(request)
            .await?
            .into_inner())
    }

    /// Publishes the next version of a line item's terms.
    pub async fn publish_terms(
        &self,
        request: pb::PublishTermsRequest,
    ) -> Result<pb::PublishTermsResponse, CallError> {
        Ok(self.line_items().publish_terms(request).await?.into_inner())
    }

    /// Lists the versions of a line item's terms, first to last.
    pub async fn list_terms(
        &self,
        request: pb::ListTermsRequest,
    ) -> Result<pb::ListTermsResponse, CallError> {
        Ok(self.line_items().list_terms(request).await?.into_inner())
    }

    /// Answers versions of terms by their keys.
    pub async fn batch_get_line_item_terms(
        &self,
        request: pb::BatchGetLineItemTermsRequest,
    ) -> Result<pb::BatchGetLineItemTermsResponse, CallError> {
        Ok(self
            .line_items()
            .batch_get_line_item_terms(request)
            .await?
            .into_inner())
    }

    /// Answers the whole chain of what a line item's status depends on, with revisions and ages.
    pub async fn explain_line_item(
        &self,
        request: pb::ExplainLineItemRequest,
    ) -> Result<pb::ExplainLineItemResponse, CallError> {
        Ok(self
            .line_items()
            .explain_line_item(request)
            .await?
            .into_inner())
    }

    /// All line items that the request asks for, page after page.
    pub fn list_all_line_items(
        &self,
        request: pb::ListLineItemsRequest,
    ) -> impl Stream<Item = Result<pb::LineItem, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_line_items(request).await?;
                Ok(Page {
                    items: page.line_items,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    /// All terms that the request asks for, page after page.
    pub fn list_all_terms(
        &self,
        request: pb::ListTermsRequest,
    ) -> impl Stream<Item = Result<pb::LineItemTerms, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_terms(request).await?;
                Ok(Page {
                    items: page.terms,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn line_items(&self) -> LineItemServiceClient<MeshChannel> {
        LineItemServiceClient::new(self.channel.clone())
    }
}
