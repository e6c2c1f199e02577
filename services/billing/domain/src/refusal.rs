//! Why a command was refused. A refusal is an outcome: it is stored with its request and replayed for ever.

use crate::account::{Mode, Party};
use crate::delivery::RowId;
use crate::reservation::State;
use cleave_kernel::{
    AccountId, Currency, DeliveryRowId, Micros, PaymentId, ReservationId, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such account.
    #[error("there is no account {account}")]
    AccountNotFound {
        /// The account or the party that was asked for.
        account: String,
    },
    /// No such reservation.
    #[error("there is no reservation {reservation}")]
    ReservationNotFound {
        /// The reservation that was asked for.
        reservation: ReservationId,
    },
    /// The party has an account with other terms.
    #[error("account {account} exists, in another currency or mode")]
    AccountAlreadyExists {
        /// The account there is.
        account: AccountId,
        /// Its currency.
        currency: Currency,
        /// Its mode.
        mode: Mode,
    },
    /// The payment was recorded under another request.
    #[error("payment {external_ref:?} was recorded before")]
    PaymentAlreadyRecorded {
        /// The reference both share.
        external_ref: String,
        /// The payment there is.
        payment: PaymentId,
    },
    /// Less is free than is needed.
    #[error("the free balance {available} of {account} does not cover {requested}")]
    InsufficientFunds {
        /// The account.
        account: AccountId,
        /// What is free.
        available: Micros,
        /// What is needed.
        requested: Micros,
        /// The currency of both.
        currency: Currency,
    },
    /// Nothing new may be spent.
    #[error("account {account} is blocked")]
    AccountBlocked {
        /// The account.
        account: AccountId,
    },
    /// The account has closed.
    #[error("account {account} is closed")]
    AccountClosed {
        /// The account.
        account: AccountId,
    },
    /// The account holds or owes money.
    #[error("account {account} is not empty")]
    AccountNotEmpty {
        /// The account.
        account: AccountId,
        /// What is left in it.
        balance: Micros,
        /// What is held.
        held: Micros,
    },
    /// Delivery of the account may still change, and a closed account takes no correction.
    #[error(
        "delivery of account {account} may change until {until}, and {parked} of its rows are parked"
    )]
    DeliveryOpen {
        /// The account.
        account: AccountId,
        /// When the corrections of its last month of delivery are over.
        until: Timestamp,
        /// How many of its rows are parked.
        parked: i64,
    },
    /// The row does not wait: it was rated meanwhile, or written off, or never came.
    #[error("no row {} is parked", DeliveryRowId::from_uuid(row.uuid()))]
    ParkedRowNotFound {
        /// The row.
        row: RowId,
    },
    /// The row waits in another revision than the one that was looked at.
    #[error("row {} is parked in revision {revision}", DeliveryRowId::from_uuid(row.uuid()))]
    ParkedRowChanged {
        /// The row.
        row: RowId,
        /// The revision that is parked.
        revision: i64,
    },
    /// Money in another currency than the account's.
    #[error("account {account} is in {account_currency}, not in {currency}")]
    CurrencyMismatch {
        /// The account.
        account: AccountId,
        /// Its currency.
        account_currency: Currency,
        /// The currency of the money.
        currency: Currency,
    },
    /// The limit would lie below what is used.
    #[error("account {account} uses credit of {used}")]
    CreditLimitBelowUse {
        /// The account.
        account: AccountId,
        /// The lowest limit possible.
        used: Micros,
        /// The limit that was asked for.
        credit_limit: Micros,
    },
    /// The mode gives no credit.
    #[error("account {account} gives no credit")]
    CreditNotAllowed {
        /// The account.
        account: AccountId,
        /// Its mode.
        mode: Mode,
    },
    /// Meant for the other kind of party.
    #[error("account {account} belongs to the other kind of party")]
    WrongParty {
        /// The account.
        account: AccountId,
        /// Whose it is.
        party: Party,
    },
    /// The reservation is over.
    #[error("reservation {reservation} has closed")]
    ReservationClosed {
        /// The reservation.
        reservation: ReservationId,
        /// How it ended.
        state: State,
    },
    /// There is nothing to clear.
    #[error("the standing of {account} is not overridden")]
    StandingNotOverridden {
        /// The account.
        account: AccountId,
    },
    /// What was to hold until a time would be over before it began.
    #[error("the time given lies in the past")]
    EndInThePast {
        /// The account.
        account: AccountId,
    },
    /// The account changed since it was read.
    #[error("account {account} has changed since it was read")]
    StaleEtag {
        /// The account.
        account: AccountId,
        /// Its etag now.
        etag: String,
    },
    /// A sum would leave 64 bits.
    #[error("a sum of {account} would leave 64 bits")]
    AmountOverflow {
        /// The account.
        account: AccountId,
    },
    /// The rules contradict themselves: a fault of this program. The transaction is abandoned whole and nothing of it remembered.
    #[error("the ledger refused a transfer: {rule}")]
    Broken {
        /// What was broken.
        rule: String,
    },
}
