//! The ledger.

use cleave_contracts::billing::v1::ledger_service_client::LedgerServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    follow::Messages,
    paging::{self, Page},
};
use futures::stream::{Stream, TryStreamExt};

use crate::{BillingClient, pb};

impl BillingClient {
    /// Records money that came in from an advertiser and credits it to the running balance.
    pub async fn record_payment(
        &self,
        request: pb::RecordPaymentRequest,
    ) -> Result<pb::RecordPaymentResponse, CallError> {
        Ok(self.ledger().record_payment(request).await?.into_inner())
    }

    /// Corrects an account by hand.
    pub async fn post_adjustment(
        &self,
        request: pb::PostAdjustmentRequest,
    ) -> Result<pb::PostAdjustmentResponse, CallError> {
        Ok(self.ledger().post_adjustment(request).await?.into_inner())
    }

    /// Lets go of parked rows that can never be rated: all of them, or none.
    pub async fn write_off_parked_rows(
        &self,
        request: pb::WriteOffParkedRowsRequest,
    ) -> Result<pb::WriteOffParkedRowsResponse, CallError> {
        let answer = self.ledger().write_off_parked_rows(request).await?;
        Ok(answer.into_inner())
    }

    /// Lists rows that were written off.
    pub async fn list_written_off_rows(
        &self,
        request: pb::ListWrittenOffRowsRequest,
    ) -> Result<pb::ListWrittenOffRowsResponse, CallError> {
        let answer = self.ledger().list_written_off_rows(request).await?;
        Ok(answer.into_inner())
    }

    /// Reads the ledger accounts of one account, or those of the platform in one currency, all at one
    /// instant.
    pub async fn get_balances(
        &self,
        request: pb::GetBalancesRequest,
    ) -> Result<pb::GetBalancesResponse, CallError> {
        Ok(self.ledger().get_balances(request).await?.into_inner())
    }

    /// Lists transfers in the order of their seq.
    pub async fn list_transfers(
        &self,
        request: pb::ListTransfersRequest,
    ) -> Result<pb::ListTransfersResponse, CallError> {
        Ok(self.ledger().list_transfers(request).await?.into_inner())
    }

    /// Replays every transfer in the order of its seq through the rules, compares the counters with
    /// the stored ones, and re-rates every bucket from its rows.
    pub async fn verify_ledger(
        &self,
        request: pb::VerifyLedgerRequest,
    ) -> Result<Messages<pb::VerifyLedgerResponse>, CallError> {
        let messages = self.ledger().verify_ledger(request).await?.into_inner();
        Ok(Box::pin(messages.map_err(CallError::from)))
    }

    /// All transfers that the request asks for, page after page.
    pub fn list_all_transfers(
        &self,
        request: pb::ListTransfersRequest,
    ) -> impl Stream<Item = Result<pb::Transfer, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_transfers(request).await?;
                Ok(Page {
                    items: page.transfers,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    /// All rows that were written off, page after page.
    pub fn list_all_written_off_rows(
        &self,
        request: pb::ListWrittenOffRowsRequest,
    ) -> impl Stream<Item = Result<pb::WrittenOffRow, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_written_off_rows(request).await?;
                Ok(Page {
                    items: page.rows,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn ledger(&self) -> LedgerServiceClient<MeshChannel> {
        LedgerServiceClient::new(self.channel.clone())
    }
}
