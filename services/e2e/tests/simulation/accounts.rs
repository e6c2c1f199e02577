//! Billing's accounts, followed for ever.

use crate::billing::{Billing, absent};
use billing_client::pb;
use cleave_contracts::billing::v1::account_service_server::AccountService;
use futures::stream::{self, BoxStream};
use std::pin::pin;
use std::time::Duration;
use tonic::{Request, Response, Status, async_trait};

/// A stream that has nothing to say tells so this often.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// Who follows the accounts.
struct Follower {
    billing: Billing,
    position: i64,
    over: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<Result<pb::WatchAccountsResponse, Status>> {
        if self.over {
            return None;
        }
        let Billing { world, drain, .. } = self.billing.clone();
        let (accounts, reached) = loop {
            let mut change = pin!(world.ledger.grown());
            change.as_mut().enable();
            let news = world.ledger.tables().changed_after(self.position);
            if !news.0.is_empty() {
                break news;
            }
            tokio::select! {
                biased;
                () = drain.token().cancelled() => {
                    self.over = true;
                    return Some(Err(drain.status()));
                }
                () = change => {}
                () = tokio::time::sleep(HEARTBEAT) => break news,
            }
        };
        self.position = reached;
        Some(Ok(pb::WatchAccountsResponse {
            heartbeat: accounts.is_empty(),
            accounts,
            resume_token: reached.to_string(),
            as_of_time: None,
            revision: reached,
        }))
    }
}

#[async_trait]
impl AccountService for Billing {
    type WatchAccountsStream = BoxStream<'static, Result<pb::WatchAccountsResponse, Status>>;

    async fn watch_accounts(
        &self,
        request: Request<pb::WatchAccountsRequest>,
    ) -> Result<Response<Self::WatchAccountsStream>, Status> {
        let token = request.into_inner().resume_token;
        self.world.arrive(self.host, "WatchAccounts", &token)?;
        self.world.travel(self.host).await;
        let follower = Follower {
            position: token.parse().unwrap_or(0),
            billing: self.clone(),
            over: false,
        };
        let messages = stream::unfold(follower, |mut follower| async move {
            Some((follower.next().await?, follower))
        });
        Ok(Response::new(Box::pin(messages)))
    }

    async fn open_account(
        &self,
        _: Request<pb::OpenAccountRequest>,
    ) -> Result<Response<pb::OpenAccountResponse>, Status> {
        Err(absent())
    }

    async fn get_account(
        &self,
        _: Request<pb::GetAccountRequest>,
    ) -> Result<Response<pb::GetAccountResponse>, Status> {
        Err(absent())
    }

    async fn list_accounts(
        &self,
        _: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        Err(absent())
    }

    async fn update_credit_terms(
        &self,
        _: Request<pb::UpdateCreditTermsRequest>,
    ) -> Result<Response<pb::UpdateCreditTermsResponse>, Status> {
        Err(absent())
    }

    async fn override_standing(
        &self,
        _: Request<pb::OverrideStandingRequest>,
    ) -> Result<Response<pb::OverrideStandingResponse>, Status> {
        Err(absent())
    }

    async fn clear_standing_override(
        &self,
        _: Request<pb::ClearStandingOverrideRequest>,
    ) -> Result<Response<pb::ClearStandingOverrideResponse>, Status> {
        Err(absent())
    }

    async fn batch_get_account_standing(
        &self,
        _: Request<pb::BatchGetAccountStandingRequest>,
    ) -> Result<Response<pb::BatchGetAccountStandingResponse>, Status> {
        Err(absent())
    }

    async fn close_account(
        &self,
        _: Request<pb::CloseAccountRequest>,
    ) -> Result<Response<pb::CloseAccountResponse>, Status> {
        Err(absent())
    }
}
