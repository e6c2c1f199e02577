//! The rules of billing: accounts, the ledger, reservations and what they may do.
//!
//! Pure: no clock of its own, no database, no protocol. A command is applied to a [`Work`], the rows it needs held in
//! memory; a refusal leaves the work as it was.

pub mod account;
pub mod adjustment;
pub mod book;
pub mod bucket;
pub mod catalogue;
pub mod chart;
pub mod delivery;
pub mod funding;
pub mod outcome;
pub mod parked_row;
pub mod payment;
pub mod period;
mod posting;
pub mod rate_delivery;
pub mod rating;
pub mod rating_set;
pub mod refusal;
pub mod reservation;
pub mod reserve;
pub mod rev_share;
mod revaluation;
pub mod settle_unfunded;
pub mod spread;
pub mod standing;
pub mod terms;
pub mod transfer;
pub mod work;
pub mod write_off;

pub use account::Account;
pub use book::Book;
pub use outcome::Outcome;
pub use period::Period;
pub use refusal::Refusal;
pub use reservation::Reservation;
pub use transfer::Transfer;
pub use work::Work;
