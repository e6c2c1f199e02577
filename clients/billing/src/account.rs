//! The accounts of advertisers and publishers.

use cleave_contracts::billing::v1::account_service_client::AccountServiceClient;
use cleave_mesh::{
    CallError, MeshChannel, Reading,
    follow::{Messages, follow},
    paging::{self, Page},
};
use futures::stream::{Stream, TryStreamExt};

use crate::{BillingClient, pb};

impl BillingClient {
    /// Opens the account of an advertiser or a publisher.
    pub async fn open_account(
        &self,
        request: pb::OpenAccountRequest,
    ) -> Result<pb::OpenAccountResponse, CallError> {
        Ok(self.accounts().open_account(request).await?.into_inner())
    }

    /// Reads one account, by its own id or by the id of the party that owns it.
    pub async fn get_account(
        &self,
        request: pb::GetAccountRequest,
    ) -> Result<pb::GetAccountResponse, CallError> {
        Ok(self.accounts().get_account(request).await?.into_inner())
    }

    /// Lists accounts in the order of their ids.
    pub async fn list_accounts(
        &self,
        request: pb::ListAccountsRequest,
    ) -> Result<pb::ListAccountsResponse, CallError> {
        Ok(self.accounts().list_accounts(request).await?.into_inner())
    }

    /// Sets the credit limit and the payment term.
    pub async fn update_credit_terms(
        &self,
        request: pb::UpdateCreditTermsRequest,
    ) -> Result<pb::UpdateCreditTermsResponse, CallError> {
        Ok(self
            .accounts()
            .update_credit_terms(request)
            .await?
            .into_inner())
    }

    /// Sets the standing by hand until a certain time, in place of the computed one.
    pub async fn override_standing(
        &self,
        request: pb::OverrideStandingRequest,
    ) -> Result<pb::OverrideStandingResponse, CallError> {
        Ok(self
            .accounts()
            .override_standing(request)
            .await?
            .into_inner())
    }

    /// Ends the override of the standing before its time.
    pub async fn clear_standing_override(
        &self,
        request: pb::ClearStandingOverrideRequest,
    ) -> Result<pb::ClearStandingOverrideResponse, CallError> {
        Ok(self
            .accounts()
            .clear_standing_override(request)
            .await?
            .into_inner())
    }

    /// Reads the standing of many parties at once; the last answer where Billing cannot be asked.
    pub async fn batch_get_account_standing(
        &self,
        request: pb::BatchGetAccountStandingRequest,
    ) -> Result<Reading<pb::BatchGetAccountStandingResponse>, CallError> {
        let answer = self.accounts().batch_get_account_standing(request).await?;
        Ok(Reading::now(answer, |answer| answer.revision))
    }

    /// Follows every account, for ever.
    pub async fn watch_accounts(
        &self,
        request: pb::WatchAccountsRequest,
    ) -> Result<Messages<pb::WatchAccountsResponse>, CallError> {
        let messages = self.accounts().watch_accounts(request).await?.into_inner();
        Ok(Box::pin(messages.map_err(CallError::from)))
    }

    /// Closes an account for ever.
    pub async fn close_account(
        &self,
        request: pb::CloseAccountRequest,
    ) -> Result<pb::CloseAccountResponse, CallError> {
        Ok(self.accounts().close_account(request).await?.into_inner())
    }

    /// All accounts that the request asks for, page after page.
    pub fn list_all_accounts(
        &self,
        request: pb::ListAccountsRequest,
    ) -> impl Stream<Item = Result<pb::BillingAccount, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_accounts(request).await?;
                Ok(Page {
                    items: page.accounts,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    /// Follows `watch_accounts` across broken connections; see [`follow`](cleave_mesh::follow).
    pub fn follow_accounts(
        &self,
        request: pb::WatchAccountsRequest,
    ) -> impl Stream<Item = Result<pb::WatchAccountsResponse, CallError>> + Send + use<> {
        fn token_of(message: &pb::WatchAccountsResponse) -> &str {
            &message.resume_token
        }
        let client = self.clone();
        let token = request.resume_token.clone();
        follow(token, token_of, move |resume_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.resume_token = resume_token;
            async move { client.watch_accounts(request).await }
        })
    }

    fn accounts(&self) -> AccountServiceClient<MeshChannel> {
        AccountServiceClient::new(self.channel.clone())
    }
}
