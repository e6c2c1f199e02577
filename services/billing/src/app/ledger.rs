//! The ledger: money in, corrections, balances.

use super::{App, Error, Request, unexpected};
use billing_domain::adjustment::{Adjustment, PostAdjustment};
use billing_domain::payment::{RecordPayment, Recorded};
use billing_domain::{Outcome, Refusal};
use billing_store::{Balances, BalancesOf, Command};
use std::fmt;

impl App {
    /// Records a payment.
    pub(crate) async fn record_payment(
        &self,
        command: RecordPayment,
        request: Request,
    ) -> Result<Recorded, Error> {
        let command = Command::RecordPayment(command);
        match self.write(command, request).await? {
            Outcome::Recorded(recorded) => Ok(*recorded),
            other => Err(unexpected(&other)),
        }
    }

    /// Corrects an account by hand.
    pub(crate) async fn post_adjustment(
        &self,
        command: PostAdjustment,
        request: Request,
    ) -> Result<Adjustment, Error> {
        let command = Command::PostAdjustment(command);
        match self.write(command, request).await? {
            Outcome::Adjusted(adjustment) => Ok(*adjustment),
            other => Err(unexpected(&other)),
        }
    }

    /// The ledger accounts of an owner, or a refusal that names it as it was `asked` for.
    pub(crate) async fn balances(
        &self,
        of: BalancesOf,
        asked: &(dyn fmt::Display + Sync),
    ) -> Result<Balances, Error> {
        self.store().balances(of).await?.ok_or_else(|| {
            Error::Refused(Refusal::AccountNotFound {
                account: asked.to_string(),
            })
        })
    }
}
