//! Accounts: what is asked of them.

use super::{App, Error, Request, unexpected};
use billing_domain::outcome::Changed;
use billing_domain::{Outcome, Refusal};
use billing_store::{AccountView, Command};
use cleave_kernel::AccountId;
use std::fmt;

impl App {
    /// Changes an account: opens it, sets its terms or its standing, closes it.
    pub(crate) async fn change_account(
        &self,
        command: Command,
        request: Request,
    ) -> Result<Changed, Error> {
        match self.write(command, request).await? {
            Outcome::Changed(changed) => Ok(*changed),
            other => Err(unexpected(&other)),
        }
    }

    /// An account with what it has, or a refusal that names it as it was `asked` for.
    pub(crate) async fn account(
        &self,
        id: AccountId,
        asked: &(dyn fmt::Display + Sync),
    ) -> Result<AccountView, Error> {
        self.store().account(id).await?.ok_or_else(|| {
            Error::Refused(Refusal::AccountNotFound {
                account: asked.to_string(),
            })
        })
    }
}
