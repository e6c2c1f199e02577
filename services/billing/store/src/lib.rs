//! The rows of billing and every query over them. Money is written by the ledger writer alone ([`Store::submit`]); the
//! rest of this crate reads.

mod account;
mod delivery;
mod due;
mod earnings;
mod error;
mod figures;
mod ledger;
pub mod migration;
mod rating;
mod reservation;
mod restored;
mod row;
mod spend;
mod store;
mod terms;
mod verify;
mod verify_funding;
mod verify_rating;
mod writer;

pub use account::{AccountFilter, AccountView};
pub use delivery::{WaitingPage, Waits, written_off_key};
pub use earnings::{Earnings, EarningsFilter, GroupBy};
pub use error::StoreError;
pub use figures::{MoneyFigures, ReservationFigures};
pub use ledger::{Balances, BalancesOf, LedgerRow, TransferFilter, TransferRow};
pub use migration::migrations;
pub use reservation::ReservationFilter;
pub use restored::mark_restored;
pub use spend::{ChargeFilter, Waiting};
pub use store::{ACCOUNTS, Store, StoreOptions};
pub use verify::{Finding, FindingKind, Phase, Report, Summary};
pub use writer::{Command, Decision, Submission};
