//! `AccountService`.

mod convert;
mod watch;

pub(crate) use convert::standing;

use super::convert::{self as value, checked};
use super::page::Page;
use crate::app::{App, Error};
use crate::rpc::Answers;
use billing_domain::Account;
use billing_domain::account::OpsRef;
use billing_store::Command;
use cleave_contracts::billing::v1 as pb;
use cleave_contracts::billing::v1::account_service_server::AccountService;
use cleave_host::Drain;
use cleave_kernel::{AccountId, Violation, Violations};
use cleave_storage::filter_hash;
use std::time::Duration;
use tonic::{Request, Response, Status, async_trait};

/// The most parties that one call may ask about.
const BATCH: usize = 1000;

/// How streams are kept.
#[derive(Debug, Clone)]
pub struct Watching {
    /// How often an idle stream says so.
    pub heartbeat: Duration,
    /// When streams must end.
    pub drain: Drain,
}

/// Serves `AccountService`.
#[derive(Clone)]
pub struct Accounts {
    app: App,
    watching: Watching,
}

impl Accounts {
    /// Answers by `app`.
    pub const fn new(app: App, watching: Watching) -> Self {
        Self { app, watching }
    }
}

#[async_trait]
impl AccountService for Accounts {
    type WatchAccountsStream = Answers<pb::WatchAccountsResponse>;

    async fn open_account(
        &self,
        request: Request<pb::OpenAccountRequest>,
    ) -> Result<Response<pb::OpenAccountResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = convert::open_account(&message).map_err(Error::from)?;
        let command = Command::OpenAccount(command);
        let changed = self.app.change_account(command, request).await?;
        let account = Some(convert::account(&changed.account, changed.standing));
        Ok(Response::new(pb::OpenAccountResponse { account }))
    }

    async fn get_account(
        &self,
        request: Request<pb::GetAccountRequest>,
    ) -> Result<Response<pb::GetAccountResponse>, Status> {
        let (id, asked) = convert::account_key(request.into_inner().key).map_err(Error::from)?;
        let now = self.app.clock().now();
        let view = self.app.account(id, &asked).await?;
        Ok(Response::new(pb::GetAccountResponse {
            account: Some(convert::account(&view.account, view.standing(now).0)),
            standing: Some(convert::standing_info(&view, now)),
        }))
    }

    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        let message = request.into_inner();
        let filter = convert::account_filter(&message).map_err(Error::from)?;
        let hash = filter_hash(&[
            b"accounts",
            &message.party.to_be_bytes(),
            &message.state.to_be_bytes(),
            message.currency_code.as_bytes(),
        ]);
        let page: Page<AccountId> =
            Page::read(message.page_size, &message.page_token, hash).map_err(Error::from)?;
        let store = self.app.store();
        let mut accounts = store
            .list_accounts(&filter, page.after, page.limit())
            .await
            .map_err(Error::from)?;
        let next_page_token = page.cut(&mut accounts, |account| account.id)?;
        let ids: Vec<_> = accounts.iter().map(|account| account.id).collect();
        let now = self.app.clock().now();
        let views = store.accounts(&ids).await.map_err(Error::from)?;
        let accounts = ids
            .iter()
            .filter_map(|id| views.get(id))
            .map(|view| convert::account(&view.account, view.standing(now).0))
            .collect();
        Ok(Response::new(pb::ListAccountsResponse {
            accounts,
            next_page_token,
        }))
    }

    async fn update_credit_terms(
        &self,
        request: Request<pb::UpdateCreditTermsRequest>,
    ) -> Result<Response<pb::UpdateCreditTermsResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = convert::update_credit_terms(&message).map_err(Error::from)?;
        let command = Command::UpdateCreditTerms(command);
        let changed = self.app.change_account(command, request).await?;
        let account = Some(convert::account(&changed.account, changed.standing));
        Ok(Response::new(pb::UpdateCreditTermsResponse { account }))
    }

    async fn override_standing(
        &self,
        request: Request<pb::OverrideStandingRequest>,
    ) -> Result<Response<pb::OverrideStandingResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = convert::override_standing(&message).map_err(Error::from)?;
        let command = Command::OverrideStanding(command);
        let changed = self.app.change_account(command, request).await?;
        let account = Some(convert::account(&changed.account, changed.standing));
        Ok(Response::new(pb::OverrideStandingResponse { account }))
    }

    async fn clear_standing_override(
        &self,
        request: Request<pb::ClearStandingOverrideRequest>,
    ) -> Result<Response<pb::ClearStandingOverrideResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = convert::clear_override(&message).map_err(Error::from)?;
        let command = Command::ClearStandingOverride(command);
        let changed = self.app.change_account(command, request).await?;
        let account = Some(convert::account(&changed.account, changed.standing));
        Ok(Response::new(pb::ClearStandingOverrideResponse { account }))
    }

    async fn batch_get_account_standing(
        &self,
        request: Request<pb::BatchGetAccountStandingRequest>,
    ) -> Result<Response<pb::BatchGetAccountStandingResponse>, Status> {
        let message = request.into_inner();
        let owners = owners(&message.ops_refs).map_err(Error::from)?;
        let store = self.app.store();
        let revision = store.feed_position().await.map_err(Error::from)?.seq;
        let now = self.app.clock().now();
        let ids: Vec<_> = owners.iter().map(|owner| Account::id_of(*owner)).collect();
        let views = store.accounts(&ids).await.map_err(Error::from)?;
        let mut response = pb::BatchGetAccountStandingResponse {
            standings: Vec::with_capacity(ids.len()),
            missing_ops_refs: Vec::new(),
            revision,
            as_of_time: Some(value::time(now)),
        };
        for (owner, id) in owners.iter().zip(&ids) {
            match views.get(id) {
                Some(view) => response.standings.push(convert::standing_info(view, now)),
                None => response.missing_ops_refs.push(owner.to_string()),
            }
        }
        Ok(Response::new(response))
    }

    async fn watch_accounts(
        &self,
        request: Request<pb::WatchAccountsRequest>,
    ) -> Result<Response<Self::WatchAccountsStream>, Status> {
        let token = request.into_inner().resume_token;
        let stream = watch::watch(self.app.clone(), self.watching.clone(), &token).await?;
        Ok(Response::new(stream))
    }

    async fn close_account(
        &self,
        request: Request<pb::CloseAccountRequest>,
    ) -> Result<Response<pb::CloseAccountResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = convert::close_account(&message).map_err(Error::from)?;
        let command = Command::CloseAccount(command);
        let changed = self.app.change_account(command, request).await?;
        let account = Some(convert::account(&changed.account, changed.standing));
        Ok(Response::new(pb::CloseAccountResponse { account }))
    }
}

fn owners(ops_refs: &[String]) -> Result<Vec<OpsRef>, Violations> {
    if ops_refs.is_empty() {
        return Err(Violation::required("ops_refs").into());
    }
    if ops_refs.len() > BATCH {
        let mend = format!("give at most {BATCH}");
        return Err(Violation::new("ops_refs", "TOO_MANY", mend).into());
    }
    let mut violations = Violations::new();
    let owners = ops_refs
        .iter()
        .enumerate()
        .filter_map(|(index, text)| {
            let owner = value::id("", text).map_err(|v| v.at(index).under("ops_refs"));
            violations.take(owner)
        })
        .collect();
    checked(violations, Some(owners))
}
